//! Whose turn it is, where more links have something than one turn takes up: those of the group and of
//! the machine itself, all of them; then of everybody else a bounded number, one of each address, and
//! so on. So whoever has a thousand links that are never silent waits for himself.
//!
//! What never lives here: key agreements, which have turns of their own (that is `greetings`).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};
use tmr_core::base::network::network;

/// Links that one turn serves, beside those of the group: each is read once, so a turn takes some
/// milliseconds at most, whatever there is to read.
pub(super) const TURN_LINKS: usize = 64;

/// Who has had a turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The address that was served last, and the last link of each address that has waited.
    last: Option<IpAddr>,
    served: BTreeMap<IpAddr, u64>,
}

impl Turns {
    /// Chooses at most `most` of the links that are ready, each with its number and where it comes from;
    /// the others are found again by the next turn. Addresses take turns behind the one that was
    /// last, and links of an address behind its last one.
    pub(super) fn choose<T>(&mut self, ready: Vec<(u64, IpAddr, T)>, most: usize) -> Vec<T> {
        let mut waiting: BTreeMap<IpAddr, VecDeque<(u64, T)>> = BTreeMap::new();
        for (link, from, what) in ready {
            waiting.entry(network(from)).or_default().push_back((link, what));
        }
        for (from, links) in &mut waiting {
            let last = self.served.get(from).copied().unwrap_or_default();
            links.make_contiguous().sort_unstable_by_key(|(link, _)| (*link <= last, *link));
        }
        // Who is not among those that wait is first when it does again.
        self.served.retain(|from, _| waiting.contains_key(from));
        let behind = self.last.map_or(Unbounded, Excluded);
        let mut order: VecDeque<IpAddr> = waiting.range((behind, Unbounded)).map(first).collect();
        order.extend(waiting.keys().take(waiting.len() - order.len()));
        let mut chosen = Vec::with_capacity(most);
        while let Some(from) = order.pop_front().filter(|_| chosen.len() < most) {
            let Some((link, what)) = waiting.get_mut(&from).and_then(VecDeque::pop_front) else {
                continue;
            };
            self.last = Some(from);
            self.served.insert(from, link);
            chosen.push(what);
            order.push_back(from);
        }
        chosen
    }
}

fn first<V>((key, _): (&IpAddr, V)) -> IpAddr {
    *key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn who_has_many_links_waits_for_himself() {
        let mut turns = Turns::default();
        let ready = || {
            let many = (1..=1_000).map(|link| (link, at(1), link));
            many.chain([(2_000, at(2), 2_000), (2_001, at(3), 2_001)]).collect::<Vec<_>>()
        };
        for turn in 0..100 {
            let chosen = turns.choose(ready(), 8);
            assert_eq!(chosen.len(), 8, "{turn}");
            assert!(chosen.contains(&2_000) && chosen.contains(&2_001), "{turn}: {chosen:?}");
        }
    }

    #[test]
    fn every_link_of_an_address_has_its_turn() {
        let mut turns = Turns::default();
        let ready = || (1..=100).map(|link| (link, at(1), link)).collect::<Vec<(u64, _, u64)>>();
        let mut served: Vec<u64> = (0..10).flat_map(|_| turns.choose(ready(), 10)).collect();
        served.sort_unstable();
        assert_eq!(served, (1..=100).collect::<Vec<u64>>());
    }

    #[test]
    fn more_addresses_than_places_have_a_turn_each() {
        let mut turns = Turns::default();
        let ready = || (1..=100).map(|it| (u64::from(it), at(it), it)).collect::<Vec<_>>();
        let mut served: Vec<u8> = (0..10).flat_map(|_| turns.choose(ready(), 10)).collect();
        served.sort_unstable();
        assert_eq!(served, (1..=100).collect::<Vec<u8>>());
        assert!(
            turns.served.len() <= 100 && turns.choose(Vec::<(u64, _, u8)>::new(), 10).is_empty()
        );
        assert!(turns.served.is_empty(), "nobody is kept in mind who does not wait");
    }
}

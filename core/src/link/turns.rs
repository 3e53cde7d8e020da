//! Turns of links: which of those that are ready a runtime serves now, where more are ready than one turn
//! takes up. Addresses take turns, and links of one address do, so a peer with a thousand links that are
//! never silent waits for itself.
//!
//! What never lives here: links of the group and of the machine itself, which are served in every turn; and
//! how a runtime learns that a link is ready.

use super::LinkId;
use crate::base::network::network;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Bound::{Excluded, Unbounded};

/// A link that is ready to be read.
#[derive(Clone, Copy, Debug)]
pub struct Ready<T> {
    /// Which.
    pub link: LinkId,
    /// Where it comes from.
    pub from: IpAddr,
    /// What the runtime serves it by.
    pub what: T,
}

/// The order of addresses in which they are served: each once, and so on, behind the last one.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    last: Option<IpAddr>,
}

impl Rotation {
    /// Takes `most` of what waits; `may` says whether an address may have one more served.
    pub(super) fn take<T>(
        &mut self,
        mut waiting: BTreeMap<IpAddr, VecDeque<T>>,
        most: usize,
        mut may: impl FnMut(IpAddr, &T) -> bool,
    ) -> Vec<T> {
        let behind = self.last.map_or(Unbounded, Excluded);
        let mut order: VecDeque<IpAddr> =
            waiting.range((behind, Unbounded)).map(|(from, _)| *from).collect();
        order.extend(waiting.keys().take(waiting.len() - order.len()));
        let mut taken = Vec::new();
        while let Some(from) = order.pop_front().filter(|_| taken.len() < most) {
            let next = waiting.get_mut(&from).and_then(VecDeque::pop_front);
            let Some(next) = next.filter(|next| may(from, next)) else { continue };
            self.last = Some(from);
            taken.push(next);
            order.push_back(from);
        }
        taken
    }
}

/// Who has had a turn.
#[derive(Debug, Default)]
pub struct Turns {
    rotation: Rotation,
    /// The link of each address that waits which was served last.
    served: BTreeMap<IpAddr, LinkId>,
}

impl Turns {
    /// Chooses at most `most` of the links that are ready; the others are to be found again by the next
    /// turn.
    pub fn choose<T>(&mut self, ready: Vec<Ready<T>>, most: usize) -> Vec<T> {
        let mut waiting: BTreeMap<IpAddr, VecDeque<Ready<T>>> = BTreeMap::new();
        for ready in ready {
            waiting.entry(network(ready.from)).or_default().push_back(ready);
        }
        for (from, links) in &mut waiting {
            let last = self.served.get(from);
            let was_served = |link: LinkId| last.is_some_and(|last| link <= *last);
            links.make_contiguous().sort_unstable_by_key(|it| (was_served(it.link), it.link));
        }
        // An address that waits no more is first when it does again.
        self.served.retain(|from, _| waiting.contains_key(from));
        let chosen = self.rotation.take(waiting, most, |_, _| true);
        let served = chosen.iter().map(|ready| (network(ready.from), ready.link));
        self.served.extend(served);
        chosen.into_iter().map(|ready| ready.what).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn ready(link: u64, from: u8) -> Ready<u64> {
        Ready { link: LinkId(link), from: at(from), what: link }
    }

    #[test]
    fn an_address_with_many_links_waits_for_itself() {
        let mut turns = Turns::default();
        let all = || {
            let many = (1..=1_000).map(|link| ready(link, 1));
            many.chain([ready(2_000, 2), ready(2_001, 3)]).collect::<Vec<_>>()
        };
        for turn in 0..100 {
            let chosen = turns.choose(all(), 8);
            assert_eq!(chosen.len(), 8, "{turn}");
            assert!(chosen.contains(&2_000) && chosen.contains(&2_001), "{turn}: {chosen:?}");
        }
    }

    #[test]
    fn every_link_of_an_address_has_its_turn() {
        let mut turns = Turns::default();
        let all = || (1..=100).map(|link| ready(link, 1)).collect::<Vec<_>>();
        let mut served: Vec<u64> = (0..10).flat_map(|_| turns.choose(all(), 10)).collect();
        served.sort_unstable();
        assert_eq!(served, (1..=100).collect::<Vec<u64>>());
    }

    #[test]
    fn more_addresses_than_places_have_a_turn_each() {
        let mut turns = Turns::default();
        let all = || (1..=100).map(|it| ready(u64::from(it), it)).collect::<Vec<_>>();
        let mut served: Vec<u64> = (0..10).flat_map(|_| turns.choose(all(), 10)).collect();
        served.sort_unstable();
        assert_eq!(served, (1..=100).collect::<Vec<u64>>());
        assert!(turns.served.len() <= 100);
        assert!(turns.choose(Vec::<Ready<u64>>::new(), 10).is_empty());
        assert!(turns.served.is_empty(), "an address that does not wait is not remembered");
    }
}

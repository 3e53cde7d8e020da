//! The order in which a runtime serves links when more are ready than one turn takes. Addresses
//! take turns, and so do the links of one address, so a peer with a thousand busy links delays only
//! itself.
//!
//! What never lives here: links of the group and of the machine itself, which are served in every
//! turn; and how a runtime finds out that a link is ready.

use super::LinkId;
use crate::base::network::network;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Bound::{Excluded, Unbounded};

/// A link that is ready to be read.
#[derive(Clone, Copy, Debug)]
pub struct Ready<T> {
    /// The link.
    pub link: LinkId,
    /// The peer's address.
    pub from: IpAddr,
    /// The object by which the runtime serves it.
    pub what: T,
}

/// A rotation over addresses: each in turn, starting after the last one served.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    last: Option<IpAddr>,
}

impl Rotation {
    /// Takes `most` of the waiting items; `may` returns whether one more of an address may be
    /// served.
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

/// The addresses and links that were served last.
#[derive(Debug, Default)]
pub struct Turns {
    rotation: Rotation,
    /// The link of each waiting address that was served last.
    served: BTreeMap<IpAddr, LinkId>,
}

impl Turns {
    /// Chooses at most `most` of the links that are ready; the others have to be passed in again at
    /// the next turn.
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
        // An address that does not wait now is served first when it waits again.
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

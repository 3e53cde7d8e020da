//! Seats from the clients' view: from the grant received to the release sent, or to the time at
//! which the client has been silent for so long that its seat may have been given to another.

use std::collections::{BTreeMap, BTreeSet};
use tmr_core::log::Mode;

/// What a client believes about a handle.
#[derive(Clone, Debug)]
pub struct Belief {
    /// The product code of the licence.
    pub product: u32,
    /// How it counts.
    pub mode: Mode,
    /// The number of licences.
    pub take: u32,
    /// The client's station.
    pub station: usize,
    /// The time of the request.
    pub since: u64,
    /// The end of the belief.
    pub until: u64,
}

/// Quantities by product in a part.
pub type Quantities = BTreeMap<u32, u32>;

/// All beliefs of clients.
#[derive(Debug, Default)]
pub struct Seats {
    held: BTreeMap<u32, Belief>,
    /// The quantities of each part on each machine, with the time from which they count. Two
    /// machines with the same part may have read it at different times.
    parts: BTreeMap<(usize, usize), Vec<(u64, Quantities)>>,
}

impl Seats {
    /// Records the quantities of the part on a machine from now on.
    pub fn holds(&mut self, now: u64, part: usize, machine: usize, said: Quantities) {
        self.parts.entry((part, machine)).or_default().push((now, said));
    }

    /// Returns the largest quantity that two parts had at any time since then.
    fn allowed(&self, product: u32, since: u64) -> u32 {
        let mut said: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
        for ((part, _), all) in &self.parts {
            let first = all.partition_point(|(at, _)| *at <= since).saturating_sub(1);
            let quantities = all[first..].iter().filter_map(|(_, said)| said.get(&product));
            said.entry(*part).or_default().extend(quantities);
        }
        let agree =
            |quantity: &&u32| said.values().filter(|all| all.contains(quantity)).count() > 1;
        said.values().flatten().filter(agree).max().copied().unwrap_or(0)
    }

    /// Checks a new seat that a client got.
    ///
    /// # Errors
    /// More seats are in use than two agreeing parts allowed at any time while it was on its way.
    pub fn granted(&mut self, now: u64, handle: u32, belief: Belief) -> Result<(), String> {
        // A handle that takes no seat may exist beside seats of a larger quantity.
        let since = (belief.mode != Mode::NoUserLimit).then(|| counts_since(&belief));
        self.check(now, handle, belief, since)
    }

    /// Checks a seat that a client still has by an answer.
    ///
    /// # Errors
    /// More seats are in use than two agreeing parts allowed since the first of them was granted.
    pub fn believed(&mut self, now: u64, handle: u32, belief: Belief) -> Result<(), String> {
        self.check(now, handle, belief, None)
    }

    fn check(
        &mut self,
        now: u64,
        handle: u32,
        belief: Belief,
        since: Option<u64>,
    ) -> Result<(), String> {
        if belief.until <= now {
            self.held.remove(&handle);
            return Ok(());
        }
        let product = belief.product;
        self.held.insert(handle, belief);
        self.held.retain(|_, belief| belief.until > now);
        let all = self.held.iter().filter(|(_, belief)| belief.product == product);
        let (mut used, mut stations) = (0, BTreeSet::new());
        let mut who = Vec::new();
        for (handle, belief) in all.clone() {
            match belief.mode {
                Mode::StationShare if !stations.insert(belief.station) => {}
                Mode::NoUserLimit => continue,
                _ => used += belief.take,
            }
            who.push(format!("{handle} ({}, station {})", belief.mode.name(), belief.station));
        }
        let first = all.clone().map(|(_, belief)| counts_since(belief)).min().unwrap_or(now);
        let quantity = self.allowed(product, since.unwrap_or(first));
        if used > quantity {
            let who = who.join(", ");
            return Err(format!("{used} of {quantity} seats of {product} are in use: {who}"));
        }
        let alone = all.clone().filter(|(_, belief)| belief.mode == Mode::Exclusive);
        for (one, exclusive) in alone {
            let other = all.clone().find(|(h, b)| *h != one && b.station == exclusive.station);
            if let Some((other, _)) = other {
                return Err(format!("{one} is exclusive, but {other} is on the same station"));
            }
        }
        Ok(())
    }

    /// Returns the time until which a client may rely on a seat; `None`: no client does.
    #[must_use]
    pub fn until(&self, handle: u32) -> Option<u64> {
        self.held.get(&handle).map(|belief| belief.until)
    }

    /// Removes the belief of a client that sends a release, or gives up.
    pub fn gone(&mut self, handle: u32) {
        self.held.remove(&handle);
    }
}

/// When a seat may have been granted that this one is. One that joined others of its station took
/// nothing; what they were granted by is not known any more if they are gone.
fn counts_since(belief: &Belief) -> u64 {
    if belief.mode == Mode::StationShare { 0 } else { belief.since }
}

#[cfg(test)]
mod test {
    use super::*;

    const PRODUCT: u32 = 201;

    fn belief(since: u64) -> Belief {
        let mode = Mode::UserLimit;
        Belief { product: PRODUCT, mode, take: 1, station: 0, since, until: 1_000 }
    }

    #[test]
    fn a_grant_needs_a_quantity_that_two_parts_said_while_it_was_on_its_way() {
        let mut seats = Seats::default();
        (0..3).for_each(|part| seats.holds(0, part, part, [(PRODUCT, 1)].into()));
        assert_eq!(seats.granted(2, 7, belief(1)), Ok(()));
        assert!(seats.granted(3, 8, belief(2)).is_err(), "the second of one");
        seats.gone(8);
        seats.holds(10, 0, 0, [(PRODUCT, 2)].into());
        assert!(seats.granted(12, 8, belief(11)).is_err(), "one part alone says two");
        seats.gone(8);
        seats.holds(20, 2, 2, [(PRODUCT, 2)].into());
        assert_eq!(seats.granted(22, 8, belief(19)), Ok(()));
        (0..3).for_each(|part| seats.holds(30, part, part, [(PRODUCT, 1)].into()));
        assert_eq!(seats.believed(40, 7, belief(1)), Ok(()), "they live until they end");
        seats.gone(7);
        assert!(seats.granted(42, 9, belief(41)).is_err(), "but none comes beside them");
        assert_eq!(seats.allowed(PRODUCT, 29), 2);
        assert_eq!(seats.allowed(PRODUCT, 30), 1);
    }

    #[test]
    fn what_takes_no_seat_comes_beside_seats_of_a_larger_quantity() {
        let mut seats = Seats::default();
        (0..3).for_each(|part| seats.holds(0, part, part, [(PRODUCT, 2)].into()));
        assert_eq!(seats.granted(2, 7, belief(1)), Ok(()));
        assert_eq!(seats.granted(3, 8, Belief { station: 1, ..belief(2) }), Ok(()));
        (0..3).for_each(|part| seats.holds(10, part, part, [(PRODUCT, 1)].into()));
        let none = Belief { mode: Mode::NoUserLimit, ..belief(11) };
        assert_eq!(seats.granted(12, 9, none), Ok(()));
        assert!(seats.granted(14, 10, Belief { station: 2, ..belief(13) }).is_err());
    }

    #[test]
    fn one_part_on_two_machines_counts_once_and_says_what_either_has_read() {
        let mut seats = Seats::default();
        (0..3).for_each(|part| seats.holds(0, part, part, [(PRODUCT, 1)].into()));
        // A second machine has read the reissued third part; the first one has not yet.
        seats.holds(10, 2, 3, [(PRODUCT, 3)].into());
        seats.holds(11, 1, 1, [(PRODUCT, 2)].into());
        assert_eq!(seats.allowed(PRODUCT, 20), 1, "the first part and the first machine");
        seats.holds(30, 2, 2, [(PRODUCT, 3)].into());
        assert_eq!(seats.allowed(PRODUCT, 40), 0, "two machines with one part agree on nothing");
    }

    #[test]
    fn a_station_keeps_the_seat_that_its_first_handle_took() {
        let mut seats = Seats::default();
        (0..3).for_each(|part| seats.holds(0, part, part, [(PRODUCT, 2)].into()));
        let shared = |since, station| Belief { mode: Mode::StationShare, station, ..belief(since) };
        assert_eq!(seats.granted(2, 7, shared(1, 0)), Ok(()));
        assert_eq!(seats.granted(3, 8, shared(2, 1)), Ok(()));
        (0..3).for_each(|part| seats.holds(10, part, part, [(PRODUCT, 1)].into()));
        // Each station's next handle shares the seat of the one before, which is released then.
        assert_eq!(seats.granted(12, 9, shared(11, 1)), Ok(()));
        assert_eq!(seats.granted(13, 10, shared(12, 0)), Ok(()));
        seats.gone(7);
        seats.gone(8);
        assert_eq!(seats.believed(20, 9, shared(11, 1)), Ok(()));
    }
}

//! The rate limit of accesses that take no seat: refused ones, and handles without a seat. They
//! cost a client nothing, so unlimited ones would use up the time that other clients need. Each
//! address may make so many a second, and a burst; beyond that an access is delayed, by a second at
//! most, and other addresses are not delayed with it. An access that takes a seat is not counted:
//! the seats limit those.
//!
//! What never lives here: how many handles an address may hold (see `access`), and calls that name
//! a handle (see `strangers`).

use crate::base::limits::{
    PACE_AHEAD, PACE_BYTES, PACE_CALLS, PACE_LONGEST, PACE_REFUSED, PACE_SEATLESS, PACE_SOURCES,
};
use crate::base::network::network;
use crate::base::time::{Duration, Mono};
use crate::link::LinkId;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The result of an access that took no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vain {
    /// The access was refused.
    Refused,
    /// A handle without a seat was granted.
    Seatless,
}

impl Vain {
    fn cost(self) -> Duration {
        Duration::from_secs(1)
            / match self {
                Self::Refused => PACE_REFUSED,
                Self::Seatless => PACE_SEATLESS,
            }
    }
}

/// The used share of each address, and the accesses that are delayed.
#[derive(Clone, Debug, Default)]
pub(super) struct Paces {
    /// When all counted accesses of an address are paid off, and part of the delayed ones.
    paid: BTreeMap<IpAddr, Mono>,
    /// Delayed accesses, by the time at which they are due, and their number.
    waiting: BTreeMap<(Mono, u64), (LinkId, Vec<u8>)>,
    number: u64,
    /// Bytes of the delayed accesses.
    bytes: usize,
}

impl Paces {
    /// Delays an access; returns `false` if it is to be served at once. `until`: the time by which
    /// its client must be answered.
    pub(super) fn waits(
        &mut self,
        (now, until): (Mono, Mono),
        from: IpAddr,
        link: LinkId,
        call: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        let Some(paid) = self.paid.get_mut(&network(from)) else { return false };
        let free = *paid <= now + PACE_AHEAD;
        if free || until <= now + PACE_LONGEST || self.waiting.len() >= PACE_CALLS {
            return false;
        }
        let call = call();
        if self.bytes + call.len() > PACE_BYTES {
            return false;
        }
        let at = Mono(paid.0 - micros(PACE_AHEAD)).min(now + PACE_LONGEST);
        // The next access waits behind this one, by the lower of both costs.
        *paid = (*paid + Vain::Seatless.cost()).min(now + PACE_AHEAD + PACE_LONGEST);
        self.bytes += call.len();
        self.number += 1;
        self.waiting.insert((at, self.number), (link, call));
        true
    }

    /// Counts an access that took no seat; `waited`: part of its cost was paid when it was delayed.
    pub(super) fn count(&mut self, now: Mono, from: IpAddr, vain: Vain, waited: bool) {
        let before = if waited { Vain::Seatless.cost() } else { Duration::ZERO };
        let cost = vain.cost().saturating_sub(before);
        if self.paid.len() >= PACE_SOURCES {
            self.paid.retain(|_, paid| *paid > now);
        }
        let from = network(from);
        // If the table is full, accesses of further addresses are not delayed.
        if self.paid.len() < PACE_SOURCES || self.paid.contains_key(&from) {
            let paid = self.paid.entry(from).or_insert(now);
            *paid = ((*paid).max(now) + cost).min(now + PACE_AHEAD + PACE_LONGEST);
        }
    }

    /// Returns a delayed access that is due, and its link; to be called until there is none.
    pub(super) fn next(&mut self, now: Mono) -> Option<(LinkId, Vec<u8>)> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now)?;
        let (link, call) = first.remove();
        self.bytes -= call.len();
        Some((link, call))
    }

    /// Drops the delayed accesses of a closed link: nobody waits for their answers, and their places
    /// are for others.
    pub(super) fn forget(&mut self, link: LinkId) {
        let bytes = &mut self.bytes;
        self.waiting.retain(|_, (other, call)| {
            let stays = *other != link;
            *bytes -= if stays { 0 } else { call.len() };
            stays
        });
    }

    /// Returns when the first delayed access is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const ONE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));
    const START: Mono = Mono(5_000_000);

    fn call() -> Vec<u8> {
        vec![0; 300]
    }

    /// Lets this many links of an address make accesses for this time, each again as soon as it is
    /// answered. Returns the number of answers and the longest delay.
    fn asked(paces: &mut Paces, links: u64, time: Duration, vain: Vain) -> (u32, Duration) {
        let (mut now, mut answers, mut longest) = (START, 0, Duration::ZERO);
        let mut idle: Vec<LinkId> = (0..links).map(LinkId).collect();
        let mut since = BTreeMap::new();
        while now < START + time {
            for link in core::mem::take(&mut idle) {
                if paces.waits((now, now + time * 9), ONE, link, call) {
                    since.insert(link, now);
                } else {
                    paces.count(now, ONE, vain, false);
                    answers += 1;
                    idle.push(link);
                }
            }
            while let Some((link, _)) = paces.next(now) {
                paces.count(now, ONE, vain, true);
                answers += 1;
                longest = longest.max(now.since(since[&link]));
                idle.push(link);
            }
            now = now + Duration::from_millis(1);
        }
        (answers, longest)
    }

    #[test]
    fn who_asks_in_vain_without_end_has_a_burst_and_then_a_rate() {
        let time = Duration::from_secs(10);
        for links in [1, 8, 150] {
            let (answers, longest) = asked(&mut Paces::default(), links, time, Vain::Refused);
            let most = PACE_REFUSED * 10 + PACE_REFUSED + u32::try_from(links).unwrap();
            assert!((PACE_REFUSED * 9..=most).contains(&answers), "{links}: {answers}");
            assert!(longest <= PACE_LONGEST + Duration::from_millis(1));
        }
        let (answers, _) = asked(&mut Paces::default(), 4, time, Vain::Seatless);
        let (least, most) = (PACE_SEATLESS * 9, PACE_SEATLESS * 11);
        assert!((least..=most).contains(&answers), "{answers}");
        let (answers, _) = asked(&mut Paces::default(), 4_000, time, Vain::Refused);
        assert!(answers <= 4_000 * 11, "each of many links once in the longest wait: {answers}");
    }

    #[test]
    fn others_do_not_wait_and_nobody_does_after_a_while() {
        let mut paces = Paces::default();
        let ask = |paces: &mut Paces, now: Mono, from| {
            paces.waits((now, now + PACE_LONGEST * 3), from, LinkId(1), call)
        };
        for _ in 0..10_000 {
            paces.count(START, ONE, Vain::Refused, false);
        }
        assert!(ask(&mut paces, START, ONE) && !ask(&mut paces, START, OTHER));
        assert_eq!(paces.next(START), None);
        let later = START + PACE_LONGEST;
        assert_eq!(paces.due(), Some(later));
        assert_eq!(paces.next(later), Some((LinkId(1), call())));
        assert!(!ask(&mut paces, later + PACE_AHEAD, ONE), "whatever it has asked for");
        assert_eq!(paces.bytes, 0);
    }

    #[test]
    fn an_access_that_has_to_have_an_answer_soon_does_not_wait() {
        let mut paces = Paces::default();
        (0..10_000).for_each(|_| paces.count(START, ONE, Vain::Seatless, false));
        assert!(!paces.waits((START, START + PACE_LONGEST), ONE, LinkId(1), call));
        assert!(paces.waits((START, START + PACE_LONGEST * 2), ONE, LinkId(1), call));
    }

    #[test]
    fn a_closed_link_leaves_its_places_to_others() {
        let mut paces = Paces::default();
        (0..10_000).for_each(|_| paces.count(START, ONE, Vain::Refused, false));
        let until = START + PACE_LONGEST * 3;
        let mut ask = |link| paces.waits((START, until), ONE, LinkId(link), call);
        while ask(1) {}
        assert!(!ask(2), "all places are taken");
        paces.forget(LinkId(1));
        assert_eq!(paces.bytes, 0);
        assert!(paces.waits((START, until), ONE, LinkId(2), call));
    }

    #[test]
    fn neither_many_addresses_nor_many_calls_take_the_memory() {
        let mut paces = Paces::default();
        let (sources, calls) = (PACE_SOURCES as u32, PACE_CALLS as u64);
        for number in 0..3 * sources {
            paces.count(START, number.to_be_bytes().into(), Vain::Refused, false);
        }
        assert!(paces.paid.len() <= PACE_SOURCES);
        let mut paces = Paces::default();
        (0..10_000).for_each(|_| paces.count(START, ONE, Vain::Refused, false));
        let until = START + PACE_LONGEST * 3;
        let small = (0..2 * calls).filter(|it| paces.waits((START, until), ONE, LinkId(*it), call));
        assert_eq!(small.count(), PACE_CALLS);
        let mut paces = Paces { waiting: BTreeMap::new(), bytes: 0, ..paces };
        let large = || vec![0; PACE_BYTES / 4];
        let large = (0..9).filter(|it| paces.waits((START, until), ONE, LinkId(*it), large));
        assert_eq!(large.count(), 4);
    }
}

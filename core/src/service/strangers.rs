//! Calls that name a handle which does not exist or belongs to another client: an occasional
//! mistake of a client, or an attempt to guess handles. The first ones are refused at once. After
//! that each refusal is delayed, longer and longer, and calls of other links are not delayed with
//! it.
//!
//! The call itself is delayed, and its handle is not checked before it is due: so a right guess
//! takes as long as a wrong one. Calls of one address wait behind each other, and calls that would
//! wait for too long are rejected unread. If a link that has named no wrong handle needs a turn, a
//! link that has named one gives its own up: a client whose address has changed to one from which
//! handles are guessed gets through, and the number of guesses does not rise. Among links without a
//! wrong handle the one that asked first goes first, however often it was rejected: a guesser that
//! opens a new link for each guess comes after a client that asks again, so that this client waits
//! at most for the links that were there before it.
//!
//! What never lives here: the owner of a handle (see `binding`).

use crate::base::limits::{
    STRANGER_BYTES, STRANGER_CALLS, STRANGER_DEBT, STRANGER_FREE, STRANGER_LINKS, STRANGER_LONGEST,
    STRANGER_PAUSE, STRANGER_WINDOW, STRANGERS, STRANGERS_SHOWN,
};
use crate::base::log_throttle::LogThrottle;
use crate::base::network::network;
use crate::base::time::{Duration, Mono};
use crate::link::LinkId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

/// Addresses that count as one: an IPv4 address, or the 64-bit network of an IPv6 address, since
/// one machine has as many of its addresses as it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(IpAddr);

impl Place {
    /// All addresses for which there was no room in the table.
    const OTHERS: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    fn of(address: IpAddr) -> Self {
        Self(network(address))
    }

    fn shown(self) -> String {
        match self.0 {
            _ if self == Self::OTHERS => "many addresses".into(),
            IpAddr::V6(six) if !six.is_loopback() => format!("{six}/64"),
            one => one.to_string(),
        }
    }
}

/// The record of one such place.
#[derive(Clone, Debug)]
struct Stranger {
    /// Each wrong handle adds its share of the window, and passing time reduces it.
    debt: Duration,
    /// The time at which `debt` was right.
    at: Mono,
    /// The time at which the latest delayed call is due; the next one is due a pause later.
    free: Mono,
    /// Wrong handles since `since`, within [`STRANGER_WINDOW`].
    count: u64,
    since: Mono,
}

impl Stranger {
    fn new(now: Mono) -> Self {
        Self { debt: Duration::ZERO, at: now, free: now, count: 0, since: now }
    }

    /// Returns the debt that is left now.
    fn debt(&self, now: Mono) -> Duration {
        self.debt.saturating_sub(now.since(self.at))
    }

    /// Returns the delay of a call whose handle may not be its sender's.
    fn pause(&self, now: Mono) -> Duration {
        let over = self.debt(now).saturating_sub(STRANGER_WINDOW);
        if over.is_zero() {
            return Duration::ZERO;
        }
        let doubled = ((over.as_micros() - 1) / share().as_micros()).min(16);
        (STRANGER_PAUSE.0 * (1 << doubled)).min(STRANGER_PAUSE.1)
    }
}

/// Returns the share of the window that one wrong handle costs.
fn share() -> Duration {
    STRANGER_WINDOW / STRANGER_FREE
}

/// A delayed call.
#[derive(Clone, Debug)]
struct Waiting {
    link: LinkId,
    call: Vec<u8>,
    /// The place as which its sender is counted.
    place: Place,
    /// Whether its link has named wrong handles.
    slipped: bool,
    /// Whether it has given its turn up, and is to be refused.
    away: bool,
}

/// A call whose delay has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) link: LinkId,
    pub(super) call: Vec<u8>,
    /// Whether it is to be refused unread, because it has given its turn up.
    pub(super) away: bool,
}

/// The places that named wrong handles, and their delayed calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Strangers {
    known: BTreeMap<Place, Stranger>,
    /// Delayed calls, by the time at which they are due, and their number.
    waiting: BTreeMap<(Mono, u64), Waiting>,
    /// The number of calls delayed so far.
    number: u64,
    /// Links of which a call was delayed or rejected, with their numbers in the order of the first
    /// time.
    turns: BTreeMap<LinkId, u64>,
    /// The latest of these numbers.
    turn: u64,
    /// Bytes of the delayed calls.
    bytes: usize,
    /// Wrong handles since the start.
    total: u64,
    throttle: LogThrottle,
}

/// The decision about a call whose handle is not known to be its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The handle is checked now.
    Now,
    /// The call is delayed.
    Waits,
    /// The call is rejected: too many calls of its place are delayed.
    TurnedAway,
}

impl Strangers {
    /// Decides when a call from an address is served, and keeps it until then; never longer than
    /// `until`, by which its client must be answered. `slipped`: its link has named wrong handles.
    pub(super) fn judge(
        &mut self,
        (now, until): (Mono, Mono),
        from: IpAddr,
        (link, slipped): (LinkId, bool),
        call: impl FnOnce() -> Vec<u8>,
    ) -> Verdict {
        let place = self.place(from);
        let Some(known) = self.known.get(&place) else { return Verdict::Now };
        let pause = known.pause(now);
        if pause.is_zero() {
            return Verdict::Now;
        }
        let at = known.free.max(now) + pause;
        let full =
            at > until || at.since(now) > STRANGER_LONGEST || self.waiting.len() >= STRANGER_CALLS;
        let turn = self.turn_of(link);
        let given_up =
            if full && !slipped { self.given_up((now, until), place, turn) } else { None };
        if full && given_up.is_none() {
            return Verdict::TurnedAway;
        }
        let call = call();
        if self.bytes + call.len() > STRANGER_BYTES {
            return Verdict::TurnedAway;
        }
        self.bytes += call.len();
        self.number += 1;
        let number = self.number;
        let at = match given_up {
            None => {
                if let Some(known) = self.known.get_mut(&place) {
                    known.free = at;
                }
                at
            }
            Some(key) => {
                if let Some(other) = self.waiting.remove(&key) {
                    self.waiting.insert((now, key.1), Waiting { away: true, ..other });
                }
                key.0
            }
        };
        self.waiting.insert((at, number), Waiting { link, call, place, slipped, away: false });
        Verdict::Waits
    }

    /// Returns the first delayed call of the place whose link has named wrong handles, or else the
    /// one whose link asked last, if that was after `turn`.
    fn given_up(&self, (now, until): (Mono, Mono), place: Place, turn: u64) -> Option<(Mono, u64)> {
        let here = |it: &Waiting| it.place == place && !it.away;
        let waiting = || {
            let waiting = self.waiting.range((now, 0)..=(until, u64::MAX));
            waiting.filter(|(_, it)| here(it))
        };
        let slipped = waiting().find(|(_, it)| it.slipped);
        let turn_of = |it: &Waiting| self.turns.get(&it.link).copied().unwrap_or(u64::MAX);
        let later =
            || waiting().filter(|(_, it)| turn_of(it) > turn).max_by_key(|(_, it)| turn_of(it));
        slipped.or_else(later).map(|(key, _)| *key)
    }

    /// Returns the number of a link in `turns`; the highest one if there are too many links.
    fn turn_of(&mut self, link: LinkId) -> u64 {
        if let Some(turn) = self.turns.get(&link) {
            return *turn;
        }
        if self.turns.len() >= STRANGER_LINKS {
            return u64::MAX;
        }
        self.turn += 1;
        self.turns.insert(link, self.turn);
        self.turn
    }

    /// Counts a call from this address that named a handle of another owner.
    pub(super) fn count(&mut self, now: Mono, from: IpAddr) {
        self.total = self.total.saturating_add(1);
        let place = self.place(from);
        if self.known.len() >= STRANGERS && !self.known.contains_key(&place) {
            self.known.retain(|_, stranger| !stranger.debt(now).is_zero());
        }
        let full = self.known.len() >= STRANGERS && !self.known.contains_key(&place);
        let place = if full { Place::OTHERS } else { place };
        let known = self.known.entry(place).or_insert_with(|| Stranger::new(now));
        known.debt = (known.debt(now) + share()).min(STRANGER_DEBT);
        known.at = now;
        if now.since(known.since) >= STRANGER_WINDOW {
            known.since = now;
            known.count = 0;
        }
        known.count = known.count.saturating_add(1);
        if !known.pause(now).is_zero() {
            let text = format!(
                "{} names handles that are not his: {} in the last minute",
                place.shown(),
                known.count
            );
            self.throttle.warn(now, &text);
        }
    }

    /// Returns the place as which an address is counted.
    fn place(&self, from: IpAddr) -> Place {
        let place = Place::of(from);
        let others = self.known.contains_key(&Place::OTHERS) && self.known.len() >= STRANGERS;
        if others && !self.known.contains_key(&place) { Place::OTHERS } else { place }
    }

    /// Returns a call whose delay has ended; to be called until there is none.
    pub(super) fn next(&mut self, now: Mono) -> Option<Due> {
        let first = self.waiting.first_entry().filter(|first| first.key().0 <= now)?;
        let Waiting { link, call, away, .. } = first.remove();
        self.bytes -= call.len();
        Some(Due { link, call, away })
    }

    /// Returns when the first delayed call is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.waiting.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Removes a closed link and its delayed calls.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.turns.remove(&link);
        if self.waiting.is_empty() {
            return;
        }
        let bytes = &mut self.bytes;
        self.waiting.retain(|_, waiting| {
            let stays = waiting.link != link;
            if !stays {
                *bytes -= waiting.call.len();
            }
            stays
        });
    }

    /// Returns the number of wrong handles since the start.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the places that are delayed now, with their wrong handles in the last minute; the
    /// worst first, cut to [`STRANGERS_SHOWN`].
    pub(super) fn shown(&self, now: Mono) -> Vec<(String, u64)> {
        let slow = |stranger: &&Stranger| {
            !stranger.pause(now).is_zero() && now.since(stranger.since) < STRANGER_WINDOW * 2
        };
        let known = self.known.iter().filter(|(_, stranger)| slow(stranger));
        let mut shown: Vec<(u64, Place)> = known.map(|(place, it)| (it.count, *place)).collect();
        shown.sort_by(|one, other| other.cmp(one));
        shown.truncate(STRANGERS_SHOWN);
        shown.into_iter().map(|(count, place)| (place.shown(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Mono = Mono(u64::MAX);
    const FROM: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));

    fn at(millis: u64) -> Mono {
        Mono(millis * 1_000)
    }

    #[test]
    fn sixteen_a_minute_are_free_and_then_each_waits_longer() {
        let mut strangers = Strangers::default();
        let mut now = at(1);
        let mut pauses = Vec::new();
        for _ in 0..30 {
            match strangers.judge((now, NEVER), FROM, (LinkId(1), true), || alloc::vec![0; 8]) {
                Verdict::Now => pauses.push(0),
                Verdict::Waits => {
                    let due = strangers.due().unwrap();
                    pauses.push(due.since(now).as_millis());
                    assert_eq!(strangers.next(Mono(due.0 - 1)), None);
                    now = due;
                    assert_eq!(strangers.next(now), Some(due_of(1, 8, false)));
                }
                Verdict::TurnedAway => panic!("one waits at a time"),
            }
            strangers.count(now, FROM);
        }
        assert_eq!(pauses[..STRANGER_FREE as usize], [0; STRANGER_FREE as usize]);
        let slow = &pauses[STRANGER_FREE as usize + 1..];
        assert_eq!(slow[..4], [10, 20, 40, 80]);
        assert!(slow.is_sorted() && slow.last() == Some(&1_000), "{slow:?}");
        assert_eq!((strangers.total(), strangers.bytes), (30, 0));
        // Other addresses are not delayed, and the debt of a silent one runs out.
        let other = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(strangers.judge((now, NEVER), other, (LinkId(2), true), Vec::new), Verdict::Now);
        assert_eq!(strangers.shown(now), [("192.0.2.1".into(), 30)]);
        let later = now + STRANGER_DEBT;
        assert_eq!(
            strangers.judge((later, NEVER), FROM, (LinkId(1), true), Vec::new),
            Verdict::Now
        );
        assert!(strangers.shown(later).is_empty());
    }

    #[test]
    fn calls_of_one_address_wait_behind_each_other_and_only_so_many() {
        let mut strangers = Strangers::default();
        for _ in 0..100 {
            strangers.count(at(0), FROM);
        }
        let of = |strangers: &mut Strangers, link| {
            strangers.judge((at(0), NEVER), FROM, (LinkId(link), true), || alloc::vec![0; 100])
        };
        let verdicts = [1, 2, 3, 4].map(|link| of(&mut strangers, link));
        let (waits, away) = (Verdict::Waits, Verdict::TurnedAway);
        assert_eq!(verdicts, [waits, waits, away, away]);
        assert_eq!((strangers.due(), strangers.bytes), (Some(at(1_000)), 200));
        strangers.forget(LinkId(1));
        assert_eq!((strangers.due(), strangers.bytes), (Some(at(2_000)), 100));
    }

    fn due_of(link: u64, length: usize, away: bool) -> Due {
        Due { link: LinkId(link), call: alloc::vec![0; length], away }
    }

    #[test]
    fn who_has_named_no_wrong_handle_gets_the_time_of_one_who_has() {
        let mut strangers = Strangers::default();
        (0..100).for_each(|_| strangers.count(at(0), FROM));
        let of = |strangers: &mut Strangers, link, slipped| {
            let call = || alloc::vec![0; 100];
            strangers.judge((at(0), NEVER), FROM, (LinkId(link), slipped), call)
        };
        let guessers = [1, 2, 3].map(|link| of(&mut strangers, link, true));
        assert_eq!(guessers, [Verdict::Waits, Verdict::Waits, Verdict::TurnedAway]);
        // Two connect, and two were there: a third is rejected, because there are no more guesses.
        let others = [4, 5, 6].map(|link| of(&mut strangers, link, false));
        assert_eq!(others, [Verdict::Waits, Verdict::Waits, Verdict::TurnedAway]);
        let mut due = Vec::new();
        for now in [0, 1_000, 2_000].map(at) {
            due.extend(core::iter::from_fn(|| strangers.next(now)).map(|due| (now, due)));
        }
        let refused = [1, 2].map(|link| (at(0), due_of(link, 100, true)));
        let asked = [(at(1_000), due_of(4, 100, false)), (at(2_000), due_of(5, 100, false))];
        assert_eq!(due, [refused, asked].concat());
        assert_eq!((strangers.bytes, strangers.due()), (0, None));
    }

    #[test]
    fn who_guesses_by_a_new_link_each_time_keeps_nobody_out_who_asks_again() {
        let mut strangers = Strangers::default();
        (0..100).for_each(|_| strangers.count(at(0), FROM));
        let ask = |strangers: &mut Strangers, now, link, slipped| {
            strangers.judge((now, NEVER), FROM, (LinkId(link), slipped), || alloc::vec![0; 8])
        };
        let (honest, mut guesser, mut looked_at) = (1_000_000, 0, None);
        for tenth in 0..100 {
            let now = at(tenth * 100);
            while let Some(Due { link, away, .. }) = strangers.next(now) {
                if link == LinkId(honest) && !away {
                    looked_at.get_or_insert(tenth);
                } else {
                    if !away {
                        strangers.count(now, FROM);
                    }
                    strangers.forget(link);
                }
            }
            for _ in 0..5 {
                guesser += 1;
                if ask(&mut strangers, now, guesser, false) == Verdict::TurnedAway {
                    strangers.forget(LinkId(guesser));
                }
            }
            // From the first second on it is one of many links, and asks twice a second.
            if tenth >= 10 && tenth % 5 == 0 && looked_at.is_none() {
                ask(&mut strangers, now, honest, false);
            }
        }
        assert!(looked_at.is_some_and(|tenth| tenth < 10 + 40), "{looked_at:?}");
        // The links that were there before it go first, each once.
        let mut strangers = Strangers::default();
        (0..100).for_each(|_| strangers.count(at(0), FROM));
        let verdicts = [1, 2, 3, 4].map(|link| ask(&mut strangers, at(0), link, false));
        let (waits, away) = (Verdict::Waits, Verdict::TurnedAway);
        assert_eq!(verdicts, [waits, waits, away, away]);
        strangers.forget(LinkId(2));
        assert_eq!(ask(&mut strangers, at(0), 5, false), away, "the time is taken still");
        assert_eq!(ask(&mut strangers, at(1_000), 4, false), waits);
        assert_eq!(ask(&mut strangers, at(1_000), 3, false), waits, "it asked before 4");
        assert_eq!(ask(&mut strangers, at(1_000), 5, false), away);
    }

    #[test]
    fn the_table_is_bounded_and_nobody_comes_out_of_it_by_being_many() {
        let mut strangers = Strangers::default();
        for number in 0..2 * STRANGERS as u32 {
            let from = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
            strangers.count(at(0), from);
        }
        assert!(strangers.known.len() <= STRANGERS + 1);
        let new = IpAddr::from([192, 0, 2, 9]);
        assert_eq!(
            strangers.judge((at(0), NEVER), new, (LinkId(1), true), Vec::new),
            Verdict::Waits
        );
        // An IPv6 machine has one place.
        let six = |last: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + last));
        let mut strangers = Strangers::default();
        (0..40).for_each(|last| strangers.count(at(0), six(last)));
        assert_eq!(strangers.shown(at(0)), [("2001:db8::/64".into(), 40)]);
    }
}

//! The order of handshakes: which accepted connections have their key agreement or TLS handshake
//! computed now. These are the only costly operations that a peer without credentials can cause.
//! Addresses take turns, and each has an allowance, so that frequent connections of one address
//! delay only that address.
//!
//! What never lives here: the handshake itself (that is [`channel`](super::channel)), and where it
//! is computed.

use super::turns::Rotation;
use crate::base::limits::{GREETING_RATE, GREETING_SOURCES, GREETINGS_AT_ONCE, TLS_GREETING};
use crate::base::network::network;
use crate::base::time::{Duration, Mono};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

/// A link with unread bytes whose handshake is not complete.
#[derive(Clone, Copy, Debug)]
pub struct Ungreeted<T> {
    /// The peer's address.
    pub from: IpAddr,
    /// Whether it may use TLS, whose handshake takes longer.
    pub layered: bool,
    /// The object by which the runtime serves it.
    pub what: T,
}

/// The addresses whose handshakes were computed, and their allowances.
#[derive(Debug, Default)]
pub struct Greetings {
    rotation: Rotation,
    allowance: Allowance,
}

impl Greetings {
    /// Chooses at most [`GREETINGS_AT_ONCE`] of the waiting links; the others have to be passed in
    /// again at the next turn. If none is chosen, all have used up their allowance.
    pub fn choose<T>(&mut self, now: Mono, waiting: Vec<Ungreeted<T>>) -> Vec<T> {
        let mut sources: BTreeMap<IpAddr, VecDeque<Ungreeted<T>>> = BTreeMap::new();
        for link in waiting {
            sources.entry(network(link.from)).or_default().push_back(link);
        }
        let allowance = &mut self.allowance;
        let chosen = self.rotation.take(sources, GREETINGS_AT_ONCE, |source, link| {
            allowance.take(now, source, if link.layered { TLS_GREETING } else { 1 })
        });
        chosen.into_iter().map(|link| link.what).collect()
    }
}

/// The allowance of each address: a burst, then a rate per second.
#[derive(Debug, Default)]
struct Allowance {
    /// The time, after the start of the clock, at which the full burst of an address is available
    /// again. It is no [`Mono`], because a share is no whole number of microseconds.
    whole: BTreeMap<IpAddr, Duration>,
}

impl Allowance {
    /// Takes the cost from an address's allowance, if enough is left.
    fn take(&mut self, now: Mono, source: IpAddr, cost: u32) -> bool {
        let (burst, rate) = GREETING_RATE;
        let one = Duration::from_secs(1) / rate;
        let now = now.since(Mono(0));
        if self.whole.len() >= GREETING_SOURCES {
            self.whole.retain(|_, whole| *whole > now);
            if self.whole.len() >= GREETING_SOURCES {
                // More addresses than any office has: the table is cleared rather than one of them
                // delayed.
                self.whole.clear();
            }
        }
        let whole = self.whole.entry(source).or_insert(now);
        let then = (*whole).max(now) + one * cost;
        if then > now + one * burst {
            return false;
        }
        *whole = then;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_burst_and_then_its_rate_and_others_have_theirs() {
        let (burst, rate) = GREETING_RATE;
        let mut allowance = Allowance::default();
        let (now, one, other) =
            (Mono(0), IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let take = |allowance: &mut Allowance, at, source, cost| {
            (0..2 * burst).filter(|_| allowance.take(at, source, cost)).count()
        };
        assert_eq!(take(&mut allowance, now, one, 1), burst as usize);
        assert_eq!(take(&mut allowance, now, other, TLS_GREETING), (burst / TLS_GREETING) as usize);
        let later = now + Duration::from_secs(1);
        assert_eq!(take(&mut allowance, later, one, 1), rate as usize);
        let hour = now + Duration::from_secs(3600);
        assert_eq!(take(&mut allowance, hour, one, 1), burst as usize, "no more than a burst");
    }

    #[test]
    fn an_office_gets_in_at_nine() {
        let (burst, _) = GREETING_RATE;
        assert!(burst >= 1_000);
    }

    #[test]
    fn addresses_are_forgotten_and_a_network_is_one() {
        let mut allowance = Allowance::default();
        let now = Mono(0);
        for number in 0..3 * u32::try_from(GREETING_SOURCES).unwrap() {
            assert!(allowance.take(now, core::net::Ipv4Addr::from_bits(number).into(), 1));
        }
        assert!(allowance.whole.len() <= GREETING_SOURCES);
        let ip = |text: &str| network(text.parse().unwrap());
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1:2:3"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }

    #[test]
    fn a_crowd_of_one_address_keeps_nobody_else_waiting() {
        let mut greetings = Greetings::default();
        let link =
            |from, what| Ungreeted { from: IpAddr::from([192, 0, 2, from]), layered: false, what };
        for turn in 0..100 {
            let crowd = (0..1_000).map(|number| link(1, number)).chain([link(2, 5_000)]);
            let chosen = greetings.choose(Mono(turn), crowd.collect());
            assert_eq!(chosen.len(), GREETINGS_AT_ONCE, "{turn}");
            assert!(chosen.contains(&5_000), "{turn}");
        }
    }
}

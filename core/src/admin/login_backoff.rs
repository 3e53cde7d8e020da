//! The delay after wrong passwords. It slows down who guesses, and no other sender: a browser in
//! which an operator has signed in before is recognised and counted by itself, so that neighbours
//! behind the same address cannot lock its owner out. Browsers in which only readers have signed in
//! are counted apart from unknown ones, but together for each address: with the readers' password
//! one could get any number of recognised browsers, each with attempts at the operators' password.
//!
//! What never lives here: passwords.

use crate::base::credentials::KnownBrowser;
use crate::base::limits::{KNOWN_BROWSER, SIGN_IN_AGAIN, SIGN_IN_SLIPS, SIGN_IN_TRIERS};
use crate::base::network::network;
use crate::base::time::{Duration, Mono};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;

/// Returns the name of the cookie of a recognised browser.
pub(super) fn cookie_name(port: &str) -> String {
    format!("tmrd-known-{port}")
}

/// Returns the header line that sets this cookie.
pub(super) fn cookie(port: &str, shown: &str, secure: bool) -> String {
    let (name, age) = (cookie_name(port), KNOWN_BROWSER.as_secs());
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={shown}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}

/// The sender to which an attempt is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trier {
    /// An unknown browser or program at an address.
    Address(IpAddr),
    /// A browser at an address in which a reader has signed in before.
    Reader(IpAddr),
    /// A browser in which an operator has signed in before, at any address.
    Browser([u8; 16]),
}

impl Trier {
    /// Returns the sender at an address, with this browser.
    pub(super) fn at(address: IpAddr, known: Option<KnownBrowser>) -> Self {
        match known {
            Some(KnownBrowser::Operator(name)) => Self::Browser(name),
            Some(KnownBrowser::Reader) => Self::Reader(network(address)),
            None => Self::Address(network(address)),
        }
    }
}

/// Wrong attempts, by sender: a few are allowed at once, then one in [`SIGN_IN_AGAIN`].
#[derive(Clone, Debug, Default)]
pub(super) struct LoginBackoff {
    /// The number of counted attempts, and the time at which it was right.
    counted: BTreeMap<Trier, (u32, Mono)>,
}

impl LoginBackoff {
    /// Counts an attempt, or returns how long its sender has to wait. To be called before the
    /// password is checked, so that parallel attempts do not get around the limit.
    pub(super) fn take(&mut self, now: Mono, who: Trier) -> Result<(), Duration> {
        self.forgive(now, who);
        let full = self.counted.len() >= SIGN_IN_TRIERS && !self.counted.contains_key(&who);
        // The sender that would be forgiven first: one that has used up its attempts keeps its
        // place, so many addresses with one attempt each do not clear it.
        let forgiven = |(count, since): &(u32, Mono)| *since + SIGN_IN_AGAIN * *count;
        let soonest = self.counted.iter().min_by_key(|(_, counted)| forgiven(counted));
        if let (true, Some((&soonest, _))) = (full, soonest) {
            self.counted.remove(&soonest);
        }
        let (count, since) = self.counted.entry(who).or_insert((0, now));
        if *count >= SIGN_IN_SLIPS {
            return Err((*since + SIGN_IN_AGAIN).since(now));
        }
        *count += 1;
        Ok(())
    }

    /// Takes an attempt back that was right, or was never checked. Those before it stay counted.
    pub(super) fn give_back(&mut self, who: Trier) {
        if let Some((count, _)) = self.counted.get_mut(&who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counted.remove(&who);
            }
        }
    }

    /// Reduces the count by the time that has passed.
    fn forgive(&mut self, now: Mono, who: Trier) {
        let Some((count, since)) = self.counted.get_mut(&who) else { return };
        while *count > 0 && *since + SIGN_IN_AGAIN <= now {
            (*count, *since) = (*count - 1, *since + SIGN_IN_AGAIN);
        }
        if *count == 0 {
            self.counted.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;

    fn at(address: &str) -> Trier {
        Trier::at(address.parse().unwrap(), None)
    }

    #[test]
    fn who_tries_passwords_gets_slower_and_a_right_one_forgives_nothing() {
        let (mut slips, mut now) = (LoginBackoff::default(), Mono(5));
        let one = at("2001:db8::1");
        let tries = (0..100).filter(|_| slips.take(now, one).is_ok());
        assert_eq!(tries.count(), SIGN_IN_SLIPS as usize);
        assert_eq!(slips.take(now, at("2001:db8::2")), Err(SIGN_IN_AGAIN));
        assert_eq!(slips.take(now, at("192.0.2.1")), Ok(()));
        assert_eq!(slips.take(now, Trier::Browser([1; 16])), Ok(()), "known by itself");
        let reader =
            |address: &str| Trier::at(address.parse().unwrap(), Some(KnownBrowser::Reader));
        let tries = (0..100).filter(|_| slips.take(now, reader("2001:db8::1")).is_ok());
        assert_eq!(
            tries.count(),
            SIGN_IN_SLIPS as usize,
            "readers apart, and all of them together"
        );
        assert_eq!(slips.take(now, reader("192.0.2.1")), Ok(()));
        now = now + SIGN_IN_AGAIN;
        assert_eq!(slips.take(now, one), Ok(()));
        assert_eq!(slips.take(now, one), Err(SIGN_IN_AGAIN));
        slips.give_back(one);
        assert_eq!((slips.take(now, one), slips.take(now, one)), (Ok(()), Err(SIGN_IN_AGAIN)));
        now = now + SIGN_IN_AGAIN * (SIGN_IN_SLIPS + 1);
        slips.forgive(now, one);
        assert!(!slips.counted.contains_key(&one));
    }

    #[test]
    fn the_count_is_bounded() {
        let mut slips = LoginBackoff::default();
        for host in 0..2 * SIGN_IN_TRIERS {
            let address = Ipv6Addr::from_bits((host as u128) << 64);
            slips.take(Mono(5), Trier::at(address.into(), None)).unwrap();
        }
        assert_eq!(slips.counted.len(), SIGN_IN_TRIERS);
    }

    #[test]
    fn addresses_without_number_do_not_clear_one_that_has_to_wait() {
        let (mut slips, one) = (LoginBackoff::default(), at("192.0.2.1"));
        while slips.take(Mono(5), one).is_ok() {}
        for host in 0..2 * SIGN_IN_TRIERS {
            let address = Ipv6Addr::from_bits((host as u128) << 64);
            slips.take(Mono(6), Trier::at(address.into(), None)).unwrap();
        }
        assert!(slips.take(Mono(7), one).is_err());
    }
}

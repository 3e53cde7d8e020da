//! Who is signed in, and who tries passwords.
//!
//! What never lives here: passwords.

use super::Rights;
use crate::limits::{
    SESSION_IDLE, SESSION_LONGEST, SESSIONS_MAX, SIGN_IN_ADDRESSES, SIGN_IN_PAUSE, SIGN_IN_SLIPS,
};
use crate::random::Random;
use crate::time::{Duration, Mono};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};
use sha2::{Digest, Sha256};

/// The name of the cookie. Cookies know no ports, and there may be two fronts at one address.
pub(super) fn cookie_name(port: &str) -> String {
    format!("tmrd-{port}")
}

/// The line that gives a browser its session.
pub(super) fn cookie(port: &str, token: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{}={token}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(port))
}

/// The line that takes it away.
pub(super) fn no_cookie(port: &str) -> String {
    format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(port))
}

#[derive(Clone, Debug)]
struct Session {
    rights: Rights,
    opened: Mono,
    used: Mono,
}

/// All sessions, by a hash of their tokens: whoever sees this cannot use it, and how long looking
/// one up takes tells nothing about a token.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    open: BTreeMap<[u8; 32], Session>,
    random: Random,
}

impl Sessions {
    pub(super) fn new(random: Random) -> Self {
        Self { open: BTreeMap::new(), random }
    }

    /// Begins one; its token.
    pub(super) fn open(&mut self, now: Mono, rights: Rights) -> String {
        self.open.retain(|_, session| session.lives(now));
        if self.open.len() >= SESSIONS_MAX {
            let idle = self.open.iter().min_by_key(|(_, session)| session.used);
            if let Some(key) = idle.map(|(key, _)| *key) {
                self.open.remove(&key);
            }
        }
        let token = format!("{:032x}{:032x}", self.random.u128(), self.random.u128());
        self.open.insert(key(&token), Session { rights, opened: now, used: now });
        token
    }

    /// What a token gives; `wakes`: its owner sits there.
    pub(super) fn rights(&mut self, now: Mono, token: &str, wakes: bool) -> Option<Rights> {
        let session = self.open.get_mut(&key(token)).filter(|session| session.lives(now))?;
        if wakes {
            session.used = now;
        }
        Some(session.rights)
    }

    /// Ends one.
    pub(super) fn close(&mut self, token: &str) {
        self.open.remove(&key(token));
    }

    /// Ends all.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

impl Session {
    fn lives(&self, now: Mono) -> bool {
        now.since(self.used) < SESSION_IDLE && now.since(self.opened) < SESSION_LONGEST
    }
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Wrong passwords, by address.
#[derive(Clone, Debug, Default)]
pub(super) struct Slips {
    counted: BTreeMap<IpAddr, (u32, Mono)>,
}

impl Slips {
    /// How long an address has to wait before its next try.
    pub(super) fn wait(&self, now: Mono, from: IpAddr) -> Option<Duration> {
        let (count, last) = *self.counted.get(&network(from))?;
        let doubled = count.checked_sub(SIGN_IN_SLIPS)?.min(16);
        let (first, most) = SIGN_IN_PAUSE;
        let pause = (first * (1 << doubled)).min(most);
        pause.checked_sub(now.since(last)).filter(|left| !left.is_zero())
    }

    /// One more.
    pub(super) fn count(&mut self, now: Mono, from: IpAddr) {
        let full = self.counted.len() >= SIGN_IN_ADDRESSES;
        let oldest = self.counted.iter().min_by_key(|(_, (_, last))| *last).map(|(at, _)| *at);
        if let (true, Some(oldest)) = (full, oldest) {
            self.counted.remove(&oldest);
        }
        let (count, last) = self.counted.entry(network(from)).or_insert((0, now));
        (*count, *last) = (count.saturating_add(1), now);
    }

    /// A right one came.
    pub(super) fn forget(&mut self, from: IpAddr) {
        self.counted.remove(&network(from));
    }
}

/// Who has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(Random::new([7; 32]))
    }

    fn at(span: Duration) -> Mono {
        Mono(5) + span
    }

    #[test]
    fn a_session_ends_when_nobody_sits_there_or_after_half_a_day() {
        let mut sessions = sessions();
        let token = sessions.open(Mono(5), Rights::Operator);
        assert_eq!(token.len(), 64);
        let half = SESSION_IDLE / 2;
        assert_eq!(sessions.rights(at(half), &token, false), Some(Rights::Operator));
        assert_eq!(sessions.rights(at(SESSION_IDLE), &token, false), None, "looking wakes nobody");
        let mut now = Duration::ZERO;
        while now < SESSION_LONGEST {
            assert_eq!(sessions.rights(at(now), &token, true), Some(Rights::Operator));
            now += half;
        }
        assert_eq!(sessions.rights(at(SESSION_LONGEST), &token, true), None);
    }

    #[test]
    fn a_session_ends_by_sign_out_and_by_crowding() {
        let mut sessions = sessions();
        let first = sessions.open(Mono(5), Rights::Reader);
        let second = sessions.open(Mono(6), Rights::Operator);
        assert_ne!(first, second);
        sessions.close(&second);
        assert_eq!(sessions.rights(Mono(7), &second, true), None);
        for _ in 0..SESSIONS_MAX {
            sessions.open(Mono(8), Rights::Reader);
        }
        assert_eq!(sessions.open.len(), SESSIONS_MAX);
        assert_eq!(sessions.rights(Mono(9), &first, true), None, "it was idle for longest");
        assert_eq!(sessions.rights(Mono(9), "", true), None);
    }

    #[test]
    fn wrong_passwords_slow_an_address_down_and_no_other() {
        let (mut slips, mut now) = (Slips::default(), Mono(5));
        let (one, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let mut waits = alloc::vec::Vec::new();
        for _ in 0..12 {
            slips.count(now, one);
            let wait = slips.wait(now, one).unwrap_or_default();
            waits.push(wait.as_secs());
            now = now + wait;
            assert_eq!(slips.wait(now, one), None);
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        slips.count(now, one);
        assert!(slips.wait(now, "2001:db8::2".parse().unwrap()).is_some(), "the same network");
        assert_eq!(slips.wait(now, other), None);
        slips.forget(one);
        assert_eq!(slips.wait(now, one), None);
        for host in 0..2 * SIGN_IN_ADDRESSES {
            slips.count(now, Ipv6Addr::from_bits((host as u128) << 64).into());
        }
        assert_eq!(slips.counted.len(), SIGN_IN_ADDRESSES);
    }
}

//! The sessions of people who are signed in.
//!
//! What never lives here: passwords.

use crate::base::credentials::Rights;
use crate::base::limits::{SESSION_IDLE, SESSION_LONGEST, SESSIONS_MAX};
use crate::base::random::Random;
use crate::base::time::Mono;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use sha2::{Digest, Sha256};

/// Returns the name of the cookie. Cookies are shared by ports, and two fronts may have one
/// address.
pub(super) fn cookie_name(port: &str) -> String {
    format!("tmrd-{port}")
}

/// Returns the header line that gives a browser its session.
pub(super) fn cookie(port: &str, token: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{}={token}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(port))
}

/// Returns the header line that removes it.
pub(super) fn no_cookie(port: &str) -> String {
    format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(port))
}

#[derive(Clone, Debug)]
struct Session {
    rights: Rights,
    opened: Mono,
    used: Mono,
}

/// All sessions, by a hash of their tokens: the table alone does not allow their use, and the
/// duration of a look-up reveals nothing about a token.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    open: BTreeMap<[u8; 32], Session>,
    random: Random,
}

impl Sessions {
    pub(super) fn new(random: Random) -> Self {
        Self { open: BTreeMap::new(), random }
    }

    /// Opens a session and returns its token.
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

    /// Returns the rights of a session; `wakes`: the request shows that a person is present.
    pub(super) fn rights(&mut self, now: Mono, token: &str, wakes: bool) -> Option<Rights> {
        let session = self.open.get_mut(&key(token)).filter(|session| session.lives(now))?;
        if wakes {
            session.used = now;
        }
        Some(session.rights)
    }

    /// Ends a session.
    pub(super) fn close(&mut self, token: &str) {
        self.open.remove(&key(token));
    }

    /// Ends all sessions.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

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
}

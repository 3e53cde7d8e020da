//! The list of clients for operators: who is connected, with which version of the client's runtime,
//! and who was lately refused because that version is too old.

use super::{LicenceService, Session};
use crate::base::limits::{CLIENTS_SHOWN, CLIENTS_TOO_OLD};
use crate::base::time::Wall;
use crate::config::Policy;
use crate::licence::version_text;
use crate::log::Client;
use crate::status::ClientStatus;
use crate::wire::Request;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The identity that a client stated in its latest access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    host: String,
    user: String,
    session: u32,
    version: u32,
    too_old: bool,
}

impl Told {
    /// Whether the host and session are those of this client; both must be stated.
    pub(super) fn is_station(&self, client: &Client) -> bool {
        let (_, host, session) = client.station();
        !host.is_empty() && self.host == host && self.session == session
    }
}

/// Clients that were refused as too old and have disconnected.
#[derive(Clone, Debug, Default)]
pub(super) struct RejectedClients(VecDeque<(IpAddr, Told, Wall, u64)>);

impl RejectedClients {
    /// Keeps one more; a client that reconnects again and again is kept once.
    fn keep(&mut self, address: IpAddr, told: Told, since: Wall, calls: u64) {
        let same = |kept: &(IpAddr, Told, Wall, u64)| kept.0 == address && kept.1 == told;
        let before = self.0.iter().position(same).and_then(|at| self.0.remove(at));
        let (since, more) = before.map_or((since, 0), |(_, _, since, calls)| (since, calls));
        self.0.truncate(CLIENTS_TOO_OLD - 1);
        self.0.push_front((address, told, since, calls.saturating_add(more)));
    }
}

impl Session {
    /// Records the identity that an access states.
    pub(super) fn tell(&mut self, request: &Request, policy: &Policy) {
        let (host, user, session, version) = match request {
            Request::Access { access, .. } => {
                let session = access.session.into();
                (String::new(), String::new(), session, access.used_runtime_version)
            }
            Request::Access2 { access, .. } => (
                super::access_request::kept(&access.borrow_data.client_name),
                super::access_request::kept(&access.credential.username),
                access.credential.session,
                access.used_runtime_version,
            ),
            _ => return,
        };
        let too_old = policy.too_old(version);
        self.told = Some(Box::new(Told { host, user, session, version, too_old }));
    }
}

impl LicenceService {
    /// Ends a session.
    pub(super) fn gone(&mut self, session: Session) {
        if let Some(told) = session.told.filter(|told| told.too_old) {
            self.too_old.keep(session.from.ip(), *told, session.since, session.calls);
        }
    }

    /// Returns the connected clients, those that are too old first, then the disconnected ones that
    /// were too old; cut to what an operator can read.
    pub(crate) fn client_list(&self) -> Vec<ClientStatus> {
        let old = |session: &&Session| session.told.as_ref().is_some_and(|told| told.too_old);
        let here = |session: &Session| {
            let (told, address) = (session.told.as_deref(), session.from.ip());
            shown(address, told, session.since, session.calls, true)
        };
        let gone = |(address, told, since, calls): &(IpAddr, Told, Wall, u64)| {
            shown(*address, Some(told), *since, *calls, false)
        };
        let sessions = self.sessions.values();
        let too_old = sessions.clone().filter(old).map(here);
        let others = sessions.filter(|session| !old(session)).map(here);
        too_old.chain(self.too_old.0.iter().map(gone)).chain(others).take(CLIENTS_SHOWN).collect()
    }
}

fn shown(
    address: IpAddr,
    told: Option<&Told>,
    since: Wall,
    calls: u64,
    connected: bool,
) -> ClientStatus {
    let said = told.filter(|told| told.version != 0);
    ClientStatus {
        address,
        host: told.map(|told| told.host.clone()).unwrap_or_default(),
        user: told.map(|told| told.user.clone()).unwrap_or_default(),
        runtime_version: said.map(|told| version_text(told.version)),
        too_old: told.is_some_and(|told| told.too_old),
        connected,
        since,
        calls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_too_old_is_kept_once_and_not_for_ever() {
        let mut old = RejectedClients::default();
        let told = |version| Told {
            host: "h".into(),
            user: "u".into(),
            session: 0,
            version,
            too_old: true,
        };
        let address = IpAddr::from([192, 0, 2, 1]);
        old.keep(address, told(1), Wall(5), 2);
        old.keep(address, told(1), Wall(9), 3);
        assert_eq!(old.0, [(address, told(1), Wall(5), 5)]);
        for version in 2..=1000 {
            old.keep(address, told(version), Wall(9), 1);
        }
        assert_eq!((old.0.len(), &old.0[0].1), (CLIENTS_TOO_OLD, &told(1000)));
    }
}

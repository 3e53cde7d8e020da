//! How a connection begins: the secure channel of its listener or of the server that is dialled, and TLS at
//! the admin listener.

use crate::entropy;
use crate::reactor::tls::Tls;
use std::net::IpAddr;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{Connection, Listener, PeerKind};

/// Begins every connection, with what it needs to prove or to be covered with.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The key that fronts prove.
    pub group: GroupKey,
    /// The front that dials, by its id; `None`: this is a backend, and nothing is dialled.
    pub front: Option<u32>,
    /// What the admin listener is covered with.
    pub tls: Tls,
}

impl Connections {
    /// Begins a connection that came in from there.
    #[must_use]
    pub fn accepted(&self, kind: Listener, from: IpAddr) -> Connection {
        match kind {
            Listener::Licence => {
                let group = if self.front.is_none() { Some(self.group.clone()) } else { None };
                Connection::new(SecureChannel::licence(entropy::fresh(), group), None)
            }
            Listener::Admin => {
                let here = from.to_canonical().is_loopback();
                Connection::new(SecureChannel::admin(), self.tls.cover(here))
            }
            Listener::Machine => Connection::new(SecureChannel::admin(), None),
            Listener::Twin => {
                Connection::new(SecureChannel::twin_accept(entropy::fresh(), &self.group), None)
            }
        }
    }

    /// Begins a connection that was dialled.
    #[must_use]
    pub fn dialled(&self, callee: PeerKind) -> Connection {
        let stream = match callee {
            PeerKind::Backend => {
                let front = self.front.unwrap_or_default();
                SecureChannel::dial_backend(entropy::fresh(), self.group.clone(), front)
            }
            PeerKind::Stock => SecureChannel::dial_server(entropy::fresh()),
            PeerKind::Twin { .. } => SecureChannel::twin_dial(entropy::fresh(), &self.group),
        };
        Connection::new(stream, None)
    }
}

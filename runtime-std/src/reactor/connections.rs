//! How a connection begins: the secure channel of the listener or of the server that is dialled,
//! and TLS at the admin listener.

use crate::entropy;
use crate::reactor::tls::Tls;
use std::net::IpAddr;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{Connection, Listener, PeerKind};

/// Begins connections, with the keys and certificates that they need.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The key that fronts prove, and that this node proves to its twin.
    pub group: GroupKey,
    /// The id of this front; `None`: this is a backend, and dials nothing.
    pub front: Option<u32>,
    /// The TLS mode of the admin listener.
    pub tls: Tls,
}

impl Connections {
    /// Begins a connection that was accepted from this address.
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

    /// Begins a connection that was dialled to this kind of server.
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

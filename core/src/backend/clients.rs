//! The clients that may have handles of a backend itself: all of them, or those of some networks
//! and on the machines of the fronts. Orders that fronts make for their clients are not restricted
//! here.

use super::Backend;
use crate::base::limits::KNOWN_ADDRESSES;
use crate::config::Policy;
use crate::link::LinkId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;

/// The networks of a backend's own clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    networks: Vec<IpNet>,
    /// The addresses from which fronts have proved the group key, the latest last.
    fronts: Vec<IpAddr>,
}

impl Backend {
    /// Gives handles of this backend only to clients of these networks and to programs on the
    /// machines of its fronts. Others are refused as `AccessControl` refuses them at a front.
    #[must_use]
    pub fn with_clients(mut self, networks: Vec<IpNet>) -> Self {
        self.direct.clients = Some(Clients { networks, fronts: Vec::new() });
        self.obey();
        self
    }

    /// Returns the client links by which handles of this backend that are still held were taken or
    /// used.
    pub(crate) fn holding(&self) -> BTreeSet<LinkId> {
        self.service.holding(false)
    }

    /// Records the address of a link by which a front has proved the group key.
    pub(super) fn front_at(&mut self, link: LinkId) {
        let from = self.service.whereabouts(link).map(|from| from.ip());
        let (Some(clients), Some(from)) = (&mut self.direct.clients, from) else { return };
        if clients.fronts.contains(&from) {
            return;
        }
        if clients.fronts.len() >= KNOWN_ADDRESSES {
            clients.fronts.remove(0);
        }
        clients.fronts.push(from);
        self.obey();
    }

    fn obey(&mut self) {
        let Some(Clients { networks, fronts }) = &self.direct.clients else { return };
        let fronts = fronts.iter().copied().map(IpNet::from);
        self.service.obey(Policy::only(networks.iter().copied().chain(fronts).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Config;
    use crate::io::{BackendEvent, Input, Intent};
    use crate::link::{Frame, Listener};
    use crate::log::Mode;
    use crate::testing::{ORDINARY, access, at, container, identity, reply};
    use crate::wire::CmError;
    use alloc::vec;
    use core::net::SocketAddr;

    /// Returns the reply to a client at this address that asks for a seat.
    fn asked(node: &mut Backend, link: u64, from: [u8; 4]) -> u32 {
        let (link, mut out) = (LinkId(link), Vec::new());
        let from = SocketAddr::from((from, 5));
        node.step(at(1), Input::Accepted { link, listener: Listener::Licence, from }, &mut out);
        let call = access(ORDINARY, Mode::NoUserLimit, 60);
        node.step(at(1), Input::Frame { link, frame: Frame::Call(call) }, &mut out);
        node.step(at(1), BackendEvent::JournalWritten.into(), &mut out);
        let told = out.iter().find_map(|intent| match intent {
            Intent::Send { frame, .. } => Some(reply(frame).0),
            _ => None,
        });
        told.expect("a reply")
    }

    #[test]
    fn clients_of_some_networks_and_of_the_fronts_machines_are_served_and_no_others() {
        let config = Config {
            identity: identity(),
            containers: vec![container(0)],
            group_check: [0; 8],
            seed: [1; 32],
            handle_key: crate::service::HandleKey::default(),
        };
        let (node, _) = Backend::open(config, None).unwrap();
        let mut node = node.with_clients(vec!["127.0.0.0/8".parse().unwrap()]);
        let mut out = Vec::new();
        node.step(at(0), Input::Tick, &mut out);
        node.step(at(0), BackendEvent::JournalWritten.into(), &mut out);
        let denied = CmError::ACCESS_DENIED.0;
        assert_ne!(asked(&mut node, 2, [127, 0, 0, 1]), denied);
        assert_eq!(asked(&mut node, 4, [192, 0, 2, 1]), denied);
        let (front, from) = (LinkId(6), SocketAddr::from(([192, 0, 2, 1], 5)));
        node.step(
            at(1),
            Input::Accepted { link: front, listener: Listener::Licence, from },
            &mut out,
        );
        let proof = Frame::Joined { front: 1, minor: 0 };
        node.step(at(1), Input::Frame { link: front, frame: proof }, &mut out);
        assert_ne!(asked(&mut node, 8, [192, 0, 2, 1]), denied, "the machine of a front");
        assert_eq!(asked(&mut node, 10, [192, 0, 2, 2]), denied);
    }
}

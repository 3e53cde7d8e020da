//! Places at each door, and who goes where a door is full.
//!
//! Who may come in always: this machine, by its socket and by its admin door; whoever comes from
//! where the group key was proved lately, or where the twin is; and whoever else proves the key before
//! as many others have come as there are places for those who have not. A client that has yet to make
//! its first call makes room for the next one. A stranger keeps a place for as long as
//! he uses it.

use super::{Answer, Hub, Port};
use crate::base::limits::{
    ADMIN_LINKS_KEPT, ADMIN_LINKS_MAX, CLIENT_LINKS_MAX, CLIENT_LINKS_PER_ADDRESS, CROWDED_LINKS,
    KNOWN_ADDRESSES, MACHINE_LINKS_MAX, TWIN_LINKS_MAX, UNGREETED_LOOKED_AT,
};
use crate::base::network::network;
use crate::link::{HubMetrics, Limit, LinkId, Listener};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// Who is in.
#[derive(Debug)]
pub(super) struct Listeners {
    clients: usize,
    clients_max: usize,
    /// Client links by address, or by IPv6 network.
    addresses: BTreeMap<IpAddr, usize>,
    /// Links beyond the cap, which are told so, and may still prove the group key.
    crowded: Vec<LinkId>,
    admins: Vec<LinkId>,
    twins: Vec<LinkId>,
    machines: Vec<LinkId>,
    /// Where the other front may be, as it was looked up last.
    twin: Vec<IpAddr>,
    /// Where the group key was proved from, the latest last.
    proved: Vec<IpAddr>,
}

/// What becomes of who knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knock {
    /// A limit that is reached.
    pub(super) reached: Option<Limit>,
    /// He has a place: his own, or that of this link, which goes.
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    Of(LinkId),
    /// That of a client which has yet to make its first call: the newcomer is a client in its stead.
    Ungreeted(LinkId),
    None,
}

impl Listeners {
    pub(super) fn new() -> Self {
        Self {
            clients: 0,
            clients_max: CLIENT_LINKS_MAX,
            addresses: BTreeMap::new(),
            crowded: Vec::new(),
            admins: Vec::new(),
            twins: Vec::new(),
            machines: Vec::new(),
            twin: Vec::new(),
            proved: Vec::new(),
        }
    }

    pub(super) fn limit_clients(&mut self, most: usize) {
        self.clients_max = most.min(CLIENT_LINKS_MAX);
    }

    /// The other front is at one of these.
    pub(super) fn expect(&mut self, twin: impl IntoIterator<Item = IpAddr>) {
        self.twin = twin.into_iter().take(KNOWN_ADDRESSES).map(|ip| ip.to_canonical()).collect();
    }

    /// The group key was proved from there.
    pub(super) fn proved(&mut self, from: IpAddr) {
        self.proved.retain(|ip| *ip != from);
        if self.proved.len() >= KNOWN_ADDRESSES {
            self.proved.remove(0);
        }
        self.proved.push(from);
    }

    /// Somebody of the group is there, as far as is known.
    fn knows(&self, from: IpAddr) -> bool {
        self.twin.contains(&from) || self.proved.contains(&from)
    }

    /// A link has come in by a door; `crowded`: beyond the cap of clients.
    pub(super) fn enter(
        &mut self,
        listener: Listener,
        from: SocketAddr,
        link: LinkId,
        crowded: bool,
    ) {
        match listener {
            Listener::Admin => self.admins.push(link),
            Listener::Twin => self.twins.push(link),
            Listener::Machine => self.machines.push(link),
            Listener::Licence if crowded => self.crowded.push(link),
            Listener::Licence => {
                self.clients += 1;
                *self.addresses.entry(network(from.ip())).or_default() += 1;
            }
        }
    }

    /// A link gives up its place.
    pub(super) fn leave(
        &mut self,
        listener: Listener,
        from: SocketAddr,
        link: LinkId,
        crowded: bool,
    ) {
        match listener {
            Listener::Admin => self.admins.retain(|other| *other != link),
            Listener::Twin => self.twins.retain(|other| *other != link),
            Listener::Machine => self.machines.retain(|other| *other != link),
            Listener::Licence if crowded => self.crowded.retain(|other| *other != link),
            Listener::Licence => {
                self.clients -= 1;
                if let Some(count) = self.addresses.get_mut(&network(from.ip())) {
                    *count -= 1;
                    if *count == 0 {
                        self.addresses.remove(&network(from.ip()));
                    }
                }
            }
        }
    }

    /// What is told of them.
    pub(super) fn counted(&self, counts: &HubMetrics) -> HubMetrics {
        let clients = (self.clients, self.clients_max);
        let pages = (self.admins.len(), ADMIN_LINKS_MAX + ADMIN_LINKS_KEPT);
        let twins = (self.twins.len(), TWIN_LINKS_MAX);
        let machines = (self.machines.len(), MACHINE_LINKS_MAX);
        HubMetrics { listeners: [clients, pages, twins, machines], ..counts.clone() }
    }
}

/// Nothing that it has asked for is on its way. One that has its answer looks as if that were leaving,
/// until it asks again.
fn is_idle(port: &Port) -> bool {
    !matches!(port.answer, Answer::Asked | Answer::Made) && port.requests.is_empty()
}

impl Hub {
    /// Whether there is a place for who comes from there.
    pub(super) fn knock(&self, listener: Listener, from: SocketAddr) -> Knock {
        let listeners = &self.listeners;
        match listener {
            Listener::Admin => {
                let machine = from.ip().is_loopback();
                let most = ADMIN_LINKS_MAX + if machine { ADMIN_LINKS_KEPT } else { 0 };
                if listeners.admins.len() < most {
                    return Knock { reached: None, place: Place::Free };
                }
                // Nobody else takes a place from this machine.
                let may = |port: &Port| {
                    let own = port.listener.is_some_and(|(_, from)| from.ip().is_loopback());
                    is_idle(port) && (machine || !own)
                };
                self.in_place_of(&listeners.admins, Limit::AdminLinks, may)
            }
            Listener::Machine if listeners.machines.len() < MACHINE_LINKS_MAX => {
                Knock { reached: None, place: Place::Free }
            }
            Listener::Machine => {
                self.in_place_of(&listeners.machines, Limit::MachineLinks, is_idle)
            }
            Listener::Twin if listeners.twins.len() < TWIN_LINKS_MAX => {
                Knock { reached: None, place: Place::Free }
            }
            Listener::Twin => {
                let may = self.may_go_for(from.ip());
                self.in_place_of(&listeners.twins, Limit::TwinLinks, |port| {
                    !port.proved && may(port)
                })
            }
            Listener::Licence => {
                let count =
                    listeners.addresses.get(&network(from.ip())).copied().unwrap_or_default();
                let reached = if listeners.clients >= listeners.clients_max {
                    Limit::ClientLinks
                } else if count >= CLIENT_LINKS_PER_ADDRESS {
                    Limit::ClientLinksOfAddress
                } else {
                    return Knock { reached: None, place: Place::Free };
                };
                let address = reached == Limit::ClientLinksOfAddress;
                if let Some(link) = self.ungreeted(address.then(|| network(from.ip()))) {
                    return Knock { reached: Some(reached), place: Place::Ungreeted(link) };
                }
                if listeners.crowded.len() < CROWDED_LINKS {
                    return Knock { reached: Some(reached), place: Place::Free };
                }
                self.in_place_of(&listeners.crowded, reached, self.may_go_for(from.ip()))
            }
        }
    }

    /// The client that has been there for longest without a call, among those that are looked at: at
    /// any address, or at this one.
    fn ungreeted(&self, at: Option<IpAddr>) -> Option<LinkId> {
        let late = self.deadlines.frames.iter().take(UNGREETED_LOOKED_AT).map(|(_, link)| *link);
        late.into_iter().find(|link| {
            let port = self.ports.get(link).filter(|port| !port.reading.whole && !port.crowded);
            let client = port.filter(|port| !self.is_known(port)).and_then(|port| port.listener);
            client.is_some_and(|(listener, from)| {
                listener == Listener::Licence && at.is_none_or(|at| network(from.ip()) == at)
            })
        })
    }

    /// Whether a link may make room for one from there: a stranger takes no place from where somebody
    /// of the group is.
    fn may_go_for(&self, from: IpAddr) -> impl Fn(&Port) -> bool {
        let known = self.listeners.knows(from);
        move |port| known || !self.is_known(port)
    }

    /// The place of whoever of these may go: of strangers first, and of whoever has said nothing for
    /// longest.
    fn in_place_of(&self, links: &[LinkId], limit: Limit, may: impl Fn(&Port) -> bool) -> Knock {
        let idle = links.iter().filter_map(|link| Some((self.ports.get(link)?, *link)));
        let idle = idle.filter(|(port, _)| may(port));
        let idle = idle.min_by_key(|(port, link)| (self.is_known(port), port.reading.heard, *link));
        Knock { reached: Some(limit), place: idle.map_or(Place::None, |(_, link)| Place::Of(link)) }
    }

    /// It came from where somebody of the group is, by a door where that counts.
    fn is_known(&self, port: &Port) -> bool {
        let by_key = |(listener, from): (Listener, SocketAddr)| {
            matches!(listener, Listener::Licence | Listener::Twin)
                && self.listeners.knows(from.ip())
        };
        port.listener.is_some_and(by_key)
    }
}

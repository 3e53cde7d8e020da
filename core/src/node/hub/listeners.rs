//! The places at each listener, and which link goes if all are taken.
//!
//! These can always connect: this machine, by its socket and its admin listener; peers at an
//! address where the group key was proved lately, or of the twin; and any other peer that proves
//! the key before as many others have connected as there are places for links without a proof. A
//! client that has not made its first call makes room for the next one. A link without a proof
//! keeps its place as long as it is used.

use super::{Answer, Hub, Port};
use crate::base::limits::{
    ADMIN_EXCHANGES, ADMIN_LINKS_KEPT, ADMIN_LINKS_MAX, CLIENT_LINKS_MAX, CLIENT_LINKS_PER_ADDRESS,
    CROWDED_LINKS, KNOWN_ADDRESSES, MACHINE_LINKS_MAX, TWIN_LINKS_MAX, UNGREETED_LOOKED_AT,
};
use crate::base::network::network;
use crate::base::time::{Duration, Mono};
use crate::link::{HubMetrics, Limit, LinkId, Listener};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};

/// The links that have places.
#[derive(Debug)]
pub(super) struct Listeners {
    clients: usize,
    clients_max: usize,
    /// Client links by address, or by IPv6 network.
    addresses: BTreeMap<IpAddr, usize>,
    /// Links above the cap, which get an error, and may still prove the group key.
    crowded: Vec<LinkId>,
    admins: Vec<LinkId>,
    twins: Vec<LinkId>,
    machines: Vec<LinkId>,
    /// When all exchanges of admin links are paid off.
    exchanges_paid: Mono,
    /// The addresses of the other front, as they were looked up last.
    twin: Vec<IpAddr>,
    /// The addresses from which the group key was proved, the latest last.
    proved: Vec<IpAddr>,
}

/// The decision about a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knock {
    /// A limit that is reached.
    pub(super) reached: Option<Limit>,
    /// Its place: a free one, or that of a link that is closed for it.
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    Of(LinkId),
    /// The place of a client that has not made its first call; the new link is counted as a client
    /// instead.
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
            exchanges_paid: Mono(0),
            twin: Vec::new(),
            proved: Vec::new(),
        }
    }

    pub(super) fn limit_clients(&mut self, most: usize) {
        self.clients_max = most.min(CLIENT_LINKS_MAX);
    }

    /// Sets the addresses of the other front.
    pub(super) fn expect(&mut self, twin: impl IntoIterator<Item = IpAddr>) {
        self.twin = twin.into_iter().take(KNOWN_ADDRESSES).map(|ip| ip.to_canonical()).collect();
    }

    /// Records that the group key was proved from an address.
    pub(super) fn proved(&mut self, from: IpAddr) {
        self.proved.retain(|ip| *ip != from);
        if self.proved.len() >= KNOWN_ADDRESSES {
            self.proved.remove(0);
        }
        self.proved.push(from);
    }

    /// Counts an admin link that takes the place of another one, or returns `false` if there were too
    /// many lately.
    fn exchange(&mut self, now: Mono) -> bool {
        let (burst, rate) = ADMIN_EXCHANGES;
        let each = Duration::from_secs(1) / rate;
        let may = self.exchanges_paid <= now + each * burst;
        if may {
            self.exchanges_paid = self.exchanges_paid.max(now) + each;
        }
        may
    }

    /// Whether the address is one of the group, as far as is known.
    fn knows(&self, from: IpAddr) -> bool {
        self.twin.contains(&from) || self.proved.contains(&from)
    }

    /// Counts an accepted link; `crowded`: above the cap of clients.
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

    /// Removes a link from its place.
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

    /// Returns the counts with the numbers of links.
    pub(super) fn counted(&self, counts: &HubMetrics) -> HubMetrics {
        let clients = (self.clients, self.clients_max);
        let pages = (self.admins.len(), ADMIN_LINKS_MAX + ADMIN_LINKS_KEPT);
        let twins = (self.twins.len(), TWIN_LINKS_MAX);
        let machines = (self.machines.len(), MACHINE_LINKS_MAX);
        HubMetrics { listeners: [clients, pages, twins, machines], ..counts.clone() }
    }
}

/// Whether no request of a link is in progress. A link that has been answered counts as idle while
/// the answer leaves, until its next request.
fn is_idle(port: &Port) -> bool {
    !matches!(port.answer, Answer::Asked | Answer::Made) && port.requests.is_empty()
}

impl Hub {
    /// Returns whether there is a place for a connection from this address.
    pub(super) fn knock(&mut self, now: Mono, listener: Listener, from: SocketAddr) -> Knock {
        let listeners = &self.listeners;
        match listener {
            Listener::Admin => {
                let kept = if from.ip().is_loopback() { ADMIN_LINKS_KEPT } else { 0 };
                let most = ADMIN_LINKS_MAX + kept;
                if listeners.admins.len() < most {
                    return Knock { reached: None, place: Place::Free };
                }
                self.admin_place(now, from.ip())
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

    /// Returns the place of an idle admin link of the address with most of them. How often an
    /// address takes one of its own is limited: a peer that connects without end would keep the
    /// server busy with replacing that peer's links.
    fn admin_place(&mut self, now: Mono, from: IpAddr) -> Knock {
        let (from, machine) = (network(from), from.is_loopback());
        let address = |port: &Port| port.listener.map(|(_, from)| network(from.ip()));
        let links = self.listeners.admins.iter();
        let links = links.filter_map(|link| Some((self.ports.get(link)?, *link)));
        let links: Vec<(&Port, IpAddr, LinkId)> =
            links.filter_map(|(port, link)| Some((port, address(port)?, link))).collect();
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, at, _) in &links {
            *counts.entry(*at).or_default() += 1;
        }
        let count = |at: IpAddr| counts.get(&at).copied().unwrap_or_default();
        let more = |at: IpAddr| if count(at) > count(from) { count(at) } else { 0 };
        // Peers at other addresses take no place from this machine.
        let idle =
            links.iter().filter(|(port, at, _)| is_idle(port) && (machine || !at.is_loopback()));
        let goes =
            idle.min_by_key(|(port, at, link)| (Reverse(more(*at)), port.reading.heard, *link));
        let goes = goes.map(|(_, at, link)| (more(*at) > 0, *link));
        let place = match goes {
            Some((of_more, link)) if of_more || self.listeners.exchange(now) => Place::Of(link),
            _ => Place::None,
        };
        Knock { reached: Some(Limit::AdminLinks), place }
    }

    /// Returns the client that has been connected longest without a call, among those that are
    /// examined: at any address, or at this one.
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

    /// Returns whether a link may make room for a connection from this address: an address outside
    /// of the group takes no place from one of the group.
    fn may_go_for(&self, from: IpAddr) -> impl Fn(&Port) -> bool {
        let known = self.listeners.knows(from);
        move |port| known || !self.is_known(port)
    }

    /// Returns the place of a link that may go: of addresses outside of the group first, then of
    /// the one that has been silent longest.
    fn in_place_of(&self, links: &[LinkId], limit: Limit, may: impl Fn(&Port) -> bool) -> Knock {
        let idle = links.iter().filter_map(|link| Some((self.ports.get(link)?, *link)));
        let idle = idle.filter(|(port, _)| may(port));
        let idle = idle.min_by_key(|(port, link)| (self.is_known(port), port.reading.heard, *link));
        Knock { reached: Some(limit), place: idle.map_or(Place::None, |(_, link)| Place::Of(link)) }
    }

    /// Whether a link came from an address of the group, at a listener where that counts.
    fn is_known(&self, port: &Port) -> bool {
        let by_key = |(listener, from): (Listener, SocketAddr)| {
            matches!(listener, Listener::Licence | Listener::Twin)
                && self.listeners.knows(from.ip())
        };
        port.listener.is_some_and(by_key)
    }
}

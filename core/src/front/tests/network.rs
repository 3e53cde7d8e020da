//! The connections between fronts and backends, and how they break.

use super::brief::brief;
use super::world::{Event, World};
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId, Listener};
use crate::messages::group::{Order, decode};
use crate::testing::peer;
use alloc::format;
use alloc::vec::Vec;

/// One connection between a front and a backend.
struct Cable {
    front: usize,
    near: LinkId,
    backend: usize,
    far: LinkId,
}

/// An order that was lost on its way.
pub(super) struct LostOrder {
    /// Its link at the backend.
    pub(super) link: LinkId,
    pub(super) bytes: Vec<u8>,
}

/// The connections between fronts and backends.
pub(super) struct Network {
    cables: Vec<Cable>,
    /// Twice the number of connections to backends, plus one.
    pub(super) dialled: u64,
    /// The pairs of a front and a backend that cannot reach each other.
    pub(super) cut: Vec<(usize, usize)>,
    /// The backend that each address leads to.
    pub(super) leads_to: [usize; 3],
    /// Decides for each order of a front to a backend whether it is lost.
    pub(super) lose: fn(usize, &Order) -> bool,
    /// The last one that was lost.
    pub(super) lost: Option<LostOrder>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            cables: Vec::new(),
            dialled: 1,
            cut: Vec::new(),
            leads_to: [0, 1, 2],
            lose: |_, _| false,
            lost: None,
        }
    }
}

impl Network {
    fn at_front(&self, front: usize, link: LinkId) -> Option<usize> {
        self.cables.iter().position(|cable| (cable.front, cable.near) == (front, link))
    }

    /// Whether a front has this connection to a backend.
    pub(super) fn has(&self, front: usize, link: LinkId) -> bool {
        self.at_front(front, link).is_some()
    }

    /// Returns the front at the other end of a backend's connection, and its link.
    pub(super) fn front_end(&self, backend: usize, link: LinkId) -> Option<(usize, LinkId)> {
        let cable = self.cables.iter().find(|c| (c.backend, c.far) == (backend, link))?;
        Some((cable.front, cable.near))
    }
}

impl World {
    /// Connects a front to a backend, if it can be reached at this address.
    pub(super) fn dial_backend(&mut self, front: usize, near: LinkId, address: usize) {
        let backend = self.network.leads_to[address];
        if !self.backends[backend].up || self.network.cut.contains(&(front, backend)) {
            let reason = CloseReason::Broken("connection refused".into());
            let input = Input::Closed { link: near, reason, unsent: false };
            return self.events.push_back(Event::ToFront(front, input));
        }
        self.network.dialled += 2;
        let far = LinkId(self.network.dialled);
        self.network.cables.push(Cable { front, near, backend, far });
        let id = 0xf0 + u32::try_from(front).unwrap();
        let joined = |link| Input::Frame { link, frame: Frame::Joined { front: id, minor: 1 } };
        let accepted = Input::Accepted { link: far, listener: Listener::Licence, from: peer(0) };
        self.events.push_back(Event::ToBackend(backend, accepted));
        self.events.push_back(Event::ToBackend(backend, joined(far)));
        self.events.push_back(Event::ToFront(front, joined(near)));
    }

    /// Brings orders of a front to a backend, unless they are lost.
    pub(super) fn send_orders(&mut self, front: usize, near: LinkId, frame: Vec<u8>) {
        let Some(at) = self.network.at_front(front, near) else { return };
        let Cable { backend, far, .. } = self.network.cables[at];
        let orders = decode::<Order>(&frame).unwrap();
        let order = &orders[0].body;
        let lost = (self.network.lose)(backend, order);
        if !matches!(order, Order::Confirm { .. } | Order::Witness { .. }) {
            self.tell(|| format!("front → {backend}: {}", brief(order)));
        }
        if lost {
            self.network.lost = Some(LostOrder { link: far, bytes: frame });
        } else {
            let input = Input::Frame { link: far, frame: Frame::Batch(frame) };
            self.events.push_back(Event::ToBackend(backend, input));
        }
    }

    /// Closes a front's connection to a backend, if this is one.
    pub(super) fn close_backend(&mut self, front: usize, near: LinkId) {
        let Some(at) = self.network.at_front(front, near) else { return };
        let Cable { backend, far, .. } = self.network.cables.remove(at);
        let input = Input::Closed { link: far, reason: CloseReason::Eof, unsent: false };
        self.events.push_back(Event::ToBackend(backend, input));
    }

    /// Cuts a front off from a backend; their connection breaks.
    pub(super) fn part(&mut self, front: usize, backend: usize) {
        self.network.cut.push((front, backend));
        self.unplug(|cable| (cable.front, cable.backend) == (front, backend));
    }

    /// Breaks connections; both ends learn of it.
    pub(super) fn unplug(&mut self, which: impl Fn(&Ends) -> bool) {
        let mut kept = Vec::new();
        for cable in core::mem::take(&mut self.network.cables) {
            let Cable { front, near, backend, far } = cable;
            if !which(&Ends { front, backend }) {
                kept.push(cable);
                continue;
            }
            let reason = CloseReason::Broken("unplugged".into());
            let input = Input::Closed { link: near, reason: reason.clone(), unsent: false };
            self.events.push_back(Event::ToFront(front, input));
            let input = Input::Closed { link: far, reason, unsent: false };
            self.events.push_back(Event::ToBackend(backend, input));
        }
        self.network.cables = kept;
        self.run();
    }
}

/// The ends of a connection, for [`World::unplug`].
pub(super) struct Ends {
    pub(super) front: usize,
    pub(super) backend: usize,
}

//! Reads links, and performs what a step of the hub leaves to do on them: writing, closing,
//! watching.
//!
//! What never lives here: which links are read (that is a turn, or a greeting).

use super::Reactor;
use crate::exit::halt;
use crate::reactor::Actions;
use crate::reactor::clocked_hub::Effects;
use crate::reactor::connection::SocketConnection;
use crate::reactor::peer::{Peer, ReadyPeer};
use crate::reactor::refused;
use crate::sync::lock;
use rustix::event::epoll::{self, EventFlags};
use std::sync::Arc;
use tmr_core::link::{Arrived, CloseReason, Flow, Frame, LinkId};
use tmr_core::node::hub::Hub;

/// The result of reading some links.
#[derive(Debug, Default)]
pub(super) struct LinksRead {
    /// The frames of each link.
    arrived: Vec<Arrived>,
    /// Links whose last reply has left the machine.
    left: Vec<LinkId>,
    ended: Vec<(LinkId, CloseReason)>,
    /// Links that have something to write.
    writes: Vec<LinkId>,
}

impl Reactor {
    /// Reads these links, steps the hub with their frames, and writes the results.
    pub(super) fn serve(&self, ready: &[ReadyPeer], buffer: &mut [u8], actions: &mut Actions) {
        let read = self.read_links(ready, buffer);
        self.answer(read, actions);
    }

    /// Reads these links. It locks their connections, one after the other, and nothing else.
    pub(super) fn read_links(&self, ready: &[ReadyPeer], buffer: &mut [u8]) -> LinksRead {
        let mut read = LinksRead::default();
        for ready in ready {
            self.read_link(ready, buffer, &mut read);
        }
        read
    }

    fn read_link(&self, ready: &ReadyPeer, buffer: &mut [u8], read: &mut LinksRead) {
        let ReadyPeer { peer, flags } = ready;
        let link = peer.link;
        let connection = &mut *lock(&peer.connection);
        read.left.extend(connection.protocol.has_left().then_some(link));
        let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if broken || flags.contains(EventFlags::IN) {
            let mut frames = Vec::new();
            let end = connection.read(broken, buffer, &mut frames).err();
            read.ended.extend(end.map(|reason| (link, reason)));
            if matches!(frames.first(), Some(Frame::Http(_))) && connection.hung_up() {
                frames = frames.into_iter().map(Frame::unheard).collect();
            }
            read.arrived.push(connection.protocol.arrived(link, frames));
        }
        if connection.protocol.unsent().is_empty() {
            self.watch(link, connection);
        } else {
            // The handshake has a reply to send.
            read.writes.push(link);
        }
    }

    /// Steps the hub with what was read, and writes the results.
    pub(super) fn answer(&self, read: LinksRead, actions: &mut Actions) {
        let LinksRead { arrived, left, ended, writes } = read;
        let mut effects = Effects { wake: writes, ..Effects::default() };
        if !arrived.is_empty() || !left.is_empty() {
            let step = lock(&self.hub).step(|hub, now, out| {
                hub.left(now, left, out);
                hub.received(now, arrived, out);
            });
            effects = effects.and(step.1);
        }
        // Ends come first, so that what is for a closed link does not count as sent.
        for (link, reason) in ended {
            self.perform(self.end(link, reason), actions);
        }
        self.perform(effects, actions);
    }

    /// Performs the effects of a step, and the effects of those.
    pub(super) fn perform(&self, effects: Effects, actions: &mut Actions) {
        let mut steps = vec![effects];
        while let Some(effects) = steps.pop() {
            actions.sooner |= effects.sooner;
            actions.dial.extend(effects.dial);
            effects.listen.into_iter().for_each(|name| self.watch_listener(name, true));
            steps.extend(effects.drop.into_iter().map(|(link, reason)| self.end(link, reason)));
            steps.extend(effects.wake.into_iter().filter_map(|link| self.flush(link)));
        }
    }

    pub(super) fn performed(&self, effects: Effects) -> Actions {
        let mut actions = Actions::default();
        self.perform(effects, &mut actions);
        actions
    }

    /// Writes what the hub has for a link, or counts a request for the thread that writes it.
    pub(super) fn flush(&self, link: LinkId) -> Option<Effects> {
        let peer = Arc::clone(lock(&self.peers).get(&link)?);
        if peer.ask_to_write() { self.write_asked(&peer) } else { None }
    }

    /// Writes what the hub has for a link whose [writer](Peer::ask_to_write) is this thread, until
    /// no request has come meanwhile.
    pub(super) fn write_asked(&self, peer: &Peer) -> Option<Effects> {
        let mut effects: Option<Effects> = None;
        peer.while_asked(|| {
            if let Some(more) = self.write(peer) {
                effects = Some(effects.take().unwrap_or_default().and(more));
            }
        });
        effects
    }

    fn write(&self, peer: &Peer) -> Option<Effects> {
        let link = peer.link;
        let mut connection = lock(&peer.connection);
        match connection.flush(|| lock(&self.hub).hub().outbox(link)) {
            Ok(flow) => {
                self.watch(link, &mut connection);
                let held = connection.protocol.held();
                let tell = |hub: &mut Hub, now, out: &mut _| {
                    hub.flow(now, link, flow);
                    hub.holds(now, link, held, out);
                };
                (flow != Flow::Same).then(|| lock(&self.hub).step(tell).1)
            }
            Err(reason) => {
                drop(connection);
                Some(self.end(link, reason))
            }
        }
    }

    /// Ends a link; does nothing if it has already ended.
    pub(super) fn end(&self, link: LinkId, reason: CloseReason) -> Effects {
        let peer = lock(&self.peers).remove(&link);
        let Some(peer) = peer else { return Effects::default() };
        let unsent = lock(&peer.connection).end(&reason);
        lock(&self.hub).closed(link, reason, unsent)
    }

    fn watch(&self, link: LinkId, connection: &mut SocketConnection) {
        if let Some(flags) = connection.watch() {
            let data = epoll::EventData::new_u64(link.0);
            let poll = self.polls.of(link, connection.greets());
            let flags = flags | connection.ended_early();
            if let Err(error) = epoll::modify(poll, &connection.socket, data, flags) {
                halt(&format!("watching a link: {}", refused(error)));
            }
        }
    }
}

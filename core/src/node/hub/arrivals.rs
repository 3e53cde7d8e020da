//! Arriving frames: what is kept, what goes to the node, and the time limit for an incomplete
//! frame.

use super::port::{Answer, Asked, Port, cost};
use super::{Hub, Output};
use crate::base::limits::{FIRST_FRAME, FRAME_TIMEOUT, IDLE_LINK};
use crate::base::time::Now;
use crate::io::Input;
use crate::link::{Arrived, CloseReason, Frame, LinkId, Listener};
use crate::service;
use alloc::vec::Vec;

impl Hub {
    pub(super) fn take_in(&mut self, now: Now, arrived: Arrived, out: &mut Vec<Output>) {
        let Arrived { link, frames, partial, .. } = arrived;
        let Some(port) = self.ports.get_mut(&link) else { return };
        let whole = !frames.is_empty();
        port.reading.whole |= whole;
        if whole {
            port.reading.heard = now.mono;
        }
        // A runtime reads a link only after everything sent on it has left.
        Self::gone(port, link, &mut self.answered);
        port.reading.partial = partial;
        if whole {
            self.set_due(link, None);
        }
        for frame in frames {
            let Some(port) = self.ports.get_mut(&link) else { continue };
            if let (true, Frame::Call(call), None) = (port.crowded, &frame, &port.outbox.close) {
                let told = service::overloaded(call);
                if port.is_counted() {
                    port.held += cost(&told);
                    self.held += cost(&told);
                }
                port.outbox.frames.push(told);
                port.outbox.close = Some(CloseReason::Limit("client links"));
                out.push(Output::End(link));
            }
            if let (true, Frame::Joined { .. }) = (port.crowded, &frame) {
                self.let_in(now, link, out);
            }
            let Some(port) = self.ports.get_mut(&link).filter(|port| !port.forgotten) else {
                continue;
            };
            if let Frame::Call(_) | Frame::Http(_) | Frame::Unheard(_) = &frame {
                let asked = Asked { at: now.mono, frame };
                let more = asked.cost();
                port.requests.push_back(asked);
                self.answered.push(link);
                self.hold(link, more);
            } else {
                if !port.proved {
                    self.held -= core::mem::take(&mut port.held) + core::mem::take(&mut port.kept);
                    port.proved = true;
                    if let Some((_, from)) = port.listener {
                        self.listeners.proved(from.ip());
                    }
                }
                self.step(now, Input::Frame { link, frame }, out);
            }
        }
        self.clock(now, link);
    }

    /// Sets the time limit for the rest of an incomplete frame. It starts when the rest can be
    /// read, so not before all requests of the link are answered.
    pub(super) fn clock(&mut self, now: Now, link: LinkId) {
        let speaks =
            |port: &&mut Port| (port.reading.whole || port.reading.greeted) && !port.forgotten;
        let Some(port) = self.ports.get_mut(&link).filter(speaks) else { return };
        let read = port.answer == Answer::Gone && port.requests.is_empty();
        let latest = now.mono + if port.reading.whole { FRAME_TIMEOUT } else { FIRST_FRAME };
        let due = match (port.reading.partial && read, port.reading.whole) {
            (true, _) => Some(port.reading.due.map_or(latest, |due| due.min(latest))),
            (false, true) => None,
            (false, false) => port.reading.due,
        };
        self.set_due(link, due);
    }

    /// Admits a link above the cap that has proved the group key: a front always has a place.
    pub(super) fn let_in(&mut self, now: Now, link: LinkId, out: &mut Vec<Output>) {
        let Some(port) = self.ports.get_mut(&link) else { return };
        let Some((listener, from)) = port.listener else { return };
        self.listeners.leave(listener, from, link, true);
        self.listeners.enter(listener, from, link, false);
        port.crowded = false;
        port.forgotten = false;
        self.step(now, Input::Accepted { link, listener, from }, out);
    }

    /// Hands the next request of every link that has received its reply to the node.
    pub(super) fn pump(&mut self, now: Now, out: &mut Vec<Output>) {
        while !self.answered.is_empty() {
            let mut calls = Vec::with_capacity(self.answered.len());
            let mut pages = Vec::new();
            for link in self.answered.drain(..).filter(|link| !self.pages.waits(*link)) {
                let port = self.ports.get_mut(&link);
                let port = port.filter(|it| it.answer == Answer::Gone && !it.forgotten);
                let Some(port) = port else { continue };
                let Some(request) = port.requests.pop_front() else { continue };
                port.answer = Answer::Asked;
                if port.is_counted() {
                    port.held -= request.cost();
                    self.held -= request.cost();
                }
                match request.frame {
                    Frame::Call(call) => calls.push((link, call)),
                    frame => pages.push((link, Asked { frame, ..request })),
                }
            }
            if !calls.is_empty() {
                self.step(now, Input::Calls(calls), out);
            }
            self.serve_pages(now, pages, out);
        }
    }

    /// Records that the key agreement of a link is complete. A client that has completed it may
    /// wait with its first call as long as others between two calls; if the table is full, it still
    /// makes room for others.
    pub fn greeted(&mut self, now: Now, link: LinkId) {
        let silent = |port: &&mut Port| !port.reading.whole && !port.forgotten;
        let Some(port) = self.ports.get_mut(&link).filter(silent) else { return };
        if matches!(port.listener, Some((Listener::Licence, _))) {
            port.reading.greeted = true;
            if !port.reading.partial {
                self.set_due(link, Some(now.mono + IDLE_LINK));
            }
        }
    }
}

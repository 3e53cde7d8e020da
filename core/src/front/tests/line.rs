//! The line between two fronts: its connections, and how they break.

use super::World;
use super::world::Event;
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId, Listener};
use crate::messages::twin::{Hello, TwinAck, TwinMessage, Version};
use crate::testing::peer;
use alloc::vec::Vec;

/// One connection; the first end has dialled.
struct Wire([(usize, LinkId); 2]);

/// All connections between fronts, and the messages on them.
#[derive(Default)]
pub(super) struct Line {
    wires: Vec<Wire>,
    /// Whether nothing passes, and no connection can be made.
    pub(super) cut: bool,
    /// Whether messages are lost unnoticed.
    pub(super) loses: bool,
    /// A front whose messages on the connections that it dialled are lost unnoticed.
    pub(super) mute: Option<usize>,
    /// Messages of the fronts that dialled: the sender, and the bytes.
    pub(super) told: Vec<(usize, Vec<u8>)>,
}

impl Line {
    pub(super) fn has(&self, front: usize, link: LinkId) -> bool {
        self.wires.iter().any(|wire| wire.0.contains(&(front, link)))
    }

    /// Returns the other end, and whether this end has dialled.
    fn other(&self, front: usize, link: LinkId) -> Option<((usize, LinkId), bool)> {
        let wire = self.wires.iter().find(|wire| wire.0.contains(&(front, link)))?;
        let dialled = wire.0[0] == (front, link);
        Some((wire.0[usize::from(dialled)], dialled))
    }
}

impl World {
    pub(super) fn dial_twin(&mut self, from: usize, near: LinkId, to: usize) {
        if self.line.cut || to >= self.fronts.len() {
            let reason = CloseReason::Broken("connection refused".into());
            let input = Input::Closed { link: near, reason, unsent: true };
            return self.events.push_back(Event::ToFront(from, input));
        }
        self.fronts[to].accepted += 2;
        let far = LinkId(self.fronts[to].accepted);
        self.line.wires.push(Wire([(from, near), (to, far)]));
        let accepted = Input::Accepted { link: far, listener: Listener::Twin, from: peer(0) };
        self.events.push_back(Event::ToFront(to, accepted));
    }

    pub(super) fn send_twin(&mut self, from: usize, link: LinkId, frame: Vec<u8>) {
        let Some(((to, far), dialled)) = self.line.other(from, link) else { return };
        if self.line.loses || dialled && self.line.mute == Some(from) {
            return;
        }
        if dialled {
            self.line.told.push((from, frame.clone()));
        }
        let input = Input::Frame { link: far, frame: Frame::Twin(frame) };
        self.events.push_back(Event::ToFront(to, input));
    }

    pub(super) fn close_twin(&mut self, from: usize, link: LinkId) {
        let Some(((to, far), _)) = self.line.other(from, link) else { return };
        self.line.wires.retain(|wire| !wire.0.contains(&(from, link)));
        let input = Input::Closed { link: far, reason: CloseReason::Eof, unsent: false };
        self.events.push_back(Event::ToFront(to, input));
    }

    /// Delivers bytes that no front has sent to both ends of every connection.
    pub(super) fn garble(&mut self, bytes: &[u8]) {
        let ends: Vec<(usize, LinkId)> = self.line.wires.iter().flat_map(|wire| wire.0).collect();
        for (front, link) in ends {
            let input = Input::Frame { link, frame: Frame::Twin(bytes.to_vec()) };
            self.events.push_back(Event::ToFront(front, input));
        }
        self.run();
    }

    /// Delivers a message in the name of a front, on the connection that it dialled.
    pub(super) fn tell_as(&mut self, from: usize, tell: &TwinMessage) {
        let wire = self.line.wires.iter().find(|wire| wire.0[0].0 == from).expect("it dialled");
        let (to, link) = wire.0[1];
        let bytes = tell.encode(Version::OWN.minor).expect("the latest version has it");
        let frame = Frame::Twin(bytes);
        self.events.push_back(Event::ToFront(to, Input::Frame { link, frame }));
        self.run();
    }

    /// Delivers an answer to a front that its twin has not given, on the connection that it
    /// dialled.
    pub(super) fn answer_to(&mut self, front: usize, heard: &TwinAck) {
        let wire = self.line.wires.iter().find(|wire| wire.0[0].0 == front).expect("it dialled");
        let link = wire.0[0].1;
        let frame = Frame::Twin(heard.encode());
        self.events.push_back(Event::ToFront(front, Input::Frame { link, frame }));
        self.run();
    }

    /// Has a front of another id dial in a front's place, send these messages, and close.
    pub(super) fn speak_as(&mut self, from: usize, id: u32, tells: &[TwinMessage]) {
        let to = 1 - from;
        self.fronts[to].accepted += 2;
        let link = LinkId(self.fronts[to].accepted);
        let hello =
            Hello { version: Version::OWN, front: id, program: "0.1.0".into(), chosen: None };
        let accepted = Input::Accepted { link, listener: Listener::Twin, from: peer(0) };
        self.events.push_back(Event::ToFront(to, accepted));
        let tells = tells.iter().map(|tell| tell.encode(Version::OWN.minor).unwrap());
        for bytes in [hello.encode()].into_iter().chain(tells) {
            let frame = Frame::Twin(bytes);
            self.events.push_back(Event::ToFront(to, Input::Frame { link, frame }));
        }
        self.events.push_back(Event::ToFront(
            to,
            Input::Closed { link, reason: CloseReason::Eof, unsent: false },
        ));
        self.run();
    }

    /// Breaks all connections between fronts; both ends learn of it.
    pub(super) fn break_line(&mut self) {
        self.break_dialled(|_| true);
    }

    /// Breaks the connections that one of these fronts has dialled; both ends learn of it.
    pub(super) fn break_dialled(&mut self, by: impl Fn(usize) -> bool) {
        let mut kept = Vec::new();
        for wire in core::mem::take(&mut self.line.wires) {
            if !by(wire.0[0].0) {
                kept.push(wire);
                continue;
            }
            for (front, link) in wire.0 {
                let reason = CloseReason::Broken("unplugged".into());
                let input = Input::Closed { link, reason, unsent: false };
                self.events.push_back(Event::ToFront(front, input));
            }
        }
        self.line.wires = kept;
        self.run();
    }
}

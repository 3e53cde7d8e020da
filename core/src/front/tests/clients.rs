//! Clients of the fronts, and their calls.

use super::side::Client;
use super::world::World;
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId, Listener};
use crate::testing::{peer, seat};
use alloc::vec::Vec;

impl World {
    /// Takes this many seats, each for a client of its own.
    pub(super) fn take(&mut self, front: usize, seats: usize) -> Vec<u32> {
        let one = |_| {
            let client = self.connect(front);
            let (status, handle) = self.ask(front, client, seat());
            assert_eq!(status, 0);
            handle
        };
        (0..seats).map(one).collect()
    }

    /// Connects a client to a front.
    pub(super) fn connect(&mut self, front: usize) -> LinkId {
        self.fronts[front].accepted += 2;
        let link = LinkId(self.fronts[front].accepted);
        self.fronts[front].clients.insert(link, Client::default());
        let from = peer(u16::try_from(link.0 % 1000).unwrap());
        self.step_front(front, Input::Accepted { link, listener: Listener::Licence, from });
        link
    }

    /// Connects clients of this many hosts, each of which has its share of handles without a seat.
    pub(super) fn crowd(&mut self, front: usize, hosts: u8) -> Vec<LinkId> {
        let one = |host: u8| {
            self.fronts[front].accepted += 2;
            let link = LinkId(self.fronts[front].accepted);
            self.fronts[front].clients.insert(link, Client::default());
            let from = core::net::SocketAddr::from(([192, 0, 2, host], 40_000));
            self.step_front(front, Input::Accepted { link, listener: Listener::Licence, from });
            link
        };
        (1..=hosts).map(one).collect()
    }

    /// Makes a client's call, and runs the world until nothing is on its way.
    pub(super) fn call(&mut self, front: usize, link: LinkId, call: Vec<u8>) {
        self.step_front(front, Input::Frame { link, frame: Frame::Call(call) });
        self.run();
    }

    /// Makes a client's call that is answered at once. Returns status and result.
    pub(super) fn ask(&mut self, front: usize, link: LinkId, call: Vec<u8>) -> (u32, u32) {
        self.call(front, link, call);
        self.answer(front, link).expect("an answer at once")
    }

    /// Returns the next reply of a client: status and result.
    pub(super) fn answer(&mut self, front: usize, link: LinkId) -> Option<(u32, u32)> {
        let replies = &mut self.client(front, link).replies;
        (!replies.is_empty()).then(|| crate::testing::reply(&replies.remove(0)))
    }

    pub(super) fn client(&mut self, front: usize, link: LinkId) -> &mut Client {
        self.fronts[front].clients.get_mut(&link).unwrap()
    }

    /// Closes a client's link.
    pub(super) fn hang_up(&mut self, front: usize, link: LinkId, unsent: bool) {
        self.fronts[front].clients.remove(&link);
        self.step_front(front, Input::Closed { link, reason: CloseReason::Eof, unsent });
        self.run();
    }
}

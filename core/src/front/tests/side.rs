//! A front with its machine and its clients, its admin page, and what it shows there.

use super::world::World;
use crate::base::time::{Deadline, Duration};
use crate::front::Front;
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId, Listener};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Default)]
pub(super) struct Client {
    pub(super) replies: Vec<Vec<u8>>,
    pub(super) closed: bool,
}

pub(super) struct Side {
    pub(super) node: Front,
    pub(super) due: Option<Deadline>,
    pub(super) clients: BTreeMap<LinkId, Client>,
    pub(super) accepted: u64,
    /// Whether it is not scheduled: nothing reaches it, and no timer fires.
    pub(super) frozen: bool,
    /// How many seconds its wall clock is ahead of the right time.
    pub(super) ahead: i64,
    /// For how long its machine was paused, with its monotonic clock stopped.
    pub(super) paused: Duration,
    /// Whether its machine was ordered to give the virtual address away.
    pub(super) away: bool,
    /// What it has recorded.
    pub(super) history: Vec<u8>,
    /// Whether it never gets the lines back that it requests.
    pub(super) forgetful: bool,
}

impl Side {
    /// Returns a front whose wall clock is this many seconds ahead of the right time.
    pub(super) fn new(node: Front, ahead: i64) -> Self {
        Self {
            node,
            due: None,
            clients: BTreeMap::new(),
            accepted: 0,
            frozen: false,
            ahead,
            paused: Duration::ZERO,
            away: false,
            history: Vec::new(),
            forgetful: false,
        }
    }
}

impl World {
    /// Sends a request to a front's admin page. Returns its link.
    pub(super) fn asks(&mut self, front: usize, request: &str) -> LinkId {
        self.fronts[front].accepted += 2;
        let link = LinkId(self.fronts[front].accepted);
        let accepted =
            Input::Accepted { link, listener: Listener::Admin, from: ([127, 0, 0, 1], 9).into() };
        self.step_front(front, accepted);
        self.fronts[front].clients.insert(link, Client::default());
        self.step_front(front, Input::Frame { link, frame: Frame::Http(request.into()) });
        link
    }

    pub(super) fn http(&mut self, front: usize, request: &str) -> String {
        let link = self.asks(front, request);
        if self.fronts[front].clients[&link].replies.is_empty() {
            self.run();
        }
        let answer = self.fronts[front].clients.remove(&link).unwrap().replies.remove(0);
        self.step_front(front, Input::Closed { link, reason: CloseReason::Eof, unsent: false });
        String::from_utf8(answer).unwrap()
    }

    pub(super) fn activate(&mut self, front: usize) {
        let answer = self.http(
            front,
            "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n",
        );
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        self.run();
    }

    /// Returns `/api/status` of a front.
    pub(super) fn status(&mut self, front: usize) -> serde_json::Value {
        let answer = self.http(front, "GET /api/status HTTP/1.1\r\n\r\n");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    pub(super) fn role(&mut self, front: usize) -> String {
        self.status(front)["role"].as_str().unwrap().into()
    }

    pub(super) fn leads(&mut self, front: usize) -> bool {
        self.role(front) == "active"
    }

    /// Returns the number of seats that a front counts as taken, of all licences.
    pub(super) fn seats(&mut self, front: usize) -> usize {
        self.status(front)["allocations"].as_array().unwrap().len()
    }

    pub(super) fn backend_state(&mut self, front: usize, index: usize) -> String {
        self.status(front)["backends"][index]["state"].as_str().unwrap().into()
    }
}

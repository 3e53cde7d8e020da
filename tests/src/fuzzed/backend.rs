//! A backend with arbitrary input from fronts that hold the group key, from clients, from its disk
//! and from the clock. Properties: no input makes the backend panic, its output is well-formed, and
//! it keeps its promises after a power failure.

use super::node::{Machine, at};
use super::{byte, piece};
use arbitrary::Unstructured;
use std::collections::BTreeSet;
use tmr_core::io::{Input, Intent};
use tmr_core::link::{CloseReason, Frame, LinkId, Listener};
use tmr_core::log::Epoch;
use tmr_core::messages::group::{Order, Report, decode, encode};
use tmr_core::wire::{CmError, Reply, Request};

const FRONTS: [LinkId; 2] = [LinkId(2), LinkId(4)];
const CLIENTS: [LinkId; 2] = [LinkId(6), LinkId(8)];
const ADMIN: LinkId = LinkId(10);

struct World {
    backend: Machine,
    micros: u64,
    open: BTreeSet<LinkId>,
    /// The highest epoch to which a report has confirmed a promise.
    promised: Epoch,
    /// The handle that a client got last.
    handle: u32,
    /// The clients whose last call was an access.
    asked: BTreeSet<LinkId>,
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut world = World {
        backend: Machine::new(0),
        micros: 0,
        open: BTreeSet::new(),
        promised: Epoch::default(),
        handle: 0,
        asked: BTreeSet::new(),
    };
    world.step(Input::Tick);
    while !input.is_empty() {
        world.happen(&mut input);
    }
    world.finish();
    world.crash(0);
}

impl World {
    fn happen(&mut self, input: &mut Unstructured<'_>) {
        let what = byte(input);
        let who = usize::from(what >> 7);
        match what % 12 {
            0..3 => {
                let order = postcard::take_from_bytes::<Order>(piece(input));
                if let Ok((order, _)) = order {
                    self.batch(FRONTS[who], encode(7, &order));
                }
            }
            3 => self.batch(FRONTS[who], piece(input).to_vec()),
            4 | 5 => self.call(CLIENTS[who], piece(input), what % 12 == 4),
            6 => {
                let now = at(self.micros);
                let out = self.backend.finish(now);
                self.said(out);
            }
            7 => {
                self.micros += u64::from(input.arbitrary::<u32>().unwrap_or_default());
                self.step(Input::Tick);
            }
            8 => {
                let link = [FRONTS, CLIENTS].concat()[usize::from(what >> 6)];
                if self.open.remove(&link) {
                    self.step(Input::Closed {
                        link,
                        reason: CloseReason::Eof,
                        unsent: what & 32 != 0,
                    });
                }
            }
            9 => self.crash(input.arbitrary::<u16>().map_or(0, usize::from)),
            10 => {
                self.accept(ADMIN, Listener::Admin);
                let frame = Frame::Http(b"GET /api/status HTTP/1.1\r\n\r\n".to_vec());
                self.step(Input::Frame { link: ADMIN, frame });
            }
            _ => self.finish(),
        }
    }

    fn accept(&mut self, link: LinkId, listener: Listener) {
        if self.open.insert(link) {
            let from = ([127, 0, 0, 1], 9).into();
            self.step(Input::Accepted { link, listener, from });
        }
    }

    fn batch(&mut self, link: LinkId, batch: Vec<u8>) {
        if !self.open.contains(&link) {
            self.accept(link, Listener::Licence);
            self.step(Input::Frame { link, frame: Frame::Joined { front: 1, minor: 1 } });
        }
        self.step(Input::Frame { link, frame: Frame::Batch(batch) });
    }

    fn call(&mut self, link: LinkId, bytes: &[u8], own: bool) {
        self.accept(link, Listener::Licence);
        let mut bytes = bytes.to_vec();
        self.asked.remove(&link);
        if let Ok(mut request) = Request::parse(&bytes) {
            if own {
                request.set_handle(self.handle);
                bytes = request.encode();
            }
            if matches!(request, Request::Access { .. } | Request::Access2 { .. }) {
                self.asked.insert(link);
            }
        }
        self.step(Input::Frame { link, frame: Frame::Call(bytes) });
    }

    fn step(&mut self, input: Input) {
        let (out, due) = self.backend.step(at(self.micros), input);
        if let Some(due) = due {
            assert!(due.at > at(self.micros).mono, "a timer that is due stays due: {due:?}");
        }
        self.said(out);
    }

    fn finish(&mut self) {
        let out = self.backend.settle(at(self.micros));
        self.said(out);
    }

    fn crash(&mut self, torn: usize) {
        self.backend.crash(torn);
        self.open.clear();
        self.batch(FRONTS[0], encode(9, &Order::Describe));
        self.finish();
    }

    fn said(&mut self, out: Vec<Intent>) {
        for intent in out {
            match intent {
                Intent::Send { link, frame } if FRONTS.contains(&link) => {
                    for report in decode::<Report>(&frame).expect("reports") {
                        self.reported(&report.body);
                    }
                }
                Intent::Send { link, frame } if CLIENTS.contains(&link) => {
                    let reply = Reply::parse(&frame).expect("a reply");
                    if self.asked.remove(&link) && reply.status == CmError::NO_ERROR {
                        self.handle = reply.result;
                    }
                }
                Intent::Close { link, .. } => {
                    self.open.remove(&link);
                }
                _ => {}
            }
        }
    }

    fn reported(&mut self, report: &Report) {
        let standing = match report {
            Report::Promised(standing) => standing,
            Report::Described(description) => &description.standing,
            _ => return,
        };
        assert!(standing.base <= standing.committed && standing.committed <= standing.last);
        assert!(standing.promised >= self.promised, "a promise was forgotten");
        self.promised = standing.promised;
    }
}

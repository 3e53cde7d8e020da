//! A front with three real backends, whose reports arrive late, changed, or not at all, and with
//! arbitrary input from its clients and its twin. Properties: no input makes the front panic, no
//! timer fires without end, and the output of the front is well-formed.

use super::node::{Machine, at, identity};
use super::{byte, piece};
use arbitrary::Unstructured;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tmr_core::base::network::Address;
use tmr_core::base::time::Duration;
use tmr_core::config::Twin;
use tmr_core::front::{Config, Front};
use tmr_core::io::{FrontEvent, Input, Intent};
use tmr_core::link::{CloseReason, Frame, LinkId, Listener, PeerKind};
use tmr_core::log::ContainerId;
use tmr_core::messages::group::{Order, Report, decode, encode};
use tmr_core::messages::twin::{Hello, Version};
use tmr_core::wire::{CmError, Reply, Request};

const CLIENTS: [LinkId; 2] = [LinkId(2), LinkId(4)];
const ADMIN: LinkId = LinkId(6);
const TWIN: LinkId = LinkId(8);
/// The port of the twin; the backends have the ports 1 to 3.
const TWIN_PORT: u16 = 4;
/// The most frames that are delivered at once. A front and backends that exchange frames without
/// end are found by the simulator instead.
const CARRIED: usize = 2_000;
/// The most steps of a front at one time.
const SPINS: usize = 1_000;

/// A frame on its way, with the link that carries it.
enum Parcel {
    ToFront(LinkId, Frame),
    ToBackend(LinkId, Frame),
}

struct World {
    front: Front,
    backends: [Machine; 3],
    micros: u64,
    due: Option<u64>,
    /// The backend that each dialled link leads to.
    dialled: BTreeMap<LinkId, usize>,
    twin: Option<LinkId>,
    open: BTreeSet<LinkId>,
    parcels: VecDeque<Parcel>,
    /// The handle that a client got last.
    handle: u32,
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut world = World::new(byte(&mut input) % 4 == 3);
    world.step(Input::Tick);
    world.carry(CARRIED);
    world.http(b"POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n");
    world.carry(CARRIED);
    while !input.is_empty() {
        world.happen(&mut input);
    }
    world.carry(CARRIED);
}

impl World {
    fn new(unfenced: bool) -> Self {
        let address = |port| Address { host: "127.0.0.1".into(), port };
        let second = Duration::from_secs(1);
        let front = Front::new(Config {
            identity: identity(),
            backends: [1, 2, 3].map(address),
            retry: second,
            unfenced,
            virtuals: vec![(ContainerId::CmAct(305_419_896), None)],
            cleanup: 60 * second,
            policy: Default::default(),
            twin: Some(Twin {
                address: address(TWIN_PORT),
                connect_timeout: second,
                transfer_timeout: second,
            }),
            front: 1,
            handle_key: tmr_core::service::HandleKey::default(),
            seed: [5; 32],
        });
        let mut backends = [0, 1, 2].map(Machine::new);
        for backend in &mut backends {
            backend.step(at(0), Input::Tick);
            backend.settle(at(0));
        }
        Self {
            front,
            backends,
            micros: 0,
            due: None,
            dialled: BTreeMap::new(),
            twin: None,
            open: BTreeSet::new(),
            parcels: VecDeque::new(),
            handle: 0,
        }
    }

    fn happen(&mut self, input: &mut Unstructured<'_>) {
        let what = byte(input);
        let who = usize::from(what >> 6);
        let client = CLIENTS[who % 2];
        match what % 16 {
            0 => self.carry(CARRIED),
            1 => self.carry(1 + who),
            2 => self.later(1_000 * u64::from(input.arbitrary::<u16>().unwrap_or_default())),
            3 => self.call(client, piece(input), false),
            4..6 => self.call(client, piece(input), true),
            6 | 7 => {
                let report = postcard::take_from_bytes::<Report>(piece(input));
                if let Ok((report, _)) = report {
                    self.tamper(who, &report);
                }
            }
            8 => {
                let frame = Frame::Batch(piece(input).to_vec());
                self.backend_says(who, frame);
            }
            9 => {
                let frame = Frame::Reply(piece(input).to_vec());
                self.backend_says(who, frame);
            }
            10 => self.hang_up(who),
            11 => self.backends[who % 3].crash(0),
            12 => {
                let bytes = piece(input).to_vec();
                self.twin_says(TWIN, bytes);
            }
            13 => {
                let bytes = piece(input).to_vec();
                if let Some(link) = self.twin {
                    self.twin_says(link, bytes);
                }
            }
            14 => {
                let link = [CLIENTS[0], CLIENTS[1], TWIN, TWIN][who];
                if self.open.remove(&link) {
                    self.step(Input::Closed {
                        link,
                        reason: CloseReason::Eof,
                        unsent: what & 32 != 0,
                    });
                }
            }
            _ => match who {
                0 => self.step(FrontEvent::VirtualAddress { here: what & 32 != 0 }.into()),
                1 => self.http(b"GET /api/status HTTP/1.1\r\n\r\n"),
                2 => self.http(piece(input)),
                _ => self.step(Input::Tick),
            },
        }
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        let due = self.front.step(at(self.micros), input, &mut out);
        self.due = due.map(|due| due.at.0);
        for intent in out {
            self.wanted(intent);
        }
    }

    fn wanted(&mut self, intent: Intent) {
        match intent {
            Intent::Dial { link, to, callee: PeerKind::Twin { .. } } => {
                assert_eq!(to.port, TWIN_PORT);
                self.twin = Some(link);
                let hello = Hello {
                    version: Version::OWN,
                    front: 2,
                    program: "0.1.0".into(),
                    chosen: None,
                };
                self.parcels.push_back(Parcel::ToFront(link, Frame::Twin(hello.encode())));
            }
            Intent::Dial { link, to, callee } => {
                let backend = usize::from(to.port) - 1;
                self.dialled.insert(link, backend);
                let from = ([127, 0, 0, 1], 9).into();
                let accepted = Input::Accepted { link, listener: Listener::Licence, from };
                self.backends[backend].step(at(self.micros), accepted);
                if callee == PeerKind::Backend {
                    for parcel in [Parcel::ToBackend, Parcel::ToFront] {
                        self.parcels.push_back(parcel(link, Frame::Joined { front: 1, minor: 1 }));
                    }
                }
            }
            Intent::Send { link, frame } if self.dialled.contains_key(&link) => {
                let batch = decode::<Order>(&frame).is_ok() && !frame.is_empty();
                let frame = if batch { Frame::Batch(frame) } else { Frame::Call(frame) };
                self.parcels.push_back(Parcel::ToBackend(link, frame));
            }
            Intent::Send { link, frame } if CLIENTS.contains(&link) => {
                let reply = Reply::parse(&frame).expect("a reply");
                if reply.status == CmError::NO_ERROR && reply.result != 0 {
                    self.handle = reply.result;
                }
            }
            Intent::Close { link, .. } => {
                self.open.remove(&link);
                self.dialled.remove(&link);
                self.twin = self.twin.filter(|twin| *twin != link);
            }
            _ => {}
        }
    }

    /// Delivers at most this number of frames.
    fn carry(&mut self, most: usize) {
        for _ in 0..most {
            match self.parcels.pop_front() {
                Some(Parcel::ToFront(link, frame)) => self.step(Input::Frame { link, frame }),
                Some(Parcel::ToBackend(link, frame)) => {
                    let Some(backend) = self.dialled.get(&link) else { continue };
                    let backend = &mut self.backends[*backend];
                    let now = at(self.micros);
                    let (mut out, _) = backend.step(now, Input::Frame { link, frame });
                    out.extend(backend.settle(now));
                    self.answered(out);
                }
                None => break,
            }
        }
    }

    fn answered(&mut self, out: Vec<Intent>) {
        for intent in out {
            let Intent::Send { link, frame } = intent else { continue };
            let batch = decode::<Report>(&frame).is_ok();
            let frame = if batch { Frame::Batch(frame) } else { Frame::Reply(frame) };
            self.parcels.push_back(Parcel::ToFront(link, frame));
        }
    }

    /// Advances the clock, and fires the timers in their order.
    fn later(&mut self, micros: u64) {
        let end = self.micros + micros;
        for _ in 0..SPINS {
            match self.due {
                Some(due) if due <= end => {
                    self.micros = self.micros.max(due);
                    self.step(Input::Tick);
                }
                _ => {
                    self.micros = end;
                    return self.step(Input::Tick);
                }
            }
        }
        panic!("a front that is never done: due at {:?}, now {}", self.due, self.micros);
    }

    fn call(&mut self, link: LinkId, bytes: &[u8], own: bool) {
        if self.open.insert(link) {
            let from = ([127, 0, 0, 1], 9).into();
            self.step(Input::Accepted { link, listener: Listener::Licence, from });
        }
        let mut bytes = bytes.to_vec();
        if let (true, Ok(mut request)) = (own, Request::parse(&bytes)) {
            request.set_handle(self.handle);
            bytes = request.encode();
        }
        self.step(Input::Calls(vec![(link, bytes)]));
    }

    /// Replaces a batch on its way to the front, the one after `skip` others, with this report.
    fn tamper(&mut self, skip: usize, report: &Report) {
        let mut batches = self.parcels.iter_mut().filter_map(|parcel| match parcel {
            Parcel::ToFront(_, Frame::Batch(batch)) => Some(batch),
            _ => None,
        });
        let Some(batch) = batches.nth(skip) else { return };
        let first = decode::<Report>(batch).ok().and_then(|mut all| all.pop());
        *batch = encode(first.map_or(0, |message| message.correlation), report);
    }

    fn backend_says(&mut self, who: usize, frame: Frame) {
        let link = self.dialled.keys().nth(who % self.dialled.len().max(1)).copied();
        if let Some(link) = link {
            self.step(Input::Frame { link, frame });
        }
    }

    /// Breaks the connection to a backend.
    fn hang_up(&mut self, who: usize) {
        let Some(link) = self.dialled.keys().nth(who % self.dialled.len().max(1)).copied() else {
            return;
        };
        let Some(backend) = self.dialled.remove(&link) else { return };
        let closed = |reason| Input::Closed { link, reason, unsent: false };
        self.backends[backend].step(at(self.micros), closed(CloseReason::Eof));
        self.step(closed(CloseReason::Eof));
    }

    fn twin_says(&mut self, link: LinkId, bytes: Vec<u8>) {
        if link == TWIN && self.open.insert(TWIN) {
            let from = ([127, 0, 0, 1], 9).into();
            self.step(Input::Accepted { link, listener: Listener::Twin, from });
            let hello =
                Hello { version: Version::OWN, front: 2, program: "0.1.0".into(), chosen: None };
            self.step(Input::Frame { link, frame: Frame::Twin(hello.encode()) });
        }
        self.step(Input::Frame { link, frame: Frame::Twin(bytes) });
    }

    fn http(&mut self, request: &[u8]) {
        if self.open.insert(ADMIN) {
            let from = ([127, 0, 0, 1], 9).into();
            self.step(Input::Accepted { link: ADMIN, listener: Listener::Admin, from });
        }
        self.step(Input::Frame { link: ADMIN, frame: Frame::Http(request.to_vec()) });
    }
}

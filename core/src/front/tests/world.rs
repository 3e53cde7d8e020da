//! Fronts and three real backends, connected by queues in memory. Everything is delivered in order
//! and at once, unless a test holds it back; time advances only when a test advances it.

use super::brief::{brief, brief_report};
use super::line::Line;
use super::unfenced::Servers;
use crate::backend::{Backend, Config as BackendConfig};
use crate::base::time::{Deadline, Duration, Mono, Now, Wall};
use crate::front::{Config, Front};
use crate::io::{BackendEvent, FrontEvent, HostRequest, Input, Intent};
use crate::licence::Container;
use crate::link::{CloseReason, Frame, LinkId, Listener, PeerKind};
use crate::log::ContainerId;
use crate::messages::group::{Order, Report, decode};
use crate::testing::{container, identity, peer, seat};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use alloc::{format, string::String};

/// A message on its way to a node.
#[derive(Debug)]
pub(super) enum Event {
    ToFront(usize, Input),
    ToBackend(usize, Input),
}

pub(super) struct Machine {
    pub(super) node: Backend,
    /// What survives a crash.
    pub(super) disk: Vec<u8>,
    /// Unfinished writes: the bytes, and whether they replace the whole journal.
    writes: VecDeque<(Vec<u8>, bool)>,
    /// Whether its disk finishes no writes.
    pub(super) stuck: bool,
    /// After how many more writes its disk is stuck.
    pub(super) stuck_after: Option<u32>,
    pub(super) containers: Vec<Container>,
    /// How many seconds its clock is ahead of the right time.
    pub(super) ahead: i64,
    up: bool,
    pub(super) started: u8,
}

#[derive(Default)]
pub(super) struct Client {
    pub(super) replies: Vec<Vec<u8>>,
    pub(super) closed: bool,
}

pub(super) struct Side {
    pub(super) node: Front,
    due: Option<Deadline>,
    clients: BTreeMap<LinkId, Client>,
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

/// One connection between a front and a backend.
struct Cable {
    front: usize,
    near: LinkId,
    backend: usize,
    far: LinkId,
}

pub(super) struct World {
    pub(super) now: Now,
    pub(super) backends: [Machine; 3],
    pub(super) fronts: Vec<Side>,
    cables: Vec<Cable>,
    /// The line between the fronts.
    pub(super) line: Line,
    /// The stock servers in place of the backends, for unfenced fronts.
    pub(super) servers: Servers,
    pub(super) events: VecDeque<Event>,
    /// Twice the number of connections to backends, plus one.
    pub(super) dialled: u64,
    /// The pairs of a front and a backend that cannot reach each other.
    pub(super) cut: Vec<(usize, usize)>,
    /// The backend that each address leads to.
    pub(super) leads_to: [usize; 3],
    /// Decides for each order of a front to a backend whether it is lost.
    pub(super) lose: fn(usize, &Order) -> bool,
    /// The last one that was lost: the backend, its link, and the bytes.
    pub(super) lost: Option<(usize, LinkId, Vec<u8>)>,
    /// The messages so far, if the test tells a story.
    pub(super) told: Option<Vec<String>>,
    /// The virtual containers in the configuration of a front that is added.
    pub(super) virtuals: Vec<(ContainerId, Option<u32>)>,
    /// Configurations that fronts want stored.
    pub(super) stores: Vec<(usize, String)>,
}

fn open(containers: &[Container], seed: u8, disk: Option<&[u8]>) -> Backend {
    let config = BackendConfig {
        identity: identity(),
        containers: containers.to_vec(),
        group_check: *b"checksum",
        handle_key: crate::service::HandleKey::default(),
        seed: [seed; 32],
    };
    Backend::open(config, disk).unwrap().0
}

impl Machine {
    fn new(index: usize, container: Container) -> Self {
        let containers = alloc::vec![container];
        let started = u8::try_from(index).unwrap();
        Self {
            node: open(&containers, started, None),
            disk: Vec::new(),
            writes: VecDeque::new(),
            stuck: false,
            stuck_after: None,
            containers,
            ahead: 0,
            up: true,
            started,
        }
    }
}

impl World {
    /// Returns three blank backends and this many fronts that stand by.
    pub(super) fn new(fronts: usize) -> Self {
        Self::with(fronts, [0, 1, 2].map(container))
    }

    /// Returns the same with other containers.
    pub(super) fn with(fronts: usize, containers: [Container; 3]) -> Self {
        let mut machine = 0..3;
        let backends = containers.map(|container| {
            let index = machine.next().unwrap();
            Machine::new(index, container)
        });
        let mut world = Self {
            now: Now { mono: Mono(1_000_000), wall: Wall(1_795_287_600) },
            backends,
            fronts: Vec::new(),
            cables: Vec::new(),
            line: Line::default(),
            servers: Servers::default(),
            events: VecDeque::new(),
            dialled: 1,
            cut: Vec::new(),
            leads_to: [0, 1, 2],
            lose: |_, _| false,
            lost: None,
            told: None,
            virtuals: Vec::new(),
            stores: Vec::new(),
        };
        for _ in 0..fronts {
            world.add_front();
        }
        for index in 0..3 {
            world.events.push_back(Event::ToBackend(index, Input::Tick));
        }
        world.run();
        world
    }

    pub(super) fn add_front(&mut self) -> usize {
        self.add_front_with(|_| ())
    }

    /// Adds a front with this change in its configuration.
    pub(super) fn add_front_with(&mut self, change: impl FnOnce(&mut Config)) -> usize {
        self.add_front_at(0, change)
    }

    /// Adds such a front with a clock that is this many seconds ahead.
    pub(super) fn add_front_at(&mut self, ahead: i64, change: impl FnOnce(&mut Config)) -> usize {
        let number = u8::try_from(self.fronts.len()).unwrap();
        let mut config = self.config(number);
        change(&mut config);
        let node = Front::new(config);
        let clients = BTreeMap::new();
        self.fronts.push(Side {
            node,
            due: None,
            clients,
            accepted: 0,
            frozen: false,
            ahead,
            paused: Duration::ZERO,
            away: false,
            history: Vec::new(),
            forgetful: false,
        });
        let index = self.fronts.len() - 1;
        self.events.push_back(Event::ToFront(index, Input::Tick));
        self.run();
        index
    }

    /// Returns a world whose group is born and whose front 0 leads.
    pub(super) fn serving() -> Self {
        let mut world = Self::new(1);
        world.activate(0);
        world.advance(Duration::from_millis(1));
        assert!(world.leads(0), "{:#}", world.status(0));
        world
    }

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

    /// Moves the virtual address to a front's machine, or away.
    pub(super) fn address(&mut self, front: usize, here: bool) {
        self.step_front(front, FrontEvent::VirtualAddress { here }.into());
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

    /// Cuts the power of a backend: whatever was not on disk is lost.
    pub(super) fn crash(&mut self, index: usize) {
        self.backends[index].up = false;
        self.backends[index].writes.clear();
        self.unplug(|cable| cable.backend == index);
    }

    /// Starts a backend with its disk, or with a new one if that is empty.
    pub(super) fn restart(&mut self, index: usize) {
        let machine = &mut self.backends[index];
        machine.started = machine.started.wrapping_add(16);
        let disk = (!machine.disk.is_empty()).then_some(machine.disk.as_slice());
        machine.node = open(&machine.containers, machine.started, disk);
        machine.up = true;
        machine.stuck = false;
        self.events.push_back(Event::ToBackend(index, Input::Tick));
        self.run();
    }

    /// Replaces the licence files of a backend.
    pub(super) fn replace(&mut self, index: usize, containers: &[Container]) {
        self.backends[index].containers = containers.to_vec();
        let input = BackendEvent::LicencesRead(containers.to_vec()).into();
        self.events.push_back(Event::ToBackend(index, input));
    }

    /// Cuts a front off from a backend; their connection breaks.
    pub(super) fn part(&mut self, front: usize, backend: usize) {
        self.cut.push((front, backend));
        self.unplug(|cable| (cable.front, cable.backend) == (front, backend));
    }

    /// Breaks connections; both ends learn of it.
    pub(super) fn unplug(&mut self, which: impl Fn(&Ends) -> bool) {
        let mut kept = Vec::new();
        for cable in core::mem::take(&mut self.cables) {
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
        self.cables = kept;
        self.run();
    }

    /// Lets the disk of a backend continue.
    pub(super) fn unstick(&mut self, index: usize) {
        self.backends[index].stuck = false;
        self.run();
    }

    /// Delivers every message.
    pub(super) fn run(&mut self) {
        for _ in 0..200_000 {
            if let Some(event) = self.events.pop_front() {
                match event {
                    Event::ToFront(index, input) => self.step_front(index, input),
                    Event::ToBackend(index, input) => self.step_backend(index, input),
                }
            } else if !self.write() {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }

    /// Lets one disk finish a write. Returns whether there was one.
    fn write(&mut self) -> bool {
        for index in 0..3 {
            let machine = &mut self.backends[index];
            if machine.stuck || machine.stuck_after == Some(0) || !machine.up {
                continue;
            }
            if let Some((bytes, whole)) = machine.writes.pop_front() {
                machine.stuck_after = machine.stuck_after.map(|left| left - 1);
                if whole {
                    machine.disk.clear();
                }
                machine.disk.extend_from_slice(&bytes);
                self.tell(|| format!("backend {index} has written"));
                self.step_backend(index, BackendEvent::JournalWritten.into());
                return true;
            }
        }
        false
    }

    /// Advances the time; timers fire when they are due.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now.mono + span;
        for _ in 0..1_000_000 {
            self.run();
            let due = (0..self.fronts.len())
                .filter(|&index| !self.fronts[index].frozen)
                .filter_map(|index| self.fronts[index].due.map(|due| (due.at, index)))
                .min();
            match due {
                Some((at, index)) if at <= end => {
                    self.set_time(at.max(self.now.mono));
                    self.step_front(index, Input::Tick);
                }
                _ => {
                    self.set_time(end);
                    return self.run();
                }
            }
        }
        panic!("a timer does not move its deadline");
    }

    fn set_time(&mut self, at: Mono) {
        let wall = 1_795_287_600 + at.0 / 1_000_000;
        self.now = Now { mono: at, wall: Wall(wall) };
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(line());
        }
    }

    pub(super) fn step_front(&mut self, index: usize, input: Input) {
        if self.fronts[index].frozen {
            return;
        }
        let mut out = Vec::new();
        let side = &mut self.fronts[index];
        let mono = Mono(self.now.mono.0 - u64::try_from(side.paused.as_micros()).unwrap());
        let wall = Wall(self.now.wall.0.saturating_add_signed(side.ahead));
        let due = side.node.step(Now { mono, wall }, input, &mut out);
        side.due = due.map(|due| Deadline { at: due.at + side.paused, ..due });
        for intent in out {
            self.front_wants(index, intent);
        }
    }

    fn front_wants(&mut self, index: usize, intent: Intent) {
        match intent {
            Intent::Dial { link, to, callee: PeerKind::Twin { .. } } => {
                self.dial_twin(index, link, usize::from(to.port));
            }
            Intent::Dial { link, to, callee: PeerKind::Stock } => {
                self.dial_server(index, link, usize::from(to.port));
            }
            Intent::Send { link, frame } if self.servers.has(index, link) => {
                self.ask_server(index, link, &frame);
            }
            Intent::Close { link, .. } if self.servers.has(index, link) => {
                self.servers.hang_up(index, link);
            }
            Intent::Dial { link: near, to, .. } => {
                let backend = self.leads_to[usize::from(to.port)];
                if !self.backends[backend].up || self.cut.contains(&(index, backend)) {
                    let reason = CloseReason::Broken("connection refused".into());
                    let input = Input::Closed { link: near, reason, unsent: false };
                    return self.events.push_back(Event::ToFront(index, input));
                }
                self.dialled += 2;
                let far = LinkId(self.dialled);
                self.cables.push(Cable { front: index, near, backend, far });
                let front = 0xf0 + u32::try_from(index).unwrap();
                let joined = |link| Input::Frame { link, frame: Frame::Joined { front, minor: 1 } };
                let accepted =
                    Input::Accepted { link: far, listener: Listener::Licence, from: peer(0) };
                self.events.push_back(Event::ToBackend(backend, accepted));
                self.events.push_back(Event::ToBackend(backend, joined(far)));
                self.events.push_back(Event::ToFront(index, joined(near)));
            }
            Intent::Send { link, frame } if self.line.has(index, link) => {
                self.send_twin(index, link, frame);
            }
            Intent::Close { link, .. } if self.line.has(index, link) => {
                self.close_twin(index, link);
            }
            Intent::Send { link, frame } => {
                let cable = self.cables.iter().find(|c| (c.front, c.near) == (index, link));
                if let Some(&Cable { backend, far, .. }) = cable {
                    let orders = decode::<Order>(&frame).unwrap();
                    let order = &orders[0].body;
                    let lost = (self.lose)(backend, order);
                    if !matches!(order, Order::Confirm { .. } | Order::Witness { .. }) {
                        self.tell(|| format!("front → {backend}: {}", brief(order)));
                    }
                    if lost {
                        self.lost = Some((backend, far, frame));
                    } else {
                        let input = Input::Frame { link: far, frame: Frame::Batch(frame) };
                        self.events.push_back(Event::ToBackend(backend, input));
                    }
                } else if let Some(client) = self.fronts[index].clients.get_mut(&link) {
                    client.replies.push(frame);
                    self.tell(|| "front → client: a reply".into());
                }
            }
            Intent::Close { link, .. } => {
                if let Some(client) = self.fronts[index].clients.get_mut(&link) {
                    client.closed = true;
                }
                let cable = self.cables.iter().position(|c| (c.front, c.near) == (index, link));
                if let Some(at) = cable {
                    let Cable { backend, far, .. } = self.cables.remove(at);
                    let input =
                        Input::Closed { link: far, reason: CloseReason::Eof, unsent: false };
                    self.events.push_back(Event::ToBackend(backend, input));
                }
            }
            Intent::Host(request) => self.host_request(index, request),
        }
    }

    pub(super) fn step_backend(&mut self, index: usize, input: Input) {
        if !self.backends[index].up {
            return;
        }
        let mut out = Vec::new();
        let machine = &mut self.backends[index];
        let wall = Wall(self.now.wall.0.saturating_add_signed(machine.ahead));
        machine.node.step(Now { wall, ..self.now }, input, &mut out);
        for intent in out {
            match intent {
                Intent::Send { link, frame } => {
                    let cable = self.cables.iter().find(|c| (c.backend, c.far) == (index, link));
                    let Some(&Cable { front, near, .. }) = cable else { continue };
                    let reports = decode::<Report>(&frame).unwrap();
                    let report = &reports.last().expect("a report").body;
                    if !matches!(report, Report::Confirmed | Report::Facts(_)) {
                        self.tell(|| format!("{index} → front: {}", brief_report(report)));
                    }
                    let input = Input::Frame { link: near, frame: Frame::Batch(frame) };
                    self.events.push_back(Event::ToFront(front, input));
                }
                Intent::Host(HostRequest::Journal(write)) => {
                    let whole = write.is_whole();
                    self.backends[index].writes.push_back((write.into_bytes(), whole));
                }
                other => panic!("backend {index}: {other:?}"),
            }
            assert!(self.backends[index].writes.len() <= 1, "one write at a time");
        }
    }
}

/// The ends of a connection, for [`World::unplug`].
pub(super) struct Ends {
    pub(super) front: usize,
    pub(super) backend: usize,
}

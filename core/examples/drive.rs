//! The sans-IO loop as a complete program: two fronts, three backends and a client in one process,
//! without a socket, a file or a thread.
//!
//! ```sh
//! cargo run -p tmr-core --example drive
//! ```
//!
//! Each machine is a [`Hub`] around its node. The loop does what every runtime does:
//!
//! - **mutate**: hand the hub bytes that arrived, a tick, or an event of the host
//!   ([`Network::step`]);
//! - **drain**: write what each connection has to send, and perform requests to the host
//!   ([`Network::perform`], [`Network::flush`]);
//! - **wait**: for the next event, or for the earliest deadline ([`Network::run`]).
//!
//! The network of this example is a queue of events, its clock moves to the next deadline whenever the
//! queue is empty, and a disk is a vector. A client takes a seat, the front that serves it dies, and
//! the client gives its seat back at the other one.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use tmr_core::backend::{self, Backend};
use tmr_core::base::network::Address;
use tmr_core::base::time::{Duration, Mono, Now, Wall};
use tmr_core::client::{self, Client};
use tmr_core::config::Twin;
use tmr_core::front::{self, Front};
use tmr_core::io::{BackendEvent, FrontEvent, HostEvent, HostRequest, JournalWrite};
use tmr_core::licence::{Container, File, Issuer, Spec};
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{CloseReason, Connection, LinkId, Listener, PeerKind};
use tmr_core::node::Node;
use tmr_core::node::hub::{Dial, Hub, Output};
use tmr_core::service::{HandleKey, Identity};
use tmr_core::wire::structs::CmAccess2;
use tmr_core::wire::{CmError, Reply, Request};

const SPEC: &str = r#"{ "FirmCode": 6000010, "CmActId": 305419896,
    "Products": [ { "ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5, "TmrId": 1 } ] }"#;
/// The licence port and the port for the other front.
const LICENCE: u16 = 22350;
const TWIN: u16 = 22354;
/// The machines by their index; the client has no hub.
const NAMES: [&str; 6] = ["front-1", "front-2", "backend-1", "backend-2", "backend-3", "client"];
const CLIENT: usize = 5;
/// The wall clock at the beginning, in seconds since 1970.
const START: u64 = 1_795_287_600;

/// One end of a connection: a machine, and its name for the link.
type End = (usize, LinkId);

/// An event that is on its way to a machine.
enum Event {
    Bytes { to: End, bytes: Vec<u8> },
    Closed { to: End, reason: CloseReason },
    Host { machine: usize, event: HostEvent },
}

/// The machines, and everything between them.
struct Network {
    now: Mono,
    hubs: BTreeMap<usize, Hub>,
    client: Client,
    answer: Option<Reply>,
    /// The machines' ends of connections. The client keeps its own end.
    connections: BTreeMap<End, Connection>,
    /// The other end of each end.
    peers: BTreeMap<End, End>,
    events: VecDeque<Event>,
    journals: BTreeMap<usize, Vec<u8>>,
    draws: u8,
}

fn main() {
    let mut network = Network::new();
    network.host_event(0, FrontEvent::VirtualAddress { here: true }.into());
    let access = CmAccess2 { firm_code: 6_000_010, product_code: 201, ..CmAccess2::default() };
    let access = Request::Access2 { ctrl: 1, access: Box::new(access), tail: Vec::new() };
    let granted = network.call(&access);
    assert_eq!(granted.status, CmError::NO_ERROR);
    println!("front-1 granted the handle {:#010x} after {}", granted.result, network.since_start());

    network.kill(0);
    network.host_event(1, FrontEvent::VirtualAddress { here: true }.into());
    let released = network.call(&Request::Release { handle: granted.result });
    assert_eq!(released.status, CmError::NO_ERROR);
    println!("front-2 took it back after {}", network.since_start());
}

impl Network {
    fn new() -> Self {
        let server = |name: &str| Address { host: name.to_owned(), port: LICENCE };
        let client = Client::new(vec![server(NAMES[0]), server(NAMES[1])], [9; 32]);
        let mut network = Self {
            now: Mono(0),
            hubs: BTreeMap::new(),
            client,
            answer: None,
            connections: BTreeMap::new(),
            peers: BTreeMap::new(),
            events: VecDeque::new(),
            journals: BTreeMap::new(),
            draws: 0,
        };
        for machine in 0..CLIENT {
            network.hubs.insert(machine, Hub::new(node(machine)));
            // The first tick starts a node.
            network.step(machine, |hub, now, out| hub.tick(now, out));
        }
        network
    }

    /// Mutates one machine's hub, and drains it.
    fn step(&mut self, machine: usize, step: impl FnOnce(&mut Hub, Now, &mut Vec<Output>)) {
        let now = self.clocks();
        let Some(hub) = self.hubs.get_mut(&machine) else { return };
        let mut out = Vec::new();
        step(hub, now, &mut out);
        for output in out {
            self.perform(machine, output);
        }
    }

    /// Does what a hub wants done. Outputs come in the order in which they must be done.
    fn perform(&mut self, machine: usize, output: Output) {
        match output {
            Output::Wake(link) | Output::End(link) => self.flush((machine, link)),
            Output::Drop { link, reason } => self.close((machine, link), reason),
            Output::Dial(Dial { link, to, callee }) => {
                let stream = match callee {
                    PeerKind::Backend => {
                        SecureChannel::dial_backend(self.entropy(), group_key(), front_id(machine))
                    }
                    PeerKind::Twin { .. } => SecureChannel::twin_dial(self.entropy(), &group_key()),
                    PeerKind::Stock => SecureChannel::dial_server(self.entropy()),
                };
                let connection = Connection::new(stream, None);
                match self.accept((machine, link), &to) {
                    true => self.open((machine, link), connection),
                    false => self.closed((machine, link), no_route()),
                }
            }
            Output::Host(HostRequest::Journal(write)) => {
                let journal = self.journals.entry(machine).or_default();
                match write {
                    JournalWrite::Append(bytes) => journal.extend(bytes),
                    JournalWrite::Rewrite(bytes) | JournalWrite::BeginAnew(bytes) => {
                        *journal = bytes;
                    }
                }
                let event = BackendEvent::JournalWritten.into();
                self.events.push_back(Event::Host { machine, event });
            }
            Output::Host(HostRequest::Halt(reason)) => panic!("{}: {reason}", NAMES[machine]),
            // Usage history, passwords and the machine that moves the address: not here.
            Output::Host(_) | Output::Listen(_) => {}
        }
    }

    /// Connects an end to a machine that listens. Returns whether there is one.
    fn accept(&mut self, dialler: End, to: &Address) -> bool {
        let Some(machine) = NAMES.iter().position(|name| *name == to.host) else { return false };
        let listener = if to.port == TWIN { Listener::Twin } else { Listener::Licence };
        let from = SocketAddr::from(([192, 0, 2, dialler.0 as u8 + 1], 50_000));
        let mut link = None;
        self.step(machine, |hub, now, out| link = hub.accept(now, listener, from, out));
        let Some(link) = link else { return false };
        let stream = match listener {
            Listener::Twin => SecureChannel::twin_accept(self.entropy(), &group_key()),
            _ => SecureChannel::licence(self.entropy(), (machine > 1).then(group_key)),
        };
        self.peers.insert(dialler, (machine, link));
        self.peers.insert((machine, link), dialler);
        self.open((machine, link), Connection::new(stream, None));
        true
    }

    fn open(&mut self, end: End, connection: Connection) {
        self.connections.insert(end, connection);
        self.flush(end);
    }

    /// Writes everything that a connection has to send: first what it has sealed, then what its hub
    /// has for it.
    fn flush(&mut self, end: End) {
        loop {
            let Some(connection) = self.connections.get_mut(&end) else { return };
            let bytes = connection.unsent().to_vec();
            if !bytes.is_empty() {
                connection.sent(bytes.len());
                // Bytes to a machine that has just died are lost.
                let to = self.peers.get(&end).copied();
                self.events.extend(to.map(|to| Event::Bytes { to, bytes }));
            }
            if let Some(reason) = connection.closes().cloned() {
                return self.close(end, reason);
            }
            let left = connection.has_left();
            let outbox = match self.hubs.get_mut(&end.0) {
                Some(hub) if connection.wants_frames() => hub.outbox(end.1),
                _ => return,
            };
            let empty = outbox.frames.is_empty() && outbox.close.is_none() && !outbox.waits;
            connection.send(outbox);
            if left {
                self.step(end.0, |hub, now, out| hub.left(now, [end.1], out));
            } else if empty {
                return;
            }
        }
    }

    /// Closes a connection at one end; the other end hears of it.
    fn close(&mut self, end: End, reason: CloseReason) {
        if let Some(to) = self.peers.remove(&end) {
            self.peers.remove(&to);
            self.events.push_back(Event::Closed { to, reason: CloseReason::Eof });
        }
        self.closed(end, reason);
    }

    /// Tells a machine that its end is gone.
    fn closed(&mut self, (machine, link): End, reason: CloseReason) {
        let unsent = self.connections.remove(&(machine, link)).is_some_and(|mut it| it.end());
        if machine == CLIENT {
            self.client_step(client::Input::Closed { link, reason });
        } else {
            self.step(machine, |hub, now, out| hub.closed(now, link, reason, unsent, out));
        }
    }

    /// A machine loses its power.
    fn kill(&mut self, machine: usize) {
        self.hubs.remove(&machine);
        let ends: Vec<End> =
            self.connections.keys().filter(|end| end.0 == machine).copied().collect();
        for end in ends {
            self.close(end, CloseReason::Eof);
        }
    }

    fn host_event(&mut self, machine: usize, event: HostEvent) {
        self.step(machine, |hub, now, out| hub.host_event(now, event, out));
    }

    /// Delivers one event.
    fn deliver(&mut self, event: Event) {
        match event {
            Event::Host { machine, event } => self.host_event(machine, event),
            Event::Closed { to, reason } => self.closed(to, reason),
            Event::Bytes { to: (CLIENT, link), bytes } => {
                self.client_step(client::Input::Received { link, bytes });
            }
            Event::Bytes { to: (machine, link), bytes } => {
                let Some(connection) = self.connections.get_mut(&(machine, link)) else { return };
                let mut frames = Vec::new();
                let ended = connection.received(&bytes, &mut frames).err();
                let arrived = connection.arrived(link, frames);
                self.step(machine, |hub, now, out| {
                    hub.received(now, [arrived], out);
                });
                match ended {
                    Some(reason) => self.close((machine, link), reason),
                    None => self.flush((machine, link)),
                }
            }
        }
    }

    /// Waits: delivers events, and moves the clock to the earliest deadline when there are none, until
    /// the client has its answer.
    fn run(&mut self, mut client_due: Option<Mono>) -> Reply {
        loop {
            while let Some(event) = self.events.pop_front() {
                self.deliver(event);
            }
            if let Some(reply) = self.answer.take() {
                return reply;
            }
            let due = self.hubs.values().filter_map(|hub| Some(hub.deadline()?.at));
            self.now =
                due.chain(client_due).min().expect("a node always has a deadline").max(self.now);
            for machine in 0..CLIENT {
                self.step(machine, |hub, now, out| hub.tick(now, out));
            }
            client_due = self.client_step(client::Input::Tick);
        }
    }

    fn call(&mut self, request: &Request) -> Reply {
        let due = self.client_step(client::Input::Call(request.encode()));
        self.run(due)
    }

    /// Steps the client, and does what it wants done. Returns its deadline.
    fn client_step(&mut self, input: client::Input) -> Option<Mono> {
        let mut out = Vec::new();
        let due = self.client.step(self.now, input, &mut out);
        for intent in out {
            match intent {
                client::Intent::Dial { link, to, .. } => {
                    let input = match self.accept((CLIENT, link), &to) {
                        true => client::Input::Opened { link, entropy: self.entropy() },
                        false => client::Input::Closed { link, reason: no_route() },
                    };
                    self.client_step(input);
                }
                client::Intent::Write { link, bytes } => {
                    if let Some(to) = self.peers.get(&(CLIENT, link)) {
                        self.events.push_back(Event::Bytes { to: *to, bytes });
                    }
                }
                client::Intent::Close { link } => {
                    if let Some(to) = self.peers.remove(&(CLIENT, link)) {
                        self.peers.remove(&to);
                        self.events.push_back(Event::Closed { to, reason: CloseReason::Eof });
                    }
                }
                client::Intent::Answer(answer) => self.answer = Some(answer.expect("an answer")),
            }
        }
        due.map(|due| due.at)
    }

    fn clocks(&self) -> Now {
        Now { mono: self.now, wall: Wall(START + self.now.0 / 1_000_000) }
    }

    fn since_start(&self) -> String {
        format!("{} ms", self.now.0 / 1_000)
    }

    /// Returns bytes that a real runtime draws from the system, fresh for each connection.
    fn entropy(&mut self) -> [u8; 32] {
        self.draws += 1;
        [self.draws; 32]
    }
}

/// Makes the node of a machine.
fn node(machine: usize) -> Node {
    let name = NAMES[machine];
    let address = [192, 0, 2, machine as u8 + 1].into();
    let identity = Identity { name: name.to_owned(), runtime: "example", address };
    let handle_key = HandleKey::new([3; 32]);
    let seed = [machine as u8 + 100; 32];
    if machine > 1 {
        let containers = vec![container(machine as u8 - 1)];
        let group_check = group_key().check();
        let config = backend::Config { identity, containers, group_check, handle_key, seed };
        let (backend, _) = Backend::open(config, None).expect("there is no journal to refuse");
        return Node::Backend(Box::new(backend));
    }
    let backends =
        [2, 3, 4].map(|index: usize| Address { host: NAMES[index].to_owned(), port: LICENCE });
    let twin = Twin {
        address: Address { host: NAMES[1 - machine].to_owned(), port: TWIN },
        connect_timeout: Duration::from_secs(3),
        transfer_timeout: Duration::from_secs(10),
    };
    Node::Front(Box::new(Front::new(front::Config {
        identity,
        backends,
        retry: Duration::from_secs(1),
        unfenced: false,
        virtuals: Vec::new(),
        cleanup: Duration::from_secs(120),
        policy: Default::default(),
        twin: Some(twin),
        front: front_id(machine),
        handle_key,
        seed,
    })))
}

/// Returns the container of a part, as a backend reads it from its signed licence file.
fn container(part: u8) -> Container {
    let issuer = Issuer::from_secret([7; 32]);
    let file = issuer.issue(&Spec::parse(SPEC).expect("a valid specification"), part, Wall(START));
    File::open(&file, &[issuer.public()]).expect("it was signed just now")
}

/// Returns the id of a front; a real runtime draws it at every start.
fn front_id(machine: usize) -> u32 {
    machine as u32 + 1
}

fn group_key() -> GroupKey {
    GroupKey::new([5; 32])
}

fn no_route() -> CloseReason {
    CloseReason::Broken("no route to that host".to_owned())
}

//! The real nodes, with what one is told from another by, and the one way to step each.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tmr_core::backend::{Backend, Config as BackendConfig};
use tmr_core::desk::Identity;
use tmr_core::front::{Config as FrontConfig, Front};
use tmr_core::io::{Address, Callee, Door, Frame, Input, Intent, Link, Why};
use tmr_core::licence::Container;
use tmr_core::limits::CLEANUP_DEFAULT;
use tmr_core::log::{Entry, Epoch, Slot, Stored};
use tmr_core::time::{Duration, Mono, Now, Wall};
use tmr_core::wire::Reply;
use tmr_core::wire::group::correlate;

/// The only time there is.
pub(crate) const NOW: Now = Now { mono: Mono(3_600_000_000), wall: Wall(1_795_287_600) };
/// The link of whoever tells a front to lead.
const ADMIN: Link = Link(1000);
const ACTIVATE: &str = "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";

/// What is told from others by 64 bits.
pub(crate) fn print(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

fn entry_print(entry: &Entry) -> u64 {
    print(&format!("{entry:?}"))
}

/// A message between a front and a backend, without its number: reports of a link come in the
/// order of their orders.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Arc<[u8]>,
    print: u64,
}

impl Message {
    fn new(mut bytes: Vec<u8>) -> Self {
        correlate(&mut bytes, 0);
        Self { print: print(&bytes), bytes: bytes.into() }
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

/// What a front wants of the world.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// An order to a backend.
    Order(usize, Message),
    /// A reply to a client: status and result.
    Reply(Link, u32, u32),
    /// A client's link is closed.
    Dropped(Link),
    /// A backend is dialled.
    Dial(usize),
}

/// A front.
#[derive(Debug)]
pub(crate) struct FrontNode {
    pub(crate) node: Front,
    /// What it is apart from backends, and what each backend is to it.
    pub(crate) prints: (u64, [u64; 3]),
    /// What it knows to be committed: the slot before, and each entry.
    pub(crate) log: (Slot, Vec<u64>),
    /// The handles that are held by that.
    pub(crate) held: Vec<u32>,
    /// The epoch under which it leads.
    pub(crate) leads: Option<Epoch>,
    /// It decides calls.
    pub(crate) decides: bool,
}

impl FrontNode {
    /// A front that has just started, the `number`th of all.
    pub(crate) fn start(number: u32, said: &mut Vec<Said>) -> Arc<Self> {
        let address = |port| Address { host: "backend".into(), port };
        let seed = [100 + u8::try_from(number).expect("few fronts are started"); 32];
        let mut node = Front::new(FrontConfig {
            identity: identity(),
            backends: [0, 1, 2].map(address),
            retry: Duration::from_secs(1),
            unfenced: false,
            virtuals: Vec::new(),
            cleanup: CLEANUP_DEFAULT,
            twin: None,
            front: number + 1,
            seed,
        });
        step(&mut node, Input::Tick, said);
        Self::of(node)
    }

    fn of(node: Front) -> Arc<Self> {
        let (own, peers) = node.fingerprint(NOW);
        let (base, entries, state) = node.committed_log();
        let log = (base, entries.iter().map(entry_print).collect());
        let held = state.seats().map(|seat| seat.handle.0).collect();
        let prints = (print(&own), peers.each_ref().map(print));
        let (leads, decides) = (node.leads(), node.decides(NOW));
        Arc::new(Self { node, prints, log, held, leads, decides })
    }

    /// A copy that has gone on by so much.
    pub(crate) fn then(&self, go: impl FnOnce(&mut Front)) -> Arc<Self> {
        let mut node = self.node.clone();
        go(&mut node);
        Self::of(node)
    }
}

/// Steps a front.
pub(crate) fn step(node: &mut Front, input: Input, said: &mut Vec<Said>) {
    let mut out = Vec::new();
    node.step(NOW, input, &mut out);
    for intent in out {
        let peer = |link| (0..3).find(|&index| node.link_to(index) == Some(link));
        match intent {
            Intent::Dial { to, callee: Callee::Backend, .. } => said.push(Said::Dial(to.port.into())),
            Intent::Send { link, .. } if link == ADMIN => {}
            Intent::Send { link, frame } => match peer(link) {
                Some(index) => said.push(Said::Order(index, Message::new(frame))),
                None => {
                    let reply = Reply::parse(&frame).expect("a front sends whole replies");
                    said.push(Said::Reply(link, reply.status.code(), reply.result));
                }
            },
            Intent::Close { link, why: Why::Stepped(_) } => said.push(Said::Dropped(link)),
            Intent::Close { link, .. } if link == ADMIN => {}
            Intent::GiveAway(_) | Intent::Look => {}
            other => panic!("not foreseen of a front: {other:?}"),
        }
    }
}

/// A backend's report comes to a front.
pub(crate) fn report(node: &mut Front, index: usize, message: &Message, said: &mut Vec<Said>) {
    let link = node.link_to(index).expect("its link stands");
    let mut bytes = message.bytes.to_vec();
    correlate(&mut bytes, node.oldest_order(index).expect("it has asked for it"));
    step(node, Input::Frame { link, frame: Frame::Batch(bytes) }, said);
}

/// A front's link to a backend is gone.
pub(crate) fn broken(node: &mut Front, index: usize, said: &mut Vec<Said>) {
    let link = node.link_to(index).expect("its link stands");
    step(node, closed(link), said);
}

/// A front's link to a backend stands.
pub(crate) fn joined(node: &mut Front, index: usize, said: &mut Vec<Said>) {
    let link = node.link_to(index).expect("it was dialled");
    step(node, Input::Frame { link, frame: Frame::Joined { front: 0 } }, said);
}

/// An operator tells a front to lead.
pub(crate) fn activate(node: &mut Front, said: &mut Vec<Said>) {
    step(node, Input::Accepted { link: ADMIN, door: Door::Admin, from: client() }, said);
    let frame = Frame::Http(ACTIVATE.into());
    step(node, Input::Frame { link: ADMIN, frame }, said);
    step(node, closed(ADMIN), said);
}

/// A client comes and calls.
pub(crate) fn call(node: &mut Front, link: Link, call: Vec<u8>, said: &mut Vec<Said>) {
    step(node, Input::Accepted { link, door: Door::Licence, from: client() }, said);
    step(node, Input::Frame { link, frame: Frame::Call(call) }, said);
}

pub(crate) fn closed(link: Link) -> Input {
    Input::Closed { link, why: Why::Eof, unsent: false }
}

fn client() -> SocketAddr {
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 40_000).into()
}

fn identity() -> Identity {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Identity { name: "server".into(), runtime: "model", address }
}

/// A backend and its disk.
#[derive(Debug)]
pub(crate) struct BackendNode {
    index: usize,
    containers: Arc<[Container]>,
    node: Backend,
    disk: Vec<u8>,
    /// What it would be if its power were cut.
    reborn: (Backend, Vec<u8>),
    pub(crate) print: u64,
    /// Its copy of the log: the slot before, and each entry.
    pub(crate) log: (Slot, Vec<u64>),
    /// How much of it it knows to be chosen.
    pub(crate) committed: Slot,
    /// What is on its disk of the log.
    pub(crate) durable: Vec<Stored>,
}

impl BackendNode {
    /// A blank backend that has just started.
    pub(crate) fn start(index: usize, container: Container) -> Arc<Self> {
        let containers: Arc<[Container]> = [container].into();
        let (node, disk) = boot(index, &containers, Vec::new());
        Self::of(index, containers, node, disk)
    }

    fn of(index: usize, containers: Arc<[Container]>, node: Backend, disk: Vec<u8>) -> Arc<Self> {
        let reborn = boot(index, &containers, disk.clone());
        let print = print(&(node.fingerprint(), reborn.0.fingerprint()));
        let (base, entries, committed) = node.copy();
        let log = (base, entries.iter().map(|stored| entry_print(&stored.entry)).collect());
        let durable = reborn.0.copy().1;
        Arc::new(Self { index, containers, node, disk, reborn, print, log, committed, durable })
    }

    /// Its power is cut, and it starts again.
    pub(crate) fn restart(&self) -> Arc<Self> {
        let (node, disk) = self.reborn.clone();
        Self::of(self.index, Arc::clone(&self.containers), node, disk)
    }

    /// It takes an order of a front, and everything that comes of it is on its disk before
    /// anything else happens.
    pub(crate) fn order(&self, front: usize, message: &Message) -> (Arc<Self>, Vec<Message>) {
        let (mut node, mut disk, mut reports) = (self.node.clone(), self.disk.clone(), Vec::new());
        take(&mut node, Some(&mut disk), ordered(front, message), &mut reports);
        (Self::of(self.index, Arc::clone(&self.containers), node, disk), reports)
    }

    /// It takes an order, and its power is cut before anything is on its disk. What it said at once
    /// is on its way.
    pub(crate) fn order_and_die(&self, front: usize, message: &Message) -> (Arc<Self>, Vec<Message>) {
        let (mut node, mut reports) = (self.node.clone(), Vec::new());
        take(&mut node, None, ordered(front, message), &mut reports);
        (self.restart(), reports)
    }

    /// A front's link is gone.
    pub(crate) fn lose(&self, front: usize) -> Arc<Self> {
        let (mut node, mut disk) = (self.node.clone(), self.disk.clone());
        take(&mut node, Some(&mut disk), closed(link_of(front)), &mut Vec::new());
        Self::of(self.index, Arc::clone(&self.containers), node, disk)
    }

    /// A front has proved itself.
    pub(crate) fn meet(&self, front: usize) -> Arc<Self> {
        let (mut node, mut disk) = (self.node.clone(), self.disk.clone());
        let frame = Frame::Joined { front: 0 };
        let input = Input::Frame { link: link_of(front), frame };
        take(&mut node, Some(&mut disk), input, &mut Vec::new());
        Self::of(self.index, Arc::clone(&self.containers), node, disk)
    }
}

/// What links are called at a backend. Old and new ones of a front have one name: a backend ties
/// nothing to it but that a front is there.
fn link_of(front: usize) -> Link {
    Link(10 + front as u64)
}

fn ordered(front: usize, message: &Message) -> Input {
    Input::Frame { link: link_of(front), frame: Frame::Batch(message.bytes.to_vec()) }
}

fn boot(index: usize, containers: &[Container], mut disk: Vec<u8>) -> (Backend, Vec<u8>) {
    let config = BackendConfig {
        identity: identity(),
        containers: containers.to_vec(),
        group_check: *b"checksum",
        seed: [u8::try_from(index).expect("one of three"); 32],
    };
    let journal = (!disk.is_empty()).then_some(disk.as_slice());
    let (mut node, keep) = Backend::open(config, journal).expect("a journal that was written whole");
    assert_eq!(keep, disk.len(), "every batch is whole");
    take(&mut node, Some(&mut disk), Input::Tick, &mut Vec::new());
    (node, disk)
}

/// Steps a backend, and finishes its writes if there is a disk.
fn take(node: &mut Backend, mut disk: Option<&mut Vec<u8>>, input: Input, reports: &mut Vec<Message>) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        node.step(NOW, input, &mut out);
        for intent in out {
            match intent {
                Intent::Send { frame, .. } => reports.push(Message::new(frame)),
                Intent::Append(bytes) => {
                    let Some(disk) = &mut disk else { continue };
                    disk.extend(bytes);
                    inputs.push(Input::Written);
                }
                Intent::Rewrite(bytes) => {
                    let Some(disk) = &mut disk else { continue };
                    **disk = bytes;
                    inputs.push(Input::Written);
                }
                other => panic!("not foreseen of a backend: {other:?}"),
            }
        }
    }
}

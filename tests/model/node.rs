//! The real nodes, with what one is told from another by, and the one way to step each.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tmr_core::backend::{Backend, Config as BackendConfig};
use tmr_core::desk::Identity;
use tmr_core::front::{Config as FrontConfig, Fingerprint, Front, Timer};
use tmr_core::io::{Address, Callee, Door, Frame, Input, Intent, Link, Why};
use tmr_core::licence::Container;
use tmr_core::limits::CLEANUP_DEFAULT;
use tmr_core::log::{Entry, Epoch, Slot, Stored};
use tmr_core::time::{Duration, Mono, Now, Wall};
use tmr_core::wire::Reply;
use tmr_core::wire::group::{Order, correlate, decode};

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
    /// Of an order.
    pub(crate) epoch: Option<Epoch>,
}

impl Message {
    fn new(mut bytes: Vec<u8>) -> Self {
        correlate(&mut bytes, 0);
        let orders = decode::<Order>(&bytes).unwrap_or_default();
        let epoch = orders.first().and_then(|order| match order.body {
            Order::Describe | Order::Perform { .. } => None,
            Order::Claim { epoch }
            | Order::Fetch { epoch, .. }
            | Order::Found { epoch, .. }
            | Order::Append { epoch, .. }
            | Order::Install { epoch, .. }
            | Order::Confirm { epoch, .. } => Some(epoch),
        });
        Self { print: print(&bytes), bytes: bytes.into(), epoch }
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
    /// What it is told from others by.
    pub(crate) id: u64,
    /// What it is apart from backends, and what each backend is to it.
    pub(crate) prints: (u64, [u64; 3]),
    /// The same without what backends were asked.
    pub(crate) still: u64,
    /// The next report of a backend is about a claim that is over for good.
    pub(crate) past: [bool; 3],
    /// What it knows to be committed: the slot before, and each entry.
    pub(crate) log: (Slot, Vec<u64>),
    /// The handles that are held by that.
    pub(crate) held: Vec<u32>,
    /// The epoch under which it leads.
    pub(crate) leads: Option<Epoch>,
    /// It decides calls.
    pub(crate) decides: bool,
    /// The highest epoch that it has seen.
    pub(crate) highest: Epoch,
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
        let Fingerprint { own, peers, asked } = node.fingerprint(NOW);
        let (base, entries, state) = node.committed_log();
        let log = (base, entries.iter().map(entry_print).collect());
        let held = state.seats().map(|seat| seat.handle.0).collect();
        let still = print(&(&own, &peers));
        let prints = (print(&own), [0, 1, 2].map(|index| print(&(&peers[index], &asked[index]))));
        let id = print(&prints);
        let past = [0, 1, 2].map(|index| node.is_past(index));
        let (leads, decides, highest) = (node.leads(), node.decides(NOW), node.highest());
        Arc::new(Self { node, id, prints, still, past, log, held, leads, decides, highest })
    }

    /// What it is and says when something has happened.
    pub(crate) fn then(&self, event: &Event) -> (Arc<Self>, Arc<[Said]>) {
        let (mut node, mut said) = (self.node.clone(), Vec::new());
        happen(&mut node, event, &mut said);
        (Self::of(node), said.into())
    }
}

/// Steps a front.
fn step(node: &mut Front, input: Input, said: &mut Vec<Said>) {
    let mut out = Vec::new();
    node.step(NOW, input, &mut out);
    for intent in out {
        let peer = |link| (0..3).find(|&index| node.link_to(index) == Some(link));
        match intent {
            Intent::Dial { to, callee: Callee::Backend, .. } => {
                said.push(Said::Dial(to.port.into()));
            }
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

/// What happens to a front.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Event {
    /// A backend's report comes.
    Report(usize, Message),
    /// The link to a backend is gone.
    Broken(usize),
    /// The link to a backend stands.
    Joined(usize),
    /// An operator tells it to lead.
    Activate,
    /// A client comes and calls.
    Call(u64, Vec<u8>),
    /// A client is gone.
    Closed(u64),
    /// A timer fires.
    Timer(Timer),
}

/// Something happens to a front, and it says so much.
fn happen(node: &mut Front, event: &Event, said: &mut Vec<Said>) {
    let link_to = |node: &Front, index| node.link_to(index).expect("it was dialled");
    match event {
        Event::Report(index, message) => {
            let mut bytes = message.bytes.to_vec();
            correlate(&mut bytes, node.oldest_order(*index).expect("it has asked for it"));
            let frame = Frame::Batch(bytes);
            step(node, Input::Frame { link: link_to(node, *index), frame }, said);
        }
        Event::Broken(index) => step(node, closed(link_to(node, *index)), said),
        Event::Joined(index) => {
            let frame = Frame::Joined { front: 0 };
            step(node, Input::Frame { link: link_to(node, *index), frame }, said);
        }
        Event::Activate => {
            step(node, Input::Accepted { link: ADMIN, door: Door::Admin, from: client() }, said);
            let frame = Frame::Http(ACTIVATE.into());
            step(node, Input::Frame { link: ADMIN, frame }, said);
            step(node, closed(ADMIN), said);
        }
        Event::Call(link, call) => {
            let (link, frame) = (Link(*link), Frame::Call(call.clone()));
            step(node, Input::Accepted { link, door: Door::Licence, from: client() }, said);
            step(node, Input::Frame { link, frame }, said);
        }
        Event::Closed(link) => step(node, closed(Link(*link)), said),
        Event::Timer(timer) => {
            if node.let_fire(*timer) {
                step(node, Input::Tick, said);
            }
        }
    }
}

fn closed(link: Link) -> Input {
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
    /// What it is told from others by, and from others of its number.
    pub(crate) id: u64,
    pub(crate) print: u64,
    index: usize,
    containers: Arc<[Container]>,
    node: Backend,
    disk: Vec<u8>,
    /// What it would be if its power were cut.
    reborn: (Backend, Vec<u8>),
    /// Its copy of the log: the slot before, and each entry.
    pub(crate) log: (Slot, Vec<u64>),
    /// How much of it it knows to be chosen.
    pub(crate) committed: Slot,
    pub(crate) promised: Epoch,
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
        let (base, entries, committed, promised) = node.copy();
        let log = (base, entries.iter().map(|stored| entry_print(&stored.entry)).collect());
        let durable = reborn.0.copy().1;
        let id = self::print(&(index, print));
        Arc::new(Self {
            id,
            print,
            index,
            containers,
            node,
            disk,
            reborn,
            log,
            committed,
            promised,
            durable,
        })
    }

    /// What it is and reports when something has happened, and everything that came of it is on
    /// its disk.
    pub(crate) fn then(&self, happened: &Happened) -> (Arc<Self>, Arc<[Message]>) {
        let (mut node, mut disk, mut reports) = (self.node.clone(), self.disk.clone(), Vec::new());
        match happened {
            Happened::Order(front, message) => {
                take(&mut node, Some(&mut disk), ordered(*front, message), &mut reports);
            }
            Happened::OrderThenPowerCut(front, message) => {
                take(&mut node, None, ordered(*front, message), &mut reports);
                (node, disk) = self.reborn.clone();
            }
            Happened::PowerCut => (node, disk) = self.reborn.clone(),
            Happened::Lost(front) => {
                take(&mut node, Some(&mut disk), closed(link_of(*front)), &mut reports);
            }
            Happened::Joined(front) => {
                let frame = Frame::Joined { front: 0 };
                let input = Input::Frame { link: link_of(*front), frame };
                take(&mut node, Some(&mut disk), input, &mut reports);
            }
        }
        (Self::of(self.index, Arc::clone(&self.containers), node, disk), reports.into())
    }
}

/// What happens to a backend.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Happened {
    /// An order of a front comes.
    Order(usize, Message),
    /// The same, and its power is cut before anything of it is on its disk. What it said at once
    /// is on its way.
    OrderThenPowerCut(usize, Message),
    /// Its power is cut. It starts again from its disk.
    PowerCut,
    /// The link of a front is gone.
    Lost(usize),
    /// A front has proved itself.
    Joined(usize),
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
    let (mut node, keep) =
        Backend::open(config, journal).expect("a journal that was written whole");
    assert_eq!(keep, disk.len(), "every batch is whole");
    take(&mut node, Some(&mut disk), Input::Tick, &mut Vec::new());
    (node, disk)
}

/// Steps a backend, and finishes its writes if there is a disk.
fn take(
    node: &mut Backend,
    mut disk: Option<&mut Vec<u8>>,
    input: Input,
    reports: &mut Vec<Message>,
) {
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

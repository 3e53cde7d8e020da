//! A real front, its fingerprint, and the only way to step it.

use crate::node::{Message, NOW, Names, client, closed, entry_print, identity, print};
use std::sync::Arc;
use tmr_core::base::limits::CLEANUP_DEFAULT;
use tmr_core::base::network::Address;
use tmr_core::base::time::Duration;
use tmr_core::front::{BackendId, CommittedLog, Config, Fingerprint, Front, Timer};
use tmr_core::io::{AdminFilesRequest, HistoryRequest, HostRequest, Input, Intent};
use tmr_core::link::{CloseReason, Frame, LinkId, Listener, PeerKind};
use tmr_core::log::{Epoch, Slot};
use tmr_core::wire::Reply;

/// The link of the operator that orders a front to lead.
const ADMIN: LinkId = LinkId(1000);
const ACTIVATE: &str = "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";

/// An output of a front. Backends are given by their place in its list.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// An order to a backend.
    Order(usize, Message),
    /// A reply to a client: status and result.
    Reply(LinkId, u32, u32),
    /// A client's link is closed.
    Dropped(LinkId),
    /// A backend is dialled.
    Dial(usize),
}

/// What a front knows to be committed.
#[derive(Debug)]
pub(crate) struct KnownLog {
    /// The slot before the first entry.
    pub(crate) base: Slot,
    pub(crate) entries: Vec<u64>,
    /// The handles that are held by these entries.
    pub(crate) held: Vec<u32>,
    /// By these entries a disk is a member that the group was not born with.
    pub(crate) grown: bool,
}

/// A front.
#[derive(Debug)]
pub(crate) struct FrontNode {
    pub(crate) node: Front,
    names: Arc<Names>,
    /// The print that distinguishes it from others.
    pub(crate) id: u64,
    /// Its print apart from backends, and the print of each backend for it.
    pub(crate) prints: (u64, [u64; 3]),
    /// The prints of what it knows about each backend's disks, and of what each backend has
    /// reported about them.
    pub(crate) about: [u64; 4],
    pub(crate) told: [[u64; 4]; 3],
    /// The print of all this without the pending orders.
    pub(crate) still: u64,
    /// Whether the next report of a backend is about a claim that is over for good.
    pub(crate) past: [bool; 3],
    pub(crate) log: KnownLog,
    /// The epoch under which it leads.
    pub(crate) leads: Option<Epoch>,
    /// Whether it decides calls.
    pub(crate) decides: bool,
    /// The highest epoch that it has seen.
    pub(crate) highest: Epoch,
}

impl FrontNode {
    /// Returns a front that has just started, the `number`th of all, with these backends in its
    /// list.
    pub(crate) fn start(
        number: u32,
        backends: [usize; 3],
        names: &Arc<Names>,
        said: &mut Vec<Said>,
    ) -> Arc<Self> {
        let port = |backend| u16::try_from(backend).expect("few backends");
        let address = |backend| Address { host: "backend".into(), port: port(backend) };
        let seed = [100 + u8::try_from(number).expect("few fronts are started"); 32];
        let mut node = Front::new(Config {
            identity: identity(),
            backends: backends.map(address),
            retry: Duration::from_secs(1),
            unfenced: false,
            virtuals: Vec::new(),
            cleanup: CLEANUP_DEFAULT,
            policy: Default::default(),
            twin: None,
            front: number + 1,
            handle_key: tmr_core::service::HandleKey::default(),
            seed,
        });
        step(&mut node, names, Input::Tick, said);
        Self::of(node, names)
    }

    fn of(node: Front, names: &Arc<Names>) -> Arc<Self> {
        let name = |disk| names.of(disk);
        let Fingerprint { own, peers, asked, disks, told } = node.fingerprint(NOW, &name);
        let CommittedLog { base, entries, state } = node.committed_log();
        let entries = entries.iter().map(entry_print).collect();
        let mut members = state.members().into_iter().flatten();
        let grown = members.any(|disk| names.is_new(*disk));
        let held = state.seats().map(|seat| seat.handle.0).collect();
        let log = KnownLog { base, entries, held, grown };
        let prints = (print(&own), [0, 1, 2].map(|index| print(&(&peers[index], &asked[index]))));
        let about = names.sort(disks);
        let told = told.map(|told| names.sort(told));
        let still = print(&(&own, &peers, about, told));
        let id = print(&(prints, about, told));
        let past = BackendId::ALL.map(|id| node.is_past(id));
        let leads = node.leads();
        let decides = node.decides(NOW);
        let highest = node.highest();
        let names = Arc::clone(names);
        Arc::new(Self {
            node,
            names,
            id,
            prints,
            about,
            told,
            still,
            past,
            log,
            leads,
            decides,
            highest,
        })
    }

    /// Returns its state and its outputs after an event.
    pub(crate) fn then(&self, event: &Event) -> (Arc<Self>, Arc<[Said]>) {
        let (mut node, mut said) = (self.node.clone(), Vec::new());
        happen(&mut node, &self.names, event, &mut said);
        (Self::of(node, &self.names), said.into())
    }
}

/// Returns the place of a backend in every list: the first two are in all of them.
pub(crate) fn place(backend: usize) -> usize {
    backend.min(2)
}

/// Steps a front.
fn step(node: &mut Front, names: &Names, input: Input, said: &mut Vec<Said>) {
    let mut out = Vec::new();
    node.step(NOW, input, &mut out);
    for intent in out {
        let peer = |link| (0..3).find(|&index| node.link_to(BackendId::ALL[index]) == Some(link));
        match intent {
            Intent::Dial { to, callee: PeerKind::Backend, .. } => {
                said.push(Said::Dial(place(to.port.into())));
            }
            Intent::Send { link, .. } if link == ADMIN => {}
            Intent::Send { link, frame } => match peer(link) {
                Some(index) => said.push(Said::Order(index, Message::order(frame, names))),
                None => {
                    let reply = Reply::parse(&frame).expect("a front sends whole replies");
                    said.push(Said::Reply(link, reply.status.code(), reply.result));
                }
            },
            Intent::Close { link, reason: CloseReason::Stepped(_) } => {
                said.push(Said::Dropped(link));
            }
            Intent::Close { link, .. } if link == ADMIN => {}
            Intent::Host(
                HostRequest::Vip(_)
                | HostRequest::AdminFiles(AdminFilesRequest::Audit(_))
                | HostRequest::History(HistoryRequest::Record(_)),
            ) => {}
            other => panic!("not foreseen of a front: {other:?}"),
        }
    }
}

/// An event at a front. Backends are given by their place in its list.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Event {
    /// A backend's report arrives.
    Report(usize, Message),
    /// The link to a backend is gone.
    Broken(usize),
    /// The link to a backend stands.
    Joined(usize),
    /// An operator orders it to lead.
    Activate,
    /// A client connects and makes a call.
    Call(u64, Vec<u8>),
    /// A client is gone.
    Closed(u64),
    /// A timer fires.
    Timer(Timer),
}

/// Steps a front by an event, and collects its outputs.
fn happen(node: &mut Front, names: &Names, event: &Event, said: &mut Vec<Said>) {
    let link_to =
        |node: &Front, index: usize| node.link_to(BackendId::ALL[index]).expect("it was dialled");
    match event {
        Event::Report(index, message) => {
            let order = node.oldest_order(BackendId::ALL[*index]).expect("it has asked for it");
            let frame = Frame::Batch(message.answer(order));
            step(node, names, Input::Frame { link: link_to(node, *index), frame }, said);
        }
        Event::Broken(index) => step(node, names, closed(link_to(node, *index)), said),
        Event::Joined(index) => {
            let frame = Frame::Joined { front: 0, minor: 1 };
            step(node, names, Input::Frame { link: link_to(node, *index), frame }, said);
        }
        Event::Activate => {
            let from = ([127, 0, 0, 1], 9).into();
            step(
                node,
                names,
                Input::Accepted { link: ADMIN, listener: Listener::Admin, from },
                said,
            );
            let frame = Frame::Http(ACTIVATE.into());
            step(node, names, Input::Frame { link: ADMIN, frame }, said);
            step(node, names, closed(ADMIN), said);
        }
        Event::Call(link, call) => {
            let (link, frame) = (LinkId(*link), Frame::Call(call.clone()));
            step(
                node,
                names,
                Input::Accepted { link, listener: Listener::Licence, from: client() },
                said,
            );
            step(node, names, Input::Frame { link, frame }, said);
        }
        Event::Closed(link) => step(node, names, closed(LinkId(*link)), said),
        Event::Timer(timer) => {
            if node.let_fire(*timer) {
                step(node, names, Input::Tick, said);
            }
        }
    }
}

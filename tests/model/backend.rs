//! A real backend with its disk, its fingerprint, and the only way to step it.

use crate::node::{Message, NOW, Names, closed, entry_print, identity, print, told_of};
use std::sync::Arc;
use tmr_core::backend::{Backend, Config};
use tmr_core::io::{BackendEvent, HostRequest, Input, Intent};
use tmr_core::licence::Container;
use tmr_core::link::{Frame, LinkId};
use tmr_core::log::{AcceptedEntry, DiskId, Entry, Epoch, Slot};

/// What a backend has of the log.
#[derive(Debug)]
pub(crate) struct LogCopy {
    /// The slot before the first entry.
    pub(crate) base: Slot,
    pub(crate) entries: Vec<u64>,
    /// The last slot that the backend knows to be chosen.
    pub(crate) committed: Slot,
    /// The last slot that it has.
    pub(crate) last: Slot,
    /// The handles that are on its disk, in the log or in what stands for its beginning.
    pub(crate) durable: Vec<u32>,
}

/// A backend and its disk.
#[derive(Debug)]
pub(crate) struct BackendNode {
    /// The print that distinguishes it from others.
    pub(crate) id: u64,
    /// Its print apart from its number and from `about`.
    pub(crate) print: u64,
    /// The print of what it was told about each backend's disks.
    pub(crate) about: [u64; 4],
    index: usize,
    names: Arc<Names>,
    containers: Arc<[Container]>,
    node: Backend,
    disk: Vec<u8>,
    /// Its state after a power cut.
    reborn: (Backend, Vec<u8>),
    pub(crate) promised: Epoch,
    pub(crate) log: LogCopy,
}

impl BackendNode {
    /// Returns a blank backend that has just started.
    pub(crate) fn start(index: usize, container: Container, names: &Arc<Names>) -> Arc<Self> {
        let containers: Arc<[Container]> = [container].into();
        let (node, disk) = boot(index, &containers, names, Vec::new());
        Self::of(index, containers, Arc::clone(names), node, disk)
    }

    fn of(
        index: usize,
        containers: Arc<[Container]>,
        names: Arc<Names>,
        node: Backend,
        disk: Vec<u8>,
    ) -> Arc<Self> {
        let reborn = boot(index, &containers, &names, disk.clone());
        let both = [&node, &reborn.0];
        let own = print(&both.map(|node| (node.fingerprint(), names.of(node.disk()))));
        let about = both.map(|node| names.sort(node.told().iter().map(told_of)));
        let about = [0, 1, 2, 3].map(|backend| match about.map(|about| about[backend]) {
            [0, 0] => 0,
            known => print(&known),
        });
        let (base, entries, committed, promised) = node.copy();
        let last = Slot(base.0 + entries.len() as u64);
        let entries = entries.iter().map(|stored| entry_print(&stored.entry)).collect();
        let granted = |stored: AcceptedEntry| match stored.entry {
            Entry::Grant(grant) => Some(grant.handle),
            _ => None,
        };
        let durable = reborn.0.copy().1.into_iter().filter_map(granted).chain(reborn.0.held());
        let durable = durable.map(|handle| handle.0).collect();
        let log = LogCopy { base, entries, committed, last, durable };
        let id = print(&(index, own, about));
        Arc::new(Self {
            id,
            print: own,
            index,
            names,
            about,
            containers,
            node,
            disk,
            reborn,
            promised,
            log,
        })
    }

    /// Returns whether its promise and its slots are at least those of another one.
    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
        self.promised >= other.promised && self.log.last >= other.log.last
    }

    /// Returns its state and its reports after an event, with all effects on its disk.
    pub(crate) fn then(&self, happened: &Happened) -> (Arc<Self>, Arc<[Message]>) {
        let (mut node, mut disk, mut reports) = (self.node.clone(), self.disk.clone(), Vec::new());
        let names = &*self.names;
        match happened {
            Happened::Order(front, message) => {
                take(&mut node, names, Some(&mut disk), ordered(*front, message), &mut reports);
            }
            Happened::OrderThenPowerCut(front, message) => {
                take(&mut node, names, None, ordered(*front, message), &mut reports);
                (node, disk) = self.reborn.clone();
            }
            Happened::PowerCut => (node, disk) = self.reborn.clone(),
            Happened::Lost(front) => {
                take(&mut node, names, Some(&mut disk), closed(link_of(*front)), &mut reports);
            }
            Happened::Joined(front) => {
                let frame = Frame::Joined { front: 0, minor: 1 };
                let input = Input::Frame { link: link_of(*front), frame };
                take(&mut node, names, Some(&mut disk), input, &mut reports);
            }
        }
        if let Happened::Order(_, message) | Happened::OrderThenPowerCut(_, message) = happened {
            reports.iter_mut().for_each(|report| report.joined = message.joined);
        }
        let containers = Arc::clone(&self.containers);
        let after = Self::of(self.index, containers, Arc::clone(&self.names), node, disk);
        (after, reports.into())
    }
}

/// An event at a backend.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Happened {
    /// An order of a front arrives.
    Order(usize, Message),
    /// The same, and its power is cut before any effect is on its disk. Immediate reports are on
    /// their way.
    OrderThenPowerCut(usize, Message),
    /// Its power is cut. It starts again from its disk.
    PowerCut,
    /// The link of a front is gone.
    Lost(usize),
    /// A front has proved that it has the group key.
    Joined(usize),
}

/// Returns the name of a front's link at a backend. Old and new links of a front have the same
/// name, because a backend only needs to know that the front is there.
fn link_of(front: usize) -> LinkId {
    LinkId(10 + front as u64)
}

fn ordered(front: usize, message: &Message) -> Input {
    Input::Frame { link: link_of(front), frame: Frame::Batch(message.bytes.to_vec()) }
}

/// Returns a backend that has just started.
fn open(index: usize, containers: &[Container], disk: &[u8]) -> Backend {
    let config = Config {
        identity: identity(),
        containers: containers.to_vec(),
        group_check: *b"checksum",
        handle_key: tmr_core::service::HandleKey::default(),
        seed: [u8::try_from(index).expect("one of four"); 32],
    };
    let journal = (!disk.is_empty()).then_some(disk);
    let (node, keep) = Backend::open(config, journal).expect("a journal that was written whole");
    assert_eq!(keep, disk.len(), "every batch is whole");
    node
}

/// Returns the disks of a backend: the first one, and the one with which it begins anew.
pub(crate) fn disks(index: usize) -> [DiskId; 2] {
    let node = open(index, &[], &[]);
    [node.disk(), node.next_disk()]
}

fn boot(
    index: usize,
    containers: &[Container],
    names: &Names,
    mut disk: Vec<u8>,
) -> (Backend, Vec<u8>) {
    let mut node = open(index, containers, &disk);
    take(&mut node, names, Some(&mut disk), Input::Tick, &mut Vec::new());
    (node, disk)
}

/// Steps a backend, and finishes its writes if there is a disk.
fn take(
    node: &mut Backend,
    names: &Names,
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
                Intent::Send { frame, .. } => reports.push(Message::report(frame, names)),
                Intent::Host(HostRequest::Journal(write)) => {
                    let Some(disk) = &mut disk else { continue };
                    if write.is_whole() {
                        disk.clear();
                    }
                    disk.extend(write.into_bytes());
                    inputs.push(BackendEvent::JournalWritten.into());
                }
                other => panic!("not foreseen of a backend: {other:?}"),
            }
        }
    }
}

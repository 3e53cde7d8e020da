//! A real backend and its disk, what it is told from others by, and the one way to step it.

use crate::node::{Message, NOW, closed, entry_print, identity, print};
use std::sync::Arc;
use tmr_core::backend::{Backend, Config};
use tmr_core::io::{Frame, Input, Intent, Link};
use tmr_core::licence::Container;
use tmr_core::log::{DiskId, Epoch, Slot, Stored};

/// A backend and its disk.
#[derive(Debug)]
pub(crate) struct BackendNode {
    /// What it is told from others by, and from others of its number.
    pub(crate) id: u64,
    pub(crate) print: u64,
    index: usize,
    pub(crate) disk_id: DiskId,
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
        let own = print(&(node.fingerprint(), reborn.0.fingerprint()));
        let (base, entries, committed, promised) = node.copy();
        let log = (base, entries.iter().map(|stored| entry_print(&stored.entry)).collect());
        let durable = reborn.0.copy().1;
        let id = print(&(index, own));
        Arc::new(Self {
            id,
            print: own,
            index,
            disk_id: node.disk(),
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
                let frame = Frame::Joined { front: 0, minor: 1 };
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
    let config = Config {
        identity: identity(),
        containers: containers.to_vec(),
        group_check: *b"checksum",
        seed: [u8::try_from(index).expect("one of four"); 32],
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
                Intent::Rewrite(bytes) | Intent::BeginAnew(bytes) => {
                    let Some(disk) = &mut disk else { continue };
                    **disk = bytes;
                    inputs.push(Input::Written);
                }
                other => panic!("not foreseen of a backend: {other:?}"),
            }
        }
    }
}

//! What fronts and backends of the model have in common: the time, what tells one thing from
//! another, and messages between them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tmr_core::desk::Identity;
use tmr_core::io::{Input, Link, Why};
use tmr_core::log::{DiskId, Entry, Epoch, Setting};
use tmr_core::time::{Mono, Now, Wall};
use tmr_core::wire::group::{Order, correlate, decode};

/// The only time there is.
pub(crate) const NOW: Now = Now { mono: Mono(3_600_000_000), wall: Wall(1_795_287_600) };

/// What is told from others by 64 bits.
pub(crate) fn print(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn entry_print(entry: &Entry) -> u64 {
    print(&format!("{entry:?}"))
}

/// What tells disks apart: those of one kind are members of the same sets, and seen by the same
/// fronts.
#[derive(Clone, Debug)]
pub(crate) struct Kinds(Arc<[(DiskId, u8)]>);

impl Kinds {
    pub(crate) fn new(disks: impl Iterator<Item = (DiskId, u8)>) -> Self {
        Self(disks.collect())
    }

    /// The kind of a disk.
    pub(crate) fn of(&self, disk: DiskId) -> u8 {
        let known = self.0.iter().find(|(known, _)| *known == disk);
        known.expect("only disks of this run are named").1
    }
}

/// A message between a front and a backend, without its number: reports of a link come in the
/// order of their orders.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Arc<[u8]>,
    print: u64,
    /// Of an order.
    pub(crate) epoch: Option<Epoch>,
    /// It is an order that brings a change of members.
    pub(crate) members: bool,
}

impl Message {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
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
        let members = orders.iter().any(|order| match &order.body {
            Order::Append { entries, .. } => {
                entries.iter().any(|entry| matches!(entry, Entry::Configure(Setting::Members(_))))
            }
            _ => false,
        });
        Self { print: print(&bytes), bytes: bytes.into(), epoch, members }
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

pub(crate) fn closed(link: Link) -> Input {
    Input::Closed { link, why: Why::Eof, unsent: false }
}

pub(crate) fn client() -> SocketAddr {
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 40_000).into()
}

pub(crate) fn identity() -> Identity {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Identity { name: "server".into(), runtime: "model", address }
}

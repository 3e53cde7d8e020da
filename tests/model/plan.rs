//! The bounds of a run: what happens at most how often. What lies beyond them is left out.

use crate::memo::Memo;
use crate::node::{BackendNode, FrontNode, Message, Said};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tmr_core::licence::Container;
use tmr_tests::sim::licences;

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// Seats of the licence.
    pub(crate) quantity: usize,
    /// Its product code.
    pub(crate) product: u32,
    /// The third backend's part differs.
    pub(crate) odd: bool,
    /// Claims after the first front's: so many epochs more.
    pub(crate) claims: u8,
    /// Seats that clients have at the beginning, and accesses after that.
    pub(crate) held: u8,
    pub(crate) accesses: u8,
    /// Links that break while both ends live.
    pub(crate) breaks: u8,
    pub(crate) backend_crashes: u8,
    pub(crate) front_crashes: u8,
    /// Calls that are given up because two backends did not confirm them in time.
    pub(crate) timeouts: u8,
    /// Handles whose clean-up time ends.
    pub(crate) silences: u8,
    /// Clients that go away while they wait.
    pub(crate) hangups: u8,
    pub(crate) heartbeats: u8,
    /// Steps of fronts and backends.
    pub(crate) fronts: Memo<(u64, u64), (Arc<FrontNode>, Arc<[Said]>)>,
    pub(crate) backends: Memo<(u64, u64), (Arc<BackendNode>, Arc<[Message]>)>,
    /// An access was refused because no seat was free.
    pub(crate) full: AtomicBool,
}

impl Plan {
    pub(crate) fn containers(&self) -> [Container; 3] {
        let mut containers = licences::containers(false).clone();
        if self.odd {
            containers[2] = licences::reissued(2, &containers[2], self.product, 50);
        }
        containers
    }
}

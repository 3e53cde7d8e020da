//! The log on its way to three backends: this front's copy, the links to the backends, how far each
//! has come, which of them count, and how one that is behind is repaired.
//!
//! What never lives here: whether this front leads. Each call passes that in its [`Context`].

pub(super) mod backend_link;
mod connection;
mod disk_writes;
pub(super) mod eligibility;
mod exclusion;
pub(super) mod follower;
pub(super) mod link_state;
pub(super) mod membership;
mod memory_loss;
pub(super) mod pending_orders;
mod progress;
pub(super) mod replicated_log;
mod reported;
pub(super) mod rounds;
mod trouble;
pub(super) mod vote;

use super::Config;
use super::leadership::phase::Phase;
use super::twin::Twin;
use super::usage::Usage;
use crate::base::network::Address;
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Epoch;
use crate::messages::group::Order;
use alloc::vec::Vec;
use backend_link::BackendLink;
use membership::Remembered;
use memory_loss::Doubt;
use replicated_log::ReplicatedLog;
use rounds::Rounds;

/// The copy of the log, and the backends that it goes to.
#[derive(Clone, Debug)]
pub(super) struct Replication {
    backends: [BackendLink; 3],
    log: ReplicatedLog,
    rounds: Rounds,
    /// What is known of a group beyond the copy of its log.
    witness: Remembered,
    /// The group's memory seems to be lost.
    doubt: Option<Doubt>,
    /// When the first connection is made anew; set while one backend is reached by two addresses.
    doubled_until: Option<Mono>,
}

/// What replication needs to know of the rest of the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) phase: &'a Phase,
    /// Fewer than two of the backends that were last read are members.
    pub(super) unproved: bool,
    pub(super) usage: &'a Usage,
    pub(super) twin: Option<&'a Twin>,
}

impl Context<'_> {
    fn leads(&self) -> bool {
        matches!(self.phase, Phase::Leading { .. })
    }

    fn epoch(&self) -> Option<Epoch> {
        self.phase.epoch()
    }
}

impl Replication {
    /// Returns an empty log, and backends that are due to be dialled at once.
    pub(super) fn new(backends: &[Address; 3]) -> Self {
        Self {
            backends: backends.each_ref().map(|address| BackendLink::new(address.clone())),
            log: ReplicatedLog::default(),
            rounds: Rounds::default(),
            witness: Remembered::default(),
            doubt: None,
            doubled_until: None,
        }
    }

    /// Returns this front's copy of the log.
    pub(super) fn log(&self) -> &ReplicatedLog {
        &self.log
    }

    /// Lends this front's copy of the log.
    pub(super) fn log_mut(&mut self) -> &mut ReplicatedLog {
        &mut self.log
    }

    /// Returns the three backends, by place.
    pub(super) fn backends(&self) -> &[BackendLink; 3] {
        &self.backends
    }

    /// Lends the three backends, by place.
    pub(super) fn backends_mut(&mut self) -> &mut [BackendLink; 3] {
        &mut self.backends
    }

    /// Lends the copy of the log and the three backends at once.
    pub(super) fn log_and_backends(&mut self) -> (&mut ReplicatedLog, &mut [BackendLink; 3]) {
        (&mut self.log, &mut self.backends)
    }

    /// Returns the backend at this place.
    pub(super) fn backend(&self, id: BackendId) -> &BackendLink {
        &self.backends[id]
    }

    /// Lends the backend at this place.
    pub(super) fn backend_mut(&mut self, id: BackendId) -> &mut BackendLink {
        &mut self.backends[id]
    }

    /// Returns the place of the backend that this link leads to.
    pub(super) fn backend_of(&self, link: LinkId) -> Option<BackendId> {
        BackendId::all().find(|&id| self.backends[id].link() == Some(link))
    }

    /// Marks the link of a backend as up, and asks the backend for its description.
    pub(super) fn joined(&mut self, now: Mono, link: LinkId, minor: u16, out: &mut Vec<Intent>) {
        let Some(id) = self.backend_of(link) else { return };
        let backend = &mut self.backends[id];
        backend.joined(now, link, minor);
        backend.ask(now, OrderPurpose::Describe, &Order::Describe, out);
    }

    /// Returns whether at least two backends are known and not left out.
    pub(super) fn could_serve(&self) -> bool {
        self.backends.iter().filter(|backend| backend.counts()).count() >= 2
    }

    /// Returns how many backends follow the log.
    pub(super) fn following(&self) -> usize {
        self.backends.iter().filter(|backend| backend.follows()).count()
    }

    /// Puts another backend in the place of one that is no longer configured.
    pub(super) fn replace(&mut self, id: BackendId, address: Address) {
        self.backends[id] = BackendLink::new(address);
        self.backends[id].set_round(self.rounds.round());
    }

    /// Returns what is known of the group beyond the copy of its log.
    #[cfg(feature = "model")]
    pub(super) fn witness(&self) -> &Remembered {
        &self.witness
    }
}

//! The log on its way to three backends: this front's copy, the links to the backends, how far each
//! has come, which of them count, and how one that is behind is repaired.
//!
//! What never lives here: whether this front leads. Each call passes that in its [`Context`].
//!
//! | file | contents |
//! |---|---|
//! | `replicated_log` | this front's copy of the log, and the two states that follow from it |
//! | `backend_link` | one backend as seen by this front; it owns what the next six rows keep |
//! | `connection`, `link_state` | its connection |
//! | `reported` | what it has reported of itself |
//! | `pending_orders` | its orders without a report |
//! | `follower` | how far it follows the log |
//! | `eligibility`, `trouble` | whether it counts, and in words why not |
//! | `disk_writes` | how long its disk takes |
//! | `progress` | entries and states on their way to the backends, and repair |
//! | `membership`, `rounds`, `vote` | which acknowledgements and confirmations count |
//! | `exclusion`, `memory_loss` | disks that are left out, and memory that is lost |
//!
//! Tests: `front/tests/` (`repair.rs`, `members.rs`, `old_disks.rs`, `fence.rs`), the unit tests of
//! `replicated_log` and `vote`, and the model.

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

/// The copy of the log, the backends that it goes to, and what is known of the group beside it.
#[derive(Clone, Debug)]
pub(super) struct Replication {
    backends: [BackendLink; 3],
    log: ReplicatedLog,
    rounds: Rounds,
    /// What is known of a group beyond the copy of its log.
    witness: Remembered,
    /// Since when the group's memory seems to be lost; `None`: it does not.
    doubt: Option<Doubt>,
    /// While one backend is reached by two addresses: when the earlier connection is made anew, so
    /// that its address is looked up again.
    doubled_until: Option<Mono>,
}

/// What replication needs to know of the rest of the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) phase: &'a Phase,
    /// Whether fewer than two of the backends that the last claim read are members.
    pub(super) unproved: bool,
    pub(super) usage: &'a Usage,
    pub(super) twin: Option<&'a Twin>,
}

impl Context<'_> {
    /// Returns whether this front leads.
    fn leads(&self) -> bool {
        matches!(self.phase, Phase::Leading { .. })
    }

    /// Returns the epoch under which this front writes, or is about to.
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

    /// Returns the backend that this link leads to; `None` for any other link.
    pub(super) fn backend_of(&self, link: LinkId) -> Option<BackendId> {
        BackendId::all().find(|&id| self.backends[id].link() == Some(link))
    }

    /// Marks the link of a backend as up, and asks the backend for its description. `minor` is the
    /// minor version that both ends speak.
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

    /// Puts the backend at this address in the place of one that is no longer configured.
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

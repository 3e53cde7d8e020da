//! Which front leads: the role of this front, its claims, the recovery of a group, planned
//! failover, and the fence that keeps a front from deciding anything that two members have not
//! confirmed.
//!
//! What never lives here: how the log is brought to the backends
//! ([`replication`](crate::front::replication)), and the meaning of calls.

pub(super) mod claim;
pub(super) mod clocks;
mod connections;
pub(super) mod date;
mod descriptions;
pub(super) mod failover;
mod fence;
mod founding;
pub(super) mod handling;
mod lending;
mod log_recovery;
mod obstacles;
mod other_leaders;
mod peer;
pub(super) mod phase;
mod readiness;
mod reading;
mod recovery;
mod recovery_plan;
mod reports;
pub(super) mod role;
mod sleep;
mod timers;

use super::calls::Calls;
use super::operator::Operator;
use super::replication::Replication;
use super::twin::Twin;
use super::usage::Usage;
use super::{Config, LinkNumbers};
use crate::base::random::Random;
use crate::base::time::{Mono, Wall};
use crate::log::Epoch;
use claim::Claim;
use date::GroupDate;
use failover::Failover;
use obstacles::Obstacles;
use phase::Phase;
use recovery::Recovery;
use role::Role;
use sleep::SleepDetector;

/// Whether this front leads, and everything that decides it.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    phase: Phase,
    role: Role,
    failover: Failover,
    /// The highest epoch that this front has seen anywhere.
    highest: Epoch,
    claim: Claim,
    obstacles: Obstacles,
    /// The date by which licences are judged.
    date: GroupDate,
    /// Whether this front has slept.
    sleep: SleepDetector,
    /// The recovery that an operator has ordered.
    recovery: Recovery,
    /// When the backends are next asked to confirm this front.
    heartbeat: Mono,
    /// Clients were dropped because no majority confirms this front.
    fenced: bool,
}

/// What the rest of the front lends to leadership.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) replication: &'a mut Replication,
    pub(super) calls: &'a mut Calls,
    pub(super) usage: &'a mut Usage,
    pub(super) twin: Option<&'a mut Twin>,
    pub(super) operator: &'a mut Operator,
    pub(super) random: &'a mut Random,
    pub(super) numbers: &'a mut LinkNumbers,
}

/// The same, to read only.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) config: &'a Config,
    pub(super) replication: &'a Replication,
    pub(super) calls: &'a Calls,
    pub(super) usage: &'a Usage,
    pub(super) twin: Option<&'a Twin>,
    pub(super) operator: &'a Operator,
}

impl Context<'_> {
    fn view(&self) -> View<'_> {
        View {
            config: self.config,
            replication: self.replication,
            calls: self.calls,
            usage: self.usage,
            twin: self.twin.as_deref(),
            operator: self.operator,
        }
    }
}

impl Leadership {
    /// Returns the leadership of a front that stands by until it is activated.
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Standby,
            role: Role::default(),
            failover: Failover::default(),
            highest: Epoch::default(),
            claim: Claim::default(),
            obstacles: Obstacles::default(),
            date: GroupDate::default(),
            sleep: SleepDetector::default(),
            recovery: Recovery::default(),
            heartbeat: Mono(0),
            fenced: false,
        }
    }

    /// Returns how far this front has come to lead.
    pub(super) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Returns whether this front leads.
    pub(super) fn leads(&self) -> bool {
        matches!(self.phase, Phase::Leading { .. })
    }

    /// Returns whether this front neither leads nor tries to.
    pub(super) fn is_standby(&self) -> bool {
        matches!(self.phase, Phase::Standby)
    }

    /// Returns the epoch under which this front writes, or is about to.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.phase.epoch()
    }

    /// Returns the highest epoch that this front has seen anywhere.
    #[cfg(feature = "model")]
    pub(super) fn highest(&self) -> Epoch {
        self.highest
    }

    /// Returns the epoch under which this front writes, or else the highest that it has seen.
    pub(super) fn latest_epoch(&self) -> Epoch {
        self.epoch().unwrap_or(self.highest)
    }

    /// Returns the role of this front.
    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    /// Forgets the virtual address: from now on the role is set by command only.
    pub(super) fn forget_address(&mut self) {
        self.role.forget_address();
    }

    /// Returns how far a planned failover has come.
    pub(super) fn failover(&self) -> &Failover {
        &self.failover
    }

    /// Returns the date that licences are judged by.
    pub(super) fn date(&self) -> Wall {
        self.date.now()
    }

    /// Sets when the backends are next asked to confirm this front.
    pub(super) fn ask_at(&mut self, at: Mono) {
        self.heartbeat = at;
    }

    /// In tests: a front that leads.
    #[cfg(test)]
    pub(super) fn leading(epoch: Epoch) -> Self {
        Self { phase: Phase::Leading { epoch }, ..Self::new() }
    }

    /// In tests: when the backends are asked for their confirmation again.
    #[cfg(test)]
    pub(super) fn heartbeat(&self) -> Mono {
        self.heartbeat
    }
}

#[cfg(feature = "model")]
mod model {
    use super::claim::Claim;
    use super::obstacles::Obstacles;
    use super::{Leadership, Phase};
    use crate::base::limits::CLAIMS_FUTILE;
    use crate::base::time::Mono;
    use crate::front::print::Print;
    use crate::log::DiskId;
    use alloc::format;

    impl Leadership {
        /// For an exhaustive check: ends the pause before a claim, or makes a claim time out.
        /// Returns `false` if there is neither.
        pub(in crate::front) fn let_claim_fire(&mut self, due: Mono) -> bool {
            match &mut self.phase {
                Phase::Standby | Phase::Leading { .. } => return false,
                Phase::Pausing { until } => *until = due,
                _ => self.claim.until = due,
            }
            true
        }

        /// For an exhaustive check: adds everything that makes a difference.
        pub(in crate::front) fn fingerprint(
            &self,
            now: Mono,
            print: &mut Print,
            name: &dyn Fn(DiskId) -> u8,
        ) {
            let Self {
                phase,
                role,
                failover,
                highest,
                claim: Claim { until: _, failures, partial, knew },
                // What was logged only concerns people.
                obstacles: Obstacles { unproved: _, shortfall, contradiction, logged: _ },
                // No licence of a check has a date, and no front sleeps in it.
                date: _,
                sleep: _,
                // Only an operator begins a recovery.
                recovery: _,
                heartbeat,
                fenced,
            } = self;
            assert!(!failover.holds_back() && !failover.turns_away());
            match phase {
                Phase::Pausing { .. } => print.add(&"pausing"),
                Phase::Reading(reading) => reading.fingerprint(print, name),
                phase => print.add(&format!("{phase:?}")),
            }
            role.fingerprint(print);
            print.add(&(highest, *heartbeat <= now, fenced));
            let partial = partial.as_ref().filter(|partial| partial.is_begun());
            print.add(&partial.map(|partial| partial.fingerprint(name)));
            print.add(&(failures.min(&CLAIMS_FUTILE), shortfall, knew, contradiction.is_some()));
        }
    }
}

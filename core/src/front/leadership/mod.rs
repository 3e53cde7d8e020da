//! Who leads: the role of this front, its claims, the recovery of a group, the planned failover, and
//! the fence that keeps a front from deciding anything that two members have not confirmed.

pub(super) mod claim;
pub(super) mod clocks;
pub(super) mod date;
pub(super) mod failover;
pub(super) mod fence;
pub(super) mod loss;
pub(super) mod obstacles;
pub(super) mod phase;
pub(super) mod readiness;
pub(super) mod recovery;
pub(super) mod reports;
pub(super) mod role;
pub(super) mod timers;
pub(super) mod vigil;

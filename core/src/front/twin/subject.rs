//! What the sender is lent of this front in each step: its role, its log and its usage history.
//!
//! What never lives here: what the twin has of it already, and when it is sent (that is `sender`,
//! `log_sender` and `history_sync`).

use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::log::Epoch;
use crate::messages::twin::TwinRole;

/// The role of this front, as reported to the twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct OwnRole {
    /// The role as the twin shows it: standby, starting or active.
    pub(in crate::front) part: TwinRole,
    /// The epoch under which this front leads, or the highest that it has seen.
    pub(in crate::front) epoch: Epoch,
    /// Whether this front leads, so that its log goes to the twin.
    pub(in crate::front) leads: bool,
}

/// What there is to send to the twin.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) own: OwnRole,
    pub(super) log: &'a ReplicatedLog,
    pub(super) history: &'a History,
}

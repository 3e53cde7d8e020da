//! What there is to send to the twin.

use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::log::Epoch;
use crate::messages::twin::TwinRole;

/// The role of this front, as reported to the twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct OwnRole {
    pub(in crate::front) part: TwinRole,
    /// The epoch under which it leads, or the highest that it has seen.
    pub(in crate::front) epoch: Epoch,
    pub(in crate::front) leads: bool,
}

/// What there is to send.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) own: OwnRole,
    pub(super) log: &'a ReplicatedLog,
    pub(super) history: &'a History,
}

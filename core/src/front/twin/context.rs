//! What the twin is lent of the rest of this front.

use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;

/// What the twin is lent of the rest of this front.
#[derive(Debug)]
pub(in crate::front) struct Context<'a> {
    /// Whether this front neither leads nor tries to: then its copy of the log may be the twin's.
    pub(in crate::front) stands_by: bool,
    pub(in crate::front) log: &'a mut ReplicatedLog,
    pub(in crate::front) history: &'a mut History,
}

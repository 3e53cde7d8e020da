//! The log on its way to three backends: this front's copy of it, the links to the backends, how far
//! each has got, which of them count, and how one that is behind is repaired.

pub(super) mod backend_link;
pub(super) mod disk_writes;
pub(super) mod exclusion;
pub(super) mod membership;
pub(super) mod progress;
pub(super) mod replicated_log;
pub(super) mod vote;

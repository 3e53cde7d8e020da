//! The boundary between a pure node and its runtime: [`Input`] in, [`Intent`] out.
//!
//! A runtime accepts, dials, reads, writes, waits and appends; it decides nothing. Inputs and
//! intents about a link that the other side does not know have no effect. What a node wants of its
//! host beside links is a [`HostRequest`], which the [`hub`](crate::node::hub) passes on unread;
//! the host answers and reports with a [`HostEvent`]. A new request therefore takes changes in
//! three places: here, in the code that makes it, and in the worker that performs it.
//!
//! What never lives here: a role. Roles are above this folder, as the node and the hub are.

mod input;
mod intent;

pub use input::{BackendEvent, ConfigNotStored, ConfigStoreResult, FrontEvent, HostEvent, Input};
pub use intent::{
    AdminFilesRequest, HistoryRequest, HostRequest, Intent, JournalWrite, VipRequest,
};

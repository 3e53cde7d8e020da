//! What crosses the boundary between a pure node and its runtime: [`Input`] in, [`Intent`] out.
//!
//! A runtime is accept, dial, read, write, wait and append; it decides nothing. A link that a node
//! does not know is a no-op on both sides. What a node wants of its machine beside links is a
//! [`HostRequest`], which the [`hub`](crate::node::hub) hands on unread, and the machine answers
//! and reports with a [`HostEvent`]. So a new request has a place in three files: here, where it is
//! asked for, and in the worker that does it.
//!
//! What never lives here: a role. Both of them stand above this folder, as the node and the hub do.

mod input;
mod intent;

pub use input::{BackendEvent, ConfigNotStored, ConfigStoreResult, FrontEvent, HostEvent, Input};
pub use intent::{
    AdminFilesRequest, HistoryRequest, HostRequest, Intent, JournalWrite, VipRequest,
};

//! The replicated log: epochs, slots, entries, and the state that follows from applying them.
//!
//! Fronts and backends share this code, so that a seat is counted in one way in one place. What
//! never lives here: proposing, accepting, and deciding what is committed (that is
//! [`front`](crate::front) and [`backend`](crate::backend)). The protocol as a whole:
//!
#![doc = include_str!("../../docs/consistency.md")]

mod container;
mod digest;
mod entry;
mod epoch;
mod state;
#[cfg(test)]
mod state_test;
mod witness;

pub use container::ContainerId;
pub use digest::Digest;
pub use entry::{
    AcceptedEntry, Client, Entry, Grant, Handle, HandleScope, LicenceKey, Mode, Setting,
};
pub use epoch::{DiskId, Epoch, GroupId, Slot};
pub use state::{Outcome, Refusal, Seat, State, Usage};
pub use witness::{Acked, Witness};

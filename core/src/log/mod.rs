//! The replicated log: what an epoch, a slot and an entry are, and the state that is their fold.
//!
//! Fronts and backends share this code, so that a seat is counted in one way in one place. What
//! never lives here: who proposes, who accepts, when something is committed (that is
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
pub use entry::{Client, Entry, Grant, Handle, Held, LicenceKey, Mode, Setting};
pub use epoch::{DiskId, Epoch, GroupId, Slot, Stored};
pub use state::{Outcome, Refusal, Seat, State, Usage};
pub use witness::{Acked, Witness};

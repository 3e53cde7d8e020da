//! One connection: its name ([`Link`]), its secured stream ([`channel`]), and all that it owes
//! ([`Connection`]).
//!
//! What never lives here: what a frame means (that is [`wire`](crate::wire) and the roles), and a
//! socket.

pub mod channel;
mod connection;
mod id;

pub use connection::{Connection, Flow, Layer, Outbox};
pub use id::{Address, Callee, Door, Frame, Link, ListenerId, NOT_READING, Why};

//! One connection: its name ([`Link`]) and its secured stream ([`channel`]).
//!
//! What never lives here: what a frame means (that is [`wire`](crate::wire) and the roles), and a
//! socket.

pub mod channel;
mod id;

pub use id::{Address, Callee, Door, Frame, Link, Why};

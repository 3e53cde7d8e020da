//! One connection: its name ([`LinkId`]), its secured stream ([`channel`]), and everything
//! unfinished between its ends ([`Connection`]).
//!
//! What never lives here: the meaning of a frame (that is [`wire`](crate::wire) and the roles), and
//! a socket.

pub mod channel;
mod connection;
pub mod greetings;
mod id;
mod metrics;
pub mod turns;

pub use connection::{Arrived, Connection, Flow, Layer, Outbox};
pub use id::{CloseReason, Frame, LinkId, Listener, ListenerId, NOT_READING, PeerKind};
pub use metrics::{HubMetrics, Limit};

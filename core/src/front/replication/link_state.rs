//! The state of a connection that this front opens.

use crate::base::time::Mono;
use crate::link::LinkId;

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum LinkState {
    /// Not connected; dialled again at this time.
    Down(Mono),
    /// Being dialled; given up at this time unless the peer proves the group key.
    Dialling(LinkId, Mono),
    /// The peer has proved the group key.
    Up(LinkId),
}

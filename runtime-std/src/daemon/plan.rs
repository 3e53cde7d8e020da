//! What a runtime is given to run.

use super::disk::Journal;
use super::entropy;
use std::net::TcpListener;
use tmr_core::channel::{GroupKey, Stream};
use tmr_core::hub::Hub;
use tmr_core::io::Door;

/// A node with all that it needs of this machine.
#[derive(Debug)]
pub struct Plan {
    /// The node and its links. Not stepped yet.
    pub hub: Hub,
    /// Where connections come in.
    pub doors: Vec<(Door, TcpListener)>,
    /// How the stream of a new connection begins.
    pub streams: Streams,
    /// A backend's; a front has none.
    pub journal: Option<Journal>,
}

/// Begins the stream of every connection.
#[derive(Clone, Debug)]
pub struct Streams {
    /// The key that fronts prove.
    pub group: GroupKey,
    /// The front that dials, by its id; `None`: this is a backend, and nothing is dialled.
    pub front: Option<u32>,
}

impl Streams {
    /// Of a connection that came in.
    #[must_use]
    pub fn accepted(&self, door: Door) -> Stream {
        match door {
            Door::Licence => {
                let group = if self.front.is_none() { Some(self.group.clone()) } else { None };
                Stream::licence(entropy::fresh(), group)
            }
            Door::Admin => Stream::admin(),
        }
    }

    /// Of a connection that was dialled.
    #[must_use]
    pub fn dialled(&self) -> Stream {
        Stream::dial_backend(entropy::fresh(), self.group.clone(), self.front.unwrap_or_default())
    }
}

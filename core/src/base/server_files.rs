//! Files of a server: those that it cannot use, its own that are not in their places any more, and
//! the room on its disk.

use alloc::string::String;
use serde::Serialize;

/// A file or folder of the server itself that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The state folder, and the journal in it.
    State,
    /// The socket of the machine itself.
    Socket,
}

/// What is in a place instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The path.
    pub path: String,
    /// What is wrong there, as text without the path.
    pub what: String,
}

/// The state of both places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// What is wrong with the state folder, if anything.
    pub state: Option<Misplaced>,
    /// What is wrong with the socket, if anything.
    pub socket: Option<Misplaced>,
}

impl Places {
    /// Records what is in a place; `None` if it is right. Returns whether that has changed.
    pub fn note(&mut self, place: Place, found: Option<Misplaced>) -> bool {
        let known = match place {
            Place::State => &mut self.state,
            Place::Socket => &mut self.socket,
        };
        let new = known.is_some() != found.is_some();
        *known = found;
        new
    }
}

/// The room left on a disk. Reported when it crosses a bound, so that reports are rare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Path of the folder.
    pub folder: String,
    /// Free bytes.
    pub free: u64,
}

/// A file that cannot be used: the server works without it, or with its earlier contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileTrouble {
    /// The path.
    pub file: String,
    /// What is wrong with it, as a sentence without the path.
    pub trouble: String,
    /// The remedy.
    pub what_to_do: String,
}

//! Files of a server: those that it cannot use, those that are not where it made them any more, and the
//! room on its disk.

use alloc::string::String;
use serde::Serialize;

/// What of the server's own is looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The state folder, and the journal in it.
    State,
    /// The socket by which the machine itself comes in.
    Socket,
}

/// What is found at a place instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The path.
    pub path: String,
    /// What is wrong there, in words without the path.
    pub what: String,
}

/// What is known of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Something is wrong with the state folder.
    pub state: Option<Misplaced>,
    /// Something is wrong with the socket.
    pub socket: Option<Misplaced>,
}

impl Places {
    /// Keeps what is found at a place; `None`: what belongs there. Returns whether that is new.
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

/// What is left of a disk. Told when it crosses a bound, so that it is not told all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Path of the folder.
    pub folder: String,
    /// Free bytes.
    pub free: u64,
}

/// A file of a server's that cannot be used: it serves without it, or with what was read from it
/// before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileTrouble {
    /// Its path.
    pub file: String,
    /// What is wrong with it, in a sentence without the path.
    pub trouble: String,
    /// What mends it.
    pub what_to_do: String,
}

//! Files that the server itself has made, and that are not where it made them any more: somebody has
//! removed them under it, or put something else there.

use super::Admin;
use alloc::string::String;

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

impl Admin {
    /// What is found where something of the server's own belongs; `None`: that. Returns whether that is
    /// new.
    pub fn misplace(&mut self, place: Place, found: Option<Misplaced>) -> bool {
        self.places.note(place, found)
    }

    /// What of the server's own is not where it belongs.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }
}

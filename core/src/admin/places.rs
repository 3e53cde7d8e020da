//! Files that the server itself has made, and that are not in their places any more.

use super::Admin;
use crate::base::server_files::{Misplaced, Place, Places};

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

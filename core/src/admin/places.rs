//! Files of the server itself that are not in their places any more.

use super::Admin;
use crate::base::server_files::{Misplaced, Place, Places};

impl Admin {
    /// Records what is in the place of a file of this server; `None` if the file itself is. Returns
    /// whether that has changed.
    pub fn misplace(&mut self, place: Place, found: Option<Misplaced>) -> bool {
        self.places.note(place, found)
    }

    /// Returns which files of the server are not in their places.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }
}

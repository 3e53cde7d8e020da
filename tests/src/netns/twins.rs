//! The link between the two fronts of a [`Pair`], which can be cut and restored.

use super::pair::{BACK, Pair, behind};
use crate::harness::until;

/// A hardware address that no machine has.
const NOBODY: &str = "02:00:00:00:00:01";

impl Pair {
    /// Cuts only the link between the two fronts, on the network of the backends: packets to each
    /// other go to an unused hardware address, and neither front gets an error.
    pub fn cut_twins(&self) {
        for front in 0..2 {
            let twin = behind(1 - front).to_string();
            let line = ["neigh", "replace", &twin, "lladdr", NOBODY, "dev", BACK];
            self.front(front).ip(&[&line[..], &["nud", "permanent"]].concat());
        }
    }

    /// Restores the link.
    pub fn heal_twins(&self) {
        for front in 0..2 {
            self.front(front).ip(&["neigh", "del", &behind(1 - front).to_string(), "dev", BACK]);
        }
    }

    /// Waits until both fronts say that the link between them is there, or is not.
    ///
    /// # Panics
    /// They do not within a minute.
    #[track_caller]
    pub fn wait_twins_connected(&self, connected: bool) {
        until("what both fronts say of their link", || {
            let says = |front| Some(self.status(front)?["twin"]["connected"] == connected);
            (says(0)? && says(1)?).then_some(())
        });
    }

    /// Waits until both fronts say that they are in sync.
    ///
    /// # Panics
    /// They do not within a minute.
    #[track_caller]
    pub fn wait_in_sync(&self) {
        until("the two fronts to be in sync", || {
            let says = |front| Some(self.status(front)?["twin"]["synced"] == true);
            (says(0)? && says(1)?).then_some(())
        });
    }
}

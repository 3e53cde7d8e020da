//! Whether this front serves, or could if it were told to lead: what `/readyz` says, and whether a
//! licence is to be had.
//!
//! What never lives here: who is left out, and what keeps a front from leading (that is `members`).

use crate::base::limits::CONFIRMED;
use crate::base::time::{Mono, Now};
use crate::front::replication::backend_link::{BackendLink, Progress};
use crate::front::replication::membership::is_unborn;
use crate::front::{Front, Phase};
use alloc::format;
use alloc::string::String;

impl Front {
    /// Whether this front decides calls: it leads, two backends follow, and two members of the group have
    /// confirmed it lately.
    #[must_use]
    pub fn decides(&self, now: Now) -> bool {
        self.serves(now.mono)
    }

    /// Whether a grant is possible here now, or would be as soon as this front is told to lead.
    ///
    /// # Errors
    /// Why it is not, in a sentence for people.
    pub(in crate::front) fn readiness(&self, now: Mono) -> Result<(), String> {
        let missing = || self.replication.missing();
        if self.config.unfenced {
            return match self.replication.could_serve() {
                true => Ok(()),
                false => {
                    Err(format!("fewer than two servers can be reached; missing: {}", missing()))
                }
            };
        }
        if let Some(obstacle) = self.obstacle() {
            return Err(obstacle);
        }
        if let Phase::Leading { .. } = self.phase {
            return match self.seems_to_serve(now) {
                true => Ok(()),
                false => Err(format!(
                    "this front leads, and no two backends have confirmed that for {} s; missing: {}",
                    CONFIRMED.as_secs(),
                    missing()
                )),
            };
        }
        if self.replication.has_two_members(&self.surroundings()) || self.could_found() {
            return Ok(());
        }
        if self.replication.remembers(&self.surroundings())
            && self.replication.counted().all(|(_, standing)| is_unborn(&standing))
        {
            return Err(format!(
                "this front remembers a group, and every backend that is here has an empty state \
                 folder; missing: {}",
                missing()
            ));
        }
        Err(format!(
            "fewer than two members of the group are here; missing: {}",
            self.replication.not_counted(&self.surroundings())
        ))
    }

    /// Whether a call can be decided, as people and keepalived are told: see
    /// [`Front::seems_confirmed`].
    fn seems_to_serve(&self, now: Mono) -> bool {
        let follows =
            |backend: &&BackendLink| matches!(backend.progress, Progress::Following { .. });
        let two = self.replication.backends().iter().filter(follows).count() >= 2;
        matches!(self.phase, Phase::Leading { .. }) && two && self.seems_confirmed(now)
    }

    /// All three backends are here and hold nothing, and nothing is known of a group that they held:
    /// one is born as soon as this front is told to lead.
    fn could_found(&self) -> bool {
        let unborn =
            self.replication.counted().filter(|(_, standing)| is_unborn(standing)).count() == 3;
        unborn && !self.replication.remembers(&self.surroundings())
    }
}

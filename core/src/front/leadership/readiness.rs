//! Whether this front serves, or could if it were ordered to lead: the answer of `/readyz`, and
//! whether a licence can be granted.
//!
//! What never lives here: which backends are left out (that is `exclusion`), and what keeps a front
//! from leading (that is `obstacles`).

use super::phase::Phase;
use super::{Leadership, View};
use crate::base::limits::CONFIRMED;
use crate::base::time::Mono;
use crate::front::replication::membership::is_unborn;
use alloc::format;
use alloc::string::String;

impl Leadership {
    /// Returns whether a grant is possible here now, or would be as soon as this front is ordered
    /// to lead.
    ///
    /// # Errors
    /// Why it is not, in a sentence for people.
    pub(in crate::front) fn readiness(&self, now: Mono, view: View<'_>) -> Result<(), String> {
        let missing = || view.replication.missing();
        if !view.config.backend_kind().keeps_log() {
            return match view.replication.could_serve() {
                true => Ok(()),
                false => {
                    Err(format!("fewer than two servers can be reached; missing: {}", missing()))
                }
            };
        }
        if let Some(obstacle) = self.obstacle(view) {
            return Err(obstacle);
        }
        if let Phase::Leading { .. } = self.phase {
            return match self.seems_to_serve(now, view) {
                true => Ok(()),
                false => Err(format!(
                    "this front leads, and no two backends have confirmed that for {} s; missing: {}",
                    CONFIRMED.as_secs(),
                    missing()
                )),
            };
        }
        if view.replication.has_two_members(&self.surroundings(view)) || self.could_found(view) {
            return Ok(());
        }
        if view.replication.remembers(&self.surroundings(view))
            && view.replication.counted().all(|(_, standing)| is_unborn(&standing))
        {
            return Err(format!(
                "this front remembers a group, and every backend that is here has an empty state \
                 folder; missing: {}",
                missing()
            ));
        }
        Err(format!(
            "fewer than two members of the group are here; missing: {}",
            view.replication.not_counted(&self.surroundings(view))
        ))
    }

    /// Whether calls can be decided, as reported to people and keepalived: see
    /// [`Leadership::seems_confirmed`].
    pub(super) fn seems_to_serve(&self, now: Mono, view: View<'_>) -> bool {
        let two = view.replication.following() >= 2;
        matches!(self.phase, Phase::Leading { .. }) && two && self.seems_confirmed(now, view)
    }

    /// Whether all three backends are connected and hold nothing, and no earlier group of theirs is
    /// known: a group is born as soon as this front is ordered to lead.
    pub(super) fn could_found(&self, view: View<'_>) -> bool {
        let unborn =
            view.replication.counted().filter(|(_, standing)| is_unborn(standing)).count() == 3;
        unborn && !view.replication.remembers(&self.surroundings(view))
    }

    /// Whether calls can be decided, and the role is not being given away.
    pub(in crate::front) fn begins(&self, now: Mono, view: View<'_>) -> bool {
        !self.failover.holds_back() && self.serves(now, view)
    }

    /// Whether this front receives what its clients send. A front that has dropped its clients ends
    /// none of their handles. Nor does one that has just woken, since what they sent meanwhile is
    /// not read yet.
    pub(in crate::front) fn hears_clients(&self, view: View<'_>) -> bool {
        let leads = matches!(self.phase, Phase::Leading { .. });
        leads && !self.fenced && view.replication.is_sure()
    }

    /// Whether calls can be decided: this front leads, is confirmed, and two backends follow.
    pub(in crate::front) fn serves(&self, now: Mono, view: View<'_>) -> bool {
        matches!(self.phase, Phase::Leading { .. })
            && view.replication.following() >= 2
            && self.is_confirmed(now, view)
    }
}

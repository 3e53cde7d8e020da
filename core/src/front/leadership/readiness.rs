//! Whether this front serves, or could if it were told to lead: what `/readyz` says, and whether a
//! licence is to be had.
//!
//! What never lives here: who is left out, and what keeps a front from leading (that is `members`).

use crate::base::limits::CONFIRMED;
use crate::base::time::{Mono, Now};
use crate::front::replication::backend_link::{BackendLink, Progress};
use crate::front::replication::membership::is_unborn;
use crate::front::{Front, Phase};
use crate::log::Slot;
use crate::messages::group::Standing;
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
        let missing = || self.missing();
        if self.config.unfenced {
            return match self.could_serve() {
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
        if self.has_two_members() || self.could_found() {
            return Ok(());
        }
        if self.remembers() && self.counted().all(|(_, standing)| is_unborn(&standing)) {
            return Err(format!(
                "this front remembers a group, and every backend that is here has an empty state \
                 folder; missing: {}",
                missing()
            ));
        }
        Err(format!(
            "fewer than two members of the group are here; missing: {}",
            self.not_counted()
        ))
    }

    /// Whether a call can be decided, as people and keepalived are told: see
    /// [`Front::seems_confirmed`].
    fn seems_to_serve(&self, now: Mono) -> bool {
        let follows =
            |backend: &&BackendLink| matches!(backend.progress, Progress::Following { .. });
        let two = self.backends.iter().filter(follows).count() >= 2;
        matches!(self.phase, Phase::Leading { .. }) && two && self.seems_confirmed(now)
    }

    /// Two members of the group are connected and counted.
    pub(in crate::front) fn has_two_members(&self) -> bool {
        self.members_here() >= 2
    }

    /// Members of the group that are connected and counted. The one that leads counts those that
    /// follow; another one knows how they stood when they last said so.
    pub(in crate::front) fn members_here(&self) -> usize {
        self.backends.iter().filter(|backend| self.counts_as_member(backend)).count()
    }

    /// A backend is connected, counted, and a member of the group.
    pub(in crate::front) fn counts_as_member(&self, backend: &BackendLink) -> bool {
        let leads = matches!(self.phase, Phase::Leading { .. });
        let group = if leads { self.log.group() } else { self.own_group() };
        let Some(standing) = backend.standing().filter(|_| group.is_some()) else { return false };
        let counts = match backend.progress {
            Progress::Following { .. } if leads => self.is_member(standing),
            _ if leads => false,
            _ => standing.group == group && !is_unborn(standing) && self.may_be_member(standing),
        };
        backend.exclusion.is_none() && counts
    }

    /// Whether a disk is a member, as far as this front knows. A copy of the log that is older than
    /// what the backend has says nothing of it: the disk may have been taken in since.
    fn may_be_member(&self, standing: &Standing) -> bool {
        let older = self.log.group() != standing.group
            || self.log.committed() < standing.committed
            || self.log.committed() == Slot(0);
        older || self.is_member(standing)
    }

    fn is_member(&self, standing: &Standing) -> bool {
        self.log.member_sets().all(|set| set.contains(&standing.disk))
    }

    /// All three backends are here and hold nothing, and nothing is known of a group that they held:
    /// one is born as soon as this front is told to lead.
    fn could_found(&self) -> bool {
        let unborn = self.counted().filter(|(_, standing)| is_unborn(standing)).count() == 3;
        unborn && !self.remembers()
    }
}

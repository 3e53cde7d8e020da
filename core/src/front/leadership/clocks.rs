//! The clocks that the date of the group follows.
//!
//! What never lives here: the rule by which clocks make a date ([`date`](super::date)), and which
//! clocks are known ([`reported`](crate::front::replication)).

use super::phase::Phase;
use super::{Leadership, View};
use crate::base::time::{Mono, Now};
use crate::front::BackendId;
use crate::front::replication::Replication;
use crate::front::replication::backend_link::BackendLink;

impl Leadership {
    /// Updates the date of the group. Machines that are left out of the group, or reached twice, do
    /// not take part.
    pub(in crate::front) fn update_date(&mut self, now: Now, replication: &Replication) {
        let told = |id: BackendId| {
            let backend = replication.backend(id);
            let clock = backend.reported().clock_now(now.mono);
            clock.filter(|_| backend.exclusion().is_none())
        };
        self.date.update(now, BackendId::ALL.map(told));
    }

    /// Whether this front misses the backends' clocks: it does not lead, so it does not get them
    /// with the heartbeat, and has not asked for them lately.
    pub(in crate::front) fn misses_clocks(&self, now: Mono, view: View<'_>) -> bool {
        let stale = |backend: &BackendLink| backend.reported().has_stale_clock(now);
        !matches!(self.phase, Phase::Leading { .. })
            && view.replication.backends().iter().any(stale)
    }
}

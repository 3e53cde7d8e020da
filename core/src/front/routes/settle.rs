//! What follows from an input: what each component does before the next one runs. The order is that
//! of the components, and comments give the reasons.

use crate::base::time::Now;
use crate::front::Front;
use crate::front::twin::Twin;
use crate::front::usage::{self, Usage};
use crate::io::Intent;
use alloc::vec::Vec;

impl Front {
    /// Does everything that follows from an input, until nothing more follows.
    pub(in crate::front) fn settle(&mut self, now: Now, out: &mut Vec<Intent>) {
        let (leadership, mut context) = self.with_leadership();
        if leadership.commit(now.mono, &mut context) {
            let (calls, mut context) = self.with_calls();
            calls.answer_committed(now.mono, &mut context, out);
            let (leadership, mut context) = self.with_leadership();
            leadership.admit(&mut context);
        }
        self.record_committed();
        let (leadership, mut context) = self.with_leadership();
        leadership.failover_settle(now.mono, &mut context, out);
        if self.leadership.leads() {
            self.serve(now, out);
        }
        let (leadership, mut context) = self.with_leadership();
        leadership.replicate(now.mono, &mut context, out);
        self.drop_incoming_calls(out);
        self.pass_settle(now.mono, out);
        // Otherwise the twin is informed after the stand-ins have run.
        if !self.config.backend_kind().has_stand_ins() {
            self.twin_settle(now, Vec::new(), out);
        }
        let (leadership, mut context) = self.with_leadership();
        leadership.failover_close(now.mono, &mut context, out);
    }

    /// Has the usage history record what was committed, unless the twin sends those lines.
    fn record_committed(&mut self) {
        let told =
            !self.leadership.leads() && !self.twin.as_ref().is_some_and(Twin::sends_no_history);
        let (usage, mut context) = self.recording();
        usage.record_committed(told, &mut context);
    }

    /// Lends the usage history what it needs to record.
    pub(in crate::front) fn recording(&mut self) -> (&mut Usage, usage::Context<'_>) {
        let leads = self.leadership.leads();
        let Self { usage, replication, calls, config, .. } = self;
        let log = replication.log_mut();
        (usage, usage::Context { leads, log, catalogue: &calls.virtuals().catalogue, config })
    }
}

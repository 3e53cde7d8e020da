//! What follows from an input: what each component does before the next one runs. The order is that
//! of the components, and comments give the reasons.

use crate::base::time::Now;
use crate::front::Front;
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
        let (leadership, mut context) = self.with_leadership();
        leadership.record_committed(&mut context);
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
}

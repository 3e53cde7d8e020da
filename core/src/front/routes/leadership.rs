//! Routes between leadership and the rest of the front.

use crate::base::time::Mono;
use crate::front::Front;
use crate::front::leadership::{Context, Leadership, View};
use crate::io::Intent;
use alloc::vec::Vec;

impl Front {
    /// Lends leadership what it needs.
    pub(in crate::front) fn with_leadership(&mut self) -> (&mut Leadership, Context<'_>) {
        let Self {
            leadership,
            config,
            replication,
            calls,
            usage,
            twin,
            operator,
            random,
            numbers,
            ..
        } = self;
        let twin = twin.as_mut();
        let context =
            Context { config, replication, calls, usage, twin, operator, random, numbers };
        (leadership, context)
    }

    /// Lends leadership what it only reads.
    pub(in crate::front) fn view(&self) -> View<'_> {
        let Self { config, replication, calls, usage, twin, operator, .. } = self;
        View { config, replication, calls, usage, twin: twin.as_ref(), operator }
    }

    /// Runs due timers.
    pub(in crate::front) fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let (leadership, mut context) = self.with_leadership();
        leadership.timers(now, &mut context, out);
        self.twin_timers(now, out);
        let (calls, mut context) = self.with_calls();
        calls.end_late(now, &mut context, out);
    }
}

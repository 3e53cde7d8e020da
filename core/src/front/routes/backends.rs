//! Between the backends and the rest of the front.

use crate::base::time::{Duration, Mono};
use crate::front::Front;
use crate::front::replication::{Context, Replication};
use crate::io::Intent;
use crate::messages::group::Facts;
use alloc::vec::Vec;

impl Front {
    /// What replication is told of the rest of this front.
    pub(in crate::front) fn surroundings(&self) -> Context<'_> {
        let Self { config, phase, usage, twin, .. } = self;
        Context { config, phase, unproved: self.unproved, usage, twin: twin.as_ref() }
    }

    /// Lends replication what it needs.
    pub(in crate::front) fn with_replication(&mut self) -> (&mut Replication, Context<'_>) {
        let Self { replication, config, phase, usage, twin, .. } = self;
        let twin = twin.as_ref();
        (replication, Context { config, phase, unproved: self.unproved, usage, twin })
    }

    /// Looks anew at which backends are left out, and why.
    pub(in crate::front) fn judge(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let (replication, context) = self.with_replication();
        if replication.judge(now, &context, out) {
            self.merge_parts();
        }
    }

    /// A backend that has promised begins to follow the log.
    pub(in crate::front) fn follow(&mut self, now: Mono, index: usize, out: &mut Vec<Intent>) {
        let (replication, context) = self.with_replication();
        if replication.follow(now, index, &context, out) {
            self.merge_parts();
        }
    }

    /// A backend has said more of itself.
    pub(in crate::front) fn told_facts(
        &mut self,
        now: Mono,
        index: usize,
        facts: Facts,
        out: &mut Vec<Intent>,
    ) {
        if self.replication.told_facts(now, index, facts) {
            self.judge(now, out);
        }
    }

    /// The end of a step: the group's memory seems to be lost, or does not any more.
    pub(in crate::front) fn doubt(&mut self, now: Mono) {
        let (replication, context) = self.with_replication();
        if replication.doubt(now, &context) {
            // After this step, so that no answer to an earlier question is taken for one to it.
            self.heartbeat = now + Duration::from_micros(1);
        }
    }
}

//! Routes between the backends and the rest of the front.

use crate::base::time::Mono;
use crate::front::Front;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::messages::group::{Report, decode};
use alloc::vec::Vec;

impl Front {
    /// Takes reports of a backend.
    pub(in crate::front) fn reports(
        &mut self,
        now: Mono,
        link: LinkId,
        batch: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let Some(index) = self.replication.backend_of(link) else { return };
        let (leadership, mut context) = self.with_leadership();
        let Ok(messages) = decode::<Report>(batch) else {
            let reason = CloseReason::Protocol("a backend sent no run of messages");
            return leadership.drop_backend(now, link, index, reason, &mut context, out);
        };
        for message in messages {
            leadership.report(now, index, message.correlation, message.body, &mut context, out);
        }
    }

    /// Handles a closed link. Returns whether it was one to a backend.
    pub(in crate::front) fn backend_closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
        out: &mut Vec<Intent>,
    ) -> bool {
        let Some(index) = self.replication.backend_of(link) else { return false };
        let (leadership, mut context) = self.with_leadership();
        leadership.lost_backend(now, index, reason, &mut context, out);
        true
    }

    /// Merges the parts again after a backend came, went, or changed its licences.
    pub(in crate::front) fn merge_parts(&mut self) {
        let (calls, context) = self.with_calls();
        calls.merge_parts(&context);
    }
}

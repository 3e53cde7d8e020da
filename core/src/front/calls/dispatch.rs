//! The decision on a call: answered at once, refused, proposed as an entry, or sent to a backend.

use super::any_one::Performance;
use super::pending::{Proposal, Waits};
use super::{Calls, Context, recording};
use crate::base::limits::UNCOMMITTED_MAX;
use crate::base::time::{Mono, Now};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Entry;
use crate::service::{CallAction, CallContext};
use crate::wire::{CmError, Request};
use alloc::vec::Vec;

/// A call that can be decided.
#[derive(Debug)]
pub(in crate::front) struct Call {
    pub(in crate::front) link: LinkId,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) request: Request,
    /// Its bytes as received, for a backend that is to do it.
    pub(in crate::front) bytes: Vec<u8>,
}

impl Calls {
    /// Decides a call.
    pub(in crate::front) fn serve(
        &mut self,
        now: Now,
        call: Call,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Call { link, until, request, bytes } = call;
        let request = &request;
        context.twin.iter_mut().for_each(|twin| twin.incoming_call_begins(link));
        let now = Now { wall: context.date, ..now };
        let state = context.log.speculative_state();
        let ground = CallContext { now, state, catalogue: &self.virtuals.catalogue };
        match self.service.call(link, request, &ground, out) {
            CallAction::Done => {}
            CallAction::Refused(error) => self.denied(link, request, error, context),
            // A release is always accepted: its handle is not watched any more, and there are no
            // more releases than handles.
            CallAction::Commit(Entry::Grant(_)) if context.log.uncommitted() >= UNCOMMITTED_MAX => {
                self.turn_down(link, request, CmError::REQUEST_OVERLOAD_REJECTED, context, out);
            }
            CallAction::Commit(entry) => {
                let waits = match &entry {
                    Entry::Grant(grant) => Waits::Grant(grant.clone()),
                    _ => Waits::Release,
                };
                self.commit(now.mono, Proposal { link, entry, waits, until }, context, out);
            }
            // Each stock server has its own counter, and none can be turned back: after a call that
            // two of them did and the third did not, they would differ for good.
            CallAction::Spend(_, _) if !context.config.backend_kind().gives_units_back() => {
                let error = CmError::COMMAND_NOT_SUPPORTED_BY_TMR;
                self.service.refuse(link, request, error, out);
            }
            CallAction::Spend(_, _) if context.log.uncommitted() >= UNCOMMITTED_MAX => {
                self.service.refuse(link, request, CmError::REQUEST_OVERLOAD_REJECTED, out);
            }
            CallAction::Spend(entry, licence) => {
                let waits = Waits::Spend(licence, bytes);
                self.commit(now.mono, Proposal { link, entry, waits, until }, context, out);
            }
            CallAction::Perform(licence) => {
                let performance = Performance { link, licence, call: bytes, until };
                self.perform(now.mono, performance, context, out);
            }
        }
    }

    /// Refuses a call, which may be an access.
    pub(in crate::front) fn turn_down(
        &mut self,
        link: LinkId,
        request: &Request,
        error: CmError,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.denied(link, request, error, context);
        self.service.refuse(link, request, error, out);
    }

    /// Records that an access is refused.
    fn denied(&self, link: LinkId, request: &Request, error: CmError, context: &mut Context<'_>) {
        let Some(asked) = self.service.asked(link, request) else { return };
        let (usage, lent) = recording(context, &self.virtuals);
        let denial = usage.denied(&asked, error, &lent);
        context.operator.note_denial(denial);
    }
}

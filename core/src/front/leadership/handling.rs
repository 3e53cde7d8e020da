//! Where a call of a client is decided: here, by the twin, later, or not at all.
//!
//! What never lives here: what a call means, and its answer.

use super::{Leadership, View};
use crate::base::time::Mono;
use crate::link::LinkId;
use crate::service::LicenceService;
use crate::wire::Request;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Handling {
    /// The twin decides it.
    PassOn,
    /// This front decides it.
    Decide,
    /// It waits until a front leads, or its time is over.
    Park,
    /// It is refused: this front does not lead, and is not about to.
    TurnDown,
}

impl Leadership {
    /// Returns what becomes of a call.
    pub(in crate::front) fn handling(
        &self,
        now: Mono,
        link: LinkId,
        request: &Request,
        view: View<'_>,
    ) -> Handling {
        // A call that the twin has passed on is not passed on again.
        if !link.is_passed() && self.passes(view) {
            Handling::PassOn
        } else if LicenceService::is_timeless(request) || self.begins(now, view) {
            Handling::Decide
        } else if self.role.is_to_lead() || link.is_passed() || self.may_pass(view) {
            Handling::Park
        } else {
            Handling::TurnDown
        }
    }
}

//! Decides an access: rules, mode, quantity, and the handle to grant.

use super::access_request::AccessRequest;
use super::{CallAction, CallContext, Decision, LicenceService, Offer};
use crate::base::limits::{HANDLES_MAX, SEATLESS_MAX, SEATLESS_PER_ADDRESS};
use crate::base::time::{Duration, Wall};
use crate::link::LinkId;
use crate::log::{
    ContainerId, Entry, Grant, Handle, HandleScope, LicenceKey, Mode, Refusal, State,
};
use crate::wire::{CmError, Request};

impl LicenceService {
    /// Returns what an access to a licence asks for, as a grant without a number; `None` for other
    /// calls.
    #[must_use]
    pub fn asked(&self, link: LinkId, request: &Request) -> Option<Grant> {
        let from = self.whereabouts(link)?.ip();
        let wanted = match request {
            Request::Access { access, .. } => AccessRequest::of_access(access, from),
            Request::Access2 { access, .. } => AccessRequest::of_access2(access, from),
            _ => return None,
        };
        if wanted.flags.subsystem || wanted.firm_code == 0 {
            return None;
        }
        let (firm_code, product_code) = (wanted.firm_code, wanted.product_code);
        let container = ContainerId::CmAct(wanted.container.cm_act_id);
        let key = LicenceKey { container, firm_code, product_code, tmr_id: 0 };
        let grant = self.grant(&wanted, HandleScope::Licence(key), Wall::default());
        Some(Grant { take: wanted.take, mode: wanted.mode.unwrap_or(grant.mode), ..grant })
    }

    pub(super) fn access(
        &mut self,
        wanted: &AccessRequest,
        context: &CallContext<'_>,
    ) -> Result<Decision, CmError> {
        if context.state.seat_count() >= HANDLES_MAX {
            return Err(CmError::NO_MORE_HANDLES);
        }
        if wanted.flags.borrow {
            return Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR);
        }
        wanted.admitted(&self.policy)?;
        if wanted.flags.subsystem {
            return self
                .give(self.grant(wanted, HandleScope::Subsystem, context.now.wall), context.state);
        }
        let containers = &context.catalogue.containers;
        let Some(container) = containers.iter().find(|it| it.is_wanted(&wanted.container)) else {
            return Err(CmError::BOX_NOT_FOUND);
        };
        if wanted.firm_code == 0 {
            let held = HandleScope::Container(container.serial);
            return self.give(self.grant(wanted, held, context.now.wall), context.state);
        }
        let mode = wanted.mode.ok_or(CmError::WRONG_ACCESS_MODE)?;
        let offers = context.catalogue.offers.values().filter(|offer| {
            offer.key.firm_code == wanted.firm_code
                && (wanted.flags.firm_item || offer.key.product_code == wanted.product_code)
                && context
                    .catalogue
                    .container_of(&offer.key)
                    .is_some_and(|it| it.is_wanted(&wanted.container))
        });
        // Several TMR-Ids of one product are tried in turn. The first error other than "no seat
        // free" is returned only if none of them can be granted.
        let mut error = CmError::ENTRY_NOT_FOUND;
        for offer in offers {
            if let Err(reason) = offer.usable(context, mode, wanted) {
                error = reason;
                continue;
            }
            let grant = if wanted.flags.firm_item {
                self.grant(wanted, HandleScope::FirmItem(offer.key), context.now.wall)
            } else {
                self.licence(wanted, mode, offer, context)
            };
            if let Err(refusal) = context.state.check(&grant) {
                error = refusal.into();
                continue;
            }
            return self.give(grant, context.state);
        }
        Err(error)
    }

    /// Returns a grant of a handle that takes no licence.
    fn grant(&self, wanted: &AccessRequest, held: HandleScope, since: Wall) -> Grant {
        Grant {
            handle: Handle(0),
            held,
            fingerprint: 0,
            quantity: 0,
            take: 1,
            mode: Mode::NoUserLimit,
            client: wanted.client.clone(),
            since,
            cleanup_seconds: whole_seconds(wanted.cleanup(self.cleanup)),
            linger_seconds: 0,
            starts_usage: false,
        }
    }

    /// Returns a grant of a handle for a licence.
    fn licence(
        &self,
        wanted: &AccessRequest,
        mode: Mode,
        offer: &Offer,
        context: &CallContext<'_>,
    ) -> Grant {
        let (product, since) = (&offer.product, context.now.wall);
        // A handle without a seat has nothing that could linger.
        let lingers = mode != Mode::NoUserLimit && !wanted.flags.no_linger;
        let mut grant = self.grant(wanted, HandleScope::Licence(offer.key), since);
        // Log entries identify a station by its address too, as they always did; a host with
        // several addresses is counted under the first one.
        if let Some(address) = context.state.station_address(&offer.key, &grant.client) {
            grant.client.address = address;
        }
        Grant {
            fingerprint: offer.fingerprint,
            quantity: offer.seats(context.state),
            take: wanted.take,
            mode,
            linger_seconds: product.linger_time.filter(|_| lingers).unwrap_or(0),
            starts_usage: product.usage_period.is_some(),
            ..grant
        }
    }

    /// Gives the grant a handle number.
    ///
    /// # Errors
    /// 107: it takes no seat, and its address has its share of such handles, or only the reserve
    /// for seats is left; or no number is left.
    fn give(&mut self, mut grant: Grant, state: &State) -> Result<Decision, CmError> {
        if grant.takes() == 0 {
            let (own, all) = state.seatless(grant.client.address);
            if own >= SEATLESS_PER_ADDRESS || all >= SEATLESS_MAX {
                return Err(CmError::NO_MORE_HANDLES);
            }
        }
        grant.handle = self.numbers.next().ok_or(CmError::NO_MORE_HANDLES)?;
        Ok(Decision::CallAction(CallAction::Commit(Entry::Grant(grant))))
    }
}

fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

impl From<Refusal> for CmError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoMoreLicences => Self::NO_MORE_LICENSES,
            Refusal::ExclusiveConflict => Self::EXCLUSIVE_MODE_CONFLICT,
            Refusal::HandleTaken => Self::HANDLE_INCONSISTENCY,
            Refusal::UnitsSpent => Self::UNITCOUNTERUNDERRUN,
        }
    }
}

//! What an access request wants, whichever of the two calls it came by, and what it is given.

use super::{CallAction, CallContext, ContainerInfo, Decision, LicenceService, Offer};
use crate::base::limits::{
    CLEANUP_MAX, CLEANUP_MIN, CREDENTIAL_TEXT, HANDLES_MAX, SEATLESS_MAX, SEATLESS_PER_ADDRESS,
};
use crate::base::time::{Duration, Wall};
use crate::config::Policy;
use crate::link::LinkId;
use crate::log::{
    Client, ContainerId, Entry, Grant, Handle, HandleScope, LicenceKey, Mode, Refusal, State,
};
use crate::wire::constants::access;
use crate::wire::structs::{CmAccess, CmAccess2, Text};
use crate::wire::{CmError, Request};
use alloc::string::String;
use core::net::IpAddr;

/// An access, as the service decides on it.
#[derive(Clone, Debug)]
pub(super) struct AccessRequest {
    pub(super) firm_code: u32,
    pub(super) product_code: u32,
    pub(super) feature: u32,
    /// The client's runtime, major<<24, minor<<16, build (protocol facts 4, CMACCESS); 0: not said.
    pub(super) runtime_version: u32,
    /// When the program was released; `None`: not said.
    pub(super) release_date: Option<Wall>,
    /// The seat is to be free at once on release.
    pub(super) no_linger: bool,
    pub(super) take: u32,
    pub(super) mode: Option<Mode>,
    pub(super) subsystem: bool,
    pub(super) firm_item: bool,
    pub(super) borrow: bool,
    /// Container wanted: mask and serial; zero is any.
    pub(super) mask: u16,
    pub(super) serial: u32,
    /// CmActId wanted; zero is any.
    pub(super) cm_act_id: u32,
    pub(super) cleanup: Duration,
    pub(super) client: Client,
}

impl AccessRequest {
    fn new(ctrl: u32, client: Client) -> Self {
        let mode = match ctrl & access::STRUCTMASK {
            access::USERLIMIT => Some(Mode::UserLimit),
            access::NOUSERLIMIT => Some(Mode::NoUserLimit),
            access::EXCLUSIVE => Some(Mode::Exclusive),
            access::STATIONSHARE => Some(Mode::StationShare),
            // CM_ACCESS_CONVENIENT and what no header explains.
            _ => None,
        };
        Self {
            firm_code: 0,
            product_code: 0,
            feature: 0,
            runtime_version: 0,
            release_date: None,
            no_linger: ctrl & access::IGNORE_LINGERTIME != 0,
            take: 1,
            mode,
            subsystem: ctrl & access::SUBSYSTEM != 0,
            firm_item: ctrl & access::FIRMITEM != 0,
            borrow: ctrl & access::BORROW_MASK != 0,
            mask: 0,
            serial: 0,
            cm_act_id: 0,
            cleanup: Duration::ZERO,
            client,
        }
    }

    /// From CmAccess. It names no host or user, so the station is the address and the session.
    pub(super) fn of_access(request: &CmAccess, address: IpAddr) -> Self {
        let client = Client {
            address,
            host: String::new(),
            user: String::new(),
            domain: String::new(),
            text: String::new(),
            user_defined_id: 0,
            pid: request.process,
            session: request.session.into(),
        };
        Self {
            firm_code: request.firm_code,
            product_code: request.product_code,
            feature: request.feature_code,
            runtime_version: request.used_runtime_version,
            mask: request.box_info.box_mask,
            serial: request.box_info.serial_number,
            ..Self::new(request.ctrl, client)
        }
    }

    /// From CmAccess2, local or remote form.
    pub(super) fn of_access2(request: &CmAccess2, address: IpAddr) -> Self {
        let credential = &request.credential;
        let client = Client {
            address,
            host: kept(&request.borrow_data.client_name),
            user: kept(&credential.username),
            domain: kept(&credential.domain_name),
            text: kept(&credential.user_defined_text),
            user_defined_id: credential.user_defined_id,
            pid: credential.pid,
            session: credential.session,
        };
        Self {
            firm_code: request.firm_code,
            product_code: request.product_code,
            feature: request.feature_code,
            runtime_version: request.used_runtime_version,
            release_date: request.release_date.to_wall(),
            take: request.license_quantity.max(1),
            mask: request.box_mask,
            serial: request.serial_number,
            cm_act_id: u32::from_le_bytes(request.cm_act_id),
            cleanup: Duration::from_secs(credential.cleanup_time.into()),
            ..Self::new(request.ctrl, client)
        }
    }

    /// Whether it may be looked at at all.
    ///
    /// # Errors
    /// 231, or 129 for a client that is too old.
    pub(super) fn admitted(&self, policy: &Policy) -> Result<(), CmError> {
        let firm = Some(self.firm_code).filter(|code| *code != 0 && !self.subsystem);
        let product = firm.and(Some(self.product_code)).filter(|_| !self.firm_item);
        if !policy.permits(self.client.address, firm, product) {
            return Err(CmError::ACCESS_DENIED);
        }
        if policy.too_old(self.runtime_version) {
            return Err(CmError::USER_RUNTIME_VERSION_TOO_OLD);
        }
        Ok(())
    }

    /// The clean-up time that holds for it; the unit of the request's field is inferred to be
    /// seconds (protocol facts 4, CMCREDENTIAL).
    pub(super) fn cleanup(&self, default: Duration) -> Duration {
        let asked = if self.cleanup.is_zero() { default } else { self.cleanup };
        asked.clamp(CLEANUP_MIN, CLEANUP_MAX)
    }
}

impl LicenceService {
    /// What an access to a licence asks for, as a grant without a number; `None`: it is no such
    /// call.
    #[must_use]
    pub fn asked(&self, link: LinkId, request: &Request) -> Option<Grant> {
        let from = self.whereabouts(link)?.ip();
        let wanted = match request {
            Request::Access { access, .. } => AccessRequest::of_access(access, from),
            Request::Access2 { access, .. } => AccessRequest::of_access2(access, from),
            _ => return None,
        };
        if wanted.subsystem || wanted.firm_code == 0 {
            return None;
        }
        let (firm_code, product_code) = (wanted.firm_code, wanted.product_code);
        let container = ContainerId::CmAct(wanted.cm_act_id);
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
        if wanted.borrow {
            return Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR);
        }
        wanted.admitted(&self.policy)?;
        if wanted.subsystem {
            return self
                .give(self.grant(wanted, HandleScope::Subsystem, context.now.wall), context.state);
        }
        let wanted = |shown: &ContainerInfo| {
            (wanted.mask == 0 || wanted.mask == shown.mask)
                && (wanted.serial == 0 || wanted.serial == shown.serial)
                && (wanted.cm_act_id == 0 || wanted.cm_act_id == shown.cm_act_id)
        };
        let containers = &context.catalogue.containers;
        let Some(container) = containers.iter().find(|shown| wanted(shown)) else {
            return Err(CmError::BOX_NOT_FOUND);
        };
        if wanted.firm_code == 0 {
            let held = HandleScope::Container(container.serial);
            return self.give(self.grant(wanted, held, context.now.wall), context.state);
        }
        let mode = wanted.mode.ok_or(CmError::WRONG_ACCESS_MODE)?;
        let offers = context.catalogue.offers.values().filter(|offer| {
            offer.key.firm_code == wanted.firm_code
                && (wanted.firm_item || offer.key.product_code == wanted.product_code)
                && context.catalogue.container_of(&offer.key).is_some_and(wanted)
        });
        // Several TMR-Ids of one product are tried in turn; the first error that is more than
        // "none free" is told only if none of them can be had.
        let mut error = CmError::ENTRY_NOT_FOUND;
        for offer in offers {
            if let Err(reason) = offer.usable(context, mode, wanted) {
                error = reason;
                continue;
            }
            let grant = if wanted.firm_item {
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

    /// A handle that takes nothing.
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

    /// A handle for the use of a licence.
    fn licence(
        &self,
        wanted: &AccessRequest,
        mode: Mode,
        offer: &Offer,
        context: &CallContext<'_>,
    ) -> Grant {
        let (product, since) = (&offer.product, context.now.wall);
        // What takes no seat leaves none to linger.
        let lingers = mode != Mode::NoUserLimit && !wanted.no_linger;
        let mut grant = self.grant(wanted, HandleScope::Licence(offer.key), since);
        // Entries count a station by its address too, as they always did; a host has one there.
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

    /// Gives the grant a number.
    ///
    /// # Errors
    /// 107: it takes no seat, and its address has its share of those, or only the reserve for seats is
    /// left; or there is no number.
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

/// The text of a field, cut to what is kept in the log.
pub(super) fn kept<const N: usize>(text: &Text<N>) -> String {
    let mut text = text.to_text();
    let mut end = text.len().min(CREDENTIAL_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AccessRule;
    use alloc::vec;

    #[test]
    fn a_rule_for_a_code_stands_against_those_who_name_it() {
        let network = "192.0.2.0/24".parse().unwrap();
        let rule = AccessRule {
            allow: false,
            networks: vec![network],
            firm_code: Some(10),
            product_code: Some(201),
        };
        let policy =
            Policy { rules: vec![rule], least_client: Some(0x0600_0000), ..Policy::default() };
        let ask = |ctrl: u32, product_code: u32, used_runtime_version: u32, host: u8| {
            let base = CmAccess2 { ctrl, firm_code: 10, product_code, ..CmAccess2::default() };
            let access = CmAccess2 { used_runtime_version, ..base };
            AccessRequest::of_access2(&access, IpAddr::from([192, 0, host, 1])).admitted(&policy)
        };
        let (new, denied) = (0x0600_0000, Err(CmError::ACCESS_DENIED));
        assert_eq!(ask(0, 201, new, 2), denied);
        assert_eq!(ask(0, 201, 0, 2), denied, "before its version");
        assert_eq!(ask(0, 202, new, 2), Ok(()));
        assert_eq!(ask(0, 201, new, 3), Ok(()));
        assert_eq!(ask(access::FIRMITEM, 201, new, 2), Ok(()), "it takes no product");
        assert_eq!(ask(access::SUBSYSTEM, 201, new, 2), Ok(()), "it names no licence");
        let old = Err(CmError::USER_RUNTIME_VERSION_TOO_OLD);
        assert_eq!([ask(0, 202, new - 1, 2), ask(access::SUBSYSTEM, 0, 0, 3)], [old, old]);
    }
}

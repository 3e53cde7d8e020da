//! The request of an access, in one form for CmAccess and CmAccess2.
//!
//! What never lives here: the decision about it.

use crate::base::limits::{CLEANUP_MAX, CLEANUP_MIN, CREDENTIAL_TEXT};
use crate::base::time::{Duration, Wall};
use crate::config::Policy;
use crate::log::{Client, Mode};
use crate::wire::CmError;
use crate::wire::constants::access;
use crate::wire::structs::{CmAccess, CmAccess2, Text};
use alloc::string::String;
use core::net::IpAddr;

/// An access, in the form on which the service decides.
#[derive(Clone, Debug)]
pub(super) struct AccessRequest {
    pub(super) firm_code: u32,
    pub(super) product_code: u32,
    /// The feature bits of the product that the program needs.
    pub(super) feature: u32,
    /// Number of seats; at least 1.
    pub(super) take: u32,
    /// The mode; `None` if the server does not have it.
    pub(super) mode: Option<Mode>,
    pub(super) container: ContainerChoice,
    pub(super) flags: AccessFlags,
    /// The version of the client's runtime: major<<24, minor<<16, build (protocol facts 4,
    /// CMACCESS); 0 if it is not stated.
    pub(super) runtime_version: u32,
    /// The release date of the program; `None` if it is not stated.
    pub(super) release_date: Option<Wall>,
    /// The clean-up time; zero means the server's own.
    pub(super) cleanup: Duration,
    pub(super) client: Client,
}

/// The container that a client asks for; a zero in a field means any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ContainerChoice {
    pub(super) mask: u16,
    pub(super) serial: u32,
    pub(super) cm_act_id: u32,
}

/// Flags of an access (protocol facts 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AccessFlags {
    /// The request is for the service itself, without a licence.
    pub(super) subsystem: bool,
    /// The request is for a firm item, not for one of its products.
    pub(super) firm_item: bool,
    /// The request is to borrow the licence.
    pub(super) borrow: bool,
    /// The seat is free at once on release.
    pub(super) no_linger: bool,
}

impl AccessRequest {
    fn new(ctrl: u32, client: Client) -> Self {
        let mode = match ctrl & access::STRUCTMASK {
            access::USERLIMIT => Some(Mode::UserLimit),
            access::NOUSERLIMIT => Some(Mode::NoUserLimit),
            access::EXCLUSIVE => Some(Mode::Exclusive),
            access::STATIONSHARE => Some(Mode::StationShare),
            // `CM_ACCESS_CONVENIENT`, and values that no header explains.
            _ => None,
        };
        Self {
            firm_code: 0,
            product_code: 0,
            feature: 0,
            runtime_version: 0,
            release_date: None,
            take: 1,
            mode,
            container: ContainerChoice::default(),
            flags: AccessFlags {
                subsystem: ctrl & access::SUBSYSTEM != 0,
                firm_item: ctrl & access::FIRMITEM != 0,
                borrow: ctrl & access::BORROW_MASK != 0,
                no_linger: ctrl & access::IGNORE_LINGERTIME != 0,
            },
            cleanup: Duration::ZERO,
            client,
        }
    }

    /// Reads a CmAccess. It names no host or user, so the station is the address and the session.
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
            container: ContainerChoice {
                mask: request.box_info.box_mask,
                serial: request.box_info.serial_number,
                cm_act_id: 0,
            },
            ..Self::new(request.ctrl, client)
        }
    }

    /// Reads a CmAccess2, of the local or the remote form.
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
            container: ContainerChoice {
                mask: request.box_mask,
                serial: request.serial_number,
                cm_act_id: u32::from_le_bytes(request.cm_act_id),
            },
            cleanup: Duration::from_secs(credential.cleanup_time.into()),
            ..Self::new(request.ctrl, client)
        }
    }

    /// Checks the rules of access and the version of the client.
    ///
    /// # Errors
    /// Returns 231 if a rule denies it, and 129 if the client is too old.
    pub(super) fn admitted(&self, policy: &Policy) -> Result<(), CmError> {
        let firm = Some(self.firm_code).filter(|code| *code != 0 && !self.flags.subsystem);
        let product = firm.and(Some(self.product_code)).filter(|_| !self.flags.firm_item);
        if !policy.permits(self.client.address, firm, product) {
            return Err(CmError::ACCESS_DENIED);
        }
        if policy.too_old(self.runtime_version) {
            return Err(CmError::USER_RUNTIME_VERSION_TOO_OLD);
        }
        Ok(())
    }

    /// Returns the clean-up time within its bounds; the unit of the request's field is inferred to
    /// be seconds (protocol facts 4, CMCREDENTIAL).
    pub(super) fn cleanup(&self, default: Duration) -> Duration {
        let asked = if self.cleanup.is_zero() { default } else { self.cleanup };
        asked.clamp(CLEANUP_MIN, CLEANUP_MAX)
    }
}

/// Returns the text of a field, cut to what the log keeps.
pub(super) fn kept<const N: usize>(text: &Text<N>) -> String {
    let mut text = text.to_text();
    let mut end = text.len().min(CREDENTIAL_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
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

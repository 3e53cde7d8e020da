//! The calls that a desk answers on the spot: about itself and about the container it shows.
//!
//! A backend's serial, address or handle never comes through here on a front: all there is to
//! show is the [`Catalogue`](super::Catalogue), and a front's holds the virtual container.

use super::{Desk, Ground, Held, Shown};
use crate::log::Usage;
use crate::wire::constants::{API_VERSION, info, mode, servers, system};
use crate::wire::structs::{
    CmBoxInfo, CmBoxTime, CmCommunication, CmNetInfoCluster, CmSystem, CmTime, CmVersion, Layout,
};
use crate::wire::{CmError, Reply};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

/// CmGetVersion: what stands in the result word is inferred (fact sheet 3.2).
pub(super) fn version() -> Reply {
    Reply::ok(API_VERSION)
}

impl Desk {
    /// CmGetServers: this server, by name or by address (fact sheet 5.5).
    pub(super) fn servers(&self, ctrl: u32, size: u32) -> Reply {
        // A walk through single servers ends behind the first.
        if ctrl & servers::CMDMASK == servers::SINGLE {
            return Reply::servers(size, &[]);
        }
        let mapped = ctrl & servers::IPADDR_IPV6MAPPED != 0;
        let name = match self.identity.address {
            _ if ctrl & (servers::IPADDR | servers::IPADDR_IPV6MAPPED) == 0 => {
                self.identity.name.clone()
            }
            IpAddr::V4(address) if mapped => address.to_ipv6_mapped().to_string(),
            address => address.to_string(),
        };
        Reply::servers(size, &[&name])
    }

    /// CmGetInfo (fact sheet 5.3).
    pub(super) fn info(
        &self,
        held: &Held,
        ctrl: u32,
        size: u32,
        ground: &Ground<'_>,
    ) -> Result<Reply, CmError> {
        let bytes = match ctrl & info::CMDMASK {
            info::SYSTEM => self.system().to_bytes(),
            info::VERSION => server_version().to_bytes(),
            info::COMMUNICATION => self.communication().to_bytes(),
            info::NETINFO_CLUSTER => usage(held, ground)?,
            info::BOXINFO => box_info(shown(held, ground)?).to_bytes(),
            info::BOXTIME => {
                shown(held, ground)?;
                let now = CmTime::from_wall(ground.now.wall);
                let never = CmTime::default();
                CmBoxTime { certified_time: never, box_time: now.clone(), system_time: now }
                    .to_bytes()
            }
            _ => return Err(CmError::FUNCTION_NOT_IMPLEMENTED),
        };
        Ok(Reply::buffer(size, &bytes))
    }

    fn system(&self) -> CmSystem {
        let groups = match self.identity.address {
            IpAddr::V4(address) => address.to_ipv6_mapped().segments(),
            IpAddr::V6(address) => address.segments(),
        };
        CmSystem {
            platform: system::LINUX | system::LITTLE_ENDIAN,
            ip_address: groups,
            computer_name: self.identity.name.as_str().into(),
            ..CmSystem::default()
        }
    }

    fn communication(&self) -> CmCommunication {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        match self.identity.address {
            IpAddr::V4(address) => four.push(address.to_string()),
            IpAddr::V6(address) => six.push(address.to_string()),
        }
        CmCommunication {
            server_features: system::LAN_SERVER,
            api_communication_mode: mode::TCPIP_IPV4 | mode::TCPIP_IPV6,
            ipv4_address: four.pop().unwrap_or_default().as_str().into(),
            ipv6_address: six.pop().unwrap_or_default().as_str().into(),
            computer_name: self.identity.name.as_str().into(),
            ..CmCommunication::default()
        }
    }
}

/// The container that a handle belongs to.
///
/// # Errors
/// 115 for a handle of the service itself, 201 for a container that is not there any more.
fn shown<'a>(held: &Held, ground: &Ground<'a>) -> Result<&'a Shown, CmError> {
    let found = match held {
        Held::Subsystem => return Err(CmError::WRONG_HANDLE_TYPE),
        Held::Container(serial) => {
            ground.catalogue.containers.iter().find(|shown| shown.serial == *serial)
        }
        Held::Licence(key) => ground.catalogue.container_of(key),
    };
    found.ok_or(CmError::BOX_NOT_FOUND)
}

/// Every licence of a container, or of all of them by a handle of the service, and how many of it
/// are in use: one CMNETINFOCLUSTER each.
fn usage(held: &Held, ground: &Ground<'_>) -> Result<Vec<u8>, CmError> {
    let only = match held {
        Held::Subsystem => None,
        _ => Some(shown(held, ground)?),
    };
    let mut bytes = Vec::new();
    for offer in ground.catalogue.offers.values() {
        let Some(shown) = ground.catalogue.container_of(&offer.key) else { continue };
        if only.is_some_and(|only| only != shown) {
            continue;
        }
        let quantity = offer.product.license_quantity;
        let taken = ground.state.usage(&offer.key);
        let used = taken.map_or(0, Usage::used);
        CmNetInfoCluster {
            serial: shown.serial,
            mask: shown.mask,
            firm_code: offer.key.firm_code,
            product_code: offer.key.product_code,
            feature_map: offer.product.feature_map.unwrap_or(0),
            user_limit_licenses: taken.map_or(0, |taken| taken.user_limit),
            exclusive_licenses: taken.map_or(0, |taken| taken.exclusive),
            station_share_licenses: taken.map_or(0, Usage::station_share),
            used_licenses: used,
            free_licenses: quantity.saturating_sub(used),
            total_licenses: quantity,
            license_quantity: quantity,
            ..CmNetInfoCluster::default()
        }
        .encode(&mut bytes);
    }
    Ok(bytes)
}

/// What is known of a container without a chip: mask and serial.
fn box_info(shown: &Shown) -> CmBoxInfo {
    CmBoxInfo { box_mask: shown.mask, serial_number: shown.serial, ..CmBoxInfo::default() }
}

/// CMVERSION of the API that is spoken, not of this program.
fn server_version() -> CmVersion {
    let [build_low, build_high, minor, major] = API_VERSION.to_le_bytes();
    CmVersion {
        version: major.into(),
        sub_version: minor.into(),
        build: u16::from_le_bytes([build_low, build_high]),
        ..CmVersion::default()
    }
}

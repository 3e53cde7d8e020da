//! What the server reports about itself: name, address, version. On a front nothing here comes from
//! a backend.

use super::LicenceService;
use crate::base::time::Wall;
use crate::wire::Reply;
use crate::wire::constants::{API_VERSION, mode, servers, system};
use crate::wire::structs::{
    CmCommunication, CmSecurityVersion, CmSystem, CmSystemStatus, CmVersion, seconds_since_2000,
};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

/// Answers CmGetVersion; the content of the result word is inferred (protocol facts 3.2).
pub(super) fn version() -> Reply {
    Reply::ok(API_VERSION)
}

/// Returns the CMVERSION of the API that is implemented, not of this program.
pub(super) fn server_version() -> CmVersion {
    let [build_low, build_high, minor, major] = API_VERSION.to_le_bytes();
    CmVersion {
        version: major.into(),
        sub_version: minor.into(),
        build: u16::from_le_bytes([build_low, build_high]),
        ..CmVersion::default()
    }
}

/// Returns the CMSECURITYVERSION: the same numbers, without a kind.
pub(super) fn security_version() -> CmSecurityVersion {
    let CmVersion { version, sub_version, build, .. } = server_version();
    CmSecurityVersion { version, sub_version, build, ..CmSecurityVersion::default() }
}

impl LicenceService {
    /// Answers CmGetServers: this server, by name or by address (protocol facts 5.5).
    pub(super) fn servers(&self, ctrl: u32, size: u32) -> Reply {
        // An enumeration of single servers ends after the first.
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

    pub(super) fn system(&self) -> CmSystem {
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

    pub(super) fn communication(&self) -> CmCommunication {
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

    pub(super) fn system_status(&self) -> CmSystemStatus {
        let flags = system::RUNNING_AS_SERVICE | system::CMACT_ENABLED | system::CMACT_AVAILABLE;
        let started: Option<Wall> = self.started;
        CmSystemStatus {
            status_flags: flags,
            server_start_time: started.map_or(0, seconds_since_2000),
            ..CmSystemStatus::default()
        }
    }
}

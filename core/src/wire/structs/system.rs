//! The service and its machine. Layouts: protocol facts 4, known.

use super::text::Text;
use super::{Layout, layout};

layout! {
    /// CMVERSION: the version of a component.
    CmVersion, 16 {
        /// Major version.
        0 => version: u16,
        /// Minor version.
        2 => sub_version: u16,
        /// Build number.
        4 => build: u16,
        /// Patch counter.
        6 => count: u16,
        /// Year.
        8 => year: u16,
        /// Month 1..12.
        10 => month: u16,
        /// Day 1..31.
        12 => day: u16,
        /// Reserved.
        14 => reserve: u16,
    }
}

layout! {
    /// CMSECURITYVERSION: the version of a component, and its kind.
    CmSecurityVersion, 32 {
        /// Major version.
        0 => version: u16,
        /// Minor version.
        2 => sub_version: u16,
        /// Build number.
        4 => build: u16,
        /// Patch counter.
        6 => count: u16,
        /// Year.
        8 => year: u16,
        /// Month 1..12.
        10 => month: u16,
        /// Day 1..31.
        12 => day: u16,
        /// Kind of component.
        14 => kind: u16,
        /// Reserved.
        16 => reserved1: u16,
        /// Reserved.
        18 => reserved2: u16,
        /// Reserved.
        20 => reserved3: u32,
        /// Reserved.
        24 => reserved4: u32,
        /// Reserved.
        28 => reserved5: u32,
    }
}

layout! {
    /// CMSYSTEM: the machine of the service.
    CmSystem, 280 {
        /// Platform bits (CM_SYSTEM_*).
        0 => platform: u32,
        /// Kernel version.
        4 => system_kernel_version: u32,
        /// Server address: eight 16-bit groups.
        8 => ip_address: [u16; 8],
        /// Computer name.
        24 => computer_name: Text<256>,
    }
}

layout! {
    /// CMCOMMUNICATION: how the service is reached.
    CmCommunication, 544 {
        /// 1 LAN server, 2 WAN server, 4 remote FSB access.
        0 => server_features: u32,
        /// 2 shared memory, 4 IPv4, 8 IPv6.
        4 => api_communication_mode: u16,
        /// Reserved.
        6 => reserved: [u8; 106],
        /// User domain.
        112 => domain_name: Text<16>,
        /// IPv4 text.
        128 => ipv4_address: Text<32>,
        /// IPv6 text.
        160 => ipv6_address: Text<128>,
        /// Computer name.
        288 => computer_name: Text<256>,
    }
}

layout! {
    /// CMSYSTEMSTATUS: how the service runs.
    CmSystemStatus, 80 {
        /// CM_SYSTEMSTATUS_* flags.
        0 => status_flags: u32,
        /// Start time of the service, seconds since 2000.
        4 => server_start_time: u32,
        /// Reserved.
        8 => reserved: [u8; 72],
    }
}

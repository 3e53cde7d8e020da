//! Allocations over the network. Layouts: protocol facts 4, known.

use super::access::CmCredential;
use super::text::Text;
use super::{Layout, layout};

layout! {
    /// CMNETINFOCLUSTER: how many licences of an entry are in use.
    CmNetInfoCluster, 56 {
        /// Container serial number.
        0 => serial: u32,
        /// Container mask.
        4 => mask: u16,
        /// Index of the product item.
        6 => product_item_ref: u16,
        /// Firm code (licensor).
        8 => firm_code: u32,
        /// Product code.
        12 => product_code: u32,
        /// Feature bits.
        16 => feature_map: u32,
        /// In use, user limit mode.
        20 => user_limit_licenses: u32,
        /// In use, no user limit mode.
        24 => no_user_limit_licenses: u32,
        /// In use, exclusive mode.
        28 => exclusive_licenses: u32,
        /// In use, station share mode.
        32 => station_share_licenses: u32,
        /// In use, all modes.
        36 => used_licenses: u32,
        /// Free.
        40 => free_licenses: u32,
        /// Total.
        44 => total_licenses: u32,
        /// Licences of the entry.
        48 => license_quantity: u32,
        /// Reserved.
        52 => reserved1: u32,
    }
}

layout! {
    /// CMNETINFOUSER: one allocation.
    CmNetInfoUser, 64 {
        /// Container serial number.
        0 => serial: u32,
        /// Container mask.
        4 => mask: u16,
        /// Index of the product item.
        6 => product_item_ref: u16,
        /// Firm code (licensor).
        8 => firm_code: u32,
        /// Product code.
        12 => product_code: u32,
        /// Feature bits.
        16 => feature_map: u32,
        /// Id of the allocation.
        20 => id: u32,
        /// Access mode of the allocation.
        24 => access_mode: u32,
        /// Time of allocation, seconds since 2000.
        28 => creation_time: u32,
        /// Client address text.
        32 => client_ip: Text<32>,
    }
}

layout! {
    /// CMNETINFOUSER_EXT: one allocation and its holder.
    CmNetInfoUserExt, 352 {
        /// Container mask.
        0 => mask: u16,
        /// Control flags (unknown values).
        2 => ctrl: u16,
        /// Container serial number.
        4 => serial: u32,
        /// Index of the product item.
        8 => product_item_ref: u32,
        /// Firm code (licensor).
        12 => firm_code: u32,
        /// Product code.
        16 => product_code: u32,
        /// Feature bits.
        20 => feature_map: u32,
        /// Id of the allocation.
        24 => id: u32,
        /// Access mode of the allocation.
        28 => access_mode: u32,
        /// Last use, seconds since 2000.
        32 => last_access_time: u32,
        /// Licences taken by this allocation.
        36 => used_license_quantity: u32,
        /// Reserved.
        40 => reserved3: u32,
        /// Reserved.
        44 => reserved4: u32,
        /// Client address text.
        48 => client_address: Text<64>,
        /// The client.
        112 => credential: CmCredential,
    }
}

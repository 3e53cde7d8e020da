//! The request of an access, and the client. Layouts: protocol facts 4, known.

use super::container::CmBoxInfo;
use super::text::Text;
use super::time::CmTime;
use super::{Layout, layout};

layout! {
    /// CMACCESS: the request of a program, older form.
    CmAccess, 176 {
        /// Access mode and flags (protocol facts 5.2).
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Product code.
        8 => product_code: u32,
        /// Requested feature bits.
        12 => feature_code: u32,
        /// Least runtime version wanted: major<<24, minor<<16, build.
        16 => used_runtime_version: u32,
        /// Client process id.
        20 => process: u32,
        /// Index of the product item, 0 = any.
        24 => product_item_reference: u16,
        /// Client session id (terminal session).
        26 => session: u16,
        /// Client or server IPv4 address.
        28 => ipv4_address: [u8; 4],
        /// Container wanted (all zero = any).
        32 => box_info: CmBoxInfo,
    }
}

layout! {
    /// CMACCESS2: the request of a program.
    CmAccess2, 704 {
        /// Access mode and flags (protocol facts 5.2).
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Product code.
        8 => product_code: u32,
        /// Requested feature bits.
        12 => feature_code: u32,
        /// Least runtime version wanted: major<<24, minor<<16, build.
        16 => used_runtime_version: u32,
        /// Reserved.
        20 => reserved1: u32,
        /// Index of the product item, 0 = any.
        24 => product_item_reference: u32,
        /// Reserved.
        28 => reserved2: u32,
        /// Least container firmware, major.
        32 => min_box_major_version: u8,
        /// Least container firmware, minor.
        33 => min_box_minor_version: u8,
        /// Container mask (1, 2, 3, 128, 130, 131 ...).
        34 => box_mask: u16,
        /// Container serial number.
        36 => serial_number: u32,
        /// Number of licences (0 or 1 = one in a request).
        40 => license_quantity: u32,
        /// Reserved.
        44 => reserved4: u32,
        /// Server wanted by name or address, empty = any.
        48 => server_name: Text<128>,
        /// Release date checked against the maintenance period.
        176 => release_date: CmTime,
        /// CmActId wanted (the three TMR containers share one).
        192 => cm_act_id: [u8; 4],
        /// Reserved.
        196 => reserved: [u8; 12],
        /// Borrow block; only the client name is filled for a plain access.
        208 => borrow_data: CmBorrowData,
        /// The client.
        464 => credential: CmCredential,
    }
}

layout! {
    /// CMCREDENTIAL: the client.
    CmCredential, 240 {
        /// Client process id.
        0 => pid: u32,
        /// Client session id.
        4 => session: u32,
        /// Idle time after which the handle may be freed.
        8 => cleanup_time: u32,
        /// Longest life of the handle.
        12 => max_life_time: u32,
        /// Time of allocation, seconds since 2000 (inferred unit).
        16 => creation_time: u32,
        /// Where and how the access was made (CM_CRED_*).
        20 => access_ctrl: u32,
        /// End of the access.
        24 => expiration_time: u32,
        /// Free number set by the program.
        28 => user_defined_id: u32,
        /// Free text; a module name was seen here.
        32 => user_defined_text: Text<128>,
        /// User name.
        160 => username: Text<32>,
        /// Borrow partner: firm code.
        192 => other_borrow_firm_code: u32,
        /// Borrow partner: product code.
        196 => other_borrow_product_code: u32,
        /// Borrow partner: feature map.
        200 => other_borrow_feature_map: u32,
        /// Borrow partner: serial.
        204 => other_borrow_serial: u32,
        /// Borrow partner: mask.
        208 => other_borrow_mask: u16,
        /// Reserved; 01 00 in every capture (unknown).
        210 => reserved1: [u8; 2],
        /// Id of the client's running service (zero from an SDK program, filled on the remote
        /// channel).
        212 => current_cm_instance_uid: u32,
        /// Id of the client's service before its last restart (same as above).
        216 => previous_cm_instance_uid: u32,
        /// User domain.
        220 => domain_name: Text<16>,
        /// Reserved; one constant non-zero value per user in the captures (unknown).
        236 => reserved2: [u8; 4],
    }
}

layout! {
    /// CMBORROWDATA: the borrow block; for a plain access only the client name is filled.
    CmBorrowData, 256 {
        /// Status word.
        0 => status: u32,
        /// Enable block id.
        4 => enable_block: u16,
        /// Protection system, 0 dongle kind, 1 CmAct kind.
        6 => cps: u16,
        /// Firm code (licensor).
        8 => firm_code: u32,
        /// Product code.
        12 => product_code: u32,
        /// Feature bits.
        16 => feature_map: u32,
        /// Reserved.
        20 => reserved: u16,
        /// Container mask (1, 2, 3, 128, 130, 131 ...).
        22 => box_mask: u16,
        /// Serial of the borrowing container.
        24 => box_serial: u32,
        /// Serial public key (x, y).
        28 => serial_public_key: [u8; 64],
        /// Id of the lending server.
        92 => server_id: [u8; 8],
        /// Client host name (also filled for a plain access).
        100 => client_name: Text<128>,
        /// Validation block.
        228 => trailing_validation_block: [u8; 16],
        /// Time of the request.
        244 => client_request_time: u32,
        /// Maintenance start.
        248 => maintenance_period_start: u32,
        /// Maintenance end.
        252 => maintenance_period_end: u32,
    }
}

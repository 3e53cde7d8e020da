//! A container and its hardware side. Layouts: protocol facts 4, known.

use super::text::Text;
use super::{Layout, layout};

layout! {
    /// CMBOXINFO: a container.
    CmBoxInfo, 144 {
        /// Container firmware major.
        0 => major_version: u8,
        /// Container firmware minor.
        1 => minor_version: u8,
        /// Container mask (1, 2, 3, 128, 130, 131 ...).
        2 => box_mask: u16,
        /// Container serial number.
        4 => serial_number: u32,
        /// Box key id.
        8 => box_key_id: u16,
        /// User key id.
        10 => user_key_id: u16,
        /// Box public key (x, y).
        12 => box_public_key: [u8; 64],
        /// Serial public key (x, y).
        76 => serial_public_key: [u8; 64],
        /// Extension of the serial number.
        140 => extended_serial: u32,
    }
}

layout! {
    /// CMBOXCONTROL: indicator and switch of a container.
    CmBoxControl, 8 {
        /// LED state.
        0 => indicator_flags: u16,
        /// Switch state.
        2 => switch_flags: u16,
        /// Reserved.
        4 => reserve: u32,
    }
}

layout! {
    /// CMBOXSECURITY: licensor boxes behind a container.
    CmBoxSecurity, 16 {
        /// OEM id.
        0 => oem: u32,
        /// Firm code of the firm security box.
        4 => fsb_firm_code: u32,
        /// Firm code of the company time security box.
        8 => ctsb_firm_code: u32,
        /// Reserved.
        12 => reserve: u32,
    }
}

layout! {
    /// CMINTERNALENTRYINFO: where an entry stands in its container.
    CmInternalEntryInfo, 16 {
        /// Index of the firm item.
        0 => firm_item_reference: u16,
        /// Index of the product item, 0 = any.
        2 => product_item_reference: u16,
        /// Firm item kind.
        4 => firm_item_type: u32,
        /// Firm update counter.
        8 => firm_update_counter: u32,
        /// Reserved.
        12 => reserve: u32,
    }
}

layout! {
    /// CMMEMINFO: free memory of a container by block size, older form.
    CmMemInfo, 16 {
        /// Free blocks of 4 bytes.
        0 => free_4_byte_block: u16,
        /// Free blocks of 8 bytes.
        2 => free_8_byte_block: u16,
        /// Free blocks of 16 bytes.
        4 => free_16_byte_block: u16,
        /// Free blocks of 32 bytes.
        6 => free_32_byte_block: u16,
        /// Free blocks of 64 bytes.
        8 => free_64_byte_block: u16,
        /// Free blocks of 128 bytes.
        10 => free_128_byte_block: u16,
        /// Free blocks of 256 bytes.
        12 => free_256_byte_block: u16,
        /// Free blocks of 512 bytes.
        14 => free_512_byte_block: u16,
    }
}

layout! {
    /// CMMEMINFO2: free memory of a container.
    CmMemInfo2, 40 {
        /// Free blocks of 4 bytes.
        0 => free_4_byte_block: u16,
        /// Free blocks of 8 bytes.
        2 => free_8_byte_block: u16,
        /// Free blocks of 16 bytes.
        4 => free_16_byte_block: u16,
        /// Free blocks of 32 bytes.
        6 => free_32_byte_block: u16,
        /// Free blocks of 64 bytes.
        8 => free_64_byte_block: u16,
        /// Free blocks of 128 bytes.
        10 => free_128_byte_block: u16,
        /// Free blocks of 256 bytes.
        12 => free_256_byte_block: u16,
        /// Free blocks of 512 bytes.
        14 => free_512_byte_block: u16,
        /// Reserved.
        16 => reserved1: u32,
        /// Reserved.
        20 => reserved2: u32,
        /// Reserved.
        24 => reserved3: u32,
        /// Reserved.
        28 => reserved4: u32,
        /// Free bytes.
        32 => total_bytes_free: u32,
        /// Capacity.
        36 => capacity: u32,
    }
}

layout! {
    /// CMSERIAL: a container by number.
    CmSerial, 8 {
        /// Container serial number.
        0 => serial: u32,
        /// Container mask.
        4 => mask: u16,
        /// Reserved.
        6 => reserved: u16,
    }
}

layout! {
    /// CMVALIDATE_DELETEFI: proof that a firm item was deleted.
    CmValidateDeleteFi, 32 {
        /// Firm item kind.
        0 => fi_ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Time.
        8 => system_time: u32,
        /// Firm update counter.
        12 => firm_update_counter: u32,
        /// Validation block.
        16 => trailing_validation_block: [u8; 16],
    }
}

layout! {
    /// CMCREATEITEM: the item to program.
    CmCreateItem, 168 {
        /// Firm code (licensor).
        0 => firm_code: u32,
        /// Firm item kind.
        4 => firm_item_type: u32,
        /// Container to program.
        8 => box_info_user: CmBoxInfo,
        /// Firm update counter.
        152 => firm_update_counter: u32,
        /// Product code.
        156 => product_code: u32,
        /// OEM id.
        160 => oem: u32,
        /// Firmware build.
        164 => firmware_build: u32,
    }
}

layout! {
    /// CMRESERVEFI: a firm item reserved for programming.
    CmReserveFi, 24 {
        /// Index of the firm item.
        0 => firm_item_ref: u16,
        /// Session ids.
        2 => session_id: [u8; 16],
        /// Reserved.
        18 => reserve: [u8; 6],
    }
}

layout! {
    /// CMENABLING_APPCONTEXT: the object whose enabling is asked for.
    CmEnablingAppContext, 200 {
        /// Firm code (licensor).
        0 => firm_code: u32,
        /// Product code.
        4 => product_code: u32,
        /// Container wanted (all zero = any).
        8 => box_info: CmBoxInfo,
        /// Control flags.
        152 => ctrl: u32,
        /// Enable block item.
        156 => enable_block_item: u16,
        /// Reserved.
        158 => reserve: u16,
        /// Firm update counter.
        160 => firm_update_counter: u32,
        /// Identity.
        164 => identity: u32,
        /// Company name.
        168 => company_name: Text<32>,
    }
}

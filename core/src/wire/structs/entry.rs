//! Licence entries of a container. Layouts: protocol facts 4, known.

use super::text::{Text, Wide};
use super::time::CmTime;
use super::{Layout, layout};

layout! {
    /// CMBOXENTRY: a licence entry, older form.
    CmBoxEntry, 588 {
        /// Firm item kind.
        0 => fi_ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Firm access counter.
        8 => firm_access_counter: u16,
        /// Reserved.
        10 => reserve1: u16,
        /// Firm update counter.
        12 => firm_update_counter: u32,
        /// Firm item time.
        16 => firm_precise_time: u32,
        /// Firm item text, UTF-16.
        20 => firm_item_text: Wide<256>,
        /// Which product item options are present.
        532 => set_pios: u32,
        /// Product code.
        536 => product_code: u32,
        /// Feature bits.
        540 => feature_map: u32,
        /// Units left.
        544 => unit_counter: u32,
        /// Expiration time.
        548 => expiration_time: CmTime,
        /// Activation time.
        564 => activation_time: CmTime,
        /// Dependency bits of option PC.
        580 => dependency_pc: u8,
        /// Dependency bits of option FM.
        581 => dependency_fm: u8,
        /// Dependency bits of option UC.
        582 => dependency_uc: u8,
        /// Dependency bits of option ET.
        583 => dependency_et: u8,
        /// Dependency bits of option AT.
        584 => dependency_at: u8,
        /// Reserved.
        585 => reserve: u8,
        /// Index of the product item.
        586 => product_item_ref: u16,
    }
}

layout! {
    /// CMBOXENTRY2: a licence entry.
    CmBoxEntry2, 1024 {
        /// Firm item kind.
        0 => fi_ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Firm access counter.
        8 => firm_access_counter: u16,
        /// Reserved.
        10 => reserve1: u16,
        /// Firm update counter.
        12 => firm_update_counter: u32,
        /// Firm item time.
        16 => firm_precise_time: u32,
        /// Firm item text, UTF-16.
        20 => firm_item_text: Wide<256>,
        /// Transfer update counter.
        532 => license_transfer_update_counter: u32,
        /// Reserved.
        536 => reserve2: [u8; 96],
        /// Options set on the item itself.
        632 => set_native_pios: u32,
        /// Options in force, with those inherited.
        636 => set_effective_pios: u32,
        /// Which product item options are present.
        640 => set_pios: u32,
        /// Product code.
        644 => product_code: u32,
        /// Feature bits.
        648 => feature_map: u32,
        /// Maintenance start.
        652 => maintenance_period_start: CmTime,
        /// Maintenance end.
        668 => maintenance_period_end: CmTime,
        /// Units left.
        684 => unit_counter: u32,
        /// Expiration time.
        688 => expiration_time: CmTime,
        /// Activation time.
        704 => activation_time: CmTime,
        /// Usage period, length.
        720 => usage_period_life_time: u32,
        /// Usage period, start.
        724 => usage_period_start_time: CmTime,
        /// Number of licences of the entry.
        740 => license_quantity: u32,
        /// Linger time.
        744 => linger_time: u32,
        /// Least runtime version.
        748 => minimum_runtime_version: u32,
        /// CM_LQ_* flags; 0x200 marks a TMR licence.
        752 => license_quantity_flags: u32,
        /// Tag of the licence quantity option; probably the TMR-Id (inferred).
        756 => license_tag: u32,
        /// 1 enabled, 2 disabled, 3 returned, 4 expired.
        760 => transfer_status: u32,
        /// Product item id.
        764 => product_item_id: [u8; 10],
        /// Encryption rate limit.
        774 => max_encryption_rate: u16,
        /// Reserved.
        776 => reserve3: [u8; 20],
        /// Dependency bits of option PC.
        796 => dependency_pc: u8,
        /// Dependency bits of option FM.
        797 => dependency_fm: u8,
        /// Dependency bits of option MP.
        798 => dependency_mp: u8,
        /// Dependency bits of option UC.
        799 => dependency_uc: u8,
        /// Dependency bits of option ET.
        800 => dependency_et: u8,
        /// Dependency bits of option AT.
        801 => dependency_at: u8,
        /// Dependency bits of option UP.
        802 => dependency_up: u8,
        /// Dependency bits of option LQ.
        803 => dependency_lq: u8,
        /// Dependency bits of option LT.
        804 => dependency_lt: u8,
        /// Dependency bits of option MV.
        805 => dependency_mv: u8,
        /// Reserved.
        806 => reserve4: [u8; 12],
        /// Module reference.
        818 => module_ref: u16,
        /// Index of the product item.
        820 => product_item_ref: u16,
        /// Transfer partner: mask.
        822 => transfer_box_mask: u16,
        /// Transfer partner: serial.
        824 => transfer_serial_number: u32,
        /// End of the loan.
        828 => transfer_borrow_expiration_time: CmTime,
        /// Transfer id.
        844 => transfer_id: [u8; 10],
        /// Reserved.
        854 => reserve5: [u8; 170],
    }
}

layout! {
    /// CMENTRYDATA: one data field of an entry.
    CmEntryData, 528 {
        /// Which option the data belongs to.
        0 => ctrl: u32,
        /// Dependency flags.
        4 => dependency: u32,
        /// Reserved.
        8 => reserve: u32,
        /// Bytes used.
        12 => data_size: u32,
        /// Data.
        16 => data: [u8; 512],
    }
}

layout! {
    /// CMLICENSEINFO: a licensor's own licence.
    CmLicenseInfo, 536 {
        /// CM_LICENSE_* flags.
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// OEM id.
        8 => oem: u32,
        /// Firm code of the firm security box.
        12 => fsb_firm_code: u32,
        /// Product code of the firm security box.
        16 => fsb_product_code: u32,
        /// Reserved.
        20 => reserve: u32,
        /// Description.
        24 => description: Text<256>,
        /// Firm item text.
        280 => firm_item_text: Text<256>,
    }
}

layout! {
    /// CMPIENTRYBASE: a product item in a list.
    CmPiEntryBase, 256 {
        /// Product code.
        0 => product_code: u32,
        /// Feature bits.
        4 => feature_map: u32,
        /// Options in force, with those inherited.
        8 => set_effective_pios: u32,
        /// Options set on the item itself.
        12 => set_native_pios: u32,
        /// Maintenance start, seconds since 2000.
        16 => maintenance_period_start: u32,
        /// Maintenance end, seconds since 2000.
        20 => maintenance_period_end: u32,
        /// Units left.
        24 => unit_counter: u32,
        /// Expiration, seconds since 2000.
        28 => expiration_time: u32,
        /// Activation, seconds since 2000.
        32 => activation_time: u32,
        /// Usage period, length.
        36 => usage_period_life_time: u32,
        /// Usage period start, seconds since 2000.
        40 => usage_period_start_time: u32,
        /// Number of licences (0 or 1 = one in a request).
        44 => license_quantity: u32,
        /// Least runtime version.
        48 => minimum_runtime_version: u32,
        /// CM_LQ_* flags; 0x200 marks a TMR licence.
        52 => license_quantity_flags: u32,
        /// Named user block.
        56 => named_user_entry: CmNamedUser,
        /// Index of the product item.
        248 => product_item_ref: u16,
        /// Reserved.
        250 => reserved1: u16,
        /// 1 enabled, 2 disabled, 3 returned, 4 expired.
        252 => transfer_status: u32,
    }
}

layout! {
    /// CMNAMEDUSER: the named-user field of an entry.
    CmNamedUser, 192 {
        /// Option kind.
        0 => pio_type: u16,
        /// Index.
        2 => index: u16,
        /// Dependency flags.
        4 => dependency: u32,
        /// Reserved.
        8 => reserved: u32,
        /// Bytes used.
        12 => entry_data_size: u32,
        /// Tag.
        16 => tag: [u8; 4],
        /// Version.
        20 => version: u8,
        /// Next index.
        21 => next_index: u8,
        /// CM_NMU_* mode.
        22 => mode_flags: u8,
        /// Reserved.
        23 => reserved2: u8,
        /// CRC-32.
        24 => crc32: u32,
        /// Reserved.
        28 => reserved3: u32,
        /// Hash of the user data.
        32 => hash: [u8; 32],
        /// User data in clear.
        64 => plaintext: [u8; 128],
    }
}

//! Licence transfer. A TMR server refuses it; the layouts serve to name the refused call. Layouts:
//! protocol facts 4, known.

use super::time::CmTime;
use super::{Layout, layout};

layout! {
    /// CMLTREQUEST: the beginning of a licence transfer.
    CmLtRequest, 256 {
        /// 0x100 = no receipt.
        0 => ctrl: u32,
        /// Firm code (licensor).
        4 => firm_code: u32,
        /// Reserved.
        8 => reserved: [u8; 248],
    }
}

layout! {
    /// CMLTTRANSFER: the contents of a licence transfer.
    CmLtTransfer, 264 {
        /// Kind of transfer (CM_LTT_*).
        0 => ctrl: u32,
        /// Units to move.
        4 => units_to_transfer: u32,
        /// Licences to move.
        8 => license_quantity_to_transfer: u32,
        /// End of the loan.
        12 => borrow_expiration_time: CmTime,
        /// History entry.
        28 => pio_history: u16,
        /// Reserved.
        30 => reserved: [u8; 234],
    }
}

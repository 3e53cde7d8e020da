//! CMBOXENTRY2 as a licence: which field is which property (protocol facts 4 and 5.7).

use crate::base::limits::QUANTITY_MAX;
use crate::base::time::Wall;
use crate::licence::{Period, Product};
use crate::log::Mode;
use crate::wire::constants::{pio, quantity};
use crate::wire::structs::CmBoxEntry2;
use alloc::string::String;

fn has(entry: &CmBoxEntry2, option: u32) -> bool {
    (entry.set_pios | entry.set_effective_pios) & option != 0
}

/// Returns whether the entry has a text that can be read.
pub(super) fn has_text(entry: &CmBoxEntry2) -> bool {
    has(entry, pio::TEXT)
}

/// Returns the TMR-Id; 0 for an ordinary licence. That `mulLicenseTag` is the TMR-Id is inferred; a
/// TMR licence without a tag is treated as one with TMR-Id 1.
pub(super) fn tmr_id(entry: &CmBoxEntry2) -> u32 {
    if entry.license_quantity_flags & quantity::TRIPLEMODEREDUNDANCY == 0 {
        return 0;
    }
    entry.license_tag.max(1)
}

/// Returns the licence. That periods and the linger time are in seconds is inferred.
pub(super) fn product(entry: &CmBoxEntry2, text: String) -> Product {
    let optional = |option, value| has(entry, option).then_some(value);
    let flags = entry.license_quantity_flags;
    let denied = [
        (quantity::DENIED_USERLIMIT, Mode::UserLimit),
        (quantity::DENIED_NOUSERLIMIT, Mode::NoUserLimit),
        (quantity::DENIED_EXCLUSIVE, Mode::Exclusive),
        (quantity::DENIED_STATIONSHARE, Mode::StationShare),
    ];
    let maintenance_period = has(entry, pio::MAINTENANCEPERIOD).then(|| Period {
        start: entry.maintenance_period_start.to_wall().unwrap_or_default(),
        end: entry.maintenance_period_end.to_wall().unwrap_or(Wall(u64::MAX)),
    });
    Product {
        product_code: entry.product_code,
        text,
        // 0 and 1 both mean one, as in a request.
        license_quantity: entry.license_quantity.clamp(1, QUANTITY_MAX),
        tmr_id: tmr_id(entry),
        feature_map: optional(pio::FEATUREMAP, entry.feature_map),
        expiration_time: entry.expiration_time.to_wall().filter(|_| has(entry, pio::EXPTIME)),
        activation_time: entry.activation_time.to_wall().filter(|_| has(entry, pio::ACTTIME)),
        maintenance_period,
        usage_period: optional(pio::USAGEPERIOD, entry.usage_period_life_time),
        unit_counter: optional(pio::UNITCOUNTER, entry.unit_counter),
        linger_time: optional(pio::LINGERTIME, entry.linger_time),
        minimum_runtime_version: optional(pio::MINIMUMVERSION, entry.minimum_runtime_version),
        denied_modes: denied
            .iter()
            .filter(|(flag, _)| flags & flag != 0)
            .map(|(_, mode)| *mode)
            .collect(),
    }
}

//! Explains why two parts of one licence do not match: the name of the field in SPEC.json, and both
//! values.

use super::form::optional_version;
use super::{FirmItem, Product};
use crate::base::rfc3339;
use crate::base::time::Wall;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A field's name, its value in the first part, its value in the second part.
pub type Difference = (&'static str, String, String);

/// Returns every property in which two licences differ. The list is empty exactly when their
/// [fingerprints](FirmItem::fingerprint) are equal.
#[must_use]
pub fn differences(one: (&FirmItem, &Product), other: (&FirmItem, &Product)) -> Vec<Difference> {
    // The products of a firm item are not properties of any one of them.
    let FirmItem { firm_code, text, key_check, products: _ } = one.0;
    let mut found = Vec::new();
    note(&mut found, "FirmCode", firm_code, &other.0.firm_code, u32::to_string);
    note(&mut found, "FirmItemText", text, &other.0.text, String::clone);
    note(&mut found, "Keys", key_check, &other.0.key_check, |check| {
        alloc::format!("keys {check:016x}")
    });
    found.extend(one.1.differences(other.1));
    found
}

impl Product {
    /// Returns every property in which two products differ.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        // The pattern lists every field, so that a new property does not compile before it is
        // compared.
        let Self {
            product_code,
            text,
            license_quantity,
            tmr_id,
            feature_map,
            expiration_time,
            activation_time,
            maintenance_period,
            usage_period,
            unit_counter,
            linger_time,
            minimum_runtime_version,
            denied_modes,
        } = self;
        let mut found = Vec::new();
        let out = &mut found;
        note(out, "ProductCode", product_code, &other.product_code, u32::to_string);
        note(out, "Text", text, &other.text, String::clone);
        note(out, "LicenseQuantity", license_quantity, &other.license_quantity, u32::to_string);
        note(out, "TmrId", tmr_id, &other.tmr_id, |id| match id {
            0 => unset(),
            id => id.to_string(),
        });
        note(out, "FeatureMap", feature_map, &other.feature_map, |map| {
            map.map_or_else(unset, |map| alloc::format!("{map:#x}"))
        });
        note(out, "ExpirationTime", expiration_time, &other.expiration_time, time);
        note(out, "ActivationTime", activation_time, &other.activation_time, time);
        note(out, "MaintenancePeriod", maintenance_period, &other.maintenance_period, |period| {
            period.map_or_else(unset, |period| {
                let (start, end) = (rfc3339::format(period.start), rfc3339::format(period.end));
                alloc::format!("{start} to {end}")
            })
        });
        note(out, "UsagePeriod", usage_period, &other.usage_period, seconds);
        note(out, "UnitCounter", unit_counter, &other.unit_counter, |units| {
            units.map_or_else(unset, |units| units.to_string())
        });
        note(out, "LingerTime", linger_time, &other.linger_time, seconds);
        let (here, there) = (minimum_runtime_version, &other.minimum_runtime_version);
        note(out, "MinimumRuntimeVersion", here, there, |version| {
            version.map_or_else(unset, optional_version::render)
        });
        note(out, "DeniedModes", denied_modes, &other.denied_modes, |modes| {
            if modes.is_empty() {
                return "none".into();
            }
            modes.iter().map(|mode| mode.name()).collect::<Vec<_>>().join(", ")
        });
        found
    }
}

fn note<T: PartialEq + fmt::Debug>(
    found: &mut Vec<Difference>,
    field: &'static str,
    here: &T,
    there: &T,
    show: impl Fn(&T) -> String,
) {
    if here != there {
        found.push((field, show(here), show(there)));
    }
}

fn unset() -> String {
    "not set".into()
}

fn time(time: &Option<Wall>) -> String {
    time.map_or_else(unset, rfc3339::format)
}

fn seconds(span: &Option<u32>) -> String {
    span.map_or_else(unset, |span| alloc::format!("{span} s"))
}

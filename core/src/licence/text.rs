//! Reads the JSON of specifications and licence files, with hints for values of another kind.

use super::SpecError;
use crate::base::json;
use serde::de::DeserializeOwned;

/// Reads one JSON value and nothing beside it. `what` names the text in messages.
pub(super) fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, SpecError> {
    json::read(text, what).map_err(|mut error| {
        let last = error.key.as_deref().and_then(|key| key.rsplit('.').next());
        if let (true, Some(last)) = (error.message.starts_with("found "), last) {
            error.message.push_str(hint(last));
        }
        error
    })
}

/// Returns how the value of a key is written, for the message about a value of another kind.
fn hint(key: &str) -> &'static str {
    match key {
        "UsagePeriod" => "; it is in seconds: 30 days are 2592000",
        "LingerTime" => "; it is in seconds",
        "FeatureMap" => "; it is the sum of the feature bits: bits 0 and 2 are 5",
        "ExpirationTime" | "ActivationTime" | "Start" | "End" => {
            "; a time is written \"2030-01-01T00:00:00Z\""
        }
        "MaintenancePeriod" => {
            "; it is written {\"Start\": \"2030-01-01T00:00:00Z\", \"End\": \"2031-01-01T00:00:00Z\"}"
        }
        "DeniedModes" => "; it is written [\"exclusive\", \"station-share\"]",
        "MinimumRuntimeVersion" => "; a version is written \"7.10\"",
        "Serials" => "; it is written [7000001, 7000002, 7000003]",
        "Products" => "; it is written [{\"ProductCode\": 201, \"LicenseQuantity\": 5}]",
        _ => "",
    }
}

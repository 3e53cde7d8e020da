//! Service after the last fault: a licence can be had again, all three backends are up, the twin is
//! in sync, and the handles of vanished clients are freed, each within its bound.

use serde_json::Value;

/// The progress of the last phase.
#[derive(Debug, Default)]
pub struct Service {
    /// The time at which a probe had got and released its licence.
    pub served: Option<u64>,
    /// The time at which a front first reported a whole cluster.
    pub whole: Option<u64>,
}

impl Service {
    /// Checks that a front's status is that of a whole cluster.
    ///
    /// # Errors
    /// The first thing that does, in words.
    pub fn whole(status: &Value, matching: impl Fn(u64) -> u64) -> Result<(), String> {
        if status["role"] != "active" {
            return Err(format!("role {}", status["role"]));
        }
        let twin = &status["twin"];
        if !twin.is_null() && (twin["connected"] != true || twin["synced"] != true) {
            return Err(format!("twin {twin}"));
        }
        Self::connected(status)?;
        let Some(licences) = status["licenses"].as_array() else {
            return Err("no status".to_owned());
        };
        let short = licences.iter().find(|licence| {
            let product = licence["product_code"].as_u64().unwrap_or_default();
            licence["matching"].as_u64() != Some(matching(product))
        });
        match short {
            Some(licence) => Err(format!("licence {licence}")),
            None if licences.len() == crate::sim::licences::PRODUCTS.len() => Ok(()),
            None => Err(format!("{} licences", licences.len())),
        }
    }

    /// Checks that a front is connected to its three backends.
    ///
    /// # Errors
    /// The first thing that does, in words.
    pub fn connected(status: &Value) -> Result<(), String> {
        let backends = status["backends"].as_array().ok_or("no status")?;
        match backends.iter().find(|backend| backend["state"] != "up") {
            Some(backend) => Err(format!("backend {backend}")),
            None => Ok(()),
        }
    }

    /// Checks that nothing is in use any more.
    ///
    /// # Errors
    /// What still is.
    pub fn empty(status: &Value) -> Result<(), String> {
        let used = status["licenses"].as_array().into_iter().flatten();
        let used: u64 = used.filter_map(|licence| licence["used"].as_u64()).sum();
        let none = status["allocations"].as_array().is_some_and(Vec::is_empty);
        if used == 0 && none && status["role"] == "active" {
            return Ok(());
        }
        Err(format!("role {}, {used} in use: {}", status["role"], status["allocations"]))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    fn status() -> Value {
        let licence = |product: &u32| json!({ "product_code": product, "matching": 3, "used": 0 });
        let products = crate::sim::licences::PRODUCTS.map(|(product, _)| product);
        json!({
            "role": "active",
            "twin": { "connected": true, "synced": true },
            "backends": [{ "state": "up" }, { "state": "up" }, { "state": "up" }],
            "licenses": products.iter().map(licence).collect::<Vec<_>>(),
            "allocations": [],
        })
    }

    #[test]
    fn whatever_is_missing_is_found() {
        assert_eq!(Service::whole(&status(), |_| 3), Ok(()));
        assert_eq!(Service::empty(&status()), Ok(()));
        for (place, value) in [
            ("/role", json!("standby")),
            ("/twin/synced", json!(false)),
            ("/backends/1/state", json!("repairing")),
            ("/licenses/0/matching", json!(2)),
            ("/licenses", json!([])),
        ] {
            let mut status = status();
            *status.pointer_mut(place).unwrap() = value;
            assert!(Service::whole(&status, |_| 3).is_err(), "{place}");
            assert_eq!(Service::connected(&status).is_err(), place.starts_with("/backends"));
        }
        for (place, value) in [("/licenses/2/used", json!(1)), ("/allocations", json!([{}]))] {
            let mut status = status();
            *status.pointer_mut(place).unwrap() = value;
            assert!(Service::empty(&status).is_err(), "{place}");
        }
    }
}

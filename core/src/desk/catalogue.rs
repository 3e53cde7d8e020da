//! What there is to ask for: containers to show and licences to offer.

use crate::licence::Product;
use crate::log::{LicenceKey, Mode};
use crate::time::Wall;
use crate::wire::CmError;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A container as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// 131 for a virtual one, 130 for a backend's own.
    pub mask: u16,
    /// Serial number.
    pub serial: u32,
    /// CmActId.
    pub cm_act_id: u32,
}

/// A licence that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its key.
    pub key: LicenceKey,
    /// [`FirmItem::fingerprint`](crate::licence::FirmItem::fingerprint) of what is offered.
    pub fingerprint: u64,
    /// Firm Item text.
    pub firm_text: String,
    /// Its properties.
    pub product: Product,
    /// Why it cannot be had at all here: 130 a TMR licence at a backend, 218 parts that do not
    /// agree.
    pub bar: Option<CmError>,
}

/// Everything that may be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The containers, in the order in which they are shown.
    pub containers: Vec<Shown>,
    /// The licences, by key.
    pub offers: BTreeMap<LicenceKey, Offer>,
}

impl Catalogue {
    /// The container that holds a licence.
    #[must_use]
    pub fn container_of(&self, key: &LicenceKey) -> Option<&Shown> {
        self.containers.iter().find(|shown| match key.tmr_id {
            0 => shown.serial == key.container,
            _ => shown.cm_act_id == key.container,
        })
    }
}

/// What is left of a licence that is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Units left; `None`: it has no unit counter.
    pub units: Option<u32>,
    /// Begin of its usage period; `None`: not begun, or it has none.
    pub used_since: Option<Wall>,
}

impl Offer {
    /// What is left of it: as issued, since nothing is taken from it yet.
    #[must_use]
    pub fn remains(&self) -> Remains {
        Remains { units: self.product.unit_counter, used_since: None }
    }

    /// Whether it may be used now, in this way.
    ///
    /// # Errors
    /// The API's error for what stands against it (fact sheet 5.10).
    pub fn usable(&self, now: Wall, mode: Mode, feature: u32) -> Result<(), CmError> {
        let product = &self.product;
        if let Some(bar) = self.bar {
            return Err(bar);
        }
        if product.denied_modes.contains(&mode) {
            return Err(CmError::WRONG_ACCESS_MODE);
        }
        if feature != 0 && product.feature_map.unwrap_or(0) & feature != feature {
            return Err(CmError::FEATUREMAPINCOMPATIBLE);
        }
        if product.activation_time.is_some_and(|start| now < start) {
            return Err(CmError::ACTIVATIONTIMEUNDERRUN);
        }
        if product.expiration_time.is_some_and(|end| now >= end) {
            return Err(CmError::EXPIRATIONTIMEOVERRUN);
        }
        Ok(())
    }
}

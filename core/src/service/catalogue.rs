//! The catalogue: containers to show and licences to offer.

use super::CallContext;
use super::access_request::{AccessRequest, ContainerChoice};
use crate::base::time::Wall;
use crate::licence::Product;
use crate::log::{ContainerId, Entry, LicenceKey, Mode, State, Usage};
use crate::wire::CmError;
use crate::wire::constants::crypt;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A container as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    /// Its name in the log.
    pub id: ContainerId,
    /// 131 for a virtual container, 130 for a backend's own.
    pub mask: u16,
    /// Serial number.
    pub serial: u32,
    /// CmActId; 0 if it has none.
    pub cm_act_id: u32,
}

impl ContainerInfo {
    /// Returns whether it matches the container that a client asks for.
    pub(super) fn is_wanted(&self, choice: &ContainerChoice) -> bool {
        (choice.mask == 0 || choice.mask == self.mask)
            && (choice.serial == 0 || choice.serial == self.serial)
            && (choice.cm_act_id == 0 || choice.cm_act_id == self.cm_act_id)
    }
}

/// A licence that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its key.
    pub key: LicenceKey,
    /// [`FirmItem::fingerprint`](crate::licence::FirmItem::fingerprint) of the offered licence.
    pub fingerprint: u64,
    /// Firm Item text.
    pub firm_text: String,
    /// Its properties.
    pub product: Product,
    /// The error of every access here: 130 for a TMR licence at a backend, 218 for parts that do
    /// not match.
    pub bar: Option<CmError>,
    /// Licences that no longer exist, whose seats count against this one while they are held.
    pub charged: Vec<LicenceKey>,
}

/// All containers and licences that clients may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The containers, in the order in which they are shown.
    pub containers: Vec<ContainerInfo>,
    /// The licences, by key.
    pub offers: BTreeMap<LicenceKey, Offer>,
}

impl Catalogue {
    /// Returns the container that holds a licence.
    #[must_use]
    pub fn container_of(&self, key: &LicenceKey) -> Option<&ContainerInfo> {
        self.containers.iter().find(|shown| shown.id == key.container)
    }
}

impl Offer {
    /// Checks whether an access may have this licence now.
    ///
    /// # Errors
    /// Returns the API's error for what prevents it (protocol facts 5.10).
    pub(super) fn usable(
        &self,
        context: &CallContext<'_>,
        mode: Mode,
        wanted: &AccessRequest,
    ) -> Result<(), CmError> {
        let product = &self.product;
        if let Some(bar) = self.bar {
            return Err(bar);
        }
        if product.denied_modes.contains(&mode) {
            return Err(CmError::WRONG_ACCESS_MODE);
        }
        if product.feature_map.unwrap_or(0) & wanted.feature != wanted.feature {
            return Err(CmError::FEATUREMAPINCOMPATIBLE);
        }
        // A client that does not state its version cannot show that it is new enough.
        if product.minimum_runtime_version.is_some_and(|least| wanted.runtime_version < least) {
            return Err(CmError::USER_RUNTIME_VERSION_TOO_OLD);
        }
        if let (Some(period), Some(released)) = (product.maintenance_period, wanted.release_date) {
            if released < period.start {
                return Err(CmError::MAINTENANCEPERIODUNDERRUN);
            }
            if released > period.end {
                return Err(CmError::MAINTENANCEPERIODOVERRUN);
            }
        }
        self.timely(context, 0)
    }

    /// Checks the activation, expiry and usage period. `options` are those of a crypt call, which
    /// may skip a check (protocol facts 5.6); 0 for an access.
    ///
    /// # Errors
    /// Returns the API's error: not active yet, expired, usage period over.
    pub(super) fn timely(&self, context: &CallContext<'_>, options: u32) -> Result<(), CmError> {
        let (product, now) = (&self.product, context.now.wall);
        let early = product.activation_time.is_some_and(|start| now < start);
        if early && options & crypt::ATMASK != crypt::ATIGNORE {
            return Err(CmError::ACTIVATIONTIMEUNDERRUN);
        }
        let late = product.expiration_time.is_some_and(|end| now >= end);
        if late && options & crypt::ETMASK != crypt::ETIGNORE {
            return Err(CmError::EXPIRATIONTIMEOVERRUN);
        }
        let since = context.state.used_since(&self.key);
        match (product.usage_period, since) {
            (Some(seconds), Some(since)) if now.0 >= since.0.saturating_add(seconds.into()) => {
                Err(CmError::USAGEPERIODOVERRUN)
            }
            _ => Ok(()),
        }
    }

    /// Returns from when on the licence cannot be used, as far as that is known.
    #[must_use]
    pub fn ends(&self, state: &State) -> Option<Wall> {
        let period = self.product.usage_period.zip(state.used_since(&self.key));
        let used_up = period.map(|(seconds, since)| Wall(since.0.saturating_add(seconds.into())));
        [self.product.expiration_time, used_up].into_iter().flatten().min()
    }

    /// Returns how many seats of it may be in use: its quantity, less the seats held of licences
    /// that no longer exist.
    #[must_use]
    pub fn seats(&self, state: &State) -> u32 {
        self.product.license_quantity.saturating_sub(self.seats_gone(state))
    }

    /// Returns how many seats are held of licences that no longer exist and count against it.
    #[must_use]
    pub fn seats_gone(&self, state: &State) -> u32 {
        let used = |key: &LicenceKey| state.usage(key).map_or(0, Usage::used);
        self.charged.iter().map(used).fold(0, u32::saturating_add)
    }

    /// Returns the units that are left; `None` if units are not counted.
    #[must_use]
    pub fn units_left(&self, state: &State) -> Option<u32> {
        let issued = self.product.unit_counter?;
        Some(issued.saturating_sub(state.units_taken(&self.key)))
    }

    /// Returns the entry for the units that a call with these crypt options takes; `None` if it
    /// takes none.
    ///
    /// # Errors
    /// Returns the error of the date checks; 31 if a unit counter is required and there is none; 32
    /// if no units are left; 33 if fewer are left than asked for.
    pub(super) fn spend(
        &self,
        context: &CallContext<'_>,
        options: u32,
    ) -> Result<Option<Entry>, CmError> {
        self.timely(context, options)?;
        let take = options & crypt::UCDELTAMASK;
        let rule = options & crypt::UCMASK;
        let (Some(issued), Some(left)) =
            (self.product.unit_counter, self.units_left(context.state))
        else {
            let wanted = rule == crypt::UCREQUIRED;
            return if wanted { Err(CmError::UNITCOUNTERMISSED) } else { Ok(None) };
        };
        if rule == crypt::UCIGNORE || take == 0 {
            return Ok(None);
        }
        match left {
            0 => Err(CmError::UNITCOUNTERZERO),
            left if left < take => Err(CmError::UNITCOUNTERUNDERRUN),
            _ => Ok(Some(Entry::Units { licence: self.key, take, issued })),
        }
    }
}

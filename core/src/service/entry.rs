//! Licences as entries of a container: CMBOXENTRY, CMBOXENTRY2, CMPIENTRYBASE, and related
//! structures.

use super::{CallContext, ContainerInfo, Offer};
use crate::base::time::Wall;
use crate::log::{LicenceKey, Mode, State};
use crate::wire::constants::{pio, quantity};
use crate::wire::inferred;
use crate::wire::structs::{
    CmBoxEntry, CmBoxEntry2, CmEntryData, CmInternalEntryInfo, CmPiEntryBase, CmTime,
    seconds_since_2000,
};
use alloc::vec::Vec;

/// Bits of `mflSetPios` that fit into the older entry.
const OLD_PIOS: u32 = 0xffff;

/// One product of a container. Indices count from 1, because 0 means "any" in the API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) offer: &'a Offer,
    /// The state, for units taken and usage periods.
    state: &'a State,
    pub(super) firm_item: u16,
    pub(super) product_item: u16,
}

/// Returns the products of a container, in the order of their codes.
pub(super) fn items<'a>(context: &CallContext<'a>, shown: &ContainerInfo) -> Vec<Item<'a>> {
    let CallContext { state, catalogue, .. } = *context;
    let inside = |offer: &&Offer| catalogue.container_of(&offer.key) == Some(shown);
    let mut offers: Vec<&Offer> = catalogue.offers.values().filter(inside).collect();
    offers.sort_by_key(|offer| (offer.key.firm_code, offer.key.product_code, offer.key.tmr_id));
    let (mut firm_item, mut product_item, mut before) = (0_u16, 0_u16, None);
    let mut places = Vec::with_capacity(offers.len());
    for offer in offers {
        if before.replace(offer.key.firm_code) != Some(offer.key.firm_code) {
            firm_item = firm_item.saturating_add(1);
        }
        product_item = product_item.saturating_add(1);
        places.push(Item { offer, state, firm_item, product_item });
    }
    places
}

/// Returns a licence as a product of its container.
pub(super) fn item<'a>(context: &CallContext<'a>, key: &LicenceKey) -> Option<Item<'a>> {
    let shown = context.catalogue.container_of(key)?;
    items(context, shown).into_iter().find(|item| item.offer.key == *key)
}

/// Returns the first product of each Firm Code.
pub(super) fn firm_items<'a>(items: &[Item<'a>]) -> Vec<Item<'a>> {
    let mut firsts = items.to_vec();
    firsts.dedup_by_key(|item| item.firm_item);
    firsts
}

fn time(time: Option<Wall>) -> CmTime {
    time.map(CmTime::from_wall).unwrap_or_default()
}

fn seconds(time: Option<Wall>) -> u32 {
    time.map_or(0, seconds_since_2000)
}

/// Returns the bits of the options that are set (protocol facts 5.7).
fn options(offer: &Offer) -> u32 {
    let product = &offer.product;
    let set = [
        (pio::PRODUCTCODE, true),
        (pio::LICENSEQUANTITY, true),
        (pio::FEATUREMAP, product.feature_map.is_some()),
        (pio::EXPTIME, product.expiration_time.is_some()),
        (pio::ACTTIME, product.activation_time.is_some()),
        (pio::UNITCOUNTER, product.unit_counter.is_some()),
        (pio::TEXT, !product.text.is_empty()),
        (pio::USAGEPERIOD, product.usage_period.is_some()),
        (pio::MAINTENANCEPERIOD, product.maintenance_period.is_some()),
        (pio::LINGERTIME, product.linger_time.is_some()),
        (pio::MINIMUMVERSION, product.minimum_runtime_version.is_some()),
    ];
    set.iter().filter(|(_, is_set)| *is_set).fold(0, |all, (bit, _)| all | bit)
}

/// Returns the flags of the licence quantity option (protocol facts 5.7).
fn quantity_flags(offer: &Offer) -> u32 {
    let denied = offer.product.denied_modes.iter().fold(0, |all, mode| {
        all | match mode {
            Mode::UserLimit => quantity::DENIED_USERLIMIT,
            Mode::NoUserLimit => quantity::DENIED_NOUSERLIMIT,
            Mode::Exclusive => quantity::DENIED_EXCLUSIVE,
            Mode::StationShare => quantity::DENIED_STATIONSHARE,
        }
    });
    let tmr = if offer.key.tmr_id == 0 { 0 } else { quantity::TRIPLEMODEREDUNDANCY };
    denied | tmr
}

/// Returns texts and data fields, each as option and bytes. A product has no data but its text.
fn data(offer: &Offer) -> Vec<(u32, Vec<u8>)> {
    let text = &offer.product.text;
    if text.is_empty() { Vec::new() } else { [(pio::TEXT, inferred::text(text))].into() }
}

impl Item<'_> {
    /// Returns the units that are left; 0 if they are not counted.
    fn units(&self) -> u32 {
        self.offer.units_left(self.state).unwrap_or(0)
    }

    /// Returns when the usage period began, if it did.
    fn used_since(&self) -> Option<Wall> {
        self.state.used_since(&self.offer.key).filter(|_| self.offer.product.usage_period.is_some())
    }

    /// Returns the older entry with the firm item alone.
    pub(super) fn firm_entry(&self) -> CmBoxEntry {
        let key = &self.offer.key;
        CmBoxEntry {
            fi_ctrl: inferred::firm_item_kind(key.firm_code),
            firm_code: key.firm_code,
            firm_item_text: self.offer.firm_text.as_str().into(),
            ..CmBoxEntry::default()
        }
    }

    /// Returns the older entry.
    pub(super) fn entry(&self) -> CmBoxEntry {
        let product = &self.offer.product;
        CmBoxEntry {
            set_pios: options(self.offer) & OLD_PIOS,
            product_code: product.product_code,
            feature_map: product.feature_map.unwrap_or(0),
            unit_counter: self.units(),
            expiration_time: time(product.expiration_time),
            activation_time: time(product.activation_time),
            product_item_ref: self.product_item,
            ..self.firm_entry()
        }
    }

    /// Returns the entry with the firm item alone.
    pub(super) fn firm_entry2(&self) -> CmBoxEntry2 {
        let CmBoxEntry { fi_ctrl, firm_code, firm_item_text, .. } = self.firm_entry();
        CmBoxEntry2 { fi_ctrl, firm_code, firm_item_text, ..CmBoxEntry2::default() }
    }

    /// Returns the entry.
    pub(super) fn entry2(&self) -> CmBoxEntry2 {
        let (offer, product) = (self.offer, &self.offer.product);
        let set = options(offer);
        CmBoxEntry2 {
            set_native_pios: set,
            set_effective_pios: set,
            set_pios: set,
            product_code: product.product_code,
            feature_map: product.feature_map.unwrap_or(0),
            maintenance_period_start: time(product.maintenance_period.map(|period| period.start)),
            maintenance_period_end: time(product.maintenance_period.map(|period| period.end)),
            unit_counter: self.units(),
            expiration_time: time(product.expiration_time),
            activation_time: time(product.activation_time),
            usage_period_life_time: product.usage_period.unwrap_or(0),
            usage_period_start_time: time(self.used_since()),
            license_quantity: product.license_quantity,
            linger_time: product.linger_time.unwrap_or(0),
            minimum_runtime_version: product.minimum_runtime_version.unwrap_or(0),
            license_quantity_flags: quantity_flags(offer),
            license_tag: offer.key.tmr_id,
            product_item_ref: self.product_item,
            ..self.firm_entry2()
        }
    }

    /// Returns its line in the list of products.
    pub(super) fn base(&self) -> CmPiEntryBase {
        let (offer, product) = (self.offer, &self.offer.product);
        let set = options(offer);
        CmPiEntryBase {
            product_code: product.product_code,
            feature_map: product.feature_map.unwrap_or(0),
            set_effective_pios: set,
            set_native_pios: set,
            maintenance_period_start: seconds(product.maintenance_period.map(|p| p.start)),
            maintenance_period_end: seconds(product.maintenance_period.map(|p| p.end)),
            unit_counter: self.units(),
            expiration_time: seconds(product.expiration_time),
            activation_time: seconds(product.activation_time),
            usage_period_life_time: product.usage_period.unwrap_or(0),
            usage_period_start_time: seconds(self.used_since()),
            license_quantity: product.license_quantity,
            minimum_runtime_version: product.minimum_runtime_version.unwrap_or(0),
            license_quantity_flags: quantity_flags(offer),
            product_item_ref: self.product_item,
            ..CmPiEntryBase::default()
        }
    }

    /// Returns its position in the container.
    pub(super) fn internal(&self, of_firm_item: bool) -> CmInternalEntryInfo {
        CmInternalEntryInfo {
            firm_item_reference: self.firm_item,
            product_item_reference: if of_firm_item { 0 } else { self.product_item },
            firm_item_type: inferred::firm_item_kind(self.offer.key.firm_code),
            ..CmInternalEntryInfo::default()
        }
    }

    /// Returns its data fields.
    pub(super) fn data(&self) -> Vec<CmEntryData> {
        let field = |(ctrl, bytes): (u32, Vec<u8>)| {
            let mut field = CmEntryData { ctrl, ..CmEntryData::default() };
            let used = bytes.len().min(field.data.len());
            field.data[..used].copy_from_slice(&bytes[..used]);
            field.data_size = u32::try_from(used).expect("at most the field's 512 bytes");
            field
        };
        data(self.offer).into_iter().map(field).collect()
    }
}

//! SPEC.json: a vendor's description of a container that is issued in three parts.

use super::firm_code::{PERMITTED, firm_code_permitted};
use super::form::{nonzero, products, text};
use super::text::read;
use super::{File, FirmItem, Part, Product, SpecError};
use crate::base::limits::LICENCE_FILE_MAX;
use crate::wire::constants::mask;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// A container to be issued. It always satisfies the rules, because [`parse`](Self::parse) is the
/// only constructor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    cm_act_id: u32,
    serials: Option<[u32; 3]>,
    firm_item: FirmItem,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SpecForm {
    #[serde(deserialize_with = "firm_code")]
    firm_code: u32,
    #[serde(default, deserialize_with = "text")]
    firm_item_text: String,
    #[serde(default, deserialize_with = "nonzero")]
    cm_act_id: u32,
    #[serde(default, deserialize_with = "serials")]
    serials: Option<[u32; 3]>,
    #[serde(deserialize_with = "products::deserialize")]
    products: Vec<Product>,
}

fn firm_code<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let code = u32::deserialize(from)?;
    if firm_code_permitted(code) {
        Ok(code)
    } else {
        Err(D::Error::custom(format!("Firm Code {code} is refused: {PERMITTED}")))
    }
}

/// Reads three different numbers that are not 0.
fn serials<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u32; 3]>, D::Error> {
    let list = Vec::<u32>::deserialize(from)?;
    match <[u32; 3]>::try_from(list) {
        Ok([a, b, c]) if a != b && a != c && b != c && a != 0 && b != 0 && c != 0 => {
            Ok(Some([a, b, c]))
        }
        _ => Err(D::Error::custom("expected three different serials, none of them 0")),
    }
}

impl Spec {
    /// Reads and checks a SPEC.json.
    ///
    /// # Errors
    /// Returns the first mistake, with its place.
    pub fn parse(json: &str) -> Result<Self, SpecError> {
        let at_top = |message| SpecError { line: 1, column: 1, key: None, message };
        if json.len() > LICENCE_FILE_MAX {
            return Err(at_top(format!("longer than {LICENCE_FILE_MAX} bytes")));
        }
        let form: SpecForm = read(json, "specification")?;
        if form.cm_act_id != 0 && form.serials.is_some() {
            let message = "Serials are for containers without a CmActId, but there is one";
            return Err(SpecError::of_key(json, &["Serials"], message));
        }
        if form.products.is_empty() {
            let message = "found no product, expected at least one: [{\"ProductCode\": 201, \
                           \"LicenseQuantity\": 5}]";
            return Err(SpecError::of_key(json, &["Products"], message));
        }
        let spec = Self {
            cm_act_id: form.cm_act_id,
            serials: form.serials,
            firm_item: FirmItem {
                firm_code: form.firm_code,
                text: form.firm_item_text,
                key_check: 0,
                products: form.products,
            },
        };
        // Every backend must be able to load an issued file.
        if File::length(&spec.part(u32::MAX)) > LICENCE_FILE_MAX {
            let what = format!("the licence file would be longer than {LICENCE_FILE_MAX} bytes");
            return Err(at_top(what));
        }
        Ok(spec)
    }

    /// Returns the CmActId of the three containers; 0 if they have none.
    #[must_use]
    pub fn cm_act_id(&self) -> u32 {
        self.cm_act_id
    }

    /// Returns the serials of the three containers, if the specification states them.
    #[must_use]
    pub fn serials(&self) -> Option<[u32; 3]> {
        self.serials
    }

    /// Returns the firm item that the containers hold.
    #[must_use]
    pub fn firm_item(&self) -> &FirmItem {
        &self.firm_item
    }

    /// Returns the container with this serial.
    pub(super) fn part(&self, serial: u32) -> Part {
        let firm_items = [self.firm_item.clone()].into();
        Part { serial, mask: mask::CMACT_UNIVERSAL, cm_act_id: self.cm_act_id, firm_items }
    }
}

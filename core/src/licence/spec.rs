//! SPEC.json: what a vendor writes to have a container issued in three parts.

use super::form::{nonzero, products, text};
use super::{File, FirmItem, Part, Product};
use crate::limits::{LICENCE_ERROR_TEXT, LICENCE_FILE_MAX};
use crate::nearest::nearest;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

/// Why other Firm Codes are refused, in words for people.
pub(super) const PERMITTED: &str = "only 10 and 6000010 (public evaluation) and 4026531840 to \
    4294967295 (0xF0000000 to 0xFFFFFFFF, private) are permitted, because an open backend must \
    not stand in for another vendor's licences";

/// Whether an open backend may hold licences of this Firm Code.
#[must_use]
pub fn firm_code_permitted(firm_code: u32) -> bool {
    matches!(firm_code, 10 | 6_000_010 | 0xf000_0000..)
}

/// A container to be issued. There is none that breaks a rule: [`parse`](Self::parse) is the only
/// way to get one.
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

/// Three different numbers that are not 0.
fn serials<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u32; 3]>, D::Error> {
    let list = Vec::<u32>::deserialize(from)?;
    match <[u32; 3]>::try_from(list) {
        Ok([a, b, c]) if a != b && a != c && b != c && a != 0 && b != 0 && c != 0 => {
            Ok(Some([a, b, c]))
        }
        _ => Err(D::Error::custom("expected three different serials, none of them 0")),
    }
}

/// What is wrong with a text in JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// Line, from 1; the last character read before the mistake was found.
    pub line: usize,
    /// Column in that line, from 1.
    pub column: usize,
    /// The key, such as `Products[0].Text`; `None` at the top level.
    pub key: Option<String>,
    /// What is wrong, in words for people.
    pub what: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl core::error::Error for SpecError {}

impl Spec {
    /// Reads and checks a SPEC.json.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(json: &str) -> Result<Self, SpecError> {
        let at_top = |what| SpecError { line: 1, column: 1, key: None, what };
        if json.len() > LICENCE_FILE_MAX {
            return Err(at_top(format!("longer than {LICENCE_FILE_MAX} bytes")));
        }
        let form: SpecForm = read(json.as_bytes())?;
        if form.cm_act_id != 0 && form.serials.is_some() {
            let what = "Serials are for containers without a CmActId, but there is one".to_owned();
            return Err(SpecError { key: Some("Serials".to_owned()), ..at_top(what) });
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
        // Whoever issues must be sure that every backend can load it.
        if File::length(&spec.part(u32::MAX)) > LICENCE_FILE_MAX {
            let what = format!("the licence file would be longer than {LICENCE_FILE_MAX} bytes");
            return Err(at_top(what));
        }
        Ok(spec)
    }

    /// CmActId of the three containers; 0: they have none.
    #[must_use]
    pub fn cm_act_id(&self) -> u32 {
        self.cm_act_id
    }

    /// The serials of the three containers, where the specification says them.
    #[must_use]
    pub fn serials(&self) -> Option<[u32; 3]> {
        self.serials
    }

    /// What they hold.
    #[must_use]
    pub fn firm_item(&self) -> &FirmItem {
        &self.firm_item
    }

    /// The container with a serial.
    pub(super) fn part(&self, serial: u32) -> Part {
        let firm_items = [self.firm_item.clone()].into();
        Part { serial, cm_act_id: self.cm_act_id, firm_items }
    }
}

/// Reads one JSON value and nothing beside it.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, SpecError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let key = error.path().to_string();
        misfit(error.inner(), (key != ".").then_some(key))
    })?;
    reader.end().map_err(|error| misfit(&error, None))?;
    Ok(value)
}

fn misfit(error: &serde_json::Error, key: Option<String>) -> SpecError {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let place = format!(" at line {line} column {column}");
    let said = said.strip_suffix(&place).unwrap_or(&said);
    // A line break where none may be is before the first character of its line.
    let column = column.max(1);
    let what = unknown_key(said).unwrap_or_else(|| said.to_owned());
    SpecError { line, column, key: key.as_deref().map(shown), what: shown(&what) }
}

/// Words that may repeat the file's: without what would disturb a log line, and not endless.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        if shown.len() >= LICENCE_ERROR_TEXT {
            break;
        }
        match letter.is_control() {
            true => shown.extend(letter.escape_default()),
            false => shown.push(letter),
        }
    }
    shown
}

/// serde's ``unknown field `A`, expected one of `B`, `C` `` with one helpful word in the place of
/// many. `None` for any other message.
fn unknown_key(said: &str) -> Option<String> {
    let (word, known) = said.strip_prefix("unknown field `")?.rsplit_once("`, expected ")?;
    let known = known.split('`').skip(1).step_by(2);
    let nearest = nearest(word, known)?;
    Some(format!("unknown key `{word}`; the nearest known key is `{nearest}`"))
}

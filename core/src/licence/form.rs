//! The JSON form of licences, the same in SPEC.json and in a licence file: PascalCase keys, no
//! unknown keys, times by RFC 3339, the client runtime version as text.
//!
//! Values are checked while they are read, so that every message has a line and a column. The
//! permitted Firm Codes are checked elsewhere, because the two files report them differently.

use super::{FirmItem, Period, Product};
use crate::base::limits::{PRODUCTS_MAX, QUANTITY_MAX, TEXT_UNITS_MAX};
use crate::base::rfc3339;
use crate::base::time::Wall;
use crate::log::Mode;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A firm item in a licence file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "FirmItem", rename_all = "PascalCase", deny_unknown_fields)]
struct FirmItemKeys {
    firm_code: u32,
    #[serde(rename = "FirmItemText", default, deserialize_with = "text")]
    text: String,
    #[serde(skip)]
    key_check: u64,
    #[serde(with = "products")]
    products: Vec<Product>,
}

/// [`FirmItem`] with these keys.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FirmItemForm(#[serde(with = "FirmItemKeys")] pub(super) FirmItem);

impl FirmItem {
    /// Returns the firm item as JSON, with the keys of SPEC.json and of licence files.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&FirmItemForm(self.clone())).expect("a firm item in memory encodes")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Product", rename_all = "PascalCase", deny_unknown_fields)]
struct ProductKeys {
    product_code: u32,
    #[serde(default, deserialize_with = "text")]
    text: String,
    #[serde(deserialize_with = "quantity")]
    license_quantity: u32,
    #[serde(default, deserialize_with = "tmr_id", skip_serializing_if = "is_zero")]
    tmr_id: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feature_map: Option<u32>,
    #[serde(default, with = "optional_time", skip_serializing_if = "Option::is_none")]
    expiration_time: Option<Wall>,
    #[serde(default, with = "optional_time", skip_serializing_if = "Option::is_none")]
    activation_time: Option<Wall>,
    #[serde(default, with = "optional_period", skip_serializing_if = "Option::is_none")]
    maintenance_period: Option<Period>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage_period: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_counter: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linger_time: Option<u32>,
    #[serde(default, with = "optional_version", skip_serializing_if = "Option::is_none")]
    minimum_runtime_version: Option<u32>,
    #[serde(default, with = "modes", skip_serializing_if = "Vec::is_empty")]
    denied_modes: Vec<Mode>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct ProductForm(#[serde(with = "ProductKeys")] Product);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Period", rename_all = "PascalCase", deny_unknown_fields)]
struct PeriodKeys {
    #[serde(with = "time")]
    start: Wall,
    #[serde(with = "time")]
    end: Wall,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct PeriodForm(#[serde(with = "PeriodKeys")] Period);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct TimeForm(#[serde(with = "time")] Wall);

pub(super) fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Reads a text that an SDK structure can hold, without characters that would break a table or a
/// log line.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let units = text.encode_utf16().count();
    if units > TEXT_UNITS_MAX {
        let said = format!("{units} UTF-16 units are too long, at most {TEXT_UNITS_MAX} fit");
        return Err(D::Error::custom(said));
    }
    if text.chars().any(char::is_control) {
        return Err(D::Error::custom("line breaks and other control characters cannot stand here"));
    }
    Ok(text)
}

fn quantity<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        quantity @ 1..=QUANTITY_MAX => Ok(quantity),
        other => Err(D::Error::custom(format!("{other} is not between 1 and {QUANTITY_MAX}"))),
    }
}

fn tmr_id<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        0 => Err(D::Error::custom(
            "0 is no TMR-Id: number from 1, or leave the key out for an ordinary licence",
        )),
        id => Ok(id),
    }
}

/// Reads a number that is not 0.
pub(super) fn nonzero<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(from).map(NonZeroU32::get)
}

pub(super) mod time {
    use super::{Deserialize, Deserializer, Error, Serializer, String, Wall, rfc3339};

    pub(in crate::licence) fn serialize<S: Serializer>(
        time: &Wall,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc3339::format(*time))
    }

    pub(in crate::licence) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Wall, D::Error> {
        rfc3339::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod optional_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, TimeForm, Wall};

    pub(super) fn serialize<S: Serializer>(time: &Option<Wall>, to: S) -> Result<S::Ok, S::Error> {
        time.map(TimeForm).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Wall>, D::Error> {
        Ok(Option::<TimeForm>::deserialize(from)?.map(|form| form.0))
    }
}

mod optional_period {
    use super::{Deserialize, Deserializer, Error, Period, PeriodForm, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        period: &Option<Period>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        period.map(PeriodForm).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Period>, D::Error> {
        let period = Option::<PeriodForm>::deserialize(from)?.map(|form| form.0);
        if period.is_some_and(|period| period.start > period.end) {
            return Err(D::Error::custom("the period starts after its end"));
        }
        Ok(period)
    }
}

/// `7.10` or `7.10.1`: major<<24, minor<<16, build (protocol facts 4, CMACCESS).
pub(crate) mod optional_version {
    use super::{Deserialize, Deserializer, Error, Serialize, Serializer, String, format};

    pub(in crate::licence) fn serialize<S: Serializer>(
        version: &Option<u32>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        version.map(render).serialize(to)
    }

    pub(in crate::licence) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u32>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        match parse(&text) {
            Some(version) => Ok(Some(version)),
            None => Err(D::Error::custom(
                "expected a version such as \"7.10\" or \"7.10.1\" (up to 255.255.65535)",
            )),
        }
    }

    /// Returns the version as text.
    pub(crate) fn render(version: u32) -> String {
        let (major, minor, build) = (version >> 24, version >> 16 & 0xff, version & 0xffff);
        if build == 0 { format!("{major}.{minor}") } else { format!("{major}.{minor}.{build}") }
    }

    /// Reads a version from text.
    pub(crate) fn parse(text: &str) -> Option<u32> {
        let mut fields = text.split('.');
        // A sign is no digit, and five digits hold the greatest build.
        let mut field = || {
            let field = fields.next()?;
            let digits = field.bytes().all(|byte| byte.is_ascii_digit()) && field.len() <= 5;
            if digits { field.parse::<u32>().ok() } else { None }
        };
        let (major, minor) = (field()?, field()?);
        let build =
            if text.bytes().filter(|&byte| byte == b'.').count() == 1 { 0 } else { field()? };
        let whole = fields.next().is_none();
        (whole && major <= 0xff && minor <= 0xff && build <= 0xffff)
            .then_some(major << 24 | minor << 16 | build)
    }
}

/// Modes by name. Order and repetition have no meaning, so two parts do not differ by them.
mod modes {
    use super::{Deserialize, Deserializer, Error, Mode, Serializer, String, Vec, format};

    pub(super) fn serialize<S: Serializer>(modes: &[Mode], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(modes.iter().map(|mode| mode.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Mode>, D::Error> {
        let mut modes = Vec::new();
        for name in Vec::<String>::deserialize(from)? {
            let Some(mode) = Mode::ALL.into_iter().find(|mode| mode.name() == name) else {
                let suggestion = crate::base::suggest::suggestion(
                    &name,
                    Mode::ALL.iter().map(|mode| mode.name()),
                );
                let suggestion = suggestion.expect("there are four modes");
                return Err(D::Error::custom(format!(
                    "`{name}` is no access mode; did you mean `{suggestion}`?"
                )));
            };
            modes.push(mode);
        }
        modes.sort_unstable();
        modes.dedup();
        Ok(modes)
    }
}

/// Products of one Firm Code: their number is bounded, and each pair of Product Code and TMR-Id
/// occurs once.
pub(super) mod products {
    use super::{
        BTreeSet, Deserializer, Error, PRODUCTS_MAX, Product, ProductForm, SeqAccess, Serializer,
        Vec, Visitor, fmt, format,
    };

    pub(in crate::licence) fn serialize<S: Serializer>(
        products: &[Product],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(products.iter().cloned().map(ProductForm))
    }

    pub(in crate::licence) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Product>, D::Error> {
        from.deserialize_seq(Reader)
    }

    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = Vec<Product>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of products")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut products = Vec::new();
            let mut seen = BTreeSet::new();
            while let Some(ProductForm(product)) = list.next_element()? {
                if products.len() == PRODUCTS_MAX {
                    let said = format!("a container holds at most {PRODUCTS_MAX} products");
                    return Err(A::Error::custom(said));
                }
                check(&product).map_err(A::Error::custom)?;
                if !seen.insert((product.product_code, product.tmr_id)) {
                    return Err(A::Error::custom(format!(
                        "Product Code {} with {} stands here twice",
                        product.product_code,
                        match product.tmr_id {
                            0 => "no TmrId".into(),
                            id => format!("TmrId {id}"),
                        }
                    )));
                }
                products.push(product);
            }
            Ok(products)
        }
    }

    fn check(product: &Product) -> Result<(), &'static str> {
        match (product.activation_time, product.expiration_time) {
            (Some(from), Some(until)) if from >= until => {
                Err("ExpirationTime is not after ActivationTime: nobody could ever use the product")
            }
            _ => Ok(()),
        }
    }
}

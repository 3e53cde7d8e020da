//! The open licence file, `.cmlic` of version 1: one container that any machine can load, in the outer
//! form of [`signed_text`](super::signed_text). The file must be kept like a key, because the
//! licence's ciphers are derived from its `Secret`.

use super::firm_code::{PERMITTED, firm_code_permitted};
use super::form::{FirmItemForm, is_zero, nonzero, time};
use super::signed_text::{Kind, Malformed};
use super::text;
use super::{Container, FirmItem, Issuer, IssuerKey, Part, SpecError};
use crate::base::limits::{LICENCE_FILE_MAX, PRODUCTS_MAX};
use crate::base::time::Wall;
use crate::wire::constants::mask;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) const KIND: Kind = Kind(b"tmr-license ");
pub(super) const VERSION: &str = "1";

/// The format of licence files.
#[derive(Debug)]
pub struct File;

/// An open licence file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPart {
    /// The container in it.
    pub container: Container,
    /// When it was issued.
    pub issued: Wall,
    /// Who signed it.
    pub issuer: IssuerKey,
}

/// The reason why a licence file is not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LicenceError {
    /// The file is longer than any licence file.
    TooLong,
    /// The file is of another kind.
    NotALicence,
    /// The end of the file is missing.
    Truncated,
    /// The lines end as those of Windows do.
    LineEnds,
    /// The format is of a later version, with the version as the file states it.
    Version(String),
    /// The contents are not those that the issuer signed.
    Altered,
    /// The signature is valid, and its issuer is not trusted here.
    Foreign {
        /// The issuer that signed the file.
        found: IssuerKey,
        /// The trusted issuers.
        trusted: Vec<IssuerKey>,
    },
    /// The Firm Code is one that an open backend must not serve.
    FirmCode(u32),
    /// The issuer signed contents that are not valid.
    Content(SpecError),
    /// The part was issued for another container; serials.
    OtherContainer {
        /// The container that the part is for.
        expected: u32,
        /// The container that should load it.
        own: u32,
    },
    /// A share of the secret cannot be opened, or does not belong to the others.
    Share,
}

impl fmt::Display for LicenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(f, "longer than a licence file can be ({LICENCE_FILE_MAX} bytes)")
            }
            Self::NotALicence => f.write_str("not a licence file (.cmlic)"),
            Self::Truncated => f.write_str("the licence file is cut off: its end is missing"),
            Self::LineEnds => f.write_str(
                "the licence file was changed on its way: its lines end as on Windows (CR LF); copy it \
                 again as it is, in binary mode",
            ),
            Self::Version(version) => {
                write!(
                    f,
                    "licence file of format version {version:?}; this program reads version 1"
                )
            }
            Self::Altered => {
                f.write_str("the licence file was altered: its signature does not match")
            }
            Self::Foreign { found, trusted } => {
                write!(
                    f,
                    "signed by issuer {}, which is not trusted here; trusted",
                    found.short()
                )?;
                match trusted.split_first() {
                    None => f.write_str(" is nobody"),
                    Some((first, others)) => {
                        write!(f, ": {}", first.short())?;
                        others.iter().try_for_each(|key| write!(f, ", {}", key.short()))
                    }
                }
            }
            Self::FirmCode(code) => write!(f, "Firm Code {code} is refused: {PERMITTED}"),
            Self::Content(error) => write!(f, "the licence is not valid: {error}"),
            Self::OtherContainer { expected, own } => write!(
                f,
                "issued for container 130-{expected}, and this is container 130-{own}: right would be \
                 the part of the bundle that is for this container, or the container.key of the \
                 machine that the part was issued for"
            ),
            Self::Share => f.write_str(
                "the share of the secret does not fit: it is damaged, or the parts are not of one \
                 sharing; install the bundle again",
            ),
        }
    }
}

impl core::error::Error for LicenceError {}

impl From<Malformed> for LicenceError {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::OtherKind => Self::NotALicence,
            Malformed::Truncated => Self::Truncated,
            Malformed::LineEnds => Self::LineEnds,
            Malformed::Version(version) => Self::Version(version),
            Malformed::Altered => Self::Altered,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Payload {
    #[serde(deserialize_with = "nonzero")]
    serial: u32,
    #[serde(default, deserialize_with = "nonzero", skip_serializing_if = "is_zero")]
    cm_act_id: u32,
    #[serde(deserialize_with = "part_number")]
    part: u8,
    #[serde(with = "time")]
    issued: Wall,
    #[serde(with = "key")]
    secret: [u8; 32],
    firm_items: Vec<FirmItemForm>,
}

pub(super) fn part_number<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    match u8::deserialize(from)? {
        part @ 1..=3 => Ok(part),
        other => Err(D::Error::custom(format!("a TMR set has parts 1 to 3, not {other}"))),
    }
}

/// 32 bytes as hexadecimal digits.
pub(super) mod key {
    use super::{Deserialize, Deserializer, Error, Serializer, String};

    pub(in crate::licence) fn serialize<S: Serializer>(
        secret: &[u8; 32],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(secret))
    }

    pub(in crate::licence) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[u8; 32], D::Error> {
        let mut secret = [0; 32];
        hex::decode_to_slice(String::deserialize(from)?, &mut secret)
            .map_err(|_| D::Error::custom("expected 64 hexadecimal digits"))?;
        Ok(secret)
    }
}

impl File {
    /// Reads and checks the bytes of a licence file. `issuers` are the trusted ones.
    ///
    /// # Errors
    /// Returns the reason; see [`LicenceError`]. No file is accepted in part.
    pub fn open(bytes: &[u8], issuers: &[IssuerKey]) -> Result<Container, LicenceError> {
        Self::read(bytes, issuers).map(|part| part.container)
    }

    /// Does the same, and returns everything that the file says.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn read(bytes: &[u8], issuers: &[IssuerKey]) -> Result<OpenPart, LicenceError> {
        if bytes.len() > LICENCE_FILE_MAX {
            return Err(LicenceError::TooLong);
        }
        let signed = KIND.open(bytes, VERSION)?;
        if !issuers.contains(&signed.issuer) {
            return Err(LicenceError::Foreign { found: signed.issuer, trusted: issuers.to_vec() });
        }
        let payload: Payload = payload(signed.json)?;
        let firm_items = firm_items(payload.firm_items)?;
        let mask = mask::CMACT_UNIVERSAL;
        let part = Part { serial: payload.serial, mask, cm_act_id: payload.cm_act_id, firm_items };
        let number = payload.part;
        let container = Container { number, ..Container::new(part, payload.secret) };
        Ok(OpenPart { container, issued: payload.issued, issuer: signed.issuer })
    }

    /// Returns the bytes of a licence file.
    pub(super) fn seal(container: &Container, part: u8, issued: Wall, issuer: &Issuer) -> Vec<u8> {
        let payload = Payload {
            serial: container.part.serial,
            cm_act_id: container.part.cm_act_id,
            part,
            issued,
            secret: *container.secret,
            firm_items: container.part.firm_items.iter().cloned().map(FirmItemForm).collect(),
        };
        let json = serde_json::to_vec_pretty(&payload).expect("a container in memory encodes");
        KIND.seal(VERSION, &json, issuer)
    }

    /// Returns the length of a container's licence file, in bytes. Times, keys and part numbers
    /// have a fixed length.
    pub(super) fn length(part: &Part) -> usize {
        let container = Container::new(part.clone(), [0; 32]);
        Self::seal(&container, 1, Wall(0), &Issuer::from_secret([0; 32])).len()
    }
}

/// Reads a signed payload. `json` begins with the line break that ends the first line, so lines count
/// as in the file.
pub(super) fn payload<T: DeserializeOwned>(json: &[u8]) -> Result<T, LicenceError> {
    let text = core::str::from_utf8(json).map_err(|_| {
        let message = "the text is not UTF-8".into();
        LicenceError::Content(SpecError { line: 1, column: 1, key: None, message })
    })?;
    text::read(text, "licence").map_err(LicenceError::Content)
}

/// Checks the firm items of a payload as a whole: which Firm Codes there are, and how many products.
pub(super) fn firm_items(forms: Vec<FirmItemForm>) -> Result<Vec<FirmItem>, LicenceError> {
    let firm_items: Vec<_> = forms.into_iter().map(|form| form.0).collect();
    let whole = |message| {
        let key = Some("FirmItems".into());
        LicenceError::Content(SpecError { line: 2, column: 1, key, message })
    };
    for (place, item) in firm_items.iter().enumerate() {
        if !firm_code_permitted(item.firm_code) {
            return Err(LicenceError::FirmCode(item.firm_code));
        }
        if firm_items[..place].iter().any(|other| other.firm_code == item.firm_code) {
            return Err(whole(format!("Firm Code {} stands here twice", item.firm_code)));
        }
    }
    if firm_items.iter().map(|item| item.products.len()).sum::<usize>() > PRODUCTS_MAX {
        return Err(whole(format!("a container holds at most {PRODUCTS_MAX} products")));
    }
    Ok(firm_items)
}

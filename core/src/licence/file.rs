//! The licence file, `.cmlic`: one container, signed, as text that an operator can read.
//!
//! ```text
//! tmr-license 1
//! {
//!   "Serial": 1234567,
//!   …
//! }
//! issuer 64 hexadecimal digits: the Ed25519 public key
//! signature 128 hexadecimal digits: over every byte above this line, strictly verified
//! ```
//!
//! Lines end in one line feed, including the last one; digits are lower case. So only the bytes
//! that were signed are a licence file. The file must be kept like a key, because the licence's
//! ciphers are derived from its `Secret`.

use super::firm_code::{PERMITTED, firm_code_permitted};
use super::form::{FirmItemForm, is_zero, nonzero, time};
use super::text;
use super::{Container, Issuer, IssuerKey, Part, SpecError};
use crate::base::limits::{LICENCE_FILE_MAX, PRODUCTS_MAX};
use crate::base::time::Wall;
use crate::wire::constants::mask;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MAGIC: &[u8] = b"tmr-license ";
const VERSION: &[u8] = b"1";
const ISSUER: &[u8] = b"\nissuer ";
const SIGNATURE: &[u8] = b"\nsignature ";

/// The format of licence files.
#[derive(Debug)]
pub struct File;

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
        }
    }
}

impl core::error::Error for LicenceError {}

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
    #[serde(with = "secret")]
    secret: [u8; 32],
    firm_items: Vec<FirmItemForm>,
}

fn part_number<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    match u8::deserialize(from)? {
        part @ 1..=3 => Ok(part),
        other => Err(D::Error::custom(format!("a TMR set has parts 1 to 3, not {other}"))),
    }
}

mod secret {
    use super::{Deserialize, Deserializer, Error, Serializer, String};

    pub(super) fn serialize<S: Serializer>(secret: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(secret))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
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
        if bytes.len() > LICENCE_FILE_MAX {
            return Err(LicenceError::TooLong);
        }
        let (signed, signature) = split(bytes)?;
        // A file of a later version may end otherwise, so `split` looked at the version first.
        let issuer_line = find_last(signed, ISSUER).ok_or(LicenceError::Altered)?;
        let issuer = signed[issuer_line + ISSUER.len()..].strip_suffix(b"\n");
        let issuer = issuer.and_then(digits::<32>).ok_or(LicenceError::Altered)?;
        let issuer = IssuerKey::from_bytes(&issuer).ok_or(LicenceError::Altered)?;
        if !issuer.signed(signed, &signature) {
            return Err(LicenceError::Altered);
        }
        if !issuers.contains(&issuer) {
            return Err(LicenceError::Foreign { found: issuer, trusted: issuers.to_vec() });
        }
        let json = &signed[MAGIC.len() + VERSION.len()..issuer_line];
        content(json)
    }

    /// Returns the bytes of a licence file.
    pub(super) fn seal(container: &Container, part: u8, issued: Wall, issuer: &Issuer) -> Vec<u8> {
        let mut file = signed_text(container, part, issued, &issuer.public());
        let signature = issuer.sign(&file);
        // The line break at the beginning of SIGNATURE ends the issuer's line.
        file.extend_from_slice(&SIGNATURE[1..]);
        file.extend_from_slice(hex::encode(signature).as_bytes());
        file.push(b'\n');
        file
    }

    /// Returns the length of a container's licence file, in bytes. Times, keys and part numbers
    /// have a fixed length.
    pub(super) fn length(part: &Part) -> usize {
        let container = Container::new(part.clone(), [0; 32]);
        Self::seal(&container, 1, Wall(0), &Issuer::from_secret([0; 32])).len()
    }
}

fn signed_text(container: &Container, part: u8, issued: Wall, issuer: &IssuerKey) -> Vec<u8> {
    let payload = Payload {
        serial: container.part.serial,
        cm_act_id: container.part.cm_act_id,
        part,
        issued,
        secret: *container.secret,
        firm_items: container.part.firm_items.iter().cloned().map(FirmItemForm).collect(),
    };
    let json = serde_json::to_vec_pretty(&payload).expect("a container in memory always encodes");
    [MAGIC, VERSION, b"\n", &json, ISSUER, hex::encode(issuer.as_bytes()).as_bytes(), b"\n"]
        .concat()
}

/// Splits a file into the signed bytes and the signature.
fn split(bytes: &[u8]) -> Result<(&[u8], [u8; 64]), LicenceError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let begun = MAGIC.starts_with(bytes);
        return Err(if begun { LicenceError::Truncated } else { LicenceError::NotALicence });
    };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
        return Err(LicenceError::Truncated);
    };
    if rest[..end].ends_with(b"\r") {
        return Err(LicenceError::LineEnds);
    }
    if &rest[..end] != VERSION {
        let version = String::from_utf8_lossy(&rest[..end.min(32)]);
        return Err(LicenceError::Version(version.into_owned()));
    }
    let line = find_first(bytes, SIGNATURE).ok_or(LicenceError::Truncated)?;
    let (signed, tail) = (&bytes[..=line], &bytes[line + SIGNATURE.len()..]);
    match tail.strip_suffix(b"\n").and_then(digits::<64>) {
        Some(signature) => Ok((signed, signature)),
        None if tail.len() <= 128 && tail.iter().all(|&byte| is_digit(byte)) => {
            Err(LicenceError::Truncated)
        }
        None => Err(LicenceError::Altered),
    }
}

/// Reads a signed payload as a container. `json` begins with the line break that ends the first
/// line, so lines count as in the file.
fn content(json: &[u8]) -> Result<Container, LicenceError> {
    let text = core::str::from_utf8(json).map_err(|_| {
        let message = "the text is not UTF-8".into();
        LicenceError::Content(SpecError { line: 1, column: 1, key: None, message })
    })?;
    let payload: Payload = text::read(text, "licence").map_err(LicenceError::Content)?;
    let firm_items: Vec<_> = payload.firm_items.into_iter().map(|form| form.0).collect();
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
    let mask = mask::CMACT_UNIVERSAL;
    let part = Part { serial: payload.serial, mask, cm_act_id: payload.cm_act_id, firm_items };
    Ok(Container { number: payload.part, ..Container::new(part, payload.secret) })
}

fn find_first(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

fn find_last(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).rposition(|window| window == word)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Reads hexadecimal digits in lower case only: `A` for `a` would be another file with the same
/// signature.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if !text.iter().all(|&byte| is_digit(byte)) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

//! The outer form of signed files: text that an operator can read, and a signature over all of it.
//!
//! ```text
//! tmr-license 1                 the kind of the file and the version of its format
//! {
//!   "Serial": 1234567,
//!   …
//! }
//! issuer 64 hexadecimal digits: the Ed25519 public key
//! signature 128 hexadecimal digits: over every byte above this line, strictly verified
//! ```
//!
//! Lines end in one line feed, including the last one; digits are lower case. So only the bytes that
//! were signed are such a file.

use super::{Issuer, IssuerKey};
use alloc::string::String;
use alloc::vec::Vec;

const ISSUER: &[u8] = b"\nissuer ";
const SIGNATURE: &[u8] = b"\nsignature ";

/// A kind of signed files: the word that begins each of them, with the space behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind(pub(super) &'static [u8]);

/// What is wrong with the outer form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The file is of another kind.
    OtherKind,
    /// The end of the file is missing.
    Truncated,
    /// The lines end as those of Windows do.
    LineEnds,
    /// The format has another version than the one expected, with the version as the file states it.
    Version(String),
    /// The contents are not those that were signed.
    Altered,
}

/// A file whose signature is valid; nothing else is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// Who signed it.
    pub(super) issuer: IssuerKey,
    /// The contents. They begin with the line break that ends the first line, so lines count as in
    /// the file.
    pub(super) json: &'a [u8],
}

impl Kind {
    /// Reads a file of one version and verifies its signature.
    pub(super) fn open<'a>(self, bytes: &'a [u8], version: &str) -> Result<Signed<'a>, Malformed> {
        let Split { signed, signature } = self.split(bytes, version)?;
        let issuer_line = find_last(signed, ISSUER).ok_or(Malformed::Altered)?;
        let issuer = signed[issuer_line + ISSUER.len()..].strip_suffix(b"\n");
        let issuer = issuer.and_then(digits::<32>).ok_or(Malformed::Altered)?;
        let issuer = IssuerKey::from_bytes(&issuer).ok_or(Malformed::Altered)?;
        if !issuer.signed(signed, &signature) {
            return Err(Malformed::Altered);
        }
        let json = &signed[self.0.len() + version.len()..issuer_line];
        Ok(Signed { issuer, json })
    }

    /// Returns the bytes of a file.
    pub(super) fn seal(self, version: &str, json: &[u8], issuer: &Issuer) -> Vec<u8> {
        let public = hex::encode(issuer.public().as_bytes());
        let mut file =
            [self.0, version.as_bytes(), b"\n", json, ISSUER, public.as_bytes(), b"\n"].concat();
        let signature = issuer.sign(&file);
        // The line break at the beginning of SIGNATURE ends the issuer's line.
        file.extend_from_slice(&SIGNATURE[1..]);
        file.extend_from_slice(hex::encode(signature).as_bytes());
        file.push(b'\n');
        file
    }

    /// Splits a file into the signed bytes and the signature. The version is looked at first, because
    /// a file of a later version may end otherwise.
    fn split<'a>(self, bytes: &'a [u8], version: &str) -> Result<Split<'a>, Malformed> {
        let Some(rest) = bytes.strip_prefix(self.0) else {
            let begun = self.0.starts_with(bytes);
            return Err(if begun { Malformed::Truncated } else { Malformed::OtherKind });
        };
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(Malformed::Truncated);
        };
        if rest[..end].ends_with(b"\r") {
            return Err(Malformed::LineEnds);
        }
        if &rest[..end] != version.as_bytes() {
            let found = String::from_utf8_lossy(&rest[..end.min(32)]);
            return Err(Malformed::Version(found.into_owned()));
        }
        let line = find_first(bytes, SIGNATURE).ok_or(Malformed::Truncated)?;
        let (signed, tail) = (&bytes[..=line], &bytes[line + SIGNATURE.len()..]);
        match tail.strip_suffix(b"\n").and_then(digits::<64>) {
            Some(signature) => Ok(Split { signed, signature }),
            None if tail.len() <= 128 && tail.iter().all(|&byte| is_digit(byte)) => {
                Err(Malformed::Truncated)
            }
            None => Err(Malformed::Altered),
        }
    }
}

struct Split<'a> {
    signed: &'a [u8],
    signature: [u8; 64],
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
pub(super) fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if !text.iter().all(|&byte| is_digit(byte)) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

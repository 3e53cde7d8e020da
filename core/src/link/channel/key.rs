//! The group key: the secret that the fronts and backends of a group share.

use core::fmt;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The group key, which a front and a backend prove to each other. It is never sent, and its memory
/// is wiped after use.
#[derive(Clone)]
pub struct GroupKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupKey(..)")
    }
}

/// The mistake in the text of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKeyError {
    /// A character is no hex digit.
    NotHex {
        /// Its position, from 1, after the leading white space.
        character: usize,
    },
    /// There are too many digits, or too few.
    Length {
        /// The number of digits.
        digits: usize,
    },
}

impl fmt::Display for GroupKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group key is 64 hex digits; ")?;
        match self {
            Self::NotHex { character } => write!(f, "character {character} is none"),
            Self::Length { digits } => write!(f, "there are {digits}"),
        }
    }
}

impl core::error::Error for GroupKeyError {}

impl GroupKey {
    /// Returns the key with these 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the text of a key file: 64 hex digits, with white space before and after.
    ///
    /// # Errors
    /// Returns what is wrong with the text, without any part of the key.
    pub fn from_hex(text: &str) -> Result<Self, GroupKeyError> {
        let digits = text.trim();
        if let Some(at) = digits.chars().position(|c| !c.is_ascii_hexdigit()) {
            return Err(GroupKeyError::NotHex { character: at + 1 });
        }
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, bytes.as_mut_slice())
            .map_err(|_| GroupKeyError::Length { digits: digits.len() })?;
        Ok(Self(bytes))
    }

    /// Returns a check value that distinguishes group keys without revealing them; it is kept in a
    /// backend's journal.
    #[must_use]
    pub fn check(&self) -> [u8; 8] {
        let digest = Sha256::new().chain_update(b"tmr group key check").chain_update(*self.0);
        digest.finalize()[..8].try_into().expect("eight of 32 bytes")
    }

    /// Returns 32 bytes for one purpose, which reveal nothing about the key or about other
    /// purposes.
    pub(crate) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(purpose).chain_update(*self.0).finalize().into()
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

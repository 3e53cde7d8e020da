//! The status word of a reply as a type: number, name, meaning.

use super::error_table::TABLE;
use core::fmt;

/// A status of the API: any 32-bit number, known (protocol facts 5.10) or not. Each known one has a
/// constant with the SDK's name without `CMERROR_`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CmError(pub u32);

/// One known code.
pub(super) struct Code {
    pub(super) code: u32,
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
}

impl CmError {
    fn known(self) -> Option<&'static Code> {
        let found = TABLE.binary_search_by_key(&self.0, |known| known.code).ok()?;
        TABLE.get(found)
    }

    /// The stand-in for unknown codes, where codes are counted.
    pub(crate) const OTHER: Self = Self(u32::MAX);

    /// Returns whether the API has this code.
    pub(crate) fn is_known(self) -> bool {
        self.known().is_some()
    }

    /// Returns the number on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        self.0
    }

    /// Returns the SDK's name, such as `CMERROR_NO_MORE_LICENSES`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.known().map_or("CMERROR_?", |known| known.name)
    }

    /// Returns the meaning in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.known().map_or("a code that API 6.80 does not have", |known| known.meaning)
    }
}

impl fmt::Display for CmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0, self.name(), self.meaning())
    }
}

impl fmt::Debug for CmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.name())
    }
}

impl core::error::Error for CmError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn the_table_is_whole_and_in_order() {
        assert_eq!(TABLE.len(), 268);
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(TABLE.iter().all(|known| CmError(known.code).name() == known.name));
    }

    #[test]
    fn codes_say_who_they_are() {
        assert_eq!(
            CmError::NO_MORE_LICENSES.to_string(),
            "212 CMERROR_NO_MORE_LICENSES: all licences in use"
        );
        assert_eq!(CmError::COMMAND_NOT_SUPPORTED_BY_TMR.code(), 134);
        assert_eq!(CmError::REDUNDANCY_SERVER_MISSING.code(), 130);
        assert_eq!(CmError::BUFFER_OVERFLOW.code(), 112);
        assert_eq!(CmError(0xd01c_0113).name(), "CMERROR_LT_STATUS_EXPIRED");
        assert_eq!(CmError(0).name(), "CMERROR_NO_ERROR");
        assert_eq!(CmError(999).name(), "CMERROR_?");
        assert_eq!(CmError(999).code(), 999);
    }
}

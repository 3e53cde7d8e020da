//! Accesses that were refused since this front started, by what the client was told.

use crate::wire::CmError;
use alloc::collections::BTreeMap;

/// How many, by error. Only errors that a front says stand here, so it is as short as their list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denials(BTreeMap<u32, u64>);

impl Denials {
    /// One more.
    pub(super) fn count(&mut self, error: CmError) {
        let count = self.0.entry(error.code()).or_default();
        *count = count.saturating_add(1);
    }

    /// Each error that clients were told, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (CmError, u64)> {
        self.0.iter().map(|(code, count)| (CmError(*code), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_counted_by_itself() {
        let mut denials = Denials::default();
        for error in [CmError::NO_MORE_LICENSES, CmError(7), CmError::NO_MORE_LICENSES] {
            denials.count(error);
        }
        assert!(denials.iter().eq([(CmError(7), 1), (CmError::NO_MORE_LICENSES, 2)]));
    }
}

//! The Firm Codes of which an open backend may hold licences.

/// The permitted Firm Codes, as the messages name them.
pub(super) const PERMITTED: &str = "only 10 and 6000010 (public evaluation) and 4026531840 to \
    4294967295 (0xF0000000 to 0xFFFFFFFF, private) are permitted, because an open backend must \
    not stand in for another vendor's licences";

/// Returns whether an open backend may hold licences of this Firm Code.
#[must_use]
pub fn firm_code_permitted(firm_code: u32) -> bool {
    matches!(firm_code, 10 | 6_000_010 | 0xf000_0000..)
}

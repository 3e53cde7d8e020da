//! The licences of these tests: Product Codes and seats.

/// A licence with more seats than clients need.
pub const WIDE: (u32, u32) = (401, 600);
/// A licence with fewer seats than clients want.
pub const NARROW: (u32, u32) = (402, 8);
/// A licence with one seat, for a client that is cut off.
pub const LONELY: (u32, u32) = (403, 1);
/// A licence for clients that connect all at once, and may have to retry.
pub const CROWDED: (u32, u32) = (404, 3000);

/// All licences.
pub const ALL: [(u32, u32); 4] = [WIDE, NARROW, LONELY, CROWDED];

/// Seats of a licence.
///
/// # Panics
/// There is no such licence.
#[must_use]
pub fn quantity(product: u32) -> u32 {
    let found = ALL.into_iter().find(|&(code, _)| code == product);
    found.expect("a licence of these tests").1
}

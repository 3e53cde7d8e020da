//! The licences of these tests: Product Codes and seats.

/// Never short.
pub const WIDE: (u32, u32) = (401, 600);
/// Fought for.
pub const NARROW: (u32, u32) = (402, 8);
/// One seat, of a client that is cut off.
pub const LONELY: (u32, u32) = (403, 1);
/// For clients who come all at once, and may have to ask again.
pub const CROWDED: (u32, u32) = (404, 3000);

/// All of them.
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

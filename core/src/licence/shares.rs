//! Shares a container's secret among three parts: any two of them give it, and one gives nothing.
//!
//! The scheme is Shamir's for two of three, over the scalars of Curve25519 (the integers modulo the
//! prime ℓ of RFC 8032, section 5.1). For a scalar s and a slope r, both uniformly random, the share
//! of part n is s + n·r. Two shares m and n give s = (n·share(m) − m·share(n)) / (n − m); one share
//! is itself uniformly random, whatever s is. Scalars are 32 bytes, little endian.
//!
//! A container's secret has any 32 bytes, so it is masked with a hash of the scalar:
//!
//! ```text
//! masked = secret ⊕ SHA-256("tmr shared secret v1" ‖ s)
//! ```
//!
//! What never lives here: who may see a share (that is [`bound`](super::bound)), and when the parts
//! are put together.

use core::fmt;
use curve25519_dalek::Scalar;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The share of one part; its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    number: u8,
    value: Zeroizing<[u8; 32]>,
}

/// A secret in three shares, and what is left of it in public.
pub(super) struct Shared {
    /// The shares of parts 1, 2 and 3.
    pub(super) shares: [Share; 3],
    /// The masked secret, which is of no use without two shares.
    pub(super) masked: [u8; 32],
}

impl Share {
    /// Returns the share of a part (1 to 3), or `None` if there is no such part or the bytes are not
    /// a reduced scalar.
    #[must_use]
    pub fn new(number: u8, value: [u8; 32]) -> Option<Self> {
        let reduced = bool::from(Scalar::from_canonical_bytes(value).is_some());
        ((1..=3).contains(&number) && reduced)
            .then(|| Self { number, value: Zeroizing::new(value) })
    }

    /// Returns the number of the part, 1 to 3.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Returns the scalar as bytes.
    #[must_use]
    pub fn value(&self) -> &[u8; 32] {
        &self.value
    }

    fn scalar(&self) -> Scalar {
        Scalar::from_bytes_mod_order(*self.value)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Shares a secret. `scalar` and `slope` are 64 secret random bytes each; the same bytes give the
/// same shares, so that one part can be made again.
pub(super) fn share(secret: &[u8; 32], scalar: &[u8; 64], slope: &[u8; 64]) -> Shared {
    let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(scalar));
    let slope = Zeroizing::new(Scalar::from_bytes_mod_order_wide(slope));
    let shares = [1_u8, 2, 3].map(|number| {
        let value = *scalar + Scalar::from(number) * *slope;
        Share { number, value: Zeroizing::new(value.to_bytes()) }
    });
    Shared { shares, masked: masked(secret, &scalar) }
}

/// Returns the secret that two shares of different parts give; `None` if they are of one part. Shares
/// that do not belong together give another secret, which the check value of the parts shows.
#[must_use]
pub(super) fn combine(
    one: &Share,
    other: &Share,
    masked_secret: &[u8; 32],
) -> Option<Zeroizing<[u8; 32]>> {
    if one.number == other.number {
        return None;
    }
    let (m, n) = (Scalar::from(one.number), Scalar::from(other.number));
    let scalar = Zeroizing::new((n * one.scalar() - m * other.scalar()) * (n - m).invert());
    Some(Zeroizing::new(masked(masked_secret, &scalar)))
}

/// Adds the mask, or takes it away.
fn masked(secret: &[u8; 32], scalar: &Scalar) -> [u8; 32] {
    let mask = Sha256::new().chain_update("tmr shared secret v1").chain_update(scalar.to_bytes());
    let mask = Zeroizing::new(<[u8; 32]>::from(mask.finalize()));
    core::array::from_fn(|place| secret[place] ^ mask[place])
}

#[cfg(test)]
mod tests {
    use super::{Share, combine, share};
    use alloc::format;

    const SECRET: [u8; 32] = *b"a secret of any thirty-two bytes";

    fn wide(number: u8) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0] = number;
        bytes
    }

    #[test]
    fn small_numbers_are_shared_as_on_paper() {
        // s = 5, r = 7.
        let shared = share(&SECRET, &wide(5), &wide(7));
        let values = shared.shares.each_ref().map(|share| share.value()[0]);
        assert_eq!(values, [12, 19, 26]);
        assert!(shared.shares.iter().all(|share| share.value()[1..] == [0; 31]));
        // python3 -c 'import hashlib; s = (5).to_bytes(32, "little")
        //   m = hashlib.sha256(b"tmr shared secret v1" + s).digest()
        //   print(bytes(a ^ b for a, b in zip(b"a secret of any thirty-two bytes", m)).hex())'
        assert_eq!(hex::encode(shared.masked), VECTOR);
    }

    const VECTOR: &str = "8b58c7a6d04373703edaa8cdc700fcfedcfb1b2ea0c1af070e64fd5ddc8c3990";

    #[test]
    fn any_two_shares_give_the_secret_and_one_twice_gives_nothing() {
        let (scalar, slope) = ([0xa5; 64], [0x3c; 64]);
        let shared = share(&SECRET, &scalar, &slope);
        for one in &shared.shares {
            for other in &shared.shares {
                let secret = combine(one, other, &shared.masked);
                let expected = (one.number() != other.number()).then_some(SECRET);
                assert_eq!(secret.map(|secret| *secret), expected, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn one_share_fits_any_secret() {
        // For a given share of part 1, every s has a slope that makes it: r = share − s.
        let shared = share(&SECRET, &wide(5), &wide(7));
        let other = share(&[0; 32], &wide(11), &wide(1));
        assert_eq!(shared.shares[0], other.shares[0]);
        assert_ne!(shared.shares[1], other.shares[1]);
    }

    #[test]
    fn shares_of_another_sharing_give_another_secret() {
        let shared = share(&SECRET, &[1; 64], &[2; 64]);
        let again = share(&SECRET, &[1; 64], &[3; 64]);
        let mixed = combine(&shared.shares[0], &again.shares[1], &shared.masked);
        assert_ne!(mixed.map(|secret| *secret), Some(SECRET));
    }

    #[test]
    fn what_is_no_share_is_refused_and_values_stay_out_of_debug() {
        let share = Share::new(2, [7; 32].map(|byte: u8| byte & 0x0f)).unwrap();
        assert_eq!(format!("{share:?}"), "Share { number: 2, .. }");
        assert_eq!(Share::new(0, [0; 32]), None);
        assert_eq!(Share::new(4, [0; 32]), None);
        // The order of the group itself is 0, written another way.
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let mut bytes = [0; 32];
        hex::decode_to_slice(order, &mut bytes).unwrap();
        assert_eq!(Share::new(1, bytes), None);
        bytes[0] -= 1;
        assert!(Share::new(1, bytes).is_some());
    }
}

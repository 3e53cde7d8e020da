//! The key agreement of a connection (protocol facts 2.1, 2.2): ephemeral P-224 keys on both sides,
//! without authentication.

use super::cipher::Cipher;
use p224::ecdh::{self, SharedSecret};
use p224::elliptic_curve::sec1::ToEncodedPoint;
use p224::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};

/// Length of an uncompressed point: 0x04, X and Y of 28 bytes each, big endian.
pub(super) const POINT: usize = 57;
/// An uncompressed point as it is sent, unchecked.
pub(super) type Point = [u8; POINT];

/// The secret of one side of one connection; wiped when dropped.
pub(super) struct Secret(SecretKey);

/// The peer's bytes are no point of the curve, or the point at infinity.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OffCurve;

impl Secret {
    /// Returns the secret derived from `entropy`; every value gives one.
    pub(super) fn new(entropy: &[u8; 32]) -> Self {
        (0u32..)
            .find_map(|counter| {
                let digest = Sha256::new()
                    .chain_update(b"tmr ephemeral v1")
                    .chain_update(entropy)
                    .chain_update(counter.to_le_bytes())
                    .finalize();
                Self::from_scalar(digest[..28].try_into().expect("28 of 32 bytes"))
            })
            .expect("all but one of 2^112 digests is a scalar")
    }

    /// Returns the secret with exactly this scalar, big endian; `None` if it is zero or not below
    /// the order of the curve.
    pub(super) fn from_scalar(scalar: &[u8; 28]) -> Option<Self> {
        SecretKey::from_slice(scalar).ok().map(Self)
    }

    /// Returns the point to send to the peer.
    pub(super) fn point(&self) -> Point {
        let point = self.0.public_key().to_encoded_point(false);
        point.as_bytes().try_into().expect("an uncompressed P-224 point has 57 bytes")
    }

    /// Returns the cipher shared with the owner of `peer`.
    pub(super) fn agree(&self, peer: &Point) -> Result<Cipher, OffCurve> {
        self.shared(peer).map(|shared| derive(&shared))
    }

    /// The deepest use of the stack: a function of its own, so that no other locals share its
    /// frame.
    #[inline(never)]
    fn shared(&self, peer: &Point) -> Result<SharedSecret, OffCurve> {
        let peer = PublicKey::from_sec1_bytes(peer).map_err(|_| OffCurve)?;
        Ok(ecdh::diffie_hellman(self.0.to_nonzero_scalar(), peer.as_affine()))
    }
}

/// Derives the key and the initialisation vector (protocol facts 2.2).
#[inline(never)]
fn derive(shared: &SharedSecret) -> Cipher {
    let digest =
        Sha256::new().chain_update(shared.raw_secret_bytes()).chain_update([0, 0, 0, 1]).finalize();
    let (key, iv) = digest.split_at(16);
    Cipher::new(
        key.try_into().expect("the first half of 32 bytes"),
        iv.try_into().expect("the second half of 32 bytes"),
    )
}

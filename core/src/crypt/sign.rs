//! CmCalculateSignature and CmGetPublicKey: ECDSA on P-224, equal on all three backends.
//!
//! The private scalar is the first of these, for c = 0, 1, …, that is a scalar of the curve (c is 0
//! but for one case in 2^112). All numbers are u32, little endian:
//!
//! ```text
//! HMAC-SHA256(container's secret,
//!             "tmr signature key v1" ‖ Firm Code ‖ Product Code ‖ mflCtrl & 7 ‖ mulKeyExtType
//!                                    ‖ c)[..28]                              big endian
//! ```
//!
//! The signature is over the digest that [`signed_digest`] makes of the call; of its 32 bytes ECDSA
//! takes the first 28, as the standard requires for a hash longer than the curve. The nonce is that
//! of RFC 6979 with HMAC-SHA-224 over these 28 bytes, so equal calls have equal signatures.
//!
//! Output, 64 bytes each, big endian, every number of 28 bytes with four zero bytes before it:
//!
//! ```text
//! CmCalculateSignature   r ‖ s
//! CmGetPublicKey         X ‖ Y
//! ```
//!
//! A client verifies with these alone. The serial key, the box key and the SERIAL mode belong to
//! one container; three backends would have three results, so they are refused with 134.

use crate::log::LicenceKey;
use crate::wire::constants::auth;
use crate::wire::inferred::{number, signed_digest};
use crate::wire::structs::CmAuthenticate;
use crate::wire::{CmError, Reply, Request};
use alloc::vec::Vec;
use hmac::{Hmac, Mac};
use p224::ecdsa::signature::hazmat::PrehashSigner;
use p224::ecdsa::{Signature, SigningKey};
use sha2::Sha256;

/// Checks that the keys of a licence can do this, with the same result on every backend.
///
/// # Errors
/// Returns 134 for a key or mode that is bound to one container, 14 for an unknown key source.
pub(crate) fn check(what: &CmAuthenticate) -> Result<(), CmError> {
    match what.ctrl & auth::KSMASK {
        auth::SERIALKEY | auth::BOXKEY => Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR),
        auth::FIRMKEY | auth::HIDDENDATA | auth::SECRETDATA | auth::PISK | auth::UNIVERSALDATA => {
            Ok(())
        }
        _ => Err(CmError::KEYSOURCEUNDEFINED),
    }
}

/// Performs a call with the keys of a licence.
pub(crate) fn perform(secret: &[u8; 32], licence: &LicenceKey, request: &Request) -> Reply {
    let made = match request {
        Request::CalculateSignature { auth, size, .. } => {
            signature(secret, licence, auth).map(|bytes| Reply::buffer(*size, &bytes))
        }
        Request::GetPublicKey { auth, size, .. } => {
            public_key(secret, licence, auth).map(|bytes| Reply::buffer(*size, &bytes))
        }
        _ => Err(CmError::FUNCTION_NOT_IMPLEMENTED),
    };
    made.unwrap_or_else(|error| Reply::error_for(request, error))
}

fn signature(
    secret: &[u8; 32],
    licence: &LicenceKey,
    what: &CmAuthenticate,
) -> Result<Vec<u8>, CmError> {
    check(what)?;
    let digest = signed_digest(what).ok_or(CmError::COMMAND_NOT_SUPPORTED_BY_TMR)?;
    let key = signing_key(secret, licence, what);
    let signature: Signature = key.sign_prehash(&digest).map_err(|_| CmError::CRYPTION_FAILED)?;
    Ok(pair(&signature.to_bytes()))
}

fn public_key(
    secret: &[u8; 32],
    licence: &LicenceKey,
    what: &CmAuthenticate,
) -> Result<Vec<u8>, CmError> {
    check(what)?;
    let key = signing_key(secret, licence, what);
    let point = key.verifying_key().to_encoded_point(false);
    // The first byte says "uncompressed".
    Ok(pair(&point.as_bytes()[1..]))
}

/// Returns two numbers of 28 bytes in the form of the API.
fn pair(numbers: &[u8]) -> Vec<u8> {
    let number = |half: &[u8]| number(half.try_into().expect("a number of P-224 has 28 bytes"));
    let (first, second) = numbers.split_at(28);
    [number(first), number(second)].concat()
}

fn signing_key(secret: &[u8; 32], licence: &LicenceKey, what: &CmAuthenticate) -> SigningKey {
    let candidate = |count: u32| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret)
            .expect("any key length will do")
            .chain_update("tmr signature key v1");
        let source = what.ctrl & auth::KSMASK;
        for number in [licence.firm_code, licence.product_code, source, what.key_ext_type, count] {
            mac.update(&number.to_le_bytes());
        }
        SigningKey::from_slice(&mac.finalize().into_bytes()[..28]).ok()
    };
    (0..=u32::MAX)
        .find_map(candidate)
        .expect("not 2^32 hashes in a row are beyond the curve's order")
}

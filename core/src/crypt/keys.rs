//! Derives the key of a crypt call from a licence and the parameters of the call.
//!
//! The vendor's own derivation is not public, so this one is the project's: only backends of this
//! project decrypt what one of them encrypted. With HMAC-SHA256 and all numbers u32, little endian:
//!
//! ```text
//! key = HMAC(container's secret,
//!            "tmr crypt key v1" ‖ Firm Code ‖ Product Code ‖ mflCtrl & 0xf ‖ mulKeyExtType
//!                               ‖ mulEncryptionCode ‖ mulFeatureCode)[..16]
//! ```
//!
//! The secret is equal in the three containers of a TMR set (see
//! [`Issuer`](crate::licence::Issuer)), and neither serial nor TMR-Id is part of it: all three
//! backends have one key, and two TMR sets of one product in a container decrypt each other's data.
//! Unit, time and access options (`mulEncryptionCodeOptions`) say when a call is allowed, not what
//! it computes, and stay out too (`core/docs/decisions/003-options-are-no-part-of-a-key.md`).
//!
//! A check by other means, for a secret of 32 zero bytes, Firm Code 6000010, Product Code 201 and
//! parameters that are all zero:
//!
//! ```text
//! python3 -c 'import hmac,struct; print(hmac.new(bytes(32), b"tmr crypt key v1"
//!   + struct.pack("<6I", 6000010, 201, 0, 0, 0, 0), "sha256").hexdigest()[:32])'
//! f7c5635519f970396e994f9544ff1050
//! ```

use crate::log::LicenceKey;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `CM_CRYPT_KSMASK` (protocol facts 5.6).
const KEY_SOURCE: u32 = 0xf;

/// The members of CMBASECRYPT2 (protocol facts 4) that choose key and algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// `mflCtrl`: key source, algorithm, checksum flags.
    pub(crate) control: u32,
    /// `mulKeyExtType`.
    pub(crate) key_ext_type: u32,
    /// `mulEncryptionCode`.
    pub(crate) encryption_code: u32,
    /// `mulFeatureCode`.
    pub(crate) feature_code: u32,
}

/// Returns the AES-128 key of these parameters.
pub(super) fn crypt_key(
    secret: &[u8; 32],
    licence: &LicenceKey,
    parameters: &Parameters,
) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)
        .expect("any key length will do")
        .chain_update("tmr crypt key v1");
    for number in [
        licence.firm_code,
        licence.product_code,
        parameters.control & KEY_SOURCE,
        parameters.key_ext_type,
        parameters.encryption_code,
        parameters.feature_code,
    ] {
        mac.update(&number.to_le_bytes());
    }
    mac.finalize().into_bytes()[..16].try_into().expect("16 of 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::{Parameters, crypt_key};
    use crate::log::{ContainerId, LicenceKey};

    const LICENCE: LicenceKey = LicenceKey {
        container: ContainerId::CmAct(1),
        firm_code: 6_000_010,
        product_code: 201,
        tmr_id: 1,
    };

    #[test]
    fn the_key_is_the_documented_one() {
        let key = crypt_key(&[0; 32], &LICENCE, &Parameters::default());
        assert_eq!(hex::encode(key), "f7c5635519f970396e994f9544ff1050");
    }

    #[test]
    fn everything_that_should_changes_the_key_and_nothing_else() {
        let zero = Parameters::default();
        let key = crypt_key(&[0; 32], &LICENCE, &zero);
        let others = [
            crypt_key(&[1; 32], &LICENCE, &zero),
            crypt_key(&[0; 32], &LicenceKey { firm_code: 10, ..LICENCE }, &zero),
            crypt_key(&[0; 32], &LicenceKey { product_code: 202, ..LICENCE }, &zero),
            crypt_key(&[0; 32], &LICENCE, &Parameters { control: 1, ..zero }),
            crypt_key(&[0; 32], &LICENCE, &Parameters { key_ext_type: 1, ..zero }),
            crypt_key(&[0; 32], &LICENCE, &Parameters { encryption_code: 1, ..zero }),
            crypt_key(&[0; 32], &LICENCE, &Parameters { feature_code: 1, ..zero }),
        ];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(*other, key, "{place}");
            assert!(!others[..place].contains(other), "{place}");
        }
        let same = LicenceKey { container: ContainerId::CmAct(9), tmr_id: 2, ..LICENCE };
        assert_eq!(crypt_key(&[0; 32], &same, &zero), key);
        let flags = Parameters { control: 0xffff_fff0, ..zero };
        assert_eq!(crypt_key(&[0; 32], &LICENCE, &flags), key);
    }
}

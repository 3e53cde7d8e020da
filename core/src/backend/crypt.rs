//! CmCrypt2 (0x69) with AES-128 in ECB and CBC: a pure function of the licence's secret and the
//! call, so any one of the backends can do it.
//!
//! The key is the licence's ([`keys`](super::keys) has the derivation), or with
//! `CM_CRYPT_AES_DIRECT` and the `…_CBC_DIRECT` operations the caller's own. CBC starts from the
//! caller's `mabInitKey`. Blocks are changed in place, nothing is padded. Numbers are of fact sheet
//! 5.6; that a direct key goes straight into AES is inferred from its name.
//!
//! What never lives here: whether the call is allowed. Features, dates, units and access options
//! are the caller's to check.

use super::keys::crypt_key;
use crate::log::LicenceKey;
use crate::wire::{CmError, Reply, Request};
use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{
    BlockDecrypt, BlockDecryptMut, BlockEncrypt, BlockEncryptMut, KeyInit, KeyIvInit,
};

/// CMERROR_DATATOOSHORT.
const DATA_TOO_SHORT: u32 = 18;
/// CMERROR_INVALID_PARAMETER.
const INVALID_PARAMETER: u32 = 105;
/// CMERROR_FUNCTION_NOT_IMPLEMENTED.
const NOT_IMPLEMENTED: u32 = 304;

/// Bytes of an AES block.
const BLOCK: usize = 16;
/// `CM_CRYPT_CMDMASK` of flCtrl.
const OPERATION: u32 = 0xf;
/// `CM_CRYPT_AUTOKEY` of flCtrl.
const AUTOKEY: u32 = 0x100;
/// `CM_CRYPT_ALGMASK` of `mflCtrl`.
const ALGORITHM: u32 = 0xff00_0000;
/// `CM_CRYPT_AES`.
const AES: u32 = 0;
/// `CM_CRYPT_AES_DIRECT`.
const AES_DIRECT: u32 = 0x0300_0000;
/// `CM_CRYPT_CHKCRC` and `CM_CRYPT_CALCCRC` of `mflCtrl`.
const CHECKSUM: u32 = 0x0003_0000;

/// The members of CMBASECRYPT2 (fact sheet 4) that choose key and algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `mflCtrl`: key source, algorithm, checksum flags.
    pub control: u32,
    /// `mulKeyExtType`.
    pub key_ext_type: u32,
    /// `mulEncryptionCode`.
    pub encryption_code: u32,
    /// `mulFeatureCode`.
    pub feature_code: u32,
}

/// Does a call of a client with the keys of a licence.
pub(super) fn perform(secret: &[u8; 32], licence: &LicenceKey, request: &Request) -> Reply {
    let Request::Crypt2 { ctrl, crypt, data, .. } = request else {
        return Reply::error_for(request, CmError::FUNCTION_NOT_IMPLEMENTED);
    };
    let base = &crypt.base_crypt;
    let parameters = Parameters {
        control: base.ctrl,
        key_ext_type: base.key_ext_type,
        encryption_code: base.encryption_code,
        feature_code: base.feature_code,
    };
    let (direct, init) = (crypt.direct_aes_key, crypt.init_key);
    let mut data = data.bytes.clone();
    match crypt2(secret, licence, *ctrl, &parameters, direct, init, &mut data) {
        // The changed buffer follows the two words (inferred, fact sheet 3.2).
        Ok(()) => Reply { body: data, ..Reply::ok(0) },
        Err(error) => Reply::error_for(request, CmError(error)),
    }
}

/// Encrypts or decrypts `data` in place. `control` is the call's flCtrl, `direct_key` and
/// `init_key` are CMCRYPT2's.
///
/// # Errors
/// The CMERROR number, with `data` unchanged: 18 for less than one block, 105 for a broken one,
/// 304 for another operation or algorithm, and for what would need more than is known of the
/// protocol: a checksum (where it goes in the reply) or a key that the library makes.
pub fn crypt2(
    secret: &[u8; 32],
    licence: &LicenceKey,
    control: u32,
    parameters: &Parameters,
    direct_key: [u8; 16],
    init_key: [u8; 16],
    data: &mut [u8],
) -> Result<(), u32> {
    let operation = control & OPERATION;
    let algorithm = parameters.control & ALGORITHM;
    let known = matches!(operation, 0x4 | 0x5 | 0x8..=0xb) && matches!(algorithm, AES | AES_DIRECT);
    if !known || control & AUTOKEY != 0 || parameters.control & CHECKSUM != 0 {
        return Err(NOT_IMPLEMENTED);
    }
    if data.len() < BLOCK {
        return Err(DATA_TOO_SHORT);
    }
    let (mut blocks, rest) = InOutBuf::from(data).into_chunks();
    if !rest.is_empty() {
        return Err(INVALID_PARAMETER);
    }
    let direct = algorithm == AES_DIRECT || matches!(operation, 0xa | 0xb);
    let key = if direct { direct_key } else { crypt_key(secret, licence, parameters) };
    let (key, start) = (&key.into(), &init_key.into());
    match operation {
        0x4 => Aes128::new(key).encrypt_blocks_inout(blocks.reborrow()),
        0x5 => Aes128::new(key).decrypt_blocks_inout(blocks.reborrow()),
        0x8 | 0xa => cbc::Encryptor::<Aes128>::new(key, start).encrypt_blocks_inout_mut(blocks),
        _ => cbc::Decryptor::<Aes128>::new(key, start).decrypt_blocks_inout_mut(blocks),
    }
    Ok(())
}

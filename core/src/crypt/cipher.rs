//! The crypt calls. They are pure functions of the licence's secret and the call, so any one of the
//! backends can perform them; CmCryptSim is a function of the call alone.
//!
//! The key is the licence's ([`keys`](super::keys) has the derivation), or with
//! `CM_CRYPT_AES_DIRECT` and the `…_CBC_DIRECT` operations the caller's own. Data is changed in
//! place, without padding. [`wire::inferred`](crate::wire::inferred) defines each operation. ECIES
//! and RSA are missing, because the form of their keys and of their output is not public.
//!
//! What never lives here: whether the call is allowed. The caller checks features, dates, units and
//! access options.

use super::keys::{Parameters, crypt_key};
use crate::log::{ContainerId, LicenceKey};
use crate::wire::constants::crypt as flags;
use crate::wire::inferred::{
    CRYPT_RESULT, Chain, Operation, crc, crypt_output, direct_without_field, operation,
};
use crate::wire::structs::{CmBaseCrypt, CmBaseCrypt2};
use crate::wire::{CmError, Reply, Request};
use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{
    Block, BlockDecrypt, BlockDecryptMut, BlockEncrypt, BlockEncryptMut, KeyInit, KeyIvInit,
};

/// Bytes of an AES block.
const BLOCK: usize = 16;
/// Shortest firm key of a CmCryptSim, in bytes: one AES key.
const FIRM_KEY_MIN: usize = 16;

/// A crypt call in a common form for the four calls of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    /// flCtrl of the call.
    pub(crate) operation: u32,
    /// The parameters that choose key and algorithm.
    pub(crate) parameters: Parameters,
    /// `mulCrc`: the checksum that CHKCRC compares with.
    pub(crate) crc: u32,
    /// The caller's own key.
    pub(crate) direct_key: [u8; 16],
    /// Initial vector.
    pub(crate) start: [u8; 16],
}

impl Task {
    fn of_base(operation: u32, base: &CmBaseCrypt, init_key: [u8; 16]) -> Self {
        let parameters = Parameters {
            control: base.ctrl,
            key_ext_type: base.key_ext_type,
            encryption_code: base.encryption_code,
            feature_code: base.feature_code,
        };
        Self { operation, parameters, crc: base.crc, ..Self::default() }.with_one_field(init_key)
    }

    fn of_base2(operation: u32, base: &CmBaseCrypt2) -> Self {
        let parameters = Parameters {
            control: base.ctrl,
            key_ext_type: base.key_ext_type,
            encryption_code: base.encryption_code,
            feature_code: base.feature_code,
        };
        Self { operation, parameters, crc: base.crc, ..Self::default() }
    }

    fn with_one_field(self, init_key: [u8; 16]) -> Self {
        if self.is_direct() {
            let (direct_key, start) = direct_without_field(init_key);
            Self { direct_key, start, ..self }
        } else {
            Self { start: init_key, ..self }
        }
    }

    /// Returns the call and its data for CmCrypt and CmCrypt2, and `None` for any other call.
    fn of(request: &Request) -> Option<(Self, &[u8])> {
        match request {
            Request::Crypt { ctrl, crypt, data, .. } => {
                Some((Self::of_base(*ctrl, &crypt.base_crypt, crypt.init_key), &data.bytes))
            }
            Request::Crypt2 { ctrl, crypt, data, .. } => {
                let (direct_key, start) = (crypt.direct_aes_key, crypt.init_key);
                let task = Self::of_base2(*ctrl, &crypt.base_crypt);
                Some((Self { direct_key, start, ..task }, &data.bytes))
            }
            _ => None,
        }
    }

    /// Returns the operation, if it can be performed on `length` bytes.
    fn checked(&self, length: usize) -> Result<Operation, CmError> {
        let control = self.parameters.control;
        let Some(operation) = operation(self.operation) else {
            return Err(CmError::FUNCTION_NOT_IMPLEMENTED);
        };
        let known = matches!(control & flags::ALGMASK, flags::AES | flags::AES_DIRECT);
        if !known || self.operation & flags::AUTOKEY != 0 {
            return Err(CmError::FUNCTION_NOT_IMPLEMENTED);
        }
        let sources = [flags::FIRMKEY, flags::HIDDENDATA, flags::SECRETDATA, flags::UNIVERSALDATA];
        if !sources.contains(&(control & flags::KSMASK)) {
            return Err(CmError::KEYSOURCEUNDEFINED);
        }
        let (makes, checks) = (self.makes_checksum(), self.checks_checksum());
        let fits = match operation.decrypts {
            Some(true) => !makes,
            Some(false) => !checks,
            None => !(makes && checks),
        };
        if !fits {
            return Err(CmError::OPTIONINVALID);
        }
        let blocks = matches!(operation.chain, Chain::Ecb | Chain::Cbc);
        if length < if blocks { BLOCK } else { 1 } {
            return Err(CmError::DATATOOSHORT);
        }
        if blocks && length % BLOCK != 0 {
            return Err(CmError::INVALID_PARAMETER);
        }
        Ok(operation)
    }

    fn makes_checksum(&self) -> bool {
        self.parameters.control & flags::CALCCRC != 0
    }

    fn checks_checksum(&self) -> bool {
        self.parameters.control & flags::CHKCRC != 0
    }

    fn is_direct(&self) -> bool {
        self.parameters.control & flags::ALGMASK == flags::AES_DIRECT
            || operation(self.operation).is_some_and(|operation| operation.direct_key)
    }
}

/// Performs CmCrypt and CmCrypt2 with the keys of a licence.
pub(crate) fn perform(secret: &[u8; 32], licence: &LicenceKey, request: &Request) -> Reply {
    let Some((task, data)) = Task::of(request) else {
        return Reply::error_for(request, CmError::FUNCTION_NOT_IMPLEMENTED);
    };
    answer(secret, licence, &task, data, request)
}

/// Performs CmCryptSim and CmCryptSim2: computes the result of a container whose secret is the firm
/// key in the call. Errors are those of [`crypt()`], 206 for a firm key below 16 bytes and 105 for
/// one above 32.
pub(crate) fn simulate(request: &Request) -> Reply {
    let (task, codes, size, key, data) = match request {
        Request::CryptSim { ctrl, crypt, data, .. } => {
            let task = Task::of_base(*ctrl, &crypt.base_crypt, crypt.init_key);
            let codes = (crypt.firm_code, crypt.product_code);
            (task, codes, crypt.ext_firm_key_size, crypt.ext_firm_key, data)
        }
        Request::CryptSim2 { ctrl, crypt, data, .. } => {
            let task = Task::of_base2(*ctrl, &crypt.base_crypt).with_one_field(crypt.init_key);
            let codes = (crypt.firm_code, crypt.product_code);
            (task, codes, crypt.ext_firm_key_size, crypt.ext_firm_key, data)
        }
        _ => return Reply::error_for(request, CmError::FUNCTION_NOT_IMPLEMENTED),
    };
    let mut secret = [0; 32];
    let Some(given) = usize::try_from(size).ok().and_then(|size| key.get(..size)) else {
        return Reply::error_for(request, CmError::INVALID_PARAMETER);
    };
    if given.len() < FIRM_KEY_MIN {
        return Reply::error_for(request, CmError::FIRMKEY_TOO_SHORT);
    }
    secret[..given.len()].copy_from_slice(given);
    let (firm_code, product_code) = codes;
    let licence =
        LicenceKey { container: ContainerId::Serial(0), firm_code, product_code, tmr_id: 0 };
    answer(&secret, &licence, &task, &data.bytes, request)
}

fn answer(
    secret: &[u8; 32],
    licence: &LicenceKey,
    task: &Task,
    data: &[u8],
    request: &Request,
) -> Reply {
    let mut data = data.to_vec();
    match crypt(secret, licence, task, &mut data) {
        Ok(checksum) => Reply { body: crypt_output(data, checksum), ..Reply::ok(CRYPT_RESULT) },
        Err(error) => Reply::error_for(request, error),
    }
}

/// Checks that a crypt call can be performed, apart from its checksum. Calls of other kinds pass.
///
/// # Errors
/// Returns those of [`crypt()`] but 203.
pub(crate) fn check(request: &Request) -> Result<(), CmError> {
    let Some((task, data)) = Task::of(request) else { return Ok(()) };
    task.checked(data.len()).map(|_| ())
}

/// Encrypts or decrypts `data` in place, and returns the checksum if CALCCRC asks for one.
///
/// # Errors
/// `data` must not be used after an error: 304 for a missing operation or algorithm and for a key
/// that the library makes, 14 for an unknown key source, 11 for a checksum flag that does not fit
/// the operation, 18 for less than one block, or for no data if the operation takes any length, 105
/// for an incomplete block, 203 for a checksum that differs from the given one.
pub(crate) fn crypt(
    secret: &[u8; 32],
    licence: &LicenceKey,
    task: &Task,
    data: &mut [u8],
) -> Result<Option<u32>, CmError> {
    let operation = task.checked(data.len())?;
    let checksum = task.makes_checksum().then(|| crc(data));
    let key = if task.is_direct() {
        task.direct_key
    } else {
        crypt_key(secret, licence, &task.parameters)
    };
    run(operation, key, task.start, data);
    if task.checks_checksum() && crc(data) != task.crc {
        return Err(CmError::CRC_VERIFY_FAILED);
    }
    Ok(checksum)
}

fn run(operation: Operation, key: [u8; 16], start: [u8; 16], data: &mut [u8]) {
    let (key, start) = (&key.into(), &start.into());
    let aes = Aes128::new(key);
    let decrypts = operation.decrypts == Some(true);
    match (operation.chain, decrypts) {
        (Chain::Ecb, false) => aes.encrypt_blocks_inout(InOutBuf::from(data).into_chunks().0),
        (Chain::Ecb, true) => aes.decrypt_blocks_inout(InOutBuf::from(data).into_chunks().0),
        (Chain::Cbc, false) => cbc::Encryptor::<Aes128>::new(key, start)
            .encrypt_blocks_inout_mut(InOutBuf::from(data).into_chunks().0),
        (Chain::Cbc, true) => cbc::Decryptor::<Aes128>::new(key, start)
            .decrypt_blocks_inout_mut(InOutBuf::from(data).into_chunks().0),
        (Chain::Cfb, decrypts) => feed_back(&aes, *start, decrypts, data),
        (Chain::Stream, _) => count(&aes, *start, data),
    }
}

/// Applies CFB-128: each block's mask is the encryption of the ciphertext block before it.
fn feed_back(aes: &Aes128, mut mask: Block<Aes128>, decrypts: bool, data: &mut [u8]) {
    for chunk in data.chunks_mut(BLOCK) {
        aes.encrypt_block(&mut mask);
        for (byte, mask) in chunk.iter_mut().zip(&mut mask) {
            let taken = *byte;
            *byte ^= *mask;
            *mask = if decrypts { taken } else { *byte };
        }
    }
}

/// Applies CTR: each block's mask is the encrypted counter.
fn count(aes: &Aes128, start: Block<Aes128>, data: &mut [u8]) {
    let mut counter = u128::from_be_bytes(start.into());
    for chunk in data.chunks_mut(BLOCK) {
        let mut mask = Block::<Aes128>::from(counter.to_be_bytes());
        aes.encrypt_block(&mut mask);
        chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        counter = counter.wrapping_add(1);
    }
}

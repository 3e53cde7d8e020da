//! The *inferred* contents of replies and arguments, one line each. The code that answers uses this
//! module, so that one capture corrects one line.
//!
//! | what | inferred to be | here |
//! |---|---|---|
//! | result of CmGetInfo and of signature and public key | bytes filled; asked with size 0, the size needed | [`Reply::buffer`](super::Reply::buffer) |
//! | result of CmGetVersion | major<<24, minor<<16, build | [`API_VERSION`](super::constants::API_VERSION) |
//! | result of CmCrypt, CmCrypt2, CmCryptSim, CmCryptSim2 | 1, the API's word for done | [`CRYPT_RESULT`] |
//! | output of these four | the changed data, then u32 CRC if CALCCRC was asked for | [`crypt_output`] |
//! | the CRC | CRC-32 (IEEE) of the plain data | [`crc`] |
//! | operations 0 and 1 (direct) | as AES ECB | [`operation`] |
//! | operation 3 (stream) | AES CTR, 128-bit big endian counter from `mabInitKey`, any length | [`operation`] |
//! | operations 6 and 7 (CFB) | AES CFB-128, any length | [`operation`] |
//! | direct key of CmCrypt, CmCryptSim, CmCryptSim2 | `mabInitKey`, with an initial vector of zero | [`direct_without_field`] |
//! | size argument and result of CmGetBoxes, CmGetBoxContents | number of structures, CMBOXINFO and CMBOXENTRY (callers of the public API count so) | [`list_bytes`] |
//! | arguments of CmGetBoxContents | handle, flCtrl, Firm Code, CMBOXINFO, number | [`Request`](super::Request) |
//! | CM_GBC_BOX there | only the container of the CMBOXINFO; without it, all | `service::lists` |
//! | arguments of CmGetSecureData | handle, CMSECUREDATA, perhaps CMENTRYDATA; output CMENTRYDATA | [`Request`](super::Request) |
//! | arguments of CmGetLicenseInfo | handle, number | [`Request`](super::Request) |
//! | signature | ECDSA on P-224 of the digest's first 28 bytes: r ‖ s | `crypt::sign` |
//! | public key | X ‖ Y on P-224 | `crypt::sign` |
//! | a number of 28 bytes in 32 | big endian, four zero bytes before it | [`number`] |
//! | what EXTENDED and EXTENDED2 sign | SHA-256 over digest and codes | [`signed_digest`] |
//! | output of selector 0x04, ENTRYDATA | CMENTRYDATA for each data option that is set, text included | `service::entry` |
//! | output of selector 0x10, BOXSTATUS | u32 | `service::container` |
//! | output of selector 0x20, CMACTVERSION | CMVERSION | `service::service` |
//! | output of selector 0x3a, LISTALLPI | CMPIENTRYBASE for each product of the handle's Firm Code, of every one by a handle of the container | `service::entry` |
//! | output of selector 0x41, PITEXT; data of the text option | UTF-16 with a final NUL | [`text`] |
//! | `mflFiCtrl`, `mulFirmItemType` | 4 from Firm Code 6,000,000 up, 1 below | [`firm_item_kind`] |
//! | `musProductItemRef`, firm item index | place in the container by Firm Code, Product Code and TMR-Id, from 1 | `service::entry` |
//! | `mulLicenseTag` | TMR-Id | `service::entry` |
//! | `mflSetPios` of CMBOXENTRY | the low 16 bits of CMBOXENTRY2's | `service::entry` |
//! | `mulID` of an allocation | a number of its own, not the handle | `service::netinfo` |
//! | `mflCtrl` of CMNETINFOUSER_EXT | 0 | `service::netinfo` |
//! | what a handle of the service lists with NETINFO | all containers; any other handle its own | `service::netinfo` |

use super::constants::{auth, crypt, firmitem};
use super::structs::CmAuthenticate;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The result word of a successful crypt call.
pub const CRYPT_RESULT: u32 = 1;

/// Returns the output of a crypt call: the changed data, and the checksum if one was asked for.
#[must_use]
pub fn crypt_output(mut data: Vec<u8>, checksum: Option<u32>) -> Vec<u8> {
    if let Some(checksum) = checksum {
        data.extend_from_slice(&checksum.to_le_bytes());
    }
    data
}

/// Returns the checksum of CALCCRC and CHKCRC.
#[must_use]
pub fn crc(plain: &[u8]) -> u32 {
    crc32fast::hash(plain)
}

/// The mode of a block cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Each block alone; complete blocks only.
    Ecb,
    /// Cipher block chaining; complete blocks only.
    Cbc,
    /// Cipher feedback, 128 bits; any length.
    Cfb,
    /// A key stream from a counter; any length. Encryption and decryption are the same.
    Stream,
}

/// The operation in the low four bits of a crypt call's flCtrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The mode.
    pub chain: Chain,
    /// Whether the operation decrypts; `None` if it is its own inverse.
    pub decrypts: Option<bool>,
    /// Whether the operation uses the caller's key for every algorithm.
    pub direct_key: bool,
}

/// Returns the operation of a crypt call; `None` for an unknown number.
#[must_use]
pub fn operation(ctrl: u32) -> Option<Operation> {
    let plain = |chain, decrypts| Operation { chain, decrypts: Some(decrypts), direct_key: false };
    Some(match ctrl & crypt::CMDMASK {
        crypt::DIRECT_ENC | crypt::AES_ENC_ECB => plain(Chain::Ecb, false),
        crypt::DIRECT_DEC | crypt::AES_DEC_ECB => plain(Chain::Ecb, true),
        crypt::STREAM => Operation { decrypts: None, ..plain(Chain::Stream, false) },
        crypt::AES_ENC_CFB => plain(Chain::Cfb, false),
        crypt::AES_DEC_CFB => plain(Chain::Cfb, true),
        crypt::AES_ENC_CBC => plain(Chain::Cbc, false),
        crypt::AES_DEC_CBC => plain(Chain::Cbc, true),
        crypt::AES_ENC_CBC_DIRECT => Operation { direct_key: true, ..plain(Chain::Cbc, false) },
        crypt::AES_DEC_CBC_DIRECT => Operation { direct_key: true, ..plain(Chain::Cbc, true) },
        _ => return None,
    })
}

/// Returns direct key and initial vector of a structure that has only `mabInitKey` for both.
#[must_use]
pub fn direct_without_field(init_key: [u8; 16]) -> ([u8; 16], [u8; 16]) {
    (init_key, [0; 16])
}

/// Returns the bytes of a list of `number` structures of `size` bytes, saturating.
#[must_use]
pub fn list_bytes(number: u32, size: usize) -> u32 {
    number.saturating_mul(u32::try_from(size).unwrap_or(u32::MAX))
}

/// Returns a number of the curve in the form of the API.
#[must_use]
pub fn number(big_endian: [u8; 28]) -> [u8; 32] {
    let mut place = [0; 32];
    place[4..].copy_from_slice(&big_endian);
    place
}

/// Returns the digest that is signed. DIRECT: the one given. EXTENDED: SHA-256 of it, Firm Code, Product
/// Code, `mulEncryptionCodeOptions` and `mulFeatureCode`. EXTENDED2: the same and
/// `mulKeyExtType`. Numbers are u32, little endian. `None` for SERIAL, which is bound to one
/// container.
#[must_use]
pub fn signed_digest(what: &CmAuthenticate) -> Option<[u8; 32]> {
    let mode = what.ctrl & auth::AMMASK;
    if mode == auth::DIRECT {
        return Some(what.digest);
    }
    if mode == auth::SERIAL {
        return None;
    }
    let mut hash = Sha256::new_with_prefix(what.digest);
    let options = what.encryption_code_options;
    for word in [what.firm_code, what.product_code, options, what.feature_code] {
        hash.update(word.to_le_bytes());
    }
    if mode == auth::EXTENDED2 {
        hash.update(what.key_ext_type.to_le_bytes());
    }
    Some(hash.finalize().into())
}

/// Returns a text of variable length.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// Returns the kind of a firm item.
#[must_use]
pub fn firm_item_kind(firm_code: u32) -> u32 {
    if firm_code < 6_000_000 { firmitem::BOXBASED } else { firmitem::TRANSFERBASED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_signs_what_its_line_says() {
        let what = CmAuthenticate {
            key_ext_type: 5,
            firm_code: 1,
            product_code: 2,
            encryption_code_options: 3,
            feature_code: 4,
            digest: [7; 32],
            ..CmAuthenticate::default()
        };
        let with = |mode| signed_digest(&CmAuthenticate { ctrl: mode, ..what.clone() });
        assert_eq!(with(auth::DIRECT), Some([7; 32]));
        assert_eq!(with(auth::SERIAL), None);
        // python3 -c 'import hashlib,struct; print(hashlib.sha256(b"\7"*32
        //   + struct.pack("<4I", 1, 2, 3, 4)).hexdigest())', and with 5 at the end
        let extended = with(auth::EXTENDED).map(hex::encode);
        assert_eq!(
            extended.as_deref(),
            Some("e98ae3ccb1e3f53e8237234e96223f305fab2e113d1cc99d8da3e258ec179c9b")
        );
        let extended = with(auth::EXTENDED2).map(hex::encode);
        assert_eq!(
            extended.as_deref(),
            Some("bb925852f46b54e0ccff8357b8fea68397b6bbf3ecb73ee5022aa7463de911c1")
        );
    }

    #[test]
    fn texts_and_numbers_have_their_form() {
        assert_eq!(text("aé"), [b'a', 0, 0xe9, 0, 0, 0]);
        assert_eq!(number([9; 28])[..5], [0, 0, 0, 0, 9]);
        assert_eq!(list_bytes(u32::MAX, 144), u32::MAX);
        assert_eq!(crypt_output([1].into(), Some(2)), [1, 2, 0, 0, 0]);
    }
}

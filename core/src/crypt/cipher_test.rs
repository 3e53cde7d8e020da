use super::cipher::{Task, crypt, perform, simulate};
use super::keys::Parameters;
use crate::base::time::Wall;
use crate::licence::{File, Issuer, Spec};
use crate::log::{ContainerId, LicenceKey};
use crate::wire::structs::{CmBaseCrypt, CmBaseCrypt2, CmCrypt, CmCrypt2, CmCryptSim, CmCryptSim2};
use crate::wire::{Buffer, CmError, Request};
use alloc::vec;
use alloc::vec::Vec;

const LICENCE: LicenceKey = LicenceKey {
    container: ContainerId::CmAct(305_419_896),
    firm_code: 6_000_010,
    product_code: 201,
    tmr_id: 1,
};
const AES: Parameters =
    Parameters { control: 0, key_ext_type: 3, encryption_code: 0x1234, feature_code: 1 };
const AES_DIRECT: Parameters = Parameters { control: 0x0300_0000, ..AES };

const STREAM: u32 = 3;
const ENC_CFB: u32 = 6;
const DEC_CFB: u32 = 7;
const ENC_ECB: u32 = 4;
const DEC_ECB: u32 = 5;
const ENC_CBC: u32 = 8;
const DEC_CBC: u32 = 9;
const ENC_CBC_DIRECT: u32 = 0xa;
const DEC_CBC_DIRECT: u32 = 0xb;

/// SP 800-38A, appendix F: key, initial vector, plaintext, and what ECB, CBC, CFB and CTR make of it.
const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const IV: &str = "000102030405060708090a0b0c0d0e0f";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const ECB: &str = "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf\
                   43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4";
const CBC: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                   73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7";
const CFB: &str = "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b\
                   26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6";
const COUNTER: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
const CTR: &str = "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
                   5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee";
const PLAIN_CRC: u32 = 2861743574;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

fn block(hexadecimal: &str) -> [u8; 16] {
    bytes(hexadecimal).try_into().unwrap()
}

fn task(operation: u32, parameters: &Parameters, key: [u8; 16], iv: [u8; 16]) -> Task {
    Task { operation, parameters: *parameters, crc: 0, direct_key: key, start: iv }
}

/// With a direct key.
fn direct(operation: u32, parameters: &Parameters, key: &str, iv: &str, data: &str) -> Vec<u8> {
    let mut data = bytes(data);
    let task = task(operation, parameters, block(key), block(iv));
    assert_eq!(crypt(&[1; 32], &LICENCE, &task, &mut data), Ok(None));
    data
}

/// With the licence's key.
fn bound(
    secret: &[u8; 32],
    licence: &LicenceKey,
    operation: u32,
    parameters: &Parameters,
    data: &[u8],
) -> Vec<u8> {
    let mut data = data.to_vec();
    let task = task(operation, parameters, [9; 16], block(IV));
    assert_eq!(crypt(secret, licence, &task, &mut data), Ok(None));
    data
}

#[test]
fn direct_keys_give_the_standards_vectors() {
    let fips = ("000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff");
    let cipher = bytes("69c4e0d86a7b0430d8cdb78070b4c55a");
    assert_eq!(direct(ENC_ECB, &AES_DIRECT, fips.0, IV, fips.1), cipher);

    assert_eq!(direct(ENC_ECB, &AES_DIRECT, KEY, IV, PLAIN), bytes(ECB));
    assert_eq!(direct(DEC_ECB, &AES_DIRECT, KEY, IV, ECB), bytes(PLAIN));
    for (encrypt, decrypt, parameters) in [
        (ENC_CBC, DEC_CBC, AES_DIRECT),
        (ENC_CBC_DIRECT, DEC_CBC_DIRECT, AES_DIRECT),
        (ENC_CBC_DIRECT, DEC_CBC_DIRECT, AES),
    ] {
        assert_eq!(direct(encrypt, &parameters, KEY, IV, PLAIN), bytes(CBC));
        assert_eq!(direct(decrypt, &parameters, KEY, IV, CBC), bytes(PLAIN));
    }
}

#[test]
fn the_licences_key_goes_into_the_same_algorithms() {
    // The key that `keys` documents for this secret and all-zero parameters.
    let key = "f7c5635519f970396e994f9544ff1050";
    let zero = Parameters::default();
    for operation in [ENC_ECB, DEC_ECB, ENC_CBC, DEC_CBC] {
        let with_licence = bound(&[0; 32], &LICENCE, operation, &zero, &bytes(PLAIN));
        assert_eq!(with_licence, direct(operation, &AES_DIRECT, key, IV, PLAIN));
    }
}

#[test]
fn decryption_undoes_encryption() {
    let plain: Vec<u8> = (0..16 * 17).map(|i: u32| i.to_le_bytes()[0]).collect();
    for (encrypt, decrypt) in [(ENC_ECB, DEC_ECB), (ENC_CBC, DEC_CBC)] {
        let cipher = bound(&[1; 32], &LICENCE, encrypt, &AES, &plain);
        assert_ne!(cipher, plain);
        assert_eq!(bound(&[1; 32], &LICENCE, decrypt, &AES, &cipher), plain);
    }
}

#[test]
fn three_containers_issued_together_decrypt_each_others_data() {
    let spec = r#"{"FirmCode": 6000010, "CmActId": 305419896, "Products": [
        {"ProductCode": 201, "LicenseQuantity": 5, "TmrId": 1},
        {"ProductCode": 201, "LicenseQuantity": 5, "TmrId": 2},
        {"ProductCode": 202, "LicenseQuantity": 5, "TmrId": 1}]}"#;
    let spec = Spec::parse(spec).unwrap();
    let issuer = Issuer::from_secret([7; 32]);
    let mut results = Vec::new();
    for part in 1..=3 {
        let file = issuer.issue(&spec, part, Wall(u64::from(part)));
        let container = File::open(&file, &[issuer.public()]).unwrap();
        let keys: Vec<_> =
            container.part.licences(container.part.id()).map(|(key, ..)| key).collect();
        let encrypt = |key| bound(&container.secret, key, ENC_CBC, &AES, &bytes(PLAIN));
        assert_eq!(encrypt(&keys[0]), encrypt(&keys[1]), "another set of one product");
        assert_ne!(encrypt(&keys[0]), encrypt(&keys[2]), "another product");
        results.push(encrypt(&keys[0]));
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn feedback_and_stream_give_the_standards_vectors() {
    for (there, back, start, cipher) in
        [(ENC_CFB, DEC_CFB, IV, CFB), (STREAM, STREAM, COUNTER, CTR)]
    {
        assert_eq!(direct(there, &AES_DIRECT, KEY, start, PLAIN), bytes(cipher));
        assert_eq!(direct(back, &AES_DIRECT, KEY, start, cipher), bytes(PLAIN));
        // A message that ends within a block is the beginning of the longer one.
        for length in [1, 15, 17, 63] {
            let (plain, cipher) = (&PLAIN[..2 * length], &cipher[..2 * length]);
            assert_eq!(direct(there, &AES_DIRECT, KEY, start, plain), bytes(cipher));
            assert_eq!(direct(back, &AES_DIRECT, KEY, start, cipher), bytes(plain));
        }
    }
    // The counter goes over its end.
    let last = "ffffffffffffffffffffffffffffffff";
    let two = direct(STREAM, &AES_DIRECT, KEY, last, &"00".repeat(32));
    assert_eq!(two[16..], direct(STREAM, &AES_DIRECT, KEY, &"00".repeat(16), &"00".repeat(16)));
}

#[test]
fn direct_operations_are_as_ecb() {
    for (direct, ecb) in [(0, ENC_ECB), (1, DEC_ECB)] {
        let with = |operation| bound(&[1; 32], &LICENCE, operation, &AES, &bytes(PLAIN));
        assert_eq!(with(direct), with(ecb));
    }
}

#[test]
fn checksums_are_of_the_plain_data() {
    let (calc, check) = (0x2_0000, 0x1_0000);
    let with = |flag| Parameters { control: flag, ..AES };
    for (there, back) in [(ENC_ECB, DEC_ECB), (ENC_CFB, DEC_CFB), (STREAM, STREAM)] {
        let mut data = bytes(PLAIN);
        let made = task(there, &with(calc), [0; 16], [2; 16]);
        let crc = crypt(&[1; 32], &LICENCE, &made, &mut data).unwrap().unwrap();
        // python3 -c 'import zlib; print(zlib.crc32(bytes.fromhex(PLAIN)))'
        assert_eq!(crc, PLAIN_CRC);
        let right = Task { crc, ..task(back, &with(check), [0; 16], [2; 16]) };
        let mut again = data.clone();
        assert_eq!(crypt(&[1; 32], &LICENCE, &right, &mut again), Ok(None));
        assert_eq!(again, bytes(PLAIN));
        let wrong = Task { crc: crc ^ 1, ..right };
        let refused = crypt(&[1; 32], &LICENCE, &wrong, &mut data);
        assert_eq!(refused, Err(CmError::CRC_VERIFY_FAILED));
    }
    for (operation, flags) in [(ENC_ECB, check), (DEC_ECB, calc), (STREAM, calc | check)] {
        let task = task(operation, &with(flags), [0; 16], [0; 16]);
        let refused = crypt(&[1; 32], &LICENCE, &task, &mut [0; 16]);
        assert_eq!(refused, Err(CmError::OPTIONINVALID), "operation {operation}");
    }
}

#[test]
fn the_four_calls_agree() {
    let secret = [3; 32];
    let base = CmBaseCrypt { key_ext_type: 3, encryption_code: 7, ..CmBaseCrypt::default() };
    let base2 = CmBaseCrypt2 { key_ext_type: 3, encryption_code: 7, ..CmBaseCrypt2::default() };
    let (handle, ctrl, init_key) = (1, ENC_CBC, [5; 16]);
    let data = || Buffer::from(bytes(PLAIN));
    let (firm_code, product_code) = (LICENCE.firm_code, LICENCE.product_code);
    let crypt = CmCrypt { base_crypt: base.clone(), init_key };
    let crypt2 = CmCrypt2 { base_crypt: base2.clone(), init_key, ..CmCrypt2::default() };
    let held = [
        Request::Crypt { handle, ctrl, crypt, data: data() },
        Request::Crypt2 { handle, ctrl, crypt: crypt2, data: data() },
    ];
    let sim = CmCryptSim {
        firm_code,
        product_code,
        base_crypt: base,
        init_key,
        ext_firm_key_size: 32,
        ext_firm_key: secret,
        ..CmCryptSim::default()
    };
    let sim2 = CmCryptSim2 {
        firm_code,
        product_code,
        base_crypt: base2,
        init_key,
        ext_firm_key_size: 32,
        ext_firm_key: secret,
        ..CmCryptSim2::default()
    };
    let first = perform(&secret, &LICENCE, &held[0]);
    assert_eq!((first.status, first.result), (CmError::NO_ERROR, 1));
    assert_ne!(first.body, bytes(PLAIN));
    assert_eq!(perform(&secret, &LICENCE, &held[1]), first);
    let simulated = Request::CryptSim { handle, ctrl, crypt: sim.clone(), data: data() };
    assert_eq!(simulate(&simulated), first);
    let simulated = Request::CryptSim2 { handle, ctrl, crypt: sim2, data: data() };
    assert_eq!(simulate(&simulated), first);

    for (ext_firm_key_size, error) in [
        (0, CmError::FIRMKEY_TOO_SHORT),
        (15, CmError::FIRMKEY_TOO_SHORT),
        (33, CmError::INVALID_PARAMETER),
        (u32::MAX, CmError::INVALID_PARAMETER),
    ] {
        let crypt = CmCryptSim { ext_firm_key_size, ..sim.clone() };
        let refused = simulate(&Request::CryptSim { handle, ctrl, crypt, data: data() });
        assert_eq!((refused.status, refused.body), (error, vec![0; 64]));
    }

    // The older structure has one field for direct key and initial vector.
    let base = CmBaseCrypt { ctrl: 0x0300_0000, ..CmBaseCrypt::default() };
    let crypt = CmCrypt { base_crypt: base, init_key: block(KEY) };
    let reply =
        perform(&secret, &LICENCE, &Request::Crypt { handle, ctrl: ENC_ECB, crypt, data: data() });
    assert_eq!(reply.body, bytes(ECB));
}

#[test]
fn what_cannot_be_done_is_refused() {
    let refused = |control, parameters: &Parameters, length| {
        let mut data = vec![5; length];
        let task = task(control, parameters, [2; 16], [3; 16]);
        crypt(&[1; 32], &LICENCE, &task, &mut data).map_err(CmError::code)
    };
    for operation in 0..16 {
        let known = ![2, 12, 13, 14, 15].contains(&operation);
        let blocks = ![3, 6, 7].contains(&operation);
        let expected = |blockwise| match (known, blocks) {
            (false, _) => Err(304),
            (true, true) => blockwise,
            (true, false) => Ok(None),
        };
        assert_eq!(refused(operation, &AES, 32), expected(Ok(None)), "operation {operation}");
        assert_eq!(refused(operation, &AES, 0), if known { Err(18) } else { Err(304) });
        for length in [1, 15] {
            assert_eq!(refused(operation, &AES, length), expected(Err(18)), "{length} bytes");
        }
        for length in [17, 31, 33] {
            assert_eq!(refused(operation, &AES, length), expected(Err(105)), "{length} bytes");
        }
    }
    for algorithm in [0x0100_0000, 0x0200_0000, 0x0400_0000, 0x0500_0000, 0xff00_0000] {
        assert_eq!(refused(4, &Parameters { control: algorithm, ..AES }, 16), Err(304));
    }
    for source in 0..16 {
        let expected = if [0, 1, 2, 8].contains(&source) { Ok(None) } else { Err(14) };
        let parameters = Parameters { control: source, ..AES };
        assert_eq!(refused(4, &parameters, 16), expected, "key source {source}");
    }
    assert_eq!(refused(0x104, &AES, 16), Err(304), "a key that the library makes");
}

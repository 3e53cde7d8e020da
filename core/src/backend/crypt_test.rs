use super::crypt::{Parameters, crypt2};
use crate::licence::{File, Issuer, Spec};
use crate::log::LicenceKey;
use crate::time::Wall;
use alloc::vec;
use alloc::vec::Vec;

const LICENCE: LicenceKey =
    LicenceKey { container: 305_419_896, firm_code: 6_000_010, product_code: 201, tmr_id: 1 };
const AES: Parameters =
    Parameters { control: 0, key_ext_type: 3, encryption_code: 0x1234, feature_code: 1 };
const AES_DIRECT: Parameters = Parameters { control: 0x0300_0000, ..AES };

const ENC_ECB: u32 = 4;
const DEC_ECB: u32 = 5;
const ENC_CBC: u32 = 8;
const DEC_CBC: u32 = 9;
const ENC_CBC_DIRECT: u32 = 0xa;
const DEC_CBC_DIRECT: u32 = 0xb;

/// SP 800-38A, appendix F: key, initial vector, plaintext, and what ECB and CBC make of it.
const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const IV: &str = "000102030405060708090a0b0c0d0e0f";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
                     30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
const ECB: &str = "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf\
                   43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4";
const CBC: &str = "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
                   73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

fn block(hexadecimal: &str) -> [u8; 16] {
    bytes(hexadecimal).try_into().unwrap()
}

/// With a direct key.
fn direct(operation: u32, parameters: &Parameters, key: &str, iv: &str, data: &str) -> Vec<u8> {
    let mut data = bytes(data);
    crypt2(&[1; 32], &LICENCE, operation, parameters, block(key), block(iv), &mut data).unwrap();
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
    crypt2(secret, licence, operation, parameters, [9; 16], block(IV), &mut data).unwrap();
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
        let keys: Vec<_> = container.part.licences().map(|(key, ..)| key).collect();
        let encrypt = |key| bound(&container.secret, key, ENC_CBC, &AES, &bytes(PLAIN));
        assert_eq!(encrypt(&keys[0]), encrypt(&keys[1]), "another set of one product");
        assert_ne!(encrypt(&keys[0]), encrypt(&keys[2]), "another product");
        results.push(encrypt(&keys[0]));
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn what_cannot_be_done_is_refused_and_leaves_the_data_alone() {
    let refused = |control, parameters: &Parameters, length| {
        let mut data = vec![5; length];
        let result = crypt2(&[1; 32], &LICENCE, control, parameters, [2; 16], [3; 16], &mut data);
        if result.is_err() {
            assert_eq!(data, vec![5; length]);
        }
        result
    };
    for operation in 0..16 {
        let known = [4, 5, 8, 9, 10, 11].contains(&operation);
        let expected = if known { Ok(()) } else { Err(304) };
        assert_eq!(refused(operation, &AES, 32), expected, "operation {operation}");
        for length in [0, 1, 15] {
            let expected = if known { Err(18) } else { Err(304) };
            assert_eq!(refused(operation, &AES, length), expected, "{length} bytes");
        }
        for length in [17, 31, 33] {
            let expected = if known { Err(105) } else { Err(304) };
            assert_eq!(refused(operation, &AES, length), expected, "{length} bytes");
        }
    }
    for algorithm in [0x0100_0000, 0x0200_0000, 0x0400_0000, 0x0500_0000, 0xff00_0000] {
        assert_eq!(refused(4, &Parameters { control: algorithm, ..AES }, 16), Err(304));
    }
    for checksum in [0x1_0000, 0x2_0000] {
        assert_eq!(refused(4, &Parameters { control: checksum, ..AES }, 16), Err(304));
    }
    assert_eq!(refused(0x104, &AES, 16), Err(304));
}

use super::sign::{check, perform};
use crate::log::{ContainerId, LicenceKey};
use crate::wire::constants::auth;
use crate::wire::structs::CmAuthenticate;
use crate::wire::{CmError, Request};
use hmac::{Hmac, Mac};
use p224::ecdsa::signature::hazmat::PrehashVerifier;
use p224::ecdsa::{Signature, VerifyingKey};
use p224::{EncodedPoint, SecretKey};
use sha2::{Digest, Sha256};
use std::vec::Vec;

const LICENCE: LicenceKey = LicenceKey {
    container: ContainerId::CmAct(7),
    firm_code: 6_000_010,
    product_code: 201,
    tmr_id: 1,
};
const SECRET: [u8; 32] = [3; 32];
const SOURCES: [u32; 5] =
    [auth::FIRMKEY, auth::HIDDENDATA, auth::SECRETDATA, auth::PISK, auth::UNIVERSALDATA];

fn what(ctrl: u32) -> CmAuthenticate {
    let digest = Sha256::digest("a message").into();
    CmAuthenticate { ctrl, key_ext_type: 2, digest, ..CmAuthenticate::default() }
}

fn sign(secret: &[u8; 32], licence: &LicenceKey, auth: &CmAuthenticate) -> Result<Vec<u8>, u32> {
    let request = Request::CalculateSignature { handle: 1, auth: auth.clone(), size: 64 };
    let reply = perform(secret, licence, &request);
    if reply.status == CmError::NO_ERROR { Ok(reply.body) } else { Err(reply.status.code()) }
}

fn public(secret: &[u8; 32], licence: &LicenceKey, auth: &CmAuthenticate) -> Result<Vec<u8>, u32> {
    let request = Request::GetPublicKey { handle: 1, auth: auth.clone(), size: 64 };
    let reply = perform(secret, licence, &request);
    if reply.status == CmError::NO_ERROR { Ok(reply.body) } else { Err(reply.status.code()) }
}

/// Two numbers without the four zero bytes before each.
fn halves(pair: &[u8]) -> [[u8; 28]; 2] {
    assert_eq!((pair.len(), &pair[..4], &pair[32..36]), (64, &[0; 4][..], &[0; 4][..]));
    [pair[4..32].try_into().unwrap(), pair[36..].try_into().unwrap()]
}

fn verifies(public: &[u8], digest: &[u8; 32], signature: &[u8]) -> bool {
    let ([x, y], [r, s]) = (halves(public), halves(signature));
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    let key = VerifyingKey::from_encoded_point(&point).expect("a point of the curve");
    key.verify_prehash(digest, &Signature::from_scalars(r, s).unwrap()).is_ok()
}

#[test]
fn a_signature_verifies_with_the_public_key_and_with_no_other() {
    let mut keys = Vec::new();
    for source in SOURCES {
        let what = what(source);
        let (signature, key) = (sign(&SECRET, &LICENCE, &what), public(&SECRET, &LICENCE, &what));
        let (signature, key) = (signature.unwrap(), key.unwrap());
        assert!(verifies(&key, &what.digest, &signature));
        assert!(!verifies(&key, &Sha256::digest("another message").into(), &signature));
        assert_eq!(sign(&SECRET, &LICENCE, &what).unwrap(), signature, "nothing is random");
        assert!(!keys.contains(&key), "key source {source}");
        keys.push(key);
    }
    let what = what(auth::PISK);
    let others = [
        public(&[4; 32], &LICENCE, &what),
        public(&SECRET, &LicenceKey { firm_code: 10, ..LICENCE }, &what),
        public(&SECRET, &LicenceKey { product_code: 202, ..LICENCE }, &what),
        public(&SECRET, &LICENCE, &CmAuthenticate { key_ext_type: 3, ..what.clone() }),
    ];
    for other in others {
        assert!(!keys.contains(&other.unwrap()));
    }
    // Neither the container nor the call's options make another key.
    let same = LicenceKey { container: ContainerId::CmAct(8), tmr_id: 2, ..LICENCE };
    assert!(keys.contains(&public(&SECRET, &same, &what).unwrap()));
    let options = CmAuthenticate { feature_code: 1, encryption_code_options: 9, ..what };
    assert!(keys.contains(&public(&SECRET, &LICENCE, &options).unwrap()));
}

#[test]
fn the_key_is_the_documented_one() {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    mac.update(b"tmr signature key v1");
    for number in [6_000_010_u32, 201, 5, 2, 0] {
        mac.update(&number.to_le_bytes());
    }
    let secret = SecretKey::from_slice(&mac.finalize().into_bytes()[..28]).unwrap();
    let point = EncodedPoint::from(secret.public_key());
    let [x, y] = halves(&public(&SECRET, &LICENCE, &what(auth::PISK)).unwrap());
    assert_eq!((&x[..], &y[..]), (&point.x().unwrap()[..], &point.y().unwrap()[..]));
}

#[test]
fn every_mode_signs_its_digest() {
    let base = what(auth::FIRMKEY);
    let key = public(&SECRET, &LICENCE, &base).unwrap();
    for mode in [auth::EXTENDED, auth::EXTENDED2] {
        let what = CmAuthenticate { ctrl: auth::FIRMKEY | mode, firm_code: 5, ..base.clone() };
        let digest = crate::wire::inferred::signed_digest(&what).unwrap();
        let signature = sign(&SECRET, &LICENCE, &what).unwrap();
        assert!(verifies(&key, &digest, &signature));
        assert!(!verifies(&key, &what.digest, &signature));
    }
}

#[test]
fn what_belongs_to_one_container_is_refused() {
    for (ctrl, error) in [(auth::SERIALKEY, 134), (auth::BOXKEY, 134), (7, 14), (auth::SERIAL, 134)]
    {
        assert_eq!(sign(&SECRET, &LICENCE, &what(ctrl)), Err(error), "{ctrl:#x}");
    }
    assert_eq!(check(&what(auth::SERIALKEY)), Err(CmError::COMMAND_NOT_SUPPORTED_BY_TMR));
    for size in [0, 63, 64, 65] {
        let request = Request::GetPublicKey { handle: 1, auth: what(auth::PISK), size };
        let reply = perform(&SECRET, &LICENCE, &request);
        let expected = match size {
            63 => (112, 0),
            _ => (0, 64),
        };
        assert_eq!((reply.status.code(), reply.result), expected, "{size}");
        assert_eq!(reply.body.len(), size as usize);
    }
}

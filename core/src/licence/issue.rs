//! Makes licence files: the issuer's key pair, and the values that are derived from it.
//!
//! Everything but the time in a file follows from the issuer's secret and SPEC.json, so one part
//! can be issued again and still belongs to the other two:
//!
//! - serial = 1,000,000 + n mod 8,999,999, where n is the first eight bytes, little endian, of
//!   SHA-256("tmr container serial" ‖ issuer's public key ‖ name ‖ part u8); a part that would get
//!   the serial of a lower one takes the next free number. Where SPEC.json says the serials, they
//!   are those
//! - secret = HMAC-SHA256(issuer's secret, "tmr container secret" ‖ name), equal in all three parts
//! - name = CmActId; without one 0, and then the three serials if SPEC.json says them, or else the
//!   Firm Code. Each u32, little endian

use super::{Container, File, Spec};
use crate::base::time::Wall;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// The parts of a TMR set.
const PARTS: RangeInclusive<u8> = 1..=3;
/// Lowest serial, and the number of serials.
const SERIALS: (u32, u32) = (1_000_000, 8_999_999);

/// The issuer, which signs licences.
pub struct Issuer(SigningKey);

/// The public key that identifies a licence's issuer; hexadecimal when shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IssuerKey([u8; 32]);

/// The reason why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The text is not 64 hexadecimal digits.
    NotHex,
    /// The digits are no public key of Ed25519, or a weak one, for which signatures can be forged.
    NotAKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHex => "expected a key of 64 hexadecimal digits and nothing else",
            Self::NotAKey => "these 64 hexadecimal digits are not a public issuer key",
        })
    }
}

impl core::error::Error for KeyError {}

/// Reads 32 bytes in hexadecimal, with white space around them as editors leave it.
fn bytes(text: &str) -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::NotHex)?;
    Ok(bytes)
}

impl Issuer {
    /// Returns the issuer with this secret of 32 random bytes.
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// Reads the content of a secret key file.
    ///
    /// # Errors
    /// Returns [`KeyError::NotHex`] if the text is not 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        bytes(text).map(Self::from_secret)
    }

    /// Returns the content of a secret key file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = hex::encode(self.0.as_bytes());
        text.push('\n');
        text
    }

    /// Returns the public key that backends trust.
    #[must_use]
    pub fn public(&self) -> IssuerKey {
        IssuerKey(self.0.verifying_key().to_bytes())
    }

    /// Returns the licence file of one part, 1 to 3, issued at this time.
    ///
    /// # Panics
    /// Panics if there is no such part.
    #[must_use]
    pub fn issue(&self, spec: &Spec, part: u8, issued: Wall) -> Vec<u8> {
        assert!(PARTS.contains(&part), "a TMR set has parts 1 to 3, not {part}");
        let container = Container::new(spec.part(self.serial(spec, part)), self.secret(spec));
        File::seal(&container, part, issued, self)
    }

    fn serial(&self, spec: &Spec, part: u8) -> u32 {
        if let Some(serials) = spec.serials() {
            return serials[usize::from(part - *PARTS.start())];
        }
        let mut taken = Vec::with_capacity(3);
        let mut serial = SERIALS.0;
        for part in *PARTS.start()..=part {
            let digest = Sha256::new()
                .chain_update("tmr container serial")
                .chain_update(self.public().as_bytes())
                .chain_update(name(spec))
                .chain_update([part])
                .finalize();
            let number = u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"));
            serial = free_serial(number, &taken);
            taken.push(serial);
        }
        serial
    }

    fn secret(&self, spec: &Spec) -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .expect("any key length will do")
            .chain_update("tmr container secret")
            .chain_update(name(spec))
            .finalize()
            .into_bytes()
            .into()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Returns the bytes that identify one set of three among the sets of an issuer. They stay the same
/// when a part is issued again with other properties.
fn name(spec: &Spec) -> Vec<u8> {
    let mut name = spec.cm_act_id().to_le_bytes().to_vec();
    if spec.cm_act_id() == 0 {
        let rest = spec.serials().map_or_else(|| [spec.firm_item().firm_code].to_vec(), Into::into);
        name.extend(rest.into_iter().flat_map(u32::to_le_bytes));
    }
    name
}

/// Returns the serial that a number stands for, or the next free one.
fn free_serial(number: u64, taken: &[u32]) -> u32 {
    let (first, count) = SERIALS;
    let mut offset = u32::try_from(number % u64::from(count)).expect("less than count");
    while taken.contains(&(first + offset)) {
        offset = (offset + 1) % count;
    }
    first + offset
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.public()).finish()
    }
}

impl IssuerKey {
    /// Reads the content of a public key file.
    ///
    /// # Errors
    /// Returns the reason; see [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&bytes(text)?).ok_or(KeyError::NotAKey)
    }

    /// Returns the content of a public key file.
    #[must_use]
    pub fn to_text(&self) -> String {
        alloc::format!("{self}\n")
    }

    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        (!key.is_weak()).then_some(Self(*bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }

    /// Returns the beginning of the key, by which people distinguish it from others.
    pub(super) fn short(&self) -> String {
        alloc::format!("{}…", hex::encode(&self.as_bytes()[..6]))
    }
}

impl fmt::Display for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Issuer, IssuerKey, KeyError, free_serial};
    use crate::licence::Spec;
    use alloc::format;

    #[test]
    fn keys_come_back_from_their_files_and_secrets_stay_out_of_debug() {
        let issuer = Issuer::from_secret([7; 32]);
        assert_eq!(issuer.to_text(), format!("{}\n", "07".repeat(32)));
        assert_eq!(Issuer::parse(&issuer.to_text()).unwrap().public(), issuer.public());
        assert_eq!(IssuerKey::parse(&issuer.public().to_text()), Ok(issuer.public()));
        assert!(!format!("{issuer:?}").contains("0707"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let right = "07".repeat(32);
        for text in ["", "07", &right[..63], &format!("{right}0"), &right.replace("07", "0g")] {
            assert_eq!(Issuer::parse(text).unwrap_err(), KeyError::NotHex);
            assert_eq!(IssuerKey::parse(text).unwrap_err(), KeyError::NotHex);
        }
        // y = 2 is not on the curve; y = 1 is its neutral point, which signs anything.
        let (off, weak) = (format!("02{}", "00".repeat(31)), format!("01{}", "00".repeat(31)));
        assert_eq!(IssuerKey::parse(&off), Err(KeyError::NotAKey));
        assert_eq!(IssuerKey::parse(&weak), Err(KeyError::NotAKey));
    }

    #[test]
    fn rfc_8032_test_vector_1() {
        let secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let issuer = Issuer::parse(secret).unwrap();
        assert_eq!(format!("{}", issuer.public()), public);
        assert!(issuer.public().signed(b"", &issuer.sign(b"")));
        assert!(hex::encode(issuer.sign(b"")).starts_with("e5564300c360ac729086e2cc806e828a"));
    }

    #[test]
    fn serials_stay_in_their_range_and_apart() {
        assert_eq!(free_serial(0, &[]), 1_000_000);
        assert_eq!(free_serial(8_999_998, &[]), 9_999_998);
        assert_eq!(free_serial(8_999_998, &[9_999_998, 1_000_000]), 1_000_001);
        assert_eq!(free_serial(8_999_999 + 5, &[1_000_005, 1_000_006]), 1_000_007);
    }

    #[test]
    fn serial_and_secret_depend_on_issuer_and_what_names_the_set() {
        let (one, two) = (Issuer::from_secret([1; 32]), Issuer::from_secret([2; 32]));
        let spec = |keys: &str| {
            let products = r#""Products": [{"ProductCode": 1, "LicenseQuantity": 1}]"#;
            Spec::parse(&format!("{{\"FirmCode\": 10, {keys} {products}}}")).unwrap()
        };
        let (five, six) = (spec(r#""CmActId": 5,"#), spec(r#""CmActId": 6,"#));
        assert_eq!(one.serial(&five, 2), one.serial(&five, 2));
        assert_ne!(one.serial(&five, 1), one.serial(&five, 2));
        assert_ne!(one.serial(&five, 2), one.serial(&five, 3));
        assert_ne!(one.serial(&five, 1), one.serial(&six, 1));
        assert_ne!(one.serial(&five, 1), two.serial(&five, 1));
        assert_ne!(one.secret(&five), one.secret(&six));
        assert_ne!(one.secret(&five), two.secret(&five));
        // Without a CmActId: by Firm Code, or as the specification says, whatever the texts.
        let (bare, text) = (spec(""), spec(r#""FirmItemText": "other","#));
        assert_eq!(
            (one.serial(&bare, 1), one.secret(&bare)),
            (one.serial(&text, 1), one.secret(&text))
        );
        assert_ne!(one.serial(&bare, 1), one.serial(&bare, 2));
        let said = spec(r#""Serials": [30, 20, 10],"#);
        assert_eq!([1, 2, 3].map(|part| one.serial(&said, part)), [30, 20, 10]);
        let secrets = [&five, &bare, &said, &spec(r#""Serials": [30, 20, 11],"#)];
        let secrets = secrets.map(|spec| one.secret(spec));
        for (place, secret) in secrets.iter().enumerate() {
            assert!(!secrets[..place].contains(secret), "{place}");
        }
    }
}

//! The issuer's key pair: what signs licences, and what names their issuer.

use alloc::string::String;
use core::fmt;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

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

    /// Returns the secret, from which the secrets of containers follow.
    pub(super) fn secret_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
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
    use super::{Issuer, IssuerKey, KeyError};
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
}

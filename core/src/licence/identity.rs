//! The identity of a container: two key pairs that no other container has.
//!
//! A backend makes its identity once, and licences can be issued for it alone: the signing key shows
//! who asks for a licence, and the sealing key opens the container's share of the secret. The serial
//! of the container follows from both public keys, so a part for one serial is for one identity.
//!
//! The file `container.key`, which must be kept like a key (mode 0600):
//!
//! ```text
//! tmr-container 1
//! signing 64 hexadecimal digits: the secret of an Ed25519 key pair
//! sealing 64 hexadecimal digits: the secret of an X25519 key pair
//! ```
//!
//! What is sealed is one message of the Noise protocol, pattern N (`Noise_N_25519_ChaChaPoly_SHA256`,
//! prologue "tmr sealed share 1"), to the sealing key: 32 bytes of a fresh public key, then the
//! ciphertext and its tag of 16 bytes.

use super::IssuerKey;
use super::issue::SERIALS;
use crate::base::noise;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use snow::Builder;
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use zeroize::Zeroizing;

const MAGIC: &str = "tmr-container ";
const VERSION: &str = "1";
const PATTERN: &str = "Noise_N_25519_ChaChaPoly_SHA256";
const PROLOGUE: &[u8] = b"tmr sealed share 1";
/// Bytes that sealing adds: a public key and a tag.
pub(super) const SEAL: usize = 32 + 16;

/// A container's identity, with its secrets; they are wiped when it is dropped.
#[derive(Clone)]
pub struct ContainerIdentity {
    signing: SigningKey,
    sealing: Zeroizing<[u8; 32]>,
}

/// The public keys of a container's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerKeys {
    signing: IssuerKey,
    sealing: [u8; 32],
}

/// The reason why a text is not a container's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is of another kind.
    NotAnIdentity,
    /// The format is of a later version, with the version as the text states it.
    Version(String),
    /// A line is missing, or a key is not 64 hexadecimal digits; the name of the line.
    Line(&'static str),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnIdentity => f.write_str(
                "not the identity of a container (its first line would be \"tmr-container 1\")",
            ),
            Self::Version(version) => write!(
                f,
                "container identity of format version {version:?}; this program reads version {VERSION}"
            ),
            Self::Line(name) => write!(
                f,
                "the container identity is damaged: expected a line \"{name}\" with 64 hexadecimal \
                 digits. Move it away and put its copy there (tmrd container import); without a copy \
                 this container is lost, and its part has to be issued for a new one"
            ),
        }
    }
}

impl core::error::Error for IdentityError {}

impl ContainerIdentity {
    /// Returns the identity that 64 secret random bytes stand for.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 64]) -> Self {
        let (signing, sealing) = entropy.split_at(32);
        let bytes = |half: &[u8]| half.try_into().expect("half of 64 bytes");
        let signing = Zeroizing::new(bytes(signing));
        Self { signing: SigningKey::from_bytes(&signing), sealing: Zeroizing::new(bytes(sealing)) }
    }

    /// Reads the content of a `container.key`.
    ///
    /// # Errors
    /// Returns the reason; see [`IdentityError`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let version = first.strip_prefix(MAGIC).ok_or(IdentityError::NotAnIdentity)?;
        if version != VERSION {
            return Err(IdentityError::Version(version.chars().take(32).collect()));
        }
        let mut key = |name: &'static str| {
            let digits = lines.next().and_then(|line| line.strip_prefix(name));
            let digits = digits.and_then(|rest| rest.strip_prefix(' '));
            let mut bytes = Zeroizing::new([0; 32]);
            match digits.map(|digits| hex::decode_to_slice(digits, bytes.as_mut())) {
                Some(Ok(())) => Ok(bytes),
                _ => Err(IdentityError::Line(name)),
            }
        };
        let signing = SigningKey::from_bytes(&*key("signing")?);
        Ok(Self { signing, sealing: key("sealing")? })
    }

    /// Returns the content of a `container.key`.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let signing = Zeroizing::new(hex::encode(self.signing.as_bytes()));
        let sealing = Zeroizing::new(hex::encode(*self.sealing));
        Zeroizing::new(format!("{MAGIC}{VERSION}\nsigning {}\nsealing {}\n", *signing, *sealing))
    }

    /// Returns the public keys.
    #[must_use]
    pub fn keys(&self) -> ContainerKeys {
        let signing = self.signing.verifying_key().to_bytes();
        let signing = IssuerKey::from_bytes(&signing).expect("the key of a pair is a strong one");
        ContainerKeys { signing, sealing: public_of(&self.sealing) }
    }

    /// Signs a message.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }

    /// Opens what was sealed to this container; `None` if it was sealed to another one, or changed.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let builder = builder(None).local_private_key(&*self.sealing).ok()?;
        let mut state = builder.build_responder().ok()?;
        let mut opened = Zeroizing::new(alloc::vec![0; sealed.len().checked_sub(SEAL)?]);
        let length = state.read_message(sealed, &mut opened).ok()?;
        opened.truncate(length);
        Some(opened)
    }
}

impl fmt::Debug for ContainerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContainerIdentity").field(&self.keys()).finish()
    }
}

impl ContainerKeys {
    /// Returns the keys with these bytes; `None` if the first one is not a public key of Ed25519.
    #[must_use]
    pub fn new(signing: &[u8; 32], sealing: [u8; 32]) -> Option<Self> {
        Some(Self { signing: IssuerKey::from_bytes(signing)?, sealing })
    }

    /// Returns the Ed25519 key that the container signs with.
    #[must_use]
    pub fn signing(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }

    /// Returns the X25519 key to which shares are sealed.
    #[must_use]
    pub fn sealing(&self) -> &[u8; 32] {
        &self.sealing
    }

    /// Returns the serial of the container: 1,000,000 + n mod 8,999,999, where n is the first eight
    /// bytes, little endian, of SHA-256("tmr container identity v1" ‖ signing key ‖ sealing key).
    #[must_use]
    pub fn serial(&self) -> u32 {
        let digest = Sha256::new()
            .chain_update("tmr container identity v1")
            .chain_update(self.signing())
            .chain_update(self.sealing())
            .finalize();
        let number = u64::from_le_bytes(digest[..8].try_into().expect("eight of 32 bytes"));
        let offset = u32::try_from(number % u64::from(SERIALS.1)).expect("less than the count");
        SERIALS.0 + offset
    }

    /// Returns whether this container has signed the message.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.signing.signed(message, signature)
    }

    /// Seals bytes to this container. `entropy`: 32 secret random bytes that are used for nothing
    /// else. `None` if nothing can be sealed to the key, which is then no point of the curve.
    pub(super) fn seal(&self, plain: &[u8], entropy: [u8; 32]) -> Option<Vec<u8>> {
        let builder = builder(Some(entropy)).remote_public_key(&self.sealing).ok()?;
        let mut state = builder.build_initiator().ok()?;
        let mut sealed = alloc::vec![0; plain.len() + SEAL];
        let length = state.write_message(plain, &mut sealed).ok()?;
        debug_assert_eq!(length, sealed.len());
        Some(sealed)
    }
}

/// Returns the public key of an X25519 secret.
fn public_of(secret: &[u8; 32]) -> [u8; 32] {
    let mut pair = DefaultResolver.resolve_dh(&DHChoice::Curve25519).expect("snow has Curve25519");
    pair.set(secret);
    pair.pubkey().try_into().expect("a point of Curve25519 has 32 bytes")
}

/// Returns what both ends of a seal have in common. The end that seals needs entropy.
fn builder(entropy: Option<[u8; 32]>) -> Builder<'static> {
    let builder = noise::builder(PATTERN, entropy);
    builder.prologue(PROLOGUE).expect("the prologue is set once")
}

#[cfg(test)]
mod tests {
    use super::{ContainerIdentity, ContainerKeys, IdentityError, SEAL};
    use alloc::format;
    use alloc::string::ToString;

    fn identity(number: u8) -> ContainerIdentity {
        ContainerIdentity::from_entropy(&[number; 64])
    }

    #[test]
    fn an_identity_comes_back_from_its_file_and_secrets_stay_out_of_debug() {
        let one = identity(7);
        let text = one.to_text();
        assert_eq!(ContainerIdentity::parse(&text).unwrap().keys(), one.keys());
        let seven = "07".repeat(32);
        assert_eq!(*text, format!("tmr-container 1\nsigning {seven}\nsealing {seven}\n"));
        assert!(!format!("{one:?}").contains("0707"));
    }

    #[test]
    fn what_is_no_identity_is_refused_with_what_is_wrong() {
        let text = identity(7).to_text();
        let parse = |text: &str| ContainerIdentity::parse(text).unwrap_err();
        assert_eq!(parse(""), IdentityError::NotAnIdentity);
        assert_eq!(parse(&"07".repeat(32)), IdentityError::NotAnIdentity);
        assert_eq!(parse("tmr-container 2\n"), IdentityError::Version("2".into()));
        let cut = text.len() - 2;
        assert_eq!(parse(&text[..cut]), IdentityError::Line("sealing"));
        assert_eq!(parse(&text.replace("signing 0", "signing x")), IdentityError::Line("signing"));
        assert!(parse(&text[..cut]).to_string().contains("tmrd container import"));
    }

    #[test]
    fn the_serial_follows_from_both_keys_and_stays_as_it_is() {
        let (one, other) = (identity(1).keys(), identity(2).keys());
        assert_ne!(one.serial(), other.serial());
        let mixed = ContainerKeys::new(one.signing(), *other.sealing()).unwrap();
        assert!(![one.serial(), other.serial()].contains(&mixed.serial()));
        insta::assert_snapshot!(format!(
            "signing {}\nsealing {}\nserial {}",
            hex::encode(one.signing()), hex::encode(one.sealing()), one.serial()
        ), @r"
        signing 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
        sealing a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209
        serial 9971453
        ");
    }

    #[test]
    fn rfc_7748_section_6_1_has_the_same_public_key() {
        let mut entropy = [0; 64];
        let secret = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
        hex::decode_to_slice(secret, &mut entropy[32..]).unwrap();
        let public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
        let keys = ContainerIdentity::from_entropy(&entropy).keys();
        assert_eq!(hex::encode(keys.sealing()), public);
    }

    #[test]
    fn what_is_sealed_opens_for_its_container_alone_and_as_it_was() {
        let (one, other) = (identity(1), identity(2));
        let sealed = one.keys().seal(b"share", [9; 32]).unwrap();
        assert_eq!(sealed.len(), 5 + SEAL);
        assert_eq!(one.open(&sealed).unwrap().as_slice(), b"share");
        assert!(other.open(&sealed).is_none());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(one.open(&changed).is_none(), "byte {place}");
        }
        assert!(one.open(&sealed[1..]).is_none());
        assert!(one.open(&[]).is_none());
        assert_ne!(one.keys().seal(b"share", [8; 32]).unwrap(), sealed);
    }

    #[test]
    fn a_signature_is_of_one_container_and_one_message() {
        let (one, other) = (identity(1), identity(2));
        let signature = one.sign(b"message");
        assert!(one.keys().signed(b"message", &signature));
        assert!(!one.keys().signed(b"massage", &signature));
        assert!(!other.keys().signed(b"message", &signature));
    }
}

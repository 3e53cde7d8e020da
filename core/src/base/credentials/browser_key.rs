//! Recognised browsers: a cookie that a server seals when a person signs in.

use super::Rights;
use crate::base::random::Random;
use alloc::format;
use alloc::string::String;
use core::fmt;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// A browser in which a person has signed in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KnownBrowser {
    /// An operator has, in the browser with this name.
    Operator([u8; 16]),
    /// A reader has.
    Reader,
}

/// The key that seals the cookies. It is derived from the password file, so that changed passwords
/// invalidate all of them, and a restart none. It is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BrowserKey(Option<[u8; 32]>);

impl BrowserKey {
    /// Returns the key derived from the hashes in a password file.
    #[must_use]
    pub fn of(hashes: &str) -> Self {
        Self(Some(Sha256::digest(format!("browsers that are known\n{hashes}")).into()))
    }

    /// Returns the cookie for a browser in which a person with these rights has signed in.
    pub(crate) fn admit(&self, random: &mut Random, rights: Rights) -> Option<String> {
        let name = random.u128().to_be_bytes();
        Some(format!(
            "{}{}",
            hex::encode(name),
            hex::encode(self.seal(&name, rights)?.finalize().into_bytes())
        ))
    }

    /// Returns the browser of a cookie; `None` if the cookie is not valid.
    pub(crate) fn known(&self, shown: &str) -> Option<KnownBrowser> {
        let mut bytes = [0; 48];
        hex::decode_to_slice(shown, &mut bytes).ok()?;
        let (name, seal) = bytes.split_first_chunk::<16>()?;
        let of = |rights| Some(self.seal(name, rights)?.verify_slice(seal).is_ok());
        if of(Rights::Operator)? {
            return Some(KnownBrowser::Operator(*name));
        }
        of(Rights::Reader)?.then_some(KnownBrowser::Reader)
    }

    fn seal(&self, name: &[u8; 16], rights: Rights) -> Option<Hmac<Sha256>> {
        let mut seal = Hmac::<Sha256>::new_from_slice(&self.0?).ok()?;
        seal.update(name);
        if rights == Rights::Reader {
            seal.update(b"reader");
        }
        Some(seal)
    }
}

impl fmt::Debug for BrowserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_while_the_passwords_are_the_same() {
        let mut random = Random::new([7; 32]);
        let key = BrowserKey::of("operator:x");
        let [one, other] = [(); 2].map(|()| key.admit(&mut random, Rights::Operator).unwrap());
        assert!(one != other && key.known(&one) != key.known(&other));
        assert_eq!(BrowserKey::of("operator:x").known(&one), key.known(&one), "after a restart");
        assert_eq!(BrowserKey::of("operator:y").known(&one), None);
        assert_eq!(BrowserKey::default().known(&one), None);
        let reader = key.admit(&mut random, Rights::Reader).unwrap();
        assert_eq!(key.known(&reader), Some(KnownBrowser::Reader), "no operator");
        assert_eq!(BrowserKey::default().admit(&mut random, Rights::Operator), None);
        let forged = one.replacen(&one[..1], if one.starts_with('0') { "1" } else { "0" }, 1);
        for wrong in ["", "00", &one[..95], &forged] {
            assert_eq!(key.known(wrong), None, "{wrong}");
        }
    }
}

//! Tokens: credentials of a script or a monitor, sent with each request instead of a password. Each
//! has a name, a role and an end, and is kept as a hash in the password file, one a line.
//!
//! A token is 256 random bits, so guessing is hopeless: its hash is a plain SHA-256, and it is
//! looked up at once, while a password is checked slowly on purpose. What never lives here: the
//! file, and the randomness.

use super::Rights;
use crate::base::limits::{TOKEN_NAME_MAX, TOKENS_MAX};
use crate::base::rfc3339;
use crate::base::time::Wall;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The prefix of every token: a server distinguishes its own from those that a proxy forwards, and
/// a search finds one that was left in a wrong place.
pub const PREFIX: &str = "tmrd_";

/// A token in a password file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its name, in lists and in the record of changes.
    pub name: String,
    /// The rights that it gives.
    pub rights: Rights,
    /// When it ends.
    pub ends: Wall,
    /// Whether it was revoked.
    pub revoked: bool,
    /// The hash of the token.
    hash: [u8; 32],
}

/// The mistake in a line of a password file, or in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoToken(pub &'static str);

/// The reason why a token gives no rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was never made here.
    Unknown,
    /// It has ended or was revoked, as a sentence.
    Over(String),
}

impl Token {
    /// Makes a token of 32 random bytes; returns it with the text that its owner sends.
    ///
    /// # Errors
    /// The name is not valid.
    pub fn make(
        name: &str,
        rights: Rights,
        ends: Wall,
        random: [u8; 32],
    ) -> Result<(Self, String), NoToken> {
        let shown = format!("{PREFIX}{}", hex::encode(random));
        let name = new_name(name)?.to_string();
        Ok((Self { name, rights, ends, revoked: false, hash: hash(&shown) }, shown))
    }

    /// Returns whether it is valid at this time.
    #[must_use]
    pub fn holds(&self, now: Wall) -> bool {
        !self.revoked && now < self.ends
    }

    /// Parses the texts of [`Self::kind`] and [`Self::to_text`], without the colon between them.
    ///
    /// # Errors
    /// Returns what would be right.
    pub fn parse(kind: &str, text: &str) -> Result<Self, NoToken> {
        let wrong = NoToken(
            "expected token:NAME ROLE END HASH, or revoked:NAME ROLE END HASH, as tmrd token writes it",
        );
        let revoked = match kind {
            "token" => false,
            "revoked" => true,
            _ => return Err(wrong),
        };
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [name, role, ends, coded] = *words.as_slice() else { return Err(wrong) };
        let rights = [Rights::Reader, Rights::Operator].into_iter().find(|it| it.name() == role);
        let mut hash = [0; 32];
        hex::decode_to_slice(coded, &mut hash).map_err(|_| wrong)?;
        Ok(Self {
            name: named(name)?.to_string(),
            rights: rights.ok_or(wrong)?,
            ends: rfc3339::parse(ends).map_err(|_| wrong)?,
            revoked,
            hash,
        })
    }

    /// Returns the word before the colon in its line of a password file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.revoked { "revoked" } else { "token" }
    }

    /// Returns the text after the colon.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (role, ends) = (self.rights.name(), rfc3339::format(self.ends));
        format!("{} {role} {ends} {}", self.name, hex::encode(self.hash))
    }
}

/// Adds a token to those of a password file. If there are too many, invalid ones are removed, the
/// one that ended first before the others.
///
/// # Errors
/// A valid one has the same name, or there is no room.
pub fn add(tokens: &mut Vec<Token>, token: Token, now: Wall) -> Result<(), NoToken> {
    if tokens.iter().any(|it| it.name == token.name && it.holds(now)) {
        return Err(NoToken("there is one of this name; revoke it first, or choose another name"));
    }
    while tokens.len() >= TOKENS_MAX {
        let over = tokens.iter().enumerate().filter(|(_, it)| !it.holds(now));
        let Some((first, _)) = over.min_by_key(|(_, it)| it.ends) else {
            return Err(NoToken("there are 64 already; revoke one that is not needed any more"));
        };
        tokens.remove(first);
    }
    tokens.push(token);
    Ok(())
}

/// Returns the name of a token if it is valid: letters, digits and `-._`, because it is one word of
/// a line.
///
/// # Errors
/// Returns what would be right.
pub fn named(name: &str) -> Result<&str, NoToken> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > TOKEN_NAME_MAX || !name.bytes().all(plain) {
        return Err(NoToken("expected a name of up to 64 letters, digits, and the signs - . _"));
    }
    Ok(name)
}

/// Returns the name of a new token if it is valid, and cannot be taken for a command line option.
///
/// # Errors
/// Returns what would be right.
pub fn new_name(name: &str) -> Result<&str, NoToken> {
    if name.starts_with('-') {
        return Err(NoToken("expected a name that begins with a letter, a digit, or one of . _"));
    }
    named(name)
}

/// Returns the token that a request contains.
///
/// # Errors
/// It was never made here, or is no longer valid.
pub(crate) fn look<'a>(tokens: &'a [Token], shown: &str, now: Wall) -> Result<&'a Token, Refused> {
    let hash = hash(shown);
    let Some(token) = tokens.iter().find(|token| token.hash == hash) else {
        return Err(Refused::Unknown);
    };
    let Token { name, ends, revoked, .. } = token;
    if *revoked {
        return Err(Refused::Over(format!(
            "The token {name} is revoked. Make another one: tmrd token."
        )));
    }
    if now >= *ends {
        let sentence = format!("The token {name} ended on {ends}. Make another one: tmrd token.");
        return Err(Refused::Over(sentence));
    }
    Ok(token)
}

fn hash(shown: &str) -> [u8; 32] {
    Sha256::digest(shown.as_bytes()).into()
}

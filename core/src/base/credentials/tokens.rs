//! Tokens: what a script or a monitor shows with each request instead of a password. Each has a name, a
//! role and an end, and stands as a hash in the password file, one a line.
//!
//! A token is 256 random bits, which nobody guesses: so its hash is a plain SHA-256, and it is looked up
//! on the spot, where a password is checked slowly. What never lives here: the file, and the randomness.

use super::Rights;
use crate::base::limits::{TOKEN_NAME_MAX, TOKENS_MAX};
use crate::base::rfc3339;
use crate::base::time::Wall;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// What every token begins with: by it a server knows its own from those that a proxy hands on, and a
/// search finds one that was left in a place where it should not be.
pub const PREFIX: &str = "tmrd_";

/// What a password file says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is called, in lists and in the record of changes.
    pub name: String,
    /// What it gives.
    pub rights: Rights,
    /// From then on it gives nothing.
    pub ends: Wall,
    /// It was taken back before its end.
    pub revoked: bool,
    /// Of the token as it is shown.
    hash: [u8; 32],
}

/// What is wrong with a line of a password file, or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoToken(pub &'static str);

/// Why a token gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No such token was ever made here.
    Unknown,
    /// In a sentence.
    Over(String),
}

impl Token {
    /// Makes one of 32 random bytes; returns with it the text that its owner shows.
    ///
    /// # Errors
    /// The name is none.
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

    /// Whether it gives something at this time.
    #[must_use]
    pub fn holds(&self, now: Wall) -> bool {
        !self.revoked && now < self.ends
    }

    /// Reads what [`Self::kind`] and [`Self::to_text`] say, without the colon between them.
    ///
    /// # Errors
    /// What would be right.
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

    /// The word before the colon in its line of a password file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.revoked { "revoked" } else { "token" }
    }

    /// What stands behind the colon.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (role, ends) = (self.rights.name(), rfc3339::format(self.ends));
        format!("{} {role} {ends} {}", self.name, hex::encode(self.hash))
    }
}

/// Adds a token to those of a password file. If there are too many, those that give nothing any more make
/// room, the one that ended first before the others.
///
/// # Errors
/// One of this name holds, or there is no room.
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

/// The name of a token, if it may be one: letters, digits and `-._`, for it stands in lines of words.
///
/// # Errors
/// What would be right.
pub fn named(name: &str) -> Result<&str, NoToken> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if name.is_empty() || name.len() > TOKEN_NAME_MAX || !name.bytes().all(plain) {
        return Err(NoToken("expected a name of up to 64 letters, digits, and the signs - . _"));
    }
    Ok(name)
}

/// The name of a token that is to be made: a name that no command line takes for an option.
///
/// # Errors
/// What would be right.
pub fn new_name(name: &str) -> Result<&str, NoToken> {
    if name.starts_with('-') {
        return Err(NoToken("expected a name that begins with a letter, a digit, or one of . _"));
    }
    named(name)
}

/// Returns the token that somebody shows.
///
/// # Errors
/// It was never made here, or it gives nothing any more.
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

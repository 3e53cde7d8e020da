//! Credentials for the admin pages: passwords, tokens and browsers that are known.
//!
//! What never lives here: the files that hold them, and which page asks for which.

mod browser_key;
pub mod tokens;

use super::server_files::{FileTrouble, Room};
use super::time::Wall;
use alloc::string::String;
use alloc::vec::Vec;
pub use browser_key::BrowserKey;
pub(crate) use browser_key::KnownBrowser;
use core::fmt;
use tokens::Token;

/// What somebody who is signed in may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Look.
    Reader,
    /// Look, and change.
    Operator,
}

impl Rights {
    /// As it stands in a password file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }
}

/// Who can come in here, as the machine has it: told at the start, and when it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminAccess {
    /// Where passwords are kept; empty: nobody signs in at this server.
    pub password_file: String,
    /// It has one for operators.
    pub operator: bool,
    /// It has one for readers: then nobody else may look.
    pub reader: bool,
    /// What it says of tokens.
    pub tokens: Vec<Token>,
    /// Why it, or the certificate, cannot be used, in a sentence.
    pub trouble: Option<String>,
    /// The pages are served encrypted, by a certificate that ends then.
    pub certificate_ends: Option<Wall>,
    /// What browsers are known by that have signed in before.
    pub browsers: BrowserKey,
    /// Goes up when other passwords hold: who came in by those before has to come in again.
    pub readings: u64,
    /// The machine's own names, by which its pages may be asked for.
    pub names: Vec<String>,
    /// Files of this server that it does without, not all of them if there are many.
    pub files: Vec<FileTrouble>,
    /// Room on the disk of its state folder; `None`: not known.
    pub room: Option<Room>,
}

/// A password that somebody has typed. It is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

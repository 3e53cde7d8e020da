//! Credentials for the admin pages: passwords, tokens and recognised browsers.
//!
//! What never lives here: the files that hold them, and which page requires which.

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

/// The rights of a signed-in person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// May read.
    Reader,
    /// May read and change.
    Operator,
}

impl Rights {
    /// Returns the name used in a password file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
        }
    }
}

/// The credentials of this server and the state of its files, as the host reports them at the start
/// and at every change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminAccess {
    /// The path of the password file; empty if nobody can sign in at this server.
    pub password_file: String,
    /// Whether the file has a password for operators.
    pub operator: bool,
    /// Whether the file has a password for readers: then others may not read.
    pub reader: bool,
    /// The tokens in the file.
    pub tokens: Vec<Token>,
    /// Why the file, or the certificate, cannot be used, as a sentence.
    pub trouble: Option<String>,
    /// When the certificate of the pages ends, if they are served encrypted.
    pub certificate_ends: Option<Wall>,
    /// The key for recognised browsers.
    pub browsers: BrowserKey,
    /// Rises when the passwords change, which ends all sessions.
    pub readings: u64,
    /// The machine's own names, which are allowed in Host headers.
    pub names: Vec<String>,
    /// Files that this server cannot use, cut to a limit.
    pub files: Vec<FileTrouble>,
    /// Room on the disk of its state folder; `None` if it is not known.
    pub room: Option<Room>,
}

/// A password as it was typed. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

//! The credentials of a request: a password or a token from a file, or a password typed at a
//! terminal.
//!
//! What never lives here: how a request is sent.

use crate::exit::Failure;
use crate::host::{files, passwords};
use base64ct::{Base64, Encoding};
use clap::Args;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::OnceLock;

/// The most bytes of a file with a password or a token.
const FILE_MAX: usize = 4096;
/// The file name that stands for standard input.
const INPUT: &str = "-";
/// The password that was typed or read from standard input. A command needs one server only, so it
/// asks once.
static TYPED: OnceLock<String> = OnceLock::new();

/// Where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Credentials {
    /// The operator's or the reader's password, in the first line of this file, or - for standard input:
    /// not asked for where no password is needed [default: asks where somebody types].
    #[arg(long = "password-file", value_name = "FILE", env = "TMR_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// A token, as tmrd token makes it, in the first line of this file: a password file is not looked at
    /// then.
    #[arg(long = "token-file", value_name = "FILE", env = "TMR_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// These are of a command line: somebody may be asked.
    #[arg(skip)]
    asks: bool,
}

impl Credentials {
    /// Returns the same credentials for an interactive command.
    #[must_use]
    pub fn asking(&self) -> Self {
        Self { asks: true, ..self.clone() }
    }

    /// Returns whether a file was given.
    #[must_use]
    pub fn given(&self) -> bool {
        self.password_file.is_some() || self.token_file.is_some()
    }

    /// Returns the header line with the credentials; empty if there are none.
    ///
    /// # Errors
    /// A file cannot be read, or is empty.
    pub(super) fn head(&self) -> Result<String, Failure> {
        if let Some(file) = &self.token_file {
            let token = first_line(file, "token")?;
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(files::wrong(file, "no token in its first line, expected tmrd_..."));
            }
            return Ok(format!("Authorization: Bearer {token}\r\n"));
        }
        match &self.password_file {
            Some(file) if file == Path::new(INPUT) => {
                self.typed("Password: ").map(|typed| basic(&typed))
            }
            Some(file) => first_line(file, "password").map(|password| basic(&password)),
            None if self.asks => Ok(TYPED.get().map(|typed| basic(typed)).unwrap_or_default()),
            None => Ok(String::new()),
        }
    }

    /// Returns the header line after the server at `at` has demanded credentials; `None`: there is
    /// no terminal to ask at, or others were given.
    ///
    /// # Errors
    /// No password is typed.
    pub(super) fn asked(&self, at: &str) -> Result<Option<String>, Failure> {
        let typing = self.asks && !self.given() && io::stdin().is_terminal();
        if !typing || TYPED.get().is_some() {
            return Ok(None);
        }
        self.typed(&format!("Password for {at}: ")).map(|typed| Some(basic(&typed)))
    }

    fn typed(&self, prompt: &str) -> Result<String, Failure> {
        if let Some(typed) = TYPED.get() {
            return Ok(typed.clone());
        }
        let typed = passwords::once(prompt)?;
        if typed.is_empty() {
            return Err(Failure::failed("no password was read: standard input has none"));
        }
        Ok(TYPED.get_or_init(|| typed).clone())
    }
}

fn first_line(file: &Path, what: &str) -> Result<String, Failure> {
    let text = files::plain_text(file, FILE_MAX)?;
    match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
        Some(line) => {
            // This is called for every request.
            static ONCE: Once = Once::new();
            if let Some(text) = files::too_open(file, &format!("this {what}"), 0o600) {
                ONCE.call_once(|| note!("warning: {text}"));
            }
            Ok(line.to_owned())
        }
        None => Err(files::wrong(file, format!("no {what} in its first line"))),
    }
}

/// Returns the header line with a password.
pub(super) fn basic(password: &str) -> String {
    let coded = Base64::encode_string(format!("operator:{password}").as_bytes());
    format!("Authorization: Basic {coded}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_before_a_password_and_both_are_in_a_first_line() {
        let folder = std::env::temp_dir().join(format!("tmrd-credentials-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            Some(folder.join(name))
        };
        let password_file = file("password", "secret \nmore\n");
        let mut given = Credentials { password_file, ..Credentials::default() };
        assert_eq!(given.head().unwrap(), basic("secret"));
        given.token_file = file("token", "tmrd_1\n");
        assert_eq!(given.head().unwrap(), "Authorization: Bearer tmrd_1\r\n");
        for (text, said) in [("", "no token in"), ("two words\n", "expected tmrd_")] {
            given.token_file = file("token", text);
            let failure = given.head().unwrap_err().to_string();
            assert!(failure.contains(said), "{failure}");
        }
        assert_eq!(Credentials::default().head().unwrap(), "");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! The password file of the admin pages: `operator:HASH`, and `reader:HASH` if readers need a
//! password, with Argon2id in its text form; and tokens, in the form of core's `admin::tokens`.
//!
//! What never lives here: sessions (core's `admin`).

use crate::entropy;
use crate::exit::{Failure, Outcome, words};
use crate::host::create::{self, Access};
use crate::host::files;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use tmr_core::base::credentials::tokens::{NoToken, Token};
use tmr_core::base::credentials::{BrowserKey, Rights};
use tmr_core::base::limits::{PASSWORD_MAX, TOKENS_MAX};

/// The least number of characters; shorter passwords can be guessed.
const SHORTEST: usize = 8;
/// The most bytes of a password file.
const FILE_MAX: usize = 16 * 1024;
/// The memory for checking one password, in KiB. A front may have 512 MB for everything, so it is
/// small, and there are more passes.
const MEMORY: u32 = 19 * 1024;
/// The number of passes over that memory.
const PASSES: u32 = 2;
/// How long a command waits for others that change the same file, and the pause between attempts.
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The hashes and tokens of a password file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passwords {
    operator: Option<String>,
    reader: Option<String>,
    tokens: Vec<Token>,
}

impl Passwords {
    /// Reads the file; one that does not exist has no passwords. A link that leads nowhere is an
    /// error: if a folder of secrets was not mounted, nobody may sign in.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is not valid.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(Self::default());
        }
        let text = files::plain_text(path, FILE_MAX)?;
        let mut passwords = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').unwrap_or((line, ""));
            let place = match name {
                "operator" => &mut passwords.operator,
                "reader" => &mut passwords.reader,
                "token" | "revoked" => {
                    let at = |what: &str| files::wrong(path, format!("line {number}: {what}"));
                    let token = Token::parse(name, hash).map_err(|NoToken(what)| at(what))?;
                    if passwords.tokens.len() == TOKENS_MAX {
                        return Err(at(&format!("more than {TOKENS_MAX} tokens")));
                    }
                    passwords.tokens.push(token);
                    continue;
                }
                _ => {
                    let what = "expected operator:HASH or reader:HASH, as tmrd password writes it, or a \
                                token, as tmrd token does";
                    return Err(files::wrong(path, format!("line {number}: {what}")));
                }
            };
            if PasswordHash::new(hash).is_err() {
                let what = "no hash that can be used; make it anew with tmrd password";
                return Err(files::wrong(path, format!("line {number}: {what}")));
            }
            *place = Some(hash.to_owned());
        }
        Ok(passwords)
    }

    /// Reads the file of a server. An emptied or truncated file is an error, so that it does not
    /// remove the protection.
    ///
    /// # Errors
    /// It cannot be read, a line of it is not valid, or it exists and has no password.
    pub fn of_server(path: &Path) -> Result<Self, Failure> {
        let passwords = Self::read(path)?;
        if passwords == Self::default() && fs::symlink_metadata(path).is_ok() {
            let what = "no password in it; make one with tmrd password, or remove the file";
            return Err(files::wrong(path, what));
        }
        Ok(passwords)
    }

    /// Returns whether there is a password for operators.
    #[must_use]
    pub fn operator(&self) -> bool {
        self.operator.is_some()
    }

    /// Returns whether there is a password for readers.
    #[must_use]
    pub fn reader(&self) -> bool {
        self.reader.is_some()
    }

    /// Returns the key by which browsers are recognised that have signed in with these passwords.
    #[must_use]
    pub fn browsers(&self) -> BrowserKey {
        BrowserKey::of(&self.hashes())
    }

    /// Returns the rights that a password gives. Takes long on purpose.
    #[must_use]
    pub fn check(&self, password: &str) -> Option<Rights> {
        let is = |hash: &Option<String>| {
            let hash = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok());
            hash.is_some_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            })
        };
        if is(&self.operator) {
            return Some(Rights::Operator);
        }
        is(&self.reader).then_some(Rights::Reader)
    }

    /// Returns all tokens, also expired ones.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Lends all tokens, to be changed.
    pub fn tokens_mut(&mut self) -> &mut Vec<Token> {
        &mut self.tokens
    }

    /// Changes a file by command, under a lock: what was read is what is written back. Returns the
    /// result of `change` once the file is written. The file's group is the server's, which reads
    /// it.
    ///
    /// # Errors
    /// As of [`Passwords::of_command`] and of `change`; the file cannot be written, or another
    /// command holds the lock for too long.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _lock = lock(path)?;
        let mut passwords = Self::of_command(path)?;
        let answer = change(&mut passwords)?;
        passwords.put(path)?;
        Ok(answer)
    }

    fn put(&self, path: &Path) -> Outcome {
        files::put(path, self.to_text().as_bytes(), Access::Group)
    }

    fn to_text(&self) -> String {
        let mut text = self.hashes();
        for token in &self.tokens {
            text += &format!("{}:{}\n", token.kind(), token.to_text());
        }
        text
    }

    /// Returns the lines of the passwords, without tokens.
    fn hashes(&self) -> String {
        let mut text = String::new();
        for (name, hash) in [("operator", &self.operator), ("reader", &self.reader)] {
            if let Some(hash) = hash {
                text += &format!("{name}:{hash}\n");
            }
        }
        text
    }
}

/// Locks a password file against other commands; the lock is on its folder, since the file itself
/// is replaced. Another user who may write there could hold it for good, so the wait is bounded.
fn lock(path: &Path) -> Result<File, Failure> {
    let end = Instant::now() + LOCK_WAIT;
    let folder = create::folder_of(path);
    let failed = |what: String| files::wrong(path, what);
    let file = File::open(folder).map_err(|error| failed(words(&error)))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => {
                thread::sleep(LOCK_PAUSE);
            }
            Err(Errno::WOULDBLOCK) => {
                let what =
                    "another command changes the passwords or tokens of this folder; try again";
                return Err(failed(what.into()));
            }
            Err(error) => return Err(failed(words(&error.into()))),
        }
    }
}

/// `tmrd password`: asks for a password and stores its hash.
///
/// # Errors
/// It is too short, was typed in two ways, or the file cannot be written.
pub fn set(path: &Path, rights: Rights) -> Outcome {
    // Errors of the file are reported before anybody types.
    Passwords::of_command(path)?;
    let password = ask(rights)?;
    if password.chars().count() < SHORTEST || password.len() > PASSWORD_MAX {
        return Err(Failure::usage(format!(
            "a password has at least {SHORTEST} characters and at most {PASSWORD_MAX} bytes"
        )));
    }
    let hash = hash(&password)?;
    Passwords::change(path, |passwords| {
        match rights {
            Rights::Operator => passwords.operator = Some(hash),
            Rights::Reader => passwords.reader = Some(hash),
        }
        Ok(())
    })?;
    note!(
        "{}: a new password for the {}; a front that runs takes it within seconds",
        path.display(),
        rights.name()
    );
    Ok(())
}

/// Asks twice at a terminal, once if the password comes from a file or a pipe.
fn ask(rights: Rights) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("no password was read: {error}"));
    if !io::stdin().is_terminal() {
        return piped().map_err(failed);
    }
    let name = rights.name();
    let first = rpassword::prompt_password(format!("New password for the {name}: "));
    let first = first.map_err(failed)?;
    if rpassword::prompt_password("The same again: ").map_err(failed)? != first {
        return Err(Failure::usage("the two are not the same; nothing was changed"));
    }
    Ok(first)
}

/// Reads a password from the terminal, a file or a pipe.
///
/// # Errors
/// None can be read.
pub fn once(prompt: &str) -> Result<String, Failure> {
    let typed =
        if io::stdin().is_terminal() { rpassword::prompt_password(prompt) } else { piped() };
    typed.map_err(|error| Failure::failed(format!("no password was read: {error}")))
}

fn piped() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().take(4096).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn hash(password: &str) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("no hash: {error}"));
    let params = Params::new(MEMORY, PASSES, 1, None).map_err(|error| failed(&error))?;
    let salt = SaltString::encode_b64(&entropy::fresh()[..16]).map_err(|error| failed(&error))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tmr_core::base::time::Wall;

    #[test]
    fn passwords_are_kept_as_hashes_and_checked() {
        let path = std::env::temp_dir().join(format!("tmr-passwords-{}", std::process::id()));
        assert_eq!(Passwords::read(&path), Ok(Passwords::default()), "no file, no passwords");
        let operator = Some(hash("correct horse").unwrap());
        let mut passwords = Passwords { operator, ..Passwords::default() };
        let known = passwords.browsers();
        let token = Token::make("one", Rights::Reader, Wall(2_000_000_000), [7; 32]).unwrap().0;
        passwords.tokens.push(token);
        assert!(known == passwords.browsers(), "a token makes no browser a stranger");
        passwords.put(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        let read = Passwords::read(&path).unwrap();
        assert_eq!(read, passwords);
        assert!(!fs::read_to_string(&path).unwrap().contains("correct horse"));
        assert_eq!(read.check("correct horse"), Some(Rights::Operator));
        assert_eq!(read.check("correct horsf"), None);
        assert_eq!(Passwords::default().check(""), None);
        for wrong in ["operator", "operator:secret", "root:x", "token:one reader soon 00"] {
            fs::write(&path, wrong).unwrap();
            let said = Passwords::read(&path).unwrap_err().to_string();
            assert!(said.contains("line 1: "), "{said}");
        }
        for empty in ["", "\n# operator: nobody\n"] {
            fs::write(&path, empty).unwrap();
            assert_eq!(Passwords::read(&path), Ok(Passwords::default()), "there is room for one");
            assert!(Passwords::of_server(&path).unwrap_err().to_string().contains("no password"));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(Passwords::of_server(&path), Ok(Passwords::default()));
        std::os::unix::fs::symlink(path.with_extension("not-mounted"), &path).unwrap();
        assert!(Passwords::of_server(&path).is_err());
        fs::remove_file(path).unwrap();
    }
}

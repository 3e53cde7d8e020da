//! The log file, which is only ever appended to.
//!
//! Its name comes from a configuration, which can be changed over the network. So lines go only
//! into a file that is new, is empty, or begins like a log of tmrd, and never into one that this
//! server needs for something else.

use crate::exit::{Failure, Outcome, words};
use crate::host::{create, files, history, journald, storage};
use rustix::fs::{Access, StatVfsMountFlags, statvfs};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How lines of the two formats begin; `0` stands for any digit.
const BEGINNINGS: [&[u8]; 2] = [b"0000-00-00T00:00:00", b"{\"timestamp\":\""];
/// Fewer bytes do not identify a format: a full disk may have cut the line off.
const FEWEST: usize = 5;
/// The error for a file that is not a log.
const NO_LOG: &str = "it has something else in it than a log; right would be a new file, an empty one, or \
                      a log of tmrd";

/// The paths that a server needs for something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Each with a name for messages.
    files: Vec<(&'static str, PathBuf)>,
    state: Option<PathBuf>,
}

impl Reserved {
    /// Reserves everything in a state folder, and these files, whether they exist or not.
    #[must_use]
    pub fn new(state: &Path, files: Vec<(&'static str, PathBuf)>) -> Self {
        Self { files, state: Some(state.to_owned()) }
    }

    /// Checks that a log may be at this path.
    ///
    /// # Errors
    /// It may not; the message has what is there.
    pub fn check(&self, log: &Path) -> Outcome {
        storage::could_keep(log).map_err(|error| files::wrong(log, error))?;
        let at = place(log);
        let refused = |what: &str| {
            Err(files::wrong(log, format!("it is {what}; right would be a file of the log's own")))
        };
        let is = |path: &Path| place(path) == at || path.canonicalize().is_ok_and(|it| it == at);
        if let Some((what, _)) = self.files.iter().find(|(_, path)| is(path)) {
            return refused(what);
        }
        let inside = |state: &PathBuf| state.canonicalize().is_ok_and(|it| at.starts_with(it));
        if self.state.as_ref().is_some_and(inside) {
            return refused("in the state folder");
        }
        if history::is_name(&at) {
            return refused("a name of the usage history");
        }
        Ok(())
    }
}

/// Returns a path without links, except its last component.
fn place(path: &Path) -> PathBuf {
    match (create::folder_of(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// An open log file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Whether the last line could not be written, which is reported once.
    failed: AtomicBool,
}

impl LogFile {
    /// Opens the file; creates it (mode 0640) if it does not exist.
    ///
    /// # Errors
    /// It cannot be opened, or is something else.
    pub fn open(path: PathBuf, reserved: &Reserved) -> Result<Self, Failure> {
        reserved.check(&path)?;
        let open = || {
            let file = create::open_or_create(&path, 0o640, &adding())?;
            if is_log(&file)? { Ok(file) } else { Err(io::Error::other(NO_LOG)) }
        };
        let file = open().map_err(|error: io::Error| unusable(&path, &error))?;
        Ok(Self { path, file, failed: AtomicBool::new(false) })
    }

    /// Checks that a log file could be opened, without creating one.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn check(path: &Path, reserved: &Reserved) -> Outcome {
        reserved.check(path)?;
        let look = || {
            let file = match create::open(path, &adding()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return could_create(create::folder_of(path));
                }
                opened => opened?,
            };
            if is_log(&file)? { Ok(()) } else { Err(io::Error::other(NO_LOG)) }
        };
        look().map_err(|error| unusable(path, &error))
    }
}

/// Checks that a file could be created in a folder. If nothing can be written there at all (a
/// read-only file system), the error is the one that an attempt would have.
fn could_create(folder: &Path) -> io::Result<()> {
    if statvfs(folder)?.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(Errno::ROFS.into());
    }
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn adding() -> OpenOptions {
    File::options().read(true).append(true).clone()
}

fn is_log(file: &File) -> io::Result<bool> {
    let mut head = [0; 32];
    let length = file.read_at(&mut head, 0)?;
    Ok(begins_as_log(&head[..length]))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    files::wrong(path, format!("{}{}", words(error), advice(error)))
}

/// Returns how to mend a file that cannot be opened; empty if the error says enough. A service of
/// systemd sees the machine's folders read-only, except its own.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the packaged service may write logs in /var/log/tmrd only: right would be a file \
             there, or ReadWritePaths= with that folder (systemctl edit), and a restart"
        }
        _ => "",
    }
}

fn begins_as_log(head: &[u8]) -> bool {
    let fits = |beginning: &[u8]| {
        let mut pairs = head.iter().zip(beginning);
        head.len() >= FEWEST
            && pairs.all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                like => byte == like,
            })
    };
    head.is_empty() || BEGINNINGS.into_iter().any(fits)
}

/// A line that the file has no room for is left out, with a message on standard error, which also
/// gets the line.
impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = (&self.file).write_all(line);
        let failed = self.failed.swap(written.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (written, failed) {
            let prefix = journald::prefix(tracing::Level::ERROR);
            note!("{prefix}log file {}: {}", self.path.display(), words(&error));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_read_only_has_the_way_out_in_words() {
        let read_only = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        assert!(advice(&read_only).contains("ReadWritePaths="));
        assert_eq!(advice(&io::Error::from(io::ErrorKind::NotFound)), "");
    }

    #[test]
    fn a_log_is_known_by_its_beginning() {
        let text = b"2026-11-29T21:43:51.123456Z  INFO tmr: listening";
        let json = b"{\"timestamp\":\"2026-11-29T21:43:51Z\",\"level\":\"INFO\"}";
        for log in [&text[..], json, &text[..5], &json[..9], b""] {
            assert!(begins_as_log(log), "{log:?}");
        }
        for other in [
            &b"operator:$argon2id$v=19"[..],
            b"{ \"TmrServer\": {} }",
            b"{\"TmrServer\":{}}",
            b"{\"time\":\"2026-11-29T21:43:51Z\"}",
            b"12345\n",
            b"0\n",
            b"2026\n",
            b"f6ee41f19fa4",
            b"-----BEGIN CERTIFICATE-----",
            b"{\"t",
            b"\0\0\0\0\0\0",
        ] {
            assert!(!begins_as_log(other), "{other:?}");
        }
    }
}

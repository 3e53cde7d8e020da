//! The state folder: one process at a time uses it, and what is written in it is durable.
//!
//! A kill between any two steps leaves a file in its old or its new state. Core decides what the
//! journal's bytes mean.

use crate::exit::{Failure, halt, words};
use crate::host::create::{self, Access, FRESH};
use crate::host::files::shown;
use crate::host::node_setup::{EventSink, Worker};
use crate::host::storage;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_core::base::server_files::{Misplaced, Place};
use tmr_core::io::{BackendEvent, HostEvent, JournalWrite};

/// The pause between two checks that the folder and the journal are where they were opened.
const LOOK: Duration = Duration::from_secs(10);
const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
/// The suffix of a journal that is kept after the disk began anew.
const OLD: &str = "old";

/// A state folder, locked for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Holds the lock.
    lock: File,
}

/// Why a folder cannot be opened and locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderError {
    /// Another process holds the lock.
    InUse(Failure),
    /// The system refuses.
    Refused(Failure),
}

impl From<Failure> for FolderError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::InUse(failure) | FolderError::Refused(failure) => failure,
        }
    }
}

impl Folder {
    /// Opens and locks a state folder; creates it (mode 0700) if it does not exist.
    ///
    /// # Errors
    /// Another process holds the lock, or the system refuses.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::open_named(path, "state folder").map_err(Failure::from)
    }

    /// Does the same for a folder that messages call `what`.
    ///
    /// # Errors
    /// As of [`open`](Self::open).
    pub fn open_named(path: &Path, what: &str) -> Result<Self, FolderError> {
        let refused = |error: io::Error| {
            Failure::failed(format!("{what} {}: {}", path.display(), words(&error)))
        };
        storage::could_keep(path).map_err(|error| Failure::usage(refused(error).text))?;
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or_else(|| Path::new(".")))
                .and_then(|it| it.sync_all())
                .map_err(refused)?;
        }
        if !std::fs::metadata(path).map_err(refused)?.is_dir() {
            return Err(refused(io::Error::from(ErrorKind::NotADirectory)).into());
        }
        let options = File::options().read(true).write(true).clone();
        let mut lock = create::open_or_create(&path.join(LOCK), 0o600, &options)
            .map_err(|error| in_the_way(&path.join(LOCK), &error))?;
        // A command of root's must not keep the server from its own lock.
        let _ = create::give_to_owner(&lock, path);
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut owner = String::new();
            let _ = lock.read_to_string(&mut owner);
            return Err(FolderError::InUse(Failure::failed(format!(
                "{what} {} is in use by process {}; every server needs a folder of its own",
                path.display(),
                owner.trim_end()
            ))));
        }
        let owner = format!("{}\n", std::process::id());
        // The content is for people only, so a full disk does not matter.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(owner.as_bytes()));
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Returns what is found in the place of this folder; `None`: it is in place.
    #[must_use]
    pub fn lost(&self) -> Option<Misplaced> {
        let lock = misplaced(&self.lock, &self.path.join(LOCK));
        lock.map(|lock| match self.path.exists() {
            true => lock,
            false => Misplaced { path: shown(&self.path), what: "the folder is gone".into() },
        })
    }

    /// Returns the worker that watches the folder of a front until the process ends.
    #[must_use]
    pub fn watch(&self) -> Worker {
        let lock = self.lock.try_clone();
        let path = self.path.clone();
        Box::new(move |tell| {
            let Ok(lock) = lock else { return };
            let (folder, mut told) = (Self { path, lock }, None);
            loop {
                thread::sleep(LOOK);
                tell_lost(folder.lost(), &mut told, &tell);
            }
        })
    }

    /// Returns the path of a file in this folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a whole file; `None` if it does not exist.
    ///
    /// # Errors
    /// It exists and cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.path(name);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            create::open(&path, File::options().read(true))?.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_the_way(&path, &error)),
        }
    }

    /// Replaces a file's content atomically and durably, and returns the file, open at its end.
    ///
    /// # Errors
    /// A system error; the old file is unchanged unless the last step failed.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<File> {
        create::replace(&self.path(name), bytes, Access::Private)
    }

    /// Gives a file a second name, under which it stays when it is replaced. An earlier file of
    /// that name is removed. A file that does not exist is no error.
    ///
    /// # Errors
    /// A system error.
    pub fn keep(&self, name: &str) -> io::Result<()> {
        let old = self.path(&format!("{name}.{OLD}"));
        let there = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        match std::fs::remove_file(&old) {
            Err(error) if !there(&error) => return Err(error),
            _ => {}
        }
        match std::fs::hard_link(self.path(name), &old) {
            Err(error) if !there(&error) => return Err(error),
            _ => {}
        }
        Ok(())
    }

    /// Returns the journal's bytes; `None` if there is no journal. What an interrupted rewrite has
    /// left is removed.
    ///
    /// # Errors
    /// A system error.
    pub fn journal(&self) -> Result<Option<Vec<u8>>, Failure> {
        let left = self.path(&format!("{JOURNAL}.{FRESH}"));
        match std::fs::remove_file(&left) {
            Ok(()) => {
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::disk",
                    "{}: left by an interrupted rewrite, removed", left.display()
                );
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(in_the_way(&left, &error)),
        }
        self.read(JOURNAL)
    }

    /// Opens the journal for writing after its first `keep` bytes, and cuts off the rest.
    ///
    /// # Errors
    /// A system error.
    pub fn write_journal(self, keep: usize) -> Result<Journal, Failure> {
        let path = self.path(JOURNAL);
        let open = || {
            let mut file = match create::open(&path, File::options().write(true)) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file?,
            };
            let (keep, length) = (keep as u64, file.metadata()?.len());
            if keep < length {
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::disk",
                    "{}: torn tail cut off: {} of {length} bytes",
                    path.display(),
                    length - keep
                );
                file.set_len(keep)?;
                file.sync_all()?;
            }
            file.seek(io::SeekFrom::Start(keep))?;
            Ok(Some(file))
        };
        let file = open().map_err(|error: io::Error| in_the_way(&path, &error))?;
        Ok(Journal { folder: self, file })
    }
}

/// Returns what is found at the path where a file was opened; `None`: that file.
fn misplaced(file: &File, path: &Path) -> Option<Misplaced> {
    let own = file.metadata().ok()?;
    let what = match std::fs::symlink_metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => return None,
        Ok(_) => "another file is there".to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "the file is gone".to_owned(),
        Err(error) => words(&error),
    };
    Some(Misplaced { path: shown(path), what })
}

/// Reports a lost folder or journal to the node and in the log, if that has changed.
fn tell_lost(lost: Option<Misplaced>, told: &mut Option<Misplaced>, tell: &EventSink) {
    if lost == *told {
        return;
    }
    match &lost {
        Some(Misplaced { path, what }) => tracing::error!(
            target: "tmr_runtime_std::daemon::disk",
            "{path}: {what}: somebody has removed or replaced it under this server; what is written \
             there does not outlive this process"
        ),
        None => tracing::info!(
            target: "tmr_runtime_std::daemon::disk",
            "the state folder is as it should be again"
        ),
    }
    told.clone_from(&lost);
    tell(HostEvent::Misplaced { place: Place::State, found: lost });
}

/// The failure for a file that is not as this server makes it.
fn in_the_way(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {}", path.display(), words(error)))
}

/// The journal file, open for writing at its end.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    file: Option<File>,
}

impl Journal {
    /// Takes any file as the journal, for tests with a file outside of the folder.
    #[cfg(test)]
    pub(super) fn over(folder: Folder, file: File) -> Self {
        Self { folder, file: Some(file) }
    }

    /// Performs one write, which is on disk when this returns.
    ///
    /// # Errors
    /// A system error; the journal may then have a torn tail, so nothing may be written after it.
    pub fn write(&mut self, write: &JournalWrite) -> io::Result<()> {
        match (write, &mut self.file) {
            (JournalWrite::Append(bytes), Some(file)) => {
                file.write_all(bytes)?;
                file.sync_data()?;
            }
            (JournalWrite::BeginAnew(bytes), file) => {
                self.folder.keep(JOURNAL)?;
                *file = Some(self.folder.replace(JOURNAL, bytes)?);
            }
            (JournalWrite::Append(bytes) | JournalWrite::Rewrite(bytes), file) => {
                *file = Some(self.folder.replace(JOURNAL, bytes)?);
            }
        }
        Ok(())
    }

    /// Performs writes until the process ends, and reports each to the node. A failed write ends
    /// the process: the node has not answered anything that depends on it, and reads what was
    /// written at its next start. At intervals it is checked that the file is where the next start
    /// will look for it.
    pub fn serve(mut self, writes: &Receiver<JournalWrite>, tell: &EventSink) {
        let (mut told, mut next) = (None, Instant::now() + LOOK);
        loop {
            match writes.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(write) => {
                    if let Err(error) = self.write(&write) {
                        halt(&format!(
                            "{}: {}",
                            self.folder.path(JOURNAL).display(),
                            words(&error)
                        ));
                    }
                    tell(BackendEvent::JournalWritten.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if next <= Instant::now() {
                next = Instant::now() + LOOK;
                tell_lost(self.lost(), &mut told, tell);
            }
        }
    }

    /// Returns what is found in the place of the folder or the journal; `None`: both are in place.
    fn lost(&self) -> Option<Misplaced> {
        let file = self.file.as_ref().and_then(|file| misplaced(file, &self.folder.path(JOURNAL)));
        self.folder.lost().or(file)
    }
}

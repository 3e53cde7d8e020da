//! The settings of a usage history: its folder, and how much of it is kept.

use crate::host::storage;
use rustix::fs::Access;
use rustix::io::Errno;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of a usage history, and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether it is written; if not, the node keeps records in memory only.
    pub enabled: bool,
    /// The folder, created (mode 0750) if it does not exist.
    pub folder: PathBuf,
    /// The size in bytes at which the next file begins.
    pub file: u64,
    /// The most bytes of all files together; the oldest are removed.
    pub files: u64,
    /// The number of months before the current one that are kept.
    pub months: u32,
}

impl Settings {
    /// Whether writing begins, or begins in another folder, with these settings.
    #[must_use]
    pub fn begins(&self, before: &Self) -> bool {
        self.enabled && (!before.enabled || self.folder != before.folder)
    }

    /// Checks that files can be written where these settings begin others; creates the folder if it
    /// does not exist.
    ///
    /// # Errors
    /// The folder cannot be created or written.
    pub fn prepare(&self, before: &Self) -> io::Result<()> {
        if !self.begins(before) {
            return Ok(());
        }
        make(&self.folder)?;
        Ok(rustix::fs::access(&self.folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
    }
}

/// Checks that the folder of a usage history could be created and written, without creating it.
///
/// # Errors
/// The existing part of its path cannot be written, or is not a folder.
pub fn could_begin(folder: &Path) -> io::Result<()> {
    storage::could_keep(folder)?;
    let there = folder.ancestors().find(|it| !it.as_os_str().is_empty() && it.exists());
    let there = there.unwrap_or_else(|| Path::new("."));
    if !there.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    Ok(rustix::fs::access(there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Creates a folder, if it does not exist.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    storage::could_keep(folder)?;
    let made = DirBuilder::new().recursive(true).mode(0o750).create(folder);
    made.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => io::Error::from(Errno::NOTDIR),
        _ => error,
    })
}

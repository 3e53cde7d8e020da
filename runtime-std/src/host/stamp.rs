//! The stamp of a file, which shows that it has changed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The metadata of a file at one time. It includes the mode, so that a file that could not be read
/// is tried again when that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    file: (u64, u64),
}

impl Stamp {
    /// Returns the stamp of the file at this path; `None`: it has no metadata that can be read.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
            size: data.size(),
            file: (data.dev(), data.ino()),
        })
    }
}

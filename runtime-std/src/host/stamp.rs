//! By what a change of a file is known.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How a file looked at one time. Other rights are another look: who could not read it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    file: (u64, u64),
}

impl Stamp {
    /// Of what is at this path; `None`: nothing that can be looked at.
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

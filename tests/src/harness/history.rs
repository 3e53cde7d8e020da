//! Reads the usage history of a front from its files, which are only read.

use std::fs;
use std::path::{Path, PathBuf};
use tmr_core::history::Record;

/// Returns the texts of the files in a folder whose names begin with `kind`, in the order of their
/// names; nothing if there is no folder.
///
/// # Panics
/// A file cannot be read.
#[must_use]
pub fn history_files(folder: &Path, kind: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a file").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(kind)))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("text")).collect()
}

/// Returns all records of a folder. A last line that is being written is left out.
///
/// # Panics
/// A line is not a record.
#[must_use]
pub fn records(folder: &Path) -> Vec<Record> {
    let text = history_files(folder, "usage-").concat();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(|line| Record::parse(line.as_bytes()).expect("a record")).collect()
}

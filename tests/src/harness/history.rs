//! The usage history of a front, as its files say it.

use std::fs;
use std::path::{Path, PathBuf};
use tmr_core::history::Record;

/// The texts of the files of a folder whose names begin so, in the order of their names.
///
/// # Panics
/// One cannot be read.
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

/// All records of a folder. One that is being written is left out.
///
/// # Panics
/// A line is none.
#[must_use]
pub fn records(folder: &Path) -> Vec<Record> {
    let text = history_files(folder, "usage-").concat();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(|line| Record::parse(line.as_bytes()).expect("a record")).collect()
}

//! The names of the files of a usage history, and the list of those in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;

/// The parsed name of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) number: u64,
    /// `YYYY-MM`.
    pub(super) month: String,
    /// The Firm Code of a tracking file.
    pub(super) firm_code: Option<u32>,
}

impl Name {
    pub(super) fn file(&self) -> String {
        let Self { number, month, firm_code } = self;
        match firm_code {
            None => format!("usage-{number:06}-{month}.jsonl"),
            Some(firm_code) => format!("tracking-{firm_code}-{number:06}-{month}.log"),
        }
    }

    fn of(file: &str) -> Option<Self> {
        let (firm_code, rest) = match file.strip_prefix("usage-") {
            Some(rest) => (None, rest.strip_suffix(".jsonl")?),
            None => {
                let rest = file.strip_prefix("tracking-")?.strip_suffix(".log")?;
                let (firm_code, rest) = rest.split_once('-')?;
                (Some(firm_code.parse().ok()?), rest)
            }
        };
        let (number, month) = rest.split_once('-')?;
        let name = Self { number: number.parse().ok()?, month: month.to_owned(), firm_code };
        (month_number(month).is_some() && name.file() == file).then_some(name)
    }
}

/// Returns whether a path has the name of a usage history file.
#[must_use]
pub fn is_name(path: &Path) -> bool {
    path.file_name().and_then(|name| Name::of(name.to_str()?)).is_some()
}

/// Returns the files with records in a folder, oldest first.
///
/// # Errors
/// A system error.
pub fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = listed(folder)?;
    all.retain(|name| name.firm_code.is_none());
    Ok(all.iter().map(|name| folder.join(name.file())).collect())
}

pub(super) fn listed(folder: &Path) -> io::Result<Vec<Name>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        all.extend(entry?.file_name().to_str().and_then(Name::of));
    }
    all.sort_unstable();
    Ok(all)
}

/// Returns the months since the year 0.
pub(super) fn month_number(month: &str) -> Option<u32> {
    let (year, month) = month.split_once('-')?;
    let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
    (1..=12).contains(&month).then_some(year * 12 + month - 1)
}

pub(super) fn month_of(now: Wall) -> String {
    rfc3339::format(now)[..7].to_owned()
}

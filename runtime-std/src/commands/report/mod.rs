//! `report`: summarises the usage history of one front, or of both.

mod merge;
mod print;
mod sum;

use crate::commands::cli;
use crate::exit::{Failure, Outcome, words};
use crate::host::history::names;
use merge::{Folder, Merge};
use std::path::Path;
use sum::Sum;
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;

/// Prints the usage.
///
/// # Errors
/// A folder cannot be read.
pub fn report(options: &cli::Report) -> Outcome {
    let folders: Result<Vec<Folder>, Failure> = options.history.iter().map(open).collect();
    let mut merge = Merge::new(folders?);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let end = options.to.unwrap_or_else(|| Wall(now.map_or(u64::MAX, |now| now.as_secs())));
    let from = options.from.unwrap_or_default();
    let mut sum = Sum::new(options.by, from, end);
    for record in &mut merge {
        sum.add(&record);
    }
    let summary = sum.end(end);
    print::print(&summary, options.by, options.format)?;
    for (count, what) in [
        (merge.malformed, "lines could not be read, and are left out"),
        (summary.gaps, "gaps: what happened in them is not known"),
        (summary.lost, "lines could not be written on one front; the other one may have them"),
    ] {
        if count > 0 {
            note!("{count} {what}");
        }
    }
    if summary.rows.is_empty() {
        let from = options.from.map(|at| format!(" from {}", rfc3339::format(at)));
        let to = options.to.map(|at| format!(" to {}", rfc3339::format(at)));
        let folders: Vec<_> = options.history.iter().map(|it| it.display().to_string()).collect();
        note!(
            "nothing was used or refused{}{} by what {} has",
            from.unwrap_or_default(),
            to.unwrap_or_default(),
            folders.join(" and ")
        );
    }
    Ok(())
}

fn open(folder: impl AsRef<Path>) -> Result<Folder, Failure> {
    let path = folder.as_ref();
    let names = names(path).map_err(|error| {
        Failure::failed(format!(
            "{}: {}; right would be the folder history in the state folder of a front, or \
             LicenseTracking.Path",
            path.display(),
            words(&error)
        ))
    })?;
    Ok(Folder::new(names))
}

/// Parses a time on the command line: a day, or a second of it.
///
/// # Errors
/// The message has a valid example.
pub fn time(text: &str) -> Result<Wall, String> {
    let day = format!("{text}T00:00:00Z");
    rfc3339::parse(text).or_else(|_| rfc3339::parse(&day)).map_err(|_| {
        "expected a day such as 2026-11-21, or a time such as 2026-11-21T19:00:00Z".into()
    })
}

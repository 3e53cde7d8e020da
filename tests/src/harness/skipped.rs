//! Tests that are skipped because this machine lacks what they need.
//!
//! libtest cannot skip a test that has begun, and captures the output of a passed one. So the
//! reason goes to standard error past that capture, and into a file in the target folder that
//! belongs to this run of cargo. `tests/tests/zz_skipped.rs`, the last test of the workspace, sums
//! the file up.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::{env, thread};

/// The folder in the target folder; it has one file for each run of cargo.
const FOLDER: &str = "not-played";

/// Returns false if what a test needs is there. Otherwise fails where `TMR_REQUIRE_ALL=1` is set, and
/// elsewhere says so and returns true, so that the test can end early.
///
/// # Panics
/// `TMR_REQUIRE_ALL=1` is set and `there` is false.
#[must_use]
pub fn missing(there: bool, what: &str) -> bool {
    if there {
        return false;
    }
    let required = env::var("TMR_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "needed and not there: {what}");
    let thread = thread::current();
    note(&file(), thread.name().unwrap_or("a test"), what);
    true
}

/// Returns the tests of this run of cargo that were not played, each with the reason, and forgets
/// them. Those of runs that ended before are forgotten too.
#[must_use]
pub fn not_played() -> Vec<String> {
    let own = file();
    let lines = take(&own);
    let others = own.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    for other in others.flatten() {
        let name = other.file_name();
        let id = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        if id.and_then(run) != name.to_str().map(str::to_owned) {
            let _ = fs::remove_file(other.path());
        }
    }
    lines
}

/// The file of this run. The process that started this one is cargo, or a shell if there is no cargo.
fn file() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(3).expect("a test lies in TARGET/PROFILE/deps");
    let name = run(parent_id()).unwrap_or_else(|| "0-0".to_owned());
    folder.join(FOLDER).join(name)
}

/// Returns a unique name of a process: its id and its start time, because ids are used again.
fn run(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may contain anything; the start is field 22, the 20th behind it.
    let start = stat.rsplit_once(") ")?.1.split(' ').nth(19)?;
    Some(format!("{id}-{start}"))
}

fn note(file: &Path, test: &str, what: &str) {
    let binary = env::current_exe().expect("a running test has a path");
    let binary = binary.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // cargo adds a hash.
    let binary = binary.rsplit_once('-').map_or(&*binary, |(name, _)| name);
    let line = format!("{binary} {test}: needs {}\n", what.replace('\n', " "));
    // `eprint!` is not used, because libtest captures it.
    let _ = write!(io::stderr(), "NOT PLAYED: {line}");
    let kept = || {
        fs::create_dir_all(file.parent().unwrap_or_else(|| Path::new(".")))?;
        File::options().create(true).append(true).open(file)?.write_all(line.as_bytes())
    };
    kept().unwrap_or_else(|error: io::Error| panic!("{}: {error}", file.display()));
}

fn take(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let _ = fs::remove_file(file);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_told_once() {
        let folder = env::temp_dir().join(format!("tmr-not-played-{}", std::process::id()));
        let file = folder.join("run");
        note(
            &file,
            "this_is_an_example",
            "a machine of another kind (this line is meant to be here)",
        );
        note(
            &file,
            "this_is_an_example",
            "a machine of another kind (this line is meant to be here)",
        );
        let told = take(&file);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(" this_is_an_example: needs a machine"), "{told:?}");
        assert_eq!(take(&file), Vec::<String>::new());
        fs::remove_dir(folder).expect("the file is gone");
    }

    #[test]
    fn a_run_has_a_name_of_its_own() {
        let (own, parent) = (run(std::process::id()), run(parent_id()));
        assert!(own.is_some() && parent.is_some() && own != parent, "{own:?}, {parent:?}");
        assert_eq!(run(u32::MAX), None);
    }
}

//! A temporary folder for tests of commands that need no servers.

use super::{Finished, Program, Runtime};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

/// A folder of a test's own, with the program that is tested. It is removed when the test succeeds,
/// and stays when the test fails.
#[derive(Debug)]
pub struct Scratch {
    program: Program,
    folder: PathBuf,
}

impl Scratch {
    /// Makes an empty folder.
    ///
    /// # Panics
    /// The system gives none.
    #[must_use]
    pub fn new(runtime: Runtime) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tmr-scratch-{}-{count}", process::id()));
        fs::create_dir(&folder).expect("a folder can be made among the temporary ones");
        Self { program: Program::of(runtime), folder }
    }

    /// Returns the path of a file or folder in it.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file can be written in a folder of our own");
    }

    /// Runs the program with these words, of which those with a dot or a slash are paths in the
    /// folder.
    #[track_caller]
    pub fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Finished {
        let word = |word: &str| -> OsString {
            if word.contains(['.', '/']) { self.path(word).into() } else { word.into() }
        };
        self.program.run(words.into_iter().map(word))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

//! The clocks of one process, moved from outside while it runs.
//!
//! A small library that the linker loads before the system's own (`clock.c`) adds an offset to the
//! wall clock and the monotonic clock. Waits in the kernel take as long as before.

use super::Program;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SECOND: i64 = 1_000_000_000;

/// The errors of the clocks of a process. Two processes may share it.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    offsets: PathBuf,
    file: File,
}

impl Clock {
    /// A right one, whose files go into this folder under this name.
    ///
    /// # Panics
    /// There is no C compiler, which whatever links Rust has.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let library = folder.join(format!("{name}-clock.so"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/harness/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
        let status = compiler.status().expect("there is a C compiler");
        assert!(status.success(), "{compiler:?}");
        let offsets = folder.join(format!("{name}-clock"));
        fs::write(&offsets, [0; 16]).expect("a file can be written");
        let file = File::options().write(true).open(&offsets).expect("it was written");
        Self { library, offsets, file }
    }

    /// Returns the same program, which uses this clock whenever it is started.
    #[must_use]
    pub fn on(&self, program: &Program) -> Program {
        let (library, offsets) = (self.library.display(), self.offsets.display());
        let before = format!("export LD_PRELOAD='{library}' TMR_CLOCK='{offsets}'");
        // A test's few lines, as long as the test lives.
        program.after(before.leak())
    }

    /// Adds this number of seconds to the wall clock from now on.
    pub fn wall(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// Adds this number of seconds to the monotonic clock from now on.
    pub fn monotonic(&self, seconds: i64) {
        self.set(8, seconds);
    }

    fn set(&self, at: u64, seconds: i64) {
        let bytes = (seconds * SECOND).to_ne_bytes();
        self.file.write_all_at(&bytes, at).expect("a file of our own can be written");
    }
}

#[cfg(test)]
mod test {
    use super::super::{Runtime, Workshop, specification};
    use super::*;

    /// Returns the year that a program with this clock reads.
    fn year(clock: &Clock) -> i32 {
        let script = format!(
            "LD_PRELOAD='{}' TMR_CLOCK='{}' date +%Y",
            clock.library.display(),
            clock.offsets.display()
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    #[test]
    fn the_wall_clock_of_a_process_is_moved() {
        let workshop = Workshop::new(Runtime::Smol, &specification(&[]));
        let clock = Clock::new(workshop.folder(), "one");
        let now = year(&clock);
        clock.wall(366 * 24 * 3600);
        assert!((1..=2).contains(&(year(&clock) - now)));
        clock.wall(-366 * 24 * 3600);
        assert!((1..=2).contains(&(now - year(&clock))));
        clock.wall(0);
        clock.monotonic(-1_000);
        assert_eq!(year(&clock), now);
    }
}

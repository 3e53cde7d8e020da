//! The two daemons, built once per test process.

use super::process::Finished;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Which of the two daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `tmrd`.
    Smol,
    /// `tmrd-std`.
    Threads,
}

impl Runtime {
    /// The program's file name.
    #[must_use]
    pub fn program_name(self) -> &'static str {
        match self {
            Self::Smol => "tmrd",
            Self::Threads => "tmrd-std",
        }
    }

    /// What `/api/status` calls it.
    #[must_use]
    pub fn status_name(self) -> &'static str {
        match self {
            Self::Smol => "smol",
            Self::Threads => "threads",
        }
    }
}

/// A built daemon.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The daemon of a runtime; builds both on the first call.
    ///
    /// # Panics
    /// They do not build.
    #[must_use]
    pub fn of(runtime: Runtime) -> Self {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        let folder = FOLDER.get_or_init(build);
        Self { path: folder.join(runtime.program_name()) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command line of it, nothing redirected yet.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_remove("TMR_LOG").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It could not be started.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.command(arguments);
        let output = command.output().expect("the program was built, so it starts");
        Finished::new(format!("{command:?}"), &output)
    }
}

/// Builds with the profile and into the folder that the running test was built with and into:
/// `TARGET/PROFILE/deps/TEST`.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("a test lies in TARGET/PROFILE/deps");
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo
        .args(["build", "--quiet", "--bins", "--profile", profile])
        .args(["-p", "tmr-runtime-smol", "-p", "tmr-runtime-std"])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target);
    let status = cargo.status().expect("cargo runs, it runs this test");
    assert!(status.success(), "the daemons do not build: {cargo:?}");
    folder.to_path_buf()
}

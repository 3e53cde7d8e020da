//! The two daemons, built once per test process.

use super::missing;
use super::process::Finished;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

/// This workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The previous version for upgrades: the last commit before there were packages.
const PREVIOUS: &str = "e8fc2ac";

/// One of the two daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// `tmrd`.
    Smol,
    /// `tmrd-std`.
    Threads,
    /// The example of a runtime that uses core alone.
    Mio,
}

impl Runtime {
    /// Returns the program's file name.
    #[must_use]
    pub fn program_name(self) -> &'static str {
        match self {
            Self::Smol => "tmrd",
            Self::Threads => "tmrd-std",
            Self::Mio => "examples/mio",
        }
    }

    /// Returns its name in `/api/status`.
    #[must_use]
    pub fn status_name(self) -> &'static str {
        match self {
            Self::Smol => "smol",
            Self::Threads => "threads",
            Self::Mio => "mio",
        }
    }
}

/// A built daemon.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// Shell commands before the shell becomes the daemon.
    before: Option<&'static str>,
}

impl Program {
    /// The daemon of a runtime; builds both on the first call, unless `TMR_PROGRAMS` names a folder
    /// that has them, like `target/release` of whoever measures.
    ///
    /// # Panics
    /// They do not build.
    #[must_use]
    pub fn of(runtime: Runtime) -> Self {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
        let folder =
            FOLDER.get_or_init(|| env::var_os("TMR_PROGRAMS").map_or_else(build, PathBuf::from));
        let folder = match runtime {
            Runtime::Smol | Runtime::Threads => folder,
            Runtime::Mio => EXAMPLE.get_or_init(build_example),
        };
        Self { path: folder.join(runtime.program_name()), before: None }
    }

    /// The daemon of a runtime as it was at `PREVIOUS`; builds both on the first call. `None` where
    /// this repository's history does not go back to it.
    ///
    /// # Panics
    /// They do not build, or cannot be had and `TMR_REQUIRE_ALL=1` is set.
    #[must_use]
    pub fn previous(runtime: Runtime) -> Option<Self> {
        static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
        let folder = FOLDER.get_or_init(build_previous).as_ref();
        if missing(folder.is_some(), &format!("the history of this repository, with {PREVIOUS}")) {
            return None;
        }
        Some(Self { path: folder?.join(runtime.program_name()), before: None })
    }

    /// Returns the same program, started by a shell that runs this first, such as a limit.
    #[must_use]
    pub fn after(&self, before: &'static str) -> Self {
        Self { before: Some(before), ..self.clone() }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a command line of it, without redirections.
    #[must_use]
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = if let Some(before) = self.before {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(format!("{before} && exec \"$0\" \"$@\"")).arg(&self.path);
            shell
        } else {
            Command::new(&self.path)
        };
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

/// Builds with the profile and into the target folder of the running test:
/// `TARGET/PROFILE/deps/TEST`.
fn build() -> PathBuf {
    let (target, profile) = built_as();
    cargo(Path::new(ROOT), &target, profile, &target)
}

/// Builds the example of a third runtime. Returns the folder, which is that of the daemons.
fn build_example() -> PathBuf {
    let (target, profile) = built_as();
    let mut cargo = cargo_build(Path::new(ROOT), &target, profile);
    cargo.args(["-p", "tmr-runtime-std", "--example", "mio"]);
    let status = cargo.status().expect("cargo runs, it runs this test");
    assert!(status.success(), "the example does not build: {cargo:?}");
    built_into(&target, profile)
}

/// Builds the version at [`PREVIOUS`]; shared dependencies are not built again.
fn build_previous() -> Option<PathBuf> {
    let (target, profile) = built_as();
    let own = target.join("previous");
    let tree = own.join("tree");
    fs::create_dir_all(&tree).expect("a folder can be made where this was built");
    let archive = own.join("tree.tar");
    let git = Command::new("git")
        .args(["-C", ROOT, "archive", "--output"])
        .args([archive.as_os_str(), OsStr::new(PREVIOUS)])
        .stdin(Stdio::null())
        .status();
    if !git.is_ok_and(|status| status.success()) {
        return None;
    }
    let tar = Command::new("tar").arg("-C").arg(&tree).arg("-xf").arg(&archive).status();
    assert!(tar.is_ok_and(|status| status.success()), "{archive:?} cannot be unpacked");
    Some(cargo(&tree, &own, profile, &target))
}

/// Returns the target folder and the profile of the running test.
fn built_as() -> (PathBuf, &'static str) {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("a test lies in TARGET/PROFILE/deps");
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = if folder.ends_with("release") { "release" } else { "dev" };
    (target.to_path_buf(), profile)
}

/// Builds both daemons of a workspace, and returns their folder. `shared`: the folder for libraries
/// that several workspaces share (cargo before 1.91 shares none).
fn cargo(workspace: &Path, target: &Path, profile: &str, shared: &Path) -> PathBuf {
    let mut cargo = cargo_build(workspace, target, profile);
    cargo
        .args(["--bins", "-p", "tmr-runtime-smol", "-p", "tmr-runtime-std"])
        .env("CARGO_BUILD_BUILD_DIR", shared);
    let status = cargo.status().expect("cargo runs, it runs this test");
    assert!(status.success(), "the daemons do not build: {cargo:?}");
    built_into(target, profile)
}

/// Returns the folder that a profile's programs are built into.
fn built_into(target: &Path, profile: &str) -> PathBuf {
    target.join(if profile == "dev" { "debug" } else { profile })
}

/// Returns a command line that builds targets of a workspace.
fn cargo_build(workspace: &Path, target: &Path, profile: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo
        .args(["build", "--quiet", "--profile", profile])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target);
    cargo
}

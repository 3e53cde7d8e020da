//! How a process ends: the exit codes, in this one place, and the error that carries one.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use tmr_core::link::CloseReason;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Anything that has no number of its own.
    Failed = 1,
    /// Wrong use or wrong configuration.
    Usage = 2,
    /// The licence server refused the call.
    Refused = 3,
    /// No server could be reached.
    Unreachable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: the exit code, and a message with what happened, where, and what
/// would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The message; it has no newline at its end.
    pub text: String,
    /// The file that is at fault, if there is one: `text` begins with its path.
    pub file: Option<PathBuf>,
}

impl Failure {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), file: None }
    }

    /// [`Exit::Failed`].
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    /// [`Exit::Usage`].
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// [`Exit::Refused`].
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Exit::Refused, text)
    }

    /// [`Exit::Unreachable`].
    pub fn unreachable(text: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<CloseReason> for Failure {
    /// For what a daemon needs at its start and does not get.
    fn from(reason: CloseReason) -> Self {
        Self::failed(format!("cannot start: {reason}"))
    }
}

/// Returns a system error's message without its number.
#[must_use]
pub fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_owned()
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

/// Ends a daemon that must not go on; supervision starts it again.
pub fn halt(reason: &str) -> ! {
    tracing::error!(target: "tmr_runtime_std::daemon::exit", "halted: {reason}");
    std::process::exit(Exit::Failed as i32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_error_has_words() {
        let error = std::io::Error::from_raw_os_error(2);
        assert_eq!(words(&error), "No such file or directory");
        assert_eq!(words(&std::io::Error::other("x")), "x");
    }

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        let codes = [
            (Failure::failed("").exit, 1),
            (Failure::usage("").exit, 2),
            (Failure::refused("").exit, 3),
            (Failure::unreachable("").exit, 4),
            (Exit::Done, 0),
        ];
        for (exit, code) in codes {
            assert_eq!(exit as u8, code);
            assert_eq!(ExitCode::from(exit), ExitCode::from(code));
        }
    }
}

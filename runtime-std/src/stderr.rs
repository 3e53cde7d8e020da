//! Standard error: messages for people where nothing is logged.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard error. There is no place to report that it cannot be written; `eprintln!`
/// would panic, and a server would end because nobody reads its log.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

//! Standard output: data for other programs, which may stop reading.

use crate::exit::{Failure, Outcome};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line at once.
///
/// # Errors
/// Standard output cannot be written. A closed pipe is no error: a seat that was taken is released
/// all the same.
pub fn line(text: impl Display) -> Outcome {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

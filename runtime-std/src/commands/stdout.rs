//! Standard output: data for whoever reads on, which may be a program that stops reading.

use crate::exit::{Failure, Outcome};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Prints a line at once.
///
/// # Errors
/// Standard output cannot be written. That nobody reads it any more is none: a seat that was
/// taken is given back all the same.
pub fn line(text: impl Display) -> Outcome {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

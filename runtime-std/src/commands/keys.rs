//! `keygen`: the group key, which is made before anything runs.

use crate::commands::stdout;
use crate::entropy;
use crate::exit::Outcome;
use crate::host::files;
use std::path::Path;

/// `keygen`.
///
/// # Errors
/// The file is there already, or cannot be made.
pub fn keygen(path: &Path) -> Outcome {
    make_group_key(path)?;
    stdout::line(path.display())?;
    note!("A new group key. Give it to every front and backend of one group, and nobody else.");
    Ok(())
}

/// Creates a group key.
///
/// # Errors
/// The file is there already, or cannot be made.
pub fn make_group_key(path: &Path) -> Outcome {
    files::make_secret(path, format!("{}\n", hex::encode(entropy::fresh())).as_bytes())
}

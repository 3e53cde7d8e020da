//! `keygen` and `issue`: what a vendor and an operator make before anything runs.

use super::cli::Issue;
use super::clock::Clock;
use super::exit::Outcome;
use super::{entropy, files};
use std::path::Path;
use tmr_core::licence::Spec;
use tmr_core::limits::LICENCE_FILE_MAX;

/// Makes a group key.
///
/// # Errors
/// The file is there already, or cannot be made.
pub fn keygen(path: &Path) -> Outcome {
    files::make_secret(path, format!("{}\n", hex::encode(entropy::fresh())).as_bytes())?;
    println!("{}", path.display());
    eprintln!("A new group key. Give it to every front and backend of one group, and nobody else.");
    Ok(())
}

/// Signs licences.
///
/// # Errors
/// The specification is wrong, or a file cannot be read or made.
pub fn issue(options: &Issue) -> Outcome {
    let Issue { spec, key, out, only } = options;
    let parsed = Spec::parse(&files::text(spec, LICENCE_FILE_MAX)?)
        .map_err(|error| files::wrong(spec, error))?;
    let (issuer, new) = files::issuer(key)?;
    if new {
        eprintln!("{}: a new issuer key. Who has it can sign licences.", key.display());
    }
    std::fs::create_dir_all(out).map_err(|error| files::wrong(out, error))?;
    let now = Clock::start().now().wall;
    for part in only.map_or(1..=3, |part| part..=part) {
        let path = out.join(format!("{part}.cmlic"));
        files::put(&path, &issuer.issue(&parsed, part, now), true)?;
        println!("{}", path.display());
    }
    let path = out.join("issuer.pub");
    files::put(&path, issuer.public().to_text().as_bytes(), false)?;
    println!("{}", path.display());
    Ok(())
}

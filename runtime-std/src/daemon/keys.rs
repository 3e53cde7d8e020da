//! `keygen` and `issue`: what a vendor and an operator make before anything runs.

use super::cli::Issue;
use super::clock::Clock;
use super::create::Access;
use super::exit::{Failure, Outcome, words};
use super::{entropy, files, out};
use std::path::{Path, PathBuf};
use tmr_core::licence::{Spec, rfc3339};
use tmr_core::limits::LICENCE_FILE_MAX;

/// `keygen`.
///
/// # Errors
/// The file is there already, or cannot be made.
pub fn keygen(path: &Path) -> Outcome {
    make_group_key(path)?;
    out::line(path.display())?;
    eprintln!("A new group key. Give it to every front and backend of one group, and nobody else.");
    Ok(())
}

/// Makes a group key.
///
/// # Errors
/// The file is there already, or cannot be made.
pub fn make_group_key(path: &Path) -> Outcome {
    files::make_secret(path, format!("{}\n", hex::encode(entropy::fresh())).as_bytes())
}

/// `issue`.
///
/// # Errors
/// The specification is wrong, or a file cannot be read or made.
pub fn issue(options: &Issue) -> Outcome {
    let new = !options.key.exists();
    for path in sign(options)? {
        out::line(path.display())?;
    }
    if new {
        let key = options.key.display();
        eprintln!("{key}: a new issuer key. Who has it can sign licences.");
    }
    Ok(())
}

/// Signs licences and says which files were written.
///
/// # Errors
/// As of [`issue`].
pub fn sign(options: &Issue) -> Result<Vec<PathBuf>, Failure> {
    let Issue { spec, key, out, only } = options;
    let parsed = Spec::parse(&files::text(spec, LICENCE_FILE_MAX)?)
        .map_err(|error| files::wrong(spec, error))?;
    let issuer = files::issuer(key)?;
    std::fs::create_dir_all(out).map_err(|error| files::wrong(out, words(&error)))?;
    let now = Clock::start().now().wall;
    for product in &parsed.firm_item().products {
        if let Some(end) = product.expiration_time.filter(|end| *end <= now) {
            let (code, file, end) = (product.product_code, spec.display(), rfc3339::format(end));
            eprintln!(
                "warning: {file}: product {code} ended on {end} (ExpirationTime): nobody can use it; it is \
                 issued all the same"
            );
        }
    }
    let mut written = Vec::new();
    for part in only.map_or(1..=3, |part| part..=part) {
        let path = out.join(format!("{part}.cmlic"));
        files::put(&path, &issuer.issue(&parsed, part, now), Access::Private)?;
        written.push(path);
    }
    let path = out.join("issuer.pub");
    files::put(&path, issuer.public().to_text().as_bytes(), Access::Public)?;
    written.push(path);
    Ok(written)
}

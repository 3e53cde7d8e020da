//! `keygen` and `issue`: keys and licences, which are made before anything runs.

use crate::clock::Clock;
use crate::commands::cli::Issue;
use crate::commands::stdout;
use crate::entropy;
use crate::exit::{Failure, Outcome, words};
use crate::host::create::Access;
use crate::host::files;
use crate::host::key_kind::{KeyKind, PUBLIC};
use std::path::{Path, PathBuf};
use tmr_core::base::limits::LICENCE_FILE_MAX;
use tmr_core::base::rfc3339;
use tmr_core::licence::{Issuer, Spec};

/// The most bytes of a key file that is compared.
const KEY_MAX: usize = 1024;

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

/// `issue`.
///
/// # Errors
/// The specification is wrong, or a file cannot be read or made.
pub fn issue(options: &Issue) -> Outcome {
    let new = !options.key.exists();
    for path in sign(options)? {
        stdout::line(path.display())?;
    }
    if new {
        let key = options.key.display();
        note!("{key}: a new issuer key. Who has it can sign licences.");
    }
    Ok(())
}

/// Rejects a key file with another kind of key, or with another issuer's key than the rest of a set
/// has.
fn signs(options: &Issue) -> Outcome {
    let key = &options.key;
    let Ok(text) = files::text(key, KEY_MAX) else { return Ok(()) };
    KeyKind::Secret.expect(key, &text, Some(&options.out))?;
    let public = options.out.join(PUBLIC);
    let own = Issuer::parse(&text).map(|issuer| issuer.public().to_text());
    let other = files::text(&public, KEY_MAX);
    if let (Some(part), Ok(own), Ok(other)) = (options.only, own, other) {
        if own.trim() != other.trim() {
            let what = format!(
                "the set in {} was signed with another key, so part {part} would not belong to it; right \
                 would be the key that it was signed with",
                options.out.display()
            );
            return Err(files::wrong(key, what));
        }
    }
    Ok(())
}

/// Signs licences, and returns the files that were written.
///
/// # Errors
/// As of [`issue`].
pub fn sign(options: &Issue) -> Result<Vec<PathBuf>, Failure> {
    let Issue { spec, key, out, only } = options;
    let parsed = Spec::parse(&files::text(spec, LICENCE_FILE_MAX)?)
        .map_err(|error| files::wrong(spec, error))?;
    signs(options)?;
    let issuer = files::issuer(key)?;
    std::fs::create_dir_all(out).map_err(|error| files::wrong(out, words(&error)))?;
    let now = Clock::start().now().wall;
    for product in &parsed.firm_item().products {
        if let Some(end) = product.expiration_time.filter(|end| *end <= now) {
            let (code, file, end) = (product.product_code, spec.display(), rfc3339::format(end));
            note!(
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
    let path = out.join(PUBLIC);
    files::put(&path, issuer.public().to_text().as_bytes(), Access::Public)?;
    written.push(path);
    Ok(written)
}

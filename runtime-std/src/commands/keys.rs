//! `keygen` and `issue`: what a vendor and an operator make before anything runs.

use crate::clock::Clock;
use crate::commands::cli::Issue;
use crate::commands::stdout;
use crate::entropy;
use crate::exit::{Failure, Outcome, words};
use crate::host::create::Access;
use crate::host::files;
use std::path::{Path, PathBuf};
use tmr_core::base::limits::LICENCE_FILE_MAX;
use tmr_core::base::rfc3339;
use tmr_core::licence::{Issuer, Spec};

/// What backends are to trust, beside the licences.
const PUBLIC: &str = "issuer.pub";
/// What the manual calls a group key.
const GROUP: [&str; 2] = ["group.key", "tmr-group.key"];
/// Where it lies on a machine of the group.
const GROUP_KEY: &str = "/etc/wibu/CodeMeter/tmr-group.key";
/// Longest key file that is compared, in bytes.
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
        stdout::line(path.display())?;
    }
    if new {
        let key = options.key.display();
        note!("{key}: a new issuer key. Who has it can sign licences.");
    }
    Ok(())
}

/// Refuses a key file that is another kind of key: each of them is 64 hexadecimal digits, and would sign.
/// What tells them apart is their names, and the files beside them.
fn signs(options: &Issue) -> Outcome {
    let key = &options.key;
    let Ok(text) = files::text(key, KEY_MAX) else { return Ok(()) };
    let same = |other: &Path| {
        other.canonicalize().ok() != key.canonicalize().ok()
            && files::text(other, KEY_MAX).is_ok_and(|it| it.trim() == text.trim())
    };
    let beside = |name: &str| files::beside(key, name);
    let named = |name: &str| key.file_name().is_some_and(|it| it == name);
    let public = options.out.join(PUBLIC);
    if key.extension().is_some_and(|it| it == "pub") || same(&public) || same(&beside(PUBLIC)) {
        let what = "this is an issuer's public key, which backends trust (--issuer); it signs nothing. Right \
                    would be the secret key, such as issuer.key";
        return Err(files::wrong(key, what));
    }
    if GROUP.iter().any(|name| named(name) || same(&beside(name))) || same(Path::new(GROUP_KEY)) {
        let what = "this is a group key, which fronts and backends prove to each other; it must not sign \
                    licences. Right would be the issuer's secret key, such as issuer.key";
        return Err(files::wrong(key, what));
    }
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

/// Signs licences and says which files were written.
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

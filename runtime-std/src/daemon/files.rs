//! The files people hand to a server: keys, licences, configuration. Every error names the file,
//! and ends in [`Exit::Usage`](super::exit::Exit::Usage).

use super::entropy;
use super::exit::{Failure, Outcome, words};
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tmr_core::channel::GroupKey;
use tmr_core::config::Config;
use tmr_core::licence::{Container, File, Issuer, IssuerKey};
use tmr_core::limits::{CONFIG_MAX, LICENCE_FILE_MAX};

/// Longest key file, in bytes: a key has 65.
const KEY_MAX: usize = 1024;

/// Names the file that something is wrong with.
pub fn wrong(path: &Path, what: impl Display) -> Failure {
    Failure::usage(format!("{}: {what}", path.display()))
}

/// The bytes of a file, and one more than `longest` at most.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(longest as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error: io::Error| wrong(path, words(&error)))
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn text(path: &Path, longest: usize) -> Result<String, Failure> {
    String::from_utf8(bytes(path, longest)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(path, format!("byte {at} is not text, expected UTF-8"))
    })
}

/// A group key.
///
/// # Errors
/// There is none in the file. One that others may read is taken, with a warning.
pub fn group_key(path: &Path) -> Result<GroupKey, Failure> {
    let key = text(path, KEY_MAX)
        .and_then(|text| GroupKey::from_hex(&text).map_err(|error| wrong(path, error)))
        .map_err(|failure| {
            Failure::usage(format!("{failure} (`tmrd keygen` makes a group key)"))
        })?;
    warn_if_open(path);
    Ok(key)
}

fn warn_if_open(path: &Path) {
    let mode = std::fs::metadata(path).map(|it| it.permissions().mode() & 0o777);
    if let Ok(mode) = mode {
        if mode & 0o077 != 0 {
            tracing::warn!(
                "{}: others may read this key (mode {mode:03o}); right would be 600",
                path.display()
            );
        }
    }
}

/// The key that licences are trusted by.
///
/// # Errors
/// There is none in the file.
pub fn issuer_key(path: &Path) -> Result<IssuerKey, Failure> {
    IssuerKey::parse(&text(path, KEY_MAX)?).map_err(|error| wrong(path, error))
}

/// Who signs licences; a new key is made if the file is not there.
///
/// # Errors
/// The file holds something else, or cannot be made.
pub fn issuer(path: &Path) -> Result<Issuer, Failure> {
    if path.exists() {
        let issuer = Issuer::parse(&text(path, KEY_MAX)?).map_err(|error| wrong(path, error))?;
        warn_if_open(path);
        return Ok(issuer);
    }
    let issuer = Issuer::from_secret(entropy::fresh());
    make_secret(path, issuer.to_text().as_bytes())?;
    Ok(issuer)
}

/// The container in a licence file.
///
/// # Errors
/// It is altered, cut off, foreign, or no licence.
pub fn container(path: &Path, issuers: &[IssuerKey]) -> Result<Container, Failure> {
    let bytes = bytes(path, LICENCE_FILE_MAX)?;
    File::open(&bytes, issuers).map_err(|error| wrong(path, error))
}

/// A front's configuration, with its text.
///
/// # Errors
/// The first mistake, with its place.
pub fn config(path: &Path) -> Result<(String, Config), Failure> {
    let text = text(path, CONFIG_MAX)?;
    let config = Config::parse(&text).map_err(|error| wrong(path, error))?;
    Ok((text, config))
}

/// Puts content in the place of a file that is there, atomically and durably; its owner and its mode
/// stay. A link to it stays one.
///
/// # Errors
/// The system's, or its owner could not stay; the file is as it was.
pub fn replace(path: &Path, content: &[u8]) -> Outcome {
    let put = || {
        let path = path.canonicalize()?;
        let (old, folder) =
            (std::fs::metadata(&path)?, path.parent().unwrap_or_else(|| Path::new("/")));
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        // One that is left from before may have any mode.
        let _ = std::fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(old.permissions())?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    put().map_err(|error: io::Error| match error.kind() {
        ErrorKind::PermissionDenied => wrong(
            path,
            "it cannot be replaced; right would be a file, and a folder, of the user that tmrd \
             runs as",
        ),
        _ => wrong(path, words(&error)),
    })
}

/// Where a path in a configuration leads to, seen from the configuration's own folder.
#[must_use]
pub fn beside(config: &Path, path: &str) -> PathBuf {
    config.parent().unwrap_or_else(|| Path::new("")).join(path)
}

/// Makes a file that only its owner may read, and never overwrites one.
///
/// # Errors
/// It is there already, or cannot be made.
pub fn make_secret(path: &Path, content: &[u8]) -> Outcome {
    let make = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    make().map_err(|error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            wrong(path, "it is there already and is not overwritten; choose another name")
        }
        _ => wrong(path, words(&error)),
    })
}

/// Puts content in a file's place, atomically; readable by its owner alone if it is secret.
///
/// # Errors
/// The system's.
pub fn put(path: &Path, content: &[u8], secret: bool) -> Outcome {
    let put = || {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let mode = if secret { 0o600 } else { 0o644 };
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    };
    put().map_err(|error: io::Error| wrong(path, words(&error)))
}

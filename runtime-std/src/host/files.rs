//! The files that people give to a server: keys, licences, configuration. Every error names the
//! file, and has [`Exit::Usage`](crate::exit::Exit::Usage).

use crate::entropy;
use crate::exit::{Failure, Outcome, words};
use crate::host::create::{self, Access};
use crate::host::key_kind::KeyKind;
use rustix::fs::{OFlags, statvfs};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tmr_core::base::limits::{CONFIG_MAX, LICENCE_FILE_MAX, ROOM_LOW};
use tmr_core::base::server_files::{FileTrouble, Room};
use tmr_core::config::Config;
use tmr_core::licence::{self, Container, Issuer, IssuerKey};
use tmr_core::link::channel::GroupKey;

/// The most bytes of a key file that are read: a key has 65.
const KEY_MAX: usize = 1024;

/// Returns the failure of a file that is wrong, with its path.
pub fn wrong(path: &Path, what: impl Display) -> Failure {
    let text = format!("{}: {what}", shown(path));
    Failure { file: Some(path.to_owned()), ..Failure::usage(text) }
}

/// Returns the free space of a folder's disk in whole MiB, if it is little; `None`: there is
/// enough, or it is unknown.
#[must_use]
pub fn room(folder: &Path) -> Option<Room> {
    let found = statvfs(folder).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize) >> 20 << 20;
    (free < ROOM_LOW).then(|| Room { folder: folder.display().to_string(), free })
}

/// Returns the status of a file that the server does without; `todo`: how to mend it.
#[must_use]
pub fn trouble(failure: &Failure, todo: &str) -> FileTrouble {
    let file = failure.file.as_deref().map(shown).unwrap_or_default();
    let what = failure.text.strip_prefix(&*file).and_then(|rest| rest.strip_prefix(": "));
    let trouble = what.unwrap_or(&failure.text).to_owned();
    FileTrouble { file, trouble, what_to_do: todo.to_owned() }
}

/// Returns a path for messages without control characters, since its name may be a stranger's.
#[must_use]
pub fn shown(path: &Path) -> String {
    let clean =
        |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    path.to_string_lossy().chars().map(clean).collect()
}

/// Reads a file, but at most `longest` bytes and one more.
///
/// # Errors
/// It cannot be read.
pub fn bytes(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    let read = || read(&File::open(path)?, longest);
    read().map_err(|error: io::Error| wrong(path, words(&error)))
}

/// Does the same for a plain file or a link to one; a pipe in its place does not block.
///
/// # Errors
/// It cannot be read, or is not a plain file.
pub fn plain_bytes(path: &Path, longest: usize) -> Result<Vec<u8>, Failure> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let read = || {
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        if file.metadata()?.is_file() {
            return read(&file, longest);
        }
        let what = if file.metadata()?.is_dir() { "a folder" } else { "no plain file" };
        Err(io::Error::other(format!("it is {what}; right would be a file")))
    };
    read().map_err(|error: io::Error| wrong(path, words(&error)))
}

fn read(file: &File, longest: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the text of a file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn text(path: &Path, longest: usize) -> Result<String, Failure> {
    utf8(path, bytes(path, longest)?)
}

/// Reads the text of a plain file, or of a link to one.
///
/// # Errors
/// It cannot be read, is not a plain file, or is not UTF-8.
pub fn plain_text(path: &Path, longest: usize) -> Result<String, Failure> {
    utf8(path, plain_bytes(path, longest)?)
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(path, format!("byte {at} is not text, expected UTF-8"))
    })
}

/// Reads a group key.
///
/// # Errors
/// The file has none, or has an issuer's key. A file that others may read is accepted, with a
/// warning.
pub fn group_key(path: &Path) -> Result<GroupKey, Failure> {
    let content = text(path, KEY_MAX);
    let key = content
        .clone()
        .and_then(|text| GroupKey::from_hex(&text).map_err(|error| wrong(path, error)))
        .map_err(|failure| {
            let text = match key_nearby(path) {
                Some(other) => format!(
                    "{failure} ({} is a group key: put it there, or name it in TmrServer.GroupKeyFile, a \
                     backend: --group-key)",
                    shown(&other)
                ),
                None => format!("{failure} (`tmrd keygen` makes a group key)"),
            };
            Failure { text, ..failure }
        })?;
    KeyKind::Group.expect(path, &content?, None)?;
    warn_if_open(path, "this key", 0o600);
    Ok(key)
}

/// Finds a group key in the current folder if there is none at `path`: a file of the same name, or
/// of a name in the manual.
fn key_nearby(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return None;
    }
    let names = [path.file_name()?, "group.key".as_ref(), "tmr-group.key".as_ref()];
    names.into_iter().map(|name| Path::new(".").join(name)).find(|other| {
        let text = text(other, KEY_MAX);
        text.is_ok_and(|text| GroupKey::from_hex(&text).is_ok())
    })
}

/// Warns, in a server's log or on a command's standard error, of a secret file that more users may
/// read or change than the mode `right` permits.
pub fn warn_if_open(path: &Path, what: &str, right: u32) {
    if let Some(text) = too_open(path, what, right) {
        tracing::warn!(target: "tmr_runtime_std::daemon::files", "{text}");
    }
}

/// Returns the message for a secret file that more users may read or change than the mode `right`
/// permits.
#[must_use]
pub fn too_open(path: &Path, what: &str, right: u32) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let more = mode & !right & 0o077;
    let may = match (more & 0o044 != 0, more & 0o022 != 0) {
        (true, true) => "read and change",
        (true, false) => "read",
        (false, true) => "change",
        (false, false) => return None,
    };
    let path = shown(path);
    Some(format!("{path}: others may {may} {what} (mode {mode:03o}); right would be {right:03o}"))
}

/// Reads the public key of a trusted issuer.
///
/// # Errors
/// The file has none, or has another kind of key.
pub fn issuer_key(path: &Path) -> Result<IssuerKey, Failure> {
    let text = text(path, KEY_MAX)?;
    KeyKind::Public.expect(path, &text, None)?;
    IssuerKey::parse(&text).map_err(|error| wrong(path, error))
}

/// Reads an issuer's secret key; creates a new one if the file does not exist.
///
/// # Errors
/// The file holds something else, or cannot be created.
pub fn issuer(path: &Path) -> Result<Issuer, Failure> {
    if path.exists() {
        let issuer = Issuer::parse(&text(path, KEY_MAX)?).map_err(|error| wrong(path, error))?;
        warn_if_open(path, "this key", 0o600);
        return Ok(issuer);
    }
    let issuer = Issuer::from_secret(entropy::fresh());
    make_secret(path, issuer.to_text().as_bytes())?;
    Ok(issuer)
}

/// Reads the container in a licence file.
///
/// # Errors
/// It is altered, cut off, of another issuer, or not a licence.
pub fn container(path: &Path, issuers: &[IssuerKey]) -> Result<Container, Failure> {
    let bytes = plain_bytes(path, LICENCE_FILE_MAX)?;
    licence::File::open(&bytes, issuers).map_err(|error| wrong(path, error))
}

/// Reads a front's configuration, and returns it with its text.
///
/// # Errors
/// The first mistake, with its position.
pub fn config(path: &Path) -> Result<(String, Config), Failure> {
    let text = text(path, CONFIG_MAX)?;
    let config = Config::parse(&text).map_err(|error| wrong(path, error))?;
    Ok((text, config))
}

/// Replaces the content of an existing file, atomically and durably; its owner and mode are kept. A
/// link to it is kept as well.
///
/// # Errors
/// A system error, or the owner cannot be kept; the file is unchanged.
pub fn replace(path: &Path, content: &[u8]) -> Outcome {
    let put = || create::replace(&path.canonicalize()?, content, Access::Public);
    put().map(drop).map_err(|error: io::Error| match error.kind() {
        ErrorKind::PermissionDenied => wrong(
            path,
            "it cannot be replaced; right would be a file, and a folder, of the user that tmrd \
             runs as",
        ),
        _ => wrong(path, words(&error)),
    })
}

/// Returns the path that a configuration names, relative to the configuration's folder.
#[must_use]
pub fn beside(config: &Path, path: &str) -> PathBuf {
    config.parent().unwrap_or_else(|| Path::new("")).join(path)
}

/// Creates a file that only its owner may read; an existing one is never overwritten.
///
/// # Errors
/// It exists already, or cannot be created.
pub fn make_secret(path: &Path, content: &[u8]) -> Outcome {
    let make = || {
        let mut file = create::create(path, 0o600, File::options().write(true))?;
        let whole = file.write_all(content).and_then(|()| file.sync_all());
        // A part of a key is of no use.
        whole.inspect_err(|_| _ = std::fs::remove_file(path))
    };
    make().map_err(|error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            wrong(path, "it is there already and is not overwritten; choose another name")
        }
        _ => wrong(path, words(&error)),
    })
}

/// Replaces a file's content, atomically.
///
/// # Errors
/// A system error.
pub fn put(path: &Path, content: &[u8], access: Access) -> Outcome {
    create::replace(path, content, access).map(drop).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => {
            let words = words(&error);
            wrong(path, format!("{words}; right would be to run this as its owner, or as root"))
        }
        _ => wrong(path, words(&error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_that_are_too_wide_are_told_with_the_mode() {
        let path = std::env::temp_dir().join(format!("tmr-open-{}", std::process::id()));
        std::fs::write(&path, "secret").unwrap();
        for (mode, right, told) in [
            (0o600, 0o600, None),
            (0o640, 0o640, None),
            (0o400, 0o600, None),
            (0o640, 0o600, Some("read")),
            (0o644, 0o640, Some("read")),
            (0o620, 0o640, Some("change")),
            (0o666, 0o600, Some("read and change")),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let text = too_open(&path, "this key", right);
            let expected = told.map(|may| {
                let path = path.display();
                format!("{path}: others may {may} this key (mode {mode:03o}); right would be {right:03o}")
            });
            assert_eq!(text, expected);
        }
        std::fs::remove_file(&path).unwrap();
        let folder = plain_text(&std::env::temp_dir(), 10).unwrap_err().to_string();
        assert!(folder.ends_with("it is a folder; right would be a file"), "{folder}");
    }
}

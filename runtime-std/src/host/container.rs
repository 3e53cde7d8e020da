//! The container folder of a backend: the identity that licences are issued for, in `container.key`.
//!
//! It is another folder than the state folder, so that one of them can be lost without the other. The
//! identity is made once, at the first start, and a file that is damaged is never made anew: licences
//! that were issued for it would be lost without a word.

use crate::entropy;
use crate::exit::Failure;
use crate::host::create;
use crate::host::disk::{Folder, FolderError};
use crate::host::files;
use std::path::{Path, PathBuf};
use tmr_core::licence::ContainerIdentity;

/// The file of the identity.
const KEY: &str = "container.key";
/// The most bytes of such a file that are read: it has 162.
const KEY_MAX: usize = 1024;
/// What follows the name of a state folder in the name of its container folder.
const SUFFIX: &str = "-container";
/// What messages call the folder.
const WHAT: &str = "container folder";

/// The container of a backend, locked for as long as this lives.
#[derive(Debug)]
pub struct ContainerFolder {
    folder: Folder,
    identity: ContainerIdentity,
}

/// What became of a container that is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was created.
    Created,
    /// The same container was there already.
    Same,
}

impl ContainerFolder {
    /// Opens and locks the folder, and reads the identity; creates both if there is none.
    ///
    /// # Errors
    /// Another process holds the lock, the file is damaged, or the system refuses.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Folder::open_named(path, WHAT)?;
        let key = folder.path(KEY);
        if std::fs::symlink_metadata(&key).is_ok() {
            files::warn_if_open(&key, "this container's keys", 0o600);
            return Ok(Self { identity: read(&key)?, folder });
        }
        let identity = fresh();
        create(&key, &identity)?;
        tracing::info!(
            target: "tmr_runtime_std::daemon::container",
            "{}: a new container was made; a copy of it belongs in a safe (tmrd container export)",
            files::shown(&key)
        );
        Ok(Self { identity, folder })
    }

    /// Returns the container's identity.
    #[must_use]
    pub fn identity(&self) -> &ContainerIdentity {
        &self.identity
    }

    /// Returns the path of a file in this folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }
}

/// Returns the container folder of a backend with this state folder.
#[must_use]
pub fn beside(state: &Path) -> PathBuf {
    let whole = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    let named = |path: &Path| {
        let mut name = path.file_name()?.to_owned();
        name.push(SUFFIX);
        Some(path.with_file_name(name))
    };
    named(state).or_else(|| named(&whole)).unwrap_or_else(|| whole.join(KEY).with_extension("d"))
}

/// Returns the file of the identity in a container folder.
#[must_use]
pub fn key_of(folder: &Path) -> PathBuf {
    folder.join(KEY)
}

/// Reads an identity.
///
/// # Errors
/// It cannot be read, or is damaged or something else.
pub fn read(path: &Path) -> Result<ContainerIdentity, Failure> {
    let text = files::plain_text(path, KEY_MAX)?;
    ContainerIdentity::parse(&text).map_err(|error| files::wrong(path, error))
}

/// Creates the identity in a container folder of which no backend runs.
///
/// # Errors
/// A backend runs with the folder, another container is there, or the system refuses.
pub fn import(identity: &ContainerIdentity, folder: &Path) -> Result<Imported, Failure> {
    let key = key_of(folder);
    if std::fs::symlink_metadata(&key).is_ok() {
        let there = read(&key)?;
        if there.keys() == identity.keys() {
            return Ok(Imported::Same);
        }
        let what = format!(
            "container 130-{} is there already, and is not replaced by 130-{}; right would be another \
             folder (--container), or to move this file away first",
            there.keys().serial(),
            identity.keys().serial()
        );
        return Err(files::wrong(&key, what));
    }
    let _locked = Folder::open_named(folder, WHAT).map_err(|error| match error {
        FolderError::InUse(failure) => {
            let text = format!("{failure}; stop the backend before the container is imported");
            Failure { text, ..failure }
        }
        FolderError::Refused(failure) => failure,
    })?;
    create(&key, identity)?;
    Ok(Imported::Created)
}

fn create(key: &Path, identity: &ContainerIdentity) -> Result<(), Failure> {
    create::create_whole(key, 0o600, identity.to_text().as_bytes())
        .map_err(|error| files::wrong(key, crate::exit::words(&error)))
}

/// Returns an identity that no container has yet.
fn fresh() -> ContainerIdentity {
    let mut entropy = [0; 64];
    entropy[..32].copy_from_slice(&entropy::fresh());
    entropy[32..].copy_from_slice(&entropy::fresh());
    ContainerIdentity::from_entropy(&entropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let name = format!("tmr-container-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_folder_stands_beside_the_state_whatever_its_path_is() {
        assert_eq!(beside(Path::new("/var/lib/b")), Path::new("/var/lib/b-container"));
        assert_eq!(beside(Path::new("b/")), Path::new("b-container"));
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(beside(Path::new(".")), beside(&here));
    }

    #[test]
    fn an_identity_is_made_once_and_is_locked_while_it_is_used() {
        let place = Place::new("once");
        let path = place.0.join("b-container");
        let one = ContainerFolder::open(&path).unwrap();
        let keys = one.identity().keys();
        let key = key_of(&path);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let second = ContainerFolder::open(&path).unwrap_err();
        assert!(matches!(second, FolderError::InUse(_)), "{second:?}");
        drop(one);
        assert_eq!(ContainerFolder::open(&path).unwrap().identity().keys(), keys);
    }

    #[test]
    fn a_damaged_identity_is_named_and_stays_as_it_is() {
        let place = Place::new("damaged");
        let path = place.0.join("b-container");
        drop(ContainerFolder::open(&path).unwrap());
        let key = key_of(&path);
        let whole = fs::read_to_string(&key).unwrap();
        for broken in ["", "licence", &whole[..whole.len() - 2], &whole[..20]] {
            fs::write(&key, broken).unwrap();
            let failure = Failure::from(ContainerFolder::open(&path).unwrap_err());
            assert_eq!(failure.exit, Exit::Usage);
            assert_eq!(failure.file.as_deref(), Some(&*key));
            assert!(import(&fresh(), &path).is_err(), "it is not replaced either");
            assert_eq!(fs::read_to_string(&key).unwrap(), broken);
        }
    }

    #[test]
    fn a_container_is_imported_where_there_is_none_and_no_backend_runs() {
        let place = Place::new("import");
        let (path, identity) = (place.0.join("b-container"), fresh());
        assert_eq!(import(&identity, &path), Ok(Imported::Created));
        assert_eq!(import(&identity, &path), Ok(Imported::Same));
        let other = import(&fresh(), &path).unwrap_err();
        assert!(other.text.contains("is there already"), "{other}");
        let running = ContainerFolder::open(&path).unwrap();
        assert_eq!(running.identity().keys(), identity.keys());
        fs::remove_file(key_of(&path)).unwrap();
        let refused = import(&identity, &path).unwrap_err();
        assert!(refused.text.contains("stop the backend"), "{refused}");
    }
}

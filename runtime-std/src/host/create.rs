//! How files are created and opened for writing: always as plain files, and never through a link. A
//! user who may write in a folder must not choose which file a program, perhaps root's, writes.
//!
//! Every file that tmrd writes is made here. What never lives here: the content of a file.

use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The suffix of a new file that is to replace another.
pub const FRESH: &str = "new";
/// The mode of a file until its content is complete: only its owner may read it.
const PRIVATE: u32 = 0o600;

/// The owner and the readers of a file that replaces another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The user of this process and no other, whatever the old file had.
    Private,
    /// As of the old file; if there was none, everybody may read it.
    Public,
    /// As of the old file; if there was none, its owner and the group of the folder may read it.
    Group,
}

/// Creates a file that does not exist.
///
/// # Errors
/// `AlreadyExists`: the name is taken, if only by a link. Others are system errors.
pub fn create(path: &Path, mode: u32, options: &OpenOptions) -> io::Result<File> {
    // O_EXCL follows no link.
    options.clone().create_new(true).mode(mode).open(path)
}

/// Opens an existing plain file.
///
/// # Errors
/// It is a link or no plain file; others are system errors.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    // Opening a pipe must not block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = options.clone().custom_flags(flags).open(path).map_err(|error| {
        if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
            return io::Error::other("it is a link, which is not followed; right would be a file");
        }
        error
    })?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no plain file; right would be one"))
}

/// Opens a file, and creates it if it does not exist.
///
/// # Errors
/// As of [`open`] and [`create`].
pub fn open_or_create(path: &Path, mode: u32, options: &OpenOptions) -> io::Result<File> {
    match open(path, options) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened,
    }
    match create(path, mode, options) {
        // Another process has created it meanwhile.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => open(path, options),
        made => made,
    }
}

/// Replaces a file's content atomically and durably, and returns the file, open at its end. A link
/// at `path` is replaced itself. What an earlier attempt has left is removed.
///
/// # Errors
/// A system error, or the owner of the old file cannot be kept. The old file is unchanged, unless
/// only the last step failed.
pub fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<File> {
    let fresh = fresh_name(path);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create(&fresh, PRIVATE, File::options().write(true))?;
    let folder = folder_of(path);
    let mut put = || {
        file.write_all(content)?;
        give(&file, (path, folder), access)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    if let Err(error) = put() {
        // After the last step but one it does not exist any more.
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    Ok(file)
}

/// Creates a file, complete and durable or not at all. An existing file is never replaced. What root
/// creates belongs to the owner of the folder.
///
/// # Errors
/// `AlreadyExists`: the name is taken, if only by a link. Others are system errors.
pub fn create_whole(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let fresh = fresh_name(path);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = folder_of(path);
    let mut file = create(&fresh, mode, File::options().write(true))?;
    let mut put = || {
        file.write_all(content)?;
        give_to_owner(&file, folder)?;
        file.sync_all()?;
        // Unlike a rename, this fails if another process has created the file meanwhile.
        fs::hard_link(&fresh, path)
    };
    let put = put();
    let _ = fs::remove_file(&fresh);
    put?;
    File::open(folder)?.sync_all()
}

/// Gives a file that root has created to the owner of its folder.
///
/// # Errors
/// A system error.
pub fn give_to_owner(file: &File, folder: &Path) -> io::Result<()> {
    let (own, owner) = (file.metadata()?, fs::metadata(folder)?);
    if own.uid() != 0 || owner.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Returns the name of a new file that is to take the place of `path`.
fn fresh_name(path: &Path) -> PathBuf {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".");
    fresh.push(FRESH);
    PathBuf::from(fresh)
}

/// Returns the folder that a path is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

/// Sets the owner, group and mode of a complete file.
fn give(file: &File, (path, folder): (&Path, &Path), access: Access) -> io::Result<()> {
    let before = match fs::symlink_metadata(path) {
        Ok(before) => Some(before).filter(Metadata::is_file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mode = match (access, before) {
        (Access::Private, _) => return Ok(()),
        (_, Some(before)) => {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
                fchown(file, Some(before.uid()), Some(before.gid()))?;
            }
            before.mode() & 0o777
        }
        (Access::Public, None) => 0o644,
        (Access::Group, None) => {
            let group = fs::metadata(folder)?.gid();
            if file.metadata()?.gid() != group {
                // Without the right to change the group, the file keeps its own.
                let _ = fchown(file, None, Some(group));
            }
            0o640
        }
    };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let name = format!("tmr-create-{name}-{}", std::process::id());
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

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn only_plain_files_are_opened_to_be_written() {
        let place = Place::new("open");
        let (link, target) = (place.0.join("link"), place.0.join("target"));
        let options = File::options().append(true).clone();
        symlink(&target, &link).unwrap();
        for opened in [open(&link, &options), open_or_create(&link, 0o600, &options)] {
            assert!(opened.unwrap_err().to_string().contains("it is a link"));
        }
        assert_eq!(create(&link, 0o600, &options).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(!target.exists());
        assert!(open(Path::new("/dev/null"), &options).is_err());
        for text in ["one ", "two"] {
            open_or_create(&target, 0o640, &options).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "one two");
        assert_eq!(mode(&target) & 0o137, 0);
    }

    #[test]
    fn what_takes_a_place_is_made_anew_and_keeps_the_mode() {
        let place = Place::new("replace");
        let (file, fresh) = (place.0.join("file"), place.0.join("file.new"));
        let precious = place.0.join("precious");
        fs::write(&precious, "precious").unwrap();
        for (access, first) in [(Access::Group, 0o640), (Access::Public, 0o644)] {
            symlink(&precious, &fresh).unwrap();
            replace(&file, b"one", access).unwrap();
            assert_eq!((mode(&file), fs::read(&file).unwrap()), (first, b"one".to_vec()));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
            replace(&file, b"two", access).unwrap();
            assert_eq!(mode(&file), 0o604);
            replace(&file, b"two", Access::Private).unwrap();
            assert_eq!(mode(&file), 0o600);
            fs::remove_file(&file).unwrap();
        }
        // A link is replaced, whatever it leads to.
        symlink(&precious, &file).unwrap();
        replace(&file, b"three", Access::Public).unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o644, b"three".to_vec()));
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn a_file_is_created_whole_and_never_over_another() {
        let place = Place::new("whole");
        let (file, fresh) = (place.0.join("file"), place.0.join("file.new"));
        fs::write(&fresh, "left by a process that was killed").unwrap();
        create_whole(&file, 0o600, b"one").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"one".to_vec()));
        assert!(!fresh.exists());
        let again = create_whole(&file, 0o600, b"two").unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&file).unwrap(), b"one");
        let link = place.0.join("link");
        symlink(place.0.join("nowhere"), &link).unwrap();
        assert_eq!(create_whole(&link, 0o600, b"x").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(create_whole(&place.0.join("no/such"), 0o600, b"x").is_err());
    }

    #[test]
    fn what_cannot_take_a_place_leaves_nothing() {
        let place = Place::new("fails");
        let file = place.0.join("file");
        fs::create_dir(&file).unwrap();
        assert!(replace(&file, b"x", Access::Public).is_err());
        assert!(file.is_dir() && !place.0.join("file.new").exists());
    }
}

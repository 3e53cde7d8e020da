//! Paths at which no file can be kept: those under `/proc`, `/sys` and `/dev` are not on a disk,
//! even if root may create some there.

use crate::exit::Outcome;
use crate::host::files;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Folders of the system, and the only one of them in which programs may keep files.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];
const MEMORY: &str = "/dev/shm";

/// Rejects a path at which no file could be kept.
///
/// # Errors
/// It is in a folder of the system.
pub(super) fn could_keep(path: &Path) -> io::Result<()> {
    let place = place(path);
    let system = SYSTEM.into_iter().find(|system| place.starts_with(system));
    match system.filter(|_| !place.starts_with(MEMORY)) {
        None => Ok(()),
        Some(system) => {
            let text = format!(
                "{system} is the system's own, and nothing is kept there; right would be a disk"
            );
            Err(io::Error::other(text))
        }
    }
}

/// Rejects such a path in a key of the configuration at `file`.
///
/// # Errors
/// As of [`could_keep`].
pub(super) fn check(file: &Path, key: &str, path: &Path) -> Outcome {
    could_keep(path)
        .map_err(|error| files::wrong(file, format!("{key}: {}: {error}", files::shown(path))))
}

/// Resolves a path: without links as far as it exists, and without dots in the rest.
fn place(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = whole.ancestors().find_map(|it| Some((it, it.canonicalize().ok()?)));
    let Some((ancestor, mut place)) = there else { return whole };
    for part in whole.strip_prefix(ancestor).unwrap_or_else(|_| Path::new("")).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::ParentDir => _ = place.pop(),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_the_system_s_is_found_by_whatever_path() {
        let folder = std::env::temp_dir().join(format!("tmr-storage-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/proc", folder.join("link")).unwrap();
        let up = "../".repeat(40);
        for path in [
            "/proc".into(),
            "/proc/no/such".into(),
            "/sys/tmrd.log".into(),
            "/dev/history".into(),
            "/dev/null".into(),
            "/var/../dev/x".into(),
            format!("{up}proc/x"),
            "/nowhere/at/../../all/../proc/x".into(),
            folder.join("link/x").to_string_lossy().into_owned(),
        ] {
            let error = could_keep(Path::new(&path)).unwrap_err().to_string();
            assert!(error.contains("right would be a disk"), "{path}: {error}");
        }
        for path in ["/dev/shm/x", "/device/x", "/var/log/tmrd.log", "proc/x", "/", ""] {
            could_keep(Path::new(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

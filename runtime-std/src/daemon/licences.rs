//! The licence files of a backend: read at its start, and again when one of them changes or the
//! process gets SIGHUP.
//!
//! A file may be written in place or put there by a rename. What fails its check changes nothing:
//! what was read from that file before stays in force, the log says once what is wrong, and the
//! file is tried again when it changes again.

use super::exit::Failure;
use super::files;
use super::plan::{Source, Tell};
use super::{log, notify, signals};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tmr_core::io::Input;
use tmr_core::licence::{Container, IssuerKey};

/// Time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// The licence files of a backend, and what they hold.
#[derive(Debug)]
pub struct Licences {
    issuers: Vec<IssuerKey>,
    files: Vec<Watched>,
    /// What is in force.
    held: Vec<Container>,
    /// A byte comes here with every SIGHUP.
    hang_up: UnixStream,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    seen: Option<Stamp>,
    /// It changed at the last look. A write right after that may have left the same stamp, so it
    /// is read once more.
    fresh: bool,
    /// What it held when it last was a licence file.
    good: Container,
}

/// By what a change of a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    file: (u64, u64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok()?;
        let modified = (data.mtime(), data.mtime_nsec());
        Some(Self { modified, size: data.size(), file: (data.dev(), data.ino()) })
    }
}

impl Licences {
    /// Reads them all. From here on SIGHUP does not end this process.
    ///
    /// # Errors
    /// One is not right, or two do not go together; the system refuses a handler.
    pub fn open(paths: &[PathBuf], issuers: Vec<IssuerKey>) -> Result<Self, Failure> {
        let mut watched = Vec::with_capacity(paths.len());
        for path in paths {
            let seen = Stamp::of(path);
            let good = files::container(path, &issuers)?;
            watched.push(Watched { path: path.clone(), seen, fresh: true, good });
        }
        let hang_up = signals::hang_up()?;
        hang_up
            .set_read_timeout(Some(LOOK))
            .map_err(|error| Failure::failed(format!("cannot watch for SIGHUP: {error}")))?;
        let held = together(&watched)?;
        Ok(Self { issuers, files: watched, held, hang_up })
    }

    /// What is in force.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.held.clone()
    }

    /// Tells a backend when something else comes into force.
    #[must_use]
    pub fn source(mut self) -> Source {
        Box::new(move |tell: Tell| {
            loop {
                // The handler holds the other end for as long as the process lives, so no byte
                // means that the time is up.
                let told = self.hang_up.read(&mut [0; 64]).is_ok();
                if told {
                    notify::reloading();
                    log::reopen();
                }
                if let Some(containers) = self.look(told) {
                    tell(Input::Containers(containers));
                } else if told {
                    tracing::info!("SIGHUP: the licence files hold what is in force already");
                }
                if told {
                    notify::ready("the licence files were read again");
                }
            }
        })
    }

    /// Looks at the files, at `all` or at those that changed. `Some`: other containers are in
    /// force now.
    fn look(&mut self, all: bool) -> Option<Vec<Container>> {
        let mut read = false;
        for file in &mut self.files {
            let stamp = Stamp::of(&file.path);
            let changed = stamp != file.seen;
            if !(changed || file.fresh || all) {
                continue;
            }
            (file.seen, file.fresh) = (stamp, changed);
            match files::container(&file.path, &self.issuers) {
                Ok(container) => {
                    read |= changed || container != file.good;
                    file.good = container;
                }
                Err(failure) if changed || all => {
                    tracing::warn!("{failure}; what was read from this file before stays in force");
                }
                Err(_) => {}
            }
        }
        if !read && !all {
            return None;
        }
        let containers = match together(&self.files) {
            Ok(containers) => containers,
            Err(failure) => {
                tracing::warn!("{failure}; all licences stay as they were");
                return None;
            }
        };
        for (file, _) in
            self.files.iter().zip(&self.held).filter(|(file, before)| file.good != **before)
        {
            let (path, container) = (file.path.display(), file.good.part.name());
            tracing::info!("{path}: this licence file is in force now, container {container}");
        }
        if containers == self.held {
            return None;
        }
        self.held.clone_from(&containers);
        Some(containers)
    }
}

/// The containers of some files. Each is of a set of its own, because a backend is one third of
/// each; those without a CmActId are told apart by their serials.
fn together(files: &[Watched]) -> Result<Vec<Container>, Failure> {
    for (at, file) in files.iter().enumerate() {
        let part = &file.good.part;
        for other in &files[..at] {
            let (set, place) = (part.cm_act_id, other.path.display());
            if set != 0 && other.good.part.cm_act_id == set {
                let what =
                    format!("of the same set (CmActId {set}) as {place}; right would be one");
                return Err(files::wrong(&file.path, what));
            }
            if other.good.part.serial == part.serial {
                let name = part.name();
                let what = format!("the same container ({name}) as in {place}; right would be one");
                return Err(files::wrong(&file.path, what));
            }
        }
    }
    Ok(files.iter().map(|file| file.good.clone()).collect())
}

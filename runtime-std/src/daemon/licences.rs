//! The licence files of a backend: read at its start, and again when one of them changes or the
//! process gets SIGHUP.
//!
//! A file may be written in place or put there by a rename. What fails its check changes nothing:
//! what was read from that file before stays in force, the log says once what is wrong, and the
//! file is tried again when it changes again.
//!
//! A folder stands for every `*.cmlic` in it: one that comes is taken, and what was in one that goes
//! stays in force until the next start, or until another file there holds the same container.

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
use tmr_core::limits::LICENCE_FILES_MAX;

/// Time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);
/// What a licence file's name ends with, in a folder.
const SUFFIX: &str = "cmlic";

/// The licence files of a backend, and what they hold.
#[derive(Debug)]
pub struct Licences {
    issuers: Vec<IssuerKey>,
    /// Files and folders, as they were named.
    named: Vec<PathBuf>,
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
    /// What it held when it last was a licence file; `None`: it never was.
    good: Option<Container>,
}

impl Watched {
    /// One that has not been read.
    fn new(path: PathBuf) -> Self {
        Self { path, seen: None, fresh: true, good: None }
    }
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
        let mut watched = Vec::new();
        for path in listed(paths) {
            let seen = Stamp::of(&path);
            let good = Some(files::container(&path, &issuers)?);
            watched.push(Watched { seen, good, ..Watched::new(path) });
        }
        if watched.is_empty() {
            tracing::warn!(
                "there is no licence file: this backend has nothing to serve until one comes"
            );
        }
        let hang_up = signals::hang_up()?;
        hang_up
            .set_read_timeout(Some(LOOK))
            .map_err(|error| Failure::failed(format!("cannot watch for SIGHUP: {error}")))?;
        let held = together(&watched)?;
        Ok(Self { issuers, named: paths.to_vec(), files: watched, held, hang_up })
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
        for path in listed(&self.named) {
            if !self.files.iter().any(|file| file.path == path) {
                self.files.push(Watched::new(path));
            }
        }
        for file in &mut self.files {
            let stamp = Stamp::of(&file.path);
            let changed = stamp != file.seen;
            if !(changed || file.fresh || all) {
                continue;
            }
            (file.seen, file.fresh) = (stamp, changed);
            match files::container(&file.path, &self.issuers) {
                Ok(container) => {
                    read |= changed || file.good.as_ref() != Some(&container);
                    file.good = Some(container);
                }
                Err(failure) if changed || all => match file.good {
                    Some(_) => tracing::warn!(
                        "{failure}; what was read from this file before stays in force"
                    ),
                    None => tracing::warn!("{failure}; this file is left out"),
                },
                Err(_) => {}
            }
        }
        if !read && !all {
            return None;
        }
        self.forget_moved();
        let containers = match together(&self.files) {
            Ok(containers) => containers,
            Err(failure) => {
                tracing::warn!("{failure}; all licences stay as they were");
                return None;
            }
        };
        for file in &self.files {
            let Some(good) = file.good.as_ref().filter(|good| !self.held.contains(good)) else {
                continue;
            };
            let (path, container) = (file.path.display(), good.part.name());
            tracing::info!("{path}: this licence file is in force now, container {container}");
        }
        if containers == self.held {
            return None;
        }
        self.held.clone_from(&containers);
        Some(containers)
    }
}

impl Licences {
    /// Files that are gone, and what was in them is in another one now: they were renamed.
    fn forget_moved(&mut self) {
        let (there, gone): (Vec<_>, Vec<_>) =
            self.files.drain(..).partition(|file| file.path.exists());
        self.files = there;
        for file in gone {
            let serial = |file: &Watched| file.good.as_ref().map(|good| good.part.serial);
            let moved = self.files.iter().any(|other| serial(other) == serial(&file));
            if file.good.is_some() && !moved {
                self.files.push(file);
            }
        }
    }
}

/// The licence files that some paths stand for: a folder for those in it, by name.
fn listed(named: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in named {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<PathBuf> =
            paths.filter(|path| path.extension().is_some_and(|it| it == SUFFIX)).collect();
        found.sort();
        all.extend(found);
    }
    all.truncate(LICENCE_FILES_MAX);
    all
}

/// The containers of some files. Each is of a set of its own, because a backend is one third of
/// each; those without a CmActId are told apart by their serials.
fn together(files: &[Watched]) -> Result<Vec<Container>, Failure> {
    let mut held: Vec<(&Path, &Container)> = Vec::new();
    for file in files {
        let Some(good) = &file.good else { continue };
        let part = &good.part;
        for (other, before) in &held {
            let (set, place) = (part.cm_act_id, other.display());
            if set != 0 && before.part.cm_act_id == set {
                let what =
                    format!("of the same set (CmActId {set}) as {place}; right would be one");
                return Err(files::wrong(&file.path, what));
            }
            if before.part.serial == part.serial {
                let name = part.name();
                let what = format!("the same container ({name}) as in {place}; right would be one");
                return Err(files::wrong(&file.path, what));
            }
        }
        held.push((&file.path, good));
    }
    Ok(held.into_iter().map(|(_, good)| good.clone()).collect())
}

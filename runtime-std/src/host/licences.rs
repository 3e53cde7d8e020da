//! The licence files of a backend: read at its start, and again when one of them changes or the
//! process gets SIGHUP.
//!
//! A file may be written in place or put there by a rename. What fails its check changes nothing:
//! what was read from that file before stays in force, the log says once what is wrong, the status
//! names the file, and it is tried again when it changes again. That holds at the start too: what a
//! backend cannot use, it serves without.
//!
//! A folder stands for every `*.cmlic` in it: one that comes is taken, and what was in one that goes
//! stays in force until the next start, or until another file there holds the same container.

use crate::exit::{Failure, words};
use crate::host::node_setup::{EventSink, Worker};
use crate::host::stamp::Stamp;
use crate::host::{files, log, names, signals, systemd};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tmr_core::base::credentials::AdminAccess;
use tmr_core::base::limits::{FILE_TROUBLES_SHOWN, LICENCE_FILES_LOOKED_AT, LICENCE_FILES_MAX};
use tmr_core::base::server_files::FileTrouble;
use tmr_core::io::{BackendEvent, HostEvent};
use tmr_core::licence::{Container, IssuerKey};

/// Time between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);
/// What a licence file's name ends with, in a folder.
const SUFFIX: &str = "cmlic";
/// What mends a licence file.
const TODO: &str = "put the licence file there again, or remove what is none; it is taken without a \
                    restart";
/// What mends a key that the next start needs.
const NEEDED: &str = "put the key there again, then systemctl reload tmrd-backend (SIGHUP): the next \
                      start would fail";

/// The licence files of a backend, and what they hold.
#[derive(Debug)]
pub struct Licences {
    issuers: Vec<IssuerKey>,
    /// Files and folders, as they were named.
    named: Vec<PathBuf>,
    files: Vec<Watched>,
    /// Folders that cannot be looked into, or hold too much.
    folders: Vec<Failure>,
    /// Keys that the next start would not find as this one did.
    keys: Vec<Failure>,
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
    /// That is served.
    in_force: bool,
    /// Why it is no licence file now.
    wrong: Option<Failure>,
    /// Why it cannot be served beside the others.
    clash: Option<Failure>,
}

impl Watched {
    /// One that has not been read.
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            seen: None,
            fresh: true,
            good: None,
            in_force: false,
            wrong: None,
            clash: None,
        }
    }
}

/// What a look at the files has shown.
#[derive(Debug, Default)]
struct Look {
    /// One was read that may hold something else now.
    read: bool,
    /// For the log.
    lines: Vec<String>,
}

impl Licences {
    /// Reads them all. From here on SIGHUP does not end this process. `first`: this backend has never
    /// run with its state folder.
    ///
    /// # Errors
    /// It is the first start, only files are named, and none of them holds a licence; the system refuses
    /// a handler.
    pub fn open(paths: &[PathBuf], issuers: Vec<IssuerKey>, first: bool) -> Result<Self, Failure> {
        let hang_up = signals::hang_up()?;
        hang_up
            .set_read_timeout(Some(LOOK))
            .map_err(|error| Failure::failed(format!("cannot watch for SIGHUP: {error}")))?;
        let mut licences = Self {
            issuers,
            named: paths.to_vec(),
            files: Vec::new(),
            folders: Vec::new(),
            keys: Vec::new(),
            held: Vec::new(),
            hang_up,
        };
        let mut look = Look::default();
        licences.list(&mut look);
        licences.read(false, &mut look);
        licences.held = licences.choose(&mut look);
        // Whoever names files and none that is a licence has made a mistake in the command line; what
        // lies in a folder may be anybody's. A backend that has run before is a member of its group all
        // the same: the others need its disk.
        let wrong = licences.files.iter().find_map(|file| file.wrong.clone());
        if let Some(failure) = wrong.filter(|_| {
            first && licences.held.is_empty() && paths.iter().all(|path| names_a_file(path))
        }) {
            return Err(failure);
        }
        look.log();
        if licences.held.is_empty() {
            tracing::warn!(
                target: "tmr_runtime_std::daemon::licences",
                "there is no licence file: this backend has nothing to serve until one comes"
            );
        }
        Ok(licences)
    }

    /// What is in force.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.held.clone()
    }

    /// Tells a backend when something else comes into force, or is in trouble. `keys`: whether the
    /// files that only the start reads are as it needs them; `state`: its state folder, whose disk is
    /// looked at, too.
    #[must_use]
    pub fn source(
        mut self,
        state: PathBuf,
        keys: impl Fn() -> Vec<Failure> + Send + 'static,
    ) -> Worker {
        Box::new(move |tell: EventSink| {
            let mut told = None;
            loop {
                let seen = (self.troubles(), files::room(&state));
                if told.as_ref() != Some(&seen) {
                    told = Some(seen.clone());
                    let ((files, room), names) = (seen, names::own());
                    let entrance = AdminAccess { files, room, names, ..AdminAccess::default() };
                    tell(HostEvent::AdminAccess(Box::new(entrance)));
                }
                // The handler holds the other end for as long as the process lives, so no byte
                // means that the time is up.
                let hung_up = self.hang_up.read(&mut [0; 64]).is_ok();
                if hung_up {
                    systemd::reloading();
                    log::reopen();
                    self.keys = keys();
                    for failure in &self.keys {
                        tracing::error!(
                            target: "tmr_runtime_std::daemon::licences",
                            "SIGHUP: {failure}; what the start has read holds on, and the next start \
                             would fail"
                        );
                    }
                }
                if let Some(containers) = self.look(hung_up) {
                    tell(BackendEvent::LicencesRead(containers).into());
                } else if hung_up {
                    tracing::info!(
                        target: "tmr_runtime_std::daemon::licences",
                        "SIGHUP: the licence files hold what is in force already"
                    );
                }
                if hung_up {
                    systemd::ready("the licence files were read again");
                }
            }
        })
    }

    /// Files that cannot be used, and what mends them.
    fn troubles(&self) -> Vec<FileTrouble> {
        let of = |todo| move |failure: &Failure| files::trouble(failure, todo);
        let wrong =
            self.files.iter().filter_map(|file| file.wrong.as_ref().or(file.clash.as_ref()));
        let licences = self.folders.iter().chain(wrong).map(of(TODO));
        self.keys.iter().map(of(NEEDED)).chain(licences).chain(log::trouble()).collect()
    }

    /// Looks at the files, at `all` or at those that changed. `Some`: other containers are in
    /// force now.
    fn look(&mut self, all: bool) -> Option<Vec<Container>> {
        let mut look = Look::default();
        self.list(&mut look);
        self.read(all, &mut look);
        let containers = if look.read || all { self.choose(&mut look) } else { self.held.clone() };
        look.log();
        for file in self.files.iter().filter(|file| file.in_force) {
            let Some(good) = file.good.as_ref().filter(|good| !self.held.contains(good)) else {
                continue;
            };
            let (path, container) = (files::shown(&file.path), good.part.name());
            tracing::info!(
                target: "tmr_runtime_std::daemon::licences",
                "{path}: this licence file is in force now, container {container}"
            );
        }
        if containers == self.held {
            return None;
        }
        self.held.clone_from(&containers);
        Some(containers)
    }

    /// Takes up files that have come, and forgets those that have gone and were never licences.
    fn list(&mut self, look: &mut Look) {
        let (listed, folders) = listed(&self.named);
        let known: BTreeSet<&Path> = self.files.iter().map(|file| &*file.path).collect();
        let new: Vec<Watched> = listed
            .iter()
            .filter(|path| !known.contains(&***path))
            .map(|path| Watched::new(path.clone()))
            .collect();
        let listed: BTreeSet<PathBuf> = listed.into_iter().collect();
        self.files.retain(|file| file.good.is_some() || listed.contains(&file.path));
        self.files.extend(new);
        let fresh = folders.iter().filter(|failure| !self.folders.contains(failure));
        look.lines.extend(fresh.map(ToString::to_string));
        self.folders = folders;
    }

    /// Reads `all` files, or those that changed.
    fn read(&mut self, all: bool, look: &mut Look) {
        for file in &mut self.files {
            let stamp = Stamp::of(&file.path);
            let changed = stamp != file.seen;
            if !(changed || file.fresh || all) {
                continue;
            }
            file.seen = stamp;
            file.fresh = changed;
            match files::container(&file.path, &self.issuers) {
                Ok(container) => {
                    look.read |= changed || file.good.as_ref() != Some(&container);
                    file.good = Some(container);
                    file.wrong = None;
                }
                Err(failure) => {
                    if all || file.wrong.as_ref() != Some(&failure) {
                        let rest = match file.good {
                            Some(_) => "what was read from this file before stays in force",
                            None => "this file is left out",
                        };
                        look.lines.push(format!("{failure}; {rest}"));
                    }
                    // One with the same container may stand in for it.
                    look.read |= file.good.is_some();
                    file.wrong = Some(failure);
                }
            }
        }
    }

    /// Decides which files are served: those that are in force already go before others that hold the
    /// same, so that a copy that comes changes nothing.
    fn choose(&mut self, look: &mut Look) -> Vec<Container> {
        self.forget_moved();
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|index| Reverse(self.files[*index].in_force));
        let mut chosen: Vec<usize> = Vec::new();
        for index in order {
            let Some(good) = &self.files[index].good else { continue };
            let path = &self.files[index].path;
            let others = chosen.iter().map(|other| &self.files[*other]);
            let full = || {
                let what = format!("more than {LICENCE_FILES_MAX} licences; the last are left out");
                (chosen.len() >= LICENCE_FILES_MAX).then(|| files::wrong(path, what))
            };
            let clash = others.filter_map(|other| clash((path, good), other)).next().or_else(full);
            if clash.is_none() {
                chosen.push(index);
            }
            let file = &mut self.files[index];
            file.in_force = clash.is_none();
            if let Some(failure) = clash.iter().find(|_| clash != file.clash) {
                look.lines.push(format!("{failure}; this file is left out"));
            }
            file.clash = clash;
        }
        let served = self.files.iter().filter(|file| file.in_force);
        served.filter_map(|file| file.good.clone()).collect()
    }

    /// Files that are gone, and what was in them is in another one now: they were renamed.
    fn forget_moved(&mut self) {
        let (there, gone): (Vec<_>, Vec<_>) =
            self.files.drain(..).partition(|file| file.path.exists() || file.good.is_none());
        self.files = there;
        for file in gone {
            let serial = |file: &Watched| file.good.as_ref().map(|good| good.part.serial);
            let moved = self.files.iter().any(|other| serial(other) == serial(&file));
            if !moved {
                self.files.push(file);
            }
        }
    }
}

impl Look {
    fn log(&self) {
        for line in self.lines.iter().take(FILE_TROUBLES_SHOWN) {
            tracing::warn!(target: "tmr_runtime_std::daemon::licences", "{line}");
        }
        if let Some(more @ 1..) = self.lines.len().checked_sub(FILE_TROUBLES_SHOWN) {
            tracing::warn!(
                target: "tmr_runtime_std::daemon::licences",
                "and {more} more of such files"
            );
        }
    }
}

/// A path on the command line that means a file: all but folders, and what may become one.
fn names_a_file(path: &Path) -> bool {
    !path.is_dir() && (like_a_file(path) || path.exists())
}

/// A path that has the name of a licence file.
fn like_a_file(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == SUFFIX)
}

/// The licence files that some paths stand for.
pub(super) fn files_of(named: &[PathBuf]) -> Vec<PathBuf> {
    listed(named).0
}

/// The licence files that some paths stand for, a folder for those in it, by name; and what is wrong
/// with a folder.
fn listed(named: &[PathBuf]) -> (Vec<PathBuf>, Vec<Failure>) {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for path in named {
        if names_a_file(path) {
            all.push(path.clone());
            continue;
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                wrong.push(files::wrong(path, words(&error)));
                continue;
            }
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut found: Vec<PathBuf> = paths.filter(|path| like_a_file(path)).collect();
        // Hidden ones are rarely meant: they must not keep others out.
        let hidden =
            |path: &PathBuf| path.file_name().is_some_and(|it| it.as_encoded_bytes()[0] == b'.');
        found.sort_by_cached_key(|path| (hidden(path), path.clone()));
        if found.is_empty() && like_a_file(path) {
            let what = "it is a folder without licence files; right would be a licence file";
            wrong.push(files::wrong(path, what));
        }
        if all.len() + found.len() > LICENCE_FILES_LOOKED_AT {
            let what =
                format!("more than {LICENCE_FILES_LOOKED_AT} files; the last are not looked at");
            wrong.push(files::wrong(path, what));
        }
        all.extend(found);
    }
    all.truncate(LICENCE_FILES_LOOKED_AT);
    (all, wrong)
}

/// Why a container cannot be served beside that of another file. Each is of a set of its own, because
/// a backend is one third of each; those without a CmActId are told apart by their serials.
fn clash((path, good): (&Path, &Container), other: &Watched) -> Option<Failure> {
    let (part, before) = (&good.part, &other.good.as_ref()?.part);
    let (set, place) = (part.cm_act_id, files::shown(&other.path));
    if set != 0 && before.cm_act_id == set {
        let what = format!("of the same set (CmActId {set}) as {place}; right would be one");
        return Some(files::wrong(path, what));
    }
    if before.serial == part.serial {
        let name = part.name();
        let what = format!("the same container ({name}) as in {place}; right would be one");
        return Some(files::wrong(path, what));
    }
    None
}

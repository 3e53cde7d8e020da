//! The licence files of a backend: they are read at its start, and again when one of them changes
//! or the process gets SIGHUP.
//!
//! A file may be written in place or renamed to its place. A file that fails its check changes
//! nothing: what was read from it before stays in force, the error is logged once, the status names
//! the file, and it is read again when it changes again. The same holds at the start: a backend
//! serves without what it cannot use.
//!
//! A folder means every `*.cmlic` in it. New files are taken. What was in a removed file stays in
//! force until the next start, or until another file there holds the same container.

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

/// The pause between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);
/// The extension of licence files in a folder.
const SUFFIX: &str = "cmlic";
/// How an operator mends a licence file.
const TODO: &str = "put the licence file there again, or remove what is none; it is taken without a \
                    restart";
/// How an operator mends a key that the next start needs.
const NEEDED: &str = "put the key there again, then systemctl reload tmrd-backend (SIGHUP): the next \
                      start would fail";

/// How an operator mends the identity of the container.
const CONTAINER: &str = "move the file away, put its copy there (tmrd container import), and start the \
                         backend again; without a copy, its part has to be issued for a new container";

/// The licence files of a backend, and their containers.
#[derive(Debug)]
pub struct Licences {
    issuers: Vec<IssuerKey>,
    /// The files and folders of the command line.
    named: Vec<PathBuf>,
    files: Vec<Watched>,
    /// The folders that cannot be read, or hold too many files.
    folders: Vec<Failure>,
    /// The keys that the next start would not find as this one did.
    keys: Vec<Failure>,
    /// Why the identity of the container cannot be used, since the start.
    container: Option<Failure>,
    /// The containers in force.
    held: Vec<Container>,
    /// Receives a byte with every SIGHUP.
    hang_up: UnixStream,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    seen: Option<Stamp>,
    /// Whether it changed at the last look. A write right after that may have left the same stamp,
    /// so it is read once more.
    fresh: bool,
    /// Its content when it was last a valid licence file; `None`: it never was.
    good: Option<Container>,
    /// Whether that content is served.
    in_force: bool,
    /// Why it is not a valid licence file now.
    wrong: Option<Failure>,
    /// Why it cannot be served beside the others.
    clash: Option<Failure>,
}

impl Watched {
    /// Makes the record of a file that was not read yet.
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

/// The result of a look at the files.
#[derive(Debug, Default)]
struct Look {
    /// Whether a file was read that may hold something else now.
    read: bool,
    /// Lines for the log.
    lines: Vec<String>,
}

impl Licences {
    /// Reads all files. From here on SIGHUP does not end this process. `first`: this backend has
    /// never run with its state folder.
    ///
    /// # Errors
    /// This is the first start, only files are named, and none of them holds a licence; or the
    /// system refuses a signal handler.
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
            container: None,
            held: Vec::new(),
            hang_up,
        };
        let mut look = Look::default();
        licences.list(&mut look);
        licences.read(false, &mut look);
        licences.held = licences.choose(&mut look);
        // If only files are named and none is a licence, the command line is wrong; the content of
        // a folder proves nothing. A backend that has run before is a member of its group all the
        // same: the others need its disk.
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

    /// Reports that the backend has to do without the identity of its container.
    #[must_use]
    pub fn without_container(mut self, failure: &Failure) -> Self {
        tracing::error!(
            target: "tmr_runtime_std::daemon::container",
            "{failure}; this backend goes on without: nothing can be requested for its container"
        );
        self.container = Some(failure.clone());
        self
    }

    /// Returns the containers in force.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.held.clone()
    }

    /// Returns the worker that reports changes of the containers and troubles of files to the
    /// backend. `keys` checks the files that only a start reads; `state`: the state folder, whose
    /// free space is reported too.
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
                // The handler holds the other end for as long as the process lives, so if no byte
                // came the time-out is over.
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

    /// Returns the files that cannot be used, and how to mend them.
    fn troubles(&self) -> Vec<FileTrouble> {
        let of = |todo| move |failure: &Failure| files::trouble(failure, todo);
        let wrong =
            self.files.iter().filter_map(|file| file.wrong.as_ref().or(file.clash.as_ref()));
        let licences = self.folders.iter().chain(wrong).map(of(TODO));
        let needed =
            self.container.iter().map(of(CONTAINER)).chain(self.keys.iter().map(of(NEEDED)));
        needed.chain(licences).chain(log::trouble()).collect()
    }

    /// Looks at `all` files or at those that changed. Returns the containers in force if they are
    /// others now.
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

    /// Adds new files, and removes those that are gone and were never licences.
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
                    // Another file with the same container may replace it.
                    look.read |= file.good.is_some();
                    file.wrong = Some(failure);
                }
            }
        }
    }

    /// Decides which files are served. Files in force have precedence over others with the same
    /// container, so that a new copy changes nothing.
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

    /// Removes files that are gone and whose container another file holds now: they were renamed.
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

/// Returns whether a path of the command line means a file: it is no folder, and if it does not exist,
/// it has the name of a licence file.
fn names_a_file(path: &Path) -> bool {
    !path.is_dir() && (like_a_file(path) || path.exists())
}

/// Returns whether a path has the name of a licence file.
fn like_a_file(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == SUFFIX)
}

/// Returns the licence files that these paths mean.
pub(super) fn files_of(named: &[PathBuf]) -> Vec<PathBuf> {
    listed(named).0
}

/// Returns the licence files that these paths mean, those of a folder by name; and the errors of
/// folders.
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
        // Hidden files are rarely meant, and must not displace others.
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

/// Returns why a container cannot be served beside that of another file. Each must be of another
/// set, because a backend is one third of each; those without a CmActId are told apart by their
/// serials.
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

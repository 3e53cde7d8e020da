//! The configuration of a front: its file, and how a new one comes into force while the front runs.
//!
//! It is read again on SIGHUP, and written when the node requests it. Everything that can be wrong
//! is checked before anything changes: the text, the group key, the log, the passwords and the
//! certificate, the ports, the folder of the usage history. So an invalid one changes nothing, and
//! the error is logged or reported to the node.

use crate::exit::{Failure, Outcome, halt, words};
use crate::host::admin_files::AdminFilePaths;
use crate::host::history::{self, HistoryQueue};
use crate::host::log_file::Reserved;
use crate::host::node_setup::EventSink;
use crate::host::vip::Addresses;
use crate::host::{files, log, signals, storage, systemd};
use crate::reactor::listen::{self, ListenAt};
use crate::reactor::listeners::Listeners;
use crate::sync::lock;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;
use tmr_core::base::limits::CONFIG_MAX;
use tmr_core::config::{Config, InForce, Log, Tracking};
use tmr_core::io::{ConfigNotStored, FrontEvent};
use tmr_core::link::Listener;
use tmr_core::link::channel::GroupKey;

/// The default folder of the usage history, in the state folder.
const HISTORY: &str = "history";

/// The configuration of a front, with what is needed to change it.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    /// The state folder.
    state: PathBuf,
    /// The configuration in force, and its text.
    config: Config,
    text: String,
    /// What a running process cannot change, as it was at the start.
    group: GroupKey,
    unfenced: bool,
    /// The address at which clients reach this machine if there is no virtual address.
    address: IpAddr,
    addresses: Addresses,
    admin_paths: Arc<Mutex<AdminFilePaths>>,
    /// Receives a byte with every SIGHUP.
    hang_up: UnixStream,
}

/// What a new configuration changes in the running process.
struct Running<'a> {
    listeners: &'a Listeners,
    /// The queue of the usage history.
    queue: &'a HistoryQueue,
    /// Passes events to the node.
    tell: &'a EventSink,
}

impl Settings {
    /// Takes the configuration file and the state folder, the configuration and its text, the group
    /// key and the address of a starting front. From here on SIGHUP does not end the process.
    ///
    /// # Errors
    /// A system error.
    pub fn new(
        (path, state): (&Path, &Path),
        (text, config): (String, Config),
        group: GroupKey,
        address: IpAddr,
    ) -> Result<Self, Failure> {
        let (path, state, unfenced) = (path.to_owned(), state.to_owned(), config.unfenced);
        let addresses = Addresses::default();
        lock(&addresses).clone_from(&config.virtual_ips);
        let admin_paths = Arc::new(Mutex::new(AdminFilePaths::of(&path, &config)));
        let hang_up = signals::hang_up()?;
        Ok(Self {
            path,
            state,
            config,
            text,
            group,
            unfenced,
            address,
            addresses,
            admin_paths,
            hang_up,
        })
    }

    /// Returns the virtual addresses in force, shared with the watch.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Arc::clone(&self.addresses)
    }

    /// Returns the paths of the password file and the certificate in force, shared with their
    /// worker.
    #[must_use]
    pub fn admin_paths(&self) -> Arc<Mutex<AdminFilePaths>> {
        Arc::clone(&self.admin_paths)
    }

    /// Reports the configuration in force to the node. Then reads the file at every SIGHUP, and
    /// stores the texts that the node sends, until the process ends.
    pub fn serve(
        self,
        texts: &Receiver<String>,
        listeners: &Listeners,
        queue: &HistoryQueue,
        tell: &EventSink,
    ) {
        let running = &Running { listeners, queue, tell };
        self.tell(tell);
        let hang_up = self.hang_up.try_clone();
        let settings = &Mutex::new(self);
        thread::scope(|scope| {
            let watch = |mut hang_up: UnixStream| {
                // The handler holds the other end for as long as the process lives.
                let work = move || {
                    while hang_up.read(&mut [0; 64]).is_ok() {
                        lock(settings).reload(running);
                    }
                };
                thread::Builder::new().name("hang-up".to_owned()).spawn_scoped(scope, work)
            };
            if let Err(error) = hang_up.and_then(watch) {
                halt(&format!("cannot watch for SIGHUP: {}", words(&error)));
            }
            for text in texts {
                let mut settings = lock(settings);
                let stored = settings.store(text, running).map_err(|failure| ConfigNotStored {
                    file: settings.path.display().to_string(),
                    reason: failure.text,
                });
                drop(settings);
                tell(FrontEvent::ConfigStored(stored).into());
            }
        });
    }

    /// Reads the file again, and logs the result.
    fn reload(&mut self, running: &Running<'_>) {
        systemd::reloading();
        let words = match self.read(running) {
            Ok(_) => self.said_in_force(),
            Err(failure) => {
                let words = format!("{failure}; nothing has changed");
                tracing::error!(
                    target: "tmr_runtime_std::daemon::settings",
                    "SIGHUP: {words}"
                );
                words
            }
        };
        systemd::ready(&words);
    }

    /// Writes a text to the file, puts it into force, and logs the result.
    fn store(&mut self, text: String, running: &Running<'_>) -> Result<Vec<String>, Failure> {
        let stored = self.replace(text, running);
        match &stored {
            Ok(_) => tracing::info!(
                target: "tmr_runtime_std::daemon::settings",
                "{} is stored, and in force", self.path.display()
            ),
            Err(failure) => tracing::error!(
                target: "tmr_runtime_std::daemon::settings",
                "{failure}; nothing has changed"
            ),
        }
        stored
    }

    /// Logs that the configuration is in force, with the files that the admin pages do without.
    fn said_in_force(&self) -> String {
        let path = self.path.display();
        let words = match lock(&self.admin_paths).check() {
            Ok(()) => format!("{path} is in force"),
            Err(failure) => {
                let words = format!(
                    "{path} is in force, but not what the admin pages need: {failure}; what was read \
                     of that before holds on, if anything was"
                );
                tracing::error!(target: "tmr_runtime_std::daemon::settings", "SIGHUP: {words}");
                return words;
            }
        };
        tracing::info!(target: "tmr_runtime_std::daemon::settings", "SIGHUP: {words}");
        words
    }

    fn read(&mut self, running: &Running<'_>) -> Result<Vec<String>, Failure> {
        let (text, config) = files::config(&self.path)?;
        self.change((text, config), running, |_| Ok(()))
    }

    /// Refuses to overwrite a file with changes that are not in force.
    fn replace(&mut self, text: String, running: &Running<'_>) -> Result<Vec<String>, Failure> {
        let config = Config::parse(&text).map_err(|error| files::wrong(&self.path, error))?;
        if files::text(&self.path, CONFIG_MAX)? != self.text {
            let what = "the file was changed and is not in force as it is; SIGHUP has it read, and \
                        then it can be changed here";
            return Err(files::wrong(&self.path, what));
        }
        if !config.supersedes(&self.config) {
            let what = format!(
                "a configuration that was changed later is in force (Revision {}, and {} should be \
                 stored); right would be a change of that one",
                self.config.revision, config.revision
            );
            return Err(files::wrong(&self.path, what));
        }
        let path = self.path.clone();
        let write = |text: &str| files::replace(&path, text.as_bytes());
        self.change((text, config), running, write)
    }

    /// Puts a new configuration into force after `write`, the last step that can fail. Returns what
    /// of it needs a restart.
    fn change(
        &mut self,
        (text, new): (String, Config),
        running: &Running<'_>,
        write: impl FnOnce(&str) -> Outcome,
    ) -> Result<Vec<String>, Failure> {
        let group = files::group_key(&files::beside(&self.path, &new.group_key_file))?;
        let logging = self.prepare_log(&new)?;
        let admin_paths = AdminFilePaths::of(&self.path, &new);
        // Paths that are in force already are checked by the worker that reads them.
        if admin_paths != *lock(&self.admin_paths) {
            admin_paths.check()?;
        }
        let before = listen_at(&self.config);
        let moved: Vec<ListenAt> =
            listen_at(&new).into_iter().filter(|spot| !before.contains(spot)).collect();
        let opened = running.listeners.prepare(&moved)?;
        let was = history((&self.path, &self.state), &self.config);
        let kept = history((&self.path, &self.state), &new);
        kept.prepare(&was).map_err(|error| unkept(&self.path, &kept, &error))?;
        write(&text)?;
        for (kind, listener) in &opened {
            if let Ok(at) = listener.local_addr() {
                tracing::info!(
                    target: "tmr_runtime_std::daemon::settings",
                    "the {} port is {at} now", listen::name(*kind)
                );
            }
            if *kind == Listener::Licence {
                self.address = listen::reached_at(listener);
            }
        }
        if let Err(error) = running.listeners.swap(opened) {
            halt(&format!("opening a port: {}", words(&error)));
        }
        if let Some(logging) = logging {
            log::apply(logging);
        }
        if kept != was {
            running.queue.change(kept);
        }
        lock(&self.addresses).clone_from(&new.virtual_ips);
        *lock(&self.admin_paths) = admin_paths;
        self.config = new;
        self.text = text;
        let later = self.later(&group);
        for key in &later {
            let path = self.path.display();
            tracing::warn!(
                target: "tmr_runtime_std::daemon::settings",
                "{path}: {key} comes into force when tmrd is started again"
            );
        }
        self.tell(running.tell);
        Ok(later)
    }

    /// Prepares the log of a new configuration; `None`: the log is kept, because its settings are
    /// the same and the file cannot be opened again.
    fn prepare_log(&self, new: &Config) -> Result<Option<log::Prepared>, Failure> {
        let of = |config: &Config| {
            (logging(&self.path, config), reserved((&self.path, &self.state), config))
        };
        let wanted = of(new);
        match log::prepare(&wanted.0, &wanted.1) {
            Err(failure) if wanted == of(&self.config) => {
                log::complain(&failure, "the log stays as it is");
                Ok(None)
            }
            prepared => prepared.map(Some),
        }
    }

    /// Returns the keys of the configuration that need a restart.
    fn later(&self, group: &GroupKey) -> Vec<String> {
        let rows = [
            ("the key in TmrServer.GroupKeyFile", group.check() != self.group.check()),
            ("CmServer.Unfenced", self.config.unfenced != self.unfenced),
        ];
        rows.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_owned()).collect()
    }

    fn tell(&self, tell: &EventSink) {
        let in_force = InForce {
            config: self.config.clone(),
            text: self.text.clone(),
            path: self.path.display().to_string(),
            address: self.address,
        };
        tell(FrontEvent::Configured(Box::new(in_force)).into());
    }
}

/// Checks what a reload refuses, without changing or creating anything. `before`: the configuration
/// in force in a front that runs here; what is the same there is not checked again, except the
/// group key. Without it no port counts as in use, since such a front may hold it.
///
/// # Errors
/// A reload would refuse it.
pub fn check((path, state): (&Path, &Path), new: &Config, before: Option<&Config>) -> Outcome {
    files::group_key(&files::beside(path, &new.group_key_file))?;
    let log = |config: &Config| (logging(path, config), reserved((path, state), config));
    let wanted = log(new);
    if before.map(log).as_ref() != Some(&wanted) {
        log::check(&wanted.0, &wanted.1)?;
    }
    let admin_paths = AdminFilePaths::of(path, new);
    if before.map(|it| AdminFilePaths::of(path, it)).as_ref() != Some(&admin_paths) {
        admin_paths.check()?;
    }
    let own = before.map(listen_at);
    let is_open = |spot: &ListenAt| own.iter().flatten().any(|it| it == spot);
    listen_at(new).iter().filter(|spot| !is_open(spot)).try_for_each(|spot| {
        // A running front may hold the port: it would release it for a listener at another address.
        let may = own.as_ref().is_none_or(|own| own.iter().any(|it| it.at.port == spot.at.port));
        listen::could_listen(spot, may).map_err(|failure| Failure::usage(failure.text))
    })?;
    let kept = history((path, state), new);
    if before.is_none_or(|it| kept.begins(&history((path, state), it))) && kept.enabled {
        history::could_begin(&kept.folder).map_err(|error| unkept(path, &kept, &error))?;
    }
    Ok(())
}

/// Checks that files could be kept at the paths of a configuration, on any machine.
///
/// # Errors
/// One of the paths is not suitable.
pub fn check_paths(path: &Path, state: &Path, config: &Config) -> Outcome {
    if let Some(file) = &logging(path, config).file {
        storage::check(path, "Log.File", Path::new(file))?;
    }
    let kept = history((path, state), config);
    if kept.enabled { storage::check(path, "LicenseTracking.Path", &kept.folder) } else { Ok(()) }
}

/// Returns the failure of a usage history that cannot be kept as configured.
fn unkept(path: &Path, kept: &history::Settings, error: &std::io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "; right would be a folder of the user that serves",
        _ => "",
    };
    let what = format!("LicenseTracking.Path: {}: {}{advice}", kept.folder.display(), words(error));
    files::wrong(path, what)
}

/// Returns the logging of a front; a relative path begins at the folder of the configuration file.
#[must_use]
pub fn logging(path: &Path, config: &Config) -> Log {
    let beside = |file: &String| files::beside(path, file).to_string_lossy().into_owned();
    Log { file: config.log.file.as_ref().map(beside), ..config.log.clone() }
}

/// Returns the paths that the log of this front must not use.
#[must_use]
pub fn reserved((path, state): (&Path, &Path), config: &Config) -> Reserved {
    let mut files = AdminFilePaths::of(path, config).named();
    files.push(("the configuration", path.to_owned()));
    files.push(("the group key", files::beside(path, &config.group_key_file)));
    Reserved::new(state, files)
}

/// Returns the settings of this front's usage history.
#[must_use]
pub fn history((path, state): (&Path, &Path), config: &Config) -> history::Settings {
    let Tracking { enabled, path: folder, file, files, months } = &config.tracking;
    let (enabled, file, files, months) = (*enabled, *file, *files, *months);
    let beside = |folder: &String| files::beside(path, folder);
    let folder = folder.as_ref().map_or_else(|| state.join(HISTORY), beside);
    history::Settings { enabled, folder, file, files, months }
}

/// Returns where this front listens.
#[must_use]
pub fn listen_at(config: &Config) -> [ListenAt; 3] {
    let spot = |kind, what, at: &_| ListenAt { kind, what, at: Clone::clone(at) };
    [
        spot(Listener::Licence, "TmrServer", &config.listen),
        spot(Listener::Admin, "WebAdmin", &config.admin),
        spot(Listener::Twin, "TmrServer.TwinListen", &config.twin_listen),
    ]
}

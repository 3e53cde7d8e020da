//! The configuration of a front: its file, and how another one comes into force while it runs.
//!
//! It is read again on SIGHUP, and written when the node wants another one stored. Everything that
//! can be wrong with it is looked at before anything changes: the text, the group key, the log, the
//! passwords and the certificate, the ports, the folder of the usage history. So a bad one changes
//! nothing, and the log or the node hears what is wrong with it.

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
use std::io::Read;
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

/// In the state folder: the usage history, unless it has a folder of its own.
const HISTORY: &str = "history";

/// The configuration of a front.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    /// The state folder.
    state: PathBuf,
    /// What is in force, and its text.
    config: Config,
    text: String,
    /// What this process began with, of what no process can change.
    group: GroupKey,
    unfenced: bool,
    /// Where clients reach this machine, where there is no virtual address.
    address: IpAddr,
    addresses: Addresses,
    admin_paths: Arc<Mutex<AdminFilePaths>>,
    /// A byte comes here with every SIGHUP.
    hang_up: UnixStream,
}

/// What another configuration changes while it runs.
struct Running<'a> {
    listeners: &'a Listeners,
    /// What the usage history is written from.
    queue: &'a HistoryQueue,
    /// Tells the node.
    tell: &'a EventSink,
}

impl Settings {
    /// Of a front that begins with this file, this state folder, this configuration, this key and
    /// this address. From here on SIGHUP does not end the process.
    ///
    /// # Errors
    /// The system's.
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

    /// The virtual addresses, as they are in force.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Arc::clone(&self.addresses)
    }

    /// The files that say who comes in at the admin pages, as they are in force.
    #[must_use]
    pub fn admin_paths(&self) -> Arc<Mutex<AdminFilePaths>> {
        Arc::clone(&self.admin_paths)
    }

    /// Tells the node what is in force; then reads the file at every SIGHUP, and stores what the node
    /// wants stored (`texts`), until the process ends.
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

    /// Reads the file again, and says what came of it.
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

    /// Puts a text into the file, and into force; logs what came of it.
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

    /// Says that what was read is in force, and what the admin pages do without.
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

    /// What the file says that nobody has put in force is not written over.
    fn replace(&mut self, text: String, running: &Running<'_>) -> Result<Vec<String>, Failure> {
        let config = Config::parse(&text).map_err(|error| files::wrong(&self.path, error))?;
        if files::text(&self.path, CONFIG_MAX)? != self.text {
            let what = "the file was changed and is not in force as it is; SIGHUP has it read, and \
                        then it can be changed here";
            return Err(files::wrong(&self.path, what));
        }
        let path = self.path.clone();
        let write = |text: &str| files::replace(&path, text.as_bytes());
        self.change((text, config), running, write)
    }

    /// Puts another configuration into force, after `write`, which is the last thing that can fail.
    /// Says what of it needs a restart.
    fn change(
        &mut self,
        (text, new): (String, Config),
        running: &Running<'_>,
        write: impl FnOnce(&str) -> Outcome,
    ) -> Result<Vec<String>, Failure> {
        let group = files::group_key(&files::beside(&self.path, &new.group_key_file))?;
        let logging = self.prepare_log(&new)?;
        let admin_paths = AdminFilePaths::of(&self.path, &new);
        // Those that are in force already are looked after by whoever reads them.
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
        (self.config, self.text) = (new, text);
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

    /// The log as another configuration has it; `None`: it stays as it is, for nothing about it is
    /// new and the file cannot be opened again.
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

    /// What the file says and this process cannot do.
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

/// Looks at what a reload refuses of a configuration, without changing or making anything.
/// `before`: what is in force in a front that runs here: what is as it was there is not looked at again,
/// but for the group key. Without it no port is said to be in use, for that front may have it.
///
/// # Errors
/// It would be refused.
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
        // The front itself may be there: it gives a port up for a spot beside it.
        let may = own.as_ref().is_none_or(|own| own.iter().any(|it| it.at.port == spot.at.port));
        listen::could_listen(spot, may).map_err(|failure| Failure::usage(failure.text))
    })?;
    let kept = history((path, state), new);
    if before.is_none_or(|it| kept.begins(&history((path, state), it))) && kept.enabled {
        history::could_begin(&kept.folder).map_err(|error| unkept(path, &kept, &error))?;
    }
    Ok(())
}

/// Looks whether the paths of a configuration are such that anything could be kept there, on whichever
/// machine.
///
/// # Errors
/// One of them is not.
pub fn check_paths(path: &Path, state: &Path, config: &Config) -> Outcome {
    if let Some(file) = &logging(path, config).file {
        storage::check(path, "Log.File", Path::new(file))?;
    }
    let kept = history((path, state), config);
    if kept.enabled { storage::check(path, "LicenseTracking.Path", &kept.folder) } else { Ok(()) }
}

/// Why the usage history cannot be kept as the configuration at this path says.
fn unkept(path: &Path, kept: &history::Settings, error: &std::io::Error) -> Failure {
    let what = format!("LicenseTracking.Path: {}: {}", kept.folder.display(), words(error));
    files::wrong(path, what)
}

/// How a front with this configuration logs; a relative path begins at the folder of the file.
#[must_use]
pub fn logging(path: &Path, config: &Config) -> Log {
    let beside = |file: &String| files::beside(path, file).to_string_lossy().into_owned();
    Log { file: config.log.file.as_ref().map(beside), ..config.log.clone() }
}

/// What no log of a front with this configuration and this state folder is written into.
#[must_use]
pub fn reserved((path, state): (&Path, &Path), config: &Config) -> Reserved {
    let mut files = AdminFilePaths::of(path, config).named();
    files.push(("the configuration", path.to_owned()));
    files.push(("the group key", files::beside(path, &config.group_key_file)));
    Reserved::new(state, files)
}

/// Where a front with this configuration and this state folder keeps its usage history.
#[must_use]
pub fn history((path, state): (&Path, &Path), config: &Config) -> history::Settings {
    let Tracking { enabled, path: folder, file, files, months } = &config.tracking;
    let (enabled, file, files, months) = (*enabled, *file, *files, *months);
    let beside = |folder: &String| files::beside(path, folder);
    let folder = folder.as_ref().map_or_else(|| state.join(HISTORY), beside);
    history::Settings { enabled, folder, file, files, months }
}

/// Where a front with this configuration listens.
#[must_use]
pub fn listen_at(config: &Config) -> [ListenAt; 3] {
    let spot = |kind, what, at: &_| ListenAt { kind, what, at: Clone::clone(at) };
    [
        spot(Listener::Licence, "TmrServer", &config.listen),
        spot(Listener::Admin, "WebAdmin", &config.admin),
        spot(Listener::Twin, "TmrServer.TwinListen", &config.twin_listen),
    ]
}

//! The files behind the admin pages: passwords are checked, changes are recorded, and the password
//! file and the certificate are watched. One thread does all of it, so that at most one password is
//! checked at a time, however many people sign in.
//!
//! What never lives here: which rights a request needs.

use crate::exit::{Failure, Outcome, words};
use crate::host::certificate::Certificate;
use crate::host::disk::Folder;
use crate::host::node_setup::EventSink;
use crate::host::passwords::Passwords;
use crate::host::stamp::Stamp;
use crate::host::{create, files, log, names};
use crate::reactor::tls::Tls;
use crate::sync::lock;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tmr_core::base::credentials::AdminAccess;
use tmr_core::base::limits::TOKEN_ENDS_SOON;
use tmr_core::base::server_files::{FileTrouble, Room};
use tmr_core::base::time::Wall;
use tmr_core::config::Config;
use tmr_core::io::{AdminFilesRequest, FrontEvent, HostEvent};

/// The pause between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);
/// The name of the record of changes in the state folder.
const AUDIT: &str = "audit.jsonl";
/// The length in bytes beyond which the record is renamed; one earlier record is kept.
const AUDIT_MAX: u64 = 4 * 1024 * 1024;
/// A certificate that ends sooner than this is reported once a day.
const ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How an operator mends a password file.
const PASSWORDS: &str = "mend that line, or remove the file and set the passwords anew with tmrd \
                         password; it is taken within seconds";
/// How an operator mends a certificate.
const CERTIFICATE: &str = "put a certificate and its key there, in PEM, for the user that tmrd runs as \
                           to read; they are taken within seconds";

/// The paths of these files, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminFilePaths {
    passwords: PathBuf,
    certificate: Option<Certificate>,
}

impl AdminFilePaths {
    /// Takes the paths from the configuration in the file at `path`; relative ones begin at its
    /// folder.
    #[must_use]
    pub fn of(path: &Path, config: &Config) -> Self {
        let certificate = config.web.certificate.as_ref().map(|(chain, key)| Certificate {
            chain: files::beside(path, chain),
            key: files::beside(path, key),
        });
        Self { passwords: files::beside(path, &config.web.password_file), certificate }
    }

    /// Returns the files, each with a name for messages.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, PathBuf)> {
        let certificate = self.certificate.as_ref();
        let pems = certificate.map(|it| {
            [("the certificate", it.chain.clone()), ("the certificate's key", it.key.clone())]
        });
        let passwords = ("the password file", self.passwords.clone());
        std::iter::once(passwords).chain(pems.into_iter().flatten()).collect()
    }

    /// Checks that the files can be used.
    ///
    /// # Errors
    /// One of them cannot.
    pub fn check(&self) -> Outcome {
        Passwords::of_server(&self.passwords)?;
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.read().map(drop))
    }
}

/// The paths of the files, with their stamps.
type Seen = (AdminFilePaths, Vec<Option<Stamp>>);

/// The watched files, with what was read from them.
#[derive(Debug)]
pub struct AdminFiles {
    paths: Arc<Mutex<AdminFilePaths>>,
    tls: Tls,
    audit: PathBuf,
    /// `None`: they could never be read.
    passwords: Option<Passwords>,
    /// What was last reported to the node.
    told: AdminAccess,
    /// The stamps with which the files were read.
    seen: Seen,
    /// The files that cannot be used.
    troubles: Vec<FileTrouble>,
    warned: Option<Instant>,
}

impl AdminFiles {
    /// Reads all files once. A file that cannot be used is logged and does not prevent the start.
    pub fn open(paths: Arc<Mutex<AdminFilePaths>>, folder: &Folder) -> Self {
        let mut admin_files = Self {
            told: AdminAccess::default(),
            audit: folder.path(AUDIT),
            tls: Tls::default(),
            passwords: None,
            seen: look(&paths),
            paths,
            troubles: Vec::new(),
            warned: None,
        };
        admin_files.told = admin_files.read();
        admin_files
    }

    /// Returns which ways to sign in there are at the start.
    #[must_use]
    pub fn access(&self) -> AdminAccess {
        self.told.clone()
    }

    /// Returns the TLS mode of the admin listener.
    #[must_use]
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Serves requests until the node is gone.
    pub fn serve(mut self, requests: &Receiver<AdminFilesRequest>, tell: &EventSink) {
        loop {
            match requests.recv_timeout(LOOK) {
                Ok(AdminFilesRequest::Verify { link, password }) => {
                    let passwords = self.passwords.as_ref();
                    let granted = passwords.and_then(|it| it.check(&password.0));
                    tell(FrontEvent::PasswordVerified { link, granted }.into());
                }
                Ok(AdminFilesRequest::Audit(line)) => {
                    if let Err(error) = self.record(&line) {
                        tracing::error!(
                            target: "tmr_runtime_std::daemon::clerk",
                            "{}: {}", self.audit.display(), words(&error)
                        );
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.warn();
            let looks = look(&self.paths);
            let access = if looks == self.seen {
                AdminAccess { files: self.files(), room: self.room(), ..self.told.clone() }
            } else {
                self.seen = looks;
                self.warned = None;
                self.read()
            };
            if access != self.told {
                self.told = access;
                tell(HostEvent::AdminAccess(Box::new(self.told.clone())));
            }
        }
    }

    /// Reads the files. A file that cannot be used is reported, and what was read from it before
    /// stays in force. If the password file was never read, passwords are required and none is
    /// accepted.
    fn read(&mut self) -> AdminAccess {
        let AdminFilePaths { passwords: file, certificate } = self.seen.0.clone();
        let mut access = self.told.clone();
        access.names = names::own();
        access.password_file = file.display().to_string();
        self.troubles.clear();
        match Passwords::of_server(&file) {
            Ok(passwords) => {
                access.operator = passwords.operator();
                access.reader = passwords.reader();
                files::warn_if_open(&file, "these passwords", 0o640);
                access.tokens = passwords.tokens().to_vec();
                // Sessions end when a password changes, but not when a token does.
                let before = self.passwords.as_ref().map(Passwords::browsers);
                if before.as_ref() != Some(&passwords.browsers()) {
                    access.readings += 1;
                    access.browsers = passwords.browsers();
                }
                self.passwords = Some(passwords);
            }
            Err(failure) => {
                // Whether readers need a password is unknown, so they do.
                access.reader |= self.passwords.is_none();
                let otherwise = match self.passwords {
                    Some(_) => "the passwords that were read before hold on",
                    None => "nobody can sign in",
                };
                self.complain(&failure, (otherwise, PASSWORDS));
            }
        }
        match certificate.as_ref().map(Certificate::read).transpose() {
            Ok(read) => {
                access.certificate_ends = read.as_ref().map(|(_, ends)| *ends);
                if let Some(certificate) = &certificate {
                    files::warn_if_open(&certificate.key, "this key", 0o640);
                }
                self.tls.set(read.map(|(config, _)| config));
            }
            Err(failure) => {
                let otherwise = if self.tls.shut() {
                    "only this machine reaches the admin pages"
                } else {
                    "the certificate that was read before holds on"
                };
                self.complain(&failure, (otherwise, CERTIFICATE));
            }
        }
        if self.troubles.is_empty() && self.told != AdminAccess::default() {
            tracing::info!(
                target: "tmr_runtime_std::daemon::clerk",
                "passwords and certificate of the admin pages: read again"
            );
        }
        access.trouble = self.troubles.first().map(|it| format!("{}: {}", it.file, it.trouble));
        access.files = self.files();
        access.room = self.room();
        access
    }

    fn complain(&mut self, failure: &Failure, (otherwise, todo): (&str, &str)) {
        tracing::error!(target: "tmr_runtime_std::daemon::clerk", "{failure}; {otherwise}");
        self.troubles.push(files::trouble(failure, todo));
    }

    /// Returns all files of this process that cannot be used.
    fn files(&self) -> Vec<FileTrouble> {
        self.troubles.iter().cloned().chain(log::trouble()).collect()
    }

    /// Returns the free space on the disk of the state folder, if it is little.
    fn room(&self) -> Option<Room> {
        self.audit.parent().and_then(files::room)
    }

    fn warn(&mut self) {
        if self.warned.is_some_and(|at| at.elapsed() <= DAY) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = |ends: Wall| Duration::from_secs(ends.0).saturating_sub(now);
        if let Some(ends) = self.told.certificate_ends.filter(|ends| left(*ends) < ENDS_SOON) {
            self.warned = Some(Instant::now());
            let file = self.seen.0.certificate.as_ref().map(|it| it.chain.display().to_string());
            tracing::warn!(
                target: "tmr_runtime_std::daemon::clerk",
                "{}: the certificate ends on {ends}", file.unwrap_or_default()
            );
        }
        for token in self.told.tokens.iter().filter(|it| it.holds(Wall(now.as_secs()))) {
            if left(token.ends) < TOKEN_ENDS_SOON {
                self.warned = Some(Instant::now());
                let (file, name, ends) = (&self.told.password_file, &token.name, token.ends);
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::clerk",
                    "{file}: the token {name} ends on {ends}"
                );
            }
        }
    }

    fn record(&self, line: &str) -> io::Result<()> {
        if fs::metadata(&self.audit).is_ok_and(|found| found.len() > AUDIT_MAX) {
            let mut before = self.audit.clone().into_os_string();
            before.push(".1");
            fs::rename(&self.audit, before)?;
        }
        let options = File::options().append(true).clone();
        let mut file = create::open_or_create(&self.audit, 0o640, &options)?;
        file.write_all(line.as_bytes())
    }
}

fn look(paths: &Mutex<AdminFilePaths>) -> Seen {
    let paths = lock(paths).clone();
    let looks = paths.named().iter().map(|(_, path)| Stamp::of(path)).collect();
    (paths, looks)
}

//! The clerk of the admin pages: checks passwords, keeps the record of changes, and looks after the
//! password file and the certificate. On a thread of its own, one thing after the other: however
//! many sign in, no more than one password is being checked.
//!
//! What never lives here: who may do what.

use super::disk::Folder;
use super::exit::{Failure, Outcome, words};
use super::files;
use super::links::lock;
use super::passwords::Passwords;
use super::plan::{Errand, Tell};
use super::tls::{Certificate, Tls};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tmr_core::admin::Entrance;
use tmr_core::config::Config;
use tmr_core::io::Input;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// The record of changes, in the state folder.
const AUDIT: &str = "audit.jsonl";
/// When it is longer than this, in bytes, it is put aside; one such is kept.
const AUDIT_MAX: u64 = 4 * 1024 * 1024;
/// A certificate that ends sooner than this is warned about, once a day.
const ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The files that it looks after, as the configuration names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Papers {
    passwords: PathBuf,
    certificate: Option<Certificate>,
}

impl Papers {
    /// Of a configuration at this path; relative paths begin at its folder.
    #[must_use]
    pub fn of(path: &Path, config: &Config) -> Self {
        let certificate = config.web.certificate.as_ref().map(|(chain, key)| Certificate {
            chain: files::beside(path, chain),
            key: files::beside(path, key),
        });
        Self { passwords: files::beside(path, &config.web.password_file), certificate }
    }

    /// Whether they could be used.
    ///
    /// # Errors
    /// One of them cannot.
    pub fn check(&self) -> Outcome {
        Passwords::read(&self.passwords)?;
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.read().map(drop))
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let certificate = self.certificate.as_ref();
        let pems = certificate.into_iter().flat_map(|it| [it.chain.as_path(), it.key.as_path()]);
        std::iter::once(self.passwords.as_path()).chain(pems)
    }
}

/// Files as they looked at one time.
type Seen = (Papers, Vec<Option<(SystemTime, u64)>>);

/// What it looks after.
#[derive(Debug)]
pub struct Clerk {
    papers: Arc<Mutex<Papers>>,
    tls: Tls,
    audit: PathBuf,
    passwords: Passwords,
    /// What was told last.
    told: Entrance,
    /// What the files looked like then.
    seen: Seen,
    warned: Option<Instant>,
}

impl Clerk {
    /// With all files read once.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn open(papers: Arc<Mutex<Papers>>, folder: &Folder) -> Result<Self, Failure> {
        let mut clerk = Self {
            told: Entrance::default(),
            audit: folder.path(AUDIT),
            tls: Tls::default(),
            passwords: Passwords::default(),
            seen: look(&papers),
            papers,
            warned: None,
        };
        clerk.told = clerk.read()?;
        Ok(clerk)
    }

    /// Who can come in at the start.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        self.told.clone()
    }

    /// What connections at the admin door are covered with.
    #[must_use]
    pub fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Does what comes in until the node is gone.
    pub fn serve(mut self, errands: &Receiver<Errand>, tell: &Tell) {
        loop {
            match errands.recv_timeout(LOOK) {
                Ok(Errand::Verify { link, password }) => {
                    let granted = self.passwords.check(&password.0);
                    tell(Input::Verified { link, granted });
                }
                Ok(Errand::Audit(line)) => {
                    if let Err(error) = self.record(&line) {
                        tracing::error!("{}: {}", self.audit.display(), words(&error));
                    }
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.warn();
            let looks = look(&self.papers);
            if looks != self.seen {
                self.seen = looks;
                self.read_again();
                tell(Input::Entrance(Box::new(self.told.clone())));
            }
        }
    }

    fn read(&mut self) -> Result<Entrance, Failure> {
        let Papers { passwords: file, certificate } = &self.seen.0;
        let passwords = Passwords::read(file)?;
        let mut entrance = Entrance {
            password_file: file.display().to_string(),
            operator: passwords.operator(),
            reader: passwords.reader(),
            ..Entrance::default()
        };
        let read = certificate.as_ref().map(Certificate::read).transpose()?;
        entrance.certificate_ends = read.as_ref().map(|(_, ends)| *ends);
        self.tls.set(read.map(|(config, _)| config));
        self.passwords = passwords;
        Ok(entrance)
    }

    /// Files that are not right change nothing, and it is said why.
    fn read_again(&mut self) {
        match self.read() {
            Ok(entrance) => {
                tracing::info!("passwords and certificate of the admin pages: read again");
                (self.told, self.warned) = (entrance, None);
            }
            Err(failure) => {
                tracing::error!("{failure}; what was read before holds on");
                self.told.trouble = Some(failure.to_string());
            }
        }
    }

    fn warn(&mut self) {
        let Some(ends) = self.told.certificate_ends else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_secs(ends.0).saturating_sub(now);
        if left < ENDS_SOON && self.warned.is_none_or(|at| at.elapsed() > DAY) {
            self.warned = Some(Instant::now());
            let file = self.seen.0.certificate.as_ref().map(|it| it.chain.display().to_string());
            tracing::warn!("{}: the certificate ends on {ends}", file.unwrap_or_default());
        }
    }

    fn record(&self, line: &str) -> io::Result<()> {
        if fs::metadata(&self.audit).is_ok_and(|found| found.len() > AUDIT_MAX) {
            let mut before = self.audit.clone().into_os_string();
            before.push(".1");
            fs::rename(&self.audit, before)?;
        }
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o640).open(&self.audit)?;
        file.write_all(line.as_bytes())
    }
}

fn look(papers: &Mutex<Papers>) -> Seen {
    let papers = lock(papers).clone();
    let of = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    let looks = papers.paths().map(of).collect();
    (papers, looks)
}

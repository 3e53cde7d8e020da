//! The usage history of a front on this machine: a thread that writes the node's records, reads
//! back those that the node asks for, and keeps the files within their bounds.
//!
//! What lives here: the thread and its queue ([`HistoryQueue`]), the files ([`Files`]). What never
//! lives here: the meaning of a line (core), and anything that a client waits for. A full disk
//! costs lines, which are counted and logged, but never service.

mod age;
mod file_names;
mod files;
#[cfg(test)]
mod files_test;
mod queue;
mod settings;
mod share;

pub use file_names::{is_name, names};
pub use files::{Files, Unwritten};
pub use queue::{HistoryQueue, ShutdownFlush};
pub use settings::{Settings, could_begin};

use crate::exit::words;
use crate::host::node_setup::EventSink;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tmr_core::base::limits::{HISTORY_FLUSH, HISTORY_READ_BACK, TROUBLE_LOGGED};
use tmr_core::base::time::{Mono, Now, Wall};
use tmr_core::front::Front;
use tmr_core::history::{Kind, Mark, Record, Server};
use tmr_core::io::FrontEvent;

/// The thread that writes the usage history.
#[derive(Debug)]
pub struct HistoryWriter {
    files: Files,
    /// The number of lines that were not written, and are not recorded as lost yet.
    lost: u64,
    /// When an error was last logged.
    logged: Option<Instant>,
    synced: Instant,
    /// The origin of monotonic times.
    began: Instant,
    shutdown_flush: ShutdownFlush,
}

impl HistoryWriter {
    /// Begins with these settings, without writing; `own` identifies this front.
    #[must_use]
    pub fn new(settings: Settings, own: Server, shutdown_flush: ShutdownFlush) -> Self {
        let files = Files::new(settings, own);
        let began = Instant::now();
        Self { files, lost: 0, logged: None, synced: began, began, shutdown_flush }
    }

    fn enabled(&self) -> bool {
        self.files.settings().enabled
    }

    /// Gives the front the records of earlier processes. An error is logged, and the rest is left
    /// out.
    pub fn remind(&mut self, front: &mut Front) {
        if !self.enabled() {
            return;
        }
        let take = |lines: &[u8]| front.remember(lines);
        if let Err(error) = self.files.read_back(HISTORY_READ_BACK, take) {
            self.trouble("cannot be read back", &error);
        }
    }

    /// Writes lines until the process ends.
    pub fn serve(mut self, queue: &Arc<HistoryQueue>, tell: &EventSink) {
        self.shutdown_flush.waits_for(queue, tell);
        loop {
            let taken = queue.wait(HISTORY_FLUSH.0);
            self.lost = self.lost.saturating_add(taken.lost);
            let change =
                taken.change.map(|(upto, settings)| (taken.lines.split_at(upto), settings));
            match change {
                None => self.write(&taken.lines),
                Some(((before, behind), settings)) => {
                    self.write(before);
                    self.change(settings);
                    self.write(behind);
                }
            }
            if let Some(after) = taken.recall {
                let lines = if self.enabled() { self.recall(after.as_ref()) } else { Vec::new() };
                tell(FrontEvent::HistoryRead { after, lines }.into());
            }
            if taken.stop {
                self.tell_left_out();
            }
            if taken.stop || self.synced.elapsed() >= HISTORY_FLUSH.1 {
                self.sync();
            }
            if taken.stop {
                return queue.done();
            }
        }
    }

    fn change(&mut self, settings: Settings) {
        self.sync();
        let folder = settings.folder.display();
        match (settings.begins(self.files.settings()), settings.enabled) {
            (true, _) => tracing::info!(
                target: "tmr_runtime_std::daemon::history",
                "usage history: from now on in {folder}"
            ),
            (false, true) => {}
            (false, false) => tracing::info!(
                target: "tmr_runtime_std::daemon::history",
                "usage history: no files any more"
            ),
        }
        self.files.change(settings);
        self.logged = None;
    }

    fn recall(&mut self, after: Option<&Mark>) -> Vec<u8> {
        self.files.after(after).unwrap_or_else(|error| {
            self.trouble("cannot be read for the twin", &error);
            Vec::new()
        })
    }

    fn write(&mut self, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        if !self.enabled() {
            // The next file that is written records how many lines are missing.
            self.lost = self.lost.saturating_add(count);
            return self.files.follow(lines);
        }
        let now = Now { mono: Mono(0) + self.began.elapsed(), wall: today() };
        if self.lost > 0 {
            let time = now.wall;
            let lost = Record { kind: Kind::Lost, time, count: self.lost, ..Record::default() };
            if self.files.write(&lost.line(), now).is_ok() {
                tracing::warn!(
                    target: "tmr_runtime_std::daemon::history",
                    lines = self.lost, "usage history: lines were lost"
                );
                self.lost = 0;
            }
        }
        if lines.is_empty() {
            return;
        }
        match self.files.write(lines, now) {
            Ok(()) => {}
            Err(Unwritten::Records(error)) => {
                self.lost = self.lost.saturating_add(count);
                self.trouble("cannot be written", &error);
            }
            Err(Unwritten::Tracking(error)) => {
                self.trouble("has a licence tracking file that cannot be written", &error);
            }
        }
    }

    /// Records at the end of the process how many refusals were left out of the open file, since
    /// only this process knows.
    fn tell_left_out(&mut self) {
        self.lost = self.lost.saturating_add(self.files.take_left_out());
        if self.enabled() && self.lost > 0 {
            self.write(&[]);
        }
    }

    fn sync(&mut self) {
        self.synced = Instant::now();
        if let Err(error) = self.files.sync() {
            self.trouble("cannot be made durable", &error);
        }
    }

    /// Logs an error, at most once within [`TROUBLE_LOGGED`].
    fn trouble(&mut self, what: &str, error: &io::Error) {
        if self.logged.is_none_or(|at| at.elapsed() >= TROUBLE_LOGGED) {
            self.logged = Some(Instant::now());
            let folder = self.files.settings().folder.display();
            tracing::error!(
                target: "tmr_runtime_std::daemon::history",
                lost = self.lost, "usage history in {folder} {what}: {}", words(error)
            );
        }
    }
}

/// Returns the system's time; before 1970 it reads as 1970.
fn today() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Wall(since.unwrap_or(Duration::ZERO).as_secs())
}

//! The traffic on the links for the checkers: orders and reports, messages between fronts, and the
//! origin of a reply that a front hands out.

use super::check::Decided;
use super::check::handles::Answer;
use super::extra::Moment;
use super::words;
use super::world::{FRONTS, HOSTS, NAMES, World};
use tmr_core::link::{Frame, LinkId};
use tmr_core::log::{Entry, Setting};
use tmr_core::messages::group::{Order, Report, decode};
use tmr_core::messages::twin::{self, TwinAck, TwinMessage, Version};

impl World {
    /// Passes the messages between fronts and backends to the checkers.
    pub(super) fn observe(&mut self, host: usize, link: LinkId, sent: Decided, batch: &[u8]) {
        if host < FRONTS {
            let by = ((host, self.hosts[host].process.life), link);
            for message in decode::<Order>(batch).unwrap_or_default() {
                self.trace_said(host, link, || words::order(&message.body));
                self.checks.ordered(self.now, sent, by, &message);
                let Some(&(conn, side)) = self.hosts[host].links.conns.get(&link) else { continue };
                let backend = self.place(conn, 1 - side);
                if let (Some(backend), Order::Append { first, entries, committed, .. }) =
                    (backend.filter(|host| *host < HOSTS), &message.body)
                {
                    let last = first.0 + entries.len() as u64 - 1;
                    if let Some(lags) = self.faults.extra.told(backend, last, committed.0) {
                        self.moment(Moment::Commit, host, Some(lags), conn);
                    }
                }
                let what = match &message.body {
                    Order::Claim { .. } => Moment::Claim,
                    Order::Install { .. } => Moment::Install,
                    Order::Append { entries, .. } if entries.iter().any(is_repair) => {
                        Moment::Repair
                    }
                    Order::Confirm { .. } => {
                        self.asks(host);
                        continue;
                    }
                    _ => continue,
                };
                self.moment(what, host, backend, conn);
            }
        } else {
            for message in decode::<Report>(batch).unwrap_or_default() {
                self.trace_said(host, link, || words::report(&message.body));
                if self.checks.reported(self.now, sent, (host, link), &message.body) {
                    self.checks.on_disk(self.now, host, self.hosts[host].disk.read());
                }
            }
        }
    }

    /// Passes the messages between fronts to the checkers.
    pub(super) fn overhear(
        &mut self,
        host: usize,
        link: LinkId,
        side: usize,
        sent: Decided,
        frames: &[Vec<u8>],
    ) {
        for bytes in frames.iter().filter(|_| side == 0) {
            let Ok(message) = TwinMessage::decode(bytes, Version::OWN.minor) else { continue };
            self.trace_said(host, link, || words::twin_message(&message));
            self.checks.told(self.now, sent, (host, self.hosts[host].process.life), &message);
        }
    }

    /// Adds a message between servers to the trace.
    fn trace_said(&self, host: usize, link: LinkId, said: impl FnOnce() -> Option<String>) {
        if !self.traces() {
            return;
        }
        let Some(said) = said() else { return };
        let to = self.hosts[host].links.conns.get(&link);
        let to = to.and_then(|&(conn, side)| self.place(conn, 1 - side));
        let to = to.and_then(|place| NAMES.get(place)).unwrap_or(&"nobody");
        self.trace(|| format!("{} to {to}: {said}", NAMES[host]));
    }

    /// Records which replies to its own clients a front gets from the other one.
    pub(super) fn passed(&mut self, host: usize, frames: &[Frame], answer: Answer) {
        for frame in frames {
            let Frame::Twin(bytes) = frame else { return };
            let Ok(heard) = TwinAck::decode(bytes) else { return };
            if let twin::Answer::Reply { client, .. } = heard.answer {
                self.hosts[host].links.passed.insert(LinkId(client), (answer, self.now));
            }
        }
    }

    /// Records what backends confirm to a front.
    pub(super) fn confirmed(
        &mut self,
        host: usize,
        link: LinkId,
        backend: usize,
        frames: &[Frame],
    ) {
        let by = (host, self.hosts[host].process.life);
        for frame in frames {
            let Frame::Batch(batch) = frame else { return };
            for report in decode::<Report>(batch).unwrap_or_default() {
                self.checks.fronts.fence.heard(by, link, backend, self.now, &report);
            }
        }
    }
}

/// Returns whether an entry changes the members of the group.
fn is_repair(entry: &Entry) -> bool {
    matches!(entry, Entry::Configure(Setting::Members(_)))
}

//! The open backend role: signed licences, promises, the log, and seats of ordinary licences.
//!
//! What lives here: the acceptor, which holds one of the group's three copies of the log, and the
//! journal by which it survives a restart. A licence with a TMR-Id is refused to a client that
//! connects directly (130): it takes two backends and a front.

pub(crate) mod acceptor;
#[cfg(test)]
mod acceptor_test;
mod anew;
#[cfg(test)]
mod backend_test;
mod clients;
mod direct;
mod facts;
mod group_commit;
mod host;
mod journal;
#[cfg(test)]
mod journal_test;
mod licences;
mod metrics;
#[cfg(feature = "model")]
mod model;
mod orders;
mod status;

use crate::admin::Admin;

use crate::base::limits::{CLEANUP_DEFAULT, HANDLE_BLOCK, HANDLE_LAST};
use crate::base::log_throttle::LogThrottle;
use crate::base::random::Random;
use crate::base::time::{Deadline, Mono, Now};

use crate::io::{Input, Intent};
use crate::licence::Container;
use crate::link::channel::OTHER_KEY;
use crate::link::{CloseReason, Frame, HubMetrics, LinkId, Listener};
use crate::log::{DiskId, Entry, GroupId, Setting, Slot, State};
use crate::messages::group::{Lost, Order, Report, decode, encode};
use crate::service::{HandleKey, Identity, LicenceService};
use acceptor::Acceptor;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use clients::Clients;
use group_commit::Writer;
pub use journal::JournalError;
use journal::{Record, Unreadable};
use licences::Licences;

/// The parameters of a backend at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name and version that it reports.
    pub identity: Identity,
    /// Its containers, already checked.
    pub containers: Vec<Container>,
    /// [`GroupKey::check`](crate::link::channel::GroupKey::check) of the key it was started with.
    pub group_check: [u8; 8],
    /// The key for handle numbers, derived from the group key.
    pub handle_key: HandleKey,
    /// Entropy for everything that this node draws; 32 fresh bytes at every start.
    pub seed: [u8; 32],
}

/// A backend.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Backend {
    licences: Licences,
    acceptor: Acceptor,
    direct: DirectClients,
    names: Names,
    writer: Writer,
    service: LicenceService,
    fronts: Fronts,
    admin: Admin,
    started: bool,
    /// The time of the latest step.
    now: Mono,
    counts: HubMetrics,
    random: Random,
}

/// Clients that connect to this backend directly.
#[derive(Clone, Debug, Default)]
struct DirectClients {
    /// Seats of ordinary licences, counted by the same state machine.
    state: State,
    /// The write after which the service's block of handle numbers is durable.
    reserved: u64,
    /// The addresses that may have handles of this backend; `None`: all.
    clients: Option<Clients>,
}

/// The identities of this backend and its process.
#[derive(Clone, Copy, Debug)]
struct Names {
    disk: DiskId,
    group_check: [u8; 8],
    /// Drawn at the start of this process.
    process: u128,
}

/// The fronts that are connected, and what the leading one has reported.
#[derive(Clone, Debug, Default)]
struct Fronts {
    /// Links that have proved the group key.
    links: BTreeMap<LinkId, Joined>,
    /// The latest time at which the promised front reported that it serves.
    served: Option<Mono>,
    /// The last slot that this front has reported as chosen.
    told: Slot,
    /// Logs fronts that did not prove the group key.
    impostors: LogThrottle,
    /// Logs a front that is connected twice.
    doubled: LogThrottle,
}

/// A front at the other end of a link.
#[derive(Clone, Copy, Debug)]
struct Joined {
    front: u32,
    /// The minor version of the protocol that both speak.
    minor: u16,
}

impl Backend {
    /// Opens a backend with the journal of its state folder; `None` if there is none yet. Also
    /// returns how many bytes of the journal to keep: an incomplete last batch is cut off before
    /// anything is appended.
    ///
    /// A damaged journal is lost memory: the backend starts again under another disk id, the others
    /// bring it up to date, and the damaged file is kept.
    ///
    /// # Errors
    /// Returns why the journal belongs to another backend, or cannot be continued by this program.
    pub fn open(config: Config, journal: Option<&[u8]>) -> Result<(Self, usize), JournalError> {
        let Config { identity, containers, group_check, handle_key, seed } = config;
        let mut random = Random::new(seed);
        let disk = DiskId(random.u128());
        let names = Names { disk, group_check, process: random.u128() };
        let mut backend = Self {
            licences: Licences::new(containers),
            acceptor: Acceptor::blank(disk),
            direct: DirectClients::default(),
            names,
            writer: Writer::blank(),
            service: LicenceService::new(identity, CLEANUP_DEFAULT, handle_key),
            fronts: Fronts::default(),
            admin: Admin::new(seed),
            started: false,
            now: Mono(0),
            counts: HubMetrics::default(),
            random,
        };
        let mut keep = 0;
        if journal.is_some_and(<[u8]>::is_empty) {
            // A power failure may leave a file's name without its contents.
            tracing::warn!(
                target: "tmr_core::backend",
                "the journal is empty: nothing was ever written to it, or all of it is lost. This disk \
                 begins blank, as one without a journal does"
            );
        }
        match journal.filter(|journal| !journal.is_empty()).map(journal::read) {
            None => {}
            Some(Ok(read)) => {
                backend.replay(&read.records)?;
                keep = read.keep;
                backend.writer = Writer::resume(read.next, keep);
                // The last process may have got an error for this write, so it may not be on the
                // disk: what this process has read may come from the system's cache.
                backend.writer.demand_rewrite();
                let cut = journal.map_or(0, <[u8]>::len) - keep;
                if cut > 0 {
                    tracing::warn!(
                        target: "tmr_core::backend",
                        at = keep, cut, "journal: a torn tail was cut off"
                    );
                }
            }
            Some(Err(Unreadable::Damaged(what))) => {
                tracing::error!(
                    target: "tmr_core::backend",
                    "{what}. This disk has lost its memory: it begins anew, blank and under another \
                     name, and the damaged journal is kept as journal.old"
                );
                keep = journal.map_or(0, <[u8]>::len);
                backend.writer.demand_new_beginning();
            }
            Some(Err(Unreadable::Format(version))) => return Err(JournalError::Format { version }),
        }
        backend.reserve_handles();
        Ok((backend, keep))
    }

    fn replay(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let Some((Record::Head { disk, group_check, .. }, rest)) = records.split_first() else {
            return Err(JournalError::Nameless);
        };
        if *group_check != self.names.group_check {
            return Err(JournalError::OtherGroup);
        }
        self.names.disk = *disk;
        self.acceptor = Acceptor::blank(*disk);
        for record in rest {
            match record {
                Record::Direct(entry) => {
                    self.direct.state.apply(entry);
                }
                Record::DirectState(bytes) => {
                    self.direct.state = State::decode(bytes).ok_or(JournalError::NoState)?;
                }
                other if !self.acceptor.replay(other) => {
                    return Err(JournalError::Misfit);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.service.start(now);
        self.now = now.mono;
        if !core::mem::replace(&mut self.started, true) {
            self.service.take_over(now.mono, &self.direct.state);
            if !self.writer.begun() {
                // A blank folder gets its disk id before it promises anything.
                self.writer.demand_rewrite();
            }
        }
        for entry in self.service.ended(now.mono, &self.direct.state) {
            self.write_direct(entry);
        }
        self.resume(now, out);
        match input {
            // A backend has no listener for twins.
            Input::Tick | Input::Accepted { listener: Listener::Twin, .. } => {}
            Input::Accepted { link, listener: Listener::Licence, from } => {
                self.service.accepted(now, link, from);
            }
            Input::Accepted {
                link,
                listener: listener @ (Listener::Admin | Listener::Machine),
                from,
            } => {
                self.admin.accepted(link, listener, from.ip());
            }
            Input::Frame { link, frame } => self.frame(now, link, frame, out),
            Input::Calls(calls) => {
                for (link, bytes) in calls {
                    self.call(now, link, &bytes, out);
                }
            }
            Input::Closed { link, reason, unsent } => {
                if let (true, Some(from)) = (reason == OTHER_KEY, self.service.whereabouts(link)) {
                    let text =
                        format!("a front at {} was refused: it has another group key", from.ip());
                    self.fronts.impostors.warn(now.mono, &text);
                }
                self.closed(link, unsent);
            }
            Input::Counted(counts) => self.counts = counts,
            Input::Host(event) => self.host_event(now, event, out),
        }
        self.flush(now.mono, out);
        self.acceptor.check_invariants();
        let cleanup = self.service.due().map(|at| Deadline { at, reason: "clean-up" });
        let strange =
            self.service.waits_until().map(|at| Deadline { at, reason: "a wrong handle" });
        cleanup.into_iter().chain(strange).min()
    }

    fn frame(&mut self, now: Now, link: LinkId, frame: Frame, out: &mut Vec<Intent>) {
        match frame {
            Frame::Call(bytes) => self.call(now, link, &bytes, out),
            Frame::Joined { front, minor } => {
                tracing::info!(
                    target: "tmr_core::backend",
                    front = format!("{front:08x}"), "a front has joined"
                );
                if self.fronts.links.values().any(|joined| joined.front == front) {
                    let text = format!(
                        "front {front:08x} has joined by two connections: if this backend stands in \
                         its list under two addresses, it counts once"
                    );
                    self.fronts.doubled.warn(now.mono, &text);
                }
                self.front_at(link);
                self.service.dismiss(link);
                self.fronts.links.insert(link, Joined { front, minor });
                if self.lost() != Lost::default() {
                    self.tell_lost(link, out);
                }
                if self.unusable() > 0 {
                    self.tell_unusable(link, out);
                }
            }
            Frame::Batch(batch) => match decode::<Order>(&batch) {
                Ok(orders) => {
                    for order in orders {
                        self.order(now, link, order, out);
                    }
                }
                Err(_) => {
                    let reason = CloseReason::Protocol("a front sent no run of messages");
                    self.fronts.links.remove(&link);
                    out.push(Intent::Close { link, reason });
                }
            },
            // A backend opens no connections.
            Frame::Reply(_) | Frame::Twin(_) => {}
            // A backend takes no commands of operators.
            Frame::Http(request) | Frame::Unheard(request) => {
                if let Some(asked) = self.admin.admit(now, link, &request, None, out) {
                    let reply = asked.answer(&self.admin, self);
                    // No command has a meaning for a backend.
                    self.admin.reply(now, &asked, reply, out);
                }
            }
        }
    }

    /// Replaces the licence files. Seats stay until they end. Every front gets a new description as
    /// soon as what that reveals about the log is durable.
    fn replace(&mut self, now: Now, containers: Vec<Container>, out: &mut Vec<Intent>) {
        if self.licences.containers == containers {
            return;
        }
        self.licences = Licences::new(containers);
        let facts = encode(0, &Report::Facts(self.facts(now)));
        let description = encode(0, &self.describe(now.mono));
        for (&link, joined) in &self.fronts.links {
            let mut frame = if joined.minor >= 1 { facts.clone() } else { Vec::new() };
            frame.extend_from_slice(&description);
            self.writer.hold(link, frame, out);
        }
    }

    fn closed(&mut self, link: LinkId, unsent: bool) {
        if self.fronts.links.remove(&link).is_some() {
            self.acceptor.let_go();
        } else if !self.admin.closed(link) {
            if let Some(handle) = self.service.closed(link, unsent) {
                self.write_direct(Entry::Expire(handle));
            }
        }
    }

    fn write_direct(&mut self, entry: Entry) {
        self.direct.state.apply(&entry);
        self.writer.record(&Record::Direct(entry));
    }

    fn reserve_handles(&mut self) {
        let first = self.direct.state.handles_reserved();
        let last = first.saturating_add(HANDLE_BLOCK).min(HANDLE_LAST);
        self.write_direct(Entry::Configure(Setting::Handles(last)));
        self.direct.reserved = self.writer.ticket();
        self.service.take_numbers(self.names.disk.0, first.saturating_add(1)..=last);
    }

    /// Starts the next durable write if none is in progress.
    fn flush(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if !self.writer.wants_rewrite() {
            return self.writer.flush(now, out);
        }
        let mut records = alloc::vec![Record::Head {
            version: journal::VERSION,
            disk: self.names.disk,
            group_check: self.names.group_check,
        }];
        records.extend(self.acceptor.snapshot());
        records.push(Record::DirectState(self.direct.state.encode()));
        self.acceptor.forget_committed();
        self.writer.rewrite(now, &records, out);
    }

    /// Returns the group of this backend.
    #[must_use]
    pub fn group(&self) -> Option<GroupId> {
        self.acceptor.standing().group
    }
}

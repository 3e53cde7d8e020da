//! The link that the twin dialled: what this front receives, and keeps while it stands by.
//! Committed entries go into the log, so that a claim has little left to read; proposed ones are
//! kept apart, and dropped with the link.

use super::Trouble;
use crate::base::limits::{STATE_MAX, TWIN_ENTRIES, TWIN_HEARTBEAT, TWIN_WINDOW};
use crate::base::time::{Duration, Mono};
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{ContainerId, Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::twin::{
    Answer, Asks, MachineReport, RemoteHandle, Shared, SignOfLife, Standing, TwinAck, TwinMessage,
    Version,
};
use crate::status::TwinDifference;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What receiving needs of the rest of this front.
#[derive(Debug)]
pub(in crate::front) struct Context<'a> {
    /// Whether this front neither leads nor tries to: then its copy of the log may be the twin's.
    pub(in crate::front) stands_by: bool,
    /// Whether the backends are stock servers: then only the twin knows what it has committed.
    pub(in crate::front) unfenced: bool,
    pub(in crate::front) log: &'a mut ReplicatedLog,
    pub(in crate::front) history: &'a mut History,
}

/// The contents of a message.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Received {
    /// Serials of virtual containers.
    pub(in crate::front) named: bool,
    /// The twin's configuration, up to minor version 2.
    pub(in crate::front) shared: Option<Shared>,
    /// The same since minor version 3: revision and text.
    pub(in crate::front) settings: Option<(u32, String)>,
    /// The twin leads, under an epoch that it had not named before.
    pub(in crate::front) leads: Option<Epoch>,
    /// A call of a client of the twin: its number, its address, and the bytes.
    pub(in crate::front) call: Option<(u64, SocketAddr, Vec<u8>)>,
    /// A client of the twin that is gone, with the number of replies that had reached it.
    pub(in crate::front) gone: Option<(u64, u32)>,
    /// Clients that have called the twin, and whose calls it could not have decided.
    pub(in crate::front) alive: Vec<SignOfLife>,
    /// The twin gives its role away, and this front has everything that it has committed.
    pub(in crate::front) offered: bool,
    /// Handles at stock servers, and whether they are all.
    pub(in crate::front) seats: Option<(bool, Vec<RemoteHandle>)>,
}

/// The receiving end.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    /// Connections without a hello so far.
    pub(super) strangers: BTreeMap<LinkId, SocketAddr>,
    pub(super) trouble: Trouble,
    /// The differences between the two configurations.
    pub(super) differs: Vec<TwinDifference>,
    /// The link, and its minor version.
    link: Option<(LinkId, u16)>,
    /// The number of messages that were processed.
    count: u64,
    /// When something was last received.
    last: Mono,
    standing: Option<Standing>,
    /// The twin's report on its machine, and when it came.
    machine: Option<(Mono, MachineReport)>,
    /// Whether the log of the standing's epoch is taken.
    takes: bool,
    /// A message did not fit and that was reported: messages that were on their way then are
    /// ignored.
    gap: bool,
    /// Entries after the log's committed ones.
    entries: VecDeque<Entry>,
    /// A state that is not complete.
    state: Option<(GroupId, Slot, Vec<u8>)>,
    /// The last slot that the twin has reported as committed.
    mark: Slot,
}

impl Receiver {
    /// Takes a link on which the twin has sent its hello. Returns the link that it replaces.
    pub(super) fn stands(&mut self, now: Mono, link: LinkId, minor: u16) -> Option<LinkId> {
        tracing::info!(target: "tmr_core::front::twin::hear", minor, "the twin tells");
        let old = self.link();
        let strangers = core::mem::take(&mut self.strangers);
        let differs = core::mem::take(&mut self.differs);
        *self =
            Self { strangers, differs, link: Some((link, minor)), last: now, ..Self::default() };
        old
    }

    /// Forgets the link.
    pub(super) fn lost(&mut self) {
        self.link = None;
        self.forget();
        self.standing = None;
        self.machine = None;
    }

    fn forget(&mut self) {
        self.takes = false;
        self.gap = false;
        self.state = None;
        self.entries = VecDeque::new();
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        self.link.map(|(link, _)| link)
    }

    /// Whether the twin sends no usage history, so that it follows from its log alone.
    pub(super) fn tells_no_history(&self) -> bool {
        self.link.is_some_and(|(_, minor)| minor < Version::HISTORY)
    }

    /// Returns when a silent twin is given up.
    pub(super) fn silent(&self, transfer: Duration) -> Mono {
        self.last + transfer + 2 * TWIN_HEARTBEAT
    }

    /// Returns for how long the twin has been silent.
    pub(super) fn quiet(&self, now: Mono) -> Duration {
        now.since(self.last)
    }

    pub(super) fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// Returns the twin's report on its machine, as of now: a silence of keepalived continues since
    /// then.
    pub(super) fn machine(&self, now: Mono) -> Option<MachineReport> {
        let (told, mut report) = self.machine.clone()?;
        if let Asks::Silent(seconds) = &mut report.asks {
            let since = u32::try_from(now.since(told).as_secs()).unwrap_or(u32::MAX);
            *seconds = seconds.saturating_add(since);
        }
        Some(report)
    }

    /// Whether the twin reports that it has just started.
    pub(super) fn is_starting(&self) -> bool {
        self.machine.as_ref().is_some_and(|(_, report)| report.starting)
    }

    /// Returns the epoch under which the twin reports that it leads.
    pub(super) fn leads(&self) -> Option<Epoch> {
        self.standing.filter(|standing| standing.leads.is_some()).map(|standing| standing.epoch)
    }

    /// Returns how many committed slots the twin has reported that are not here.
    pub(super) fn lag(&self, committed: Slot) -> u64 {
        let told = self.standing.filter(|it| it.leads.is_some()).map_or(Slot(0), |it| it.committed);
        told.max(self.mark).0.saturating_sub(committed.0)
    }

    /// Whether the twin leads, and reported entries of its log are not here yet.
    pub(super) fn owes(&self, log: &ReplicatedLog) -> bool {
        let all = |epoch| log.committed_state().leader() == epoch && self.lag(log.committed()) == 0;
        self.leads().is_some_and(|epoch| !all(epoch))
    }

    /// Whether everything that the twin has begun to send is complete.
    pub(super) fn whole(&self) -> bool {
        let told = self.leads().is_none() || self.takes;
        told && !self.gap && self.state.is_none()
    }

    /// Takes a message.
    pub(super) fn heard(
        &mut self,
        now: Mono,
        bytes: &[u8],
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Result<Received, CloseReason> {
        let Some((_, minor)) = self.link else { return Ok(Received::default()) };
        let tell = TwinMessage::decode(bytes, minor).map_err(|_| {
            CloseReason::Protocol("a twin sent no message of the version that is spoken")
        })?;
        self.last = now;
        self.count += 1;
        let mut received = Received::default();
        let answer = match tell {
            TwinMessage::Shared(shared) => {
                received.shared = Some(shared);
                Answer::Noted
            }
            TwinMessage::Settings { revision, text } => {
                received.settings = Some((revision, text));
                Answer::Noted
            }
            TwinMessage::Standing(standing) => self.stood(standing, context, &mut received),
            TwinMessage::Call { client, from, bytes } => {
                received.call = Some((client, from, bytes));
                Answer::Noted
            }
            TwinMessage::Gone { client, replies } => {
                received.gone = Some((client, replies));
                Answer::Noted
            }
            TwinMessage::Machine(report) => {
                self.machine = Some((now, report));
                Answer::Noted
            }
            TwinMessage::Alive(signs) => {
                received.alive = signs;
                Answer::Noted
            }
            _ if !self.takes || !context.stands_by => Answer::Noted,
            TwinMessage::State { epoch, .. }
            | TwinMessage::Entries { epoch, .. }
            | TwinMessage::Seats { epoch, .. }
            | TwinMessage::History { epoch, .. }
            | TwinMessage::Lead { epoch, .. }
                if Some(epoch) != self.leads() =>
            {
                Answer::Noted
            }
            TwinMessage::State { epoch, group, slot, offset, bytes, last } => {
                let piece = (group, slot, offset, bytes, last);
                self.state(epoch, piece, context.log, &mut received)?
            }
            TwinMessage::Seats { anew, seats, .. } => {
                received.seats = Some((anew, seats));
                Answer::Noted
            }
            TwinMessage::History { lines, upto, .. } => {
                let heard = context.history.hear(&lines, upto);
                heard.map_err(|_| {
                    CloseReason::Protocol("a twin told a usage history that is none")
                })?;
                Answer::Recorded { upto: context.history.covered() }
            }
            TwinMessage::Entries { epoch, first, entries, committed } => {
                self.mark = self.mark.max(committed);
                self.entries(epoch, first, entries, context.log, &mut received)?
            }
            TwinMessage::Lead { committed, .. } => {
                self.mark = self.mark.max(committed);
                self.commit_marked(context.log, &mut received);
                received.offered = context.log.committed() >= committed;
                Answer::Noted
            }
        };
        out.extend(self.answer(answer));
        Ok(received)
    }

    /// Returns the answer to all messages so far; `None` if there is no link any more.
    pub(super) fn answer(&self, answer: Answer) -> Option<Intent> {
        let (link, _) = self.link?;
        Some(Intent::Send { link, frame: TwinAck { count: self.count, answer }.encode() })
    }

    fn stood(
        &mut self,
        standing: Standing,
        context: Context<'_>,
        received: &mut Received,
    ) -> Answer {
        let before = self.leads();
        self.standing = Some(standing);
        match self.leads() {
            None => self.forget(),
            Some(epoch) if before != Some(epoch) => {
                self.forget();
                received.leads = Some(epoch);
                self.mark = Slot(0);
                self.takes = context.stands_by;
                return if self.takes { context.ready(epoch) } else { Answer::Busy { epoch } };
            }
            Some(_) => {}
        }
        Answer::Noted
    }

    /// Takes a piece of a state. A piece that does not continue the previous one is ignored: later
    /// entries do not fit then, which is reported.
    fn state(
        &mut self,
        epoch: Epoch,
        (group, slot, offset, piece, last): (GroupId, Slot, u64, Vec<u8>, bool),
        log: &mut ReplicatedLog,
        received: &mut Received,
    ) -> Result<Answer, CloseReason> {
        if offset == 0 {
            self.gap = false;
            self.entries.clear();
            if log.group() == Some(group) && slot <= log.committed() {
                self.gap = true;
                return Ok(ready(epoch, log));
            }
            self.state = Some((group, slot, Vec::new()));
        }
        let next = |(of, at, bytes): &&mut (GroupId, Slot, Vec<u8>)| {
            (*of, *at, bytes.len() as u64) == (group, slot, offset)
        };
        let Some((_, _, bytes)) = self.state.as_mut().filter(next) else {
            return Ok(Answer::Noted);
        };
        if bytes.len() + piece.len() > STATE_MAX {
            return Err(CloseReason::Limit("length of a twin's state"));
        }
        bytes.extend_from_slice(&piece);
        if !last {
            return Ok(Answer::Noted);
        }
        let whole = State::decode(bytes)
            .ok_or(CloseReason::Protocol("a twin sent a state that is none"))?;
        tracing::info!(
            target: "tmr_core::front::twin::hear",
            %slot, seats = whole.seat_count(), "the twin's state is here"
        );
        log.load(group, slot, whole);
        self.state = None;
        received.named = true;
        Ok(Answer::Have { epoch, last: slot })
    }

    fn entries(
        &mut self,
        epoch: Epoch,
        first: Slot,
        entries: Vec<Entry>,
        log: &mut ReplicatedLog,
        received: &mut Received,
    ) -> Result<Answer, CloseReason> {
        let have = Slot(log.committed().0.saturating_add(self.entries.len() as u64));
        if first > have.next() || self.state.is_some() {
            let said = core::mem::replace(&mut self.gap, true);
            self.state = None;
            self.entries.clear();
            return Ok(if said { Answer::Noted } else { ready(epoch, log) });
        }
        self.gap = false;
        let known = usize::try_from(have.0 + 1 - first.0).unwrap_or(usize::MAX);
        self.entries.extend(entries.into_iter().skip(known));
        self.commit_marked(log, received);
        if self.entries.len() as u64 > TWIN_WINDOW + TWIN_ENTRIES as u64 {
            return Err(CloseReason::Limit("entries of a twin that are not committed"));
        }
        let last = Slot(log.committed().0 + self.entries.len() as u64);
        Ok(Answer::Have { epoch, last })
    }

    /// Commits in the log what is known to be committed.
    fn commit_marked(&mut self, log: &mut ReplicatedLog, received: &mut Received) {
        while log.committed() < self.mark {
            let Some(entry) = self.entries.pop_front() else { break };
            received.named |= matches!(entry, Entry::Configure(Setting::Virtual { .. }));
            let (slot, _) = log.propose(entry);
            log.commit(slot);
        }
    }

    /// Reports to the twin that its log is taken from now on, or not any more.
    pub(super) fn settle(&mut self, context: Context<'_>, out: &mut Vec<Intent>) {
        let Some(epoch) = self.leads() else { return };
        if context.stands_by == self.takes {
            return;
        }
        self.forget();
        self.takes = context.stands_by;
        let answer = if self.takes { context.ready(epoch) } else { Answer::Busy { epoch } };
        out.extend(self.answer(answer));
    }

    /// Finds the differences between the two configurations.
    pub(super) fn compare(&mut self, own: &Shared, theirs: &Shared) {
        let list = |servers: &[String; 3]| servers.join(", ");
        let pairs = |virtuals: &[(ContainerId, Option<u32>)]| {
            let each = virtuals.iter().map(|(id, serial)| match serial {
                Some(serial) => format!("{id} as {serial}"),
                None => id.to_string(),
            });
            let each: Vec<String> = each.collect();
            if each.is_empty() { "none".to_string() } else { each.join(", ") }
        };
        let seconds = |it: &Shared| it.cleanup_seconds.to_string();
        let rows = [
            ("CmServer.Server", list(&own.servers), list(&theirs.servers)),
            ("VirtualContainers", pairs(&own.virtuals), pairs(&theirs.virtuals)),
            ("TmrServer.CleanUpTimeInSeconds", seconds(own), seconds(theirs)),
        ];
        let differs: Vec<TwinDifference> = rows
            .into_iter()
            .filter(|(_, ours, theirs)| ours != theirs)
            .map(|(key, ours, theirs)| TwinDifference { key: key.to_string(), ours, theirs })
            .collect();
        self.differ(differs);
    }

    /// Keeps these differences, and logs new ones.
    pub(super) fn differ(&mut self, differs: Vec<TwinDifference>) {
        for TwinDifference { key, ours, theirs } in &differs {
            if !self.differs.iter().any(|known| known.key == *key && known.theirs == *theirs) {
                tracing::warn!(
                    target: "tmr_core::front::twin::hear",
                    "the twin's configuration differs in {key}: {theirs}; here: {ours}"
                );
            }
        }
        self.differs = differs;
    }
}

impl Context<'_> {
    /// Returns where the twin has to begin. In unfenced mode slots are the same only under one
    /// leader: nothing outlives that leader unless its twin has it. So entries of another front's
    /// log are dropped.
    fn ready(self, epoch: Epoch) -> Answer {
        if self.unfenced && self.log.committed_state().leader() != epoch {
            self.log.forget();
        }
        ready(epoch, self.log)
    }
}

/// Returns where the twin has to continue. Entries that were only proposed here are dropped.
fn ready(epoch: Epoch, log: &mut ReplicatedLog) -> Answer {
    if log.last() > log.committed() {
        log.drop_uncommitted();
    }
    Answer::Ready { epoch, group: log.group(), committed: log.committed() }
}

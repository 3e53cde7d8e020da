//! The link that this front dialled: what it sends to its twin. Entries go out in the step in which
//! they go to the backends; those that the twin does not take stay in the log, which drops them in
//! its own time. Nothing waits for their acknowledgement, except replies in unfenced mode: there
//! the twin is also sent at once what is committed, and before that the handles at the servers that
//! it concerns.

use super::Trouble;
use super::history_sync::HistorySync;
use crate::base::limits::{
    REDIAL_MIN, TWIN_BEHIND, TWIN_ENTRIES, TWIN_HEARTBEAT, TWIN_PIECE_BYTES, TWIN_PIECES,
    TWIN_REDIAL_MAX, TWIN_SEATS, TWIN_STATE_PAUSE, TWIN_WINDOW,
};
use crate::base::time::{Duration, Mono, Now};
use crate::front::replication::link_state::LinkState;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::History;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Epoch, Slot};
use crate::messages::twin::{
    Answer, Asks, MachineReport, RemoteHandle, Standing, TwinAck, TwinMessage, TwinRole, Version,
};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What there is to send.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) part: TwinRole,
    /// The epoch of this front, or the highest that it has seen.
    pub(super) epoch: Epoch,
    pub(super) leads: bool,
    pub(super) log: &'a ReplicatedLog,
    pub(super) history: &'a History,
    /// Whether replies wait for the twin.
    pub(super) unfenced: bool,
}

/// What is sent of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pace {
    /// Nothing: this front does not lead, or the twin has not said where to begin.
    Waiting,
    /// A whole state, as soon as one may be sent.
    Behind,
    /// Pieces of a state, from this offset on.
    State { slot: Slot, bytes: Vec<u8>, from: usize },
    /// Entries as they are proposed. `mark`: the last slot that was reported as committed.
    Following { next: Slot, mark: Slot },
}

/// The value of [`late`](Sender::late) until the twin has begun to take the log.
const NOT_BEGUN: Option<Slot> = Some(Slot(1));

/// The sending end.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) link_state: LinkState,
    pub(super) trouble: Trouble,
    pause: Duration,
    /// The minor version of the link.
    minor: u16,
    /// The messages after the hello that were sent, and those of them that the twin has processed.
    pub(super) sent: u64,
    heard: u64,
    /// When the twin last processed a message, or when the first of the waiting ones was sent.
    progress: Mono,
    /// When something was last sent.
    spoke: Mono,
    told: Option<Standing>,
    pace: Pace,
    pub(super) history_sync: HistorySync,
    /// The number of the last message about the usage history; answers to earlier ones are ignored.
    pub(super) history_sent: u64,
    /// The twin has every entry up to here.
    acked: Slot,
    /// Slots that were reported as committed, each with the number of the message.
    marks: VecDeque<(u64, Slot)>,
    /// The twin has every entry up to here, and knows that they are committed.
    held: Slot,
    /// No reply waits for the twin until it has every slot up to this one.
    late: Option<Slot>,
    /// A slot that the twin lacked when it was committed, and since when.
    behind: Option<(Slot, Mono)>,
    /// The last report on this front's machine that was sent.
    machine: Option<MachineReport>,
    /// Whether all handles at stock servers were sent.
    placed: bool,
    /// When the next whole state may be sent.
    state_after: Mono,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            link_state: LinkState::Down(Mono(0)),
            trouble: Trouble::default(),
            pause: REDIAL_MIN,
            minor: 0,
            sent: 0,
            heard: 0,
            progress: Mono(0),
            spoke: Mono(0),
            told: None,
            pace: Pace::Waiting,
            history_sync: HistorySync::Off,
            history_sent: 0,
            acked: Slot(0),
            marks: VecDeque::new(),
            held: Slot(0),
            late: NOT_BEGUN,
            behind: None,
            machine: None,
            placed: false,
            state_after: Mono(0),
        }
    }
}

impl Sender {
    /// Takes the link into use: both ends have sent their hello.
    pub(super) fn stands(&mut self, now: Mono, link: LinkId, minor: u16) {
        tracing::info!(target: "tmr_core::front::twin::tell", minor, "the twin listens");
        let state_after = self.state_after;
        *self = Self { link_state: LinkState::Up(link), minor, state_after, ..Self::default() };
        self.progress = now;
        self.spoke = now;
    }

    /// Forgets the link; the next one is dialled after a pause.
    pub(super) fn lost(&mut self, now: Mono) {
        self.link_state = LinkState::Down(now + self.pause);
        self.pause = (self.pause * 2).min(TWIN_REDIAL_MAX);
        self.told = None;
        self.wait();
        self.sent = 0;
        self.heard = 0;
        self.history_sent = 0;
    }

    /// Stops sending the log until the twin reports where to begin.
    fn wait(&mut self) {
        self.pace = Pace::Waiting;
        self.placed = false;
        self.history_sync = HistorySync::Off;
        self.has(Slot(0));
    }

    /// Notes that the twin has everything up to this slot, and nothing is on its way.
    fn has(&mut self, slot: Slot) {
        self.acked = slot;
        self.held = slot;
        self.marks.clear();
    }

    /// Returns the last slot that the twin knows to be committed.
    pub(super) fn held(&self) -> Slot {
        self.held
    }

    /// Whether a reply has to wait until the twin has this slot.
    pub(super) fn holds_back(&self, slot: Slot) -> bool {
        self.stood().is_some() && self.late.is_none() && self.held < slot
    }

    /// Lets no reply wait until the twin has every slot up to `last`.
    pub(super) fn give_up(&mut self, last: Slot) {
        if self.stood().is_some() && self.late.replace(last).is_none() {
            tracing::warn!(
                target: "tmr_core::front::twin::tell",
                "the twin does not take what changes within TransferTimeoutInSeconds: clients are \
                 answered without it until it has caught up"
            );
        }
    }

    /// Whether all handles at stock servers have to be sent.
    pub(super) fn wants_all(&self) -> bool {
        !self.placed && self.pace != Pace::Waiting
    }

    /// Returns the link, once both ends have sent their hello.
    pub(super) fn stood(&self) -> Option<LinkId> {
        match self.link_state {
            LinkState::Up(link) => Some(link),
            _ => None,
        }
    }

    /// Whether the link is up with this minor version or a later one.
    pub(super) fn knows(&self, minor: u16) -> bool {
        self.stood().is_some() && self.minor >= minor
    }

    /// Whether the twin has processed a message of this link, so that it knows that the link is up.
    pub(super) fn is_heard(&self) -> bool {
        self.heard > 0
    }

    /// Returns the number of messages that the twin has not processed.
    pub(super) fn waiting(&self) -> u64 {
        self.sent - self.heard
    }

    /// Whether the twin takes the log of this front entry by entry.
    pub(super) fn follows(&self) -> bool {
        matches!(self.pace, Pace::Following { .. })
    }

    /// Returns the last slot up to which the twin has every entry.
    pub(super) fn acked(&self) -> Slot {
        self.acked
    }

    /// Returns when a message without an answer is too old.
    pub(super) fn due(&self, transfer: Duration) -> Option<Mono> {
        (self.heard < self.sent).then(|| self.progress + transfer)
    }

    /// Returns for how long the twin has processed none of the messages that wait.
    pub(super) fn quiet(&self, now: Mono) -> Duration {
        if self.heard < self.sent { now.since(self.progress) } else { Duration::ZERO }
    }

    /// Returns when the next message is due.
    pub(super) fn next(&self, heartbeat: Duration) -> Option<Mono> {
        match self.pace {
            Pace::Behind => Some(self.state_after),
            _ if self.heard == self.sent => Some(self.spoke + heartbeat),
            _ => None,
        }
    }

    /// Sends a message, if the minor version of the link has it.
    pub(super) fn send(&mut self, now: Mono, tell: &TwinMessage, out: &mut Vec<Intent>) {
        let LinkState::Up(link) = self.link_state else { return };
        let Some(frame) = tell.encode(self.minor) else { return };
        if self.heard == self.sent {
            self.progress = now;
        }
        self.sent += 1;
        self.spoke = now;
        out.push(Intent::Send { link, frame });
    }

    /// Takes an answer of the twin. Returns `false` if the twin knows of slots that this front has
    /// never proposed, although it leads as far as it knows.
    pub(super) fn answered(&mut self, now: Mono, heard: &TwinAck, log: &ReplicatedLog) -> bool {
        if heard.count > self.heard {
            self.heard = heard.count.min(self.sent);
            self.progress = now;
        }
        let epoch = self.told.filter(|told| told.leads.is_some()).map(|told| told.epoch);
        match heard.answer {
            Answer::Ready { epoch: of, group, committed } if Some(of) == epoch => {
                let same = group.is_some() && group == log.group();
                if same && committed > log.last() {
                    self.wait();
                    return false;
                }
                if same && committed.next() >= log.first() {
                    self.has(committed);
                    self.pace = Pace::Following { next: committed.next(), mark: Slot(0) };
                } else {
                    self.has(Slot(0));
                    self.pace = Pace::Behind;
                }
                if self.history_sync == HistorySync::Off {
                    self.history_sync = HistorySync::Unknown;
                }
            }
            Answer::Busy { epoch: of } if Some(of) == epoch => {
                self.wait();
            }
            Answer::Have { epoch: of, last } if Some(of) == epoch => {
                let told = match &self.pace {
                    Pace::Following { next, .. } => Slot(next.0 - 1),
                    Pace::State { slot, .. } => *slot,
                    _ => self.acked,
                };
                self.acked = self.acked.max(last.min(told));
                while let Some(&(_, mark)) = self.marks.front().filter(|(by, _)| *by <= heard.count)
                {
                    self.held = self.held.max(mark.min(last));
                    self.marks.pop_front();
                }
            }
            Answer::Recorded { upto } => self.recorded(heard.count, upto),
            _ => {}
        }
        self.late = self.late.filter(|late| self.held < *late);
        true
    }

    /// Returns for how long the twin has lacked something that is committed; [`Duration::ZERO`] if
    /// that is shorter than [`TWIN_BEHIND`], since entries are always on their way while clients
    /// work.
    pub(super) fn behind(&self, now: Mono) -> Duration {
        let span = self.behind.map_or(Duration::ZERO, |(_, since)| now.since(since));
        if span < TWIN_BEHIND { Duration::ZERO } else { span }
    }

    /// Checks whether the twin has received what it lacked at the last check, and what it lacks
    /// now.
    fn look_behind(&mut self, now: Mono, subject: &Subject<'_>) {
        let copy = if subject.unfenced { self.held } else { self.acked };
        let committed = subject.log.committed();
        self.behind = match self.behind {
            _ if !subject.leads || copy >= committed => None,
            Some((slot, since)) if copy < slot => Some((slot, since)),
            _ => Some((committed, now)),
        };
    }

    /// Sends whatever is due.
    pub(super) fn settle(
        &mut self,
        now: Now,
        subject: &Subject<'_>,
        seats: Vec<RemoteHandle>,
        out: &mut Vec<Intent>,
    ) {
        if self.stood().is_none() {
            return;
        }
        self.tell_standing(now, subject, out);
        self.look_behind(now.mono, subject);
        if subject.leads {
            if subject.unfenced {
                self.tell_seats(now.mono, subject.epoch, seats, out);
            }
            self.tell_state(now.mono, subject, out);
            self.tell_entries(now.mono, subject, out);
            self.tell_history(now.mono, subject.epoch, (subject.history, false), out);
        }
    }

    fn tell_standing(&mut self, now: Now, subject: &Subject<'_>, out: &mut Vec<Intent>) {
        let Subject { part, epoch, leads, log, .. } = *subject;
        let before = self.told.map(|told| (told.part, told.epoch, told.leads.is_some()));
        let changed = before != Some((part, epoch, leads));
        let again = self.heard == self.sent && self.spoke + TWIN_HEARTBEAT <= now.mono;
        if !changed && !again {
            return;
        }
        let since = match self.told {
            Some(told) if leads && told.epoch == epoch => told.leads,
            _ => None,
        };
        if before.is_none_or(|(_, of, led)| (of, led) != (epoch, leads)) {
            self.wait();
            self.late = NOT_BEGUN;
        }
        let leads = leads.then(|| since.unwrap_or(now.wall));
        let standing = Standing { part, epoch, leads, committed: log.committed() };
        self.told = Some(standing);
        self.send(now.mono, &TwinMessage::Standing(standing), out);
    }

    /// Sends the report on this front's machine if it has changed. For how long keepalived has been
    /// silent is counted at both ends alike.
    pub(super) fn tell_machine(&mut self, now: Mono, report: MachineReport, out: &mut Vec<Intent>) {
        let same = |told: &MachineReport| match (told.asks, report.asks) {
            (Asks::Silent(_), Asks::Silent(_)) => {
                *told == MachineReport { asks: told.asks, ..report.clone() }
            }
            _ => *told == report,
        };
        if self.knows(Version::MACHINE) && !self.machine.as_ref().is_some_and(same) {
            self.send(now, &TwinMessage::Machine(report.clone()), out);
            self.machine = Some(report);
        }
    }

    /// Sends which handles at stock servers belong to which seats, before the slots of those seats
    /// are reported as committed.
    fn tell_seats(
        &mut self,
        now: Mono,
        epoch: Epoch,
        seats: Vec<RemoteHandle>,
        out: &mut Vec<Intent>,
    ) {
        if self.pace == Pace::Waiting {
            return;
        }
        let mut anew = !core::mem::replace(&mut self.placed, true);
        if anew && seats.is_empty() {
            return self.send(now, &TwinMessage::Seats { epoch, anew, seats }, out);
        }
        for some in seats.chunks(TWIN_SEATS) {
            let tell = TwinMessage::Seats { epoch, anew, seats: some.to_vec() };
            self.send(now, &tell, out);
            anew = false;
        }
    }

    /// Makes a whole state when that is due, and sends as many pieces as may be on their way.
    fn tell_state(&mut self, now: Mono, subject: &Subject<'_>, out: &mut Vec<Intent>) {
        let (epoch, log) = (subject.epoch, subject.log);
        let Some(group) = log.group() else { return };
        if self.pace == Pace::Behind && self.state_after <= now {
            let (slot, bytes) = (log.committed(), log.committed_state().encode());
            tracing::info!(
                target: "tmr_core::front::twin::tell",
                %slot, bytes = bytes.len(), "sending the twin a whole state"
            );
            self.state_after = now + TWIN_STATE_PAUSE;
            self.pace = Pace::State { slot, bytes, from: 0 };
        }
        while let Pace::State { slot, bytes, from } = &mut self.pace {
            if self.sent - self.heard >= TWIN_PIECES {
                return;
            }
            let slot = *slot;
            let to = bytes.len().min(*from + TWIN_PIECE_BYTES);
            let (piece, offset, last) =
                (bytes[*from..to].to_vec(), *from as u64, to == bytes.len());
            *from = to;
            let tell = TwinMessage::State { epoch, group, slot, offset, bytes: piece, last };
            self.send(now, &tell, out);
            if last {
                self.marks.push_back((self.sent, slot));
                self.pace = Pace::Following { next: slot.next(), mark: slot };
            }
        }
    }

    /// Sends entries as far as the window allows, and the committed slot, with them or, if nothing
    /// is on its way, alone.
    fn tell_entries(&mut self, now: Mono, subject: &Subject<'_>, out: &mut Vec<Intent>) {
        let (epoch, log) = (subject.epoch, subject.log);
        let committed = log.committed();
        while let Pace::Following { next, mark } = self.pace {
            let more = next <= log.last() && next.0 - self.acked.0 <= TWIN_WINDOW;
            let alone = mark < committed && (subject.unfenced || self.sent == self.heard);
            if !more && !alone {
                return;
            }
            let entries = if more { log.entries(next, TWIN_ENTRIES) } else { Some(Vec::new()) };
            let Some(entries) = entries else {
                self.pace = Pace::Behind;
                return;
            };
            let after = Slot(next.0 + entries.len() as u64);
            self.send(now, &TwinMessage::Entries { epoch, first: next, entries, committed }, out);
            self.marks.push_back((self.sent, committed));
            self.pace = Pace::Following { next: after, mark: committed };
        }
    }
}

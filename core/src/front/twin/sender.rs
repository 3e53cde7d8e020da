//! What this front sends to its twin: its role, its machine, its log, its usage history, and
//! handles at stock servers. Entries go out in the step in which they go to the backends; those
//! that the twin does not take stay in the log, which drops them in its own time. Nothing waits for
//! their acknowledgement, except replies in unfenced mode. There the twin is also sent at once
//! which slots are committed, and before that the handles at the servers that belong to these
//! slots.
//!
//! What lives here: which message goes first, and what begins anew with a link or an epoch. What
//! never lives here: the link (that is `sender_link`), and how far the twin has come with the log
//! and the usage history (those are `log_sender` and `history_sync`).
//!
//! Tests: `sender_test` (unfenced mode), `front/tests/twin.rs`, `front/tests/history.rs`.

use super::context::Context;
use super::history_sync::{HistorySync, Recalled};
use super::log_sender::LogSender;
use super::sender_link::SenderLink;
use super::subject::{OwnRole, Subject};
use crate::base::limits::{TWIN_HEARTBEAT, TWIN_SEATS};
use crate::base::time::{Duration, Mono, Now};
use crate::front::backend_kind::BackendKind;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Epoch, Slot};
use crate::messages::twin::{
    Answer, Asks, MachineReport, RemoteHandle, Standing, TwinAck, TwinMessage, Version,
};
use alloc::vec::Vec;

/// The sending end of the line to the twin.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    kind: BackendKind,
    pub(super) link: SenderLink,
    log: LogSender,
    history: HistorySync,
    /// The last report on this front's role that was sent.
    standing: Option<Standing>,
    /// The last report on this front's machine that was sent.
    machine: Option<MachineReport>,
    /// Whether all handles at stock servers were sent.
    handles_sent: bool,
}

impl Sender {
    /// Returns the sending end of a front with backends of this kind, without a link.
    pub(super) fn new(kind: BackendKind) -> Self {
        Self {
            kind,
            link: SenderLink::default(),
            log: LogSender::new(kind),
            history: HistorySync::default(),
            standing: None,
            machine: None,
            handles_sent: false,
        }
    }

    /// Takes the link into use: both ends have sent their hello.
    pub(super) fn link_up(&mut self, now: Mono, link: LinkId, minor: u16) {
        tracing::info!(target: "tmr_core::front::twin::tell", minor, "the twin listens");
        self.link = SenderLink::up(now, link, minor);
        self.log.restart();
        self.history = HistorySync::default();
        self.standing = None;
        self.machine = None;
        self.handles_sent = false;
    }

    /// Forgets the link; the next one is dialled after a pause.
    pub(super) fn lost(&mut self, now: Mono) {
        self.link.lost(now);
        self.standing = None;
        self.wait();
        self.history = HistorySync::default();
    }

    /// Stops sending the log until the twin reports where to begin.
    fn wait(&mut self) {
        self.log.wait();
        self.handles_sent = false;
        self.history.stop();
    }

    /// Returns the last slot up to which the twin's copy counts; see [`LogSender::copy`].
    pub(super) fn copy(&self) -> Slot {
        self.log.copy()
    }

    /// In tests: the last slot up to which the twin has every entry.
    #[cfg(test)]
    pub(super) fn acked(&self) -> Slot {
        self.log.acked()
    }

    /// Returns whether a reply has to wait until the twin has this slot.
    pub(super) fn holds_back(&self, slot: Slot) -> bool {
        self.link.link().is_some() && self.log.holds_back(slot)
    }

    /// Lets no reply wait until the twin has every slot up to `last`.
    pub(super) fn give_up(&mut self, last: Slot) {
        if self.link.link().is_some() {
            self.log.give_up(last);
        }
    }

    /// Returns whether all handles at stock servers have to be sent.
    pub(super) fn wants_all(&self) -> bool {
        !self.handles_sent && !self.log.is_waiting()
    }

    /// Returns whether the twin takes the log of this front entry by entry.
    pub(super) fn follows(&self) -> bool {
        self.log.follows()
    }

    /// Returns for how long the twin has lacked something that is committed.
    pub(super) fn behind(&self, now: Mono) -> Duration {
        self.log.behind(now)
    }

    /// Returns when the next message is due.
    pub(super) fn next(&self, heartbeat: Duration) -> Option<Mono> {
        self.log.state_due().or_else(|| self.link.heartbeat_due(heartbeat))
    }

    /// Takes an answer of the twin. Returns `false` if the twin knows of slots that this front,
    /// which believes that it leads, has never proposed: then another front has led since.
    pub(super) fn answered(&mut self, now: Mono, ack: &TwinAck, log: &ReplicatedLog) -> bool {
        self.link.acknowledged(now, ack.count);
        let led = self.standing.filter(|standing| standing.leads.is_some());
        let epoch = led.map(|standing| standing.epoch);
        match ack.answer {
            Answer::Ready { epoch: of, group, committed } if Some(of) == epoch => {
                if !self.log.begin(group, committed, log) {
                    self.wait();
                    return false;
                }
                self.history.begin();
            }
            Answer::Busy { epoch: of } if Some(of) == epoch => self.wait(),
            Answer::Have { epoch: of, last } if Some(of) == epoch => {
                self.log.acknowledged(ack.count, last);
            }
            Answer::Recorded { upto } => self.history.recorded(ack.count, upto),
            _ => {}
        }
        self.log.note_caught_up();
        true
    }

    /// Sends whatever is due.
    pub(super) fn settle(
        &mut self,
        now: Now,
        subject: &Subject<'_>,
        seats: Vec<RemoteHandle>,
        out: &mut Vec<Intent>,
    ) {
        if self.link.link().is_none() {
            return;
        }
        self.send_standing(now, subject, out);
        self.log.check_backlog(now.mono, subject);
        if subject.own.leads {
            let epoch = subject.own.epoch;
            if self.kind.has_stand_ins() {
                self.send_seats(now.mono, epoch, seats, out);
            }
            self.log.send_state(now.mono, subject, &mut self.link, out);
            self.log.send_entries(now.mono, subject, &mut self.link, out);
            self.history.send(now.mono, epoch, subject.history, &mut self.link, out);
        }
    }

    /// Sends this front's role if it has changed, or if a heartbeat is due. With another epoch or
    /// lead, the log waits until the twin reports where to begin.
    fn send_standing(&mut self, now: Now, subject: &Subject<'_>, out: &mut Vec<Intent>) {
        let OwnRole { part, epoch, leads } = subject.own;
        let sent = |standing: Standing| OwnRole {
            part: standing.part,
            epoch: standing.epoch,
            leads: standing.leads.is_some(),
        };
        let before = self.standing.map(sent);
        let again = self.link.heartbeat_due(TWIN_HEARTBEAT).is_some_and(|at| at <= now.mono);
        if before == Some(subject.own) && !again {
            return;
        }
        let since = match self.standing {
            Some(standing) if leads && standing.epoch == epoch => standing.leads,
            _ => None,
        };
        if before.is_none_or(|before| before.epoch != epoch || before.leads != leads) {
            self.wait();
            self.log.epoch_changed();
        }
        let leads = leads.then(|| since.unwrap_or(now.wall));
        let standing = Standing { part, epoch, leads, committed: subject.log.committed() };
        self.standing = Some(standing);
        self.link.send(now.mono, &TwinMessage::Standing(standing), out);
    }

    /// Sends the report on this front's machine if it has changed. For how long keepalived has been
    /// silent is counted at both ends alike.
    pub(super) fn send_machine(&mut self, now: Mono, report: MachineReport, out: &mut Vec<Intent>) {
        let same = |sent: &MachineReport| match (sent.asks, report.asks) {
            (Asks::Silent(_), Asks::Silent(_)) => {
                *sent == MachineReport { asks: sent.asks, ..report.clone() }
            }
            _ => *sent == report,
        };
        if self.link.has_version(Version::MACHINE) && !self.machine.as_ref().is_some_and(same) {
            self.link.send(now, &TwinMessage::Machine(report.clone()), out);
            self.machine = Some(report);
        }
    }

    /// Sends which handles at stock servers belong to which seats, before the slots of those seats
    /// are reported as committed.
    fn send_seats(
        &mut self,
        now: Mono,
        epoch: Epoch,
        seats: Vec<RemoteHandle>,
        out: &mut Vec<Intent>,
    ) {
        if self.log.is_waiting() {
            return;
        }
        let mut anew = !core::mem::replace(&mut self.handles_sent, true);
        if anew && seats.is_empty() {
            return self.link.send(now, &TwinMessage::Seats { epoch, anew, seats }, out);
        }
        for some in seats.chunks(TWIN_SEATS) {
            let message = TwinMessage::Seats { epoch, anew, seats: some.to_vec() };
            self.link.send(now, &message, out);
            anew = false;
        }
    }

    /// Orders the twin to lead. Lines of the usage history that it lacks are sent first.
    pub(super) fn send_lead(
        &mut self,
        now: Mono,
        epoch: Epoch,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.history.send_all(now, epoch, context.history, &mut self.link, out);
        let committed = context.log.committed();
        self.link.send(now, &TwinMessage::Lead { epoch, committed }, out);
    }

    /// Takes lines of the usage history that the twin lacks, read from disk.
    pub(super) fn recalled(
        &mut self,
        now: Mono,
        epoch: Epoch,
        recalled: Recalled<'_>,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        if let Some(lines) = self.history.recalled(recalled, context) {
            self.history.send_lines(now, epoch, lines, &mut self.link, out);
        }
    }
}

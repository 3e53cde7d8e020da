//! The link that the twin dialled: what this front receives, and answers.
//!
//! What never lives here: how the twin's log becomes this front's (that is `received_log`).

use super::context::Context;
use super::received_log::{Progress, ReceivedLog, StatePiece, ready};
use super::trouble::Trouble;
use crate::base::limits::TWIN_HEARTBEAT;
use crate::base::time::{Duration, Mono};
use crate::front::backend_kind::BackendKind;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{Epoch, Slot};
use crate::messages::twin::{
    Answer, Asks, MachineReport, RemoteHandle, Shared, SignOfLife, Standing, TwinAck, TwinMessage,
    Version,
};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// The contents of a message.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Received {
    /// Serials of virtual containers.
    pub(in crate::front) named: bool,
    /// The twin's configuration, up to minor version 2.
    pub(in crate::front) shared: Option<Shared>,
    /// The same since minor version 3.
    pub(in crate::front) settings: Option<Settings>,
    /// The twin leads, under an epoch that it had not named before.
    pub(in crate::front) leads: Option<Epoch>,
    /// A call of a client of the twin.
    pub(in crate::front) call: Option<ForwardedCall>,
    /// A client of the twin that is gone.
    pub(in crate::front) gone: Option<ClientGone>,
    /// Clients that have called the twin, and whose calls it could not have decided.
    pub(in crate::front) alive: Vec<SignOfLife>,
    /// The twin gives its role away, and this front has everything that it has committed.
    pub(in crate::front) offered: bool,
    /// Handles at stock servers.
    pub(in crate::front) handles: Option<RemoteHandles>,
}

/// The twin's configuration.
#[derive(Clone, Debug)]
pub(in crate::front) struct Settings {
    pub(in crate::front) revision: u32,
    pub(in crate::front) text: String,
}

/// A call of a client of the twin.
#[derive(Clone, Debug)]
pub(in crate::front) struct ForwardedCall {
    /// The twin's number for the client.
    pub(in crate::front) client: u64,
    /// The address of the client.
    pub(in crate::front) from: SocketAddr,
    pub(in crate::front) bytes: Vec<u8>,
}

/// A client of the twin that is gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct ClientGone {
    /// The twin's number for the client.
    pub(in crate::front) client: u64,
    /// How many replies had reached it.
    pub(in crate::front) replies: u32,
}

/// Handles at stock servers, and their seats.
#[derive(Clone, Debug)]
pub(in crate::front) struct RemoteHandles {
    /// Whether these are all of them.
    pub(in crate::front) all: bool,
    pub(in crate::front) handles: Vec<RemoteHandle>,
}

/// The link that the twin dialled.
#[derive(Clone, Copy, Debug)]
struct ReceiverLink {
    link: LinkId,
    minor: u16,
}

/// The twin's report on its machine.
#[derive(Clone, Debug)]
struct ReceivedReport {
    at: Mono,
    report: MachineReport,
}

/// The receiving end.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    kind: BackendKind,
    pub(super) trouble: Trouble,
    link: Option<ReceiverLink>,
    /// The number of messages that were processed.
    count: u64,
    /// When something was last received.
    last: Mono,
    standing: Option<Standing>,
    machine: Option<ReceivedReport>,
    log: ReceivedLog,
}

impl Receiver {
    /// Returns the end of a front with backends of this kind.
    pub(super) fn new(kind: BackendKind) -> Self {
        Self {
            kind,
            trouble: Trouble::default(),
            link: None,
            count: 0,
            last: Mono(0),
            standing: None,
            machine: None,
            log: ReceivedLog::default(),
        }
    }

    /// Takes a link on which the twin has sent its hello. Returns the link that it replaces.
    pub(super) fn link_up(&mut self, now: Mono, link: LinkId, minor: u16) -> Option<LinkId> {
        tracing::info!(target: "tmr_core::front::twin::hear", minor, "the twin tells");
        let old = self.link();
        let link = Some(ReceiverLink { link, minor });
        *self = Self { link, last: now, ..Self::new(self.kind) };
        old
    }

    /// Forgets the link.
    pub(super) fn lost(&mut self) {
        self.link = None;
        self.log.forget();
        self.standing = None;
        self.machine = None;
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        self.link.map(|it| it.link)
    }

    /// Whether the twin sends no usage history, so that it follows from its log alone.
    pub(super) fn sends_no_history(&self) -> bool {
        self.link.is_some_and(|it| it.minor < Version::HISTORY)
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
        let ReceivedReport { at, mut report } = self.machine.clone()?;
        if let Asks::Silent(seconds) = &mut report.asks {
            let since = u32::try_from(now.since(at).as_secs()).unwrap_or(u32::MAX);
            *seconds = seconds.saturating_add(since);
        }
        Some(report)
    }

    /// Whether the twin reports that it has just started.
    pub(super) fn is_starting(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.report.starting)
    }

    /// Returns the epoch under which the twin reports that it leads.
    pub(super) fn leads(&self) -> Option<Epoch> {
        self.standing.filter(|standing| standing.leads.is_some()).map(|standing| standing.epoch)
    }

    /// Returns how many committed slots the twin has reported that are not here.
    pub(super) fn lag(&self, committed: Slot) -> u64 {
        let leading = self.standing.filter(|standing| standing.leads.is_some());
        let reported = leading.map_or(Slot(0), |standing| standing.committed);
        reported.max(self.log.mark()).0.saturating_sub(committed.0)
    }

    /// Whether the twin leads, and reported entries of its log are not here yet.
    pub(super) fn owes(&self, log: &ReplicatedLog) -> bool {
        let all = |epoch| log.committed_state().leader() == epoch && self.lag(log.committed()) == 0;
        self.leads().is_some_and(|epoch| !all(epoch))
    }

    /// Whether everything that the twin has begun to send is complete.
    pub(super) fn is_whole(&self) -> bool {
        (self.leads().is_none() || self.log.takes()) && self.log.is_whole()
    }

    /// Takes a message.
    pub(super) fn received(
        &mut self,
        now: Mono,
        bytes: &[u8],
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Result<Received, CloseReason> {
        let Some(ReceiverLink { minor, .. }) = self.link else { return Ok(Received::default()) };
        let message = TwinMessage::decode(bytes, minor).map_err(|_| {
            CloseReason::Protocol("a twin sent no message of the version that is spoken")
        })?;
        self.last = now;
        self.count += 1;
        let mut received = Received::default();
        let mut answer = Answer::Noted;
        match message {
            TwinMessage::Shared(shared) => received.shared = Some(shared),
            TwinMessage::Settings { revision, text } => {
                received.settings = Some(Settings { revision, text });
            }
            TwinMessage::Standing(standing) => {
                answer = self.stood(standing, context, &mut received);
            }
            TwinMessage::Call { client, from, bytes } => {
                received.call = Some(ForwardedCall { client, from, bytes });
            }
            TwinMessage::Gone { client, replies } => {
                received.gone = Some(ClientGone { client, replies });
            }
            TwinMessage::Machine(report) => {
                self.machine = Some(ReceivedReport { at: now, report });
            }
            TwinMessage::Alive(signs) => received.alive = signs,
            message => {
                if self.log.takes() && context.stands_by {
                    answer = self.led(message, context, &mut received)?;
                }
            }
        }
        out.extend(self.answer(answer));
        Ok(received)
    }

    /// Takes a message that a twin sends while it leads. One of another epoch is ignored.
    fn led(
        &mut self,
        message: TwinMessage,
        context: Context<'_>,
        received: &mut Received,
    ) -> Result<Answer, CloseReason> {
        let Context { log, history, .. } = context;
        let current = self.leads();
        let progress: Progress = match message {
            TwinMessage::State { epoch, group, slot, offset, bytes, last }
                if Some(epoch) == current =>
            {
                let piece = StatePiece { group, slot, offset, bytes, last };
                self.log.take_piece(epoch, piece, log)?
            }
            TwinMessage::Entries { epoch, first, entries, committed } if Some(epoch) == current => {
                self.log.note_committed(committed);
                self.log.take_entries(epoch, first, entries, log)?
            }
            TwinMessage::Seats { epoch, anew, seats } if Some(epoch) == current => {
                let handles = RemoteHandles { all: anew, handles: seats };
                received.handles = Some(handles).filter(|_| self.kind.has_stand_ins());
                Answer::Noted.into()
            }
            TwinMessage::History { epoch, lines, upto } if Some(epoch) == current => {
                history.hear(&lines, upto).map_err(|_| {
                    CloseReason::Protocol("a twin told a usage history that is none")
                })?;
                Answer::Recorded { upto: history.covered() }.into()
            }
            TwinMessage::Lead { epoch, committed } if Some(epoch) == current => {
                self.log.note_committed(committed);
                let named = self.log.commit_marked(log);
                received.offered = log.committed() >= committed;
                Progress { answer: Answer::Noted, named }
            }
            _ => Answer::Noted.into(),
        };
        received.named = progress.named;
        Ok(progress.answer)
    }

    /// Returns the answer to all messages so far; `None` if there is no link any more.
    pub(super) fn answer(&self, answer: Answer) -> Option<Intent> {
        let link = self.link()?;
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
            None => self.log.forget(),
            Some(epoch) if before != Some(epoch) => {
                received.leads = Some(epoch);
                self.log.begin(context.stands_by);
                return self.begin(epoch, context);
            }
            Some(_) => {}
        }
        Answer::Noted
    }

    /// Reports to the twin that its log is taken from now on, or not any more.
    pub(super) fn settle(&mut self, context: Context<'_>, out: &mut Vec<Intent>) {
        let Some(epoch) = self.leads() else { return };
        if context.stands_by == self.log.takes() {
            return;
        }
        self.log.set_takes(context.stands_by);
        let answer = self.begin(epoch, context);
        out.extend(self.answer(answer));
    }

    /// Returns whether the log of the twin's epoch is taken, and where the twin has to begin. If
    /// backends keep no log, slots are the same only under one leader: nothing outlives that leader
    /// unless its twin has it. So entries of another front's log are dropped.
    fn begin(&self, epoch: Epoch, context: Context<'_>) -> Answer {
        let Context { stands_by, log, .. } = context;
        if !stands_by {
            return Answer::Busy { epoch };
        }
        if !self.kind.keeps_log() && log.committed_state().leader() != epoch {
            log.forget();
        }
        ready(epoch, log)
    }
}

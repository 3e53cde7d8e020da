//! The other front. Each front dials the other; the one that dialled sends, and the other one
//! answers. So there are two links, and on each the sender keeps the receiver's copy of the log up
//! to date while it leads.
//!
//! Clients of the front that stands by are served by the one that leads: their calls go over the
//! link that the first one dialled (`forward_out`), and are calls of guests at the other
//! (`forward_in`). If that is not possible, the front that leads at least learns that they have
//! called (`signs_of_life`).
//!
//! What lives here: connecting, hellos, versions, time-outs, and the status of the twin for
//! operators (`sender` and `receiver` have the rest). What never lives here: a decision. The
//! backends decide who leads and what is committed; a report of the twin saves reading, and is
//! checked where it matters. Only with stock servers there is nothing else to go by
//! (`core/docs/consistency.md`, section 10).

mod first_word;
mod forward_in;
mod forward_out;
mod history_sync;
mod receiver;
#[cfg(test)]
mod receiver_test;
mod sender;
#[cfg(test)]
mod sender_test;
mod signs_of_life;
mod status;

use super::LinkNumbers;
use crate::base::limits::{TWIN_HEARTBEAT, TWIN_SILENCE};
use crate::base::log_throttle::LogThrottle;
use crate::base::network::Address;
use crate::base::time::{Deadline, Duration, Mono, Now};
use crate::config;
use crate::front::replication::link_state::LinkState;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::{History, Mark};
use crate::io::Intent;
use crate::link::{CloseReason, LinkId, PeerKind};
use crate::log::{Epoch, Slot};
use crate::messages::twin::{
    Hello, MachineReport, RemoteHandle, Shared, TwinAck, TwinMessage, TwinRole, Version,
};
use crate::status::TwinDifference;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use first_word::chosen_place;
use forward_in::Incoming;
pub(super) use forward_in::{GoneGuest, GuestCall, LostGuest};
use forward_out::Outgoing;
pub(super) use forward_out::{CallToPass, DroppedCall};
pub(super) use history_sync::Recalled;
use receiver::Receiver;
pub(super) use receiver::{Context, Received};
use sender::{Sender, Subject};
use signs_of_life::Signs;
pub(super) use status::shared;

/// The other front, as known to this one.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    config: config::Twin,
    /// The id of this front.
    front: u32,
    /// Whether the backends are stock servers, so that the twin has the only other copy.
    unfenced: bool,
    /// The version that this front speaks.
    own: Version,
    /// The name and version of the twin's program.
    program: Option<String>,
    sender: Sender,
    receiver: Receiver,
    /// When this front first dialled the twin.
    begun: Option<Mono>,
    /// The last place in the log that the twin has reported as chosen, in a hello.
    chosen: Option<Mark>,
    /// Limits the log of connections to the twin's listener that are not the twin's.
    impostors: LogThrottle,
    outgoing: Outgoing,
    incoming: Incoming,
    signs: Signs,
}

/// The role of this front, as reported to the twin.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnPart {
    pub(super) part: TwinRole,
    /// The epoch under which it leads, or the highest that it has seen.
    pub(super) epoch: Epoch,
    pub(super) leads: bool,
}

/// What a message of the twin means to the rest of the front.
#[derive(Debug)]
pub(super) enum Event {
    /// The link that this front dialled is up: the twin is to be sent the configuration.
    Listens,
    /// The twin knows of more than this front has proposed: another front leads.
    KnowsMore,
    /// The twin has replied to a client of this front.
    Reply { link: LinkId, bytes: Vec<u8> },
    /// The twin will not reply to a client of this front.
    Dropped(DroppedCall),
    /// The front of this id now uses this link, and these clients of the previous link are gone.
    Tells { front: u32, lost: Vec<LostGuest> },
    /// A message was received.
    Received(Box<Received>),
}

/// What has ended with a link of the twin.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// Clients of this front whose calls the twin had.
    pub(super) calls: Vec<LinkId>,
    /// Clients of the twin.
    pub(super) guests: Vec<LostGuest>,
}

/// A link of the twin without progress.
#[derive(Debug)]
pub(super) struct LateLink {
    pub(super) link: LinkId,
    /// What did not arrive in time.
    pub(super) what: &'static str,
}

/// What is wrong with one of the two links.
#[derive(Clone, Debug, Default)]
struct Trouble {
    text: Option<String>,
    logged: LogThrottle,
}

impl Trouble {
    /// Keeps the text, and logs it unless another one was logged lately.
    fn note(&mut self, now: Mono, text: String) {
        self.logged.warn(now, &format!("twin: {text}"));
        self.text = Some(text);
    }
}

impl Twin {
    /// Whether both connections are up.
    pub(super) fn stands(&self) -> bool {
        self.sender.stood().is_some() && self.receiver.link().is_some()
    }

    /// Returns for how long the twin has been silent although both connections are up, if that is
    /// longer than an idle twin ever is: its process is stopped, its machine is overloaded, or the
    /// network drops everything.
    fn silent_for(&self, now: Mono) -> Option<Duration> {
        let quiet = self.receiver.quiet(now).max(self.sender.quiet(now));
        (self.stands() && quiet >= TWIN_SILENCE).then_some(quiet)
    }

    /// Returns its configured address.
    pub(super) fn address(&self) -> &Address {
        &self.config.address
    }

    /// Returns a twin as configured, for the front with this id.
    pub(super) fn new(config: config::Twin, front: u32, unfenced: bool) -> Self {
        Self {
            config,
            front,
            unfenced,
            own: Version::OWN,
            program: None,
            sender: Sender::default(),
            receiver: Receiver::default(),
            begun: None,
            chosen: None,
            impostors: LogThrottle::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            signs: Signs::default(),
        }
    }

    /// Returns the link that this front dialled.
    pub(super) fn dialled(&self) -> Option<LinkId> {
        match self.sender.link_state {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// Changes the configuration; a twin that has `moved` is dialled at once.
    pub(super) fn configure(&mut self, now: Mono, config: config::Twin, moved: bool) {
        self.config = config;
        if moved {
            self.sender.link_state = LinkState::Down(now);
            self.sender.trouble = Trouble::default();
            // This front may have been configured as its own twin, and have reported that at both
            // ends.
            self.receiver.trouble = Trouble::default();
        }
    }

    /// Whether the link that this front dialled is up with this minor version or a later one.
    pub(super) fn speaks(&self, minor: u16) -> bool {
        self.sender.knows(minor)
    }

    /// Sends a message, if the link is up and its version has that message.
    pub(super) fn tell(&mut self, now: Mono, tell: &TwinMessage, out: &mut Vec<Intent>) {
        self.sender.send(now, tell, out);
    }

    /// Keeps the differences between the two configurations.
    pub(super) fn differ(&mut self, rows: Vec<TwinDifference>) {
        self.receiver.differ(rows);
    }

    /// Sets another version than [`Version::OWN`], to simulate an older or newer program.
    pub(super) fn speak(&mut self, version: Version) {
        self.own = version;
    }

    fn hello(&self, log: &ReplicatedLog, history: &History) -> Vec<u8> {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let chosen = chosen_place(log, history, self.chosen);
        Hello { version: self.own, front: self.front, program, chosen }.encode()
    }

    /// Judges the twin's hello. Returns the minor version to speak, or why the link has to be
    /// closed.
    fn judge(&self, bytes: &[u8]) -> Result<(u16, Hello), (String, CloseReason)> {
        let address = &self.config.address;
        let Ok(hello) = Hello::decode(bytes) else {
            let text = format!("{address} holds the group key, but says no hello of a twin");
            return Err((text, CloseReason::Protocol("no hello of a twin")));
        };
        if hello.front == self.front {
            let text = format!(
                "TwinServer {address} is this front itself; right would be the address of the \
                 other front's TwinListen"
            );
            return Err((text, CloseReason::Stepped("a front that is its own twin")));
        }
        let Some(minor) = self.own.spoken_with(hello.version) else {
            let text = format!(
                "the twin at {address} (tmrd {}) speaks version {} of the protocol between twins, \
                 this front (tmrd {}) version {}; run versions on both that differ behind the \
                 point only",
                hello.program,
                hello.version,
                env!("CARGO_PKG_VERSION"),
                self.own
            );
            return Err((text, CloseReason::Stepped("a twin of another major version")));
        };
        Ok((minor, hello))
    }
}

impl Twin {
    /// Takes a connection that was accepted on the twin's listener.
    pub(super) fn accepted(
        &mut self,
        link: LinkId,
        from: SocketAddr,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.receiver.strangers.insert(link, from);
        out.push(Intent::Send { link, frame: self.hello(context.log, context.history) });
    }

    /// Takes a message of the twin, on either link. Returns what it means to the rest of the front.
    ///
    /// # Errors
    /// Why its link has to be closed.
    pub(super) fn frame(
        &mut self,
        now: Mono,
        link: LinkId,
        bytes: &[u8],
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Result<Option<Event>, CloseReason> {
        match self.sender.link_state {
            LinkState::Dialling(at, _) if at == link => match self.judge(bytes) {
                Ok((minor, hello)) => {
                    self.greeted(hello);
                    self.sender.stands(now, link, minor);
                    Ok(Some(Event::Listens))
                }
                Err((text, reason)) => {
                    self.sender.lost(now);
                    self.sender.trouble.note(now, text);
                    Err(reason)
                }
            },
            LinkState::Up(at) if at == link => match TwinAck::decode(bytes) {
                Ok(heard) if !self.sender.answered(now, &heard, context.log) => {
                    Ok(Some(Event::KnowsMore))
                }
                Ok(heard) => Ok(self.answered(heard.answer)),
                Err(_) => Err(CloseReason::Protocol("a twin sent no answer")),
            },
            _ if self.receiver.strangers.contains_key(&link) => {
                let judged = self.judge(bytes);
                self.receiver.strangers.remove(&link);
                match judged {
                    Ok((minor, hello)) => Ok(Some(self.tells(now, link, minor, hello, out))),
                    Err((text, reason)) => {
                        self.receiver.trouble.note(now, text);
                        Err(reason)
                    }
                }
            }
            _ if self.receiver.link() == Some(link) => {
                let received = self.receiver.heard(now, bytes, context, out)?;
                Ok(Some(Event::Received(Box::new(received))))
            }
            _ => Ok(None),
        }
    }

    /// Makes this link the one by which the twin sends.
    fn tells(
        &mut self,
        now: Mono,
        link: LinkId,
        minor: u16,
        hello: Hello,
        out: &mut Vec<Intent>,
    ) -> Event {
        let front = hello.front;
        self.greeted(hello);
        let old = self.receiver.stands(now, link, minor);
        // The twin is up, so no pause is needed before it is dialled.
        if let LinkState::Down(_) = self.sender.link_state {
            self.sender.link_state = LinkState::Down(now);
        }
        let lost = match old {
            Some(link) => {
                let reason = CloseReason::Stepped("a later link of the twin took its place");
                out.push(Intent::Close { link, reason });
                self.incoming.lose()
            }
            None => Vec::new(),
        };
        Event::Tells { front, lost }
    }

    /// Handles a closed link. Returns what has ended with it; `None` if it was not a link with the
    /// twin.
    pub(super) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
    ) -> Option<Closed> {
        let address = &self.config.address;
        let mut closed = Closed::default();
        match self.sender.link_state {
            LinkState::Dialling(at, _) if at == link => {
                let text = match reason {
                    CloseReason::Eof => format!(
                        "{address} closed the connection before it proved the group key: another \
                         key there, or no front"
                    ),
                    reason => format!("{address} cannot be reached: {reason}"),
                };
                self.sender.lost(now);
                self.sender.trouble.note(now, text);
            }
            LinkState::Up(at) if at == link => {
                let text = format!("the connection to {address} is lost: {reason}");
                self.sender.lost(now);
                self.sender.trouble.note(now, text);
                closed.calls = self.outgoing.lose();
            }
            _ if self.receiver.link() == Some(link) => {
                self.receiver.lost();
                let text = format!("the connection from {address} is lost: {reason}");
                self.receiver.trouble.note(now, text);
                closed.guests = self.incoming.lose();
            }
            _ => {
                let from = self.receiver.strangers.remove(&link)?;
                if let CloseReason::Protocol(_) = reason {
                    // Without the port, which differs each time.
                    let text = format!("a connection from {}: {reason}", from.ip());
                    self.impostors.warn(now, &format!("twin: {text}"));
                    // As long as the twin has a link, this concerns only the stranger.
                    if self.receiver.link().is_none() {
                        self.receiver.trouble.text = Some(text);
                    }
                }
            }
        }
        Some(closed)
    }

    /// Dials. Returns the links without progress, which have to be closed.
    pub(super) fn timers(
        &mut self,
        now: Mono,
        numbers: &mut LinkNumbers,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Vec<LateLink> {
        let within = self.config.connect_timeout;
        let transfer = self.config.transfer_timeout;
        self.begun.get_or_insert(now);
        let mut late = Vec::new();
        match self.sender.link_state {
            LinkState::Down(at) if at <= now => {
                let link = numbers.next();
                self.sender.link_state = LinkState::Dialling(link, now + within);
                let (to, callee) = (self.config.address.clone(), PeerKind::Twin { within });
                out.push(Intent::Dial { link, to, callee });
                let frame = self.hello(context.log, context.history);
                out.push(Intent::Send { link, frame });
            }
            LinkState::Dialling(link, until) if until <= now => {
                let what = "no hello of the twin within ConnectTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
            LinkState::Up(link) if self.sender.due(transfer).is_some_and(|at| at <= now) => {
                let what = "no answer of the twin within TransferTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
            _ => {}
        }
        if let Some(link) = self.receiver.link() {
            if self.receiver.silent(transfer) <= now {
                let what = "no word of the twin within TransferTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
        }
        late
    }

    /// Sends the twin what is new, and acknowledgements of what has changed here. `seats`: changed
    /// handles at stock servers, or all of them.
    pub(super) fn settle(
        &mut self,
        now: Now,
        own: OwnPart,
        machine: MachineReport,
        seats: Vec<RemoteHandle>,
        context: Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let OwnPart { part, epoch, leads } = own;
        let Context { stands_by, unfenced, log, history } = context;
        let lent = Context { stands_by, unfenced, log: &mut *log, history: &mut *history };
        self.receiver.settle(lent, out);
        let subject = Subject { part, epoch, leads, log, history, unfenced };
        self.sender.settle(now, &subject, seats, out);
        self.sender.tell_machine(now.mono, machine, out);
    }

    /// Returns whether all handles at stock servers have to be sent.
    pub(super) fn wants_all(&self) -> bool {
        self.sender.wants_all()
    }

    /// Returns the epoch under which the twin reports that it leads.
    pub(super) fn leads(&self) -> Option<Epoch> {
        self.receiver.leads()
    }

    /// Returns the twin's report on its machine, as of now; `None` if there is none.
    pub(super) fn machine(&self, now: Mono) -> Option<MachineReport> {
        self.receiver.machine(now)
    }

    /// Returns until when a reply waits for the twin, which lacks the slot: in unfenced mode a
    /// client is sent what is committed when the twin has it too. `None` if the twin has the slot,
    /// or cannot be waited for now.
    pub(super) fn holds_back(&self, now: Mono, slot: Slot) -> Option<Mono> {
        let holds = self.unfenced && self.sender.holds_back(slot);
        holds.then(|| now + self.config.transfer_timeout)
    }

    /// Notes that a reply has waited long enough: none waits until the twin has every slot up to
    /// `last`.
    pub(super) fn is_late(&mut self, last: Slot) {
        self.sender.give_up(last);
    }

    /// Ends a step: sends replies for the twin's clients to the twin, and reports clients of this
    /// front whose links it has closed.
    pub(super) fn forward(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Self { receiver, outgoing, incoming, .. } = self;
        if outgoing.len() + incoming.len() == 0 {
            return;
        }
        out.retain_mut(|intent| incoming.translate(intent, |answer| receiver.answer(answer)));
        let closed = |intent: &Intent| match intent {
            Intent::Close { link, .. } => Some(*link),
            _ => None,
        };
        for link in out.iter().filter_map(closed).collect::<Vec<LinkId>>() {
            self.client_gone(now, link, false, out);
        }
    }

    /// Returns the last slot up to which the twin has every entry in memory under the epoch of this
    /// front; in unfenced mode it also knows that they are committed.
    pub(super) fn copy(&self) -> Slot {
        if self.unfenced { self.sender.held() } else { self.sender.acked() }
    }

    /// Returns whether the twin can be given the lead in good order, as far as its links show.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    pub(super) fn could_lead(&self, now: Mono) -> Result<(), String> {
        let said;
        let reason = if !self.stands() {
            "is not connected"
        } else if let Some(silent) = self.silent_for(now) {
            said = format!("has said nothing for {} s", silent.as_secs());
            &said
        } else if !self.sender.knows(Version::GIVES_LEAD) {
            "runs a version of tmrd that cannot be given the role"
        } else if !self.sender.follows() {
            "does not have this front's log yet"
        } else {
            return Ok(());
        };
        let address = &self.config.address;
        Err(format!(
            "the twin {address} {reason}; to have it lead all the same: tmrd activate there"
        ))
    }

    /// Orders the twin to lead, when no call is being worked on any more. Lines of the usage
    /// history that it lacks are sent first.
    pub(super) fn tell_to_lead(
        &mut self,
        now: Mono,
        epoch: Epoch,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.sender.tell_history(now, epoch, (&*context.history, true), out);
        let committed = context.log.committed();
        self.sender.send(now, &TwinMessage::Lead { epoch, committed }, out);
    }

    /// Finds the differences between the two configurations, for a twin that reports only these
    /// keys.
    pub(super) fn compare(&mut self, own: &Shared, theirs: &Shared) {
        self.receiver.compare(own, theirs);
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let transfer = self.config.transfer_timeout;
        let tell = match self.sender.link_state {
            LinkState::Down(at) => Some(Deadline { at, reason: "dial the twin" }),
            LinkState::Dialling(_, at) => Some(Deadline { at, reason: "twin does not answer" }),
            LinkState::Up(_) => {
                let due = self.sender.due(transfer);
                let due = due.map(|at| Deadline { at, reason: "twin takes nothing" });
                let next = self.sender.next(TWIN_HEARTBEAT);
                Deadline::sooner(due, next.map(|at| Deadline { at, reason: "tell the twin" }))
            }
        };
        let at = self.receiver.silent(transfer);
        let hear = self.receiver.link().map(|_| Deadline { at, reason: "twin is silent" });
        let passed = self.outgoing.due().map(|at| Deadline { at, reason: "a call passed on" });
        Deadline::sooner(Deadline::sooner(tell, hear), passed)
    }
}

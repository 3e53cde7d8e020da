//! The other front. Each dials the other; who dials tells, who was dialled answers. So there are
//! two links, and on each the telling end keeps the other one's copy of the log warm while it
//! leads.
//!
//! Clients of the one that stands by are served by the one that leads: their calls go over the first
//! one's link (`pass`), and are calls of guests at the other (`guest`). Where that cannot be, the one
//! that leads learns at least that they have called (`alive`).
//!
//! What lives here: connecting, hellos, versions, time-outs, what an operator is told (`tell` and
//! `hear` have the rest). What never lives here: a decision. Who leads and what is committed is for
//! the backends to say; what a twin says saves reading, and is asked again where it matters. Only
//! before stock servers its word is all there is (`core/docs/consistency.md`, section 10).

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

use super::{Front, Phase};
use crate::admin::status::TwinDifference;
use crate::config;
use crate::front::replication::backend_link::LinkState;
use crate::history::Mark;
use crate::io::Intent;
use crate::limits::{TWIN_HEARTBEAT, TWIN_SILENCE};
use crate::link::{Address, Callee, Link, Why};
use crate::log::{Epoch, Slot};
use crate::seldom::Seldom;
use crate::time::{Deadline, Duration, Mono, Now};
use crate::wire::twin::{Answer, Heard, Hello, MachineReport, Part, Placed, Tell, Version};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use first_word::chosen_place;
use forward_in::Incoming;
use forward_out::Outgoing;
use receiver::{Context, Received, Receiver};
use sender::{Sender, Subject};
use signs_of_life::Signs;
pub(super) use status::shared;

/// The other front, as this one knows it.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    config: config::Twin,
    /// What this front speaks.
    pub(super) own: Version,
    /// Of the other one's program.
    program: Option<String>,
    sender: Sender,
    receiver: Receiver,
    /// When this front first looked for the other one.
    begun: Option<Mono>,
    /// The last place in the log that it has said, in a hello, to be chosen.
    chosen: Option<Mark>,
    /// Who came in by the twin's door and is not the twin.
    impostors: Seldom,
    outgoing: Outgoing,
    incoming: Incoming,
    signs: Signs,
}

/// What is wrong with one of the two links.
#[derive(Clone, Debug, Default)]
struct Trouble {
    text: Option<String>,
    logged: Seldom,
}

impl Trouble {
    /// Keeps it, and logs it unless something was logged lately.
    fn note(&mut self, now: Mono, text: String) {
        self.logged.warn(now, &format!("twin: {text}"));
        self.text = Some(text);
    }
}

impl Twin {
    /// Both connections stand.
    pub(super) fn stands(&self) -> bool {
        self.sender.stood().is_some() && self.receiver.link().is_some()
    }

    /// For how long it has been silent though both connections stand, if that is longer than an idle
    /// twin ever is: its process is stopped, its machine overloaded, or the line swallows everything.
    fn silent_for(&self, now: Mono) -> Option<Duration> {
        let quiet = self.receiver.quiet(now).max(self.sender.quiet(now));
        (self.stands() && quiet >= TWIN_SILENCE).then_some(quiet)
    }

    /// As configured.
    pub(super) fn address(&self) -> &Address {
        &self.config.address
    }

    pub(super) fn new(config: config::Twin) -> Self {
        Self {
            config,
            own: Version::OWN,
            program: None,
            sender: Sender::default(),
            receiver: Receiver::default(),
            begun: None,
            chosen: None,
            impostors: Seldom::default(),
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
            signs: Signs::default(),
        }
    }

    /// The link that this front dialled.
    pub(super) fn dialled(&self) -> Option<Link> {
        match self.sender.link_state {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// It is looked for by this configuration; where it has `moved` to, at once.
    pub(super) fn configure(&mut self, now: Mono, config: config::Twin, moved: bool) {
        self.config = config;
        if moved {
            self.sender.link_state = LinkState::Down(now);
            self.sender.trouble = Trouble::default();
            // This front may have been told to be its own twin, and have said so at both ends.
            self.receiver.trouble = Trouble::default();
        }
    }

    /// The link that this front dialled stands, and this version or a later one is spoken on it.
    pub(super) fn speaks(&self, minor: u16) -> bool {
        self.sender.knows(minor)
    }

    /// Tells it something, if it is there and knows of such things.
    pub(super) fn tell(&mut self, now: Mono, tell: &Tell, out: &mut Vec<Intent>) {
        self.sender.send(now, tell, out);
    }

    /// In what the two configurations differ.
    pub(super) fn differ(&mut self, rows: Vec<TwinDifference>) {
        self.receiver.differ(rows);
    }

    fn hello(&self, front: u32, chosen: Option<Mark>) -> Vec<u8> {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Hello { version: self.own, front, program, chosen }.encode()
    }

    /// What the other one's hello leads to: the minor version to speak, or why not at all.
    fn judge(&self, front: u32, bytes: &[u8]) -> Result<(u16, Hello), (String, Why)> {
        let address = &self.config.address;
        let Ok(hello) = Hello::decode(bytes) else {
            let text = format!("{address} holds the group key, but says no hello of a twin");
            return Err((text, Why::Protocol("no hello of a twin")));
        };
        if hello.front == front {
            let text = format!(
                "TwinServer {address} is this front itself; right would be the address of the \
                 other front's TwinListen"
            );
            return Err((text, Why::Stepped("a front that is its own twin")));
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
            return Err((text, Why::Stepped("a twin of another major version")));
        };
        Ok((minor, hello))
    }
}

impl Front {
    /// A connection came in by the door for the twin.
    pub(super) fn twin_accepted(&mut self, link: Link, from: SocketAddr, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        twin.receiver.strangers.insert(link, from);
        let chosen = chosen_place(&self.log, self.usage.history(), twin.chosen);
        out.push(Intent::Send { link, frame: twin.hello(self.config.front, chosen) });
    }

    /// A message of the twin, on either link.
    pub(super) fn twin_frame(&mut self, now: Now, link: Link, bytes: &[u8], out: &mut Vec<Intent>) {
        let (stands_by, unfenced) = (self.listens(), self.config.unfenced);
        let id = self.config.front;
        let Some(twin) = &mut self.twin else { return };
        let ended = match twin.sender.link_state {
            LinkState::Dialling(at, _) if at == link => match twin.judge(id, bytes) {
                Ok((minor, hello)) => {
                    twin.greeted(hello);
                    twin.sender.stands(now.mono, link, minor);
                    self.tell_settings(now.mono, out);
                    self.pass_anew(now.mono, out);
                    None
                }
                Err((text, why)) => {
                    twin.sender.lost(now.mono);
                    twin.sender.trouble.note(now.mono, text);
                    Some(why)
                }
            },
            LinkState::Up(at) if at == link => match Heard::decode(bytes) {
                Ok(heard) => {
                    if !twin.sender.answered(now.mono, &heard, &self.log) {
                        // It knows of more than this front has proposed: somebody else leads.
                        self.heartbeat = now.mono;
                    }
                    match heard.answer {
                        Answer::Reply { client, bytes } => self.pass_back(client, bytes, out),
                        Answer::Dropped { client, begun } => self.pass_dropped(client, begun, out),
                        _ => {}
                    }
                    None
                }
                Err(_) => Some(Why::Protocol("a twin sent no answer")),
            },
            _ if twin.receiver.strangers.contains_key(&link) => match twin.judge(id, bytes) {
                Ok((minor, hello)) => {
                    let front = hello.front;
                    twin.greeted(hello);
                    twin.receiver.strangers.remove(&link);
                    let old = twin.receiver.stands(now.mono, link, minor);
                    // It is there: no pause is needed to find that out.
                    if let LinkState::Down(_) = twin.sender.link_state {
                        twin.sender.link_state = LinkState::Down(now.mono);
                    }
                    if let Some(old) = old {
                        let why = Why::Stepped("a later link of the twin took its place");
                        out.push(Intent::Close { link: old, why });
                        self.guests_lost();
                    }
                    self.guests_of(front);
                    None
                }
                Err((text, why)) => {
                    twin.receiver.strangers.remove(&link);
                    twin.receiver.trouble.note(now.mono, text);
                    out.push(Intent::Close { link, why });
                    return;
                }
            },
            _ if twin.receiver.link() == Some(link) => {
                let (log, history) = (&mut self.log, self.usage.history_mut());
                let context = Context { stands_by, unfenced, log, history };
                let heard = twin.receiver.heard(now.mono, bytes, context, out);
                heard.and_then(|received| self.apply_received(now, received, out)).err()
            }
            _ => return,
        };
        if let Some(why) = ended {
            out.push(Intent::Close { link, why: why.clone() });
            self.twin_closed(now.mono, link, &why, out);
        }
    }

    /// What a message of the twin has brought.
    fn apply_received(
        &mut self,
        now: Now,
        received: Received,
        out: &mut Vec<Intent>,
    ) -> Result<(), Why> {
        self.placed = received.seats.filter(|_| self.config.unfenced);
        if received.named {
            self.merge_parts();
        }
        if let (Some(twin), Some(theirs)) = (&mut self.twin, &received.shared) {
            twin.receiver.compare(&shared(&self.config), theirs);
        }
        if let Some((revision, text)) = received.settings {
            self.operator.heard_configuration(revision, text);
            self.compare_configurations(now.mono, out);
        }
        if received.offered {
            self.take_offer(now.mono, out);
        }
        if let Some((client, replies)) = received.gone {
            self.guest_gone(client, replies);
        }
        self.hear_signs(now.mono, &received.alive);
        if let Some(epoch) = received.leads {
            self.highest = self.highest.max(epoch);
            let leads = matches!(self.phase, Phase::Leading { .. });
            let above = self.phase.epoch().is_none_or(|own| own < epoch);
            if above && self.failover.was_told() {
                self.twin_has_taken_over(now.mono);
            } else if self.config.unfenced {
                // There is nobody else to ask.
                self.refused(now.mono, epoch, out);
            } else if above && leads {
                // The twin is no authority. The backends are, and they are asked at once.
                self.heartbeat = now.mono;
            }
        }
        match received.call {
            Some((client, from, bytes)) => self.guest_calls(now, client, (from, bytes), out),
            None => Ok(()),
        }
    }

    /// A link is gone; whether it was one with the twin.
    pub(super) fn twin_closed(
        &mut self,
        now: Mono,
        link: Link,
        why: &Why,
        out: &mut Vec<Intent>,
    ) -> bool {
        let Some(twin) = &mut self.twin else { return false };
        let address = &twin.config.address;
        match twin.sender.link_state {
            LinkState::Dialling(at, _) if at == link => {
                let text = match why {
                    Why::Eof => format!(
                        "{address} closed the connection before it proved the group key: another \
                         key there, or no front"
                    ),
                    why => format!("{address} cannot be reached: {why}"),
                };
                twin.sender.lost(now);
                twin.sender.trouble.note(now, text);
            }
            LinkState::Up(at) if at == link => {
                let text = format!("the connection to {address} is lost: {why}");
                twin.sender.lost(now);
                twin.sender.trouble.note(now, text);
                self.pass_lost(out);
            }
            _ if twin.receiver.link() == Some(link) => {
                twin.receiver.lost();
                let text = format!("the connection from {address} is lost: {why}");
                twin.receiver.trouble.note(now, text);
                self.guests_lost();
            }
            _ => {
                let Some(from) = twin.receiver.strangers.remove(&link) else { return false };
                if let Why::Protocol(_) = why {
                    // Without the port: that is another one each time.
                    let text = format!("a connection from {}: {why}", from.ip());
                    twin.impostors.warn(now, &format!("twin: {text}"));
                    // As long as the twin is there, it is nobody's trouble but theirs.
                    if twin.receiver.link().is_none() {
                        twin.receiver.trouble.text = Some(text);
                    }
                }
            }
        }
        true
    }

    /// Dials, and closes links on which nothing moves.
    pub(super) fn twin_timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let front = self.config.front;
        let Some(twin) = &mut self.twin else { return };
        let within = twin.config.connect_timeout;
        let transfer = twin.config.transfer_timeout;
        twin.begun.get_or_insert(now);
        let mut late = Vec::new();
        match twin.sender.link_state {
            LinkState::Down(at) if at <= now => {
                self.dialled += 2;
                let link = Link(self.dialled);
                twin.sender.link_state = LinkState::Dialling(link, now + within);
                let (to, callee) = (twin.config.address.clone(), Callee::Twin { within });
                out.push(Intent::Dial { link, to, callee });
                let chosen = chosen_place(&self.log, self.usage.history(), twin.chosen);
                out.push(Intent::Send { link, frame: twin.hello(front, chosen) });
            }
            LinkState::Dialling(link, until) if until <= now => {
                late.push((link, "no hello of the twin within ConnectTimeoutInSeconds"));
            }
            LinkState::Up(link) if twin.sender.due(transfer).is_some_and(|at| at <= now) => {
                late.push((link, "no answer of the twin within TransferTimeoutInSeconds"));
            }
            _ => {}
        }
        if let Some(link) = twin.receiver.link() {
            if twin.receiver.silent(transfer) <= now {
                late.push((link, "no word of the twin within TransferTimeoutInSeconds"));
            }
        }
        for (link, what) in late {
            let why = Why::Timeout(what);
            out.push(Intent::Close { link, why: why.clone() });
            self.twin_closed(now, link, &why, out);
        }
        self.pass_late(now, out);
    }

    /// Tells the twin what is new, and answers what has changed here.
    pub(super) fn twin_settle(&mut self, now: Now, seats: Vec<Placed>, out: &mut Vec<Intent>) {
        let (part, machine) = (self.part(now.mono), self.machine_report(now.mono));
        let (stands_by, unfenced) = (self.listens(), self.config.unfenced);
        let leads = matches!(self.phase, Phase::Leading { .. });
        let epoch = self.phase.epoch().unwrap_or(self.highest);
        let Some(twin) = &mut self.twin else { return };
        let (log, history) = (&mut self.log, self.usage.history_mut());
        twin.receiver.settle(Context { stands_by, unfenced, log, history }, out);
        let (log, history) = (&self.log, self.usage.history());
        let subject = Subject { part, epoch, leads, log, history, unfenced };
        twin.sender.settle(now, &subject, seats, out);
        twin.sender.tell_machine(now.mono, machine, out);
    }

    /// It neither leads nor tries to: its copy of the log may be the twin's. In unfenced mode it
    /// takes that also while it waits to claim: it has nothing else to go on with.
    fn listens(&self) -> bool {
        match self.phase {
            Phase::Standby => true,
            Phase::Pausing { .. } => self.config.unfenced,
            _ => false,
        }
    }

    /// The handles at stock servers are to be told whole.
    pub(super) fn twin_wants_all(&self) -> bool {
        self.twin.as_ref().is_some_and(|twin| twin.sender.wants_all())
    }

    /// By its own word the twin leads.
    pub(super) fn twin_leads(&self) -> bool {
        self.twin_epoch().is_some()
    }

    /// The epoch under which the twin leads, by its own word.
    pub(super) fn twin_epoch(&self) -> Option<Epoch> {
        self.twin.as_ref().and_then(|twin| twin.receiver.leads())
    }

    /// What the twin has told of its machine, as it stands now by that; `None`: nothing.
    pub(super) fn twin_machine(&self, now: Mono) -> Option<MachineReport> {
        self.twin.as_ref().and_then(|twin| twin.receiver.machine(now))
    }

    /// In unfenced mode a client hears what is committed when the twin has it too. When such a
    /// reply goes out all the same; `None`: the twin has it, or nobody can wait for it now.
    pub(super) fn twin_lacks(&self, now: Mono, slot: Slot) -> Option<Mono> {
        let twin = self.twin.as_ref().filter(|_| self.config.unfenced)?;
        twin.sender.holds_back(slot).then(|| now + twin.config.transfer_timeout)
    }

    /// A reply has waited long enough: none waits any more until the twin has caught up.
    pub(super) fn twin_is_late(&mut self) {
        let last = self.log.last();
        if let Some(twin) = &mut self.twin {
            twin.sender.give_up(last);
        }
    }

    /// The last thing of a step: what it said to clients of the twin goes to the twin, and the twin
    /// hears of clients of this front whose links it closed.
    pub(super) fn twin_forward(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(Twin { receiver, outgoing, incoming, .. }) = &mut self.twin else { return };
        if outgoing.len() + incoming.len() == 0 {
            return;
        }
        out.retain_mut(|intent| incoming.translate(intent, |answer| receiver.answer(answer)));
        let closed = |intent: &Intent| match intent {
            Intent::Close { link, .. } => Some(*link),
            _ => None,
        };
        for link in out.iter().filter_map(closed).collect::<Vec<Link>>() {
            self.pass_gone(now, link, false, out);
        }
    }

    /// The part that this front plays now.
    pub(super) fn part(&self, now: Mono) -> Part {
        match self.phase {
            Phase::Standby => Part::Standby,
            Phase::Leading { .. } if self.is_confirmed(now) => Part::Active,
            _ => Part::Starting,
        }
    }

    /// The twin has every entry up to this slot in its memory, under the epoch of this front; in
    /// unfenced mode it also knows that they are committed.
    pub(super) fn twin_has(&self, slot: Slot) -> bool {
        self.twin.as_ref().is_some_and(|twin| self.twin_copy(twin) >= slot)
    }

    fn twin_copy(&self, twin: &Twin) -> Slot {
        if self.config.unfenced { twin.sender.held() } else { twin.sender.acked() }
    }

    /// Whether the twin can be given the lead in good order.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    pub(super) fn twin_could_lead(&self, now: Mono) -> Result<(), String> {
        let Some(twin) = &self.twin else {
            let none = "there is no other front: TmrServer.TwinServer is not configured";
            return Err(none.to_owned());
        };
        let said;
        let why = if twin.sender.stood().is_none() || twin.receiver.link().is_none() {
            "is not connected"
        } else if let Some(silent) = twin.silent_for(now) {
            said = format!("has said nothing for {} s", silent.as_secs());
            &said
        } else if !twin.sender.knows(Version::GIVES_LEAD) {
            "runs a version of tmrd that cannot be given the role"
        } else if !twin.sender.follows() {
            "does not have this front's log yet"
        } else {
            let Err(why) = self.twin_machine_could(now) else { return Ok(()) };
            return Err(format!("the twin {} {why}", twin.config.address));
        };
        let address = &twin.config.address;
        Err(format!("the twin {address} {why}; to have it lead all the same: tmrd activate there"))
    }

    /// Tells the twin to lead: nothing is on its way any more.
    pub(super) fn tell_twin_to_lead(&mut self, now: Mono, epoch: Epoch, out: &mut Vec<Intent>) {
        let committed = self.log.committed();
        self.tell_twin_history(now, epoch, out);
        if let Some(twin) = &mut self.twin {
            twin.sender.send(now, &Tell::Lead { epoch, committed }, out);
        }
    }

    pub(super) fn twin_deadline(&self) -> Option<Deadline> {
        let twin = self.twin.as_ref()?;
        let transfer = twin.config.transfer_timeout;
        let tell = match twin.sender.link_state {
            LinkState::Down(at) => Some(Deadline { at, reason: "dial the twin" }),
            LinkState::Dialling(_, at) => Some(Deadline { at, reason: "twin does not answer" }),
            LinkState::Up(_) => {
                let due = twin.sender.due(transfer);
                let due = due.map(|at| Deadline { at, reason: "twin takes nothing" });
                let next = twin.sender.next(TWIN_HEARTBEAT);
                Deadline::sooner(due, next.map(|at| Deadline { at, reason: "tell the twin" }))
            }
        };
        let at = twin.receiver.silent(transfer);
        let hear = twin.receiver.link().map(|_| Deadline { at, reason: "twin is silent" });
        let passed = twin.outgoing.due().map(|at| Deadline { at, reason: "a call passed on" });
        Deadline::sooner(Deadline::sooner(tell, hear), passed)
    }
}

//! The TMR server role: clients in front, three backends behind, one virtual container to show.
//!
//! What lives here: the components and the way between them. `leadership` decides whether this front
//! leads, `replication` brings the log to the backends, `calls` answers clients, `twin` speaks with the
//! other front, `usage` records what was used, `operator` shows all this and takes commands, and
//! `unfenced` stands in for backends that are stock servers.
//! What never lives here: what a call means (that is [`service`](crate::service)) and how a seat is
//! counted (that is [`log`](crate::log)).

mod calls;
mod config;
mod host;
mod leadership;
#[cfg(feature = "model")]
mod model;
mod operator;
mod replication;
mod routes;
#[cfg(test)]
mod tests;
mod twin;
mod unfenced;
mod usage;

use crate::base::credentials::AdminAccess;
use crate::base::random::Random;
use crate::base::time::{Deadline, Mono, Now};
use crate::history::History;
use crate::io::{HistoryRequest, Input, Intent};
use crate::link::{CloseReason, Frame, LinkId, Listener};
use crate::log::{Epoch, GroupId, Slot};
use crate::messages::group::{Order, Report, decode};
use crate::messages::twin::{RemoteHandle, Version};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use calls::Calls;
pub use calls::{Copied, Review, Reviewed, review};
pub use config::Config;
use leadership::claim::PartialState;
use leadership::date::GroupDate;
use leadership::failover::{self, Failover};
use leadership::phase::Phase;
use leadership::recovery::Recovery;
use leadership::role::Role;
use leadership::vigil::Vigil;
#[cfg(feature = "model")]
#[doc(hidden)]
pub use model::{Fingerprint, Timer};
use operator::Operator;
use replication::Replication;
use replication::backend_link::OrderPurpose;
use twin::Twin;
use unfenced::Unfenced;
use usage::Usage;

/// Numbers for the links that a front dials: odd ones, none of which comes again.
#[derive(Clone, Copy, Debug, Default)]
struct LinkNumbers(u64);

impl LinkNumbers {
    fn next(&mut self) -> LinkId {
        self.0 += 1;
        LinkId(2 * self.0 + 1)
    }
}

/// A front.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Front {
    config: Config,
    replication: Replication,
    twin: Option<Twin>,
    phase: Phase,
    role: Role,
    failover: Failover,
    /// The highest epoch it has seen anywhere.
    highest: Epoch,
    claim_until: Mono,
    /// Claims that led nowhere, one after the other.
    futile: u32,
    /// Of the claim before: a state that was not read to its end.
    partial: Option<PartialState>,
    /// What licences are judged by.
    date: GroupDate,
    /// Whether this front has slept.
    vigil: Vigil,
    /// Fewer than two of those who were last read are members.
    unproved: bool,
    /// The last slot of a group that was known to be chosen when the latest claim began.
    claim_knew: Option<(GroupId, Slot)>,
    /// The last slot that is known to be chosen, and the last one that could be read.
    shortfall: Option<(Slot, Slot)>,
    /// A backend knows more to be chosen than this front led with; in words.
    contradiction: Option<String>,
    /// What an operator has ordered where memory is lost.
    recovery: Recovery,
    /// What was last said to keep this front from leading.
    said: Option<String>,
    calls: Calls,
    operator: Operator,
    numbers: LinkNumbers,
    heartbeat: Mono,
    /// Clients were dropped because no majority confirms this front.
    silenced: bool,
    /// What stands in for the backends in unfenced mode; `None` otherwise, and during its step.
    unfenced: Option<Box<Unfenced>>,
    /// What the twin has just told of handles at stock servers, and whether that is all of them.
    placed: Option<(bool, Vec<RemoteHandle>)>,
    usage: Usage,
    random: Random,
}

impl Front {
    /// A front that stands by until it is activated.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let twin = config.twin.clone();
        let twin = twin.map(|twin| Twin::new(twin, config.front, config.unfenced));
        let unfenced = config.unfenced.then(|| Box::new(Unfenced::new(&config, &mut random)));
        Self {
            replication: Replication::new(&config.backends),
            twin,
            phase: Phase::Standby,
            role: Role::default(),
            failover: Failover::default(),
            highest: Epoch::default(),
            claim_until: Mono(0),
            futile: 0,
            partial: None,
            date: GroupDate::default(),
            vigil: Vigil::default(),
            unproved: false,
            claim_knew: None,
            shortfall: None,
            contradiction: None,
            recovery: Recovery::default(),
            said: None,
            calls: Calls::new(&config),
            operator: Operator::new(config.seed),
            numbers: LinkNumbers::default(),
            heartbeat: Mono(0),
            silenced: false,
            unfenced,
            placed: None,
            usage: Usage::default(),
            random,
            config,
        }
    }

    /// Speaks another version than [`Version::OWN`] to its twin, from its first step on: that is how
    /// an older or newer program is simulated.
    pub fn speak(&mut self, version: Version) {
        if let Some(twin) = &mut self.twin {
            twin.speak(version);
        }
    }

    /// With what is known of who can come in at its admin pages before anybody can ask for them.
    #[must_use]
    pub fn with_entrance(mut self, entrance: AdminAccess) -> Self {
        self.operator.set_entrance(entrance);
        self
    }

    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        let Some(mut unfenced) = self.unfenced.take() else { return self.turn(now, input, out) };
        let due = unfenced.step(self, now, input, out);
        self.unfenced = Some(unfenced);
        due
    }

    /// A step that sees backends as backends of ours, whatever they are.
    fn turn(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.calls.desk_mut().start(now);
        self.operator.start(now.mono);
        self.look_at_the_time(now);
        self.update_date(now);
        self.replication.log_mut().at(self.date.now());
        self.timers(now.mono, out);
        self.resume(now, out);
        let tells_no_clock = matches!(input, Input::Calls(_));
        match input {
            Input::Tick => {}
            Input::Counted(counts) => self.operator.counted(counts),
            Input::Accepted { link, listener: Listener::Licence, .. }
                if self.failover.turns_away() =>
            {
                out.push(Intent::Close { link, reason: failover::LEAVES });
            }
            Input::Accepted { link, listener: Listener::Licence, from } => {
                self.calls.desk_mut().accepted(now, link, from);
            }
            Input::Accepted {
                link,
                listener: listener @ (Listener::Admin | Listener::Machine),
                from,
            } => {
                self.operator.accepted(link, listener, from.ip());
            }
            Input::Accepted { link, listener: Listener::Twin, from } => {
                self.twin_accepted(link, from, out);
            }
            Input::Frame { link, frame } => self.frame(now, link, frame, out),
            Input::Calls(calls) => {
                for (link, bytes) in calls {
                    self.call(now, link, bytes, out);
                }
            }
            Input::Closed { link, reason, unsent } => {
                self.closed(now.mono, link, &reason, unsent, out);
            }
            Input::Host(event) => self.host_event(now, event, out),
        }
        if !tells_no_clock {
            self.update_date(now);
        }
        self.settle(now, out);
        self.doubt(now.mono);
        self.replication.watch_doubled(now.mono);
        self.tell_recovery(now, out);
        self.tell_away(out);
        self.twin.iter_mut().for_each(|twin| twin.forward(now.mono, out));
        self.observe(now);
        let lines = self.usage.take_lines();
        if !lines.is_empty() {
            out.push(HistoryRequest::Record(lines).into());
        }
        debug_assert!(self.check_invariants());
        let due = self.deadline();
        self.expect(due)
    }

    /// Everything that follows from what came in, until nothing more does.
    fn settle(&mut self, now: Now, out: &mut Vec<Intent>) {
        let need = if let Phase::Reproposing { need, .. } = self.phase { need } else { 2 };
        if matches!(self.phase, Phase::Reproposing { .. } | Phase::Leading { .. }) {
            let upto = self
                .replication
                .reached(need, &self.surroundings())
                .min(self.replication.log().last());
            if upto > self.replication.log().committed() {
                self.replication.log_mut().commit(upto);
                self.calls.take_handles(self.replication.log());
                self.proved(now.mono);
            }
            let (calls, mut context) = self.with_calls();
            calls.answer_committed(now.mono, &mut context, out);
            let (replication, context) = self.with_replication();
            replication.admit(&context);
            self.log_obstacle();
        }
        let told = !matches!(self.phase, Phase::Leading { .. })
            && !self.twin.as_ref().is_some_and(Twin::tells_no_history);
        let (usage, mut context) = self.recording();
        usage.record_committed(told, &mut context);
        self.failover_settle(now.mono, out);
        if let Phase::Leading { .. } = self.phase {
            // Before any call is served: it may ask for a container by its serial.
            let (calls, mut context) = self.with_calls();
            calls.name_containers(&mut context);
            // What is asked for at the end of every step comes last: it counts members.
            if self.calls.has_parked() && self.begins(now.mono) {
                self.serve_parked(now, out);
            }
            let due = self.calls.service().due().is_some_and(|due| due <= now.mono);
            if due && self.hears_clients() {
                let service = self.calls.desk_mut();
                for entry in service.ended(now.mono, self.replication.log().speculative_state()) {
                    self.replication.log_mut().propose(entry);
                }
            }
            self.calls.see_to_handles(self.replication.log_mut());
        }
        let (replication, context) = self.with_replication();
        replication.replicate(now.mono, &context, out);
        self.guests_settle(out);
        self.pass_settle(now.mono, out);
        // Where there are stand-ins, it is told when they have done their part.
        if !self.config.unfenced {
            self.twin_settle(now, Vec::new(), out);
        }
        self.failover_close(now.mono, out);
    }

    fn frame(&mut self, now: Now, link: LinkId, frame: Frame, out: &mut Vec<Intent>) {
        match frame {
            Frame::Call(bytes) => self.call(now, link, bytes, out),
            Frame::Http(request) => self.http(now, link, &request, None, out),
            Frame::Unheard(request) => {
                if !self.operator.drops(link, &request, out) {
                    self.http(now, link, &request, None, out);
                }
            }
            Frame::Twin(bytes) => self.twin_frame(now, link, &bytes, out),
            // Stand-ins take the replies of stock servers; a late one is nobody's.
            Frame::Reply(_) => {}
            Frame::Joined { minor, .. } => {
                let Some(index) = self.replication.backend_of(link) else { return };
                let backend = self.replication.backend_mut(index);
                backend.joined(now.mono, link, minor);
                backend.ask(now.mono, OrderPurpose::Describe, &Order::Describe, out);
            }
            Frame::Batch(batch) => {
                let Some(index) = self.replication.backend_of(link) else { return };
                let Ok(messages) = decode::<Report>(&batch) else {
                    let reason = CloseReason::Protocol("a backend sent no run of messages");
                    return self.drop_backend(now.mono, link, index, reason, out);
                };
                for message in messages {
                    self.report(now.mono, index, message.correlation, message.body, out);
                }
            }
        }
    }

    fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
        unsent: bool,
        out: &mut Vec<Intent>,
    ) {
        if let Some(index) = self.replication.backend_of(link) {
            return self.lost_backend(now, index, reason, out);
        }
        if self.operator.closed(link) || self.twin_closed(now, link, reason, out) {
            return;
        }
        self.twin.iter_mut().for_each(|twin| twin.client_gone(now, link, unsent, out));
        self.client_closed(link, unsent);
    }

    /// In tests: proposes so many entries that do nothing.
    #[cfg(test)]
    fn fill(&mut self, count: u32) {
        for _ in 0..count {
            self.replication.log_mut().propose(crate::log::Entry::Expire(crate::log::Handle(0)));
        }
    }

    /// In tests: the last slot that is committed.
    #[cfg(test)]
    fn committed(&self) -> Slot {
        self.replication.log().committed()
    }

    /// Takes lines of the usage history that were written before this process began, oldest first.
    /// Before the first step.
    pub fn remember(&mut self, lines: &[u8]) {
        self.usage.remember(lines);
    }

    /// The usage history as far as it is in memory.
    #[must_use]
    pub fn history(&self) -> &History {
        self.usage.history()
    }

    /// Lends the usage history what it records by.
    fn recording(&mut self) -> (&mut Usage, usage::Context<'_>) {
        let leads = matches!(self.phase, Phase::Leading { .. });
        let Self { usage, replication, calls, config, .. } = self;
        let log = replication.log_mut();
        (usage, usage::Context { leads, log, catalogue: &calls.virtuals().catalogue, config })
    }

    /// What must hold between any two steps.
    fn check_invariants(&self) -> bool {
        let sane = self.replication.log().committed() <= self.replication.log().last();
        let quiet = self.role.is_to_lead() || matches!(self.phase, Phase::Standby);
        let newest = self.calls.last_awaited();
        let flights = newest.is_none_or(|slot| slot <= self.replication.log().last());
        sane && quiet && flights && self.guests_are_at_the_desk()
    }
}

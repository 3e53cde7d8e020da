//! The front of a TMR server: it has clients, three backends, and one virtual container to show.
//!
//! What lives here: the components, and one step of a front as the order in which they run.
//! `leadership` decides whether this front leads, `replication` brings the log to the backends,
//! `calls` answers clients, `twin` exchanges messages with the other front, `usage` records what
//! was used, `operator` shows the status and takes orders, and `unfenced` has stand-ins for
//! backends that are stock servers. No component holds another one: `routes` lends each what it
//! needs of the others for one call. `config` and `backend_kind` say what a front is told and what
//! it may expect of its backends; `model` and `print` exist for an exhaustive check only.
//!
//! What never lives here: a decision of a component; what a call means (that is
//! [`service`](crate::service)); how a seat is counted (that is [`log`](crate::log)).
//!
//! Tests: `front/tests/` plays fronts with real backends in memory and in virtual time; unit tests
//! of a component stand beside it (`*_test.rs`). The simulator and the model (package `tmr-tests`)
//! play the same fronts.

mod backend_id;
mod backend_kind;
mod calls;
mod config;
mod host;
mod leadership;
#[cfg(feature = "model")]
mod model;
mod operator;
#[cfg(feature = "model")]
mod print;
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
use crate::messages::twin::Version;
use alloc::boxed::Box;
use alloc::vec::Vec;
pub use backend_id::BackendId;
use calls::Calls;
pub use calls::{Copied, PartDifference, Review, Reviewed, review};
pub use config::Config;
use leadership::Leadership;
use leadership::failover::LEAVES;
#[cfg(feature = "model")]
#[doc(hidden)]
pub use model::{CommittedLog, Fingerprint, Timer};
use operator::Operator;
use replication::Replication;
use twin::{RemoteHandles, Twin};
use unfenced::Unfenced;
use usage::Usage;

/// Numbers for the links that a front dials: odd, and each is used once.
#[derive(Clone, Copy, Debug, Default)]
struct LinkNumbers(u64);

impl LinkNumbers {
    /// Returns a number that was not used before.
    fn next(&mut self) -> LinkId {
        self.0 += 1;
        LinkId(2 * self.0 + 1)
    }
}

/// A front, as one state machine: every input goes through [`Front::step`].
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Front {
    config: Config,
    replication: Replication,
    twin: Option<Twin>,
    leadership: Leadership,
    calls: Calls,
    operator: Operator,
    /// The numbers of links to backends and to the twin.
    numbers: LinkNumbers,
    /// The stand-ins for the backends in unfenced mode; `None` otherwise, and during their step.
    unfenced: Option<Box<Unfenced>>,
    /// Handles at stock servers that the twin has reported in this turn; `unfenced` takes them
    /// after it.
    reported_handles: Option<RemoteHandles>,
    usage: Usage,
    random: Random,
}

impl Front {
    /// Returns a front that stands by until it is activated.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let twin = config.twin.clone();
        let twin = twin.map(|twin| Twin::new(twin, config.front, config.backend_kind()));
        let stand_ins = config.backend_kind().has_stand_ins();
        let unfenced = stand_ins.then(|| Box::new(Unfenced::new(&config, &mut random)));
        Self {
            replication: Replication::new(&config.backends),
            twin,
            leadership: Leadership::new(),
            calls: Calls::new(&config),
            operator: Operator::new(config.seed),
            numbers: LinkNumbers::default(),
            unfenced,
            reported_handles: None,
            usage: Usage::default(),
            random,
            config,
        }
    }

    /// Sets the version that this front speaks to its twin, from the first step on. Simulations of
    /// older and newer programs use it in place of [`Version::OWN`].
    pub fn speak(&mut self, version: Version) {
        if let Some(twin) = &mut self.twin {
            twin.speak(version);
        }
    }

    /// Sets the access to the admin pages, before the first request for them.
    #[must_use]
    pub fn with_entrance(mut self, entrance: AdminAccess) -> Self {
        self.operator.set_entrance(entrance);
        self
    }

    /// Runs due timers, takes one input, and appends intents to `out`. Returns the next deadline.
    /// See [`Node::step`](crate::node::Node::step).
    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        let Some(mut unfenced) = self.unfenced.take() else { return self.turn(now, input, out) };
        let due = unfenced.step(self, now, input, out);
        self.unfenced = Some(unfenced);
        due
    }

    /// Runs one step, with the backends or with the stand-ins that take their place.
    fn turn(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Deadline> {
        self.calls.service_mut().start(now);
        self.operator.start(now.mono);
        let (leadership, mut context) = self.with_leadership();
        leadership.note_sleep(now, &mut context);
        self.leadership.update_date(now, &self.replication);
        self.replication.log_mut().at(self.leadership.date());
        self.timers(now.mono, out);
        self.resume(now, out);
        let tells_no_clock = matches!(input, Input::Calls(_));
        match input {
            Input::Tick => {}
            Input::Counted(counts) => self.operator.counted(counts),
            Input::Accepted { link, listener: Listener::Licence, .. }
                if self.leadership.failover().turns_away() =>
            {
                out.push(Intent::Close { link, reason: LEAVES });
            }
            Input::Accepted { link, listener: Listener::Licence, from } => {
                self.calls.service_mut().accepted(now, link, from);
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
            self.leadership.update_date(now, &self.replication);
        }
        self.settle(now, out);
        let (leadership, mut context) = self.with_leadership();
        leadership.end_step(now, &mut context, out);
        self.twin.iter_mut().for_each(|twin| twin.forward(now.mono, out));
        self.observe(now);
        let lines = self.usage.take_lines();
        if !lines.is_empty() {
            out.push(HistoryRequest::Record(lines).into());
        }
        debug_assert!(self.check_invariants());
        let due = self.leadership.deadline(self.view());
        self.leadership.expect(due)
    }

    /// Hands a frame to the component that its kind concerns.
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
            // Stand-ins take the replies of stock servers; a late one is dropped.
            Frame::Reply(_) => {}
            Frame::Joined { minor, .. } => self.replication.joined(now.mono, link, minor, out),
            Frame::Batch(batch) => self.reports(now.mono, link, &batch, out),
        }
    }

    /// Handles a closed link, by whichever component has it. `unsent`: the last reply on it was not
    /// handed to the network.
    fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
        unsent: bool,
        out: &mut Vec<Intent>,
    ) {
        if self.backend_closed(now, link, reason, out)
            || self.operator.closed(link)
            || self.twin_closed(now, link, reason, out)
        {
            return;
        }
        self.twin.iter_mut().for_each(|twin| twin.client_gone(now, link, unsent, out));
        self.client_closed(link, unsent);
    }

    /// Takes lines of the usage history that were written before this process began, oldest first.
    /// It must be called before the first step.
    pub fn remember(&mut self, lines: &[u8]) {
        self.usage.remember(lines);
    }

    /// Returns the part of the usage history that is in memory.
    #[must_use]
    pub fn history(&self) -> &History {
        self.usage.history()
    }

    /// Returns whether the invariants hold that are true between any two steps.
    fn check_invariants(&self) -> bool {
        let sane = self.replication.log().committed() <= self.replication.log().last();
        let quiet = self.leadership.role().is_to_lead() || self.leadership.is_standby();
        let newest = self.calls.last_awaited();
        let flights = newest.is_none_or(|slot| slot <= self.replication.log().last());
        sane && quiet && flights && self.remote_clients_are_known()
    }
}

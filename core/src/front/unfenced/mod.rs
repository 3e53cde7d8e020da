//! Unfenced mode: the three backends are stock licence servers, which know only the public API.
//!
//! What lives here: three stand-ins, each of which answers the front's orders as a tmrd backend
//! would ([`stand_in`]) and has its server give and take the seats ([`driver`]), over a few
//! strictly alternating connections ([`pool`]), with what it has found out about the server
//! ([`discovery`]). So the front's claim, log, votes and status are the same in both modes.
//!
//! It also decides which of this the twin is sent, and what a front does with it when it takes the
//! lead ([`takeover`]).
//!
//! What never lives here: a promise. The log is in the memory of this process and of its twin; two
//! fronts that both assume the lead are kept apart only by the link between them
//! (`core/docs/consistency.md`, section 10).

mod acknowledgements;
mod calls;
#[cfg(test)]
mod calls_test;
mod discovery;
#[cfg(test)]
mod discovery_test;
mod driver;
mod entry;
mod initial_log;
mod inventory;
mod job;
mod pool;
mod seat_changes;
mod seat_table;
mod stand_in;
#[cfg(test)]
mod stand_in_test;
mod takeover;
#[cfg(test)]
mod takeover_test;

use super::twin::Twin;
use super::{Config, Front};
use crate::base::random::Random;
use crate::base::time::{Deadline, Now};
use crate::config;
use crate::front::BackendId;
use crate::front::routes::reconfigure::places;
use crate::io::{FrontEvent, HostEvent, Input, Intent};
use crate::link::{Frame, LinkId, PeerKind};
use crate::log::{ContainerId, DiskId, Epoch, GroupId};
use crate::messages::group::{Order, decode};
use alloc::vec::Vec;
use initial_log::InitialLog;
use stand_in::{Event, StandIn};
use takeover::TakeoverHandles;

/// The stand-ins of the three servers.
#[derive(Clone, Debug)]
pub(super) struct Unfenced {
    stand_ins: [StandIn; 3],
    /// The group that is born if there is no log to continue.
    group: GroupId,
    members: [DiskId; 3],
    takeover_handles: TakeoverHandles,
    /// The latest epoch that the front has claimed.
    claimed: Option<Epoch>,
}

impl Unfenced {
    pub(super) fn new(config: &Config, random: &mut Random) -> Self {
        let group = GroupId(random.u128());
        let members = [0; 3].map(|_| DiskId(random.u128()));
        let wanted: Vec<ContainerId> = config.virtuals.iter().map(|&(id, _)| id).collect();
        let log = InitialLog::birth(config.front, group, members);
        let mut disks = members.into_iter();
        let stand_ins = config.backends.each_ref().map(|address| {
            let disk = disks.next().unwrap_or_default();
            StandIn::new(address.clone(), wanted.clone(), disk, &log)
        });
        Self {
            stand_ins,
            group,
            members,
            takeover_handles: TakeoverHandles::default(),
            claimed: None,
        }
    }

    /// Runs a step of the front with its stand-ins: these take the inputs and intents that concern
    /// them, and the step goes on until neither side has anything left for the other.
    pub(super) fn step(
        &mut self,
        front: &mut Front,
        now: Now,
        input: Input,
        out: &mut Vec<Intent>,
    ) -> Option<Deadline> {
        for stand in &mut self.stand_ins {
            stand.timers(now.mono, out);
        }
        if let Input::Frame { frame: Frame::Http(_) | Frame::Unheard(_), .. } = &input {
            // The admin page shows who holds what, and at which server.
            for (stand, backend) in self.stand_ins.iter().zip(front.replication.backends_mut()) {
                backend.set_seats(stand.seat_table().held());
            }
        }
        if let Input::Host(HostEvent::Front(FrontEvent::Configured(new))) = &input {
            self.configured(front, now, &new.config, out);
        }
        let mut input = self.server(now, input, out).or(Some(Input::Tick));
        let mut wants = Vec::new();
        loop {
            if let Some(input) = input.take() {
                front.turn(now, input, &mut wants);
                self.follow(front);
            }
            for intent in wants.drain(..) {
                self.front_wants(front, now, intent, out);
            }
            self.take_up(front, now);
            for stand in &mut self.stand_ins {
                let new = || front.numbers.next();
                stand.pump(now.mono, new, out);
            }
            let next = BackendId::all().find_map(|id| Some((id, self.stand_ins[id].next_event()?)));
            match next {
                Some((_, Event::Line(event))) => input = Some(event),
                Some((index, Event::Refused(slot, error))) => {
                    front.calls.refused_there(index, slot, error);
                }
                Some((index, Event::Unable(correlation))) => {
                    front.unable(now.mono, index, correlation, &mut wants);
                    input = Some(Input::Tick);
                }
                None => break,
            }
        }
        self.stand_ins.iter().for_each(|stand| stand.seat_table().check_invariants());
        // After all replies of the servers, so that the twin is sent these handles before the slots
        // that are committed by them.
        let seats = self.handles_for_twin(front.twin.as_ref().is_some_and(Twin::wants_all));
        front.twin_settle(now, seats, out);
        self.stand_ins
            .iter()
            .filter_map(StandIn::deadline)
            .chain(front.leadership.deadline(front.view()))
            .min()
    }

    /// Takes a new configuration, with other servers or other containers. The places are those of
    /// the front.
    fn configured(&mut self, front: &Front, now: Now, new: &config::Config, out: &mut Vec<Intent>) {
        let wanted: Vec<ContainerId> = new.virtuals.iter().map(|&(id, _)| id).collect();
        let before: Vec<ContainerId> = front.config.virtuals.iter().map(|&(id, _)| id).collect();
        let places = places(front.config.backends.each_ref(), &new.backends);
        for (stand, address) in self.stand_ins.iter_mut().zip(places) {
            if wanted != before || *stand.address() != address {
                stand.moved(now.mono, address, wanted.clone(), out);
            }
        }
    }

    /// Takes inputs of the servers; returns any other one.
    fn server(&mut self, now: Now, input: Input, out: &mut Vec<Intent>) -> Option<Input> {
        let (Input::Frame { link, .. } | Input::Closed { link, .. }) = &input else {
            return Some(input);
        };
        let link = *link;
        let Some(stand) = self.stand_ins.iter_mut().find(|stand| stand.has_connection(link)) else {
            return Some(input);
        };
        match input {
            Input::Frame { frame: Frame::Reply(bytes), .. } => {
                stand.replied(now.mono, link, &bytes, out);
            }
            Input::Closed { reason, .. } => stand.closed(now.mono, link, reason, out),
            // A dialled link to a stock server carries replies and nothing else.
            _ => {}
        }
        None
    }

    /// Hands an intent for a backend to its stand-in; any other one goes out.
    fn front_wants(&mut self, front: &Front, now: Now, intent: Intent, out: &mut Vec<Intent>) {
        let stand_of = |link: LinkId| self.stand_ins.iter().position(|s| s.is_line(link));
        match intent {
            Intent::Dial { link, callee: PeerKind::Backend, .. } => {
                if let Some(index) = front.replication.backend_of(link) {
                    self.stand_ins[index].dialled(now.mono, link);
                }
            }
            Intent::Send { link, frame } => match stand_of(link) {
                Some(index) => {
                    let orders = decode::<Order>(&frame).expect("the front encoded it just now");
                    for order in orders {
                        self.stand_ins[index].order(now.mono, order);
                    }
                }
                None => out.push(Intent::Send { link, frame }),
            },
            Intent::Close { link, reason } => match stand_of(link) {
                Some(index) => self.stand_ins[index].hung_up(),
                None => out.push(Intent::Close { link, reason }),
            },
            other => out.push(other),
        }
    }
}

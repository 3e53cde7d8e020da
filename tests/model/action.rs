//! The possible next events of a state, and their effects.

use crate::front::{Event, place};
use crate::plan::Plan;
use crate::watch::{Broken, Life, Seat};
use crate::world::{AccessRequest, Call, World, pairs};
use stateright::{Model, Property};
use std::sync::atomic::Ordering;
use tmr_core::front::{BackendId, Timer};
use tmr_core::log::{Epoch, Handle};
use tmr_core::messages::group::{Report, decode};

/// One event. Fronts and backends are given by number, also where lists differ; handles and links
/// by their names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// The next order of a front reaches a backend, and its effects are on the disk.
    Order { front: usize, backend: usize },
    /// The same, and the backend's power is cut before anything is on its disk.
    OrderThenPowerCut { front: usize, backend: usize },
    /// An order of a link that is gone reaches a backend.
    Stray { front: usize, backend: usize },
    /// The next report of a backend reaches a front.
    Report { front: usize, backend: usize },
    /// A link breaks, and the front notices.
    Break { front: usize, backend: usize },
    /// A front notices that a backend had died.
    Notice { front: usize, backend: usize },
    /// A front dials a backend again.
    Dial { front: usize, backend: usize },
    /// A backend loses its power and is started again.
    PowerCut { backend: usize },
    /// The third backend loses its power and is started again with its other disk.
    Swap,
    /// The third backend loses its power and is started again with an old copy of its disk.
    PutBack,
    /// A front is killed and started again.
    Kill { front: usize },
    /// An operator orders a front to lead.
    Lead { front: usize },
    /// A pause ends, and a front claims.
    Claim { front: usize },
    /// A front gives its claim up, because it takes too long.
    GiveUp { front: usize },
    /// A new client asks for a seat.
    Access { front: usize },
    /// A client uses its seat.
    Use { front: usize, handle: u32 },
    /// A client releases its seat.
    Release { front: usize, handle: u32 },
    /// A client's call is given up, because two backends do not confirm it in time.
    TimeOut { front: usize },
    /// A client is silent for its clean-up time, as a front measures it.
    Silence { front: usize, handle: u32 },
    /// A client that waits goes away.
    HangUp { front: usize, link: u64 },
}

impl Model for Plan {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        // States after a broken promise are not visited.
        if world.watch.broken.is_some() {
            return;
        }
        let spent = &world.spent;
        let fronts = if self.alone { 1 } else { 2 };
        for (front, place) in pairs().filter(|&(front, _)| front < fronts) {
            let line = &world.lines[front][place];
            let backend = world.lists[front][place];
            if !line.orders.is_empty() {
                actions.push(Action::Order { front, backend });
                if spent.power_cuts < self.power_cuts {
                    actions.push(Action::OrderThenPowerCut { front, backend });
                }
            }
            if !line.strays.is_empty() {
                actions.push(Action::Stray { front, backend });
            }
            if !line.reports.is_empty() {
                actions.push(Action::Report { front, backend });
            }
            if line.dead {
                actions.push(Action::Notice { front, backend });
            } else if line.up && spent.breaks < self.breaks {
                actions.push(Action::Break { front, backend });
            }
            if !line.up {
                actions.push(Action::Dial { front, backend });
            }
        }
        if spent.power_cuts < self.power_cuts {
            let on = (0..4).filter(|&backend| world.is_on(backend));
            actions.extend(on.map(|backend| Action::PowerCut { backend }));
        }
        if spent.swaps < self.swaps {
            actions.push(Action::Swap);
        }
        if world.saved.is_some() && world.can_go_back() {
            actions.push(Action::PutBack);
        }
        for front in 0..fronts {
            self.of_front(world, front, actions);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Order { front, backend } => world.order(self, front, place(backend), false),
            Action::OrderThenPowerCut { front, backend } => {
                world.spent.power_cuts += 1;
                world.order(self, front, place(backend), true);
            }
            Action::Stray { front, backend } => world.stray(self, front, place(backend)),
            Action::Report { front, backend } => world.report(self, front, place(backend)),
            Action::Break { front, backend } => {
                world.spent.breaks += 1;
                world.lose(self, front, place(backend));
            }
            Action::Notice { front, backend } => world.lose(self, front, place(backend)),
            Action::Dial { front, backend } => {
                world.go(self, front, Event::Timer(Timer::Dial(BackendId::ALL[place(backend)])));
            }
            Action::PowerCut { backend } => {
                world.spent.power_cuts += 1;
                world.cut_power(self, backend);
            }
            Action::Swap => {
                world.spent.swaps += 1;
                world.swap(self);
            }
            Action::PutBack => world.put_back(self),
            Action::Kill { front } => {
                world.spent.kills += 1;
                world.kill(self, front);
            }
            Action::Lead { front } => {
                world.spent.claims += 1;
                world.go(self, front, Event::Activate);
            }
            Action::Claim { front } => {
                world.spent.claims += 1;
                world.go(self, front, Event::Timer(Timer::Claim));
            }
            Action::GiveUp { front } => world.go(self, front, Event::Timer(Timer::Claim)),
            Action::Access { front } => {
                world.spent.accesses += 1;
                world.call(self, front, AccessRequest::Access);
            }
            Action::Use { front, handle } => world.call(self, front, AccessRequest::Use(handle)),
            Action::Release { front, handle } => {
                *world.watch.life(handle) = Life::Leaving;
                world.call(self, front, AccessRequest::Release(handle));
            }
            Action::TimeOut { front } => {
                world.spent.timeouts += 1;
                world.go(self, front, Event::Timer(Timer::Call));
            }
            Action::Silence { front, handle } => {
                world.spent.silences += 1;
                let epoch = world.fronts[front].leads.unwrap_or_default();
                let life = world.watch.life(handle);
                // A client that continued at a later front is not silent: only this front does not
                // hear it.
                if matches!(*life, Life::Held(used) if used <= epoch) {
                    *life = Life::Gone;
                }
                world.go(self, front, Event::Timer(Timer::Silence(Handle(handle))));
            }
            Action::HangUp { front, link } => {
                world.spent.hangups += 1;
                world.calls.retain(|call| (call.front, call.link) != (front, link));
                world.go(self, front, Event::Closed(link));
            }
        }
        world.skip(self);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no more seats are in use than there are", |_, world: &World| {
                world.watch.broken != Some(Broken::TooManySeats)
            }),
            Property::always("one slot never has two committed entries", |_, world: &World| {
                world.watch.broken != Some(Broken::TwoEntriesInOneSlot)
            }),
            Property::always("a handle number is never used again", |_, world: &World| {
                world.watch.broken != Some(Broken::NumberUsedAgain)
            }),
            Property::always("two agreeing parts have a grant on disk", |_, world: &World| {
                world.watch.broken != Some(Broken::TooFewAgree)
            }),
            Property::always("a client's handle works at every later front", |_, world: &World| {
                world.watch.broken != Some(Broken::HeldIsGone)
            }),
            Property::always("every later leader has what was acknowledged", |_, world: &World| {
                world.keeps_every_seat()
            }),
            Property::sometimes("a seat is carried over by a takeover", |_, world: &World| {
                let granted = |epoch: Epoch| world.fronts.iter().any(|f| f.leads > Some(epoch));
                let held = |life: &Life| matches!(life, Life::Held(_));
                world.watch.seats.iter().any(|seat| held(&seat.life) && granted(seat.granted))
            }),
            Property::sometimes("a seat is released after a takeover", |_, world: &World| {
                let freed =
                    |seat: &Seat| matches!(seat.life, Life::Freed(done) if done > seat.granted);
                world.watch.seats.iter().any(freed)
            }),
            Property::sometimes("a front that believes it leads is refused", |_, world: &World| {
                pairs().any(|(front, place)| {
                    let line = &world.lines[front][place];
                    world.fronts[front].leads.is_some()
                        && line.reports.front().is_some_and(|report| {
                            let reports = decode::<Report>(&report.bytes).unwrap_or_default();
                            reports.iter().any(|r| matches!(r.body, Report::Refused { .. }))
                        })
                })
            }),
            Property::sometimes("another disk is a member", |_, world: &World| {
                world.fronts.iter().any(|front| front.log.grown)
            }),
            Property::sometimes("two fronts believe that they lead", |_, world: &World| {
                world.fronts.iter().all(|front| front.leads.is_some())
            }),
            Property::sometimes(
                "an access is refused: no seat is free",
                |plan: &Self, _: &World| plan.full.load(Ordering::Relaxed),
            ),
        ]
    }
}

impl Plan {
    /// Adds the actions of a front and of its clients.
    fn of_front(&self, world: &World, front: usize, actions: &mut Vec<Action>) {
        let (spent, at) = (&world.spent, &world.fronts[front]);
        // The first leader, whichever front leads now.
        if front == 0 && spent.kills < self.kills {
            actions.push(Action::Kill { front });
        }
        if spent.claims < self.claims {
            if at.node.stands_by() && at.node.may_claim() {
                actions.push(Action::Lead { front });
            } else if at.node.pauses() {
                actions.push(Action::Claim { front });
            } else if at.node.claims() {
                actions.push(Action::GiveUp { front });
            }
        }
        let waiting = |call: &&Call| call.front == front;
        if world.calls.iter().any(|call| call.front == front) {
            if spent.timeouts < self.timeouts {
                actions.push(Action::TimeOut { front });
            }
            if spent.hangups < self.hangups {
                let link = |call: &Call| Action::HangUp { front, link: call.link };
                actions.extend(world.calls.iter().filter(waiting).map(link));
            }
        }
        let Some(epoch) = at.leads else { return };
        if at.decides && spent.accesses < self.accesses {
            actions.push(Action::Access { front });
        }
        for &Seat { handle, life, .. } in &world.watch.seats {
            let asked = world.calls.iter().any(|call| call.ask == AccessRequest::Release(handle));
            match life {
                Life::Held(used) if at.decides && used <= epoch => {
                    if !self.keep {
                        actions.push(Action::Release { front, handle });
                    }
                    if used < epoch && self.silences > 0 {
                        actions.push(Action::Use { front, handle });
                    }
                }
                Life::Leaving if at.decides && !asked => {
                    actions.push(Action::Release { front, handle });
                }
                _ => {}
            }
            let silent = !asked && !matches!(life, Life::Freed(_) | Life::Gone);
            if silent && spent.silences < self.silences {
                actions.push(Action::Silence { front, handle });
            }
        }
    }
}

//! A state of the whole: five nodes, what is on its way between them, and what clients have.

use crate::backend::{BackendNode, Happened};
use crate::front::{Event, FrontNode, Said};
use crate::node::{Message, print};
use crate::plan::Plan;
use crate::watch::Watch;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tmr_core::front::Timer;
use tmr_core::io::Link;
use tmr_core::wire::Request;
use tmr_core::wire::constants::access;
use tmr_core::wire::structs::CmAccess2;
use tmr_tests::sim::licences::FIRM;

/// Between a front and a backend. As TCP has it: what is said on one link arrives in its order or
/// not at all; when it breaks, what is on its way may be lost from any point on, and orders may be
/// taken long after the front has a new link.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Line {
    /// The front has a link.
    pub(crate) up: bool,
    /// The backend at its other end is gone, and the front does not know.
    pub(crate) dead: bool,
    pub(crate) orders: VecDeque<Message>,
    pub(crate) reports: VecDeque<Message>,
    /// Orders on a link that is gone for the front.
    pub(crate) strays: VecDeque<Message>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Access,
    Use(u32),
    Release(u32),
}

/// A client's call at a front. Clients are all alike, so each call is a client of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) front: usize,
    pub(crate) link: u64,
    pub(crate) ask: Ask,
}

/// How often each thing has happened that happens a limited number of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) claims: u8,
    pub(crate) accesses: u8,
    pub(crate) breaks: u8,
    pub(crate) power_cuts: u8,
    pub(crate) kills: u8,
    pub(crate) timeouts: u8,
    pub(crate) silences: u8,
    pub(crate) hangups: u8,
}

/// Everything.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) fronts: [Arc<FrontNode>; 2],
    pub(crate) backends: [Arc<BackendNode>; 3],
    /// By front and backend.
    pub(crate) lines: [[Line; 3]; 2],
    pub(crate) calls: Vec<Call>,
    pub(crate) spent: Spent,
    pub(crate) watch: Watch,
}

/// Two states are one if they differ in which backend is which: a front tells them apart by its
/// own number for them only where it asks one of two equal ones first.
impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut columns = [0, 1, 2].map(|index| {
            let seen = self.fronts.each_ref().map(|front| front.prints.1[index]);
            let lines = self.lines.each_ref().map(|lines| &lines[index]);
            print(&(self.backends[index].print, seen, lines))
        });
        columns.sort_unstable();
        let fronts = self.fronts.each_ref().map(|front| front.prints.0);
        (columns, fronts, &self.calls, self.spent, &self.watch).hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        print(self) == print(other)
    }
}

impl World {
    /// A group is born, front 0 leads it, front 1 stands by, and nothing is on its way.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut said = [Vec::new(), Vec::new()];
        let mut number = 0..2;
        let fronts = said
            .each_mut()
            .map(|said| FrontNode::start(number.next().expect("there are two"), said));
        let mut index = 0..3;
        let backends = plan
            .containers()
            .map(|container| BackendNode::start(index.next().expect("there are three"), container));
        let mut world = Self {
            fronts,
            backends,
            lines: Default::default(),
            calls: Vec::new(),
            spent: Spent::default(),
            watch: Watch::default(),
        };
        for (front, said) in said.into_iter().enumerate() {
            world.take(plan, front, &said);
            world.rest(plan);
        }
        world.go(plan, 0, Event::Activate);
        world.rest(plan);
        world.go(plan, 0, Event::Timer(Timer::Heartbeat));
        world.rest(plan);
        assert!(world.fronts[0].decides, "the group is born and serves");
        for _ in 0..plan.held {
            world.call(plan, 0, Ask::Access);
            world.rest(plan);
        }
        world
    }

    /// Delivers everything that is on its way.
    fn rest(&mut self, plan: &Plan) {
        while let Some((front, index)) = pairs().find(|&(front, index)| {
            let line = &self.lines[front][index];
            !line.orders.is_empty() || !line.reports.is_empty()
        }) {
            if self.lines[front][index].reports.is_empty() {
                self.order(plan, front, index, false);
            } else {
                self.report(plan, front, index);
            }
        }
    }

    /// Something happens to a front, and what it says is on its way.
    pub(crate) fn go(&mut self, plan: &Plan, front: usize, event: Event) {
        let before = &self.fronts[front];
        let key = (before.id, print(&event));
        let (after, said) = plan.fronts.get(key, || before.then(&event));
        self.fronts[front] = after;
        self.take(plan, front, &said);
    }

    /// Something happens to a backend.
    fn happens(&mut self, plan: &Plan, index: usize, what: &Happened) -> Arc<[Message]> {
        let before = &self.backends[index];
        let key = (before.id, print(what));
        let (after, reports) = plan.backends.get(key, || before.then(what));
        self.backends[index] = after;
        self.watch.committed_at(&self.backends[index]);
        reports
    }

    /// What a front has said goes on its way; replies are with their clients at once.
    pub(crate) fn take(&mut self, plan: &Plan, front: usize, said: &[Said]) {
        for said in said {
            match said {
                Said::Order(index, message) => {
                    let line = &mut self.lines[front][*index];
                    if !line.dead {
                        line.orders.push_back(message.clone());
                    }
                }
                Said::Dial(index) => {
                    (self.lines[front][*index].up, self.lines[front][*index].dead) = (true, false);
                    self.happens(plan, *index, &Happened::Joined(front));
                    self.go(plan, front, Event::Joined(*index));
                }
                Said::Reply(link, status, result) => {
                    if let Some(ask) = self.end_call(front, *link) {
                        let at = self.fronts[front].leads.unwrap_or_default();
                        self.watch.replied(plan, ask, (*status, *result), at, &self.backends);
                        self.go(plan, front, Event::Closed(link.0));
                    }
                }
                Said::Dropped(link) => {
                    self.end_call(front, *link);
                }
            }
        }
        let front = &self.fronts[front];
        self.watch.committed(front.log.0, &front.log.1);
    }

    fn end_call(&mut self, front: usize, link: Link) -> Option<Ask> {
        let at = self.calls.iter().position(|call| (call.front, call.link) == (front, link.0))?;
        Some(self.calls.remove(at).ask)
    }

    /// The next order on a link reaches its backend. `dies`: whose power is cut before anything of
    /// it is on its disk.
    pub(crate) fn order(&mut self, plan: &Plan, front: usize, index: usize, dies: bool) {
        let Some(message) = self.lines[front][index].orders.pop_front() else { return };
        let happened = if dies { Happened::OrderThenPowerCut } else { Happened::Order };
        let reports = self.happens(plan, index, &happened(front, message));
        self.lines[front][index].reports.extend(reports.iter().cloned());
        if dies {
            self.unplug(index);
        }
    }

    /// An order that was on its way when its link broke reaches its backend.
    pub(crate) fn stray(&mut self, plan: &Plan, front: usize, index: usize) {
        let Some(message) = self.lines[front][index].strays.pop_front() else { return };
        self.happens(plan, index, &Happened::Order(front, message));
    }

    /// The next report on a link reaches its front.
    pub(crate) fn report(&mut self, plan: &Plan, front: usize, index: usize) {
        let Some(message) = self.lines[front][index].reports.pop_front() else { return };
        self.go(plan, front, Event::Report(index, message));
    }

    /// Delivers what makes no difference when it comes: only one order of such things is tried.
    pub(crate) fn skip(&mut self, plan: &Plan) {
        for (front, index) in pairs() {
            self.skip_orders(plan, front, index);
            self.skip_reports(plan, front, index);
        }
    }

    /// Orders that are refused whenever they come, with the same words.
    fn skip_orders(&mut self, plan: &Plan, front: usize, index: usize) {
        let promised = self.backends[index].promised;
        let late = |order: &Message| order.epoch.is_some_and(|epoch| epoch < promised);
        while self.lines[front][index].strays.front().is_some_and(late) {
            self.stray(plan, front, index);
        }
        // Nobody will claim a higher epoch.
        let highest = self.fronts.iter().all(|front| front.highest <= promised);
        while highest && self.spent.claims >= plan.claims {
            if !self.lines[front][index].orders.front().is_some_and(late) {
                break;
            }
            self.order(plan, front, index, false);
        }
    }

    /// Reports that mean nothing to their front and never will.
    fn skip_reports(&mut self, plan: &Plan, front: usize, index: usize) {
        while let Some(message) = self.lines[front][index].reports.front() {
            let before = &self.fronts[front];
            if !before.past[index] {
                break;
            }
            let event = Event::Report(index, message.clone());
            let key = (before.id, print(&event));
            let (after, said) = plan.fronts.get(key, || before.then(&event));
            if after.still != before.still || !said.is_empty() {
                break;
            }
            self.lines[front][index].reports.pop_front();
            self.fronts[front] = after;
        }
    }

    /// A front's link is gone for it; its orders may still arrive, reports do not.
    pub(crate) fn lose(&mut self, plan: &Plan, front: usize, index: usize) {
        self.hang_up(plan, front, index);
        self.go(plan, front, Event::Broken(index));
    }

    fn hang_up(&mut self, plan: &Plan, front: usize, index: usize) {
        let line = std::mem::take(&mut self.lines[front][index]);
        if line.up && !line.dead {
            self.happens(plan, index, &Happened::Lost(front));
        }
        self.lines[front][index].strays = line.strays.into_iter().chain(line.orders).collect();
    }

    /// A backend's power is cut, and it is there again.
    pub(crate) fn cut_power(&mut self, plan: &Plan, index: usize) {
        self.happens(plan, index, &Happened::PowerCut);
        self.unplug(index);
    }

    /// The links of a backend that has died: orders are lost, reports may be on their way.
    fn unplug(&mut self, index: usize) {
        for lines in &mut self.lines {
            let line = &mut lines[index];
            line.orders.clear();
            line.strays.clear();
            line.dead = line.up;
        }
    }

    /// A front is killed, and started again: another one for everybody.
    pub(crate) fn kill(&mut self, plan: &Plan, front: usize) {
        for index in 0..3 {
            self.hang_up(plan, front, index);
        }
        self.calls.retain(|call| call.front != front);
        let mut said = Vec::new();
        self.fronts[front] = FrontNode::start(1 + u32::from(self.spent.kills), &mut said);
        self.take(plan, front, &said);
    }

    /// A new client asks a front for something.
    pub(crate) fn call(&mut self, plan: &Plan, front: usize, ask: Ask) {
        let taken =
            |link: &u64| self.calls.iter().any(|call| (call.front, call.link) == (front, *link));
        let link =
            (1..).map(|number| 2 * number).find(|link| !taken(link)).expect("links are many");
        let request = match ask {
            Ask::Access => {
                let mut wanted = CmAccess2 { firm_code: FIRM, ..CmAccess2::default() };
                wanted.product_code = plan.product();
                wanted.license_quantity = 1;
                Request::Access2 { ctrl: access::LAN, access: wanted.into(), tail: Vec::new() }
            }
            Ask::Use(handle) => Request::GetVersion { handle },
            Ask::Release(handle) => Request::Release { handle },
        };
        self.calls.push(Call { front, link, ask });
        self.calls.sort_unstable_by_key(|call| (call.front, call.link));
        self.go(plan, front, Event::Call(link, request.encode()));
    }

    /// No front that leads lacks a seat that was acknowledged before it did, or has one that was
    /// freed before.
    pub(crate) fn keeps_every_seat(&self) -> bool {
        self.fronts
            .iter()
            .all(|front| front.leads.is_none_or(|epoch| self.watch.agrees(epoch, &front.held)))
    }
}

/// All pairs of a front and a backend.
pub(crate) fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..2).flat_map(|front| (0..3).map(move |index| (front, index)))
}

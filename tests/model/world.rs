//! A state of the whole: two fronts and their backends, the messages on their way, and the
//! clients' seats.

use crate::backend::{BackendNode, Happened, disks};
use crate::front::{Event, FrontNode, Said};
use crate::node::{Message, Names, print};
use crate::plan::{Begin, Plan};
use crate::watch::Watch;
use std::collections::VecDeque;
use std::sync::Arc;
use tmr_core::front::{BackendId, Timer};
use tmr_core::link::LinkId;
use tmr_core::log::Epoch;
use tmr_core::wire::Request;
use tmr_core::wire::constants::access;
use tmr_core::wire::structs::CmAccess2;
use tmr_tests::sim::licences::FIRM;

/// The backend whose disk may go back in time.
pub(crate) const SAVED: usize = 2;

/// The link between a front and a backend, with the properties of TCP: messages on one link arrive
/// in order or not at all. When it breaks, messages may be lost from any point on, and orders may
/// arrive long after the front has a new link.
#[derive(Clone, Debug, Default)]
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

/// The request of a waiting client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AccessRequest {
    Access,
    Use(u32),
    Release(u32),
}

/// A client's call at a front. Clients are all alike, so each call is a client of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) front: usize,
    pub(crate) link: u64,
    pub(crate) ask: AccessRequest,
}

/// The number of events so far, of each kind that is bounded.
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
    pub(crate) swaps: u8,
}

/// A state of the whole.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) fronts: [Arc<FrontNode>; 2],
    /// The backends with the first disks of the group, and one more.
    pub(crate) backends: [Arc<BackendNode>; 4],
    /// The kinds of backends; those of one kind are equivalent.
    pub(crate) kinds: [u8; 4],
    names: Arc<Names>,
    /// By front, the backend that answers at each place of its list.
    pub(crate) lists: [[usize; 3]; 2],
    /// By front and place.
    pub(crate) lines: [[Line; 3]; 2],
    /// A copy of a disk of the third backend, until it is put back.
    pub(crate) saved: Option<Arc<BackendNode>>,
    pub(crate) calls: Vec<Call>,
    pub(crate) spent: Spent,
    pub(crate) watch: Watch,
}

impl World {
    /// A group is born, front 0 leads it, front 1 stands by, and nothing is on its way; then what
    /// the plan begins with.
    pub(crate) fn new(plan: &Plan) -> Self {
        let names = Names::new([0, 1, 2, 3].map(disks), plan.kinds());
        let mut containers = plan.containers().into_iter();
        let backends = [0, 1, 2, 3].map(|index| {
            let container = containers.next().expect("each backend has a part");
            BackendNode::start(index, container, &names)
        });
        let lists = [[0, 1, 2], plan.other_list()];
        let mut said = [Vec::new(), Vec::new()];
        let mut number = 0..2;
        let fronts = said.each_mut().map(|said| {
            let number = number.next().expect("there are two");
            FrontNode::start(number, lists[number as usize], &names, said)
        });
        let mut world = Self {
            fronts,
            backends,
            kinds: plan.kinds(),
            names,
            lists,
            lines: Default::default(),
            saved: None,
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
            world.call(plan, 0, AccessRequest::Access);
            world.rest(plan);
        }
        if plan.goes_back {
            world.saved = Some(Arc::clone(&world.backends[SAVED]));
        }
        if plan.begin == Begin::Change {
            world.propose_members(plan);
        }
        world
    }

    /// The fourth backend has all that is committed, and the change of members that takes it in has
    /// reached it and the first backend: from front 1 with another list, or from front 0 which has
    /// found another disk in the third backend. Then the other front leads with the second backend
    /// and the third disk, and nobody else has heard of it.
    fn propose_members(&mut self, plan: &Plan) {
        if plan.swaps > 0 {
            self.swap(plan);
        } else {
            self.go(plan, 1, Event::Activate);
        }
        let proposed = |world: &Self| {
            pairs().any(|(front, place)| {
                world.lines[front][place].orders.iter().any(|order| order.members)
            })
        };
        while !proposed(self) {
            assert!(self.deliver(plan), "a backend with another disk is taken in");
        }
        // The order reaches the first backend and the new disk.
        let from = usize::from(plan.swaps == 0);
        self.order(plan, from, 0, false);
        self.order(plan, from, 2, false);
        if plan.swaps > 0 {
            // The old disk is back.
            self.swap(plan);
            // The other front leads with the other two.
            while self.deliver_on(plan, |front, place| front == 1 && place == 2) {}
            self.go(plan, 1, Event::Activate);
            while self.deliver_on(plan, |front, place| front == 1 && place > 0) {}
        } else {
            // The other front is restarted.
            self.spent.kills += 1;
            self.kill(plan, 0);
            while self.deliver_on(plan, |front, _| front == 0) {}
            // It leads with the two backends that are members for it and have not heard of the
            // change.
            self.go(plan, 0, Event::Activate);
            while self.deliver_on(plan, |front, place| front == 0 && place > 0) {}
        }
        assert!(self.fronts[1 - from].decides, "two members of what is committed suffice");
        if plan.alone {
            self.lines[1] = Default::default();
        }
    }

    /// Delivers everything that is on its way.
    fn rest(&mut self, plan: &Plan) {
        while self.deliver(plan) {}
    }

    /// Delivers one message. Returns `false` if there is none.
    fn deliver(&mut self, plan: &Plan) -> bool {
        self.deliver_on(plan, |_, _| true)
    }

    /// The same for some lines, by front and place.
    fn deliver_on(&mut self, plan: &Plan, some: impl Fn(usize, usize) -> bool) -> bool {
        let busy = |&(front, place): &(usize, usize)| {
            let line = &self.lines[front][place];
            some(front, place) && !(line.orders.is_empty() && line.reports.is_empty())
        };
        let Some((front, place)) = pairs().find(busy) else { return false };
        if self.lines[front][place].reports.is_empty() {
            self.order(plan, front, place, false);
        } else {
            self.report(plan, front, place);
        }
        true
    }

    /// Steps a front by an event, and sends its outputs.
    pub(crate) fn go(&mut self, plan: &Plan, front: usize, event: Event) {
        let before = &self.fronts[front];
        let key = (before.id, print(&event));
        let (after, said) = plan.fronts.get(key, || before.then(&event));
        self.fronts[front] = after;
        self.take(plan, front, &said);
    }

    /// Steps a backend by an event.
    fn happens(&mut self, plan: &Plan, index: usize, what: &Happened) -> Arc<[Message]> {
        let before = &self.backends[index];
        let key = (before.id, print(what));
        let (after, reports) = plan.backends.get(key, || before.then(what));
        self.backends[index] = after;
        self.watch.committed_at(&self.backends[index]);
        reports
    }

    /// Sends a front's outputs; replies reach their clients at once.
    pub(crate) fn take(&mut self, plan: &Plan, front: usize, said: &[Said]) {
        let mut told = [false; 3];
        for said in said {
            match said {
                Said::Order(place, message) => {
                    let line = &mut self.lines[front][*place];
                    if !line.dead {
                        let mut message = message.clone();
                        message.joined |= plan.coarse && told[*place];
                        line.orders.push_back(message);
                        told[*place] = true;
                    }
                }
                Said::Dial(place) => {
                    let line = &mut self.lines[front][*place];
                    line.up = true;
                    line.dead = false;
                    self.happens(plan, self.lists[front][*place], &Happened::Joined(front));
                    self.go(plan, front, Event::Joined(*place));
                }
                Said::Reply(link, status, result) => {
                    if let Some(ask) = self.end_call(front, *link) {
                        let at = self.fronts[front].leads.unwrap_or_default();
                        self.watch.replied(plan, ask, *status, *result, at, &self.backends);
                        self.go(plan, front, Event::Closed(link.0));
                    }
                }
                Said::Dropped(link) => {
                    self.end_call(front, *link);
                }
            }
        }
        let front = &self.fronts[front];
        self.watch.committed(front.log.base, &front.log.entries);
    }

    fn end_call(&mut self, front: usize, link: LinkId) -> Option<AccessRequest> {
        let at = self.calls.iter().position(|call| (call.front, call.link) == (front, link.0))?;
        Some(self.calls.remove(at).ask)
    }

    /// Delivers the next order on a link. `dies`: the backend's power is cut before any effect is
    /// on its disk.
    pub(crate) fn order(&mut self, plan: &Plan, front: usize, place: usize, dies: bool) {
        let Some(message) = self.lines[front][place].orders.pop_front() else { return };
        let happened = if dies { Happened::OrderThenPowerCut } else { Happened::Order };
        let backend = self.lists[front][place];
        let reports = self.happens(plan, backend, &happened(front, message));
        self.lines[front][place].reports.extend(reports.iter().cloned());
        if dies {
            self.unplug(backend);
        } else if self.lines[front][place].orders.front().is_some_and(|next| next.joined) {
            self.order(plan, front, place, dies);
        }
    }

    /// Delivers an order that was on its way when its link broke.
    pub(crate) fn stray(&mut self, plan: &Plan, front: usize, place: usize) {
        let Some(message) = self.lines[front][place].strays.pop_front() else { return };
        self.happens(plan, self.lists[front][place], &Happened::Order(front, message));
    }

    /// Delivers the next report on a link.
    pub(crate) fn report(&mut self, plan: &Plan, front: usize, place: usize) {
        let Some(message) = self.lines[front][place].reports.pop_front() else { return };
        self.go(plan, front, Event::Report(place, message));
        if self.lines[front][place].reports.front().is_some_and(|next| next.joined) {
            self.report(plan, front, place);
        }
    }

    /// Delivers messages whose time of arrival makes no difference, so that only one order of them
    /// is tried.
    pub(crate) fn skip(&mut self, plan: &Plan) {
        for (front, place) in pairs() {
            self.skip_orders(plan, front, place);
            self.skip_reports(plan, front, place);
        }
        for front in [0, 1] {
            let at = &self.fronts[front];
            if self.spent.claims >= plan.claims && at.leads.is_none() && !at.node.claims() {
                self.skip_questions(plan, front);
            }
        }
    }

    /// Delivers the questions and answers of a front that will not lead any more, which change
    /// nothing for others. Its orders under an epoch of its own do.
    fn skip_questions(&mut self, plan: &Plan, front: usize) {
        for place in 0..3 {
            loop {
                let line = &self.lines[front][place];
                let asks = |order: &Message| order.epoch.is_none_or(|at| at == Epoch::default());
                if !line.reports.is_empty() {
                    self.report(plan, front, place);
                } else if line.orders.front().is_some_and(asks) {
                    self.order(plan, front, place, false);
                } else {
                    break;
                }
            }
        }
    }

    /// Delivers orders that are refused likewise at any time.
    fn skip_orders(&mut self, plan: &Plan, front: usize, place: usize) {
        let promised = self.backends[self.lists[front][place]].promised;
        let late = |order: &Message| order.epoch.is_some_and(|epoch| epoch < promised);
        while self.lines[front][place].strays.front().is_some_and(late) {
            self.stray(plan, front, place);
        }
        // No front will claim a higher epoch.
        let highest = self.fronts.iter().all(|front| front.highest <= promised);
        while highest && self.spent.claims >= plan.claims {
            if !self.lines[front][place].orders.front().is_some_and(late) {
                break;
            }
            self.order(plan, front, place, false);
        }
    }

    /// Delivers reports that have no meaning for their front any more.
    fn skip_reports(&mut self, plan: &Plan, front: usize, place: usize) {
        while let Some(message) = self.lines[front][place].reports.front() {
            // Knowledge that a backend sends beside a confirmation: each promise repeats it.
            if message.joined {
                self.report(plan, front, place);
                continue;
            }
            let before = &self.fronts[front];
            if !before.past[place] {
                break;
            }
            let event = Event::Report(place, message.clone());
            let key = (before.id, print(&event));
            let (after, said) = plan.fronts.get(key, || before.then(&event));
            if after.still != before.still || !said.is_empty() {
                break;
            }
            self.lines[front][place].reports.pop_front();
            self.fronts[front] = after;
        }
    }

    /// Breaks a link for a front; its orders may still arrive, reports do not.
    pub(crate) fn lose(&mut self, plan: &Plan, front: usize, place: usize) {
        self.hang_up(plan, front, place);
        self.go(plan, front, Event::Broken(place));
    }

    fn hang_up(&mut self, plan: &Plan, front: usize, place: usize) {
        let line = std::mem::take(&mut self.lines[front][place]);
        if line.up && !line.dead {
            self.happens(plan, self.lists[front][place], &Happened::Lost(front));
        }
        self.lines[front][place].strays = line.strays.into_iter().chain(line.orders).collect();
    }

    /// Cuts a backend's power, and restarts it.
    pub(crate) fn cut_power(&mut self, plan: &Plan, backend: usize) {
        self.happens(plan, backend, &Happened::PowerCut);
        self.unplug(backend);
    }

    /// Cuts the power of the third backend, which restarts with its other disk. The fronts notice
    /// at once, and have new links.
    pub(crate) fn swap(&mut self, plan: &Plan) {
        let on = self.lists[0][2];
        self.cut_power(plan, on);
        for list in &mut self.lists {
            list[2] = 5 - on;
        }
        for front in [0, 1] {
            if self.lines[front][2].up {
                self.lose(plan, front, 2);
                self.go(plan, front, Event::Timer(Timer::Dial(BackendId::ALL[2])));
            }
        }
    }

    /// Cuts the power of the third backend, which restarts from a copy of its disk.
    pub(crate) fn put_back(&mut self, plan: &Plan) {
        let Some(saved) = self.saved.take() else { return };
        self.backends[SAVED] = saved;
        self.cut_power(plan, SAVED);
    }

    /// Returns whether the two other backends have everything that the third one's disk has
    /// reported. Otherwise no rule keeps what is lost with it, because the one that has it may be
    /// out of reach.
    pub(crate) fn can_go_back(&self) -> bool {
        let saved = &self.backends[SAVED];
        [0, 1].iter().all(|&other| self.backends[other].has_all_of(saved))
    }

    /// Returns whether the backend runs and is in a front's list.
    pub(crate) fn is_on(&self, backend: usize) -> bool {
        self.lists.iter().flatten().any(|&listed| listed == backend)
    }

    /// Breaks the links of a stopped backend: orders are lost, reports may be on their way.
    fn unplug(&mut self, backend: usize) {
        for (lines, list) in self.lines.iter_mut().zip(&self.lists) {
            let Some(place) = list.iter().position(|&listed| listed == backend) else { continue };
            let line = &mut lines[place];
            line.orders.clear();
            line.strays.clear();
            line.dead = line.up;
        }
    }

    /// Kills and restarts a front, which is another one for all peers.
    pub(crate) fn kill(&mut self, plan: &Plan, front: usize) {
        for place in 0..3 {
            self.hang_up(plan, front, place);
        }
        self.calls.retain(|call| call.front != front);
        let mut said = Vec::new();
        self.fronts[front] = FrontNode::start(
            1 + u32::from(self.spent.kills),
            self.lists[front],
            &self.names,
            &mut said,
        );
        self.take(plan, front, &said);
    }

    /// Makes a call of a new client at a front.
    pub(crate) fn call(&mut self, plan: &Plan, front: usize, ask: AccessRequest) {
        let taken =
            |link: &u64| self.calls.iter().any(|call| (call.front, call.link) == (front, *link));
        let link =
            (1..).map(|number| 2 * number).find(|link| !taken(link)).expect("links are many");
        let request = match ask {
            AccessRequest::Access => {
                let mut wanted = CmAccess2 { firm_code: FIRM, ..CmAccess2::default() };
                wanted.product_code = plan.product();
                wanted.license_quantity = 1;
                Request::Access2 { ctrl: access::LAN, access: wanted.into(), tail: Vec::new() }
            }
            AccessRequest::Use(handle) => Request::GetVersion { handle },
            AccessRequest::Release(handle) => Request::Release { handle },
        };
        self.calls.push(Call { front, link, ask });
        self.calls.sort_unstable_by_key(|call| (call.front, call.link));
        self.go(plan, front, Event::Call(link, request.encode()));
    }

    /// Returns whether no leading front lacks a seat that was acknowledged before its lead, or has
    /// one that was freed before.
    pub(crate) fn keeps_every_seat(&self) -> bool {
        self.fronts
            .iter()
            .all(|front| front.leads.is_none_or(|epoch| self.watch.agrees(epoch, &front.log.held)))
    }
}

/// Returns all pairs of a front and a place in its list.
pub(crate) fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..2).flat_map(|front| (0..3).map(move |place| (front, place)))
}

//! The simulated world: one queue of events, the hosts, the clients, and the time.

use super::check::Checks;
use super::check::handles::Answer;
use super::client::Client;
use super::extra::{Extra, Moment, Strike};
use super::fault::Plan;
use super::finer::Finer;
use super::host::{Clock, Host};
use super::licences::Style;
use super::machine::Machines;
use super::mistakes::Mistakes;
use super::net::Net;
use super::rng::Rng;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tmr_core::history::Mark;
use tmr_core::io::{BackendEvent, FrontEvent};
use tmr_core::licence::Container;
use tmr_core::link::{CloseReason, Frame, LinkId, Listener};
use tmr_core::log::DiskId;
use tmr_core::node::hub::Arrived;

/// One second, in the microseconds that all times here are in.
pub const SECOND: u64 = 1_000_000;
/// Places for fronts; the second may stay empty.
pub(super) const FRONTS: usize = 2;
/// Backends.
pub(super) const BACKENDS: usize = 3;
/// Both.
pub(super) const HOSTS: usize = FRONTS + BACKENDS;
/// Those, and a backend that runs only where lists differ ([`super::mistakes`]).
pub(super) const MACHINES: usize = HOSTS + 1;
/// Their names.
pub(super) const NAMES: [&str; MACHINES] =
    ["front-1", "front-2", "backend-1", "backend-2", "backend-3", "backend-4"];

/// The last things that happened, newest last; shared, so that it outlives a panic.
pub type Tail = Rc<RefCell<VecDeque<String>>>;
/// How many of them are kept.
const TAIL: usize = 5_000;

/// Something that is to happen.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Tick {
        host: usize,
        life: u32,
    },
    Flush {
        host: usize,
        life: u32,
        link: LinkId,
    },
    Durable {
        host: usize,
        life: u32,
    },
    /// A front wants lines of its history back.
    Recall {
        host: usize,
        life: u32,
        after: Option<Mark>,
    },
    /// A write has found no room on the disk.
    Full {
        host: usize,
        life: u32,
    },
    /// There is room again.
    Room {
        host: usize,
    },
    /// Something happens to a machine.
    Machine,
    Restart {
        host: usize,
    },
    Open {
        conn: u64,
    },
    Arrive {
        conn: u64,
        side: usize,
    },
    Notice {
        conn: u64,
        side: usize,
    },
    Think {
        client: usize,
    },
    GiveUp {
        client: usize,
        call: u64,
    },
    Fault,
    /// What a moment has called for.
    Strike(Strike),
    /// Something of what a seed has beside the first faults.
    Extra,
    /// An operator makes a mistake.
    Mistake,
    /// A time server is wrong.
    Mislead,
    Storm {
        left: u64,
    },
    Operator,
    /// The vendor issues parts of a licence again.
    Reissue,
    /// An operator has a front give its role away.
    HandOver,
    /// Keepalived has seen what a front's machine is to do with the address.
    Follow {
        host: usize,
    },
    /// A backend looks at its licence file, or a front at its configuration.
    Reload {
        host: usize,
    },
    /// An operator changes a front's configuration.
    Edit,
    /// A front's machine puts a configuration into force that the front wants stored, or refuses.
    Store {
        host: usize,
        life: u32,
        text: Option<String>,
    },
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) plan: Plan,
    pub(super) hosts: Vec<Host>,
    pub(super) clients: Vec<Client>,
    pub(super) net: Net,
    /// The licence file of each backend.
    pub(super) files: [Container; BACKENDS],
    /// When and what the vendor issues: a number of its own, so that a seed without this is what it
    /// was without it.
    pub(super) vendor: Rng,
    /// When an operator orders planned failovers, and what goes wrong meanwhile; a number of its own
    /// likewise. `None`: never in this seed.
    pub(super) operator: Option<Rng>,
    /// When and how fronts are configured anew; a number of its own likewise.
    pub(super) editor: Option<Rng>,
    /// What goes wrong with machines; a number of its own likewise.
    pub(super) machines: Machines,
    /// What it has beside the first faults; a number of its own likewise.
    pub(super) extra: Extra,
    /// Finer ones; a number of its own likewise.
    pub(super) finer: Finer,
    /// What operators do; a number of its own likewise.
    pub(super) mistakes: Mistakes,
    /// What its licences are like.
    pub(super) style: Style,
    /// What was found so far.
    pub checks: Checks,
    /// The front that an operator has lead when faults are over and no other one does.
    pub(super) elected: usize,
    /// Clients were told to ask all at once.
    pub(super) busy: bool,
    /// Faults happen.
    pub(super) faulty: bool,
    /// Until then a fault may have caused what nodes log.
    pub(super) aftermath: u64,
    /// A disk was lost while these were the members: the group has to change before the next.
    pub(super) lost: Option<[DiskId; 3]>,
    /// The members that were seen to be others than those, and since when.
    pub(super) repaired: Option<(Option<[DiskId; 3]>, u64)>,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    /// Events so far.
    pub events: u64,
    pub(super) tail: Option<Tail>,
}

impl World {
    /// The world of a seed, at its beginning. `tail`: keep what happens, for people.
    #[must_use]
    pub fn new(seed: u64, tail: Option<Tail>) -> Self {
        Self::drawn(Rng::new(seed), seed, tail)
    }

    /// The world that a generator draws, and that a seed adds the vendor and the operator to.
    pub(super) fn drawn(mut rng: Rng, seed: u64, tail: Option<Tail>) -> Self {
        rng.follow(true);
        let mut plan = Plan::draw(&mut rng);
        rng.follow(false);
        let mut later = Rng::new(seed.rotate_left(44));
        plan.widen(&mut later);
        let pieces = later.chance(5).then(|| Rng::new(!seed.rotate_left(44)));
        let late = later.chance(40).then_some(later);
        let mut machines = Machines::draw(seed);
        let pause = machines.pause();
        let mut extra = Extra::draw(seed);
        let extras = extra.pause();
        let odd = plan.odd.then_some(extra.property);
        let style = Style { odd, dates: machines.dates, rich: extra.rich };
        let drift = Self::drift(&mut rng);
        let hosts = (0..HOSTS).map(|host| {
            let clock = Clock { ppm: drift[host], offset: rng.between(0, 1 << 40), date: 0 };
            let last = u8::try_from(host).unwrap_or(0) + 1;
            Host::new(NAMES[host].to_owned(), last, clock)
        });
        let spare = Clock { ppm: 0, offset: 1 << 38, date: 0 };
        let last = u8::try_from(HOSTS).unwrap_or(0) + 1;
        let hosts = hosts.chain([Host::new(NAMES[HOSTS].to_owned(), last, spare)]);
        let hosts = hosts.collect();
        let mut world = Self {
            now: 0,
            hosts,
            clients: Vec::new(),
            net: Net { late, pieces, ..Net::default() },
            files: style.containers(),
            vendor: Rng::new(!seed),
            operator: None,
            editor: None,
            machines,
            extra,
            finer: Finer::draw(seed),
            mistakes: Mistakes::draw(seed),
            style,
            checks: Checks::default(),
            elected: 0,
            busy: false,
            faulty: true,
            aftermath: u64::MAX,
            lost: None,
            repaired: None,
            queue: BTreeMap::new(),
            queued: 0,
            events: 0,
            tail,
            plan,
            rng,
        };
        world.trace(|| format!("{:?}, {:?}", world.plan, world.machines));
        world.keep_identities();
        if let Some(first) = pause {
            world.at(first, Event::Machine);
        }
        if let Some(first) = extras {
            world.at(first, Event::Extra);
        }
        if let Some(first) = world.mistakes.pause() {
            world.at(first, Event::Mistake);
        }
        (FRONTS..MACHINES).for_each(|host| world.set_date(host, 0));
        if let Some(first) = world.finer.pause() {
            world.at(first, Event::Mislead);
        }
        for host in (0..world.plan.fronts).chain(FRONTS..HOSTS) {
            let wait = world.rng.between(0, SECOND);
            world.at(wait, Event::Restart { host });
        }
        for client in 0..world.plan.clients {
            let station = client % world.plan.stations;
            let front = world.rng.index(FRONTS);
            world.clients.push(Client { station, front, ..Client::default() });
            let wait = world.rng.between(SECOND, 3 * SECOND);
            world.at(wait, Event::Think { client });
        }
        world.at(2 * SECOND, Event::Operator);
        let first = world.rng.between(2 * SECOND, 6 * SECOND);
        world.at(first, Event::Fault);
        if world.vendor.chance(40) {
            let first = world.vendor.between(2 * SECOND, 20 * SECOND);
            world.at(first, Event::Reissue);
        }
        let mut operator = Rng::new(seed.rotate_left(32));
        if world.plan.fronts == FRONTS && operator.chance(60) {
            let first = operator.between(3 * SECOND, 10 * SECOND);
            world.at(first, Event::HandOver);
            world.operator = Some(operator);
        }
        let mut editor = Rng::new(seed.rotate_left(16));
        // A file names a twin: where there is none, none is read.
        if editor.chance(30) && world.plan.fronts == FRONTS {
            let first = editor.between(2 * SECOND, 20 * SECOND);
            world.at(first, Event::Edit);
            world.editor = Some(editor);
        }
        world
    }

    /// What no client may learn of the backends.
    fn keep_identities(&mut self) {
        let keeps = &mut self.checks.identity;
        for (part, file) in self.files.iter().enumerate() {
            let (host, serial) = (&self.hosts[FRONTS + part], file.part.serial);
            let name = host.name.clone();
            keeps.keeps_number(format!("the serial of {name}"), serial);
            keeps.keeps(format!("the serial of {name} as text"), serial.to_string().into_bytes());
            keeps.keeps(format!("the address of {name}"), host.ip.to_string().into_bytes());
            keeps.keeps(format!("the name of {name}"), name.into_bytes());
        }
    }

    /// Nothing that was to happen does.
    pub(super) fn forget(&mut self) {
        self.queue.clear();
    }

    /// Puts an event at a time.
    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), event);
    }

    /// Puts an event after a span.
    pub(super) fn after(&mut self, span: u64, event: Event) {
        self.at(self.now + span, event);
    }

    /// Keeps a line for people, if somebody wants it.
    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        let Some(tail) = &self.tail else { return };
        let mut tail = tail.borrow_mut();
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(format!("{:>10}.{:03} ms  {}", self.now / 1000, self.now % 1000, line()));
    }

    /// Whether somebody wants lines.
    pub(super) fn traces(&self) -> bool {
        self.tail.is_some()
    }

    /// Makes the next event happen, unless it lies after `until`; `false`: it does.
    pub(super) fn next(&mut self, until: u64) -> bool {
        match self.queue.first_key_value() {
            Some(((at, _), _)) if *at <= until => {}
            _ => {
                self.now = self.now.max(until);
                return false;
            }
        }
        let Some(((at, _), event)) = self.queue.pop_first() else { return false };
        self.now = at;
        self.events += 1;
        if let Some(thaw) = self.frozen(&event) {
            if let Event::Tick { host, .. } = event {
                if self.hosts[host].tick != Some(self.now) {
                    return true;
                }
                self.hosts[host].tick = Some(thaw);
            }
            self.at(thaw, event);
            return true;
        }
        self.rng.follow(matches!(event, Event::Fault | Event::Storm { .. }));
        match event {
            Event::Tick { host, life } => {
                if self.hosts[host].lives(life) && self.hosts[host].tick == Some(self.now) {
                    self.hosts[host].tick = None;
                    self.hosts[host].ticked = self.now;
                    self.with(host, |hub, now, out| hub.tick(now, out));
                }
            }
            Event::Flush { host, life, link } => {
                if self.hosts[host].lives(life) {
                    self.flush(host, link);
                }
            }
            Event::Durable { host, life } => {
                if self.hosts[host].lives(life) {
                    self.hosts[host].disk.done();
                    self.with(host, |hub, now, out| {
                        hub.host_event(now, BackendEvent::JournalWritten.into(), out);
                    });
                }
            }
            Event::Recall { host, life, after } => {
                if self.hosts[host].lives(life) {
                    let lines = self.hosts[host].recall(after);
                    let read = FrontEvent::HistoryRead { after, lines };
                    self.with(host, |hub, now, out| hub.host_event(now, read.into(), out));
                }
            }
            Event::Full { host, life } => {
                if self.hosts[host].lives(life) {
                    self.full(host);
                }
            }
            Event::Room { host } => self.room(host),
            Event::Machine => {
                if let Some(pause) = self.faulty.then(|| self.machines.pause()).flatten() {
                    self.machine();
                    self.after(pause, Event::Machine);
                }
            }
            Event::Strike(strike) => self.strike(strike),
            Event::Extra => {
                if let Some(pause) = self.faulty.then(|| self.extra.pause()).flatten() {
                    self.extra();
                    self.after(pause, Event::Extra);
                }
            }
            Event::Mistake => {
                if let Some(pause) = self.faulty.then(|| self.mistakes.pause()).flatten() {
                    self.mistake();
                    self.after(pause, Event::Mistake);
                }
            }
            Event::Mislead => {
                if let Some(pause) = self.faulty.then(|| self.finer.pause()).flatten() {
                    self.mislead();
                    self.after(pause, Event::Mislead);
                }
            }
            Event::Restart { host } => self.start(host),
            Event::Open { conn } => self.opened(conn),
            Event::Arrive { conn, side } => self.arrive(conn, side),
            Event::Notice { conn, side } => self.notice(conn, side),
            Event::Think { client } => self.think(client),
            Event::GiveUp { client, call } => {
                let known = &self.clients[client];
                let waits = known.call.is_some_and(|(number, ..)| number == call);
                if waits || (known.conn.is_some() && !known.open && known.number == call) {
                    self.hang_up(client);
                    self.lost(client);
                }
            }
            Event::Fault => {
                if self.faulty {
                    let pause = self.fault();
                    self.after(pause, Event::Fault);
                }
            }
            Event::Reissue => {
                if self.faulty {
                    let pause = self.reissue();
                    self.after(pause, Event::Reissue);
                }
            }
            Event::HandOver => {
                if let Some(pause) = self.faulty.then(|| self.order_failover()).flatten() {
                    self.after(pause, Event::HandOver);
                }
            }
            Event::Follow { host } => self.follow(host),
            Event::Reload { host } => self.reload(host),
            Event::Edit => {
                if let Some(pause) = self.faulty.then(|| self.edit()).flatten() {
                    self.after(pause, Event::Edit);
                }
            }
            Event::Store { host, life, text } => {
                if self.hosts[host].lives(life) {
                    self.store(host, text);
                }
            }
            Event::Storm { left } => {
                if self.faulty {
                    self.storm(left);
                }
            }
            Event::Operator => {
                let found = self.checks.calls.check(self.now);
                self.checks.note(self.now, "calls", found);
                for front in 0..self.plan.fronts {
                    self.look(front);
                }
                if self.faulty {
                    // As keepalived would: somebody is told to lead, now and then.
                    if self.events < 2000 || self.rng.chance(4) {
                        let front = self.rng.index(self.plan.fronts);
                        self.let_lead(front);
                    }
                }
                self.after(SECOND / 4, Event::Operator);
            }
        }
        true
    }

    /// When the host that an event is for makes steps again, if it does not now.
    fn frozen(&self, event: &Event) -> Option<u64> {
        let host = match event {
            Event::Tick { host, .. }
            | Event::Flush { host, .. }
            | Event::Durable { host, .. }
            | Event::Recall { host, .. }
            | Event::Full { host, .. }
            | Event::Store { host, .. }
            | Event::Reload { host } => Some(*host),
            Event::Open { conn } => self.place(*conn, 1),
            Event::Arrive { conn, side } | Event::Notice { conn, side } => self.place(*conn, *side),
            _ => None,
        };
        let frozen = self.hosts.get(host?)?.frozen;
        (frozen > self.now).then_some(frozen)
    }

    /// Frames or the end of a connection came to a node.
    pub(super) fn hear(&mut self, host: usize, link: LinkId, frames: Vec<Frame>, partial: bool) {
        if host < FRONTS && matches!(frames.first(), Some(Frame::Call(_))) {
            self.checks.calls.asked(self.now, host, link);
            let conn = self.hosts[host].links.get(&link).map_or(0, |(conn, _)| *conn);
            self.moment(Moment::Call, host, None, conn);
        }
        self.with(host, |hub, now, out| {
            hub.received(now, [Arrived { link, frames, partial, held: 0 }], out);
        });
    }

    /// A client hears a reply of a process.
    pub(super) fn hear_reply(&mut self, who: usize, frames: Vec<Frame>, answer: Answer) {
        for frame in frames {
            if let Frame::Call(bytes) | Frame::Reply(bytes) = frame {
                self.told(who, &bytes, answer);
            }
        }
    }

    /// Speaks HTTP to a front's admin door; `None`: it is not running.
    pub(super) fn admin(&mut self, host: usize, request: &str) -> Option<String> {
        if self.hosts[host].hub.is_none() || self.hosts[host].frozen > self.now {
            return None;
        }
        let from = ([127, 0, 0, 1], 1).into();
        let mut answer = Vec::new();
        self.with(host, |hub, now, out| {
            let Some(link) = hub.accept(now, Listener::Admin, from, out) else { return };
            let frames = vec![Frame::Http(request.as_bytes().to_vec())];
            hub.received(now, [Arrived { link, frames, partial: false, held: 0 }], out);
            answer = hub.outbox(link).frames.concat();
            hub.closed(now, link, CloseReason::Eof, false, out);
        });
        String::from_utf8(answer).ok()
    }

    /// As an operator or keepalived would: this front should lead. Keepalived may also leave the
    /// address on both machines, or on none.
    pub(super) fn let_lead(&mut self, host: usize) {
        if !self.plan.address {
            return self.activate(host);
        }
        let (here, stays) = (!self.rng.chance(10), self.rng.chance(25));
        self.move_address(host, here, stays);
    }

    /// The address comes to a front's machine, or leaves it; on the other one it may stay.
    pub(super) fn move_address(&mut self, host: usize, here: bool, stays: bool) {
        self.trace(|| {
            format!("the address is at {}: {here}; stays elsewhere: {stays}", NAMES[host])
        });
        for front in 0..self.plan.fronts {
            let address = &mut self.hosts[front].address;
            *address = if front == host { here } else { stays && *address };
            self.look(front);
        }
    }

    /// Tells a front to lead.
    pub(super) fn activate(&mut self, host: usize) {
        self.trace(|| format!("{} is told to lead", NAMES[host]));
        let request = "POST /api/activate HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
        self.admin(host, request);
    }

    /// Has a front give its role away; whether it says that it does.
    pub(super) fn fail_over(&mut self, host: usize) -> bool {
        let request = "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
        let answer = self.admin(host, request);
        self.trace(|| {
            format!("{} is to give its role away: {}", NAMES[host], first_line(answer.as_ref()))
        });
        answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 202"))
    }

    /// What the running fronts say of themselves.
    pub(super) fn statuses(&mut self) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        for host in 0..self.plan.fronts {
            let Some(answer) = self.admin(host, "GET /api/status HTTP/1.1\r\n\r\n") else {
                continue;
            };
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            all.extend(serde_json::from_str::<serde_json::Value>(body));
        }
        all
    }
}

fn first_line(answer: Option<&String>) -> &str {
    answer.and_then(|answer| answer.lines().next()).unwrap_or("no answer")
}

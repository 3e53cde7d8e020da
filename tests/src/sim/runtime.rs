//! The runtime of a simulated node: it starts the node, hands inputs to it, and performs its
//! intents.

use super::check::handles::Answer;
use super::check::{Decided, lines};
use super::client::Station;
use super::extra::Moment;
use super::fault::Plan;
use super::host::Host;
use super::licences::quantities;
use super::net::{Conn, End, Load, Parcel};
use super::world::{BACKENDS, Event, FRONTS, HOSTS, MACHINES, NAMES, SECOND, World};
use std::net::SocketAddr;
use tmr_core::backend::{self, Backend};
use tmr_core::base::limits::HISTORY_FLUSH;
use tmr_core::base::network::Address;
use tmr_core::base::time::{Duration, Now};
use tmr_core::config::Twin;
use tmr_core::front::{self, Front};
use tmr_core::io::{BackendEvent, FrontEvent};
use tmr_core::licence::Container;
use tmr_core::link::{CloseReason, Frame, LinkId, Listener, PeerKind};
use tmr_core::node::Node;
use tmr_core::node::hub::{Dial, Hub, Output};
use tmr_core::service::Identity;

impl World {
    /// Starts the process of a host, if it is down.
    pub(super) fn start(&mut self, host: usize) {
        if self.hosts[host].hub.is_some() || (self.plan.fronts..FRONTS).contains(&host) {
            return;
        }
        let seed = self.rng.seed();
        let front = u32::try_from(self.rng.between(1, u64::from(u32::MAX))).unwrap_or(1);
        let file = part_of(host).map(|part| self.files[part].clone());
        if host < FRONTS {
            self.hosts[host].version = self.machines.version(self.faulty);
        }
        let rotten =
            host >= FRONTS && std::mem::take(&mut self.mistakes.rotten[part_of(host).unwrap_or(0)]);
        let node = match Self::node(&mut self.hosts[host], file, &self.plan, seed, front) {
            Ok(node) => node,
            Err(reason) if rotten => {
                // As an operator does who reads that.
                self.trace(|| {
                    format!("{} does not start: {reason}: it gets a new disk", NAMES[host])
                });
                self.hosts[host].disk.lose();
                return self.start(host);
            }
            Err(reason) => {
                let found = Err(format!("backend {host} does not start: {reason}"));
                return self.checks.note(self.now, "disk", found);
            }
        };
        self.trace(|| format!("{} starts", NAMES[host]));
        self.taken(host);
        let state = &mut self.hosts[host];
        state.life += 1;
        state.away = false;
        (state.hub, state.tick) = (Some(Hub::new(node)), None);
        self.with(host, |hub, now, out| hub.tick(now, out));
        self.configure(host);
        self.hosts[host].told = None;
        self.look(host);
    }

    /// A front's machine looks for the virtual address.
    pub(super) fn look(&mut self, host: usize) {
        let state = &mut self.hosts[host];
        let awake = state.hub.is_some() && state.frozen <= self.now;
        let here = state.address;
        if host < FRONTS && self.plan.address && awake && state.told != Some(here) {
            state.told = Some(here);
            self.with(host, |hub, now, out| {
                hub.host_event(now, FrontEvent::VirtualAddress { here }.into(), out);
            });
        }
    }

    fn node(
        state: &mut Host,
        file: Option<Container>,
        plan: &Plan,
        seed: [u8; 32],
        front: u32,
    ) -> Result<Node, String> {
        let identity = Identity { name: state.name.clone(), runtime: "sim", address: state.ip };
        if let Some(container) = file {
            let containers = vec![container];
            let config = backend::Config {
                identity,
                containers,
                group_check: [1; 8],
                handle_key: tmr_core::service::HandleKey::default(),
                seed,
            };
            let (backend, keep) =
                Backend::open(config, state.disk.read()).map_err(|error| error.to_string())?;
            state.disk.truncate(keep);
            return Ok(Node::Backend(Box::new(backend)));
        }
        let other = NAMES[usize::from(state.name == NAMES[0])];
        let config = front::Config {
            identity,
            backends: [0, 1, 2]
                .map(|index| Address { host: NAMES[FRONTS + index].to_owned(), port: 1 }),
            retry: Duration::from_secs(plan.retry),
            unfenced: false,
            virtuals: Vec::new(),
            cleanup: Duration::from_secs(30),
            policy: Default::default(),
            twin: (plan.fronts == FRONTS).then(|| Twin {
                address: Address { host: other.to_owned(), port: 2 },
                connect_timeout: Duration::from_secs(plan.connect),
                transfer_timeout: Duration::from_secs(plan.transfer),
            }),
            front,
            handle_key: tmr_core::service::HandleKey::default(),
            seed,
        };
        let mut front = Front::new(config);
        front.speak(state.version);
        front.remember(&state.recorded());
        Ok(Node::Front(Box::new(front)))
    }

    /// A backend has read its licence file.
    fn taken(&mut self, host: usize) {
        let Some(part) = part_of(host) else { return };
        self.checks.seats.holds(self.now, part, host, quantities(&self.files[part]));
    }

    /// A backend looks at its licence file, or a front at its configuration.
    pub(super) fn reload(&mut self, host: usize) {
        if host < FRONTS {
            return self.configure(host);
        }
        if host == HOSTS - 1 {
            // Whoever holds the same part gets the same file.
            self.reload(HOSTS);
        }
        let Some(part) = part_of(host).filter(|_| self.hosts[host].hub.is_some()) else {
            return;
        };
        self.taken(host);
        let read = BackendEvent::LicencesRead(vec![self.files[part].clone()]);
        self.with(host, |hub, now, out| hub.host_event(now, read.into(), out));
    }

    /// Gives a node something, and does what it wants done.
    pub(super) fn with(&mut self, host: usize, give: impl FnOnce(&mut Hub, Now, &mut Vec<Output>)) {
        let state = &mut self.hosts[host];
        let now = state.clock.now(self.now);
        let Some(hub) = &mut state.hub else { return };
        state.stepped = self.now;
        let mut out = Vec::new();
        give(hub, now, &mut out);
        let deadline = hub.deadline();
        // What has come to the hub since it was frozen may not have reached the node.
        let awake = state.ticked >= state.frozen;
        let decides = matches!(hub.node(), Node::Front(front) if awake && front.decides(now));
        let by = (host, state.life);
        state.spins = match state.spins {
            (at, count) if at == self.now => (at, count + 1),
            _ => (self.now, 0),
        };
        if state.spins.1 == 5000 {
            let found = Err(format!("host {host} does not move its deadline {deadline:?}"));
            self.checks.note(self.now, "service", found);
        }
        if decides {
            let found = self.checks.fence.ready(by, self.now);
            self.checks.note(self.now, "fence", found);
        }
        let state = &mut self.hosts[host];
        let due = deadline.map(|due| state.clock.at(due.at).max(self.now));
        if due != state.tick {
            state.tick = due;
            let life = state.life;
            if let Some(due) = due {
                self.at(due, Event::Tick { host, life });
            }
        }
        let logged = lines::check(self.now < self.aftermath, self.mistakes.are_made());
        self.checks.note(self.now, "lines", logged);
        for output in out {
            self.put_out(host, output);
        }
    }

    fn put_out(&mut self, host: usize, output: Output) {
        let life = self.hosts[host].life;
        match output {
            Output::Dial(Dial { link, to, callee }) => {
                let Some(target) = self.mistakes.leads_to(&to.host) else { return };
                let from = End::Host { host, life, link: Some(link) };
                let listener = match callee {
                    PeerKind::Twin { .. } => Listener::Twin,
                    PeerKind::Backend | PeerKind::Stock => Listener::Licence,
                };
                let to = End::Host { host: target, life: 0, link: None };
                let conn = Conn::new(from, to, listener);
                let conn = self.net.open(conn);
                self.hosts[host].links.insert(link, (conn, 0));
                let wait = 2 * self.net.latency(self.now, host, target, &mut self.rng);
                self.after(wait, Event::Open { conn });
            }
            Output::Wake(link) | Output::End(link) => {
                self.hosts[host].woken.insert(link, self.now);
                let wait = self.rng.span(1, 300);
                self.after(wait, Event::Flush { host, life, link });
            }
            Output::Host(request) => self.host_request(host, request),
            // Nothing is written to a socket here, and nobody knocks in vain.
            Output::Drop { .. } | Output::Listen(_) => {}
        }
    }

    /// Takes what waits on a link to the network.
    pub(super) fn flush(&mut self, host: usize, link: LinkId) {
        let state = &mut self.hosts[host];
        let Some(hub) = &mut state.hub else { return };
        let Some(&(conn, side)) = state.links.get(&link) else { return };
        if !self.net.conns.contains_key(&conn) {
            // It was cut before it stood, and the other side knows: whoever sends on it learns.
            let reason = CloseReason::Broken("connection reset".to_owned());
            state.links.remove(&link);
            self.unsaid(host, link);
            return self.with(host, |hub, now, out| hub.closed(now, link, reason, true, out));
        }
        let mut outbox = hub.outbox(link);
        // Nobody writes to a link before it stands.
        let waits = self.net.conns.get(&conn).is_some_and(|conn| !conn.open && !conn.cut);
        let held = state.held.entry(link).or_default();
        held.append(&mut outbox.frames);
        if !waits || outbox.close.is_some() {
            outbox.frames = state.held.remove(&link).unwrap_or_default();
        }
        let since = state.woken.remove(&link).unwrap_or(self.now);
        let sent = Decided { since, until: state.stepped.max(since) };
        if !outbox.frames.is_empty() {
            let client = matches!(self.net.conns[&conn].ends[1 - side], End::Client(_));
            let twin = self.net.conns[&conn].listener == Listener::Twin;
            let frames = if twin {
                self.overhear(host, link, side, sent, &outbox.frames);
                outbox.frames.into_iter().map(Frame::Twin).collect()
            } else if client {
                self.checks.calls.ended(host, link);
                outbox.frames.into_iter().map(Frame::Call).collect()
            } else {
                let batch = outbox.frames.concat();
                self.observe(host, link, sent, &batch);
                vec![Frame::Batch(batch)]
            };
            let passed = self.hosts[host].passed.remove(&link).filter(|_| client);
            if let Some((_, came)) = passed {
                let found = self.checks.passing.handed_out((host, self.hosts[host].life), came);
                self.checks.note(self.now, "passing", found);
            }
            let passed = passed.map(|(answer, _)| answer);
            if client && self.hosts[host].hub.is_some() && host < FRONTS {
                self.moment(Moment::Reply, host, None, conn);
            }
            self.send(conn, side, sent, Load::Frames(frames, passed));
            if self.net.conns.get(&conn).is_some_and(|conn| conn.late) {
                self.net.cut_late(conn);
            }
        }
        if let Some(reason) = outbox.close {
            self.trace(|| format!("{} closes a link: {reason}", NAMES[host]));
            self.checks.calls.ended(host, link);
            self.send(conn, side, Decided::at(self.now), Load::Fin);
            self.hosts[host].links.remove(&link);
            self.unsaid(host, link);
            self.gone(conn, side);
            self.with(host, |hub, now, out| hub.closed(now, link, reason, false, out));
        }
    }

    /// A link is gone, with what its process has said on it since it was last flushed.
    fn unsaid(&mut self, host: usize, link: LinkId) {
        let state = &mut self.hosts[host];
        let since = state.woken.remove(&link).unwrap_or(self.now);
        self.checks.fence.lost((host, state.life), link, since);
    }

    /// The place of one end of a connection, if that is still there.
    pub(super) fn place(&self, conn: u64, side: usize) -> Option<usize> {
        self.net.conns.get(&conn).map(|conn| match conn.ends[side] {
            End::Host { host, .. } => host,
            End::Client(who) => MACHINES + who,
        })
    }

    /// Sends from one side of a connection to the other.
    pub(super) fn send(&mut self, conn: u64, side: usize, sent: Decided, load: Load) {
        if let Some(load) = self.seal(conn, side, sent, load) {
            self.put(conn, side, sent, 0, load);
        }
    }

    /// Puts something on its way, so much later than it could be.
    pub(super) fn put(&mut self, conn: u64, side: usize, sent: Decided, late: u64, load: Load) {
        let (Some(from), Some(to)) = (self.place(conn, side), self.place(conn, 1 - side)) else {
            return;
        };
        let wait = self.net.latency(self.now, from, to, &mut self.rng) + late;
        let servers = from < MACHINES && to < MACHINES && self.faulty;
        let mut load = load;
        if servers && load.may_be_lost() && self.extra.loses() {
            self.hole(conn);
            load = Load::Hole;
        }
        let Some(open) = self.net.conns.get_mut(&conn).filter(|conn| conn.open && !conn.cut) else {
            return;
        };
        let (lane, last) = &mut open.lanes[1 - side];
        *last = (self.now + wait).max(*last);
        let at = *last;
        lane.push_back(Parcel { sent, load });
        self.at(at, Event::Arrive { conn, side: 1 - side });
    }

    /// A dialled connection reaches its target.
    pub(super) fn opened(&mut self, conn: u64) {
        let (Some(from), Some(to)) = (self.place(conn, 0), self.place(conn, 1)) else { return };
        if self.net.conns[&conn].gone[0] {
            self.net.conns.remove(&conn);
            return;
        }
        let blocked = self.net.blocked(self.now, from, to);
        let blocked = blocked.max(self.net.blocked(self.now, to, from));
        if let Some(until) = blocked {
            return self.at(until, Event::Open { conn });
        }
        if self.hosts[to].hub.is_none() {
            self.gone(conn, 1);
            return self.at(self.now + 500, Event::Notice { conn, side: 0 });
        }
        let ip = if from < MACHINES {
            self.hosts[from].ip
        } else {
            Station::new(self.clients[from - MACHINES].station, self.extra.mixed).ip
        };
        let address = SocketAddr::new(ip, 40_000);
        let (mut accepted, listener) = (None, self.net.conns[&conn].listener);
        self.with(to, |hub, now, out| accepted = hub.accept(now, listener, address, out));
        let Some(link) = accepted else { return };
        let life = self.hosts[to].life;
        self.hosts[to].links.insert(link, (conn, 1));
        let Some(open) = self.net.conns.get_mut(&conn) else { return };
        open.open = true;
        open.ends[1] = End::Host { host: to, life, link: Some(link) };
        let end = open.ends[0];
        self.lay_cable(conn);
        match end {
            End::Host { host, life, link: Some(near) } if listener == Listener::Twin => {
                // What was said before it stood.
                self.after(1, Event::Flush { host, life, link: near });
            }
            // Else the streams say so.
            End::Host { .. } if self.net.pieces.is_none() => {
                let front = u32::try_from(from).unwrap_or(0) + 1;
                let joined = Frame::Joined { front, minor: 1 };
                self.send(conn, 1, Decided::at(self.now), Load::Frames(vec![joined.clone()], None));
                self.hear(to, link, vec![joined], false);
            }
            End::Host { .. } => {}
            End::Client(who) => {
                self.clients[who].open = true;
                self.after(200, Event::Think { client: who });
            }
        }
    }

    /// What is next on a lane arrives.
    pub(super) fn arrive(&mut self, conn: u64, side: usize) {
        let (Some(from), Some(to)) = (self.place(conn, 1 - side), self.place(conn, side)) else {
            return;
        };
        if let Some(until) = self.net.blocked(self.now, from, to) {
            return self.at(until, Event::Arrive { conn, side });
        }
        let Some(known) = self.net.conns.get_mut(&conn) else { return };
        if known.cut && !known.lingers || known.gone[side] {
            return;
        }
        let Some(Parcel { sent, load }) = known.lanes[side].0.pop_front() else { return };
        match load {
            Load::Fin => self.over(conn, side, CloseReason::Eof),
            Load::Hole => known.holes[side] = true,
            Load::Frames(frames, answer) => self.take_in(conn, side, sent, answer, frames, false),
            Load::Bytes(bytes, answer) => self.take_bytes(conn, side, sent, answer, &bytes),
        }
    }

    /// Frames arrive; `partial`: and a part of another one. `answer`: who has made a reply among
    /// them, if not the one that sends it.
    pub(super) fn take_in(
        &mut self,
        conn: u64,
        side: usize,
        sent: Decided,
        answer: Option<Answer>,
        frames: Vec<Frame>,
        partial: bool,
    ) {
        let Some(known) = self.net.conns.get(&conn) else { return };
        match (known.ends[side], known.ends[1 - side]) {
            (End::Host { host, link: Some(link), .. }, other) => {
                if let (0, End::Host { host: by, life, .. }) = (side, other) {
                    self.passed(host, &frames, Answer { by: (by, life), at: sent });
                    self.confirmed(host, link, by, &frames);
                }
                self.hear(host, link, frames, partial);
            }
            (End::Client(who), End::Host { host, life, .. }) => {
                let own = Answer { by: (host, life), at: sent };
                self.hear_reply(who, frames, answer.unwrap_or(own));
            }
            _ => {}
        }
    }

    /// A side finds out that its connection is dead.
    pub(super) fn notice(&mut self, conn: u64, side: usize) {
        if self.net.conns.get(&conn).is_some_and(|conn| !conn.gone[side]) {
            self.over(conn, side, CloseReason::Broken("connection reset".to_owned()));
        }
    }

    pub(super) fn over(&mut self, conn: u64, side: usize, reason: CloseReason) {
        let Some(end) = self.net.conns.get(&conn).map(|conn| conn.ends[side]) else { return };
        self.gone(conn, side);
        match end {
            End::Client(who) => self.lost(who),
            End::Host { host, life, link: Some(link) } if self.hosts[host].lives(life) => {
                self.checks.calls.ended(host, link);
                self.hosts[host].links.remove(&link);
                self.unsaid(host, link);
                self.with(host, |hub, now, out| hub.closed(now, link, reason, false, out));
            }
            End::Host { .. } => {}
        }
    }

    /// A side knows that a connection is over.
    pub(super) fn gone(&mut self, conn: u64, side: usize) {
        let Some(known) = self.net.conns.get_mut(&conn) else { return };
        known.gone[side] = true;
        if known.gone == [true; 2] {
            self.net.conns.remove(&conn);
        }
    }

    /// Cuts a connection: each side that is left notices in its own time, perhaps much later.
    pub(super) fn cut(&mut self, conn: u64) {
        let Some(gone) = self.net.conns.get(&conn).map(|known| known.gone) else { return };
        self.net.cut(conn);
        self.trace(|| format!("connection {conn} is cut"));
        for side in (0..2).filter(|side| !gone[*side]) {
            let late = if self.rng.chance(70) { SECOND / 20 } else { 20 * SECOND };
            let wait = self.rng.span(0, late);
            self.after(wait, Event::Notice { conn, side });
        }
    }

    /// Stops a host dead and starts it again after a while.
    pub(super) fn crash(&mut self, host: usize, down: u64) {
        if self.hosts[host].hub.is_none() {
            return;
        }
        self.trace(|| format!("{} stops for {} ms", NAMES[host], down / 1000));
        let state = &mut self.hosts[host];
        (state.hub, state.frozen, state.tick) = (None, 0, None);
        state.woken.clear();
        state.held.clear();
        state.passed.clear();
        if host >= FRONTS && state.disk.read().is_some() {
            self.checks.on_disk(self.now, host, state.disk.read());
        }
        state.disk.crash(&mut self.rng);
        if self.mistakes.forgetful == Some(host) {
            state.disk.lose();
        }
        // What lay in its memory still.
        let written = self.now.saturating_sub(HISTORY_FLUSH.0.as_micros() as u64);
        state.history.retain(|(at, _)| *at <= written);
        let links = std::mem::take(&mut state.links);
        self.checks.calls.forget(host);
        for (conn, side) in links.into_values() {
            self.gone(conn, side);
            self.cut(conn);
        }
        self.after(down, Event::Restart { host });
    }

    /// A host makes no step for a while; what comes in waits.
    pub(super) fn freeze(&mut self, host: usize, length: u64) {
        let state = &mut self.hosts[host];
        if state.hub.is_none() || state.frozen > self.now {
            return;
        }
        state.frozen = self.now + length;
        let now = state.clock.now(self.now);
        let decides = state.hub.as_ref().map(Hub::node);
        if matches!(decides, Some(Node::Front(front)) if front.decides(now)) {
            self.checks.fence.stops((host, state.life), self.now + length, length);
        }
        self.trace(|| format!("{} is frozen for {} ms", NAMES[host], length / 1000));
        self.checks.calls.excuse(host, length);
    }
}

/// The part of the licences that a backend holds: the one that is spare holds the last one.
fn part_of(host: usize) -> Option<usize> {
    host.checked_sub(FRONTS).map(|part| part.min(BACKENDS - 1))
}

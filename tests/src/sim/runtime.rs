//! The runtime of a simulated node: it starts and stops the node, hands inputs to it, and performs its
//! intents. What happens on connections is in `delivery`.

use super::check::{Decided, lines};
use super::event::Event;
use super::extra::Moment;
use super::fault::Plan;
use super::host::Host;
use super::licences::quantities;
use super::net::{Conn, End, Load};
use super::world::{BACKENDS, FRONTS, HOSTS, NAMES, World};
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
        if self.hosts[host].process.hub.is_some() || (self.plan.fronts..FRONTS).contains(&host) {
            return;
        }
        let seed = self.rng.seed();
        let front = u32::try_from(self.rng.between(1, u64::from(u32::MAX))).unwrap_or(1);
        let file = part_of(host).map(|part| self.vendor.files[part].clone());
        if host < FRONTS {
            self.hosts[host].process.version = self.faults.machines.version(self.faults.on);
        }
        let rotten = host >= FRONTS
            && std::mem::take(&mut self.faults.mistakes.rotten[part_of(host).unwrap_or(0)]);
        let node = match Self::node(&mut self.hosts[host], file, &self.plan, seed, front) {
            Ok(node) => node,
            Err(reason) if rotten => {
                // An operator replaces the disk after that message.
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
        state.process.life += 1;
        state.address.away = false;
        state.process.hub = Some(Hub::new(node));
        state.process.tick = None;
        self.with(host, |hub, now, out| hub.tick(now, out));
        self.configure(host);
        self.hosts[host].address.told = None;
        self.look(host);
    }

    /// Tells a front whether the virtual address is on its machine.
    pub(super) fn look(&mut self, host: usize) {
        let state = &mut self.hosts[host];
        let awake = state.process.hub.is_some() && state.frozen <= self.now;
        let here = state.address.here;
        if host < FRONTS && self.plan.address && awake && state.address.told != Some(here) {
            state.address.told = Some(here);
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
            retry: Duration::from_secs(plan.waits.retry),
            unfenced: false,
            virtuals: Vec::new(),
            cleanup: Duration::from_secs(30),
            policy: Default::default(),
            twin: (plan.fronts == FRONTS).then(|| Twin {
                address: Address { host: other.to_owned(), port: 2 },
                connect_timeout: Duration::from_secs(plan.waits.connect),
                transfer_timeout: Duration::from_secs(plan.waits.transfer),
            }),
            front,
            handle_key: tmr_core::service::HandleKey::default(),
            seed,
        };
        let mut front = Front::new(config);
        front.speak(state.process.version);
        front.remember(&state.recorded());
        Ok(Node::Front(Box::new(front)))
    }

    /// Records that a backend has read its licence file.
    fn taken(&mut self, host: usize) {
        let Some(part) = part_of(host) else { return };
        self.checks.clients.seats.holds(self.now, part, host, quantities(&self.vendor.files[part]));
    }

    /// Makes a backend read its licence file, or a front its configuration.
    pub(super) fn reload(&mut self, host: usize) {
        if host < FRONTS {
            return self.configure(host);
        }
        if host == HOSTS - 1 {
            // The spare backend with the same part gets the same file.
            self.reload(HOSTS);
        }
        let Some(part) = part_of(host).filter(|_| self.hosts[host].process.hub.is_some()) else {
            return;
        };
        self.taken(host);
        let read = BackendEvent::LicencesRead(vec![self.vendor.files[part].clone()]);
        self.with(host, |hub, now, out| hub.host_event(now, read.into(), out));
    }

    /// Gives a node an input, and performs its outputs.
    pub(super) fn with(&mut self, host: usize, give: impl FnOnce(&mut Hub, Now, &mut Vec<Output>)) {
        let state = &mut self.hosts[host];
        let now = state.clock.now(self.now);
        let Some(hub) = &mut state.process.hub else { return };
        state.process.stepped = self.now;
        let mut out = Vec::new();
        give(hub, now, &mut out);
        let deadline = hub.deadline();
        // Input that reached the hub after a freeze may not have reached the node.
        let awake = state.process.ticked >= state.frozen;
        let decides = matches!(hub.node(), Node::Front(front) if awake && front.decides(now));
        let by = (host, state.process.life);
        state.process.spins = match state.process.spins {
            (at, count) if at == self.now => (at, count + 1),
            _ => (self.now, 0),
        };
        if state.process.spins.1 == 5000 {
            let found = Err(format!("host {host} does not move its deadline {deadline:?}"));
            self.checks.note(self.now, "service", found);
        }
        if decides {
            let found = self.checks.fronts.fence.ready(by, self.now);
            self.checks.note(self.now, "fence", found);
        }
        let state = &mut self.hosts[host];
        let due = deadline.map(|due| state.clock.at(due.at).max(self.now));
        if due != state.process.tick {
            state.process.tick = due;
            let life = state.process.life;
            if let Some(due) = due {
                self.at(due, Event::Tick { host, life });
            }
        }
        let logged =
            lines::check(self.now < self.faults.aftermath, self.faults.mistakes.are_made());
        self.checks.note(self.now, "lines", logged);
        for output in out {
            self.put_out(host, output);
        }
    }

    fn put_out(&mut self, host: usize, output: Output) {
        let life = self.hosts[host].process.life;
        match output {
            Output::Dial(Dial { link, to, callee }) => {
                let Some(target) = self.faults.mistakes.leads_to(&to.host) else { return };
                let from = End::Host { host, life, link: Some(link) };
                let listener = match callee {
                    PeerKind::Twin { .. } => Listener::Twin,
                    PeerKind::Backend | PeerKind::Stock => Listener::Licence,
                };
                let to = End::Host { host: target, life: 0, link: None };
                let conn = Conn::new(from, to, listener);
                let conn = self.net.open(conn);
                self.hosts[host].links.conns.insert(link, (conn, 0));
                let wait = 2 * self.net.latency(self.now, host, target, &mut self.rng);
                self.after(wait, Event::Open { conn });
            }
            Output::Wake(link) | Output::End(link) => {
                self.hosts[host].links.woken.insert(link, self.now);
                let wait = self.rng.span(1, 300);
                self.after(wait, Event::Flush { host, life, link });
            }
            Output::Host(request) => self.host_request(host, request),
            // There are no sockets here: no link is closed for a full queue, and no listener is paused.
            Output::Drop { .. } | Output::Listen(_) => {}
        }
    }

    /// Sends the output that waits on a link.
    pub(super) fn flush(&mut self, host: usize, link: LinkId) {
        let state = &mut self.hosts[host];
        let Some(hub) = &mut state.process.hub else { return };
        let Some(&(conn, side)) = state.links.conns.get(&link) else { return };
        if !self.net.conns.contains_key(&conn) {
            // The connection was cut before it was established, and the other side knows. The
            // sender notices now.
            let reason = CloseReason::Broken("connection reset".to_owned());
            state.links.conns.remove(&link);
            self.unsaid(host, link);
            return self.with(host, |hub, now, out| hub.closed(now, link, reason, true, out));
        }
        let mut outbox = hub.outbox(link);
        // Output waits until the link is established.
        let waits = self.net.conns.get(&conn).is_some_and(|conn| !conn.open && !conn.cut);
        let held = state.links.held.entry(link).or_default();
        held.append(&mut outbox.frames);
        if !waits || outbox.close.is_some() {
            outbox.frames = state.links.held.remove(&link).unwrap_or_default();
        }
        let since = state.links.woken.remove(&link).unwrap_or(self.now);
        let sent = Decided { since, until: state.process.stepped.max(since) };
        if !outbox.frames.is_empty() {
            let client = matches!(self.net.conns[&conn].ends[1 - side], End::Client(_));
            let twin = self.net.conns[&conn].listener == Listener::Twin;
            let frames = if twin {
                self.overhear(host, link, side, sent, &outbox.frames);
                outbox.frames.into_iter().map(Frame::Twin).collect()
            } else if client {
                self.checks.clients.calls.ended(host, link);
                outbox.frames.into_iter().map(Frame::Call).collect()
            } else {
                let batch = outbox.frames.concat();
                self.observe(host, link, sent, &batch);
                vec![Frame::Batch(batch)]
            };
            let passed = self.hosts[host].links.passed.remove(&link).filter(|_| client);
            if let Some((_, came)) = passed {
                let found = self
                    .checks
                    .fronts
                    .passing
                    .handed_out((host, self.hosts[host].process.life), came);
                self.checks.note(self.now, "passing", found);
            }
            let passed = passed.map(|(answer, _)| answer);
            if client && self.hosts[host].process.hub.is_some() && host < FRONTS {
                self.moment(Moment::Reply, host, None, conn);
            }
            self.send(conn, side, sent, Load::Frames(frames, passed));
            if self.net.conns.get(&conn).is_some_and(|conn| conn.late) {
                self.net.cut_late(conn);
            }
        }
        if let Some(reason) = outbox.close {
            self.trace(|| format!("{} closes a link: {reason}", NAMES[host]));
            self.checks.clients.calls.ended(host, link);
            self.send(conn, side, Decided::at(self.now), Load::Fin);
            self.hosts[host].links.conns.remove(&link);
            self.unsaid(host, link);
            self.gone(conn, side);
            self.with(host, |hub, now, out| hub.closed(now, link, reason, false, out));
        }
    }

    /// Records that a link is gone, with its output that was not flushed.
    pub(super) fn unsaid(&mut self, host: usize, link: LinkId) {
        let state = &mut self.hosts[host];
        let since = state.links.woken.remove(&link).unwrap_or(self.now);
        self.checks.fronts.fence.lost((host, state.process.life), link, since);
    }

    /// Stops a host dead and starts it again after a while.
    pub(super) fn crash(&mut self, host: usize, down: u64) {
        if self.hosts[host].process.hub.is_none() {
            return;
        }
        self.trace(|| format!("{} stops for {} ms", NAMES[host], down / 1000));
        let state = &mut self.hosts[host];
        state.process.hub = None;
        state.process.tick = None;
        state.frozen = 0;
        state.links.woken.clear();
        state.links.held.clear();
        state.links.passed.clear();
        if host >= FRONTS && state.disk.read().is_some() {
            self.checks.on_disk(self.now, host, state.disk.read());
        }
        state.disk.crash(&mut self.rng);
        if self.faults.mistakes.forgetful == Some(host) {
            state.disk.lose();
        }
        // Records that were still in memory are lost.
        let written = self.now.saturating_sub(HISTORY_FLUSH.0.as_micros() as u64);
        state.history.retain(|(at, _)| *at <= written);
        let links = std::mem::take(&mut state.links.conns);
        self.checks.clients.calls.forget(host);
        for (conn, side) in links.into_values() {
            self.gone(conn, side);
            self.cut(conn);
        }
        self.after(down, Event::Restart { host });
    }

    /// Freezes a host for a while; its input waits.
    pub(super) fn freeze(&mut self, host: usize, length: u64) {
        let state = &mut self.hosts[host];
        if state.process.hub.is_none() || state.frozen > self.now {
            return;
        }
        state.frozen = self.now + length;
        let now = state.clock.now(self.now);
        let decides = state.process.hub.as_ref().map(Hub::node);
        if matches!(decides, Some(Node::Front(front)) if front.decides(now)) {
            self.checks.fronts.fence.stops((host, state.process.life), self.now + length, length);
        }
        self.trace(|| format!("{} is frozen for {} ms", NAMES[host], length / 1000));
        self.checks.clients.calls.excuse(host, length);
    }
}

/// Returns the part of the licences that a backend holds; the spare backend holds the last part.
fn part_of(host: usize) -> Option<usize> {
    host.checked_sub(FRONTS).map(|part| part.min(BACKENDS - 1))
}

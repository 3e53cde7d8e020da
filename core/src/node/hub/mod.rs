//! The hub: one node, its links, and what waits to be sent on each. The same hub serves all
//! runtimes, which hold it behind their lock and perform its [`Output`]s. It performs the node's
//! intents about links (dial, send, close), and passes on requests to the host.
//!
//! What lives here: link numbers, caps, outboxes, and every deadline of a link or a listener. What
//! never lives here: bytes of a socket (that is [`Connection`](crate::link::Connection), driven by
//! the runtime outside the lock) and any meaning of a frame (that is the node).

mod arrivals;
mod deadlines;
mod held;
#[cfg(test)]
mod hub_test;
mod idle;
mod listeners;
mod output;
mod pages;
mod port;

use crate::base::limits::{FIRST_FRAME, OUTBOX_FRAMES, TWIN_GREETING};
use crate::base::log_throttle::LogThrottle;
use crate::base::time::{Deadline, Mono, Now};
use crate::io::{HostEvent, Input, Intent};
pub use crate::link::Arrived;
use crate::link::{CloseReason, HubMetrics, Limit, LinkId, Listener, Outbox};
use crate::node::Node;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use deadlines::Deadlines;
use listeners::{Listeners, Place};
pub use output::{Dial, Output};
use pages::Pages;
use port::{Answer, Asked, Port, Reading, cost};

/// One node and its links.
#[derive(Debug)]
pub struct Hub {
    node: Node,
    ports: BTreeMap<LinkId, Port>,
    accepted: u64,
    listeners: Listeners,
    deadlines: Deadlines,
    intents: Vec<Intent>,
    /// Links whose next request may go to the node.
    answered: Vec<LinkId>,
    counts: HubMetrics,
    /// Bytes that all links without a proof of the group key hold here.
    held: usize,
    refusals: LogThrottle,
    sheds: LogThrottle,
    pages: Pages,
}

impl Hub {
    /// Returns a hub around `node`, which the first [`tick`](Self::tick) starts.
    #[must_use]
    pub fn new(node: Node) -> Self {
        Self {
            node,
            ports: BTreeMap::new(),
            accepted: 0,
            listeners: Listeners::new(),
            deadlines: Deadlines::default(),
            intents: Vec::new(),
            answered: Vec::new(),
            counts: HubMetrics::default(),
            held: 0,
            refusals: LogThrottle::default(),
            sheds: LogThrottle::default(),
            pages: Pages::default(),
        }
    }

    /// Returns the node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Sets the greatest number of client links: fewer than
    /// [`CLIENT_LINKS_MAX`](crate::base::limits::CLIENT_LINKS_MAX) if the system does not give a
    /// process that many files.
    #[must_use]
    pub fn with_clients_max(mut self, most: usize) -> Self {
        self.listeners.limit_clients(most);
        self
    }

    /// Sets the number of files that the system lets this process open, for metrics.
    #[must_use]
    pub fn with_files_max(mut self, most: usize) -> Self {
        self.counts.files_max = most;
        self
    }

    /// Sets the addresses of the other front, as they were looked up: a place at the listener for
    /// twins is kept for it.
    pub fn expect_twin(&mut self, at: impl IntoIterator<Item = IpAddr>) {
        self.listeners.expect(at);
    }

    /// Takes an accepted connection. `None`: it is to be closed, as there is not even room for an
    /// error reply.
    pub fn accept(
        &mut self,
        now: Now,
        listener: Listener,
        from: SocketAddr,
        out: &mut Vec<Output>,
    ) -> Option<LinkId> {
        // An IPv4 client at an IPv6 socket is an IPv4 client.
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let knock = self.knock(now.mono, listener, from);
        if let Some(limit) = knock.reached {
            self.counts.reach(limit);
            let what = match knock.place {
                Place::Free => "is told that there is no place",
                Place::Of(_) | Place::Ungreeted(_) => "takes the place of an idle one",
                Place::None => "is refused",
            };
            let text = format!("a connection of {from} {what}: {}", limit.name());
            self.refusals.warn(now.mono, &text);
        }
        match knock.place {
            Place::Free => {}
            Place::Of(other) | Place::Ungreeted(other) => {
                self.shut(now, other, CloseReason::Limit("links on this door"), out);
            }
            Place::None => return None,
        }
        // Dialled links are odd, accepted ones even: two counters never give the same number.
        self.accepted += 2;
        let link = LinkId(self.accepted);
        let patience = if listener == Listener::Twin { TWIN_GREETING } else { FIRST_FRAME };
        self.open(link, Some((listener, from)), now.mono, Some(now.mono + patience));
        let placed = matches!(knock.place, Place::Ungreeted(_));
        let crowded = listener == Listener::Licence && knock.reached.is_some() && !placed;
        self.listeners.enter(listener, from, link, crowded);
        self.look_for_idle_links(now.mono);
        if crowded {
            if let Some(port) = self.ports.get_mut(&link) {
                port.crowded = true;
                port.forgotten = true;
            }
        } else {
            self.step(now, Input::Accepted { link, listener, from }, out);
        }
        Some(link)
    }

    /// Takes frames that arrived on links. The node gets all calls among them together.
    pub fn received(
        &mut self,
        now: Now,
        arrived: impl IntoIterator<Item = Arrived>,
        out: &mut Vec<Output>,
    ) {
        for arrived in arrived {
            self.keep(arrived.link, arrived.held);
            self.take_in(now, arrived, out);
        }
        self.pump(now, out);
        self.shed(now, out);
    }

    /// Records that the last outboxes of these links have left the machine. To be called if an
    /// outbox reports that a request waits for it.
    pub fn left(
        &mut self,
        now: Now,
        links: impl IntoIterator<Item = LinkId>,
        out: &mut Vec<Output>,
    ) {
        for link in links {
            if let Some(port) = self.ports.get_mut(&link) {
                Self::gone(port, link, &mut self.answered);
                // They have read: now the node has to answer.
                self.deadlines.forget(link);
                self.clock(now, link);
            }
        }
        self.pump(now, out);
    }

    /// Records that a reply has left: the request behind it may be served.
    fn gone(port: &mut Port, link: LinkId, answered: &mut Vec<LinkId>) {
        if port.answer == Answer::Leaving {
            port.answer = Answer::Gone;
            if !port.requests.is_empty() {
                answered.push(link);
            }
        }
    }

    /// Removes a link: closed by the peer, broken, closed by the runtime, or never opened.
    /// `unsent`: sealed bytes were not handed to the network.
    pub fn closed(
        &mut self,
        now: Now,
        link: LinkId,
        reason: CloseReason,
        unsent: bool,
        out: &mut Vec<Output>,
    ) {
        self.set_due(link, None);
        let Some(port) = self.ports.remove(&link) else { return };
        self.pages.forget(link);
        self.deadlines.forget(link);
        self.held -= port.held + port.kept;
        if let Some((listener, from)) = port.listener {
            self.listeners.leave(listener, from, link, port.crowded);
        }
        if !port.forgotten {
            let unsent = unsent || !port.outbox.frames.is_empty();
            self.step(now, Input::Closed { link, reason, unsent }, out);
            self.pump(now, out);
        }
    }

    /// Takes an event of the host.
    pub fn host_event(&mut self, now: Now, event: HostEvent, out: &mut Vec<Output>) {
        self.step(now, event.into(), out);
        self.pump(now, out);
    }

    /// Runs what is due at [`deadline`](Self::deadline), or starts the node.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        self.end_overdue(now, out);
        while let Some((at, link)) = self.deadlines.frames.first().copied() {
            if at > now.mono {
                break;
            }
            let whole = self.ports.get(&link).is_some_and(|port| port.reading.whole);
            let what = if whole { "a whole frame" } else { "the first frame" };
            self.counts.reach(Limit::SlowLink);
            self.shut(now, link, CloseReason::Timeout(what), out);
        }
        self.end_idle_links(now, out);
        self.resume_pages(now, out);
        self.step(now, Input::Tick, out);
        self.pump(now, out);
    }

    /// Returns when to tick next.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let pages = self.pages.due().map(|at| Deadline { at, reason: "pages" });
        let idle = self.deadlines.idle_look.filter(|_| !self.ports.is_empty());
        let idle = idle.map(|at| Deadline { at, reason: "idle links" });
        [idle, pages].into_iter().fold(self.deadlines.next(), Deadline::sooner)
    }

    /// Takes what waits on a link. An unknown link is to be closed.
    pub fn outbox(&mut self, link: LinkId) -> Outbox {
        match self.ports.get_mut(&link) {
            Some(port) => {
                port.woken = false;
                if port.answer == Answer::Made {
                    port.answer = Answer::Leaving;
                }
                if port.is_counted() {
                    let taken = port.outbox.frames.iter().map(|frame| cost(frame)).sum::<usize>();
                    port.held -= taken;
                    self.held -= taken;
                }
                Outbox {
                    frames: core::mem::take(&mut port.outbox.frames),
                    close: port.outbox.close.clone(),
                    waits: port.answer == Answer::Leaving
                        && (port.reading.partial || !port.requests.is_empty()),
                }
            }
            None => Outbox { close: Some(CloseReason::Eof), ..Outbox::default() },
        }
    }

    fn open(
        &mut self,
        link: LinkId,
        listener: Option<(Listener, SocketAddr)>,
        heard: Mono,
        due: Option<Mono>,
    ) {
        let outbox = Outbox::default();
        let port = Port {
            listener,
            outbox,
            woken: false,
            crowded: false,
            forgotten: false,
            reading: Reading { heard, due: None, greeted: false, whole: false, partial: false },
            answer: Answer::Gone,
            requests: VecDeque::new(),
            proved: listener.is_none(),
            held: 0,
            kept: 0,
            shed: false,
        };
        self.ports.insert(link, port);
        self.set_due(link, due);
    }

    fn set_due(&mut self, link: LinkId, due: Option<Mono>) {
        let Some(port) = self.ports.get_mut(&link) else { return };
        if port.reading.due == due {
            return;
        }
        if let Some(old) = port.reading.due {
            self.deadlines.frames.remove(&(old, link));
        }
        if let Some(new) = due {
            self.deadlines.frames.insert((new, link));
        }
        port.reading.due = due;
    }

    /// Closes a link by decision of the hub, and reports it to the node.
    fn shut(&mut self, now: Now, link: LinkId, reason: CloseReason, out: &mut Vec<Output>) {
        self.set_due(link, None);
        let Some(port) = self.ports.get_mut(&link) else { return };
        let known = !port.forgotten;
        let unsent = !port.outbox.frames.is_empty();
        if let Some((listener, from)) = port.listener.take() {
            self.listeners.leave(listener, from, link, port.crowded);
        }
        port.forgotten = true;
        port.outbox = Outbox { close: Some(reason.clone()), ..Outbox::default() };
        port.requests.clear();
        self.held -= core::mem::take(&mut port.held);
        out.push(Output::End(link));
        if known {
            self.step(now, Input::Closed { link, reason, unsent }, out);
        }
    }

    fn wake(port: &mut Port, link: LinkId, out: &mut Vec<Output>) {
        if !port.woken {
            port.woken = true;
            out.push(Output::Wake(link));
        }
    }

    fn step(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let mut intents = core::mem::take(&mut self.intents);
        let mut overfull = Vec::new();
        self.deadlines.node = self.node.step(now, input, &mut intents);
        for intent in intents.drain(..) {
            match intent {
                Intent::Dial { link, to, callee } => {
                    self.open(link, None, now.mono, None);
                    out.push(Output::Dial(Dial { link, to, callee }));
                }
                Intent::Send { link, frame } => {
                    self.page_made(now, link, frame.len());
                    let Some(port) = self.ports.get_mut(&link) else { continue };
                    if port.outbox.frames.len() >= OUTBOX_FRAMES {
                        overfull.push(link);
                        continue;
                    }
                    if port.is_counted() {
                        port.held += cost(&frame);
                        self.held += cost(&frame);
                    }
                    port.outbox.frames.push(frame);
                    if port.answer == Answer::Asked {
                        port.answer = Answer::Made;
                    }
                    Self::wake(port, link, out);
                }
                Intent::Close { link, reason } => {
                    let Some(port) = self.ports.get_mut(&link) else { continue };
                    port.forgotten = true;
                    port.outbox.close = Some(reason);
                    out.push(Output::End(link));
                    self.set_due(link, None);
                }
                Intent::Host(request) => out.push(Output::Host(request)),
            }
        }
        self.intents = intents;
        for link in overfull {
            self.counts.reach(Limit::WaitingFrames);
            self.shut(now, link, CloseReason::Limit("frames waiting to be sent"), out);
        }
    }
}

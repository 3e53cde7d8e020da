//! Fronts and three real backends, connected by queues in memory. Everything is delivered in order
//! and at once, unless a test holds it back; time advances only when a test advances it.

use super::line::Line;
use super::machine::Machine;
use super::network::Network;
use super::side::Side;
use super::unfenced::Servers;
use crate::base::time::{Deadline, Duration, Mono, Now, Wall};
use crate::front::{Config, Front};
use crate::io::{FrontEvent, Input, Intent};
use crate::licence::Container;
use crate::link::PeerKind;
use crate::log::ContainerId;
use crate::testing::container;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

/// A message on its way to a node.
#[derive(Debug)]
pub(super) enum Event {
    ToFront(usize, Input),
    ToBackend(usize, Input),
}

pub(super) struct World {
    pub(super) now: Now,
    pub(super) backends: [Machine; 3],
    pub(super) fronts: Vec<Side>,
    pub(super) network: Network,
    /// The line between the fronts.
    pub(super) line: Line,
    /// The stock servers in place of the backends, for unfenced fronts.
    pub(super) servers: Servers,
    pub(super) events: VecDeque<Event>,
    /// The messages so far, if the test tells a story.
    pub(super) told: Option<Vec<String>>,
    /// The virtual containers in the configuration of a front that is added.
    pub(super) virtuals: Vec<(ContainerId, Option<u32>)>,
    /// Configurations that fronts want stored.
    pub(super) stores: Vec<(usize, String)>,
}

impl World {
    /// Returns three blank backends and this many fronts that stand by.
    pub(super) fn new(fronts: usize) -> Self {
        Self::with(fronts, [0, 1, 2].map(container))
    }

    /// Returns the same with other containers.
    pub(super) fn with(fronts: usize, containers: [Container; 3]) -> Self {
        let mut machine = 0..3;
        let backends = containers.map(|container| {
            let index = machine.next().unwrap();
            Machine::new(index, container)
        });
        let mut world = Self {
            now: Now { mono: Mono(1_000_000), wall: Wall(1_795_287_600) },
            backends,
            fronts: Vec::new(),
            network: Network::default(),
            line: Line::default(),
            servers: Servers::default(),
            events: VecDeque::new(),
            told: None,
            virtuals: Vec::new(),
            stores: Vec::new(),
        };
        for _ in 0..fronts {
            world.add_front();
        }
        for index in 0..3 {
            world.events.push_back(Event::ToBackend(index, Input::Tick));
        }
        world.run();
        world
    }

    pub(super) fn add_front(&mut self) -> usize {
        self.add_front_with(|_| ())
    }

    /// Adds a front with this change in its configuration.
    pub(super) fn add_front_with(&mut self, change: impl FnOnce(&mut Config)) -> usize {
        self.add_front_at(0, change)
    }

    /// Adds such a front with a clock that is this many seconds ahead.
    pub(super) fn add_front_at(&mut self, ahead: i64, change: impl FnOnce(&mut Config)) -> usize {
        let number = u8::try_from(self.fronts.len()).unwrap();
        let mut config = self.config(number);
        change(&mut config);
        let node = Front::new(config);
        self.fronts.push(Side::new(node, ahead));
        let index = self.fronts.len() - 1;
        self.events.push_back(Event::ToFront(index, Input::Tick));
        self.run();
        index
    }

    /// Returns a world whose group is born and whose front 0 leads.
    pub(super) fn serving() -> Self {
        let mut world = Self::new(1);
        world.activate(0);
        world.advance(Duration::from_millis(1));
        assert!(world.leads(0), "{:#}", world.status(0));
        world
    }

    /// Moves the virtual address to a front's machine, or away.
    pub(super) fn address(&mut self, front: usize, here: bool) {
        self.step_front(front, FrontEvent::VirtualAddress { here }.into());
        self.run();
    }

    /// Delivers every message.
    pub(super) fn run(&mut self) {
        for _ in 0..200_000 {
            if let Some(event) = self.events.pop_front() {
                match event {
                    Event::ToFront(index, input) => self.step_front(index, input),
                    Event::ToBackend(index, input) => self.step_backend(index, input),
                }
            } else if !self.write() {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }

    /// Advances the time; timers fire when they are due.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now.mono + span;
        for _ in 0..1_000_000 {
            self.run();
            let due = (0..self.fronts.len())
                .filter(|&index| !self.fronts[index].frozen)
                .filter_map(|index| self.fronts[index].due.map(|due| (due.at, index)))
                .min();
            match due {
                Some((at, index)) if at <= end => {
                    self.set_time(at.max(self.now.mono));
                    self.step_front(index, Input::Tick);
                }
                _ => {
                    self.set_time(end);
                    return self.run();
                }
            }
        }
        panic!("a timer does not move its deadline");
    }

    fn set_time(&mut self, at: Mono) {
        let wall = 1_795_287_600 + at.0 / 1_000_000;
        self.now = Now { mono: at, wall: Wall(wall) };
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(line());
        }
    }

    pub(super) fn step_front(&mut self, index: usize, input: Input) {
        if self.fronts[index].frozen {
            return;
        }
        let mut out = Vec::new();
        let side = &mut self.fronts[index];
        let mono = Mono(self.now.mono.0 - u64::try_from(side.paused.as_micros()).unwrap());
        let wall = Wall(self.now.wall.0.saturating_add_signed(side.ahead));
        let due = side.node.step(Now { mono, wall }, input, &mut out);
        side.due = due.map(|due| Deadline { at: due.at + side.paused, ..due });
        for intent in out {
            self.front_wants(index, intent);
        }
    }

    fn front_wants(&mut self, index: usize, intent: Intent) {
        match intent {
            Intent::Dial { link, to, callee: PeerKind::Twin { .. } } => {
                self.dial_twin(index, link, usize::from(to.port));
            }
            Intent::Dial { link, to, callee: PeerKind::Stock } => {
                self.dial_server(index, link, usize::from(to.port));
            }
            Intent::Send { link, frame } if self.servers.has(index, link) => {
                self.ask_server(index, link, &frame);
            }
            Intent::Close { link, .. } if self.servers.has(index, link) => {
                self.servers.hang_up(index, link);
            }
            Intent::Dial { link, to, .. } => self.dial_backend(index, link, usize::from(to.port)),
            Intent::Send { link, frame } if self.line.has(index, link) => {
                self.send_twin(index, link, frame);
            }
            Intent::Close { link, .. } if self.line.has(index, link) => {
                self.close_twin(index, link);
            }
            Intent::Send { link, frame } => {
                if self.network.has(index, link) {
                    self.send_orders(index, link, frame);
                } else if let Some(client) = self.fronts[index].clients.get_mut(&link) {
                    client.replies.push(frame);
                    self.tell(|| "front → client: a reply".into());
                }
            }
            Intent::Close { link, .. } => {
                if let Some(client) = self.fronts[index].clients.get_mut(&link) {
                    client.closed = true;
                }
                self.close_backend(index, link);
            }
            Intent::Host(request) => self.host_request(index, request),
        }
    }
}

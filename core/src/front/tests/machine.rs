//! The machines of the backends in the tests' [`World`]: their processes, disks and clocks. A
//! machine keeps what a backend writes until its disk finishes the write, so that a test can cut
//! the power in between, and runs the real [`Backend`].
//!
//! What never lives here: connections (those are in `network`), the machines of fronts (those are
//! in `side`), and stock servers (those are in `unfenced`).

use super::brief::brief_report;
use super::world::{Event, World};
use crate::backend::{Backend, Config as BackendConfig};
use crate::base::time::{Now, Wall};
use crate::io::{BackendEvent, HostRequest, Input, Intent};
use crate::licence::Container;
use crate::link::Frame;
use crate::messages::group::{Report, decode};
use crate::testing::identity;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;

/// The machine of one backend.
pub(super) struct Machine {
    pub(super) node: Backend,
    /// The journal as it is on disk: what survives a crash.
    pub(super) disk: Vec<u8>,
    /// The writes that the disk has not finished, oldest first.
    writes: VecDeque<Write>,
    /// Whether the disk finishes no writes.
    pub(super) stuck: bool,
    /// After how many more writes the disk is stuck; `None`: never.
    pub(super) stuck_after: Option<u32>,
    /// The licence files.
    pub(super) containers: Vec<Container>,
    /// How many seconds its clock is ahead of the right time.
    pub(super) ahead: i64,
    /// Whether the process runs.
    pub(super) up: bool,
    /// The seed of the process, another one for every process of every machine.
    pub(super) started: u8,
}

/// An unfinished write.
struct Write {
    bytes: Vec<u8>,
    /// Whether it replaces the whole journal; otherwise the bytes are appended.
    whole: bool,
}

/// Starts a process with the journal that is on the disk; `None`: with a new disk.
fn open(containers: &[Container], seed: u8, disk: Option<&[u8]>) -> Backend {
    let config = BackendConfig {
        identity: identity(),
        containers: containers.to_vec(),
        group_check: *b"checksum",
        handle_key: crate::service::HandleKey::default(),
        seed: [seed; 32],
    };
    Backend::open(config, disk).unwrap().0
}

impl Machine {
    /// Returns the machine at this place, with a blank disk and a process that runs.
    pub(super) fn new(index: usize, container: Container) -> Self {
        let containers = alloc::vec![container];
        let started = u8::try_from(index).unwrap();
        Self {
            node: open(&containers, started, None),
            disk: Vec::new(),
            writes: VecDeque::new(),
            stuck: false,
            stuck_after: None,
            containers,
            ahead: 0,
            up: true,
            started,
        }
    }
}

impl World {
    /// Cuts the power of a backend: whatever was not on disk is lost.
    pub(super) fn crash(&mut self, index: usize) {
        self.backends[index].up = false;
        self.backends[index].writes.clear();
        self.unplug(|cable| cable.backend == index);
    }

    /// Starts a backend with its disk, or with a new one if that is empty.
    pub(super) fn restart(&mut self, index: usize) {
        let machine = &mut self.backends[index];
        machine.started = machine.started.wrapping_add(16);
        let disk = (!machine.disk.is_empty()).then_some(machine.disk.as_slice());
        machine.node = open(&machine.containers, machine.started, disk);
        machine.up = true;
        machine.stuck = false;
        self.events.push_back(Event::ToBackend(index, Input::Tick));
        self.run();
    }

    /// Replaces the licence files of a backend.
    pub(super) fn replace(&mut self, index: usize, containers: &[Container]) {
        self.backends[index].containers = containers.to_vec();
        let input = BackendEvent::LicencesRead(containers.to_vec()).into();
        self.events.push_back(Event::ToBackend(index, input));
    }

    /// Lets the disk of a backend finish writes again.
    pub(super) fn unstick(&mut self, index: usize) {
        self.backends[index].stuck = false;
        self.run();
    }

    /// Lets one disk finish a write. Returns whether there was one.
    pub(super) fn write(&mut self) -> bool {
        for index in 0..3 {
            let machine = &mut self.backends[index];
            if machine.stuck || machine.stuck_after == Some(0) || !machine.up {
                continue;
            }
            if let Some(Write { bytes, whole }) = machine.writes.pop_front() {
                machine.stuck_after = machine.stuck_after.map(|left| left - 1);
                if whole {
                    machine.disk.clear();
                }
                machine.disk.extend_from_slice(&bytes);
                self.tell(|| format!("backend {index} has written"));
                self.step_backend(index, BackendEvent::JournalWritten.into());
                return true;
            }
        }
        false
    }

    /// Steps a backend with an input, unless its process does not run. Its reports go to the
    /// fronts' queues, and its write to its disk.
    pub(super) fn step_backend(&mut self, index: usize, input: Input) {
        if !self.backends[index].up {
            return;
        }
        let mut out = Vec::new();
        let machine = &mut self.backends[index];
        let wall = Wall(self.now.wall.0.saturating_add_signed(machine.ahead));
        machine.node.step(Now { wall, ..self.now }, input, &mut out);
        for intent in out {
            match intent {
                Intent::Send { link, frame } => {
                    let Some((front, near)) = self.network.front_end(index, link) else { continue };
                    let reports = decode::<Report>(&frame).unwrap();
                    let report = &reports.last().expect("a report").body;
                    if !matches!(report, Report::Confirmed | Report::Facts(_)) {
                        self.tell(|| format!("{index} → front: {}", brief_report(report)));
                    }
                    let input = Input::Frame { link: near, frame: Frame::Batch(frame) };
                    self.events.push_back(Event::ToFront(front, input));
                }
                Intent::Host(HostRequest::Journal(write)) => {
                    let whole = write.is_whole();
                    self.backends[index]
                        .writes
                        .push_back(Write { bytes: write.into_bytes(), whole });
                }
                other => panic!("backend {index}: {other:?}"),
            }
            assert!(self.backends[index].writes.len() <= 1, "one write at a time");
        }
    }
}

//! A machine with one node on it: its clock, its disk, and the connections its hub has.

use super::check::handles::Answer;
use super::disk::Disk;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use tmr_core::base::limits::HISTORY_BLOCK;
use tmr_core::base::time::{Mono, Now, Wall};
use tmr_core::history::{Mark, Record};
use tmr_core::link::LinkId;
use tmr_core::messages::twin::Version;
use tmr_core::node::hub::Hub;

/// The date at which a run begins, in seconds since 1970.
pub(super) const TODAY: u64 = 1_795_287_600;

/// A clock with a drift in parts per million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) ppm: i64,
    pub(super) offset: u64,
    /// The error of its date, in seconds.
    pub(super) date: i64,
}

impl Clock {
    /// Returns what it shows at a true time.
    pub(super) fn now(self, at: u64) -> Now {
        let mono = self.offset + Self::scaled(at, 1_000_000 + self.ppm, 1_000_000);
        let wall = (TODAY + at / 1_000_000).saturating_add_signed(self.date);
        Now { mono: Mono(mono), wall: Wall(wall) }
    }

    /// Returns the first true time at which it shows this.
    pub(super) fn at(self, mono: Mono) -> u64 {
        let local = mono.0.saturating_sub(self.offset);
        let mut at = Self::scaled(local, 1_000_000, 1_000_000 + self.ppm);
        while self.now(at).mono < mono {
            at += 1;
        }
        at
    }

    fn scaled(value: u64, by: i64, over: i64) -> u64 {
        let scaled = i128::from(value) * i128::from(by) / i128::from(over);
        u64::try_from(scaled).expect("simulated times are small")
    }
}

/// The process of a node, which runs or is down.
#[derive(Debug)]
pub(super) struct Process {
    /// The running process; `None` while it is down.
    pub(super) hub: Option<Hub>,
    /// The number of starts, so that events for a dead process are not given to the next one.
    pub(super) life: u32,
    /// The version that it speaks to its twin, if it is a front.
    pub(super) version: Version,
    /// The time of its next tick.
    pub(super) tick: Option<u64>,
    /// The time of its last step.
    pub(super) stepped: u64,
    /// The time of its last tick.
    pub(super) ticked: u64,
    /// The time of the last steps, and their number at that time.
    pub(super) spins: (u64, u32),
}

/// The virtual address, as one machine sees it.
#[derive(Debug, Default)]
pub(super) struct VirtualAddress {
    /// The address is on this machine.
    pub(super) here: bool,
    /// The process wants to give the address away.
    pub(super) away: bool,
    /// What the process was last told about the address.
    pub(super) told: Option<bool>,
}

/// The configuration of a front, if it was ever changed.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// The text of its file.
    pub(super) file: Option<String>,
    /// The text that its process has put into force.
    pub(super) in_force: Option<String>,
}

/// The links that the hub of a process has.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The connections: number and side.
    pub(super) conns: BTreeMap<LinkId, (u64, usize)>,
    /// The time of the last output on a link that was not handed to the network yet.
    pub(super) woken: BTreeMap<LinkId, u64>,
    /// Output on links that are not established yet.
    pub(super) held: BTreeMap<LinkId, Vec<Vec<u8>>>,
    /// The process that made a reply which the other front sent for a client of this one, and the
    /// time of arrival.
    pub(super) passed: BTreeMap<LinkId, (Answer, u64)>,
}

/// A front or backend and its machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) ip: IpAddr,
    pub(super) clock: Clock,
    /// The host makes no step before this time.
    pub(super) frozen: u64,
    pub(super) process: Process,
    pub(super) links: Links,
    pub(super) address: VirtualAddress,
    pub(super) config: Configuration,
    pub(super) disk: Disk,
    /// The disk is slow until the first time, by the second one.
    pub(super) slow: (u64, u64),
    /// The records of its front, with their times.
    pub(super) history: Vec<(u64, Vec<u8>)>,
}

impl Host {
    pub(super) fn new(name: String, last: u8, clock: Clock) -> Self {
        let process = Process {
            hub: None,
            life: 0,
            version: Version::OWN,
            tick: None,
            stepped: 0,
            ticked: 0,
            spins: (0, 0),
        };
        Self {
            name,
            ip: Ipv4Addr::new(10, 0, 0, last).into(),
            clock,
            frozen: 0,
            process,
            links: Links::default(),
            address: VirtualAddress::default(),
            config: Configuration::default(),
            disk: Disk::default(),
            slow: (0, 0),
            history: Vec::new(),
        }
    }

    /// Returns the contents of its files of the usage history.
    pub(super) fn recorded(&self) -> Vec<u8> {
        self.history.iter().flat_map(|(_, lines)| lines).copied().collect()
    }

    /// Returns the lines after a position, as a machine reads them from its files.
    pub(super) fn recall(&self, after: Option<Mark>) -> Vec<u8> {
        let mut block: Vec<u8> = Vec::new();
        let mut full = false;
        for line in self.recorded().split_inclusive(|byte| *byte == b'\n') {
            let Ok(Record { id, .. }) = Record::parse(line) else { continue };
            if after.is_some_and(|after| id.is_beside(&after) && id <= after) {
                block.clear();
                full = false;
            } else if !full && block.len() + line.len() <= HISTORY_BLOCK {
                block.extend_from_slice(line);
            } else {
                full = true;
            }
        }
        block
    }

    /// Returns whether the process of this start still runs.
    pub(super) fn lives(&self, life: u32) -> bool {
        self.process.hub.is_some() && self.process.life == life
    }
}

//! Everything that may happen in the world, and when it does: one queue, in the order of time.

use super::extra::Strike;
use std::collections::BTreeMap;
use tmr_core::history::Mark;
use tmr_core::link::LinkId;

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

/// What is to happen, by its time; what falls on the same time happens in the order in which it was put
/// here.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    /// Events that were ever put here.
    count: u64,
    /// Events that were taken so far.
    pub(super) taken: u64,
}

impl Queue {
    /// Puts an event at a time.
    pub(super) fn put(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Takes the next event with its time, unless it lies after `until`.
    pub(super) fn next(&mut self, until: u64) -> Option<(u64, Event)> {
        let first = self.events.first_entry().filter(|first| first.key().0 <= until)?;
        let ((at, _), event) = first.remove_entry();
        self.taken += 1;
        Some((at, event))
    }

    /// Nothing that was to happen does.
    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

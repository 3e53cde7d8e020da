//! Everything that may happen in the world, and when it does: one queue, in the order of time.

use super::extra::Strike;
use std::collections::BTreeMap;
use tmr_core::history::Mark;
use tmr_core::link::LinkId;

/// An event of the world.
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
    /// A front reads lines of its history.
    Recall {
        host: usize,
        life: u32,
        after: Option<Mark>,
    },
    /// A write does not fit on the disk.
    Full {
        host: usize,
        life: u32,
    },
    /// The disk has room again.
    Room {
        host: usize,
    },
    /// A fault of a machine happens ([`super::machine`]).
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
    /// A strike at an important moment happens.
    Strike(Strike),
    /// A further fault happens ([`super::extra`]).
    Extra,
    /// An operator makes a mistake.
    Mistake,
    /// A time server shows a wrong date.
    Mislead,
    Storm {
        left: u64,
    },
    Operator,
    /// The vendor issues parts of a licence again.
    Reissue,
    /// An operator orders a planned failover.
    Failover,
    /// Keepalived moves the address away from a front that gives it away.
    Follow {
        host: usize,
    },
    /// A backend reads its licence file, or a front its configuration.
    Reload {
        host: usize,
    },
    /// An operator changes a front's configuration.
    Edit,
    /// A front's machine stores a configuration, or refuses.
    Store {
        host: usize,
        life: u32,
        text: Option<String>,
    },
}

/// The future events by their time; events of the same time happen in the order in which they were
/// put here.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    /// The number of events that were ever put here.
    count: u64,
    /// The number of events that were taken.
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

    /// Removes all events.
    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}

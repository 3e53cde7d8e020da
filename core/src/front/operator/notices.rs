//! What keepalived has said last of each of its instances and groups by its `notify`.
//!
//! What never lives here: what follows from it for the virtual address.

use crate::base::keepalived::{Notice, NoticeError, NoticeState};
use crate::base::limits::{TRACK_INSTANCES, TRACK_LATE};
use crate::base::log_throttle::LogThrottle;
use crate::base::time::{Duration, Mono};
use crate::messages::twin::Instances;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// The state that an instance or group was last said to be in.
#[derive(Clone, Copy, Debug)]
struct LastState {
    state: NoticeState,
    /// As in [`Notice`]; 0: no notice of it has said so.
    begun: u64,
}

/// What keepalived has said of all its instances and groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Notices {
    /// The last state of each instance or group.
    states: BTreeMap<String, LastState>,
    /// When one of them last changed.
    changed: Option<Mono>,
    /// All of them were stopped.
    stopped: bool,
    /// When the keepalived was begun that was heard last; 0: none has said so.
    keepalived: u64,
    /// For what is not kept, in the log.
    unkept: LogThrottle,
}

impl Notices {
    /// Keepalived says how an instance or group stands.
    pub(super) fn record(&mut self, now: Mono, notice: Notice) {
        self.disbelieve(&notice);
        if self.is_late(&notice) {
            tracing::debug!(
                target: "tmr_core::front::machine",
                ?notice, "keepalived has said something newer"
            );
            return;
        }
        let Notice { whose, state, begun, keepalived } = notice;
        self.changed = Some(now);
        if let Some(start) = keepalived {
            // What was said before it was begun is of one that has ended, and may have no such instance
            // any more.
            self.states.retain(|_, last| last.begun >= start);
            self.keepalived = start;
        }
        if whose.starts_with("GROUP ") && state == NoticeState::Ready {
            // It is as its instances are, and of one that is not configured any more nothing is said.
            let later = |last: &LastState| begun.is_some_and(|begun| last.begun > begun);
            self.states.retain(|whose, last| whose.starts_with("GROUP ") || later(last));
        }
        let last = self.states.get(&whose).map(|last| last.begun);
        if last.is_none() && self.states.len() >= TRACK_INSTANCES {
            self.states.retain(|_, last| last.state != NoticeState::Gone);
        }
        if last.is_some() || self.states.len() < TRACK_INSTANCES {
            tracing::debug!(target: "tmr_core::front::machine", whose, ?state, "keepalived says");
            let begun = begun.or(last).unwrap_or_default();
            self.states.insert(whose, LastState { state, begun });
        } else {
            let text = format!(
                "keepalived has more than {TRACK_INSTANCES} instances and groups on this machine; what it \
                 says of {whose} does not count"
            );
            self.unkept.warn(now, &text);
        }
        self.stopped = self.states.values().all(|last| last.state == NoticeState::Gone);
    }

    /// Keepalived's `notify` has said something that is no notice.
    pub(super) fn refuse(&mut self, now: Mono, error: &NoticeError) {
        self.unkept.warn(now, &format!("what tmrd notify was told does not count: {error}"));
    }

    /// Takes back times that cannot be true: a process that says something is not [`TRACK_LATE`] older
    /// than one that was heard before it.
    fn disbelieve(&mut self, notice: &Notice) {
        let Some(begun) = notice.begun else { return };
        let last = self.states.values_mut().map(|last| &mut last.begun);
        for time in last.chain([&mut self.keepalived]) {
            if *time > begun.saturating_add(TRACK_LATE) {
                *time = 0;
            }
        }
    }

    /// The virtual address has come here. What was in FAULT before is not, or is not configured any
    /// more: keepalived says nothing of what it was told to forget.
    pub(super) fn address_came(&mut self) {
        self.states.retain(|_, last| last.state != NoticeState::Fault);
    }

    /// Whether something newer was said of the same: of it by name, or of the group, which is as its
    /// instances are; or by a keepalived that was begun since.
    fn is_late(&self, notice: &Notice) -> bool {
        let Some(begun) = notice.begun else { return false };
        let of_instance = notice.whose.starts_with("INSTANCE ");
        begun < self.keepalived
            || self.states.iter().any(|(whose, last)| {
                let of_group = whose.starts_with("GROUP ") && last.state == NoticeState::Ready;
                (*whose == notice.whose || of_instance && of_group) && begun < last.begun
            })
    }

    /// Keepalived runs: its word of the start after a stop may have been lost.
    pub(super) fn keepalived_runs(&mut self) {
        self.stopped = false;
    }

    /// Returns whether keepalived has said something within this time.
    pub(super) fn changed_within(&self, now: Mono, time: Duration) -> bool {
        self.changed.is_some_and(|at| now.since(at) < time)
    }

    /// Returns how all of them stand together.
    pub(super) fn instances(&self) -> Instances {
        let is = |state| self.states.values().any(|last| last.state == state);
        if is(NoticeState::Fault) {
            Instances::Fault
        } else if is(NoticeState::Ready) {
            Instances::Ready
        } else if self.stopped {
            Instances::Stopped
        } else {
            Instances::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(millis: u64) -> Mono {
        Mono(0) + Duration::from_millis(millis)
    }

    fn notice(words: &[&str]) -> Notice {
        Notice::of_words(words).unwrap().expect("it tells of a state")
    }

    #[test]
    fn what_keepalived_says_of_each_instance_is_kept() {
        let mut notices = Notices::default();
        let mut said = |words: &str| {
            let words: Vec<&str> = words.split(' ').collect();
            if let Ok(Some(notice)) = Notice::of_words(&words) {
                notices.record(at(0), notice);
            }
            notices.instances()
        };
        assert_eq!(said("GROUP tmr nonsense 250"), Instances::Unknown);
        assert_eq!(said("FAULT"), Instances::Unknown);
        assert_eq!(said("GROUP tmr BACKUP 250"), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250"), Instances::Fault);
        assert_eq!(said("INSTANCE four MASTER 250"), Instances::Fault);
        assert_eq!(said("INSTANCE six DELETED 250"), Instances::Ready);
        // One that was in FAULT is taken out of the configuration: only its group is spoken of.
        assert_eq!(said("INSTANCE six FAULT 250"), Instances::Fault);
        assert_eq!(said("GROUP tmr FAULT 250"), Instances::Fault);
        assert_eq!(said("GROUP tmr BACKUP 250"), Instances::Ready);
        assert_eq!(said("GROUP tmr STOP 250"), Instances::Stopped);
        assert_eq!(said("more GROUP tmr BACKUP 250"), Instances::Ready);
        for number in 0..2 * TRACK_INSTANCES {
            let words = format!("GROUP {number} FAULT 1");
            let words: Vec<&str> = words.split(' ').collect();
            notices.record(at(0), notice(&words));
        }
        assert_eq!(notices.states.len(), TRACK_INSTANCES);
    }

    #[test]
    fn of_two_notices_the_one_that_was_begun_later_counts_whichever_is_heard_first() {
        let mut notices = Notices::default();
        let mut said = |words: &str, begun: u64| {
            let words: Vec<&str> = words.split(' ').collect();
            notices.record(at(0), notice(&words).timed(Some(begun), None));
            notices.instances()
        };
        assert_eq!(said("GROUP tmr BACKUP 250", 2), Instances::Ready);
        assert_eq!(said("GROUP tmr FAULT 250", 1), Instances::Ready);
        assert_eq!(said("GROUP tmr FAULT 250", 3), Instances::Fault);
        // An instance by itself, and one of a group that has gone on since.
        assert_eq!(said("INSTANCE six FAULT 250", 4), Instances::Fault);
        assert_eq!(said("GROUP tmr MASTER 250", 6), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 5), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 7), Instances::Fault);
        assert_eq!(said("INSTANCE six BACKUP 250", 8), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 9), Instances::Fault);
        assert_eq!(said("GROUP tmr BACKUP 250", 7), Instances::Fault, "the instance has gone on");
        assert_eq!(said("INSTANCE six BACKUP 250", 9), Instances::Ready);
        // A stop is not undone by what was said before it, and by what an older program says it is.
        assert_eq!(said("INSTANCE six STOP 250", 10), Instances::Ready);
        assert_eq!(said("GROUP tmr STOP 250", 11), Instances::Stopped);
        assert_eq!(said("GROUP tmr FAULT 250", 9), Instances::Stopped);
        let words = ["GROUP", "tmr", "BACKUP", "250"];
        notices.record(at(0), notice(&words));
        assert_eq!(notices.instances(), Instances::Ready);
        notices.record(at(0), notice(&["GROUP", "tmr", "FAULT", "1"]).timed(Some(9), None));
        assert_eq!(notices.instances(), Instances::Ready);
    }
    #[test]
    fn what_a_keepalived_has_said_ends_with_it() {
        let mut notices = Notices::default();
        let mut said = |words: &str, begun: u64, keepalived: u64| {
            let words: Vec<&str> = words.split(' ').collect();
            notices.record(at(0), notice(&words).timed(Some(begun), Some(keepalived)));
            notices.instances()
        };
        assert_eq!(said("INSTANCE old FAULT 250", 12, 10), Instances::Fault);
        // It was killed and could say nothing any more; its successor calls the instance otherwise.
        assert_eq!(said("INSTANCE new BACKUP 250", 22, 20), Instances::Ready);
        assert_eq!(said("INSTANCE old FAULT 250", 13, 10), Instances::Ready, "it was late");
        // Two at once, each with an instance of its own.
        assert_eq!(said("INSTANCE old FAULT 250", 23, 10), Instances::Fault);
        assert_eq!(said("INSTANCE new BACKUP 250", 24, 20), Instances::Fault);
        assert_eq!(said("INSTANCE old BACKUP 250", 25, 10), Instances::Ready);
    }

    #[test]
    fn a_time_that_cannot_be_true_holds_nothing_up() {
        let words = |state| ["GROUP", "tmr", state, "250"];
        for (begun, keepalived) in
            [(u64::MAX, None), (u64::MAX, Some(u64::MAX)), (TRACK_LATE + 8, Some(TRACK_LATE + 8))]
        {
            let mut notices = Notices::default();
            notices.record(at(0), notice(&words("FAULT")).timed(Some(begun), keepalived));
            assert_eq!(notices.instances(), Instances::Fault);
            notices.record(at(1), notice(&words("BACKUP")).timed(Some(7), Some(3)));
            assert_eq!(notices.instances(), Instances::Ready, "{begun} {keepalived:?}");
        }
        // A keepalived that was begun after what it has begun is no time at all.
        let none = notice(&words("FAULT")).timed(Some(7), Some(8));
        assert_eq!(none, notice(&words("FAULT")).timed(Some(7), None));
    }
}

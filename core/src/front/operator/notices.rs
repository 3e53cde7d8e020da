//! The last notices of keepalived on each of its instances and groups, by its `notify`.
//!
//! What never lives here: what follows for the virtual address.

use crate::base::keepalived::{Notice, NoticeError, NoticeState};
use crate::base::limits::{TRACK_INSTANCES, TRACK_LATE};
use crate::base::log_throttle::LogThrottle;
use crate::base::time::{Duration, Mono};
use crate::messages::twin::Instances;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

/// The last reported state of an instance or group.
#[derive(Clone, Copy, Debug)]
struct LastState {
    state: NoticeState,
    /// As in [`Notice`]; 0 if no notice had it.
    begun: u64,
}

/// What keepalived has reported of all its instances and groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Notices {
    /// The last state of each instance or group.
    states: BTreeMap<String, LastState>,
    /// When one of them last changed.
    changed: Option<Mono>,
    /// All of them were stopped.
    stopped: bool,
    /// When the latest keepalived was started; 0 if no notice had it.
    keepalived: u64,
    /// Limits the log of notices that are not kept.
    unkept: LogThrottle,
}

impl Notices {
    /// Takes a notice on an instance or group.
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
            // Notices from before its start are of a keepalived that has ended, and may concern
            // instances that are gone.
            self.states.retain(|_, last| last.begun >= start);
            self.keepalived = start;
        }
        if whose.starts_with("GROUP ") && state == NoticeState::Ready {
            // A group is as its instances are, and an instance that is not configured any more has
            // no notices.
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

    /// Logs a notice that could not be read.
    pub(super) fn refuse(&mut self, now: Mono, error: &NoticeError) {
        self.unkept.warn(now, &format!("what tmrd notify was told does not count: {error}"));
    }

    /// Corrects times that cannot be true: a process that sends a notice is not [`TRACK_LATE`]
    /// older than one whose notice came before.
    fn disbelieve(&mut self, notice: &Notice) {
        let Some(begun) = notice.begun else { return };
        let last = self.states.values_mut().map(|last| &mut last.begun);
        for time in last.chain([&mut self.keepalived]) {
            if *time > begun.saturating_add(TRACK_LATE) {
                *time = 0;
            }
        }
    }

    /// Notes that the virtual address has come here. Instances that were in FAULT are not any more,
    /// or are not configured any more: keepalived sends no notice of those that were removed.
    pub(super) fn address_came(&mut self) {
        self.states.retain(|_, last| last.state != NoticeState::Fault);
    }

    /// Returns whether a newer notice on the same subject came: on the same name, or on the group,
    /// which is as its instances are; or from a keepalived that was started later.
    fn is_late(&self, notice: &Notice) -> bool {
        let Some(begun) = notice.begun else { return false };
        let of_instance = notice.whose.starts_with("INSTANCE ");
        begun < self.keepalived
            || self.states.iter().any(|(whose, last)| {
                let of_group = whose.starts_with("GROUP ") && last.state == NoticeState::Ready;
                (*whose == notice.whose || of_instance && of_group) && begun < last.begun
            })
    }

    /// Notes that keepalived runs: its notice of the start after a stop may have been lost.
    pub(super) fn keepalived_runs(&mut self) {
        self.stopped = false;
    }

    /// Returns whether a notice has changed something within this time.
    pub(super) fn changed_within(&self, now: Mono, time: Duration) -> bool {
        self.changed.is_some_and(|at| now.since(at) < time)
    }

    /// Returns the combined state of all instances.
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
        // An instance in FAULT is removed from the configuration: notices come of its group only.
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
        // An instance by itself, and one of a group that has newer notices.
        assert_eq!(said("INSTANCE six FAULT 250", 4), Instances::Fault);
        assert_eq!(said("GROUP tmr MASTER 250", 6), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 5), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 7), Instances::Fault);
        assert_eq!(said("INSTANCE six BACKUP 250", 8), Instances::Ready);
        assert_eq!(said("INSTANCE six FAULT 250", 9), Instances::Fault);
        assert_eq!(said("GROUP tmr BACKUP 250", 7), Instances::Fault, "the instance has gone on");
        assert_eq!(said("INSTANCE six BACKUP 250", 9), Instances::Ready);
        // A stop is not undone by an earlier notice, nor by the state in a notice of an older
        // program.
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
        // It was killed and could send no notice; its successor has another name for the instance.
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
        // A start after the notice's own time is invalid.
        let none = notice(&words("FAULT")).timed(Some(7), Some(8));
        assert_eq!(none, notice(&words("FAULT")).timed(Some(7), None));
    }
}

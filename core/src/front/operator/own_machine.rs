//! Whether this machine, and the twin's, could take the virtual address. Keepalived moves it, and
//! is observed here by its calls: its track scripts ask this front at an interval (`/holdz`,
//! `/readyz?of=front`), and its `notify` reports the state of its instances. The runtime adds what
//! the system reports. Each front sends its twin what it knows ([`MachineReport`]); a planned
//! failover is refused if no machine could take the address.
//!
//! Machines without a virtual address, or whose address is moved by another program, give none of
//! these signs: nothing is known of them, and nothing is refused.

use super::notices::Notices;
use crate::base::keepalived::{Notice, NoticeError, Script};
use crate::base::limits::{
    STARTING, TRACK_CALLS, TRACK_INTERVAL_MAX, TRACK_KEPT, TRACK_SETTLES, TRACK_SILENT,
    TWIN_REASON_TEXT,
};
use crate::base::time::{Duration, Mono};
use crate::messages::twin::{Asks, Instances, MachineReport};
use crate::status::{AddressStatus, CouldTake};
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

/// What is known of the machine that this front runs on.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct OwnMachine {
    started: Option<Mono>,
    /// When each script last asked: whether the front could serve, and whether the address may
    /// leave.
    scripts: [Option<Mono>; 2],
    /// The latest calls of track scripts.
    calls: VecDeque<Mono>,
    /// The latest call that was part of a regular sequence.
    regular: Option<Mono>,
    /// The notices of keepalived.
    notices: Notices,
    /// What the system reports against the address here.
    obstacle: Option<String>,
}

impl OwnMachine {
    /// Begins a step of the front.
    pub(in crate::front) fn start(&mut self, now: Mono) {
        self.started.get_or_insert(now);
    }

    /// Returns for how long keepalived may be silent.
    fn patience(&self) -> Duration {
        let gaps = self.calls.iter().zip(self.calls.iter().skip(1));
        let longest = gaps.map(|(one, next)| next.since(*one)).max().unwrap_or_default();
        (longest * 3).max(TRACK_SILENT)
    }

    /// Notes a call of a track script. Keepalived runs both scripts: one alone is a person or a
    /// monitor, and means nothing.
    pub(in crate::front) fn asked(&mut self, now: Mono, script: Script) {
        let known = self.calls.len() >= TRACK_CALLS;
        let longest = if known { self.patience() } else { TRACK_INTERVAL_MAX };
        self.scripts[script as usize] = Some(now);
        let lately = |heard: &Option<Mono>| heard.is_some_and(|heard| now.since(heard) <= longest);
        if !self.scripts.iter().all(lately) {
            return;
        }
        if self.calls.back().is_some_and(|last| now.since(*last) > longest) {
            // One call after a silence does not restore the interval.
            self.calls.clear();
        }
        if self.calls.len() == TRACK_KEPT {
            self.calls.pop_front();
        }
        self.calls.push_back(now);
        if self.calls.len() >= TRACK_CALLS {
            self.regular = Some(now);
            self.notices.keepalived_runs();
        }
    }

    /// Takes a notice on an instance or group.
    pub(in crate::front) fn notified(&mut self, now: Mono, notice: Notice) {
        self.notices.record(now, notice);
    }

    /// Logs a notice that could not be read.
    pub(in crate::front) fn misunderstood(&mut self, now: Mono, error: &NoticeError) {
        self.notices.refuse(now, error);
    }

    /// Notes that the virtual address has come here.
    pub(in crate::front) fn has_address(&mut self) {
        self.notices.address_came();
    }

    /// Sets what the system reports against the address here; `None` if nothing.
    pub(in crate::front) fn set_obstacle(&mut self, obstacle: Option<String>) {
        if let Some(obstacle) = obstacle.as_ref().filter(|it| Some(*it) != self.obstacle.as_ref()) {
            tracing::warn!(
                target: "tmr_core::front::machine",
                "this machine cannot take the virtual address: {obstacle}"
            );
        }
        self.obstacle = obstacle;
    }

    fn asks(&self, now: Mono) -> Asks {
        match self.regular.map(|last| now.since(last)) {
            None => Asks::Never,
            Some(silence) if silence <= self.patience() => Asks::Regularly,
            Some(silence) => Asks::Silent(u32::try_from(silence.as_secs()).unwrap_or(u32::MAX)),
        }
    }

    pub(super) fn report(&self, now: Mono, unready: Option<String>) -> MachineReport {
        let started = self.started.unwrap_or(now);
        MachineReport {
            // A machine that has given the address away is in FAULT until its scripts ask again.
            starting: now.since(started) < STARTING
                || self.notices.changed_within(now, TRACK_SETTLES),
            asks: self.asks(now),
            instances: self.notices.instances(),
            obstacle: self.obstacle.clone().map(told),
            unready: unready.map(told),
        }
    }
}

/// Returns a reason in the form for the twin: without control characters, and not too long.
fn told(reason: String) -> String {
    let mut text: String =
        reason.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    let mut end = text.len().min(TWIN_REASON_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The machine that a text is about.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Ours,
    Theirs,
}

impl Whose {
    fn place(self) -> &'static str {
        match self {
            Self::Ours => "here",
            Self::Theirs => "there",
        }
    }
}

/// Returns whether keepalived could bring the address to a machine whose front serves then.
/// `other`: the report on the other machine, which may show that keepalived moves the address.
///
/// # Errors
/// Why not, in a sentence for people.
fn could_take(
    whose: Whose,
    report: &MachineReport,
    other: Option<&MachineReport>,
) -> Result<(), String> {
    let place = whose.place();
    if let Some(obstacle) = &report.obstacle {
        return Err(obstacle.clone());
    }
    match (report.asks, report.instances) {
        (_, Instances::Stopped) => return Err(format!("keepalived {place} was stopped")),
        (Asks::Silent(seconds), _) => {
            return Err(format!(
                "keepalived {place} has not run its track scripts for {seconds} s: it does not run, \
                 or hangs"
            ));
        }
        (_, Instances::Fault) if report.unready.is_none() => {
            return Err(format!(
                "keepalived {place} is in FAULT: an interface that it tracks is down, or a script of \
                 its fails"
            ));
        }
        // Keepalived does not concern this machine, unless it does the other one.
        (Asks::Never, Instances::Unknown) if other.is_some_and(|it| it.asks != Asks::Never) => {
            let reason = if report.starting {
                "the front has just started"
            } else {
                "it does not run, or its track scripts do not reach the front"
            };
            return Err(format!(
                "keepalived {place} has not run its track scripts since the front {place} started: \
                 {reason}"
            ));
        }
        _ => {}
    }
    could_serve(whose, report)
}

/// Returns whether a front could serve, by its own report.
///
/// # Errors
/// Why not, in a sentence for people.
fn could_serve(whose: Whose, report: &MachineReport) -> Result<(), String> {
    let Some(reason) = &report.unready else { return Ok(()) };
    Err(format!("the front {} could not serve: {reason}", whose.place()))
}

/// Returns the same for the status.
fn shown(whose: Whose, report: &MachineReport, other: Option<&MachineReport>) -> CouldTake {
    let seen = report.asks == Asks::Regularly || report.instances == Instances::Ready;
    match could_take(whose, report, other) {
        Err(reason) => CouldTake { could_take: Some(false), reason: Some(reason) },
        Ok(()) => CouldTake { could_take: seen.then_some(true), reason: None },
    }
}

/// Returns whether a twin could serve, and its machine take the virtual address, if the machine of
/// this front, with the report `ours`, has it.
///
/// # Errors
/// Why not, in words that continue "the twin".
pub(in crate::front) fn could_take_over(
    theirs: &MachineReport,
    ours: &MachineReport,
    has_address: bool,
) -> Result<(), String> {
    could_serve(Whose::Theirs, theirs).map_err(|reason| format!("cannot take over: {reason}"))?;
    if !has_address {
        return Ok(());
    }
    could_take(Whose::Theirs, theirs, Some(ours)).map_err(|reason| {
        format!("cannot take over, for the virtual address would go to nobody: {reason}")
    })
}

/// Returns which machines could take the virtual address, for the status.
pub(in crate::front) fn address_status(
    ours: &MachineReport,
    theirs: Option<&MachineReport>,
) -> AddressStatus {
    let this = shown(Whose::Ours, ours, theirs);
    let other = match theirs {
        Some(theirs) => shown(Whose::Theirs, theirs, Some(ours)),
        None => CouldTake { could_take: None, reason: None },
    };
    AddressStatus { this, other }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(millis: u64) -> Mono {
        Mono(0) + Duration::from_millis(millis)
    }

    /// Lets both scripts ask once in each interval, this many times; returns when they asked last.
    fn asks(machine: &mut OwnMachine, from: u64, interval: u64, times: u64) -> u64 {
        for time in 0..times {
            machine.asked(at(from + time * interval), Script::Status);
            machine.asked(at(from + time * interval + 3), Script::ManualFailover);
        }
        from + (times - 1) * interval + 3
    }

    #[test]
    fn scripts_that_ask_at_their_interval_and_then_do_not_are_silent() {
        for (interval, patience) in [(1_000, 5_000), (10_000, 30_000), (200, 5_000)] {
            let mut machine = OwnMachine::default();
            assert_eq!(machine.asks(at(0)), Asks::Never);
            let last = asks(&mut machine, 1_000, interval, 9);
            // Both scripts ask at almost the same time: the interval is 3 ms longer than the pause.
            assert_eq!(machine.asks(at(last + patience - 10)), Asks::Regularly, "{interval}");
            let silent = Asks::Silent(u32::try_from(patience / 1_000).unwrap());
            assert_eq!(machine.asks(at(last + patience + 1)), silent, "{interval}");
            // It runs again.
            let last = asks(&mut machine, last + 100_000, interval, 3);
            assert_eq!(machine.asks(at(last)), Asks::Regularly);
        }
    }

    #[test]
    fn scripts_that_an_operator_tries_by_hand_are_no_keepalived() {
        let mut machine = OwnMachine::default();
        asks(&mut machine, 0, 1, 1);
        assert_eq!(machine.asks(at(10)), Asks::Never);
        for time in 1..9 {
            machine.asked(Mono(0) + MINUTE * time * 2, Script::Status);
            assert_eq!(machine.asks(Mono(0) + MINUTE * time * 2), Asks::Never);
        }
        // A monitor asks one of the two, for any time.
        for time in 0..99 {
            machine.asked(at(1_100_000 + time * 5_000), Script::Status);
            assert_eq!(machine.asks(at(1_100_000 + time * 5_000)), Asks::Never);
        }
        let last = asks(&mut machine, 2_000_000, 1_000, 5);
        asks(&mut machine, last + 60_000, 1, 1);
        assert_eq!(machine.asks(at(last + 60_100)), Asks::Silent(60));
    }

    #[test]
    fn a_fault_ends_when_the_address_comes_and_not_by_a_silence() {
        let fault = || Notice::of_words(&["INSTANCE", "old", "FAULT", "1"]).unwrap().unwrap();
        let mut machine = OwnMachine::default();
        let last = asks(&mut machine, 1_000, 1_000, 5);
        machine.notified(at(last), fault());
        // The front was stopped for a minute; keepalived has nothing new to say.
        asks(&mut machine, last + 60_000, 1_000, 5);
        assert_eq!(machine.notices.instances(), Instances::Fault);
        machine.has_address();
        assert_eq!(machine.notices.instances(), Instances::Unknown);
    }

    #[test]
    fn a_reason_fits_the_message_to_the_twin() {
        let reason = told(format!("two\nlines {}", "é".repeat(TWIN_REASON_TEXT)));
        assert!(reason.starts_with("two lines é") && reason.len() <= TWIN_REASON_TEXT);
        let report = MachineReport { unready: Some(reason), ..MachineReport::default() };
        let tell = crate::messages::twin::TwinMessage::Machine(report);
        let bytes = tell.encode(5).unwrap();
        assert_eq!(crate::messages::twin::TwinMessage::decode(&bytes, 5), Ok(tell));
    }

    #[test]
    fn each_reason_is_told_and_nothing_stands_against_what_nothing_is_known_of() {
        let well = MachineReport {
            asks: Asks::Regularly,
            instances: Instances::Ready,
            ..MachineReport::default()
        };
        let nothing = MachineReport::default();
        let judge = |report: &MachineReport, other| could_take(Whose::Theirs, report, other);
        assert_eq!(judge(&well, Some(&well)), Ok(()));
        assert_eq!(judge(&well, Some(&nothing)), Ok(()));
        assert_eq!(judge(&nothing, Some(&nothing)), Ok(()));
        assert_eq!(judge(&nothing, None), Ok(()));
        // Its scripts are different ones, and its notices arrive.
        let own_scripts = MachineReport { asks: Asks::Never, ..well.clone() };
        assert_eq!(judge(&own_scripts, Some(&well)), Ok(()));
        let rows = [
            (nothing.clone(), "since the front there started: it does not run"),
            (MachineReport { starting: true, ..nothing.clone() }, "the front has just started"),
            (MachineReport { asks: Asks::Silent(12), ..well.clone() }, "for 12 s"),
            (MachineReport { instances: Instances::Fault, ..well.clone() }, "FAULT"),
            (MachineReport { instances: Instances::Stopped, ..well.clone() }, "was stopped"),
            (MachineReport { obstacle: Some("eth0 is down".into()), ..well.clone() }, "eth0"),
            (MachineReport { unready: Some("no backends".into()), ..well.clone() }, "no backends"),
        ];
        for (report, said) in rows {
            let reason = judge(&report, Some(&well)).unwrap_err();
            assert!(reason.contains(said), "{reason}");
        }
        assert_eq!(shown(Whose::Ours, &nothing, None).could_take, None);
        assert_eq!(shown(Whose::Ours, &well, None).could_take, Some(true));
    }
}

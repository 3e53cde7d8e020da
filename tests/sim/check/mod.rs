//! What must hold, one promise of the consistency design a file. Each checker sees only what
//! can be seen from outside of a node: what clients send and are told, and what goes over the
//! links between fronts and backends.
//!
//! | file | promise it guards |
//! |---|---|
//! | [`seats`] | seats in use by clients (from grant received to release sent, or until clean-up may have passed) are never above the quantity that two agreeing parts allowed when the last of them was granted; an exclusive use is alone on its station, also among those without limit that are on two disks |
//! | [`handles`] | no acknowledged grant or release is missing later, but that of a handle without a seat that was not on two disks yet; a handle number is never given twice; a released one never works again |
//! | [`slots`] | at most one value is committed in a slot; every state that is sent is the fold of the committed entries |
//! | [`calls`] | every call ends, with an answer or a closed link, within the bound of the limits |
//! | [`service`] | after faults stop, full service returns within a bound, and every seat of a vanished client comes back |
//!
//! That nothing panics is seen by whoever runs a seed.

pub mod calls;
pub mod handles;
pub mod seats;
pub mod service;
pub mod slots;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// True time, in microseconds.
    pub at: u64,
    /// Which checker says so.
    pub check: &'static str,
    /// What happened, in words.
    pub what: String,
}

/// All checkers of one run.
#[derive(Debug, Default)]
pub struct Checks {
    /// What was found.
    pub violations: Vec<Violation>,
    /// See [`seats`].
    pub seats: seats::Seats,
    /// See [`handles`].
    pub handles: handles::Handles,
    /// See [`slots`].
    pub slots: slots::Slots,
    /// See [`calls`].
    pub calls: calls::Calls,
    /// See [`service`].
    pub service: service::Service,
}

impl Checks {
    /// Keeps what a checker found.
    pub fn note(&mut self, at: u64, check: &'static str, found: Result<(), String>) {
        if let Err(what) = found {
            self.violations.push(Violation { at, check, what });
        }
    }
}

//! Acknowledged handles: a granted handle is valid, a released one is not, and no number is granted
//! twice. A handle without a seat is acknowledged before it is on two disks, and may be lost until
//! then.
//!
//! A front that does not know its successor yet may still answer for the time that [`CONFIRMED`]
//! names; an answer of another front within that time is no evidence.

use super::Decided;
use std::collections::BTreeMap;
use tmr_core::base::limits::CONFIRMED;

/// A process that answers: host and life.
pub type Process = (usize, u32);

/// The process that answered, and the time of its decision.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The process.
    pub by: Process,
    /// The time of the decision.
    pub at: Decided,
}

impl Answer {
    /// Returns whether this answer may come from a front that did not know of `earlier`.
    fn may_miss(self, earlier: Self) -> bool {
        // Clocks may be off by one percent.
        let stale = u64::try_from(CONFIRMED.as_micros()).unwrap_or(u64::MAX) * 102 / 100;
        self.by != earlier.by && self.at.since < earlier.at.until + stale
    }
}

#[derive(Debug)]
struct Known {
    granted: Answer,
    /// A release was requested; its outcome may be unknown.
    tried: bool,
    released: Option<Answer>,
}

/// Every handle that a client got.
#[derive(Debug, Default)]
pub struct Handles {
    known: BTreeMap<u32, Known>,
}

impl Handles {
    /// Checks a handle that a client got.
    ///
    /// # Errors
    /// The number is not new.
    pub fn granted(&mut self, handle: u32, granted: Answer) -> Result<(), String> {
        let known = Known { granted, tried: false, released: None };
        match self.known.insert(handle, known) {
            None => Ok(()),
            Some(before) => Err(format!("handle {handle} was given before: {before:?}")),
        }
    }

    /// Records a client's release.
    pub fn release_sent(&mut self, handle: u32) {
        if let Some(known) = self.known.get_mut(&handle) {
            known.tried = true;
        }
    }

    /// Returns whether a client got this handle.
    #[must_use]
    pub fn is_known(&self, handle: u32) -> bool {
        self.known.contains_key(&handle)
    }

    /// Returns whether a client holds it and never requested its release.
    #[must_use]
    pub fn is_kept(&self, handle: u32) -> bool {
        self.known.get(&handle).is_some_and(|known| !known.tried)
    }

    /// Checks a successful call with a handle.
    ///
    /// # Errors
    /// The handle was released before.
    pub fn worked(&mut self, handle: u32, answer: Answer) -> Result<(), String> {
        let Some(known) = self.known.get(&handle) else { return Ok(()) };
        match known.released {
            Some(released) if !answer.may_miss(released) => {
                Err(format!("handle {handle} works after its release: {released:?}, {answer:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Checks an acknowledged release.
    ///
    /// # Errors
    /// It was acknowledged before.
    pub fn released(&mut self, handle: u32, answer: Answer) -> Result<(), String> {
        let Some(known) = self.known.get_mut(&handle) else { return Ok(()) };
        match known.released.replace(answer) {
            None => Ok(()),
            Some(before) => Err(format!("handle {handle} was released twice: {before:?}")),
        }
    }

    /// Checks a call that was refused because the handle does not exist. `believed`: the client was
    /// not silent long enough for its end, and a handle without a seat is on two disks.
    ///
    /// # Errors
    /// It must be there.
    pub fn missed(&self, handle: u32, believed: bool, answer: Answer) -> Result<(), String> {
        let Some(known) = self.known.get(&handle) else { return Ok(()) };
        if known.tried || !believed || answer.may_miss(known.granted) {
            return Ok(());
        }
        Err(format!("handle {handle} is gone: granted {:?}, missing {answer:?}", known.granted))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn answer(host: usize, at: u64) -> Answer {
        Answer { by: (host, 1), at: Decided::at(at) }
    }

    fn given() -> Handles {
        let mut handles = Handles::default();
        handles.granted(7, answer(0, 10)).unwrap();
        handles
    }

    #[test]
    fn a_number_is_given_once_and_released_once() {
        let mut handles = given();
        assert!(handles.granted(7, answer(0, 20)).is_err());
        handles.release_sent(7);
        assert_eq!(handles.worked(7, answer(0, 25)), Ok(()));
        assert_eq!(handles.released(7, answer(0, 30)), Ok(()));
        assert!(handles.worked(7, answer(0, 40)).is_err());
        assert!(handles.released(7, answer(0, 50)).is_err());
    }

    #[test]
    fn a_handle_that_is_there_is_not_missed() {
        let late = 3_000_000;
        let mut handles = given();
        assert!(handles.missed(7, true, answer(0, 20)).is_err());
        assert_eq!(handles.missed(7, false, answer(0, 20)), Ok(()), "it was silent for too long");
        assert_eq!(handles.missed(7, true, answer(1, 20)), Ok(()), "an old leader");
        assert!(handles.missed(7, true, answer(1, late)).is_err(), "it would know by now");
        handles.release_sent(7);
        assert_eq!(handles.missed(7, true, answer(0, late)), Ok(()));
    }
}

//! Calls that one front passes on to the other: once it leads itself, it passes no reply of the
//! other one to a client any more, because that may be older than its own later answers.

use super::Decided;
use std::collections::BTreeMap;
use tmr_core::messages::group::Order;
use tmr_core::messages::twin::TwinMessage;

/// A process: host and life.
type Process = (usize, u32);

/// The fronts that lead by their own messages.
#[derive(Debug, Default)]
pub struct Passing {
    /// The latest beginning of its lead, which lasts until it forwards a call again.
    leads: BTreeMap<Process, u64>,
    /// The latest time at which it forwarded a call: it did not lead then.
    passed: BTreeMap<Process, u64>,
}

impl Passing {
    /// Records a front's order.
    pub fn ordered(&mut self, by: Process, sent: Decided, order: &Order) {
        let Order::Confirm { serves: true, .. } = order else { return };
        // Orders and calls wait in two outboxes, so a later message may have been decided earlier.
        if self.passed.get(&by).is_none_or(|passed| *passed < sent.since) {
            self.leads.entry(by).or_insert(sent.until);
        }
    }

    /// Records a message of a front to its twin.
    pub fn told(&mut self, by: Process, sent: Decided, message: &TwinMessage) {
        if let TwinMessage::Call { .. } = message {
            self.leads.remove(&by);
            self.passed.insert(by, sent.until);
        }
    }

    /// Checks a reply that a front gives to a client and got from the other front at this time.
    ///
    /// # Errors
    /// It led by then.
    pub fn handed_out(&self, by: Process, came: u64) -> Result<(), String> {
        match self.leads.get(&by) {
            Some(since) if *since < came => Err(format!(
                "front {}, which leads since {since} us, hands out a reply that came at {came} us",
                by.0
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use tmr_core::log::Slot;

    const BY: Process = (1, 3);

    fn confirm(serves: bool) -> Order {
        Order::Confirm { epoch: Default::default(), committed: Slot(0), serves }
    }

    fn call() -> TwinMessage {
        TwinMessage::Call { client: 1, from: ([10, 1, 0, 1], 1).into(), bytes: Vec::new() }
    }

    #[test]
    fn a_front_that_leads_hands_out_no_reply_of_the_other_one() {
        let mut passing = Passing::default();
        assert_eq!(passing.handed_out(BY, 10), Ok(()));
        passing.ordered(BY, Decided::at(20), &confirm(false));
        assert_eq!(passing.handed_out(BY, 25), Ok(()), "it does not serve yet");
        passing.ordered(BY, Decided { since: 28, until: 30 }, &confirm(true));
        assert_eq!(passing.handed_out(BY, 25), Ok(()), "it came before");
        assert_eq!(passing.handed_out(BY, 29), Ok(()), "it may have come before");
        assert!(passing.handed_out(BY, 40).is_err());
        assert_eq!(passing.handed_out((1, 4), 40), Ok(()), "another life");
        passing.told(BY, Decided::at(45), &call());
        assert_eq!(passing.handed_out(BY, 40), Ok(()), "it stands by again");
    }

    #[test]
    fn what_a_front_said_while_it_led_may_be_sent_behind_the_first_call_that_it_passes_on() {
        let mut passing = Passing::default();
        passing.told(BY, Decided { since: 25, until: 30 }, &call());
        passing.ordered(BY, Decided { since: 20, until: 30 }, &confirm(true));
        assert_eq!(passing.handed_out(BY, 40), Ok(()));
        passing.ordered(BY, Decided { since: 50, until: 50 }, &confirm(true));
        assert!(passing.handed_out(BY, 60).is_err(), "it has come to lead since");
    }
}

//! Calls that one front passes on to the other: once it leads itself, it hands out no reply of the other
//! one any more, which may be older than what it has told since.

use std::collections::BTreeMap;
use tmr_core::wire::group::Order;
use tmr_core::wire::twin::Tell;

/// A process: host and life.
type Process = (usize, u32);

/// Who leads by its own word.
#[derive(Debug, Default)]
pub struct Passing {
    /// Since when; until it passes a call on again.
    leads: BTreeMap<Process, u64>,
}

impl Passing {
    /// A front sends an order, which it had decided to by `sent`.
    pub fn ordered(&mut self, by: Process, sent: u64, order: &Order) {
        if let Order::Confirm { serves: true, .. } = order {
            self.leads.entry(by).or_insert(sent);
        }
    }

    /// A front tells its twin something.
    pub fn told(&mut self, by: Process, tell: &Tell) {
        if let Tell::Call { .. } = tell {
            self.leads.remove(&by);
        }
    }

    /// A front hands out a reply that reached it from the other one then.
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

    #[test]
    fn a_front_that_leads_hands_out_no_reply_of_the_other_one() {
        let by = (1, 3);
        let mut passing = Passing::default();
        assert_eq!(passing.handed_out(by, 10), Ok(()));
        let (epoch, committed) = (Default::default(), Slot(0));
        passing.ordered(by, 20, &Order::Confirm { epoch, committed, serves: false });
        assert_eq!(passing.handed_out(by, 25), Ok(()), "it does not serve yet");
        passing.ordered(by, 30, &Order::Confirm { epoch, committed, serves: true });
        assert_eq!(passing.handed_out(by, 25), Ok(()), "it came before");
        assert!(passing.handed_out(by, 40).is_err());
        assert_eq!(passing.handed_out((1, 4), 40), Ok(()), "another life");
        let from = ([10, 1, 0, 1], 1).into();
        passing.told(by, &Tell::Call { client: 1, from, bytes: Vec::new() });
        assert_eq!(passing.handed_out(by, 40), Ok(()), "it stands by again");
    }
}

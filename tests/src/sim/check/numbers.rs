//! Every access has a number of its own, which its grant repeats: no call is granted twice, by
//! either front, and a client gets the handle that was granted to this very call.

use super::slots::Slots;
use std::collections::BTreeMap;
use tmr_core::log::{Entry, Grant};

/// The numbers that were seen.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The number of slots that were looked at.
    slots: usize,
    /// Handle and number of every grant that was proposed.
    proposed: BTreeMap<u32, u32>,
    /// Number and handle of every grant that was chosen.
    granted: BTreeMap<u32, u32>,
}

impl Numbers {
    /// Records proposed entries. Returns whether one of them is a grant that was never proposed
    /// before.
    pub fn proposed(&mut self, entries: &[Entry]) -> bool {
        let mut new = false;
        for entry in entries {
            if let Entry::Grant(Grant { handle, client, .. }) = entry {
                new |= self.proposed.insert(handle.0, client.user_defined_id).is_none();
            }
        }
        new
    }

    /// Checks what was chosen since the last call.
    ///
    /// # Errors
    /// A call was granted twice.
    pub fn chosen(&mut self, slots: &Slots) -> Result<(), String> {
        if slots.chosen() < self.slots {
            // The birth of the group began again, before anything was granted.
            self.slots = 0;
            self.granted.clear();
        }
        let mut found = Ok(());
        for entry in slots.entries(self.slots) {
            self.slots += 1;
            let Entry::Grant(Grant { handle, client, .. }) = entry else { continue };
            let number = client.user_defined_id;
            let before = self.granted.insert(number, handle.0);
            if let (Some(before), true) = (before, number > 0) {
                let what = format!("call {number:#x} is granted twice: handles {before}, {handle}");
                found = found.and(Err(what));
            }
        }
        found
    }

    /// Checks the handle that a client got for its call.
    ///
    /// # Errors
    /// It was granted to another call.
    pub fn told(&self, number: u32, handle: u32) -> Result<(), String> {
        match self.proposed.get(&handle) {
            Some(other) if *other != number => Err(format!(
                "call {number:#x} is told handle {handle}, which was granted to call {other:#x}"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::slots::test::{grant, log};
    use super::*;

    fn numbered(handle: u32, number: u32) -> Entry {
        match grant(handle) {
            Entry::Grant(mut grant) => {
                grant.client.user_defined_id = number;
                Entry::Grant(grant)
            }
            other => other,
        }
    }

    #[test]
    fn a_call_is_granted_once_and_is_told_its_own_handle() {
        let chosen = |entries: &[Entry]| Numbers::default().chosen(&log(entries));
        assert_eq!(chosen(&[numbered(7, 1), numbered(8, 2)]), Ok(()));
        assert!(chosen(&[numbered(7, 1), numbered(8, 1)]).is_err());
        assert_eq!(chosen(&[numbered(7, 0), numbered(8, 0)]), Ok(()), "without a number");
        let mut numbers = Numbers::default();
        assert!(numbers.proposed(&[numbered(7, 1)]));
        assert!(!numbers.proposed(&[numbered(7, 1), Entry::Release(tmr_core::log::Handle(7))]));
        assert_eq!(numbers.told(1, 7), Ok(()));
        assert!(numbers.told(2, 7).is_err());
        assert_eq!(numbers.told(2, 8), Ok(()), "not known yet");
    }
}

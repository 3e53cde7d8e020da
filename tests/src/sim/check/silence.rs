//! After a takeover the silence of every client is measured anew, because the new leader does not
//! know the earlier calls. So a front that has come to lead ends a handle that another epoch has
//! granted only when the whole clean-up time has passed since its claim.

use super::Decided;
use super::handles::Handles;
use std::collections::{BTreeMap, BTreeSet};
use tmr_core::log::{Entry, Epoch, Handle};
use tmr_core::messages::group::Order;

/// The tolerance for clocks that drift by one percent, and one second.
const PERCENT: u64 = 98;
const SECOND: u64 = 1_000_000;

/// The grants and the claims.
#[derive(Debug, Default)]
pub struct Silence {
    /// The earliest time at which an epoch was claimed.
    claimed: BTreeMap<Epoch, u64>,
    /// The epoch that proposed each grant first, and the clean-up time in seconds.
    granted: BTreeMap<Handle, (Epoch, u64)>,
    /// Handles whose end was proposed, or whose release.
    ended: BTreeSet<Handle>,
}

impl Silence {
    /// Checks the ends of handles in a front's order.
    ///
    /// # Errors
    /// It ends a handle of a client too early.
    pub fn ordered(
        &mut self,
        sent: Decided,
        order: &Order,
        handles: &Handles,
    ) -> Result<(), String> {
        let (epoch, entries) = match order {
            Order::Claim { epoch } => {
                self.claimed.entry(*epoch).or_insert(sent.since);
                return Ok(());
            }
            Order::Append { epoch, entries, .. } => (*epoch, entries),
            _ => return Ok(()),
        };
        let mut found = Ok(());
        for entry in entries {
            match entry {
                Entry::Grant(grant) => {
                    let granted = (epoch, u64::from(grant.cleanup_seconds));
                    self.granted.entry(grant.handle).or_insert(granted);
                }
                Entry::Release(handle) => _ = self.ended.insert(*handle),
                Entry::Expire(handle) if self.ended.insert(*handle) => {
                    let expired = self.expired(sent, epoch, *handle, handles);
                    found = found.and(expired);
                }
                _ => {}
            }
        }
        found
    }

    fn expired(
        &self,
        sent: Decided,
        epoch: Epoch,
        handle: Handle,
        handles: &Handles,
    ) -> Result<(), String> {
        let (Some((granted, seconds)), Some(claimed)) =
            (self.granted.get(&handle), self.claimed.get(&epoch))
        else {
            return Ok(());
        };
        let soonest = claimed + seconds * SECOND / 100 * PERCENT;
        if *granted == epoch || !handles.is_known(handle.0) || sent.until >= soonest {
            return Ok(());
        }
        Err(format!(
            "epoch {epoch}, claimed at {claimed} us, ends handle {handle} of {granted} at {} us: its \
             clean-up time is {seconds} s",
            sent.until
        ))
    }
}

#[cfg(test)]
mod test {
    use super::super::handles::Answer;
    use super::super::slots::test::grant;
    use super::*;
    use tmr_core::log::Slot;

    const EARLY: Epoch = Epoch { round: 1, front: 7 };
    const LATE: Epoch = Epoch { round: 2, front: 8 };

    #[test]
    fn a_handle_of_another_epoch_ends_a_whole_clean_up_time_after_the_claim() {
        let append = |epoch, entry: Entry| Order::Append {
            epoch,
            first: Slot(1),
            entries: vec![entry],
            committed: Slot(0),
        };
        let mut handles = Handles::default();
        for handle in [7, 8, 9] {
            let answer = Answer { by: (0, 1), at: Decided::at(5) };
            handles.granted(handle, answer).unwrap();
        }
        let mut silence = Silence::default();
        let mut says = |second: u64, order: &Order| {
            silence.ordered(Decided::at(second * SECOND), order, &handles)
        };
        for handle in [7, 8, 9, 10] {
            assert_eq!(says(1, &append(EARLY, grant(handle))), Ok(()));
        }
        let end = |handle| Entry::Expire(Handle(handle));
        assert_eq!(says(2, &append(EARLY, end(7))), Ok(()), "of its own epoch");
        assert_eq!(says(40, &Order::Claim { epoch: LATE }), Ok(()));
        assert_eq!(says(41, &append(LATE, end(7))), Ok(()), "it is told again");
        assert!(says(65, &append(LATE, end(8))).is_err());
        assert_eq!(says(65, &append(LATE, end(10))), Ok(()), "nobody was told of it");
        assert_eq!(says(70, &append(LATE, end(9))), Ok(()));
    }
}

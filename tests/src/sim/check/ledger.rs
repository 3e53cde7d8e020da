//! The seats of the log, counted independently: a second state machine, written from the
//! consistency document alone, beside that of the nodes. Each release frees one seat once and was
//! requested by its client, no seat ends while its client may count on it, and no handle number is
//! granted twice.

use super::handles::Handles;
use super::seats::Seats;
use super::slots::Slots;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use tmr_core::log::{Client, Entry, Grant, Handle, LicenceKey, Mode};

/// The station of a client; clients of one station can share a seat.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Station {
    address: IpAddr,
    host: String,
    session: u32,
}

impl Station {
    fn of(client: &Client) -> Self {
        Self { address: client.address, host: client.host.clone(), session: client.session }
    }
}

/// What a handle took.
#[derive(Debug)]
struct Taken {
    licence: LicenceKey,
    mode: Mode,
    take: u32,
    station: Station,
    /// A release leaves the seat taken until it has lingered.
    lingers: bool,
}

/// The second state machine.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The number of applied slots.
    slots: usize,
    /// Every handle that was ever in a grant.
    numbers: BTreeSet<Handle>,
    /// The held handles; `None`: without a licence.
    held: BTreeMap<Handle, Option<Taken>>,
}

impl Ledger {
    /// Applies what was chosen since the last call.
    ///
    /// # Errors
    /// An entry that may not be, or the nodes' state machine counts otherwise.
    pub fn chosen(
        &mut self,
        now: u64,
        slots: &Slots,
        seats: &Seats,
        handles: &Handles,
    ) -> Result<(), String> {
        if slots.chosen() < self.slots {
            // The birth of the group began again, before anything was granted.
            *self = Self::default();
        }
        let mut found = Ok(());
        let mut touched = BTreeSet::new();
        for entry in slots.entries(self.slots) {
            self.slots += 1;
            let looked = self.entry(now, entry, seats, handles, &mut touched);
            found = found.and(looked);
        }
        found?;
        for licence in touched {
            let (own, theirs) = (self.used(&licence), slots.used(&licence));
            if own != theirs {
                let slot = self.slots;
                return Err(format!(
                    "after slot {slot} the nodes count {theirs} of {licence}, expected {own}"
                ));
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        now: u64,
        entry: &Entry,
        seats: &Seats,
        handles: &Handles,
        touched: &mut BTreeSet<LicenceKey>,
    ) -> Result<(), String> {
        match entry {
            Entry::Grant(grant) => {
                touched.extend(grant.held.licence());
                if !self.numbers.insert(grant.handle) {
                    return Err(format!("handle {} is granted a second time", grant.handle));
                }
                if self.fits(grant) {
                    let Grant { mode, take, client, linger_seconds, .. } = grant;
                    let taken = grant.held.licence().map(|licence| Taken {
                        licence: *licence,
                        mode: *mode,
                        take: *take,
                        station: Station::of(client),
                        lingers: *linger_seconds > 0,
                    });
                    self.held.insert(grant.handle, taken);
                }
            }
            Entry::Release(handle) => {
                let lingers = self.held.get(handle).and_then(Option::as_ref);
                if !lingers.is_some_and(|taken| taken.lingers) {
                    touched.extend(self.end(*handle));
                }
                if handles.is_kept(handle.0) {
                    return Err(format!("handle {handle} is released, which nobody asked for"));
                }
            }
            Entry::Expire(handle) => {
                touched.extend(self.end(*handle));
                if let Some(until) = seats.until(handle.0).filter(|until| *until > now) {
                    return Err(format!(
                        "the seat of handle {handle} ends {} ms before its time",
                        (until - now) / 1000
                    ));
                }
            }
            Entry::Configure(_) | Entry::Units { .. } => {}
        }
        Ok(())
    }

    fn end(&mut self, handle: Handle) -> Option<LicenceKey> {
        self.held.remove(&handle).flatten().map(|taken| taken.licence)
    }

    fn of(&self, licence: &LicenceKey) -> impl Iterator<Item = &Taken> {
        self.held.values().flatten().filter(move |taken| taken.licence == *licence)
    }

    /// Returns whether a grant is permitted beside the others.
    fn fits(&self, grant: &Grant) -> bool {
        let Some(licence) = grant.held.licence() else { return true };
        let station = Station::of(&grant.client);
        let on: Vec<_> = self.of(licence).filter(|taken| taken.station == station).collect();
        let alone = grant.mode == Mode::Exclusive && !on.is_empty();
        if alone || on.iter().any(|taken| taken.mode == Mode::Exclusive) {
            return false;
        }
        let shared = on.iter().any(|taken| taken.mode == Mode::StationShare);
        match grant.mode {
            Mode::NoUserLimit => true,
            Mode::StationShare if shared => true,
            Mode::StationShare => self.used(licence) < grant.quantity,
            Mode::UserLimit | Mode::Exclusive => self.used(licence) + grant.take <= grant.quantity,
        }
    }

    fn used(&self, licence: &LicenceKey) -> u32 {
        let mut stations = BTreeSet::new();
        let takes = self.of(licence).map(|taken| match taken.mode {
            Mode::NoUserLimit => 0,
            Mode::StationShare => u32::from(stations.insert(&taken.station)),
            Mode::UserLimit | Mode::Exclusive => taken.take,
        });
        takes.sum()
    }
}

#[cfg(test)]
mod test {
    use super::super::Decided;
    use super::super::handles::Answer;
    use super::super::seats::Belief;
    use super::super::slots::test::{grant, log};
    use super::*;

    const ANSWER: Answer = Answer { by: (0, 1), at: Decided { since: 5, until: 5 } };

    fn look(entries: &[Entry], seats: &Seats, handles: &Handles) -> Result<(), String> {
        Ledger::default().chosen(10, &log(entries), seats, handles)
    }

    #[test]
    fn a_handle_number_comes_once() {
        let (seats, handles) = (Seats::default(), Handles::default());
        let (one, end) = (grant(7), Entry::Expire(Handle(7)));
        assert_eq!(look(&[one.clone(), end.clone()], &seats, &handles), Ok(()));
        assert!(look(&[one.clone(), end, one], &seats, &handles).is_err());
    }

    #[test]
    fn a_release_was_asked_for_and_a_seat_ends_in_its_time() {
        let (mut seats, mut handles) = (Seats::default(), Handles::default());
        (0..3).for_each(|part| seats.holds(0, part, part, [(201, 1)].into()));
        handles.granted(7, ANSWER).unwrap();
        let (mode, station) = (Mode::UserLimit, 0);
        let belief = Belief { product: 201, mode, take: 1, station, since: 1, until: 20 };
        seats.granted(5, 7, belief).unwrap();
        let released = [grant(7), Entry::Release(Handle(7))];
        assert!(look(&released, &seats, &handles).is_err());
        assert!(look(&[grant(7), Entry::Expire(Handle(7))], &seats, &handles).is_err());
        seats.gone(7);
        handles.release_sent(7);
        assert_eq!(look(&released, &seats, &handles), Ok(()));
        assert_eq!(look(&[grant(7), Entry::Expire(Handle(7))], &seats, &handles), Ok(()));
    }

    #[test]
    fn a_fold_that_counts_otherwise_is_found() {
        let (seats, handles) = (Seats::default(), Handles::default());
        let mut ledger = Ledger::default();
        assert_eq!(ledger.chosen(10, &log(&[grant(7)]), &seats, &handles), Ok(()));
        ledger.held.clear();
        assert!(ledger.chosen(10, &log(&[grant(7), grant(8)]), &seats, &handles).is_err());
    }
}

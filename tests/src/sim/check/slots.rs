//! The log as the links carry it: one value in each slot, which two members have on disk before any
//! node reports that it is chosen, and states that follow from applying it.

use std::collections::{BTreeMap, BTreeSet};
use tmr_core::link::LinkId;
use tmr_core::log::{DiskId, Entry, Epoch, GroupId, Handle, LicenceKey, State};
use tmr_core::messages::group::{Order, Report};
use tmr_core::messages::twin::TwinMessage;

/// The proposals, and the entries that were reported as chosen.
#[derive(Debug, Default)]
pub struct Slots {
    group: Option<GroupId>,
    /// Under which epoch it was founded.
    founded: Epoch,
    proposed: BTreeMap<(Epoch, u64), Entry>,
    chosen: Vec<Entry>,
    state: State,
    /// The encoded state up to each slot.
    states: Vec<Vec<u8>>,
    /// The slot up to which each epoch's reports were checked.
    checked: BTreeMap<Epoch, u64>,
    /// The last report on each link of a backend: its promise and its disk.
    speakers: BTreeMap<(usize, LinkId), (Epoch, DiskId)>,
    /// The last slot of each epoch's log on each disk.
    stored: BTreeMap<Epoch, BTreeMap<DiskId, u64>>,
    /// The last slot of each epoch's log that two members have.
    twice: BTreeMap<Epoch, u64>,
    /// Handles whose grant two members have.
    durable: BTreeSet<Handle>,
}

impl Slots {
    /// Returns the number of slots that are known to be chosen.
    #[must_use]
    pub fn chosen(&self) -> usize {
        self.chosen.len()
    }

    /// Returns the chosen entries after this number of slots.
    pub fn entries(&self, from: usize) -> impl Iterator<Item = &Entry> {
        self.chosen.iter().skip(from)
    }

    /// Returns the number of seats of a licence that are in use by the nodes' own state machine.
    #[must_use]
    pub fn used(&self, licence: &LicenceKey) -> u32 {
        self.state.usage(licence).map_or(0, |usage| usage.used())
    }

    /// Returns the number of units of a licence that are taken by that state machine.
    #[must_use]
    pub fn units(&self, licence: &LicenceKey) -> u32 {
        self.state.units_taken(licence)
    }

    /// Returns the epoch that a backend has promised on a link, and its disk.
    #[must_use]
    pub fn speaker(&self, by: (usize, LinkId)) -> Option<(Epoch, DiskId)> {
        self.speakers.get(&by).copied()
    }

    /// Returns the entries that an epoch has proposed in these slots.
    pub fn proposed(
        &self,
        epoch: Epoch,
        from: u64,
        upto: u64,
    ) -> impl Iterator<Item = (u64, &Entry)> {
        let slots = (epoch, from)..=(epoch, upto.max(from));
        let proposed = self.proposed.range(slots).map(|((_, slot), entry)| (*slot, entry));
        proposed.filter(move |(slot, _)| *slot <= upto)
    }

    /// Returns the members by the chosen entries, whose acknowledgements count.
    #[must_use]
    pub fn members(&self) -> Option<[DiskId; 3]> {
        self.state.members().copied()
    }

    /// Returns whether the grant of a handle was ever on the disks of two members.
    #[must_use]
    pub fn durable(&self, handle: u32) -> bool {
        self.durable.contains(&Handle(handle))
    }

    /// Checks a front's order.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn ordered(&mut self, order: &Order) -> Result<(), String> {
        match order {
            // A later claim has higher promises, so no backend follows that order.
            Order::Found { epoch, .. } if *epoch < self.founded => Ok(()),
            Order::Found { group, epoch } if self.group != Some(*group) => {
                // Until something is built on the first entry, birth may begin again.
                if self.chosen.len() > 1 {
                    let chosen = self.chosen.len();
                    return Err(format!("a group is founded over {chosen} chosen entries"));
                }
                let speakers = std::mem::take(&mut self.speakers);
                let proposed = std::mem::take(&mut self.proposed);
                let (group, founded) = (Some(*group), *epoch);
                *self = Self { group, founded, speakers, proposed, ..Self::default() };
                Ok(())
            }
            Order::Append { epoch, first, entries, committed } => {
                for (slot, entry) in (first.0..).zip(entries) {
                    let before = self.proposed.insert((*epoch, slot), entry.clone());
                    if before.is_some_and(|before| before != *entry) {
                        return Err(format!("epoch {epoch} proposes two values in slot {slot}"));
                    }
                }
                self.said(*epoch, committed.0)
            }
            Order::Confirm { epoch, committed, .. } => self.said(*epoch, committed.0),
            Order::Install { slot, offset: 0, bytes, last: true, epoch, .. } => {
                self.said(*epoch, slot.0)?;
                self.state(slot.0, bytes)
            }
            _ => Ok(()),
        }
    }

    /// Checks a message of a front to its twin, which may be the only peer to hear that a slot is
    /// committed.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn told(&mut self, message: &TwinMessage) -> Result<(), String> {
        match message {
            TwinMessage::Entries { epoch, first, entries, committed } => {
                self.ordered(&Order::Append {
                    epoch: *epoch,
                    first: *first,
                    entries: entries.clone(),
                    committed: *committed,
                })
            }
            TwinMessage::State { epoch, slot, offset: 0, bytes, last: true, .. } => {
                self.said(*epoch, slot.0)?;
                self.state(slot.0, bytes)
            }
            TwinMessage::Lead { epoch, committed } => {
                self.said(*epoch, committed.0)?;
                match self.proposed(*epoch, committed.0 + 1, u64::MAX).next() {
                    Some((slot, entry)) => Err(format!(
                        "epoch {epoch} gives the lead away with slot {slot} on its way: {entry:?}"
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Checks a report that a backend sends on a link.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn reported(&mut self, by: (usize, LinkId), report: &Report) -> Result<(), String> {
        match report {
            Report::Promised(standing) => {
                self.speakers.insert(by, (standing.promised, standing.disk));
            }
            Report::Described(description) => {
                let standing = &description.standing;
                self.speakers.insert(by, (standing.promised, standing.disk));
            }
            // The report covers what was stored for this front since the promise, because both are
            // sent in order.
            Report::Stored { last, .. } => {
                if let Some(&(epoch, disk)) = self.speakers.get(&by) {
                    let upto = self.stored.entry(epoch).or_default().entry(disk).or_default();
                    *upto = (*upto).max(last.0);
                    self.count(epoch);
                }
            }
            Report::State { slot, bytes, last: true } => return self.state(slot.0, bytes),
            _ => {}
        }
        Ok(())
    }

    /// Records the grants of an epoch's log that two members have now.
    fn count(&mut self, epoch: Epoch) {
        let Some(members) = self.members() else { return };
        let Some(stored) = self.stored.get(&epoch) else { return };
        let mut uptos = members.map(|disk| stored.get(&disk).copied().unwrap_or(0));
        uptos.sort_unstable();
        let twice = self.twice.entry(epoch).or_default();
        let grants =
            (*twice + 1..=uptos[1]).filter_map(|slot| match self.proposed.get(&(epoch, slot))? {
                Entry::Grant(grant) => Some(grant.handle),
                _ => None,
            });
        self.durable.extend(grants);
        *twice = (*twice).max(uptos[1]);
    }

    /// Returns whether two of these disks have an entry in a slot under one epoch: only the earlier
    /// leader may know that.
    fn backed(&self, slot: u64, entry: &Entry, members: &[DiskId; 3]) -> bool {
        self.stored.iter().any(|(epoch, stored)| {
            let has = |disk: &&DiskId| stored.get(disk).is_some_and(|upto| *upto >= slot);
            self.proposed.get(&(*epoch, slot)) == Some(entry)
                && members.iter().filter(has).count() > 1
        })
    }

    fn state(&self, slot: u64, bytes: &[u8]) -> Result<(), String> {
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        let Some(index) = index.checked_sub(1) else { return Ok(()) };
        match self.states.get(index) {
            Some(state) if state == bytes => Ok(()),
            Some(_) => Err(format!("a state up to slot {slot} is not what the log comes to")),
            None => Err(format!("a state up to slot {slot} goes beyond what is chosen")),
        }
    }

    /// Checks a front's report that every slot up to `committed` is chosen.
    fn said(&mut self, epoch: Epoch, committed: u64) -> Result<(), String> {
        // A front without a claim reports what it knew earlier; no backend relies on it.
        if epoch == Epoch::default() {
            return Ok(());
        }
        let from = self.checked.get(&epoch).copied().unwrap_or(0);
        // A front that changes the members counts the slots of that order by the previous members.
        let before = self.members();
        for slot in from + 1..=committed {
            let index = usize::try_from(slot - 1).unwrap_or(usize::MAX);
            let own = self.proposed.get_key_value(&(epoch, slot)).or_else(|| {
                // The front knew it when it led before, and had not reported it.
                let earlier = self.proposed.iter().rev();
                let mut earlier = earlier.filter(|((e, s), _)| *e < epoch && *s == slot);
                let unsaid = self.chosen.len() <= index;
                unsaid.then(|| earlier.find(|((e, _), _)| e.front == epoch.front)).flatten()
            });
            // The report is about a group that was not born: the birth has begun again since.
            if own.is_some_and(|((proposed, _), _)| *proposed < self.founded) {
                return Ok(());
            }
            let backed = own.is_none_or(|(_, entry)| {
                let groups: Vec<_> = self.members().into_iter().chain(before).collect();
                groups.is_empty() || groups.iter().any(|all| self.backed(slot, entry, all))
            });
            let own = own.map(|(_, entry)| entry);
            match (self.chosen.get(index), own) {
                (Some(chosen), Some(own)) if chosen != own => {
                    return Err(format!(
                        "slot {slot} has two values: {chosen:?} was chosen, epoch {epoch} says {own:?}"
                    ));
                }
                (None, Some(own)) if !backed => {
                    return Err(format!(
                        "epoch {epoch} says that slot {slot} is chosen, which two members do not \
                         have: {own:?}"
                    ));
                }
                (None, Some(own)) => {
                    let entry = own.clone();
                    self.state.apply(&entry);
                    self.chosen.push(entry);
                    let bytes = self.state.encode();
                    if State::decode(&bytes).as_ref() != Some(&self.state) {
                        return Err(format!(
                            "the state up to slot {slot} is not what it is sent as"
                        ));
                    }
                    self.states.push(bytes);
                }
                (None, None) => {
                    return Err(format!("epoch {epoch} commits slot {slot} it never proposed"));
                }
                _ => {}
            }
        }
        let checked = self.checked.entry(epoch).or_default();
        *checked = (*checked).max(committed);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod test {
    use super::*;
    use tmr_core::base::time::Wall;
    use tmr_core::log::{Client, ContainerId, Grant, HandleScope, Mode, Slot};
    use tmr_core::messages::group::Standing;

    const EPOCH: Epoch = Epoch { round: 1, front: 7 };
    const LATER: Epoch = Epoch { round: 2, front: 8 };
    const DISKS: [DiskId; 3] = [DiskId(2), DiskId(3), DiskId(4)];

    /// A seat of a licence that has five.
    pub(in super::super) fn grant(handle: u32) -> Entry {
        let container = ContainerId::CmAct(305_419_896);
        let licence = LicenceKey { container, firm_code: 6_000_010, product_code: 201, tmr_id: 1 };
        let client = Client {
            address: [10, 1, 0, 1].into(),
            host: String::new(),
            user: String::new(),
            domain: String::new(),
            text: String::new(),
            user_defined_id: 0,
            pid: 1,
            session: 1,
        };
        Entry::Grant(Grant {
            handle: Handle(handle),
            held: HandleScope::Licence(licence),
            fingerprint: 1,
            quantity: 5,
            take: 1,
            mode: Mode::UserLimit,
            client,
            since: Wall(0),
            cleanup_seconds: 30,
            linger_seconds: 0,
            starts_usage: false,
        })
    }

    fn append(epoch: Epoch, first: u64, entries: &[Entry], committed: u64) -> Order {
        let (first, committed) = (Slot(first), Slot(committed));
        Order::Append { epoch, first, entries: entries.to_vec(), committed }
    }

    /// A front proposes these from slot 1 on.
    pub(in super::super) fn propose(slots: &mut Slots, entries: &[Entry]) {
        slots.ordered(&append(EPOCH, 1, entries, 0)).unwrap();
    }

    /// A log in which these are chosen.
    pub(in super::super) fn log(entries: &[Entry]) -> Slots {
        let mut slots = Slots::default();
        slots.ordered(&append(EPOCH, 1, entries, entries.len() as u64)).unwrap();
        slots
    }

    /// A backend promises the front that [proposes](propose); the link by which it does.
    pub(in super::super) fn joined(slots: &mut Slots, host: usize) -> (usize, LinkId) {
        let by = (host, LinkId(1));
        let (disk, zero) = (DiskId(host as u128), Slot(0));
        let standing = Standing {
            disk,
            group: None,
            promised: EPOCH,
            base: zero,
            committed: zero,
            last: zero,
        };
        slots.reported(by, &Report::Promised(standing)).unwrap();
        by
    }

    #[test]
    fn a_slot_has_one_value() {
        let mut slots = Slots::default();
        let found = |epoch, group| Order::Found { epoch, group: GroupId(group) };
        assert_eq!(slots.ordered(&found(EPOCH, 1)), Ok(()));
        slots.ordered(&append(EPOCH, 1, &[grant(7), grant(8)], 2)).unwrap();
        assert_eq!(slots.ordered(&append(LATER, 2, &[grant(8)], 2)), Ok(()));
        assert_eq!(slots.ordered(&append(LATER, 3, &[grant(9)], 2)), Ok(()));
        assert!(slots.ordered(&append(LATER, 3, &[grant(10)], 2)).is_err(), "proposed otherwise");
        assert!(log(&[grant(7)]).ordered(&append(LATER, 1, &[grant(8)], 1)).is_err());
        assert!(log(&[grant(7)]).ordered(&append(LATER, 1, &[], 2)).is_err(), "never proposed");
        assert_eq!(slots.ordered(&found(Epoch { round: 0, front: 9 }, 2)), Ok(()), "too late");
        assert!(slots.ordered(&found(LATER, 2)).is_err(), "a second birth");
        assert_eq!(slots.chosen(), 2);

        // Birth began again over a first entry of which nobody knew that it was chosen.
        let mut slots = Slots::default();
        assert_eq!(slots.ordered(&found(EPOCH, 1)), Ok(()));
        slots.ordered(&append(EPOCH, 1, &[grant(7)], 0)).unwrap();
        assert_eq!(slots.ordered(&found(LATER, 2)), Ok(()));
        assert_eq!(slots.ordered(&append(EPOCH, 2, &[grant(8)], 1)), Ok(()), "of the group before");
        assert_eq!(slots.chosen(), 0);
        assert!(slots.ordered(&append(LATER, 2, &[grant(8)], 1)).is_err(), "of this one");
    }

    #[test]
    fn a_state_is_the_result_of_what_was_chosen() {
        let mut slots = log(&[grant(7), grant(8)]);
        let encoded = |entries: &[Entry]| {
            let mut state = State::default();
            entries.iter().for_each(|entry| _ = state.apply(entry));
            state.encode()
        };
        let mut state = |slot, bytes| {
            slots.reported((2, LinkId(1)), &Report::State { slot: Slot(slot), bytes, last: true })
        };
        assert_eq!(state(1, encoded(&[grant(7)])), Ok(()));
        assert_eq!(state(2, encoded(&[grant(7), grant(8)])), Ok(()));
        assert!(state(2, encoded(&[grant(7)])).is_err());
        assert!(state(3, encoded(&[grant(7), grant(8)])).is_err(), "beyond what is chosen");
    }

    #[test]
    fn two_members_make_a_grant_durable() {
        let members = Entry::Configure(tmr_core::log::Setting::Members(DISKS));
        let mut slots = Slots::default();
        slots.ordered(&append(EPOCH, 1, &[members, grant(7)], 1)).unwrap();
        let stored = Report::Stored { last: Slot(2), differing: Vec::new() };
        for (host, durable) in [(9, false), (2, false), (4, true)] {
            let by = joined(&mut slots, host);
            slots.reported(by, &stored).unwrap();
            assert_eq!(slots.durable(7), durable, "after {host}");
        }
    }
}

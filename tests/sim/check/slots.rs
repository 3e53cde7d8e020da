//! The log as it goes over the links: one value a slot, and states that are its fold.

use std::collections::{BTreeMap, BTreeSet};
use tmr_core::io::Link;
use tmr_core::log::{DiskId, Entry, Epoch, GroupId, Handle, State};
use tmr_core::wire::group::{Order, Report};
use tmr_core::wire::twin::Tell;

/// What was proposed, and what was said to be chosen.
#[derive(Debug, Default)]
pub struct Slots {
    group: Option<GroupId>,
    proposed: BTreeMap<(Epoch, u64), Entry>,
    chosen: Vec<Entry>,
    fold: State,
    /// The encoded fold up to each slot.
    folds: Vec<Vec<u8>>,
    /// How far each epoch's word was checked.
    checked: BTreeMap<Epoch, u64>,
    /// What backends last said by each of their links: their promise, and the name of their disk.
    speakers: BTreeMap<(usize, Link), (Epoch, DiskId)>,
    /// How far each disk has each epoch's log.
    stored: BTreeMap<Epoch, BTreeMap<DiskId, u64>>,
    /// How far two members have each epoch's log.
    twice: BTreeMap<Epoch, u64>,
    /// Handles whose grant two members have.
    durable: BTreeSet<Handle>,
}

impl Slots {
    /// How many slots are known to be chosen.
    #[must_use]
    pub fn chosen(&self) -> usize {
        self.chosen.len()
    }

    /// Whose acknowledgements count by what is chosen.
    #[must_use]
    pub fn members(&self) -> Option<[DiskId; 3]> {
        self.fold.members().copied()
    }

    /// Whether the grant of a handle was ever on the disks of two members.
    #[must_use]
    pub fn durable(&self, handle: u32) -> bool {
        self.durable.contains(&Handle(handle))
    }

    /// A front sends an order.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn ordered(&mut self, order: &Order) -> Result<(), String> {
        match order {
            Order::Found { group, .. } if self.group != Some(*group) => {
                // Until something is built on the first entry, birth may begin again.
                if self.chosen.len() > 1 {
                    let chosen = self.chosen.len();
                    return Err(format!("a group is founded over {chosen} chosen entries"));
                }
                let speakers = std::mem::take(&mut self.speakers);
                *self = Self { group: Some(*group), speakers, ..Self::default() };
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

    /// A front tells its twin something. It may be the only one to hear that a slot is committed.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn told(&mut self, tell: &Tell) -> Result<(), String> {
        match tell {
            Tell::Entries { epoch, first, entries, committed } => self.ordered(&Order::Append {
                epoch: *epoch,
                first: *first,
                entries: entries.clone(),
                committed: *committed,
            }),
            Tell::State { epoch, slot, offset: 0, bytes, last: true, .. } => {
                self.said(*epoch, slot.0)?;
                self.state(slot.0, bytes)
            }
            Tell::Lead { epoch, committed } => self.said(*epoch, committed.0),
            _ => Ok(()),
        }
    }

    /// A backend sends a report by one of its links.
    ///
    /// # Errors
    /// It contradicts what is chosen.
    pub fn reported(&mut self, by: (usize, Link), report: &Report) -> Result<(), String> {
        match report {
            Report::Promised(standing) => {
                self.speakers.insert(by, (standing.promised, standing.disk));
            }
            Report::Described(description) => {
                let standing = &description.standing;
                self.speakers.insert(by, (standing.promised, standing.disk));
            }
            // What it has stored for this front since it promised; both are said in order.
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

    /// Looks which grants of an epoch's log two members have now.
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

    fn state(&self, slot: u64, bytes: &[u8]) -> Result<(), String> {
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        let Some(index) = index.checked_sub(1) else { return Ok(()) };
        match self.folds.get(index) {
            Some(fold) if fold == bytes => Ok(()),
            Some(_) => Err(format!("a state up to slot {slot} is not the fold of the log")),
            None => Err(format!("a state up to slot {slot} goes beyond what is chosen")),
        }
    }

    /// A front says that every slot up to `committed` is chosen.
    fn said(&mut self, epoch: Epoch, committed: u64) -> Result<(), String> {
        // A front that claims nothing tells what it knew when it did; no backend takes its word.
        if epoch == Epoch::default() {
            return Ok(());
        }
        let from = self.checked.get(&epoch).copied().unwrap_or(0);
        for slot in from + 1..=committed {
            let index = usize::try_from(slot - 1).unwrap_or(usize::MAX);
            let own = self.proposed.get(&(epoch, slot)).or_else(|| {
                // It knew when it led before, and had no time to say so.
                let earlier = self.proposed.iter().rev();
                let mut earlier = earlier.filter(|((e, s), _)| *e < epoch && *s == slot);
                let unsaid = self.chosen.len() <= index;
                unsaid
                    .then(|| earlier.find(|((e, _), _)| e.front == epoch.front))
                    .flatten()
                    .map(|(_, entry)| entry)
            });
            match (self.chosen.get(index), own) {
                (Some(chosen), Some(own)) if chosen != own => {
                    return Err(format!(
                        "slot {slot} has two values: {chosen:?} was chosen, epoch {epoch} says {own:?}"
                    ));
                }
                (None, Some(own)) => {
                    let entry = own.clone();
                    self.fold.apply(&entry);
                    self.chosen.push(entry);
                    self.folds.push(self.fold.encode());
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

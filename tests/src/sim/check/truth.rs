//! A backend's reports are true of its disk. A second backend is opened from the durable journal
//! alone, as after a power cut at this moment, and must report no less than the first one ever did:
//! its promise, the slot up to which it knows the log to be chosen, and every entry that it has
//! acknowledged, or one of a later epoch in its slot.

use super::slots::Slots;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use tmr_core::backend::{Backend, Config};
use tmr_core::base::time::{Mono, Now, Wall};
use tmr_core::io::{BackendEvent, Input, Intent};
use tmr_core::link::{Frame, LinkId, Listener};
use tmr_core::log::{AcceptedEntry, DiskId, Epoch, Slot};
use tmr_core::messages::group::{
    Description, Message, Order, Piece, Report, Standing, decode, encode,
};
use tmr_core::service::Identity;

/// The reports about one disk.
#[derive(Clone, Debug, Default)]
struct Said {
    promised: Epoch,
    committed: Slot,
    /// The highest epoch under which each slot was acknowledged, from slot 1 on.
    entries: Vec<Epoch>,
}

/// What is on one disk.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its standing.
    pub standing: Standing,
    /// The entries after its base.
    pub entries: Vec<AcceptedEntry>,
    /// The last slot that it knows to be chosen, whether it has that slot or not.
    pub known: Slot,
}

impl Found {
    /// A disk that has this instead of `before` has forgotten nothing that `other` does not remember as
    /// well: no promise, and no entry unless that is known to be chosen. One under another name forgets
    /// nothing that counts.
    #[must_use]
    pub fn is_made_up_for(&self, before: &Self, other: &Self) -> bool {
        self.standing.disk != before.standing.disk || self.remembers(before, other)
    }

    /// This disk or `other` remembers every promise and entry of `before`, or knows the entry to be
    /// chosen.
    #[must_use]
    pub fn remembers(&self, before: &Self, other: &Self) -> bool {
        let (now, was) = (&self.standing, &before.standing);
        if now.promised < was.promised && other.standing.promised < was.promised {
            return false;
        }
        let has = |found: &Self, slot: u64| match (before.entry(slot), found.entry(slot)) {
            // Slots before a base were chosen.
            (_, None) | (None, _) => slot <= found.standing.last.0,
            (Some(was), Some(is)) => was.epoch <= is.epoch || slot <= found.known.0,
        };
        let holds = |found: &Self, slot| found.standing.group == was.group && has(found, slot);
        (1..=was.last.0)
            .all(|slot| holds(self, slot) || holds(other, slot) || slot <= other.known.0)
    }

    fn entry(&self, slot: u64) -> Option<&AcceptedEntry> {
        let behind = slot.checked_sub(self.standing.base.0 + 1)?;
        self.entries.get(usize::try_from(behind).ok()?)
    }
}

/// The reports about all disks.
#[derive(Debug, Default)]
pub struct Truth {
    said: BTreeMap<DiskId, Said>,
    reports: u64,
    /// Disks that are not checked, because a fault has replaced their contents.
    old: BTreeSet<DiskId>,
}

/// The number of reports between two looks at a disk, if there is no other reason for a look.
const SELDOM: u64 = 24;

impl Truth {
    /// Records a report on a link whose disk is known (`epoch` is its promise). Returns whether to
    /// look at the disk now.
    pub fn said(&mut self, speaker: Option<(Epoch, DiskId)>, report: &Report) -> bool {
        match (report, speaker) {
            (Report::Promised(standing), _) => self.stands(standing),
            (Report::Described(description), _) => self.stands(&description.standing),
            (Report::Stored { last, .. }, Some((epoch, disk))) => {
                let said = self.said.entry(disk).or_default();
                let upto = usize::try_from(last.0).unwrap_or_default();
                said.entries.resize(said.entries.len().max(upto), Epoch::default());
                // Lower slots already have this epoch or a later one.
                for entry in said.entries[..upto].iter_mut().rev() {
                    if *entry >= epoch {
                        break;
                    }
                    *entry = epoch;
                }
                self.reports += 1;
                self.reports % SELDOM == 0
            }
            _ => false,
        }
    }

    fn stands(&mut self, standing: &Standing) -> bool {
        let said = self.said.entry(standing.disk).or_default();
        said.promised = said.promised.max(standing.promised);
        said.committed = said.committed.max(standing.committed);
        true
    }

    /// Checks the present contents of a disk.
    ///
    /// # Errors
    /// It is less than was said, or other than what was proposed.
    pub fn holds(&self, slots: &Slots, found: &Found) -> Result<(), String> {
        let Found { standing, entries, .. } = found;
        let said = self.said.get(&standing.disk).filter(|_| !self.old.contains(&standing.disk));
        let Some(said) = said else { return Ok(()) };
        let disk = standing.disk;
        if standing.promised < said.promised {
            return Err(format!(
                "{disk:?} said that it promised {}, on it is {}",
                said.promised, standing.promised
            ));
        }
        if standing.committed < said.committed {
            return Err(format!(
                "{disk:?} said that {} is committed, on it is {}",
                said.committed, standing.committed
            ));
        }
        // Until another entry follows the first one, the birth of the group may begin again.
        if said.entries.len() < 2 {
            return Ok(());
        }
        let base = usize::try_from(standing.base.0).unwrap_or_default();
        for (index, epoch) in said.entries.iter().enumerate().skip(base) {
            let slot = index as u64 + 1;
            // Entries that are known to be chosen are not sent again under later epochs.
            let chosen = slot <= standing.committed.0;
            let held = entries.get(index - base).filter(|held| chosen || held.epoch >= *epoch);
            let Some(held) = held else {
                let held = entries.get(index - base).map(|held| held.epoch);
                return Err(format!(
                    "{disk:?} acknowledged slot {slot} under {epoch}, on it is {held:?}"
                ));
            };
            let proposed = slots.proposed(held.epoch, slot, slot).next();
            if proposed.is_some_and(|(_, entry)| *entry != held.entry) {
                return Err(format!(
                    "{disk:?} holds another entry in slot {slot} than {} proposed",
                    held.epoch
                ));
            }
        }
        Ok(())
    }

    /// Stops checking a disk whose contents a fault has replaced.
    pub fn distrust(&mut self, disk: DiskId) {
        self.old.insert(disk);
    }
}

/// Returns what a backend that starts with this journal would find.
///
/// # Errors
/// It would not start, or not answer.
pub fn look(journal: &[u8]) -> Result<Found, String> {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let identity = Identity { name: "second".to_owned(), runtime: "sim", address };
    let config = Config {
        identity,
        containers: Vec::new(),
        group_check: [1; 8],
        handle_key: tmr_core::service::HandleKey::default(),
        seed: [9; 32],
    };
    let (mut backend, _) =
        Backend::open(config, Some(journal)).map_err(|error| error.to_string())?;
    let link = LinkId(0);
    let known = Cell::new(Slot(0));
    let mut ask = |input: Input| {
        let mut out = Vec::new();
        let now = Now { mono: Mono(1), wall: Wall(0) };
        backend.step(now, input, &mut out);
        backend.step(now, BackendEvent::JournalWritten.into(), &mut out);
        let said = out.into_iter().filter_map(|intent| match intent {
            Intent::Send { frame, .. } => decode::<Report>(&frame).ok(),
            _ => None,
        });
        let mut said: Vec<Message<Report>> = said.flatten().collect();
        said.retain(|message| match &message.body {
            Report::Facts(facts) => {
                known.set(known.get().max(facts.known));
                false
            }
            _ => true,
        });
        said.pop()
    };
    ask(Input::Accepted { link, listener: Listener::Licence, from: (address, 1).into() });
    ask(Input::Frame { link, frame: Frame::Joined { front: 1, minor: 1 } });
    let mut order =
        |order: Order| ask(Input::Frame { link, frame: Frame::Batch(encode(1, &order)) });
    let described = order(Order::Describe).map(|Message { body, .. }| body);
    let Some(Report::Described(Description { standing, .. })) = described else {
        return Err(format!("asked what it holds it says {described:?}"));
    };
    let mut entries = Vec::new();
    loop {
        let from = Slot(standing.base.0 + entries.len() as u64 + 1);
        if from > standing.last {
            let known = known.get().max(standing.committed);
            return Ok(Found { standing, entries, known });
        }
        let fetch = Order::Fetch { epoch: standing.promised, piece: Piece::Log { from } };
        match order(fetch).map(|Message { body, .. }| body) {
            Some(Report::Log { entries: more }) if !more.is_empty() => entries.extend(more),
            other => return Err(format!("asked for slot {from} it says {other:?}")),
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::slots::test::{grant, joined, propose};
    use super::*;
    use tmr_core::log::Entry;

    const EARLY: Epoch = Epoch { round: 1, front: 1 };
    const LATE: Epoch = Epoch { round: 2, front: 1 };

    fn standing(disk: u128, promised: Epoch, last: u64) -> Standing {
        let zero = Slot(0);
        Standing {
            disk: DiskId(disk),
            group: None,
            promised,
            base: zero,
            committed: zero,
            last: Slot(last),
        }
    }

    #[test]
    fn what_a_disk_forgets_is_made_up_for_by_who_has_it_or_knows_of_it() {
        let held = |entry| AcceptedEntry { epoch: EARLY, entry };
        let found = |promised, entries: &[Entry], known| Found {
            standing: standing(1, promised, entries.len() as u64),
            entries: entries.iter().cloned().map(held).collect(),
            known: Slot(known),
        };
        let both = [grant(7), grant(8)];
        let before = found(EARLY, &both, 1);
        let old = found(EARLY, &both[..1], 1);
        assert!(old.is_made_up_for(&before, &before));
        assert!(!old.is_made_up_for(&before, &old), "nobody has the second one");
        assert!(old.is_made_up_for(&before, &found(EARLY, &[], 2)), "it is known to be chosen");
        assert!(before.is_made_up_for(&before, &found(Epoch::default(), &[], 0)), "as it was");
        let forgets = found(Epoch::default(), &both, 1);
        assert!(forgets.is_made_up_for(&before, &old));
        assert!(!forgets.is_made_up_for(&before, &forgets), "nobody has promised that");
        let mut blank = found(Epoch::default(), &[], 0);
        blank.standing.disk = DiskId(9);
        assert!(blank.is_made_up_for(&before, &old), "under another name");
        assert!(!blank.remembers(&before, &old), "what the other one had is nowhere else");
        assert!(blank.remembers(&before, &before));
    }

    #[test]
    fn what_was_said_is_there() {
        let mut slots = Slots::default();
        propose(&mut slots, &[grant(7), grant(8)]);
        let by = joined(&mut slots, 2);
        let speaker = slots.speaker(by);
        let (epoch, disk) = speaker.unwrap();
        let mut truth = Truth::default();
        assert!(truth.said(None, &Report::Promised(standing(disk.0, epoch, 0))));
        truth.said(speaker, &Report::Stored { last: Slot(2), differing: Vec::new() });
        let held = |epoch, entry: Entry| AcceptedEntry { epoch, entry };
        let both = vec![held(epoch, grant(7)), held(epoch, grant(8))];
        let found = |promised, entries: &[AcceptedEntry]| Found {
            standing: standing(disk.0, promised, entries.len() as u64),
            entries: entries.to_vec(),
            known: Slot(0),
        };
        assert_eq!(truth.holds(&slots, &found(epoch, &both)), Ok(()));
        assert!(truth.holds(&slots, &found(EARLY.min(Epoch::default()), &both)).is_err());
        assert!(truth.holds(&slots, &found(epoch, &both[..1])).is_err(), "one is not there");
        let other = [both[0].clone(), held(epoch, grant(9))];
        assert!(truth.holds(&slots, &found(epoch, &other)).is_err(), "another value");
        let late = Epoch { round: epoch.round + LATE.round, ..epoch };
        let newer = [both[0].clone(), held(late, grant(9))];
        assert_eq!(truth.holds(&slots, &found(late, &newer)), Ok(()), "a later front's");
        let older = [both[0].clone(), held(Epoch::default(), grant(8))];
        assert!(truth.holds(&slots, &found(epoch, &older)).is_err());
        truth.distrust(disk);
        assert_eq!(truth.holds(&slots, &found(epoch, &[])), Ok(()));
    }
}

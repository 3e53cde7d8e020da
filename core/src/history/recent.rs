//! The part of the usage history that a front has in memory: its end, the latest lines for the
//! twin, the counts for charts, and the lines to be written.

use super::{Charts, Kind, Malformed, Mark, Record};
use crate::base::limits::{HANDLES_MAX, HISTORY_BLOCK, HISTORY_KEPT, HISTORY_LINE};
use crate::base::time::Wall;
use crate::log::{ContainerId, Entry, GroupId, Handle, Slot, State};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// The usage history of a front. Records are added in the order of their marks, each once.
#[derive(Clone, Debug)]
pub struct History {
    /// The position up to which everything is recorded.
    covered: Option<Mark>,
    /// The latest records, oldest first.
    kept: VecDeque<(Mark, Vec<u8>)>,
    bytes: usize,
    /// The last record before those.
    before: Option<Mark>,
    /// Lines to be written to the files.
    fresh: Vec<u8>,
    /// The counts for charts.
    charts: Charts,
    /// The handles held at the end of the history; `None` while this front leads, because its log
    /// has them.
    held: Option<Held>,
}

/// The handles held at the end of a usage history.
#[derive(Clone, Debug)]
struct Held {
    /// The accesses by handle, and whether each only lingers.
    seats: BTreeMap<u32, (Record, bool)>,
    /// Whether no other handle is held, which is not known after a gap.
    all: bool,
}

impl Default for History {
    fn default() -> Self {
        Self {
            covered: None,
            kept: VecDeque::new(),
            bytes: 0,
            before: None,
            fresh: Vec::new(),
            charts: Charts::default(),
            held: Some(Held { seats: BTreeMap::new(), all: true }),
        }
    }
}

/// Where lines are cut for one message: there is room for one that reports missing lines.
const CUT: usize = HISTORY_BLOCK - HISTORY_LINE;

/// The records after a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// There are none yet.
    Nothing,
    /// These lines, which are all up to this mark.
    Lines(Vec<u8>, Option<Mark>),
    /// The lines are not in memory any more.
    Older,
}

/// What a history has recorded after a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// When the last record up to the slot was made.
    pub before: Option<Wall>,
    /// When the first record after it was made; `None` if there is none.
    pub first: Option<Wall>,
    /// Licences taken since.
    pub taken: u64,
    /// Licences given back, or taken back, since.
    pub ended: u64,
}

/// A gap in the history hides the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl History {
    /// Returns the position up to which everything is recorded.
    #[must_use]
    pub fn covered(&self) -> Option<Mark> {
        self.covered
    }

    /// Returns the counts for charts.
    #[must_use]
    pub fn charts(&self) -> &Charts {
        &self.charts
    }

    /// Adds lines that were written before this process started, oldest first. Invalid lines, as
    /// after a power failure, are left out.
    pub fn remember(&mut self, lines: &[u8]) {
        for line in lines_of(lines) {
            if let Ok(record) = Record::parse(line) {
                self.take_in(&record, line);
            }
        }
        self.fresh.clear();
    }

    /// Adds the next record of this front; records that are already covered are left out.
    pub fn add(&mut self, record: &Record) {
        self.take_in(record, &record.line());
    }

    /// Records that there is nothing more up to this mark.
    pub fn cover(&mut self, mark: Mark) {
        if mark.follows(self.covered.as_ref()) {
            self.covered = Some(mark);
        }
    }

    /// Adds lines from the twin, which has nothing more up to `upto`.
    ///
    /// # Errors
    /// The lines are not valid.
    pub fn hear(&mut self, lines: &[u8], upto: Option<Mark>) -> Result<(), Malformed> {
        for line in lines_of(lines) {
            let record = Record::parse(line)?;
            self.take_in(&record, line);
        }
        if let Some(upto) = upto {
            self.cover(upto);
        }
        Ok(())
    }

    fn take_in(&mut self, record: &Record, line: &[u8]) {
        let mark = record.id;
        if mark == Mark::default() || !mark.follows(self.covered.as_ref()) {
            return;
        }
        if record.kind == Kind::Started {
            self.charts.restart(record.time);
        }
        self.charts.count(record);
        self.hold(record);
        self.covered = Some(mark);
        self.fresh.extend_from_slice(line);
        self.bytes += line.len();
        self.kept.push_back((mark, line.to_vec()));
        while self.bytes > HISTORY_KEPT {
            let Some((mark, line)) = self.kept.pop_front() else { break };
            self.bytes -= line.len();
            self.before = Some(mark);
        }
    }

    /// Updates the handles that are held.
    fn hold(&mut self, record: &Record) {
        let Some(Held { seats, all }) = &mut self.held else { return };
        match record.kind {
            Kind::Started => (*seats, *all) = (BTreeMap::new(), true),
            Kind::Gap => {
                *all = false;
                // The seat may have been released in the gap and linger: its state is unknown.
                seats.retain(|_, (access, lingers)| access.linger == 0 || *lingers);
            }
            Kind::Access if seats.len() >= HANDLES_MAX => *all = false,
            Kind::Access => _ = seats.insert(record.handle, (record.clone(), false)),
            Kind::Release => match seats.get_mut(&record.handle) {
                Some((access, lingers)) if access.linger > 0 => *lingers = true,
                _ => _ = seats.remove(&record.handle),
            },
            Kind::Expire | Kind::Lingered => _ = seats.remove(&record.handle),
            _ => {}
        }
    }

    /// Records that this front leads, or that it no longer does and has recorded everything in this
    /// state.
    pub fn leads(&mut self, leads: bool, state: &State) {
        if leads || self.held.is_some() {
            self.held = self.held.take().filter(|_| !leads);
            return;
        }
        let licences = state.seats().filter(|seat| seat.held.licence().is_some());
        let held = licences.map(|seat| {
            let lingers = state.lingers(seat.handle);
            let mut access = Record { time: seat.since, ..Record::of_grant(Kind::Access, seat) };
            let key = seat.held.licence();
            access.serial = key.and_then(|key| state.virtual_serial(&key.container)).unwrap_or(0);
            (seat.handle.0, (access, lingers))
        });
        self.held = Some(Held { seats: held.collect(), all: true });
    }

    /// Returns the entries that made a handle, without any if it holds no licence. `container`:
    /// returns the container of a serial.
    ///
    /// # Errors
    /// A gap hides the answer.
    pub fn held(
        &self,
        handle: Handle,
        container: impl Fn(u32) -> Option<ContainerId>,
    ) -> Result<Vec<Entry>, Unknown> {
        let held = self.held.as_ref().ok_or(Unknown)?;
        let Some((access, lingers)) = held.seats.get(&handle.0) else {
            return if held.all { Ok(Vec::new()) } else { Err(Unknown) };
        };
        let grant = access.grant(container(access.serial).ok_or(Unknown)?).ok_or(Unknown)?;
        let release = lingers.then_some(Entry::Release(handle));
        Ok([Entry::Grant(grant)].into_iter().chain(release).collect())
    }

    /// Returns what was recorded of a group after a slot, as far as it is in memory.
    #[must_use]
    pub fn since(&self, group: GroupId, slot: Slot) -> Since {
        let mut since = Since::default();
        for (mark, line) in self.kept.iter().filter(|(mark, _)| mark.is_of(group)) {
            let Ok(record) = Record::parse(line) else { continue };
            if mark.slot() <= slot {
                since.before = Some(record.time);
                continue;
            }
            since.first.get_or_insert(record.time);
            match record.kind {
                Kind::Access => since.taken += 1,
                Kind::Release | Kind::Expire => since.ended += 1,
                _ => {}
            }
        }
        since
    }

    /// Takes the lines that are to be written.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.fresh)
    }

    /// Returns the lines that follow `mark`, as many as fit into one message.
    #[must_use]
    pub fn after(&self, mark: Option<Mark>) -> Block {
        // The last record that is not after the mark.
        let had = mark.and_then(|mark| {
            self.kept.iter().rposition(|(kept, _)| kept.is_beside(&mark) && *kept <= mark)
        });
        let first = match (had, self.before, mark) {
            (Some(had), ..) => had + 1,
            (None, None, _) => 0,
            (None, Some(before), Some(mark)) if before.is_beside(&mark) && before <= mark => 0,
            _ => return Block::Older,
        };
        self.lines_from(first)
    }

    /// As [`after`](Self::after), but from the oldest line in memory, with the mark before it: for
    /// a twin that has to continue without lines that exist nowhere any more.
    #[must_use]
    pub fn oldest(&self) -> (Option<Mark>, Block) {
        (self.before, self.lines_from(0))
    }

    fn lines_from(&self, first: usize) -> Block {
        let mut block = Vec::new();
        let mut last = None;
        for (mark, line) in self.kept.range(first..) {
            if !block.is_empty() && block.len() + line.len() > CUT {
                return Block::Lines(block, last);
            }
            block.extend_from_slice(line);
            last = Some(*mark);
        }
        if block.is_empty() { Block::Nothing } else { Block::Lines(block, self.covered) }
    }
}

/// Splits into lines with their line feeds; empty and incomplete ones are left out.
fn lines_of(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.len() > 1 && line.ends_with(b"\n"))
}

const _: () = assert!(HISTORY_LINE < HISTORY_BLOCK / 2 && HISTORY_BLOCK < HISTORY_KEPT);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Epoch;

    fn record(group: u128, slot: u64) -> Record {
        let epoch = Epoch { round: 1, front: 2 };
        let id = Mark::of_entry(GroupId(group), epoch, Slot(slot));
        Record { id, kind: Kind::Access, time: Wall(slot), ..Record::default() }
    }

    fn lines(records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(Record::line).collect()
    }

    #[test]
    fn each_record_is_taken_once_and_in_order() {
        let mut history = History::default();
        let all = [record(1, 1), record(1, 2), record(1, 5)];
        history.add(&all[0]);
        history.hear(&lines(&all), Some(all[2].id)).unwrap();
        history.add(&all[1]);
        assert_eq!(history.take(), lines(&all));
        assert_eq!((history.covered(), history.take()), (Some(all[2].id), Vec::new()));
        assert_eq!(history.hear(b"{\"id\":\n", None), Err(Malformed));
        // A group that is born again starts again.
        let anew = record(2, 1);
        history.add(&anew);
        assert_eq!((history.covered(), history.take()), (Some(anew.id), anew.line()));
    }

    #[test]
    fn what_was_written_is_remembered_and_not_written_again() {
        let mut history = History::default();
        let mut bytes = lines(&[record(1, 1), record(1, 2)]);
        bytes.extend_from_slice(b"{\"id\":\"00000001-1-");
        history.remember(&bytes);
        assert_eq!((history.covered(), history.take()), (Some(record(1, 2).id), Vec::new()));
        let (all, last) = ([record(1, 1), record(1, 2)], Some(record(1, 2).id));
        assert_eq!(history.after(Some(all[0].id)), Block::Lines(all[1].line(), last));
        assert_eq!(history.after(None), Block::Lines(lines(&all), last));
    }

    #[test]
    fn a_twin_goes_on_from_wherever_it_is() {
        let mut history = History::default();
        for slot in 1..=3 {
            history.add(&record(1, slot * 10));
        }
        // Nothing more happened up to there.
        let upto = record(1, 35).id;
        history.cover(upto);
        history.cover(record(1, 33).id);
        assert_eq!(history.covered(), Some(upto));
        let after = |slot| history.after(Some(record(1, slot).id));
        assert_eq!((after(35), after(30)), (Block::Nothing, Block::Nothing));
        assert_eq!(after(20), Block::Lines(record(1, 30).line(), Some(upto)));
        assert_eq!(after(25), after(20));
        // This history does not have the other's own records.
        assert_eq!(after(36), Block::Nothing);
        let mut reborn = history.clone();
        reborn.add(&record(2, 1));
        let born = record(2, 1);
        let anew = Block::Lines(born.line(), Some(born.id));
        assert_eq!(reborn.after(Some(record(1, 30).id)), anew);
        assert_eq!(reborn.after(Some(record(2, 1).id)), Block::Nothing);
    }

    #[test]
    fn memory_is_bounded_and_what_is_gone_from_it_is_said_to_be_older() {
        let mut history = History::default();
        let long = |slot| Record { app_text: "x".repeat(1000), ..record(1, slot) };
        let last = 2 * HISTORY_KEPT as u64 / 1000;
        for slot in 1..=last {
            history.add(&long(slot));
            assert!(!history.take().is_empty());
        }
        assert!(history.bytes <= HISTORY_KEPT);
        assert_eq!(history.after(None), Block::Older);
        assert_eq!(history.after(Some(record(1, 1).id)), Block::Older);
        let before = history.before.unwrap();
        let Block::Lines(block, upto) = history.after(Some(before)) else { panic!() };
        assert!(block.len() <= HISTORY_BLOCK && block.len() > HISTORY_BLOCK / 2);
        let mut lines = block.split_inclusive(|byte| *byte == b'\n');
        assert_eq!(upto, Some(Record::parse(lines.next_back().unwrap()).unwrap().id));
        assert_eq!(history.oldest(), (history.before, Block::Lines(block, upto)));
    }
}

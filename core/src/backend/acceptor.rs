//! The acceptor: promise, log, fence and snapshot of one backend, as a pure machine of orders.
//!
//! What lives here: the rules of *Consistency* on the accepting side. What never lives here: the
//! journal (records are handed up), links, licences. A front that stands in for stock servers has
//! three of them in its memory. Every rule is written up in
//! `core/docs/consistency.md`.

use super::journal::Record;
use crate::base::limits::{PIECE_BYTES, SLOT_LAST, STATE_MAX};
use crate::base::time::Wall;
use crate::log::{
    AcceptedEntry, Acked, Digest, DiskId, Entry, Epoch, GroupId, Slot, State, Witness,
};
use crate::messages::group::{Order, Piece, Report, Standing};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// One third of the group's memory.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    disk: DiskId,
    group: Option<GroupId>,
    promised: Epoch,
    /// What was promised when the latest claim came, or when this was read from a journal.
    before: Epoch,
    /// The fold up to `committed`.
    settled: State,
    /// The entries that follow this slot are in `log`.
    base: Slot,
    log: VecDeque<AcceptedEntry>,
    committed: Slot,
    /// Up to here this copy is known to equal the promised front's log.
    matched: Slot,
    /// An encoded state that a front is reading.
    reading: Option<(Slot, Vec<u8>)>,
    /// A state that a front is installing.
    installing: Option<(Slot, Vec<u8>)>,
    /// Of the entries up to `committed`; `None`: not known.
    digest: Option<Digest>,
    /// The promised front has another digest of the same entries.
    differs: bool,
    witness: Witness,
}

/// What an order led to.
#[derive(Debug, Default)]
pub(crate) struct OrderEffects {
    /// To be made durable before the report is sent.
    pub(crate) records: Vec<Record>,
    /// The whole journal is to be written anew, because a state was installed.
    pub(crate) rewrite: bool,
}

/// A piece of what is to take the place of lost memory, as of [`Order::Recover`].
#[derive(Debug)]
pub(crate) struct Anew<'a> {
    /// The new group.
    pub(crate) group: GroupId,
    /// The name in it.
    pub(crate) disk: DiskId,
    /// What the state stands for.
    pub(crate) slot: Slot,
    /// Where the bytes belong.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
    /// Nothing follows.
    pub(crate) last: bool,
}

/// What a piece of a state has led to.
enum Staged {
    /// It does not follow the piece before it, or all of them are no state.
    Misfit,
    /// There is more to come.
    Part,
    /// That was the last one.
    Whole(Box<State>),
}

/// No slot of `entries` lies behind [`SLOT_LAST`] where the first one stands at `first`.
fn fits_behind(first: Slot, entries: &[Entry]) -> bool {
    first.0 <= SLOT_LAST && entries.len() as u64 <= SLOT_LAST - first.0 + 1
}

impl Acceptor {
    /// A blank acceptor.
    pub(crate) fn blank(disk: DiskId) -> Self {
        Self {
            disk,
            group: None,
            promised: Epoch::default(),
            before: Epoch::default(),
            settled: State::default(),
            base: Slot(0),
            log: VecDeque::new(),
            committed: Slot(0),
            matched: Slot(0),
            reading: None,
            installing: None,
            digest: None,
            differs: false,
            witness: Witness::default(),
        }
    }

    /// A blank acceptor in the place of this one, that breaks no promise of it.
    pub(crate) fn anew(&self, disk: DiskId) -> Self {
        Self { promised: self.promised, before: self.promised, ..Self::blank(disk) }
    }

    /// Takes back what a journal kept. `false`: the record does not fit what came before.
    pub(crate) fn replay(&mut self, record: &Record) -> bool {
        match record {
            Record::Group(group) => {
                self.group = Some(*group);
                self.clear_log();
            }
            Record::Promise(epoch) if *epoch < self.promised => return false,
            Record::Promise(epoch) => {
                self.promised = *epoch;
                self.before = *epoch;
            }
            Record::Digest(digest) => {
                if digest.slot != self.committed || digest.base > digest.slot {
                    return false;
                }
                self.digest = Some(*digest);
            }
            Record::Witness(witness) if !witness.is_in_range() => return false,
            Record::Witness(witness) => self.witness = witness.clone(),
            Record::State { slot, bytes } => match State::decode(bytes) {
                Some(state) if slot.0 <= SLOT_LAST => self.settle(*slot, state),
                _ => return false,
            },
            Record::Accept { epoch, first, entries } => {
                let joins = *first > self.committed && *first <= self.last().next();
                let fits = joins && fits_behind(*first, entries);
                if !fits || *epoch > self.promised || self.group.is_none() {
                    return false;
                }
                self.accept(*epoch, *first, entries);
            }
            Record::Committed(slot) => {
                if *slot > self.last() {
                    return false;
                }
                self.commit(*slot);
            }
            Record::Head { .. } | Record::Direct(_) | Record::DirectState(_) => {}
        }
        // Whoever was promised has to bring its log again: nothing is known to match it.
        self.matched = self.committed;
        true
    }

    /// The records that make a new journal out of what is in memory.
    pub(crate) fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.group.map(Record::Group));
        records.push(Record::Promise(self.promised));
        if self.committed > Slot(0) {
            records.push(Record::State { slot: self.committed, bytes: self.settled.encode() });
            records.extend(self.digest.map(Record::Digest));
        }
        if self.witness != Witness::default() {
            records.push(Record::Witness(self.witness.clone()));
        }
        let mut first = self.committed.next();
        for run in self.tail().collect::<Vec<_>>().chunk_by(|a, b| a.epoch == b.epoch) {
            let entries: Vec<Entry> = run.iter().map(|stored| stored.entry.clone()).collect();
            let next = Slot(first.0 + entries.len() as u64);
            records.push(Record::Accept { epoch: run[0].epoch, first, entries });
            first = next;
        }
        records
    }

    /// The snapshot was written: entries it folds are not needed any more.
    pub(crate) fn forget_committed(&mut self) {
        while self.base < self.committed {
            self.log.pop_front();
            self.base = self.base.next();
        }
    }

    /// How this copy stands.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            disk: self.disk,
            group: self.group,
            promised: self.promised,
            base: self.base,
            committed: self.committed,
            last: self.last(),
        }
    }

    /// The fold up to the committed slot.
    pub(crate) fn settled(&self) -> &State {
        &self.settled
    }

    /// The fold up to the last slot that is known to be the promised front's.
    pub(crate) fn matched_state(&self) -> State {
        let mut state = self.settled.clone();
        let own = usize::try_from(self.matched.0 - self.committed.0).unwrap_or(usize::MAX);
        for stored in self.tail().take(own) {
            state.apply(&stored.entry);
        }
        state
    }

    /// Takes one order that carries an epoch.
    pub(crate) fn order(&mut self, order: Order, taken: &mut OrderEffects) -> Report {
        let epoch = match &order {
            Order::Claim { epoch } => {
                // Strictly upwards: a front that starts again cannot use an epoch twice.
                if *epoch <= self.promised {
                    return Report::Refused { promised: self.promised };
                }
                self.before = core::mem::replace(&mut self.promised, *epoch);
                self.matched = self.committed;
                self.installing = None;
                taken.records.push(Record::Promise(*epoch));
                return Report::Promised(self.standing());
            }
            Order::Fetch { epoch, .. }
            | Order::Found { epoch, .. }
            | Order::Append { epoch, .. }
            | Order::Install { epoch, .. }
            | Order::Confirm { epoch, .. }
            | Order::Witness { epoch, .. }
            | Order::Disown { epoch, .. }
            | Order::Recover { epoch, .. } => *epoch,
            Order::Describe | Order::Perform { .. } => Epoch::default(),
        };
        // No front has the lowest epoch: nothing is done for it, even before the first promise.
        if epoch != self.promised || epoch == Epoch::default() {
            return Report::Refused { promised: self.promised };
        }
        match order {
            Order::Fetch { piece, .. } => self.fetch(piece),
            Order::Found { group, .. } => self.found(group, taken),
            Order::Append { first, entries, committed, .. } => {
                self.append(first, entries, committed, taken)
            }
            Order::Install { group, slot, offset, bytes, last, .. } => {
                // As for a birth: nothing was built on a first entry alone.
                let built = self.committed > Slot(0) || self.last() > Slot(1);
                if self.group.is_some_and(|own| own != group && built) {
                    return Report::Refused { promised: self.promised };
                }
                self.install(group, slot, offset, &bytes, last, taken)
            }
            Order::Confirm { committed, .. } => {
                self.commit_matched(committed, taken);
                Report::Confirmed
            }
            Order::Witness { committed, digest, acked, date, .. } => {
                self.commit_matched(committed, taken);
                self.compare(digest);
                self.hear(committed, date, &acked, taken);
                Report::Confirmed
            }
            Order::Claim { .. }
            | Order::Describe
            | Order::Perform { .. }
            | Order::Disown { .. }
            | Order::Recover { .. } => Report::Confirmed,
        }
    }

    /// What it had promised when it was last asked for a promise, or when it was opened.
    pub(crate) fn before(&self) -> Epoch {
        self.before
    }

    /// What fronts have told of the group.
    pub(crate) fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Of the entries up to the committed slot, if it is known.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// This copy differs from the promised front's.
    pub(crate) fn differs(&self) -> bool {
        self.differs
    }

    /// The promised front has this digest of its copy. Where only the bases differ, its one counts:
    /// a chain of digests begins anew with a state of an older program, which has none.
    fn compare(&mut self, theirs: Option<Digest>) {
        let Some(theirs) = theirs.filter(|digest| digest.slot == self.committed) else { return };
        match self.digest {
            Some(own) if own.base == theirs.base => self.differs |= own != theirs,
            _ => self.digest = Some(theirs),
        }
    }

    fn hear(&mut self, known: Slot, date: Wall, acked: &[Acked], taken: &mut OrderEffects) {
        if self.witness.hear(known, date, acked) {
            taken.records.push(Record::Witness(self.witness.clone()));
        }
    }

    /// Drops what a front has left half read or half installed; its link is gone.
    pub(crate) fn let_go(&mut self) {
        self.reading = None;
        self.installing = None;
    }

    fn last(&self) -> Slot {
        Slot(self.base.0 + self.log.len() as u64)
    }

    fn index(&self, slot: Slot) -> usize {
        usize::try_from(slot.0 - self.base.0 - 1).unwrap_or(usize::MAX)
    }

    /// Entries that are not committed yet.
    fn tail(&self) -> impl Iterator<Item = &AcceptedEntry> {
        let skip = usize::try_from(self.committed.0 - self.base.0).unwrap_or(usize::MAX);
        self.log.iter().skip(skip)
    }

    fn fetch(&mut self, piece: Piece) -> Report {
        match piece {
            Piece::State { offset } => {
                let made = self.reading.take().filter(|_| offset > 0);
                let (slot, state) = made.unwrap_or_else(|| (self.committed, self.settled.encode()));
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(state.len());
                let end = state.len().min(start + PIECE_BYTES);
                let (bytes, last) = (state[start..end].to_vec(), end == state.len());
                if !last {
                    self.reading = Some((slot, state));
                }
                Report::State { slot, bytes, last }
            }
            Piece::Log { from } if from <= self.base => Report::Gap { committed: self.committed },
            Piece::Log { from } => {
                let mut size = 0;
                let entries = self.log.iter().skip(self.index(from));
                let entries = entries.take_while(|stored| {
                    size += stored.entry.weight();
                    size <= PIECE_BYTES
                });
                Report::Log { entries: entries.cloned().collect() }
            }
        }
    }

    /// Birth is allowed, and may be begun again, until something was built on its first entry.
    fn found(&mut self, group: GroupId, taken: &mut OrderEffects) -> Report {
        if self.committed > Slot(0) || self.last() > Slot(1) {
            return Report::Gap { committed: self.committed };
        }
        self.group = Some(group);
        self.clear_log();
        self.witness = Witness::default();
        taken.records.push(Record::Group(group));
        Report::Stored { last: Slot(0), differing: vec![] }
    }

    fn append(
        &mut self,
        first: Slot,
        mut entries: Vec<Entry>,
        committed: Slot,
        taken: &mut OrderEffects,
    ) -> Report {
        // No hole: what matches the promised front's log is a prefix of it.
        if first > self.matched.next() || first == Slot(0) || self.group.is_none() {
            return Report::Gap { committed: self.committed };
        }
        let known = usize::try_from(self.matched.next().0 - first.0).unwrap_or(usize::MAX);
        entries.drain(..known.min(entries.len()));
        if !entries.is_empty() {
            let first = self.matched.next();
            if !fits_behind(first, &entries) {
                return Report::Gap { committed: self.committed };
            }
            self.accept(self.promised, first, &entries);
            self.matched = Slot(self.matched.0 + entries.len() as u64);
            taken.records.push(Record::Accept { epoch: self.promised, first, entries });
        }
        self.commit_matched(committed, taken);
        Report::Stored { last: self.matched, differing: vec![] }
    }

    fn install(
        &mut self,
        group: GroupId,
        slot: Slot,
        offset: u64,
        bytes: &[u8],
        last: bool,
        taken: &mut OrderEffects,
    ) -> Report {
        if slot <= self.committed && self.group == Some(group) {
            return Report::Stored { last: self.matched, differing: vec![] };
        }
        let gap = Report::Gap { committed: self.committed };
        let state = match self.stage(slot, offset, bytes, last) {
            Staged::Misfit => return gap,
            Staged::Part => return Report::Stored { last: self.matched, differing: vec![] },
            Staged::Whole(state) => state,
        };
        if self.group.replace(group) != Some(group) {
            self.clear_log();
            self.witness = Witness::default();
        }
        // Entries behind the state may be chosen with this acceptor's vote.
        let held = usize::try_from(slot.0.saturating_sub(self.base.0)).unwrap_or(usize::MAX);
        let behind = self.log.split_off(held.min(self.log.len()));
        self.settle(slot, *state);
        self.log = behind;
        taken.rewrite = true;
        Report::Stored { last: self.matched, differing: vec![] }
    }

    /// Puts the next piece of a state behind those that came before.
    fn stage(&mut self, slot: Slot, offset: u64, bytes: &[u8], last: bool) -> Staged {
        if offset == 0 {
            self.installing = Some((slot, Vec::new()));
        }
        let Some((staged, mut state)) = self.installing.take() else { return Staged::Misfit };
        let long = state.len().saturating_add(bytes.len()) > STATE_MAX;
        if staged != slot || state.len() as u64 != offset || long {
            return Staged::Misfit;
        }
        state.extend_from_slice(bytes);
        if !last {
            self.installing = Some((staged, state));
            return Staged::Part;
        }
        State::decode(&state).map_or(Staged::Misfit, |state| Staged::Whole(Box::new(state)))
    }

    /// Takes a piece of what is to take the place of lost memory ([`Order::Recover`]). With the last
    /// one: the acceptor that takes the place of this one, and breaks no promise of it. It is a
    /// member of a group of its own.
    ///
    /// # Errors
    /// What is to be reported: there is more to come, or it does not fit.
    pub(crate) fn recover(&mut self, epoch: Epoch, anew: &Anew<'_>) -> Result<Self, Box<Report>> {
        if epoch != self.promised || epoch == Epoch::default() {
            return Err(Box::new(Report::Refused { promised: self.promised }));
        }
        let gap = Box::new(Report::Gap { committed: self.committed });
        let state = match self.stage(anew.slot, anew.offset, anew.bytes, anew.last) {
            Staged::Misfit => return Err(gap),
            Staged::Part => {
                let more = Report::Stored { last: self.matched, differing: vec![] };
                return Err(Box::new(more));
            }
            Staged::Whole(state) => state,
        };
        let member = state.members().is_some_and(|members| members.contains(&anew.disk));
        if anew.slot == Slot(0) || !member {
            return Err(gap);
        }
        let mut acceptor = self.anew(anew.disk);
        acceptor.group = Some(anew.group);
        acceptor.settle(anew.slot, *state);
        Ok(acceptor)
    }

    /// Writes entries from `first` on over those of lower epochs. What stands behind them stays:
    /// it may be chosen with this acceptor's vote, and the front that brings its log again in
    /// several pieces may go away between two of them.
    fn accept(&mut self, epoch: Epoch, first: Slot, entries: &[Entry]) {
        for (index, entry) in (self.index(first)..).zip(entries) {
            let stored = AcceptedEntry { epoch, entry: entry.clone() };
            match self.log.get_mut(index) {
                Some(held) => *held = stored,
                None => self.log.push_back(stored),
            }
        }
    }

    fn commit_matched(&mut self, committed: Slot, taken: &mut OrderEffects) {
        let upto = committed.min(self.matched);
        if upto > self.committed {
            self.commit(upto);
            taken.records.push(Record::Committed(upto));
        }
    }

    fn commit(&mut self, upto: Slot) {
        while self.committed < upto {
            self.committed = self.committed.next();
            let stored = &self.log[self.index(self.committed)];
            self.settled.apply(&stored.entry);
            self.digest = self.digest.map(|digest| digest.with(&stored.entry));
        }
    }

    fn settle(&mut self, slot: Slot, state: State) {
        self.clear_log();
        self.settled = state;
        self.base = slot;
        self.committed = slot;
        self.matched = slot;
        self.digest = None;
    }

    fn clear_log(&mut self) {
        self.log.clear();
        self.settled = State::default();
        self.base = Slot(0);
        self.committed = Slot(0);
        self.matched = Slot(0);
        self.digest = Some(Digest::default());
        self.differs = false;
        self.let_go();
    }

    /// Equal for acceptors that do the same from here on.
    #[cfg(feature = "model")]
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        // Which disk it is is a name.
        let Self {
            disk: _,
            group,
            promised,
            before,
            settled,
            base,
            log,
            committed,
            matched,
            reading,
            installing,
            // It follows from the log.
            digest: _,
            differs,
            witness,
        } = self;
        let state = (group, promised, settled.encode(), base, log, committed, matched);
        // What it was told of disks is compared disk by disk.
        let told = (witness.known(), witness.date());
        postcard::to_allocvec(&(state, before, reading, installing, differs, told))
            .expect("what is in memory always encodes")
    }

    /// The entries behind `base`.
    #[cfg(feature = "model")]
    pub(super) fn entries(&self) -> Vec<AcceptedEntry> {
        self.log.iter().cloned().collect()
    }

    /// What must hold between any two steps; of the log, its end, which is where a step adds.
    pub(crate) fn check_invariants(&self) {
        const END: usize = 64;
        debug_assert!(self.base <= self.committed && self.committed <= self.matched);
        debug_assert!(self.matched <= self.last());
        debug_assert!(self.group.is_some() || self.log.is_empty());
        debug_assert!(self.log.iter().rev().take(END).all(|stored| stored.epoch <= self.promised));
        let own = usize::try_from(self.matched.0 - self.committed.0).unwrap_or(usize::MAX);
        let mut newest = self.tail().take(own).skip(own.saturating_sub(END));
        debug_assert!(
            newest.all(|stored| stored.epoch == self.promised),
            "what matches the promised front's log and is not committed was written by it"
        );
    }
}

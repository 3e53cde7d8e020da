//! The acceptor of one backend: its promise, its log, the fence and its snapshot, as a pure state
//! machine of orders.
//!
//! What lives here: the rules of an acceptor, written up in `core/docs/consistency.md`. What never
//! lives here: the journal (records are returned to the caller), links, licences. A front that
//! stands in for stock servers has three acceptors in its memory.

mod transfer;

use super::journal::Record;
use crate::base::limits::SLOT_LAST;
use crate::base::time::Wall;
use crate::log::{
    AcceptedEntry, Acked, Digest, DiskId, Entry, Epoch, GroupId, Slot, State, Witness,
};
use crate::messages::group::{Order, Report, Standing};

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// The acceptor of one backend: one of the group's three copies of the log.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    disk: DiskId,
    group: Option<GroupId>,
    promised: Epoch,
    /// The promise before the latest claim, or when the journal was opened.
    before: Epoch,
    /// The state after the entries up to `committed`.
    settled: State,
    /// The slot before the first entry of `log`.
    base: Slot,
    log: VecDeque<AcceptedEntry>,
    committed: Slot,
    /// The slot up to which this copy is known to equal the log of the promised front.
    matched: Slot,
    transfers: Transfers,
    digest: KnownDigest,
    witness: Witness,
}

/// Encoded states in transfer, with their slots.
#[derive(Clone, Debug, Default)]
struct Transfers {
    /// A state that a front reads in pieces.
    reading: Option<(Slot, Vec<u8>)>,
    /// A state that a front installs in pieces.
    installing: Option<(Slot, Vec<u8>)>,
}

/// The running hash of the copy.
#[derive(Clone, Debug, Default)]
struct KnownDigest {
    /// The hash of the entries up to `committed`; `None` if it is not known.
    own: Option<Digest>,
    /// Whether a promised front had a different hash of the same entries; true until the copy is
    /// replaced.
    differs: bool,
}

/// The effects of an order.
#[derive(Debug, Default)]
pub(crate) struct OrderEffects {
    /// Records that must be durable before the report is sent.
    pub(crate) records: Vec<Record>,
    /// Whether the whole journal is to be written again, because a state was installed.
    pub(crate) rewrite: bool,
}

/// One piece of the state that replaces lost memory, from [`Order::Recover`].
#[derive(Debug)]
pub(crate) struct Anew<'a> {
    /// The new group.
    pub(crate) group: GroupId,
    /// The id of this disk in the new group.
    pub(crate) disk: DiskId,
    /// The last slot that the state includes.
    pub(crate) slot: Slot,
    /// The position of these bytes in the encoded state.
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
    /// Whether this is the last piece.
    pub(crate) last: bool,
}

/// Whether no slot of `entries` is above [`SLOT_LAST`] if the first one is at `first`.
fn fits_behind(first: Slot, entries: &[Entry]) -> bool {
    first.0 <= SLOT_LAST && entries.len() as u64 <= SLOT_LAST - first.0 + 1
}

impl Acceptor {
    /// Returns a blank acceptor.
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
            transfers: Transfers::default(),
            digest: KnownDigest::default(),
            witness: Witness::default(),
        }
    }

    /// Returns a blank acceptor that replaces this one and keeps its promise.
    pub(crate) fn anew(&self, disk: DiskId) -> Self {
        Self { promised: self.promised, before: self.promised, ..Self::blank(disk) }
    }

    /// Applies a record of the journal. Returns `false` if the record does not fit those before it.
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
                self.digest.own = Some(*digest);
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
        // The promised front has to send its log again: nothing is known to match it.
        self.matched = self.committed;
        true
    }

    /// Returns the records of a new journal with everything that is in memory.
    pub(crate) fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.group.map(Record::Group));
        records.push(Record::Promise(self.promised));
        if self.committed > Slot(0) {
            records.push(Record::State { slot: self.committed, bytes: self.settled.encode() });
            records.extend(self.digest.own.map(Record::Digest));
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

    /// Drops the entries that a written snapshot includes.
    pub(crate) fn forget_committed(&mut self) {
        while self.base < self.committed {
            self.log.pop_front();
            self.base = self.base.next();
        }
    }

    /// Returns the promise, the slots and the group of this copy, for reports.
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

    /// Returns the state after the committed entries.
    pub(crate) fn settled(&self) -> &State {
        &self.settled
    }

    /// Returns the state after the last entry that is known to match the promised front's log.
    pub(crate) fn matched_state(&self) -> State {
        let mut state = self.settled.clone();
        let own = usize::try_from(self.matched.0 - self.committed.0).unwrap_or(usize::MAX);
        for stored in self.tail().take(own) {
            state.apply(&stored.entry);
        }
        state
    }

    /// Executes an order that carries an epoch.
    pub(crate) fn order(&mut self, order: Order, taken: &mut OrderEffects) -> Report {
        let epoch = match &order {
            Order::Claim { epoch } => {
                // Only a higher epoch is promised, so that a restarted front cannot use an epoch
                // twice.
                if *epoch <= self.promised {
                    return Report::Refused { promised: self.promised };
                }
                self.before = core::mem::replace(&mut self.promised, *epoch);
                self.matched = self.committed;
                self.transfers.installing = None;
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
        // The lowest epoch belongs to no front: its orders are refused even before the first
        // promise.
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
                // As for a birth: a first entry alone is nothing that could be lost.
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

    /// Returns the promise before the latest claim, or when the journal was opened.
    pub(crate) fn before(&self) -> Epoch {
        self.before
    }

    /// Returns what fronts have reported about the group.
    pub(crate) fn witness(&self) -> &Witness {
        &self.witness
    }

    /// Returns the digest of the entries up to the committed slot, if it is known.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.digest.own
    }

    /// Whether a promised front had a different digest of this copy's entries.
    pub(crate) fn differs(&self) -> bool {
        self.digest.differs
    }

    /// Compares this copy with the digest of the promised front. If the bases differ, the front's
    /// digest replaces this one: the state of an older program has no digest, and its chain starts
    /// again.
    fn compare(&mut self, theirs: Option<Digest>) {
        let Some(theirs) = theirs.filter(|digest| digest.slot == self.committed) else { return };
        match self.digest.own {
            Some(own) if own.base == theirs.base => self.digest.differs |= own != theirs,
            _ => self.digest.own = Some(theirs),
        }
    }

    fn hear(&mut self, known: Slot, date: Wall, acked: &[Acked], taken: &mut OrderEffects) {
        if self.witness.hear(known, date, acked) {
            taken.records.push(Record::Witness(self.witness.clone()));
        }
    }

    /// Drops a transfer that is half done, because the front's link has closed.
    pub(crate) fn let_go(&mut self) {
        self.transfers.reading = None;
        self.transfers.installing = None;
    }

    fn last(&self) -> Slot {
        Slot(self.base.0 + self.log.len() as u64)
    }

    fn index(&self, slot: Slot) -> usize {
        usize::try_from(slot.0 - self.base.0 - 1).unwrap_or(usize::MAX)
    }

    /// Returns the entries that are not committed yet.
    fn tail(&self) -> impl Iterator<Item = &AcceptedEntry> {
        let skip = usize::try_from(self.committed.0 - self.base.0).unwrap_or(usize::MAX);
        self.log.iter().skip(skip)
    }

    /// Executes a birth, which may be repeated as long as no second entry and no commit followed
    /// it.
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
        // Without gaps, what matches the promised front's log is a prefix of it.
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

    /// Writes entries at `first` and above, over entries of lower epochs. Entries above them stay:
    /// one may be chosen with this acceptor's vote, and a front that sends its log in several
    /// pieces may fail between two of them.
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
            self.digest.own = self.digest.own.map(|digest| digest.with(&stored.entry));
        }
    }

    fn settle(&mut self, slot: Slot, state: State) {
        self.clear_log();
        self.settled = state;
        self.base = slot;
        self.committed = slot;
        self.matched = slot;
        self.digest.own = None;
    }

    fn clear_log(&mut self) {
        self.log.clear();
        self.settled = State::default();
        self.base = Slot(0);
        self.committed = Slot(0);
        self.matched = Slot(0);
        self.digest.own = Some(Digest::default());
        self.digest.differs = false;
        self.let_go();
    }

    /// Returns a value that is equal for acceptors with the same future behaviour.
    #[cfg(feature = "model")]
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        // The id of the disk is only a name.
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
            transfers: Transfers { reading, installing },
            // The hash follows from the log.
            digest: KnownDigest { own: _, differs },
            witness,
        } = self;
        let state = (group, promised, settled.encode(), base, log, committed, matched);
        // The reported positions of disks are compared disk by disk.
        let told = (witness.known(), witness.date());
        postcard::to_allocvec(&(state, before, reading, installing, differs, told))
            .expect("what is in memory always encodes")
    }

    /// Returns the entries above `base`.
    #[cfg(feature = "model")]
    pub(super) fn entries(&self) -> Vec<AcceptedEntry> {
        self.log.iter().cloned().collect()
    }

    /// Checks the invariants between two steps; of the log only its end, where steps add entries.
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

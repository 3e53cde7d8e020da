//! The acceptor: promise, log, fence and snapshot of one backend, as a pure machine of orders.
//!
//! What lives here: the rules of *Consistency* on the accepting side. What never lives here: the
//! journal (records are handed up), links, licences. A front that stands in for stock servers has
//! three of them in its memory. Every rule is written up in
//! `core/docs/consistency.md`.

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
    transfers: Transfers,
    digest: KnownDigest,
    witness: Witness,
}

/// States that are on their way, with their slots.
#[derive(Clone, Debug, Default)]
struct Transfers {
    /// An encoded state that a front is reading.
    reading: Option<(Slot, Vec<u8>)>,
    /// A state that a front is installing.
    installing: Option<(Slot, Vec<u8>)>,
}

/// The running hash of the copy.
#[derive(Clone, Debug, Default)]
struct KnownDigest {
    /// The hash of the entries up to `committed`; `None`: not known.
    own: Option<Digest>,
    /// The promised front has another one of the same entries.
    differs: bool,
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
            transfers: Transfers::default(),
            digest: KnownDigest::default(),
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
        self.digest.own
    }

    /// This copy differs from the promised front's.
    pub(crate) fn differs(&self) -> bool {
        self.digest.differs
    }

    /// The promised front has this digest of its copy. Where only the bases differ, its one counts:
    /// a chain of digests begins anew with a state of an older program, which has none.
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

    /// Drops what a front has left half read or half installed; its link is gone.
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

    /// Entries that are not committed yet.
    fn tail(&self) -> impl Iterator<Item = &AcceptedEntry> {
        let skip = usize::try_from(self.committed.0 - self.base.0).unwrap_or(usize::MAX);
        self.log.iter().skip(skip)
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
            transfers: Transfers { reading, installing },
            // The hash itself follows from the log.
            digest: KnownDigest { own: _, differs },
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

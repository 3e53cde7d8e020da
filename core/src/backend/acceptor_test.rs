//! The acceptor's rules: an order, then its report, its records and the standing.

mod restart;

use super::acceptor::{Acceptor, Anew, OrderEffects};
use super::journal::Record;
use crate::base::limits::PIECE_BYTES;
use crate::base::time::Wall;
use crate::log::{
    AcceptedEntry, Client, ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, HandleScope,
    LicenceKey, Mode, Setting, Slot, State,
};
use crate::messages::group::{Order, Piece, Report, Standing};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

const DISK: DiskId = DiskId(1);
const GROUP: GroupId = GroupId(0xa);
const ONE: Epoch = Epoch { round: 1, front: 1 };
const TWO: Epoch = Epoch { round: 2, front: 2 };

fn handles(last: u32) -> Entry {
    Entry::Configure(Setting::Handles(last))
}

fn grant(number: u32, text: usize) -> Entry {
    Entry::Grant(Grant {
        handle: Handle(number),
        held: HandleScope::Licence(LicenceKey {
            container: ContainerId::CmAct(7),
            firm_code: 10,
            product_code: 1,
            tmr_id: 1,
        }),
        fingerprint: 1,
        quantity: u32::MAX,
        take: 1,
        mode: Mode::UserLimit,
        client: Client {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "x".repeat(text),
            user: String::new(),
            domain: String::new(),
            text: String::new(),
            user_defined_id: 0,
            pid: 0,
            session: 0,
        },
        since: Wall(0),
        cleanup_seconds: 60,
        linger_seconds: 0,
        starts_usage: false,
    })
}

fn claim(epoch: Epoch) -> Order {
    Order::Claim { epoch }
}

fn append(epoch: Epoch, first: u64, entries: &[Entry], committed: u64) -> Order {
    let (first, committed) = (Slot(first), Slot(committed));
    Order::Append { epoch, first, entries: entries.to_vec(), committed }
}

fn install(epoch: Epoch, slot: u64, offset: u64, bytes: &[u8], last: bool) -> Order {
    let (bytes, slot) = (bytes.to_vec(), Slot(slot));
    Order::Install { epoch, group: GROUP, slot, offset, bytes, last }
}

fn stored(last: u64) -> Report {
    Report::Stored { last: Slot(last), differing: vec![] }
}

fn gap(committed: u64) -> Report {
    Report::Gap { committed: Slot(committed) }
}

/// An acceptor and the records of its journal.
struct Kept {
    acceptor: Acceptor,
    journal: Vec<Record>,
}

impl Kept {
    fn blank() -> Self {
        let acceptor = Acceptor::blank(DISK);
        let journal = acceptor.snapshot();
        Self { acceptor, journal }
    }

    /// Returns a member of the group that has promised `ONE`.
    fn born() -> Self {
        let mut kept = Self::blank();
        kept.order(claim(ONE));
        assert_eq!(kept.order(Order::Found { epoch: ONE, group: GROUP }), stored(0));
        kept
    }

    /// Gives an order and keeps its records as a backend does.
    fn order(&mut self, order: Order) -> Report {
        let mut taken = OrderEffects::default();
        let report = self.acceptor.order(order, &mut taken);
        self.acceptor.check_invariants();
        self.journal.append(&mut taken.records);
        if taken.rewrite {
            self.journal = self.acceptor.snapshot();
            self.acceptor.forget_committed();
        }
        report
    }

    fn refused(&mut self, order: Order, promised: Epoch) {
        let (before, records) = (self.acceptor.standing(), self.journal.len());
        assert_eq!(self.order(order), Report::Refused { promised });
        assert_eq!((self.acceptor.standing(), self.journal.len()), (before, records));
    }

    fn log(&mut self, epoch: Epoch, from: u64) -> Vec<(u32, Entry)> {
        let piece = Piece::Log { from: Slot(from) };
        match self.order(Order::Fetch { epoch, piece }) {
            Report::Log { entries } => entries
                .into_iter()
                .map(|AcceptedEntry { epoch, entry }| (epoch.round, entry))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn restarted(records: &[Record]) -> Acceptor {
    let mut acceptor = Acceptor::blank(DISK);
    for record in records {
        assert!(acceptor.replay(record), "{record:?}");
        acceptor.check_invariants();
    }
    acceptor
}

#[test]
fn a_promise_goes_strictly_upwards_and_everything_else_must_have_it() {
    let mut kept = Kept::blank();
    let nobody = Epoch::default();
    kept.refused(claim(nobody), nobody);
    kept.refused(Order::Found { epoch: nobody, group: GROUP }, nobody);
    let standing = Standing {
        disk: DISK,
        group: None,
        promised: TWO,
        base: Slot(0),
        committed: Slot(0),
        last: Slot(0),
    };
    assert_eq!(kept.order(claim(TWO)), Report::Promised(standing));
    assert_eq!(kept.journal.last(), Some(&Record::Promise(TWO)));
    // The same epoch again, a lower round, and the same round of a lower front.
    for epoch in [TWO, ONE, Epoch { round: 2, front: 1 }, Epoch::default()] {
        kept.refused(claim(epoch), TWO);
    }
    // A higher front in the same round is higher.
    let higher = Epoch { round: 2, front: 3 };
    assert!(matches!(kept.order(claim(higher)), Report::Promised(_)));
    // Orders of any epoch but the promised one are refused, lower or higher.
    for epoch in [TWO, ONE, Epoch { round: 3, front: 0 }, Epoch::default()] {
        kept.refused(Order::Found { epoch, group: GROUP }, higher);
        kept.refused(append(epoch, 1, &[handles(1)], 0), higher);
        kept.refused(install(epoch, 5, 0, &State::default().encode(), true), higher);
        kept.refused(Order::Confirm { epoch, committed: Slot(9), serves: false }, higher);
        kept.refused(Order::Fetch { epoch, piece: Piece::Log { from: Slot(1) } }, higher);
        kept.refused(Order::Fetch { epoch, piece: Piece::State { offset: 0 } }, higher);
    }
    let confirm = Order::Confirm { epoch: higher, committed: Slot(0), serves: false };
    assert_eq!(kept.order(confirm), Report::Confirmed);
}

#[test]
fn entries_join_without_a_hole_and_a_repeated_one_is_taken_once() {
    let mut kept = Kept::blank();
    kept.order(claim(ONE));
    assert_eq!(kept.order(append(ONE, 1, &[handles(1)], 0)), gap(0), "no group yet");
    let mut kept = Kept::born();
    assert_eq!(kept.order(append(ONE, 2, &[handles(1)], 0)), gap(0));
    assert_eq!(kept.order(append(ONE, 0, &[handles(1)], 0)), gap(0));
    assert_eq!(kept.order(append(ONE, u64::MAX, &[handles(1)], 0)), gap(0));
    let first = [handles(1), handles(2)];
    assert_eq!(kept.order(append(ONE, 1, &first, 0)), stored(2));
    let record = Record::Accept { epoch: ONE, first: Slot(1), entries: first.to_vec() };
    assert_eq!(kept.journal.last(), Some(&record));
    // The same append twice, then one that overlaps.
    let records = kept.journal.len();
    assert_eq!(kept.order(append(ONE, 1, &first, 0)), stored(2));
    assert_eq!(kept.order(append(ONE, 2, &[], 0)), stored(2));
    assert_eq!(kept.journal.len(), records);
    assert_eq!(kept.order(append(ONE, 2, &[handles(2), handles(3)], 0)), stored(3));
    let record = Record::Accept { epoch: ONE, first: Slot(3), entries: vec![handles(3)] };
    assert_eq!(kept.journal.last(), Some(&record));
    assert_eq!(kept.order(append(ONE, 5, &[handles(1)], 0)), gap(0));
    assert_eq!(kept.acceptor.standing().last, Slot(3));
}

#[test]
fn only_entries_of_the_promised_epoch_are_folded() {
    let mut kept = Kept::born();
    kept.order(append(ONE, 1, &[handles(1), handles(2), handles(3)], 1));
    assert_eq!(kept.acceptor.settled().handles_reserved(), 1);
    kept.order(claim(TWO));
    // The new front reports slots 2 and 3 as chosen; the entries there are another front's.
    let confirm = Order::Confirm { epoch: TWO, committed: Slot(3), serves: false };
    assert_eq!(kept.order(confirm), Report::Confirmed);
    assert_eq!(kept.order(append(TWO, 2, &[], 3)), stored(1));
    assert_eq!(kept.acceptor.standing().committed, Slot(1));
    assert_eq!(kept.acceptor.settled().handles_reserved(), 1);
    // The commit goes as far as the new front's own entries, and no farther than it reports.
    assert_eq!(kept.order(append(TWO, 2, &[handles(20)], 3)), stored(2));
    assert_eq!(kept.acceptor.settled().handles_reserved(), 20);
    assert_eq!(kept.acceptor.standing().committed, Slot(2));
    assert_eq!(kept.journal.last(), Some(&Record::Committed(Slot(2))));
    // A lower commit number has no effect.
    assert_eq!(kept.order(append(TWO, 3, &[handles(30)], 0)), stored(3));
    assert_eq!(kept.acceptor.standing().committed, Slot(2));
}

#[test]
fn a_newer_entry_takes_its_slot_and_what_stands_behind_stays_until_its_turn() {
    let mut kept = Kept::born();
    kept.order(append(ONE, 1, &[handles(1), handles(2), handles(3)], 1));
    kept.order(claim(TWO));
    // The tail comes again in pieces. Slot 3 may be chosen with this acceptor's vote: if the front
    // fails between two pieces, the next one must still find it.
    assert_eq!(kept.order(append(TWO, 2, &[handles(2)], 1)), stored(2));
    assert_eq!(kept.acceptor.standing().last, Slot(3));
    let want = [(1, handles(1)), (2, handles(2)), (1, handles(3))];
    assert_eq!(kept.log(TWO, 1), want);
    let mut back = Kept { acceptor: restarted(&kept.journal), journal: vec![] };
    assert_eq!(back.log(TWO, 1), want);
    assert_eq!(kept.order(append(TWO, 3, &[handles(33), handles(4)], 1)), stored(4));
    assert_eq!(kept.log(TWO, 2), [(2, handles(2)), (2, handles(33)), (2, handles(4))]);
}

#[test]
fn a_group_is_founded_until_something_is_built_on_its_first_entry() {
    let mut kept = Kept::born();
    assert_eq!(kept.order(append(ONE, 1, &[handles(1)], 0)), stored(1));
    kept.order(claim(TWO));
    let group = GroupId(0xb);
    assert_eq!(kept.order(Order::Found { epoch: TWO, group }), stored(0));
    assert_eq!(kept.journal.last(), Some(&Record::Group(group)));
    let standing = kept.acceptor.standing();
    assert_eq!((standing.group, standing.last), (Some(group), Slot(0)));
    // A second entry, or a committed first one, could be lost.
    let mut two = Kept::born();
    two.order(append(ONE, 1, &[handles(1), handles(2)], 0));
    assert_eq!(two.order(Order::Found { epoch: ONE, group }), gap(0));
    let mut one = Kept::born();
    one.order(append(ONE, 1, &[handles(1)], 1));
    assert_eq!(one.order(Order::Found { epoch: ONE, group }), gap(1));
    assert_eq!(one.acceptor.standing().group, Some(GROUP));
}

/// Returns the encoded state after this many grants.
fn state(grants: u32) -> Vec<u8> {
    let mut state = State::default();
    for number in 1..=grants {
        state.apply(&grant(number, 100));
    }
    state.encode()
}

#[test]
fn a_state_is_installed_piece_by_piece() {
    let bytes = state(20);
    let (a, b) = bytes.split_at(1000);
    let mut kept = Kept::blank();
    kept.order(claim(ONE));
    assert_eq!(kept.order(install(ONE, 50, 0, a, false)), stored(0));
    assert_eq!(kept.acceptor.standing().group, None, "nothing changes before the last piece");
    assert_eq!(kept.order(install(ONE, 50, 1000, b, true)), stored(50));
    let standing = kept.acceptor.standing();
    assert_eq!(standing.group, Some(GROUP));
    assert_eq!([standing.base, standing.committed, standing.last], [Slot(50); 3]);
    assert_eq!(kept.acceptor.settled().encode(), bytes);
    assert_eq!(kept.order(append(ONE, 51, &[handles(1)], 50)), stored(51));
    // An older state changes nothing and is acknowledged: its contents are included.
    assert_eq!(kept.order(install(ONE, 40, 0, &state(1), true)), stored(51));
    assert_eq!(kept.acceptor.settled().seat_count(), 20);
}

#[test]
fn pieces_that_do_not_follow_each_other_are_not_installed() {
    let bytes = state(20);
    let (a, b) = bytes.split_at(1000);
    let wrong: [(&str, Vec<Order>); 5] = [
        ("without the first", vec![install(ONE, 50, 1000, b, true)]),
        ("with a hole", vec![install(ONE, 50, 0, a, false), install(ONE, 50, 1001, b, true)]),
        (
            "the same twice",
            vec![
                install(ONE, 50, 0, a, false),
                install(ONE, 50, 1000, b, false),
                install(ONE, 50, 1000, b, true),
            ],
        ),
        ("of another state", vec![install(ONE, 50, 0, a, false), install(ONE, 51, 1000, b, true)]),
        ("that make no state", vec![install(ONE, 50, 0, a, true)]),
    ];
    for (what, orders) in wrong {
        let mut kept = Kept::blank();
        kept.order(claim(ONE));
        let reports: Vec<Report> = orders.into_iter().map(|order| kept.order(order)).collect();
        assert_eq!(reports.last(), Some(&gap(0)), "{what}");
        assert_eq!(kept.acceptor.standing().group, None, "{what}");
        // The first piece starts again.
        kept.order(install(ONE, 50, 0, a, false));
        assert_eq!(kept.order(install(ONE, 50, 1000, b, true)), stored(50), "{what}");
    }
    // Another front, or a closed link, ends a transfer that is half done.
    let mut kept = Kept::blank();
    kept.order(claim(ONE));
    kept.order(install(ONE, 50, 0, a, false));
    kept.order(claim(TWO));
    assert_eq!(kept.order(install(TWO, 50, 1000, b, true)), gap(0));
    kept.order(install(TWO, 50, 0, a, false));
    kept.acceptor.let_go();
    assert_eq!(kept.order(install(TWO, 50, 1000, b, true)), gap(0));
}

#[test]
fn an_installed_state_does_not_take_accepted_entries_behind_it_away() {
    let mut kept = Kept::born();
    kept.order(append(ONE, 1, &[handles(1), handles(2), handles(3)], 1));
    kept.order(claim(TWO));
    // This acceptor's vote may be what chose slot 3; the state reaches to slot 2 only.
    let mut fold = State::default();
    fold.apply(&handles(2));
    assert_eq!(kept.order(install(TWO, 2, 0, &fold.encode(), true)), stored(2));
    assert_eq!(kept.acceptor.standing().last, Slot(3));
    assert_eq!(kept.log(TWO, 3), [(1, handles(3))]);
    let mut back = Kept { acceptor: restarted(&kept.journal), journal: vec![] };
    assert_eq!(back.acceptor.standing(), kept.acceptor.standing());
    assert_eq!(back.log(TWO, 3), [(1, handles(3))]);
}

#[test]
fn another_groups_state_is_refused_by_a_copy_that_is_not_empty() {
    let mut kept = Kept::born();
    kept.order(append(ONE, 1, &[handles(1), handles(2)], 0));
    let order = |epoch| Order::Install {
        epoch,
        group: GroupId(0xb),
        slot: Slot(9),
        offset: 0,
        bytes: state(1),
        last: true,
    };
    kept.refused(order(ONE), ONE);
    // A blank acceptor has nothing to lose, nor has one of an interrupted birth.
    for first in [&[][..], &[handles(1)]] {
        let mut empty = Kept::born();
        empty.order(append(ONE, 1, first, 0));
        assert_eq!(empty.order(order(ONE)), stored(9));
        assert_eq!(empty.acceptor.standing().group, Some(GroupId(0xb)));
    }
}

#[test]
fn lost_memory_is_replaced_by_what_an_operator_says_and_no_promise_is_broken() {
    let mut kept = Kept::born();
    let (group, disk, at) = (GroupId(0xb), DiskId(9), Slot(4));
    let mut state = State::decode(&state(3)).unwrap();
    state.recover([disk, DiskId(10), DiskId(11)], 0, GROUP);
    let bytes = state.encode();
    let (front, back) = bytes.split_at(bytes.len() / 2);
    let whole = Anew { group, disk, slot: at, offset: 0, bytes: &bytes, last: true };
    let mut recover = |epoch, anew: Anew<'_>| kept.acceptor.recover(epoch, &anew);
    let refused = |result: Result<Acceptor, Box<Report>>| *result.map(|_| ()).unwrap_err();
    assert_eq!(refused(recover(TWO, Anew { ..whole })), Report::Refused { promised: ONE });
    // A disk is no member of a group that does not name it, nor of one without a past.
    assert_eq!(refused(recover(ONE, Anew { disk: DiskId(8), ..whole })), gap(0));
    assert_eq!(refused(recover(ONE, Anew { slot: Slot(0), ..whole })), gap(0));
    let begin = Anew { bytes: front, last: false, ..whole };
    let end = || Anew { bytes: back, offset: front.len() as u64, ..whole };
    assert_eq!(refused(recover(ONE, end())), gap(0));
    assert_eq!(refused(recover(ONE, begin)), stored(0));
    let acceptor = recover(ONE, end()).expect("it is whole");
    let standing =
        Standing { disk, group: Some(group), promised: ONE, base: at, committed: at, last: at };
    assert_eq!((acceptor.standing(), acceptor.settled()), (standing, &state));
    // Its journal gives the same acceptor.
    let records = acceptor.snapshot();
    let mut again = Acceptor::blank(disk);
    assert!(records.iter().all(|record| again.replay(record)));
    assert_eq!(again.standing(), standing);
}

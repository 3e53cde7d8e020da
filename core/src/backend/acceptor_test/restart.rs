//! Copies that are read: in pieces, after a restart, and with records that do not fit.

use super::*;

#[test]
fn a_copy_is_read_in_pieces_that_make_it_up() {
    let mut kept = Kept::born();
    let count = u32::try_from(PIECE_BYTES / 400).unwrap();
    let entries: Vec<Entry> = (1..=count).map(|number| grant(number, 900)).collect();
    kept.order(append(ONE, 1, &entries, u64::from(count)));
    let (mut bytes, mut pieces) = (Vec::new(), 0);
    loop {
        let piece = Piece::State { offset: bytes.len() as u64 };
        let Report::State { slot, bytes: piece, last } =
            kept.order(Order::Fetch { epoch: ONE, piece })
        else {
            panic!()
        };
        assert_eq!(slot, Slot(count.into()));
        assert!(piece.len() <= PIECE_BYTES);
        bytes.extend_from_slice(&piece);
        pieces += 1;
        if last {
            break;
        }
    }
    assert_eq!(State::decode(&bytes).as_ref(), Some(kept.acceptor.settled()));
    assert!(pieces > 1, "{} bytes in one piece", bytes.len());
    // The log likewise, up to the empty piece after its end.
    let (mut read, mut pieces) = (Vec::new(), 0);
    loop {
        let piece = kept.log(ONE, read.len() as u64 + 1);
        if piece.is_empty() {
            break;
        }
        pieces += 1;
        read.extend(piece.into_iter().map(|(_, entry)| entry));
    }
    assert_eq!(read, entries);
    assert!(pieces > 1);
    for from in [u64::from(count) + 2, u64::MAX] {
        assert_eq!(kept.log(ONE, from), []);
    }
    // Entries that a snapshot includes cannot be read one by one.
    kept.acceptor.forget_committed();
    for from in [0, 1, u64::from(count)] {
        let piece = Piece::Log { from: Slot(from) };
        let report = kept.order(Order::Fetch { epoch: ONE, piece });
        assert_eq!(report, gap(count.into()));
    }
}

#[test]
fn records_that_do_not_fit_are_told() {
    let mut kept = Kept::born();
    kept.order(append(ONE, 1, &[handles(1), handles(1)], 1));
    let accept = |first| Record::Accept { epoch: ONE, first: Slot(first), entries: vec![] };
    for wrong in [
        accept(0),
        accept(1),
        accept(4),
        Record::Committed(Slot(3)),
        Record::State { slot: Slot(9), bytes: vec![0xff] },
    ] {
        let mut acceptor = restarted(&kept.journal);
        assert!(!acceptor.replay(&wrong), "{wrong:?}");
    }
}

/// A small generator with a fixed start: the same numbers at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % sides
    }

    fn order(&mut self, standing: &Standing) -> Order {
        let epoch = match self.roll(8) {
            0 => standing.promised.next_of(1),
            1 => Epoch { round: standing.promised.round.saturating_sub(1), front: 1 },
            _ => standing.promised,
        };
        let near = |slot: Slot, by: u64| slot.0.saturating_add(by).saturating_sub(3);
        match self.roll(12) {
            0 | 1 => claim(epoch.next_of(u32::try_from(self.roll(3)).unwrap())),
            2 => Order::Found { epoch, group: GROUP },
            3 => {
                let slot = Slot(near(standing.committed, self.roll(8)).max(1));
                let grants = u32::try_from(self.roll(6)).unwrap();
                let (bytes, last) = (state(grants), self.roll(4) > 0);
                Order::Install { epoch, group: GROUP, slot, offset: 0, bytes, last }
            }
            4 => Order::Confirm {
                epoch,
                committed: Slot(near(standing.last, self.roll(6))),
                serves: false,
            },
            5 => {
                let from = Slot(near(standing.base, self.roll(9)));
                Order::Fetch { epoch, piece: Piece::Log { from } }
            }
            _ => {
                let entries: Vec<Entry> = (0..self.roll(5))
                    .map(|_| match self.roll(3) {
                        0 => Entry::Release(Handle(u32::try_from(self.roll(9)).unwrap())),
                        1 => grant(u32::try_from(self.roll(9)).unwrap(), 3),
                        _ => handles(u32::try_from(self.roll(99)).unwrap()),
                    })
                    .collect();
                let first = near(standing.committed, self.roll(10));
                append(epoch, first, &entries, near(standing.committed, self.roll(8)))
            }
        }
    }
}

/// Returns what a restart must restore: everything but transfers.
fn essence(acceptor: &mut Acceptor) -> (Standing, State, Vec<Record>) {
    acceptor.forget_committed();
    (acceptor.standing(), acceptor.settled().clone(), acceptor.snapshot())
}

#[test]
fn whatever_it_was_told_a_restart_brings_the_same_back() {
    let (mut refused, mut kept_some) = (0, 0);
    for seed in 0..200 {
        let (mut dice, mut kept) = (Dice(seed), Kept::blank());
        for step in 0..60 {
            let order = dice.order(&kept.acceptor.standing());
            let before = kept.acceptor.standing();
            let report = kept.order(order.clone());
            let after = kept.acceptor.standing();
            assert!(after.promised >= before.promised, "seed {seed} step {step}");
            if !matches!(order, Order::Found { .. }) {
                assert!(after.committed >= before.committed, "seed {seed} step {step}");
                assert!(after.last >= before.last, "seed {seed} step {step}: {order:?}");
            }
            if let Report::Refused { .. } = report {
                refused += 1;
                assert_eq!(after, before, "seed {seed} step {step}");
            }
            let live = essence(&mut kept.acceptor);
            let from_journal = essence(&mut restarted(&kept.journal));
            assert_eq!(from_journal, live, "seed {seed} step {step}: journal, {order:?}");
            let from_snapshot = essence(&mut restarted(&kept.acceptor.snapshot()));
            assert_eq!(from_snapshot, live, "seed {seed} step {step}: snapshot, {order:?}");
        }
        kept_some += u64::from(kept.acceptor.standing().committed > Slot(0));
    }
    // The random cases must cover both outcomes.
    assert!(refused > 1000 && kept_some > 100, "{refused} refused, {kept_some} got anywhere");
}

#[test]
fn a_state_is_read_as_it_was_when_the_reading_began() {
    let mut kept = Kept::born();
    let count = u32::try_from(PIECE_BYTES / 400).unwrap();
    let entries: Vec<Entry> = (1..=count).map(|number| grant(number, 900)).collect();
    kept.order(append(ONE, 1, &entries, u64::from(count)));
    let read = |kept: &mut Kept, offset: usize| {
        let piece = Piece::State { offset: offset as u64 };
        match kept.order(Order::Fetch { epoch: ONE, piece }) {
            Report::State { slot, bytes, last } => (slot, bytes, last),
            other => panic!("{other:?}"),
        }
    };
    let whole = kept.acceptor.settled().encode();
    let (slot, mut bytes, mut last) = read(&mut kept, 0);
    // The log grows meanwhile: another seat, before all others.
    let next = u64::from(count) + 1;
    kept.order(append(ONE, next, &[grant(0, 900)], next));
    while !last {
        let (same, more, end) = read(&mut kept, bytes.len());
        assert_eq!(same, slot);
        bytes.extend(more);
        last = end;
    }
    assert!(bytes == whole, "pieces of one state");
    // A front that starts again reads the present state, also after a transfer that is half done.
    assert_eq!(read(&mut kept, 0).0, Slot(next));
    kept.order(append(ONE, next + 1, &[grant(count + 1, 900)], next + 1));
    assert_eq!(read(&mut kept, 0).0, Slot(next + 1));
}

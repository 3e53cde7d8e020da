//! Snapshots of the state.

use super::*;

/// Returns a state in which every field has a value.
fn rich() -> State {
    use Mode::{Exclusive, NoUserLimit, StationShare, UserLimit};
    let mut state = story(&[
        (UserLimit, 2, 1, Outcome::Granted, 2),
        (StationShare, 1, 2, Outcome::Granted, 3),
        (StationShare, 1, 2, Outcome::Granted, 3),
        (Exclusive, 1, 3, Outcome::Granted, 4),
        (NoUserLimit, 1, 4, Outcome::Granted, 4),
    ]);
    state.apply(&Entry::Configure(Setting::Members([DiskId(1), DiskId(2), DiskId(u128::MAX)])));
    state.apply(&Entry::Configure(Setting::Handles(4096)));
    state.apply(&Entry::Configure(Setting::Leader(Epoch { round: 3, front: 0x7fff_ffff })));
    state.apply(&Entry::Configure(Setting::Virtual {
        container: LICENCE.container,
        serial: 59_885_682,
    }));
    state
}

#[test]
fn a_snapshot_is_the_state() {
    for state in [State::default(), rich()] {
        let bytes = state.encode();
        let mut back = State::decode(&bytes).unwrap();
        assert_eq!(back, state);
        assert_eq!(back.encode(), bytes);
        // Derived values are restored: the copy counts as the original does.
        let (mut state, next) = (state, grant(900, Mode::UserLimit, 2, 9));
        assert_eq!(apply(&mut back, &next), apply(&mut state, &next));
        assert_eq!(back, state);
    }
}

#[test]
fn equal_folds_give_equal_bytes_whatever_the_order() {
    let (one, other) = (grant(5, Mode::UserLimit, 1, 1), grant(6, Mode::StationShare, 1, 2));
    let (mut a, mut b) = (State::default(), State::default());
    a.apply(&Entry::Grant(one.clone()));
    a.apply(&Entry::Grant(other.clone()));
    b.apply(&Entry::Grant(grant(4, Mode::UserLimit, 1, 1)));
    b.apply(&Entry::Grant(other));
    b.apply(&Entry::Release(Handle(4)));
    b.apply(&Entry::Grant(one));
    assert_eq!(a.encode(), b.encode());
}

#[test]
fn bytes_that_are_no_snapshot_are_told_apart_or_are_another_one() {
    let bytes = rich().encode();
    for end in 0..bytes.len() {
        assert_eq!(State::decode(&bytes[..end]), None, "a prefix of {end} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(State::decode(&longer), None);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            // States that can still be decoded must apply entries without a panic.
            let Some(mut state) = State::decode(&broken) else { continue };
            let handles: Vec<Handle> = state.seats().map(|seat| seat.handle).collect();
            for handle in handles {
                assert!(matches!(state.apply(&Entry::Expire(handle)), Outcome::Ended(_)));
            }
            assert_eq!(state.seat_count(), 0);
        }
    }
}

#[test]
fn a_snapshot_with_a_handle_twice_is_none() {
    let seats = [grant(5, Mode::UserLimit, 1, 1), grant(5, Mode::UserLimit, 1, 2)];
    let bytes = |seats: &[Grant]| {
        // No leader, members, handles or serials; after the seats, no lingering ones, no units, no
        // usage periods.
        let head = (Epoch::default(), None::<[DiskId; 3]>, 0_u32, 0_u8);
        postcard::to_allocvec(&(head, seats, [0_u8; 3])).unwrap()
    };
    assert!(State::decode(&bytes(&seats[..1])).is_some());
    assert_eq!(State::decode(&bytes(&seats)), None);
}

//! Seats are counted right in every mode, whatever the numbers.

mod snapshot;

use super::{
    Client, ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, HandleScope, LicenceKey,
    Mode, Outcome, Refusal, Setting, State,
};
use crate::base::time::Wall;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

const LICENCE: LicenceKey = LicenceKey {
    container: ContainerId::CmAct(7),
    firm_code: 6_000_010,
    product_code: 201,
    tmr_id: 1,
};

/// Returns a grant with this handle, of 5 licences, from this station.
fn grant(handle: u32, mode: Mode, take: u32, station: u8) -> Grant {
    Grant {
        handle: Handle(handle),
        held: HandleScope::Licence(LICENCE),
        fingerprint: 11,
        quantity: 5,
        take,
        mode,
        client: Client {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, station)),
            host: format!("host-{station}"),
            user: "user".into(),
            domain: String::new(),
            text: String::new(),
            user_defined_id: 0,
            pid: handle,
            session: 1,
        },
        since: Wall(1_795_287_600),
        cleanup_seconds: 60,
        linger_seconds: 0,
        starts_usage: false,
    }
}

fn apply(state: &mut State, grant: &Grant) -> Outcome {
    let expected = match state.check(grant) {
        Ok(()) => Outcome::Granted,
        Err(refusal) => Outcome::Refused(refusal),
    };
    let outcome = state.apply(&Entry::Grant(grant.clone()));
    assert_eq!(outcome, expected, "check foretells apply");
    outcome
}

fn used(state: &State) -> u32 {
    state.usage(&LICENCE).map_or(0, super::Usage::used)
}

const FULL: Outcome = Outcome::Refused(Refusal::NoMoreLicences);
const CONFLICT: Outcome = Outcome::Refused(Refusal::ExclusiveConflict);
const TAKEN: Outcome = Outcome::Refused(Refusal::HandleTaken);

/// Applies grants one after the other, as (mode, take, station), and checks the outcome of each and
/// the use after it.
fn story(steps: &[(Mode, u32, u8, Outcome, u32)]) -> State {
    let mut state = State::default();
    for (number, (mode, take, station, outcome, after)) in steps.iter().enumerate() {
        let grant = grant(100 + u32::try_from(number).unwrap(), *mode, *take, *station);
        assert_eq!(apply(&mut state, &grant), *outcome, "step {number}: {mode:?} {take}");
        assert_eq!(used(&state), *after, "step {number}: {mode:?} {take}");
    }
    state
}

#[test]
fn user_limit_takes_as_many_as_are_asked_for() {
    use Mode::UserLimit;
    let state = story(&[
        (UserLimit, 1, 1, Outcome::Granted, 1),
        (UserLimit, 3, 1, Outcome::Granted, 4),
        (UserLimit, 2, 2, FULL, 4),
        (UserLimit, 1, 2, Outcome::Granted, 5),
        (UserLimit, 1, 3, FULL, 5),
    ]);
    assert_eq!(state.seat_count(), 3);
    assert_eq!(state.usage(&LICENCE).unwrap().user_limit, 5);
}

#[test]
fn no_user_limit_takes_none_even_when_all_are_taken() {
    use Mode::{NoUserLimit, UserLimit};
    let state = story(&[
        (NoUserLimit, 1, 1, Outcome::Granted, 0),
        (UserLimit, 5, 1, Outcome::Granted, 5),
        (NoUserLimit, 9, 1, Outcome::Granted, 5),
        (UserLimit, 1, 1, FULL, 5),
    ]);
    assert_eq!(state.usage(&LICENCE).unwrap().no_user_limit, 2);
}

#[test]
fn exclusive_is_alone_on_its_station_and_only_there() {
    use Mode::{Exclusive, NoUserLimit, StationShare, UserLimit};
    let state = story(&[
        (Exclusive, 1, 1, Outcome::Granted, 1),
        (Exclusive, 1, 1, CONFLICT, 1),
        (UserLimit, 1, 1, CONFLICT, 1),
        (NoUserLimit, 1, 1, CONFLICT, 1),
        (StationShare, 1, 1, CONFLICT, 1),
        (UserLimit, 1, 2, Outcome::Granted, 2),
        (Exclusive, 1, 2, CONFLICT, 2),
        (Exclusive, 1, 3, Outcome::Granted, 3),
        (UserLimit, 2, 4, Outcome::Granted, 5),
        // A full licence is reported only if nothing else prevents the access.
        (UserLimit, 1, 3, CONFLICT, 5),
        (Exclusive, 1, 5, FULL, 5),
    ]);
    let usage = state.usage(&LICENCE).unwrap();
    assert_eq!((usage.user_limit, usage.exclusive, usage.station_share), (3, 2, 0));
}

#[test]
fn a_station_shares_one_licence() {
    use Mode::StationShare;
    let mut state = story(&[
        (StationShare, 1, 1, Outcome::Granted, 1),
        (StationShare, 1, 1, Outcome::Granted, 1),
        (StationShare, 1, 2, Outcome::Granted, 2),
        (StationShare, 9, 1, Outcome::Granted, 2),
    ]);
    // The licence is free when the last of a station's handles is gone.
    for (handle, after) in [(101, 2), (100, 2), (103, 1), (102, 0)] {
        assert!(matches!(state.apply(&Entry::Release(Handle(handle))), Outcome::Ended(_)));
        assert_eq!(used(&state), after, "after {handle}");
    }
    assert_eq!(state, State::default());
    // Another session, host or address is another station.
    let base = grant(1, StationShare, 1, 1);
    let mut others = vec![base.clone(), base.clone(), base.clone(), base];
    others[1].client.session = 2;
    others[2].client.host = "other".into();
    others[3].client.address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for (number, mut other) in others.into_iter().enumerate() {
        other.handle = Handle(200 + u32::try_from(number).unwrap());
        assert_eq!(apply(&mut state, &other), Outcome::Granted);
    }
    assert_eq!(used(&state), 4);
}

#[test]
fn modes_mix_and_count_together() {
    use Mode::{Exclusive, NoUserLimit, StationShare, UserLimit};
    let mut state = story(&[
        (UserLimit, 2, 1, Outcome::Granted, 2),
        (StationShare, 1, 1, Outcome::Granted, 3),
        (StationShare, 1, 2, Outcome::Granted, 4),
        (Exclusive, 1, 3, Outcome::Granted, 5),
        (StationShare, 1, 4, FULL, 5),
        (StationShare, 1, 2, Outcome::Granted, 5),
        (NoUserLimit, 1, 4, Outcome::Granted, 5),
    ]);
    let Outcome::Ended(seat) = state.apply(&Entry::Expire(Handle(103))) else { panic!() };
    assert_eq!(seat, grant(103, Exclusive, 1, 3));
    assert_eq!(used(&state), 4);
    assert_eq!(apply(&mut state, &grant(300, UserLimit, 1, 3)), Outcome::Granted);
}

#[test]
fn a_void_grant_leaves_no_trace() {
    let mut state = story(&[(Mode::UserLimit, 5, 1, Outcome::Granted, 5)]);
    let before = state.clone();
    assert_eq!(apply(&mut state, &grant(7, Mode::UserLimit, 1, 1)), FULL);
    assert_eq!(apply(&mut state, &grant(100, Mode::NoUserLimit, 1, 1)), TAKEN);
    let mut other = grant(100, Mode::UserLimit, 1, 1);
    other.held = HandleScope::Licence(LicenceKey { product_code: 9, ..LICENCE });
    assert_eq!(apply(&mut state, &other), TAKEN);
    assert_eq!(state, before);
    let mut none = grant(8, Mode::UserLimit, 1, 1);
    let empty = LicenceKey { product_code: 10, ..LICENCE };
    none.held = HandleScope::Licence(empty);
    none.quantity = 0;
    assert_eq!(apply(&mut state, &none), FULL);
    assert_eq!(state, before);
    assert_eq!(state.usage(&empty), None);
}

#[test]
fn a_second_release_frees_nothing() {
    let mut state = story(&[
        (Mode::UserLimit, 2, 1, Outcome::Granted, 2),
        (Mode::UserLimit, 1, 1, Outcome::Granted, 3),
    ]);
    let first = grant(100, Mode::UserLimit, 2, 1);
    assert_eq!(state.apply(&Entry::Release(Handle(100))), Outcome::Ended(first));
    for entry in [Entry::Release(Handle(100)), Entry::Expire(Handle(100))] {
        assert_eq!(state.apply(&entry), Outcome::Nothing);
        assert_eq!((used(&state), state.seat_count()), (1, 1));
    }
}

#[test]
fn settings_are_kept_and_handle_blocks_never_shrink() {
    let mut state = State::default();
    assert_eq!((state.members(), state.handles_reserved()), (None, 0));
    let members = [DiskId(1), DiskId(2), DiskId(3)];
    for setting in [
        Setting::Members(members),
        Setting::Handles(4096),
        Setting::Handles(100),
        Setting::Virtual { container: LICENCE.container, serial: 1 },
        Setting::Virtual { container: LICENCE.container, serial: 2 },
        Setting::Leader(Epoch { round: 2, front: 1 }),
        Setting::Leader(Epoch { round: 1, front: 9 }),
    ] {
        assert_eq!(state.apply(&Entry::Configure(setting)), Outcome::Nothing);
    }
    assert_eq!(state.members(), Some(&members));
    assert_eq!(state.leader(), Epoch { round: 2, front: 1 });
    assert_eq!(state.handles_reserved(), 4096);
    assert_eq!(
        (state.virtual_serial(&LICENCE.container), state.virtual_serial(&ContainerId::CmAct(8))),
        (Some(2), None)
    );
}

#[test]
fn the_largest_numbers_neither_overflow_nor_wrap() {
    let with = |handle: u32, mode: Mode, take: u32, quantity: u32| Grant {
        quantity,
        ..grant(handle, mode, take, u8::try_from(handle).unwrap())
    };
    let mut state = State::default();
    assert_eq!(apply(&mut state, &with(1, Mode::UserLimit, u32::MAX, 5)), FULL);
    assert_eq!(apply(&mut state, &with(2, Mode::UserLimit, u32::MAX, u32::MAX)), Outcome::Granted);
    for (handle, mode, take) in [
        (3, Mode::UserLimit, 1),
        (4, Mode::UserLimit, u32::MAX),
        (5, Mode::Exclusive, u32::MAX),
        (6, Mode::StationShare, u32::MAX),
    ] {
        assert_eq!(apply(&mut state, &with(handle, mode, take, u32::MAX)), FULL, "{mode:?}");
        assert_eq!(used(&state), u32::MAX);
    }
    assert_eq!(
        apply(&mut state, &with(7, Mode::NoUserLimit, u32::MAX, u32::MAX)),
        Outcome::Granted
    );
    state.apply(&Entry::Release(Handle(2)));
    assert_eq!(used(&state), 0);
    assert_eq!(apply(&mut state, &with(8, Mode::Exclusive, 1, 1)), Outcome::Granted);
}

#[test]
fn a_released_seat_lingers_and_counts_until_it_is_ended() {
    let mut state = State::default();
    let seat = Grant { linger_seconds: 30, ..grant(1, Mode::UserLimit, 2, 1) };
    apply(&mut state, &seat);
    assert_eq!(state.apply(&Entry::Release(Handle(1))), Outcome::Nothing);
    assert!(state.lingers(Handle(1)));
    assert_eq!(used(&state), 2);
    assert_eq!(state.apply(&Entry::Release(Handle(1))), Outcome::Nothing);
    assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state));
    assert_eq!(state.apply(&Entry::Expire(Handle(1))), Outcome::Ended(seat));
    assert!(!state.lingers(Handle(1)));
    assert_eq!((used(&state), state.seat_count()), (0, 0));
}

#[test]
fn units_run_out_exactly() {
    let mut state = State::default();
    let units = |take, issued| Entry::Units { licence: LICENCE, take, issued };
    let spent = Outcome::Refused(Refusal::UnitsSpent);
    assert_eq!(state.apply(&units(7, 10)), Outcome::Nothing);
    assert_eq!(state.apply(&units(4, 10)), spent);
    assert_eq!(state.units_taken(&LICENCE), 7);
    assert_eq!(state.apply(&units(3, 10)), Outcome::Nothing);
    assert_eq!(state.apply(&units(1, 10)), spent);
    assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state));
    // Issued again with more units: those that were taken stay taken.
    assert_eq!(state.apply(&units(5, 15)), Outcome::Nothing);
    assert_eq!(state.apply(&units(u32::MAX, u32::MAX)), spent);
    assert_eq!(state.units_taken(&LICENCE), 15);
}

#[test]
fn a_usage_period_begins_with_the_first_grant_that_holds() {
    let mut state = State::default();
    let first = |handle, take, at| Grant {
        starts_usage: true,
        since: Wall(at),
        ..grant(handle, Mode::UserLimit, take, 1)
    };
    assert_eq!(apply(&mut state, &first(1, 6, 10)), FULL);
    assert_eq!(state.used_since(&LICENCE), None);
    assert_eq!(apply(&mut state, &first(1, 1, 20)), Outcome::Granted);
    assert_eq!(apply(&mut state, &first(2, 1, 30)), Outcome::Granted);
    assert_eq!(state.used_since(&LICENCE), Some(Wall(20)));
    state.apply(&Entry::Expire(Handle(1)));
    state.apply(&Entry::Expire(Handle(2)));
    assert_eq!(state.used_since(&LICENCE), Some(Wall(20)));
    assert_eq!(State::decode(&state.encode()), Some(state));
}

#[test]
fn what_takes_no_licence_is_held_all_the_same() {
    let mut state = State::default();
    let firm_item = HandleScope::FirmItem(LICENCE);
    for (number, held) in (1..).zip([HandleScope::Subsystem, HandleScope::Container(7), firm_item])
    {
        let none = Grant { held, quantity: 0, ..grant(number, Mode::NoUserLimit, 1, 1) };
        assert_eq!(apply(&mut state, &none), Outcome::Granted);
        assert_eq!(apply(&mut state, &none), TAKEN);
        assert_eq!(state.held(Handle(number)), Some(&none));
    }
    assert_eq!((state.seat_count(), state.usage(&LICENCE)), (3, None));
    // None of them uses the licence, so an exclusive access is alone.
    assert_eq!(apply(&mut state, &grant(9, Mode::Exclusive, 1, 1)), Outcome::Granted);
    assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state));
    for number in 1..=3 {
        assert!(matches!(state.apply(&Entry::Release(Handle(number))), Outcome::Ended(_)));
        assert_eq!(state.held(Handle(number)), None);
    }
    assert_eq!(used(&state), 1);
}

#[test]
fn a_licence_without_limit_stands_against_exclusive_use_and_takes_none() {
    use Mode::{Exclusive, NoUserLimit, UserLimit};
    let mut state = story(&[
        (NoUserLimit, 1, 1, Outcome::Granted, 0),
        (NoUserLimit, 1, 1, Outcome::Granted, 0),
        (Exclusive, 1, 1, CONFLICT, 0),
        (Exclusive, 1, 2, Outcome::Granted, 1),
        (UserLimit, 4, 1, Outcome::Granted, 5),
    ]);
    assert_eq!(state.usage(&LICENCE).unwrap().no_user_limit, 2);
    // Issued again with fewer: an access that takes none is still possible.
    let fewer = Grant { quantity: 1, ..grant(300, NoUserLimit, 1, 3) };
    assert_eq!(apply(&mut state, &fewer), Outcome::Granted);
    for handle in [300, 104, 101, 100] {
        assert!(matches!(state.apply(&Entry::Expire(Handle(handle))), Outcome::Ended(_)));
    }
    assert_eq!(apply(&mut state, &grant(301, Exclusive, 1, 1)), Outcome::Granted);
}

#[test]
fn a_list_takes_the_place_of_one_that_it_shares_two_serials_with() {
    let list = |a, b, c| ContainerId::of_serials([a, b, c]);
    let under = |container| LicenceKey { container, ..LICENCE };
    let name = |container, serial| Entry::Configure(Setting::Virtual { container, serial });
    let (before, after) = (list(3, 2, 1), list(1, 4, 2));
    let mut state = State::default();
    for entry in [name(before, 7), name(list(8, 9, 10), 6), name(LICENCE.container, 5)] {
        state.apply(&entry);
    }
    for (handle, licence) in [(1, under(before)), (2, under(before)), (3, LICENCE)] {
        let held = HandleScope::Licence(licence);
        let grant = Grant { held, starts_usage: true, ..grant(handle, Mode::UserLimit, 2, 1) };
        assert_eq!(apply(&mut state, &grant), Outcome::Granted);
        state.apply(&Entry::Units { licence, take: 3, issued: 10 });
    }
    state.apply(&Entry::Release(Handle(2)));
    assert_eq!((state.list_of(3), state.list_of(4), state.list_of(0)), (Some(before), None, None));
    assert_eq!((state.serial_before(&after), state.serial_before(&list(1, 4, 5))), (Some(7), None));

    state.apply(&name(after, 7));
    assert_eq!(
        (state.list_of(3), state.list_of(1), state.list_of(4)),
        (None, Some(after), Some(after))
    );
    assert_eq!(state.list_of(8), Some(list(8, 9, 10)), "another list stays");
    let of = |key: &LicenceKey| state.usage(key).map_or(0, super::Usage::used);
    assert_eq!((of(&under(before)), of(&under(after)), of(&LICENCE)), (0, 2, 2));
    let taken = [before, after, LICENCE.container].map(|id| state.units_taken(&under(id)));
    assert_eq!(taken, [0, 6, 3]);
    assert_eq!(state.used_since(&under(before)), None);
    assert_eq!(state.used_since(&under(after)), Some(grant(1, Mode::UserLimit, 1, 1).since));
    assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state));

    // One serial in common: another licence. Its list takes the serial, and no seat.
    state.apply(&name(list(4, 5, 6), 3));
    assert_eq!((state.list_of(4), state.list_of(1)), (Some(list(4, 5, 6)), None));
    assert_eq!(state.usage(&under(after)).map_or(0, super::Usage::used), 2);
    // Seats held under a list that was replaced count under its successor.
    state.apply(&name(list(1, 2, 9), 3));
    assert_eq!(state.usage(&under(list(1, 2, 9))).map_or(0, super::Usage::used), 2);
}

#[test]
fn handles_without_limit_are_counted_as_they_come_and_go() {
    let mut state = story(&[
        (Mode::NoUserLimit, 1, 1, Outcome::Granted, 0),
        (Mode::NoUserLimit, 1, 1, Outcome::Granted, 0),
        (Mode::NoUserLimit, 1, 2, Outcome::Granted, 0),
    ]);
    for (handle, left) in [(100, 2), (102, 1)] {
        assert!(matches!(state.apply(&Entry::Release(Handle(handle))), Outcome::Ended(_)));
        assert_eq!(state.usage(&LICENCE).unwrap().no_user_limit, left);
    }
}

#[test]
fn a_recovered_state_has_other_members_and_makes_numbers_as_before() {
    let mut state = State::default();
    state.apply(&Entry::Configure(Setting::Members([DiskId(1), DiskId(2), DiskId(3)])));
    state.apply(&Entry::Configure(Setting::Handles(100)));
    let before = state.encode();
    let members = [DiskId(4), DiskId(5), DiskId(6)];
    state.recover(members, 300, GroupId(7));
    assert_eq!(state.members(), Some(&members));
    assert_eq!((state.handles_reserved(), state.numbered()), (300, Some(GroupId(7))));
    let bytes = state.encode();
    assert_eq!(State::decode(&bytes).as_ref(), Some(&state));
    // Four bytes mark that a group follows, and this one has one byte.
    let plain = bytes.len() - 5;
    for end in plain + 1..bytes.len() {
        assert_eq!(State::decode(&bytes[..end]), None, "{end} of {} bytes", bytes.len());
    }
    // At a second recovery the first group still makes the handle numbers.
    state.recover([DiskId(7), DiskId(8), DiskId(9)], 200, GroupId(8));
    assert_eq!((state.handles_reserved(), state.numbered()), (300, Some(GroupId(7))));
    // A state that was not recovered is encoded as before.
    assert_eq!(State::decode(&before).map(|state| state.encode()), Some(before));
}

//! Calls with the keys of a licence, and their conditions.

use super::CallAction;
use super::service_test::{PLAIN, SERIAL, Table, table};
use crate::base::time::Wall;
use crate::log::Mode;
use crate::testing::{FIRM, TMR, at};
use crate::wire::Request;
use crate::wire::constants::{access as ways, auth, crypt, info};
use crate::wire::structs::{
    CmAuthenticate, CmBaseCrypt, CmBaseCrypt2, CmBoxEntry2, CmCrypt, CmCrypt2, CmPiEntryBase,
    CmTime,
};
use std::vec;

pub(super) fn crypt2(handle: u32, options: u32, change: impl FnOnce(&mut CmCrypt2)) -> Request {
    let base_crypt = CmBaseCrypt2 { encryption_code_options: options, ..CmBaseCrypt2::default() };
    let mut crypt = CmCrypt2 { base_crypt, ..CmCrypt2::default() };
    change(&mut crypt);
    Request::Crypt2 { handle, ctrl: crypt::AES_ENC_ECB, crypt, data: vec![0; 16].into() }
}

#[test]
fn options_of_a_crypt_call_are_checked() {
    let mut table = table();
    let (user, rich) = (table.seat(PLAIN, Mode::UserLimit), table.seat(TMR, Mode::UserLimit));
    let share = table.seat(PLAIN, Mode::StationShare);
    let free = table.seat(PLAIN, Mode::NoUserLimit);
    let service = table.other(ways::SUBSYSTEM, 0);
    let nothing = |_: &mut CmCrypt2| {};
    let mut verdict = |request: &Request| table.outcome(request);
    for (options, plain) in [
        (0, 0),
        (crypt::ATREQUIRED, 36),
        (crypt::ETREQUIRED, 34),
        (crypt::MPREQUIRED, 76),
        (crypt::UCREQUIRED, 31),
        (crypt::UCREQUIRED | 3, 31),
        (crypt::TOPLAINONLY, 40),
        (crypt::FACDECREMENT, 304),
        (crypt::CERTTIME, 39),
        (crypt::SAUSERLIMIT, 0),
        (crypt::SASTATIONSHARE, 69),
        (crypt::SAEXCLUSIVE, 69),
        (crypt::ATIGNORE | crypt::ETIGNORE | crypt::UCIGNORE, 0),
    ] {
        assert_eq!(verdict(&crypt2(user, options, nothing)), plain, "options {options:#x}");
        let base_crypt = CmBaseCrypt { encryption_code_options: options, ..CmBaseCrypt::default() };
        let crypt = CmCrypt { base_crypt, ..CmCrypt::default() };
        let data = vec![0; 16].into();
        let older = Request::Crypt { handle: user, ctrl: crypt::AES_ENC_CFB, crypt, data };
        assert_eq!(verdict(&older), plain, "CmCrypt, options {options:#x}");
    }
    let Request::Crypt2 { crypt, data, .. } = crypt2(user, crypt::TOPLAINONLY, nothing) else {
        panic!("made as one");
    };
    let back = Request::Crypt2 { handle: user, ctrl: crypt::AES_DEC_ECB, crypt, data };
    assert_eq!(verdict(&back), 0, "decryption is what it is for");
    assert_eq!(verdict(&crypt2(share, crypt::SASTATIONSHARE, nothing)), 0);
    assert_eq!(verdict(&crypt2(free, crypt::SAUSERLIMIT, nothing)), 69);
    assert_eq!(verdict(&crypt2(service, 0, nothing)), 115);

    // A counted licence, with times and features.
    let ignore = crypt::UCIGNORE;
    let required = crypt::ATREQUIRED | crypt::ETREQUIRED | crypt::MPREQUIRED;
    assert_eq!(verdict(&crypt2(rich, ignore | required, nothing)), 0);
    assert_eq!(verdict(&crypt2(rich, 78, nothing)), 33, "more units than there are");
    for (release, error) in [(1_709_999_999, 77), (1_710_000_000, 0), (1_720_000_001, 78)] {
        let request = crypt2(rich, ignore | required, |crypt| {
            crypt.base_crypt.release_date = CmTime::from_wall(Wall(release));
        });
        assert_eq!(verdict(&request), error, "release {release}");
    }
    for (handle, feature, error) in [(rich, 2, 0), (rich, 1, 30), (user, 1, 29)] {
        let request = crypt2(handle, ignore, |crypt| crypt.base_crypt.feature_code = feature);
        assert_eq!(verdict(&request), error, "feature {feature}");
    }
    let late = |table: &mut Table, wall, options| {
        table.now.wall = Wall(wall);
        table.outcome(&crypt2(rich, crypt::UCIGNORE | options, nothing))
    };
    assert_eq!(late(&mut table, 1_900_000_000, 0), 35);
    assert_eq!(late(&mut table, 1_900_000_000, crypt::ETIGNORE), 0);
    assert_eq!(late(&mut table, 1_600_000_000, 0), 37);
    assert_eq!(late(&mut table, 1_600_000_000, crypt::ATIGNORE), 0);
}

#[test]
fn units_are_taken_for_what_can_be_done_and_shown_as_left() {
    let mut table = table();
    let seat = table.seat(TMR, Mode::UserLimit);
    let takes = |request: &Request, table: &mut Table| match table.call(request) {
        (CallAction::Spend(entry, key), None) => {
            assert_eq!(key.product_code, TMR);
            table.state.apply(&entry);
            0
        }
        (CallAction::Done | CallAction::Refused(_), Some(reply)) => reply.status.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(takes(&crypt2(seat, 7, |_| {}), &mut table), 0);
    let auth = CmAuthenticate { encryption_code_options: 20, ..CmAuthenticate::default() };
    let sign = Request::CalculateSignature { handle: seat, auth, size: 64 };
    assert_eq!(takes(&sign, &mut table), 0);
    let entry: CmBoxEntry2 = table.one(seat, info::ENTRYINFO2);
    assert_eq!(entry.unit_counter, 50);
    assert_eq!(entry.usage_period_start_time, CmTime::from_wall(at(100).wall));
    assert_eq!(takes(&crypt2(seat, 51, |_| {}), &mut table), 33);

    // Nothing is taken for a call that must fail.
    let ecies = crypt2(seat, 7, |crypt| crypt.base_crypt.ctrl = crypt::ECIES);
    assert_eq!(takes(&ecies, &mut table), 304);
    let Request::Crypt2 { crypt, ctrl, .. } = crypt2(seat, 7, |_| {}) else { panic!("made so") };
    let short = Request::Crypt2 { handle: seat, ctrl, crypt, data: vec![0; 15].into() };
    assert_eq!(takes(&short, &mut table), 18);
    let base: CmPiEntryBase = table.info(seat, info::LISTALLPI).remove(0);
    assert_eq!(base.unit_counter, 50);
}

#[test]
fn signatures_go_to_the_licences_keys() {
    let mut table = table();
    let seat = table.seat(PLAIN, Mode::UserLimit);
    let service = table.other(ways::SUBSYSTEM, 0);
    let sign =
        |handle, auth: CmAuthenticate| Request::CalculateSignature { handle, auth, size: 64 };
    let with = |ctrl| CmAuthenticate { ctrl, ..CmAuthenticate::default() };
    let (made, _) = table.call(&sign(seat, with(auth::PISK)));
    assert!(matches!(made, CallAction::Perform(key) if key.product_code == PLAIN), "{made:?}");
    let mut verdict = |request: &Request| table.outcome(request);
    assert_eq!(verdict(&sign(seat, with(auth::PISK))), 0);
    assert_eq!(verdict(&sign(service, with(auth::PISK))), 115);
    assert_eq!(verdict(&sign(seat, with(auth::SERIALKEY))), 134);
    assert_eq!(verdict(&sign(seat, with(auth::BOXKEY))), 134);
    assert_eq!(verdict(&sign(seat, with(7))), 14);
    let extended = with(auth::EXTENDED);
    assert_eq!(verdict(&sign(seat, extended.clone())), 27);
    let extended = CmAuthenticate { firm_code: FIRM, ..extended };
    assert_eq!(verdict(&sign(seat, extended.clone())), 28);
    let extended = CmAuthenticate { product_code: PLAIN, ..extended };
    assert_eq!(verdict(&sign(seat, extended)), 0);
    let mut tied = with(auth::PISK);
    tied.box_info.box_mask = 131;
    tied.box_info.serial_number = SERIAL;
    assert_eq!(verdict(&sign(seat, tied.clone())), 0);
    tied.box_info.serial_number = 1000;
    assert_eq!(verdict(&sign(seat, tied.clone())), 201);
    let options = CmAuthenticate { encryption_code_options: crypt::UCREQUIRED, ..with(0) };
    assert_eq!(verdict(&sign(seat, options.clone())), 31);
    let key = |auth| Request::GetPublicKey { handle: seat, auth, size: 64 };
    assert_eq!(verdict(&key(options)), 0);
    assert_eq!(verdict(&key(tied)), 201);
}

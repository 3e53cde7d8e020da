//! Sizes of protocol facts 4, and where its fields land in the bytes.

use super::*;
use std::fmt::Debug;

/// Size, and every byte of a pattern that has no two equal neighbours survives.
fn whole<T: Layout + PartialEq + Debug + Default>(size: usize) {
    assert_eq!(T::SIZE, size);
    let bytes: Vec<u8> = (0..size).map(|at| (at * 7 + at / 256 + 1) as u8).collect();
    let (rest, value) = T::parse(&bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(value.to_bytes(), bytes);
    assert_eq!(T::default().to_bytes(), std::vec![0; size]);
    for short in 0..size {
        assert!(T::parse(&bytes[..short]).is_err());
    }
}

#[test]
fn every_structure_has_its_size_and_keeps_every_byte() {
    whole::<CmAccess>(176);
    whole::<CmAccess2>(704);
    whole::<CmAuthenticate>(200);
    whole::<CmBaseCrypt>(24);
    whole::<CmBaseCrypt2>(80);
    whole::<CmBorrowData>(256);
    whole::<CmBoxControl>(8);
    whole::<CmBoxEntry>(588);
    whole::<CmBoxEntry2>(1024);
    whole::<CmBoxInfo>(144);
    whole::<CmBoxSecurity>(16);
    whole::<CmBoxTime>(48);
    whole::<CmCommunication>(544);
    whole::<CmCreateItem>(168);
    whole::<CmCredential>(240);
    whole::<CmCrypt>(40);
    whole::<CmCrypt2>(144);
    whole::<CmCryptSim>(88);
    whole::<CmCryptSim2>(176);
    whole::<CmEnablingAppContext>(200);
    whole::<CmEntryData>(528);
    whole::<CmInternalEntryInfo>(16);
    whole::<CmLicenseInfo>(536);
    whole::<CmLtRequest>(256);
    whole::<CmLtTransfer>(264);
    whole::<CmMemInfo>(16);
    whole::<CmMemInfo2>(40);
    whole::<CmNamedUser>(192);
    whole::<CmNetInfoCluster>(56);
    whole::<CmNetInfoUser>(64);
    whole::<CmNetInfoUserExt>(352);
    whole::<CmPiEntryBase>(256);
    whole::<CmPioCk>(100);
    whole::<CmReserveFi>(24);
    whole::<CmSecureData>(48);
    whole::<CmSecurityVersion>(32);
    whole::<CmSerial>(8);
    whole::<CmSignedTime>(64);
    whole::<CmSystem>(280);
    whole::<CmSystemStatus>(80);
    whole::<CmTime>(16);
    whole::<CmUsagePeriod>(20);
    whole::<CmValidateDeleteFi>(32);
    whole::<CmVersion>(16);
}

/// Where a marked field begins.
fn at<T: Layout>(value: &T, mark: &[u8]) -> usize {
    value.to_bytes().windows(mark.len()).position(|bytes| bytes == mark).unwrap()
}

#[test]
fn fields_of_an_access_stand_where_captured_frames_have_them() {
    let mut old = CmAccess { process: 0x0102_0304, ..CmAccess::default() };
    assert_eq!(at(&old, &[4, 3, 2, 1]), 20);
    old = CmAccess { session: 0x0506, ..CmAccess::default() };
    assert_eq!(at(&old, &[6, 5]), 26);
    old = CmAccess::default();
    old.box_info.serial_number = 0x0102_0304;
    assert_eq!(at(&old, &[4, 3, 2, 1]), 36);

    // Offsets of 3.4 count the call number and flCtrl before the structure.
    let mut new = CmAccess2::default();
    new.borrow_data.client_name = "host".into();
    new.credential.username = "someone".into();
    new.credential.user_defined_text = "module".into();
    new.credential.domain_name = "domain".into();
    new.server_name = "server".into();
    new.credential.current_cm_instance_uid = 0x0102_0304;
    new.serial_number = 0x0a0b_0c0d;
    new.license_quantity = 0x1112_1314;
    new.cm_act_id = [0xa1, 0xa2, 0xa3, 0xa4];
    assert_eq!(at(&new, b"server") + 8, 56);
    assert_eq!(at(&new, b"host") + 8, 316);
    assert_eq!(at(&new, b"module") + 8, 504);
    assert_eq!(at(&new, b"someone") + 8, 632);
    assert_eq!(at(&new, b"domain") + 8, 692);
    assert_eq!(at(&new, &[4, 3, 2, 1]) + 8, 684);
    assert_eq!(at(&new, &[0x0d, 0x0c, 0x0b, 0x0a]) + 8, 44);
    assert_eq!(at(&new, &[0x14, 0x13, 0x12, 0x11]) + 8, 48);
    assert_eq!(at(&new, &[0xa1, 0xa2, 0xa3, 0xa4]), 192);
}

#[test]
fn fields_of_replies_stand_where_the_facts_have_them() {
    let entry = CmBoxEntry2 {
        license_tag: 0x0102_0304,
        license_quantity: 0x0506_0708,
        product_item_ref: 0x090a,
        ..CmBoxEntry2::default()
    };
    assert_eq!(at(&entry, &[4, 3, 2, 1]), 756);
    assert_eq!(at(&entry, &[8, 7, 6, 5]), 740);
    assert_eq!(at(&entry, &[0x0a, 9]), 820);
    let auth = CmAuthenticate { digest: [7; 32], ..CmAuthenticate::default() };
    assert_eq!(at(&auth, &[7; 32]), 168);
    let crypt = CmCrypt2 { direct_aes_key: [1; 16], init_key: [2; 16], ..CmCrypt2::default() };
    assert_eq!(at(&crypt, &[1; 16]), 80);
    assert_eq!(at(&crypt, &[2; 16]), 96);
    let usage = CmNetInfoUserExt { client_address: "::1".into(), ..CmNetInfoUserExt::default() };
    assert_eq!(at(&usage, b"::1"), 48);
    let server = CmCommunication { computer_name: "name".into(), ..CmCommunication::default() };
    assert_eq!(at(&server, b"name"), 288);
}

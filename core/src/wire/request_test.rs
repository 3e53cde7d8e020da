//! Calls that were not captured, and frames that are no calls. Captured ones: `tests/tests/wire.rs`.

use super::structs::{CmAccess2, CmCrypt2, Layout};
use super::{Buffer, Fault, Malformed, Request};
use std::boxed::Box;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

const HANDLE: u32 = 0x1234_5678;

fn buffer(length: u8) -> Buffer {
    Buffer { bytes: (0..length).collect(), trailer: 0xa1a2_a3a4 }
}

/// Every call whose layout is inferred, with its number and length.
fn inferred() -> Vec<(Request, u32, usize)> {
    let (handle, ctrl, size) = (HANDLE, 7, 64);
    vec![
        (
            Request::Crypt { handle, ctrl, crypt: Default::default(), data: buffer(32) },
            0x10,
            12 + 40 + 4 + 32 + 4,
        ),
        (
            Request::CryptSim { handle, ctrl, crypt: Default::default(), data: buffer(16) },
            0x11,
            104 + 16 + 4,
        ),
        (
            Request::CryptSim2 { handle, ctrl, crypt: Default::default(), data: buffer(16) },
            0x6a,
            12 + 176 + 4 + 16 + 4,
        ),
        (Request::GetBoxes { handle, port: 0, number: size }, 0x20, 16),
        (
            Request::GetBoxContents {
                handle,
                ctrl,
                firm_code: 10,
                box_info: Default::default(),
                number: 3,
            },
            0x1f,
            20 + 144,
        ),
        (Request::GetLicenseInfo { handle, number: 3 }, 0x24, 12),
        (
            Request::GetSecureData { handle, secure: Default::default(), tail: vec![0; 528] },
            0x14,
            8 + 48 + 528,
        ),
        (
            Request::ReserveFirmItem { handle, firm_code: 10, reserve: Default::default() },
            0x32,
            12 + 24,
        ),
        (Request::CreateProductItemOption { handle, ctrl, option: buffer(0) }, 0x33, 12 + 4 + 4),
        (
            Request::CreateSequence { handle, ctrl, item: Default::default(), sequence: buffer(9) },
            0x34,
            12 + 168 + 4 + 9 + 4,
        ),
        (Request::Program { handle, ctrl, arguments: vec![1; 5] }, 0x35, 17),
        (Request::EnablingWriteApplicationKey { handle, ctrl, key: buffer(3) }, 0x46, 23),
        (Request::EnablingGetApplicationContext { handle, context: Default::default() }, 0x47, 208),
        (Request::EnablingGetChallenge { handle, context: Default::default(), size }, 0x48, 212),
        (
            Request::EnablingSendResponse {
                handle,
                context: Default::default(),
                response: buffer(16),
            },
            0x49,
            208 + 24,
        ),
        (Request::SetCertifiedTimeUpdate { handle, arguments: vec![0; 3] }, 0x50, 11),
        (Request::CloudContainerControl { handle, arguments: vec![] }, 0x5e, 8),
        (
            Request::LtDoTransfer {
                handle,
                ctrl,
                transfer: Default::default(),
                size,
                context: buffer(2),
            },
            0x6e,
            12 + 264 + 4 + 10,
        ),
        (
            Request::LtCreateReceipt { handle, ctrl, request: Default::default(), size },
            0x70,
            12 + 256 + 4,
        ),
        (Request::LtConfirmTransfer { handle, ctrl, receipt: buffer(1) }, 0x71, 21),
    ]
}

#[test]
fn inferred_calls_survive() {
    for (request, number, length) in inferred() {
        let frame = request.encode();
        assert_eq!(frame[..4], number.to_le_bytes(), "{}", request.name());
        assert_eq!(frame[4..8], HANDLE.to_le_bytes(), "{}", request.name());
        assert_eq!(frame.len(), length, "{}", request.name());
        assert_eq!(Request::parse(&frame), Ok(request));
    }
}

#[test]
fn an_inferred_layout_that_does_not_fit_is_kept_as_it_is() {
    for (request, number, _) in inferred() {
        let mut frame = request.encode();
        for length in 4..frame.len() {
            let cut = Request::parse(&frame[..length]).unwrap();
            assert_eq!(cut.encode(), frame[..length]);
            assert_eq!(cut.number(), number);
            assert_eq!(cut.changes_container(), request.changes_container());
        }
        frame.push(0);
        assert_eq!(Request::parse(&frame).unwrap().encode(), frame);
    }
}

#[test]
fn other_numbers_are_kept_whole() {
    for number in [0, 5, 0x73, 0x1_0000, u32::MAX] {
        for bytes in [vec![], vec![1, 2, 3]] {
            let mut frame = number.to_le_bytes().to_vec();
            frame.extend_from_slice(&bytes);
            let request = Request::parse(&frame).unwrap();
            assert_eq!(request, Request::Unknown { number, bytes });
            assert_eq!(request.encode(), frame);
            assert_eq!((request.handle(), request.output_size()), (None, None));
        }
    }
}

#[test]
fn the_handle_can_be_replaced() {
    let known = [
        Request::Release { handle: HANDLE },
        Request::GetVersion { handle: HANDLE },
        Request::GetInfo { handle: HANDLE, ctrl: 1, size: 144 },
    ];
    for mut request in inferred().into_iter().map(|(request, ..)| request).chain(known) {
        assert_eq!(request.handle(), Some(HANDLE));
        let before = request.encode();
        request.set_handle(0x0a0b_0c0d);
        let after = request.encode();
        assert_eq!(request.handle(), Some(0x0a0b_0c0d));
        assert_eq!(after[4..8], 0x0a0b_0c0d_u32.to_le_bytes());
        assert_eq!((&after[..4], &after[8..]), (&before[..4], &before[8..]));
    }
    for mut none in [
        Request::GetServers { ctrl: 1, size: 2 },
        Request::Access { ctrl: 1, access: Default::default() },
        Request::Access2 { ctrl: 1, access: Box::default(), tail: vec![] },
    ] {
        let before = none.clone();
        none.set_handle(HANDLE);
        assert_eq!((none.handle(), &none), (None, &before));
    }
}

#[test]
fn what_changes_one_container_alone() {
    let changing: Vec<u32> = (0..=255)
        .filter(|number: &u32| {
            Request::Unknown { number: *number, bytes: vec![] }.changes_container()
        })
        .collect();
    let expected = [
        0x32, 0x33, 0x34, 0x35, 0x46, 0x47, 0x48, 0x49, 0x50, 0x5e, 0x6d, 0x6e, 0x6f, 0x70, 0x71,
        0x72, 0x73,
    ];
    assert_eq!(changing, expected);
    let validate = |ctrl| Request::ValidateEntry {
        handle: 1,
        ctrl,
        box_info: Default::default(),
        proof: Buffer::default(),
    };
    assert!(!validate(0).changes_container());
    assert!(!validate(1).changes_container());
    assert!(validate(2).changes_container());
    assert!(validate(0x102).changes_container());
}

#[test]
fn the_output_that_is_asked_for() {
    assert_eq!(Request::GetInfo { handle: 1, ctrl: 1, size: 144 }.output_size(), Some(144));
    assert_eq!(Request::GetServers { ctrl: 1, size: u32::MAX }.output_size(), Some(u32::MAX));
    assert_eq!(Request::Release { handle: 1 }.output_size(), None);
    let crypt = CmCrypt2::default();
    let crypt = Request::Crypt2 { handle: 1, ctrl: 0, crypt, data: buffer(40) };
    assert_eq!(crypt.output_size(), Some(40));
    assert_eq!(crypt.encode().len(), 204);
}

#[test]
fn a_bad_frame_says_what_is_wrong_and_where() {
    let malformed = |frame: &[u8]| Request::parse(frame).unwrap_err();
    assert_eq!(
        malformed(&[0x0b, 0]),
        Malformed { number: None, expected: "number", offset: 0, fault: Fault::Short }
    );
    assert_eq!(
        malformed(&[0x21, 0, 0, 0, 1, 0, 0, 0, 11, 0]),
        Malformed { number: Some(0x21), expected: "ctrl", offset: 8, fault: Fault::Short }
    );
    let mut long = Request::Release { handle: 1 }.encode();
    long.push(0);
    assert_eq!(
        malformed(&long),
        Malformed { number: Some(0x0b), expected: "handle", offset: 8, fault: Fault::Long }
    );
    assert_eq!(malformed(&long).to_string(), "call 0x0b: goes on at byte 8, after handle");
    // A length of almost 4 GiB in a frame of a few bytes.
    let mut huge = Request::LtImportUpdate { handle: 1, ctrl: 1, update: buffer(4) }.encode();
    huge[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        malformed(&huge),
        Malformed { number: Some(0x6f), expected: "update", offset: 12, fault: Fault::Size }
    );
}

#[test]
fn an_access_record_keeps_what_follows_it() {
    let mut access = CmAccess2 { firm_code: 6_000_010, ..CmAccess2::default() };
    access.credential.current_cm_instance_uid = 7;
    for length in [0, 1, 545, 568] {
        let tail: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let request = Request::Access2 { ctrl: 2, access: Box::new(access.clone()), tail };
        let frame = request.encode();
        assert_eq!(frame.len(), 8 + CmAccess2::SIZE + length);
        assert_eq!(Request::parse(&frame), Ok(request));
    }
}

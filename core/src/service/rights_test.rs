//! The rights of each kind of handle: every call, with every kind of handle.

use super::options_test::crypt2;
use super::service_test::{PLAIN, Table, table};
use crate::log::{Handle, Mode};
use crate::testing::FIRM;
use crate::wire::Request;
use crate::wire::constants::{access as ways, auth};
use crate::wire::structs::CmAuthenticate;
use std::format;
use std::vec;
use std::vec::Vec;

/// What a call requires of the handle that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// It names no handle.
    NoHandle,
    /// The handle has a holder.
    Held,
    /// The handle is of a licence: the keys of a product are used.
    Licence,
    /// No handle is enough: the call would change a container.
    Nobody,
}

/// Without a wildcard arm, so that a new call needs a decision here.
fn right(call: &Request) -> Right {
    match call {
        Request::Access { .. }
        | Request::Access2 { .. }
        | Request::GetServers { .. }
        | Request::GetVersion { handle: 0 }
        | Request::Unknown { .. } => Right::NoHandle,
        Request::Release { .. }
        | Request::GetVersion { .. }
        | Request::GetInfo { .. }
        | Request::GetBoxes { .. }
        | Request::GetBoxContents { .. }
        | Request::GetLicenseInfo { .. }
        | Request::GetSecureData { .. }
        | Request::ValidateEntry { .. }
        | Request::CryptSim { .. }
        | Request::CryptSim2 { .. } => Right::Held,
        Request::Crypt { .. }
        | Request::Crypt2 { .. }
        | Request::CalculateSignature { .. }
        | Request::GetPublicKey { .. } => Right::Licence,
        Request::ReserveFirmItem { .. }
        | Request::CreateProductItemOption { .. }
        | Request::CreateSequence { .. }
        | Request::Program { .. }
        | Request::EnablingWriteApplicationKey { .. }
        | Request::EnablingGetApplicationContext { .. }
        | Request::EnablingGetChallenge { .. }
        | Request::EnablingSendResponse { .. }
        | Request::SetCertifiedTimeUpdate { .. }
        | Request::CloudContainerControl { .. }
        | Request::LtCreateContext { .. }
        | Request::LtDoTransfer { .. }
        | Request::LtImportUpdate { .. }
        | Request::LtCreateReceipt { .. }
        | Request::LtConfirmTransfer { .. }
        | Request::LtCleanup { .. } => Right::Nobody,
    }
}

/// Returns one call of every kind: zeros after its number, as many as it takes.
fn calls() -> Vec<Request> {
    let one = |number: u32| {
        (0..4096).find_map(|length| {
            let frame = [number.to_le_bytes().to_vec(), vec![0; length]].concat();
            Request::parse(&frame).ok().filter(|call| !matches!(call, Request::Unknown { .. }))
        })
    };
    (0..0x100).filter_map(one).collect()
}

/// A function that takes a handle.
type Take = fn(&mut Table) -> u32;

/// How to get a handle of each kind, and whether it is a licence's.
const KINDS: [(Take, bool); 7] = [
    (|table| table.other(ways::SUBSYSTEM, 0), false),
    (|table| table.other(0, 0), false),
    (|table| table.other(ways::FIRMITEM, FIRM), false),
    (|table| table.seat(PLAIN, Mode::UserLimit), true),
    (|table| table.seat(PLAIN, Mode::NoUserLimit), true),
    (|table| table.seat(PLAIN, Mode::Exclusive), true),
    (|table| table.seat(PLAIN, Mode::StationShare), true),
];

#[test]
fn the_keys_of_a_product_need_a_handle_of_its_licence() {
    let calls = calls();
    assert_eq!(calls.len(), 33, "all but the unknown");
    for (take, of_licence) in KINDS {
        for mut call in calls.clone() {
            let mut table = table();
            let handle = take(&mut table);
            call.set_handle(handle);
            let status = table.outcome(&call);
            let what =
                format!("{} with a handle of {:?}", call.name(), table.state.seat(Handle(handle)));
            match right(&call) {
                Right::NoHandle => continue,
                Right::Nobody => {
                    assert_eq!(status, 134, "{what}");
                    continue;
                }
                Right::Held => assert_ne!(status, 106, "{what}"),
                Right::Licence if of_licence => assert!(![106, 115].contains(&status), "{what}"),
                Right::Licence => assert_eq!(status, 115, "{what}"),
            }
            call.set_handle(handle ^ 1 << 20);
            assert_eq!(table.outcome(&call), 106, "{what}, which nobody holds");
        }
    }
}

/// If every seat is taken and access without a seat is not allowed, the keys cannot be used.
#[test]
fn a_firm_item_is_no_way_around_the_seats() {
    let mut table = table();
    let seat = table.seat(PLAIN, Mode::UserLimit);
    let firm = table.other(ways::FIRMITEM, FIRM);
    let auth = CmAuthenticate { ctrl: auth::PISK, ..CmAuthenticate::default() };
    let sign = |handle| Request::CalculateSignature { handle, auth: auth.clone(), size: 64 };
    let key = |handle| Request::GetPublicKey { handle, auth: auth.clone(), size: 64 };
    for (handle, status) in [(seat, 0), (firm, 115)] {
        assert_eq!(table.outcome(&crypt2(handle, 0, |_| {})), status);
        assert_eq!(table.outcome(&sign(handle)), status);
        assert_eq!(table.outcome(&key(handle)), status);
    }
    // It is still a handle for what is shown of the firm item.
    assert_eq!(table.outcome(&Request::GetVersion { handle: firm }), 0);
}

//! Handles of every kind outlive the front that gave them.

use std::net::SocketAddr;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, TMR, give_back, licence_row, status_until, take,
};
use tmr_tests::independent_client::error::{
    EXCLUSIVE_MODE_CONFLICT, INVALID_HANDLE, WRONG_HANDLE_TYPE,
};
use tmr_tests::independent_client::{
    AccessRequest, Client, Crypt, INFO_VERSION, MODE_EXCLUSIVE, MODE_FIRM_ITEM, MODE_NO_USER_LIMIT,
    get_info,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(every_handle_answers_after_its_front_was_killed);

/// The status's name of each handle, and the access for it; the last one takes a seat.
fn kinds() -> [(&'static str, AccessRequest); 5] {
    let licence = || AccessRequest::new(FIRM_CODE, TMR);
    [
        ("subsystem", AccessRequest::subsystem()),
        ("container", AccessRequest::new(0, 0)),
        ("firm-item", AccessRequest::new(FIRM_CODE, 0).mode(MODE_FIRM_ITEM)),
        ("licence", licence().mode(MODE_NO_USER_LIMIT)),
        ("licence", licence()),
    ]
}

/// Waits until a front shows exactly these handles, each on the disks of two backends.
#[track_caller]
fn committed(admin: SocketAddr, handles: &[(&str, u32)]) {
    status_until(admin, "every handle to be on two disks", |status| {
        let rows = status["allocations"].as_array()?;
        let shown = |&(kind, handle): &(&str, u32)| {
            rows.iter().any(|row| {
                row["handle"] == handle
                    && row["kind"] == kind
                    && row["backends"].as_u64().is_some_and(|backends| backends >= 2)
            })
        };
        (rows.len() == handles.len() && handles.iter().all(shown)).then_some(())
    });
}

/// Returns the status of a CmGetInfo and of a CmCrypt2 with a handle.
#[track_caller]
fn calls(client: &mut Client, handle: u32) -> (u32, u32) {
    let info = client.call(&get_info(handle, INFO_VERSION, 16)).expect("an answer");
    let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(handle, &[7; 16]);
    let crypt = client.call(&crypt).expect("an answer");
    (info.status, crypt.status)
}

fn every_handle_answers_after_its_front_was_killed(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let mut client = cluster.client();
    let taken = kinds().map(|(kind, ask)| {
        let handle = take(&mut client, &ask).expect("the connection stays open");
        (kind, handle.expect(kind))
    });
    committed(cluster.fronts[0].admin(), &taken);
    let before = taken.map(|(_, handle)| calls(&mut client, handle));
    assert_eq!(before.map(|(info, _)| info), [0; 5]);
    let none = WRONG_HANDLE_TYPE;
    assert_eq!(before.map(|(_, crypt)| crypt), [none, none, none, 0, 0], "no seat, no keys");

    cluster.fronts[0].kill();
    cluster.activate(1);
    let admin = cluster.fronts[1].admin();
    committed(admin, &taken);
    let mut client = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    for ((kind, handle), before) in taken.into_iter().zip(before) {
        assert_eq!(calls(&mut client, handle), before, "{kind}");
    }
    status_until(admin, "one seat in use", |status| {
        (licence_row(status, TMR)?["used"] == 1).then_some(())
    });

    // The handle without a user limit that the other front granted is known here too.
    let (seat, free) = (taken[4].1, taken[3].1);
    assert_eq!(give_back(&mut client, seat).expect("an answer"), Ok(0));
    let alone = AccessRequest::new(FIRM_CODE, TMR).mode(MODE_EXCLUSIVE);
    assert_eq!(take(&mut client, &alone).expect("an answer"), Err(EXCLUSIVE_MODE_CONFLICT));
    assert_eq!(give_back(&mut client, free).expect("an answer"), Ok(0));
    let alone = take(&mut client, &alone).expect("an answer").expect("nobody else is there");
    assert!(taken.iter().all(|(_, handle)| *handle != alone), "a new number");
    for (kind, handle) in &taken[..3] {
        assert_eq!(give_back(&mut client, *handle).expect("an answer"), Ok(0), "{kind}");
    }
    for (kind, handle) in taken {
        assert_eq!(calls(&mut client, handle), (INVALID_HANDLE, INVALID_HANDLE), "{kind}");
    }
    committed(admin, &[("licence", alone)]);
}

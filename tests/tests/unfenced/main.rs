//! A front with three stock licence servers: the view of clients, the seats at the servers, and
//! both when a server goes, hangs, refuses, forgets or comes back. `twins` has two fronts.

mod set_up;
mod twins;

use serde_json::json;
use set_up::{
    ACCESS2, CRYPT2, PAIR, REFUSAL, SEATS, SetUp, UNITS, VIRTUAL, ask, back, crypt, licence,
    refused, seat, serial,
};
use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;
use tmr_tests::harness::{
    CM_ACT_ID, FIRM_CODE, ORDINARY, Runtime, TMR, give_back, licence_row, status_until, take, until,
};
use tmr_tests::independent_client::error::{
    COMMAND_NOT_SUPPORTED_BY_TMR, INVALID_HANDLE, NO_MORE_LICENSES, REDUNDANCY_SERVER_MISSING,
    WRONG_ACCESS_MODE,
};
use tmr_tests::independent_client::{
    AccessRequest, BoxInfo, Client, Crypt, INFO_BOX, MODE_NO_USER_LIMIT, Reply, Sign, box_contents,
    get_boxes, get_info, get_servers, get_version,
};
use tmr_tests::on_both_runtimes;
use tmr_tests::stock_server::{PlainServer, Trouble};

on_both_runtimes!(
    seats_are_counted_as_with_any_backend,
    two_seats_stay_two_over_three_servers,
    servers_without_a_cm_act_id_are_joined_by_their_serials,
    one_server_may_be_away_hang_or_refuse,
    without_two_servers_nothing_is_granted_and_nothing_is_left,
    a_server_that_forgets_or_restarts_is_given_its_seats_again,
    calls_are_spread_and_tried_elsewhere,
    a_lost_reply_ends_in_an_answer_and_no_seat_too_many,
    a_licence_that_changes_is_noticed,
    nothing_of_one_server_reaches_a_client,
    the_operator_is_told_that_no_seat_is_protected,
);

fn servers_without_a_cm_act_id_are_joined_by_their_serials(runtime: Runtime) {
    let serials = [2, 0, 1].map(serial);
    let set_up = SetUp::of(runtime, 0, &json!({ "Serials": serials, "Serial": VIRTUAL }));
    let mut client = set_up.client();
    let handles: Vec<u32> = (0..SEATS).map(|person| seat(&mut client, TMR, person)).collect();
    set_up.used_there(TMR, [SEATS; 3]);
    refused(&mut client, TMR, NO_MORE_LICENSES);
    back(&mut client, handles[2]);
    seat(&mut client, TMR, 6);
    assert_eq!(set_up.status()["containers"][0]["serial"], format!("131-{VIRTUAL}"));
    assert_eq!(set_up.status()["containers"][0]["cm_act_id"], 0);
}

fn seats_are_counted_as_with_any_backend(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let handles: Vec<u32> = (0..SEATS).map(|person| seat(&mut client, TMR, person)).collect();
    set_up.used_there(TMR, [SEATS; 3]);
    let hosts: BTreeSet<String> = set_up.servers[1].hosts().into_iter().collect();
    assert_eq!(hosts.len(), SEATS as usize, "each server is told who holds a seat: {hosts:?}");
    refused(&mut client, TMR, NO_MORE_LICENSES);
    refused(&mut client, ORDINARY, 200);
    back(&mut client, handles[2]);
    assert_eq!(give_back(&mut client, handles[2]).expect("open"), Err(INVALID_HANDLE));
    // The next access follows at once: no server receives it before the release.
    for round in 0..20 {
        let handle = seat(&mut client, TMR, 50 + round);
        refused(&mut client, TMR, NO_MORE_LICENSES);
        back(&mut client, handle);
    }
    set_up.used_there(TMR, [SEATS - 1; 3]);
    for handle in [0, 1, 3, 4] {
        back(&mut client, handles[handle]);
    }
    set_up.used_there(TMR, [0; 3]);
    assert_eq!(set_up.used(TMR), 0);
    assert!(set_up.servers.iter().all(|server| server.most() <= SEATS));
    // Two accesses with a station share use one seat, and a second exclusive access on the station
    // is refused.
    let ask = |mode| AccessRequest::new(FIRM_CODE, TMR).mode(mode);
    let share = |client: &mut Client| take(client, &ask(0x300)).expect("open").expect("a share");
    let shares = [share(&mut client), share(&mut client)];
    set_up.used_there(TMR, [1; 3]);
    shares.into_iter().for_each(|handle| back(&mut client, handle));
    let alone = take(&mut client, &ask(0x200)).expect("open").expect("alone");
    let second = take(&mut client, &ask(0x200)).expect("open");
    assert_eq!(second, Err(213), "one instance of a machine");
    back(&mut client, alone);
    set_up.used_there(TMR, [0; 3]);
}

fn two_seats_stay_two_over_three_servers(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    // Each of three clients could be served by two of the servers, but only two seats may be
    // granted.
    let mut held = Vec::new();
    let mut client = set_up.client();
    for away in 0..3 {
        set_up.servers[away].trouble(Trouble::Refuses(212));
        match take(&mut client, &ask(PAIR, 10)).expect("the connection stays open") {
            Ok(handle) => held.push(handle),
            Err(status) => assert_eq!(status, NO_MORE_LICENSES),
        }
        set_up.servers[away].trouble(Trouble::None);
    }
    assert_eq!(held.len(), 2, "two seats, and never three");
    let taken: u32 = set_up.servers.iter().map(|server| server.used(PAIR)).sum();
    assert!((4..=6).contains(&taken), "each on two servers at least: {taken}");
    assert!(set_up.servers.iter().all(|server| server.most() <= 2));
}

fn one_server_may_be_away_hang_or_refuse(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let first = seat(&mut client, TMR, 1);
    set_up.held(1);
    for index in 0..3 {
        let server = &set_up.servers[index];
        server.kill();
        let during = seat(&mut client, TMR, 2);
        assert_eq!(crypt(&mut client, during).status, 0);
        assert_eq!(crypt(&mut client, first).status, 0);
        set_up.down(index);
        let again = seat(&mut client, TMR, 3);
        back(&mut client, again);
        back(&mut client, during);
        server.restart();
        set_up.whole();
        set_up.used_there(TMR, [1; 3]);
        set_up.held(1);

        server.trouble(Trouble::Hangs);
        let during = seat(&mut client, TMR, 4);
        assert_eq!(crypt(&mut client, during).status, 0);
        set_up.down(index);
        assert_eq!(crypt(&mut client, first).status, 0);
        server.trouble(Trouble::None);
        set_up.whole();
        back(&mut client, during);
        set_up.used_there(TMR, [1; 3]);

        server.trouble(Trouble::Refuses(WRONG_ACCESS_MODE));
        let during = seat(&mut client, TMR, 5);
        back(&mut client, during);
        server.trouble(Trouble::None);
        set_up.used_there(TMR, [1; 3]);
        set_up.held(1);
    }
    back(&mut client, first);
    set_up.used_there(TMR, [0; 3]);
}

fn without_two_servers_nothing_is_granted_and_nothing_is_left(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    // The client gets the answer of two servers; the seat that the third one gave is released.
    for (status, index) in [(WRONG_ACCESS_MODE, 0), (NO_MORE_LICENSES, 1), (213, 2)] {
        let others = [(index + 1) % 3, (index + 2) % 3].map(|at| &set_up.servers[at]);
        others.iter().for_each(|server| server.trouble(Trouble::Refuses(status)));
        refused(&mut client, TMR, status);
        others.iter().for_each(|server| server.trouble(Trouble::None));
        set_up.used_there(TMR, [0; 3]);
    }
    // Two servers hang: the call ends within its limit, and no seat remains taken at the third.
    set_up.servers[0].trouble(Trouble::Hangs);
    set_up.servers[2].trouble(Trouble::Hangs);
    let start = Instant::now();
    let taken = take(&mut client, &ask(TMR, 1)).expect("an answer");
    assert!(taken.is_err_and(|status| status != NO_MORE_LICENSES && status != 0), "{taken:?}");
    assert!(start.elapsed() <= REFUSAL, "{:?}", start.elapsed());
    set_up.used_there(TMR, [0; 3]);
    set_up.servers[0].trouble(Trouble::None);
    set_up.servers[2].trouble(Trouble::None);
    set_up.whole();
    set_up.servers[0].kill();
    set_up.servers[1].kill();
    set_up.down(0);
    set_up.down(1);
    let mut client = set_up.client();
    let start = Instant::now();
    refused(&mut client, TMR, REDUNDANCY_SERVER_MISSING);
    assert!(start.elapsed() <= REFUSAL, "{:?}", start.elapsed());
    assert_eq!(set_up.servers[2].used(TMR), 0);
    set_up.servers[0].restart();
    set_up.servers[1].restart();
    set_up.whole();
    let mut client = set_up.client();
    let handle = seat(&mut client, TMR, 1);
    back(&mut client, handle);
    set_up.used_there(TMR, [0; 3]);
}

fn a_server_that_forgets_or_restarts_is_given_its_seats_again(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let handles: Vec<u32> = (0..4).map(|person| seat(&mut client, TMR, person)).collect();
    set_up.used_there(TMR, [4; 3]);
    set_up.held(4);
    for index in 0..3 {
        set_up.servers[index].kill();
        set_up.down(index);
        set_up.servers[index].restart();
        set_up.used_there(TMR, [4; 3]);
        set_up.held(4);
    }
    // A server forgets its seats and keeps running: calls with such a handle are served by another
    // server.
    set_up.servers[1].forget();
    until("each seat to be used at the server that has forgotten it", || {
        for &handle in &handles {
            assert_eq!(crypt(&mut client, handle).status, 0, "unseen by the client");
        }
        (set_up.servers[1].used(TMR) == 4).then_some(())
    });
    for handle in handles {
        back(&mut client, handle);
    }
    set_up.used_there(TMR, [0; 3]);
    assert!(set_up.servers.iter().all(|server| server.most() <= SEATS));
}

fn calls_are_spread_and_tried_elsewhere(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let handle = seat(&mut client, TMR, 1);
    let expected = crypt(&mut client, handle);
    assert_eq!((expected.status, expected.body.len()), (0, 32));
    set_up.used_there(TMR, [1; 3]);
    for _ in 0..60 {
        assert_eq!(crypt(&mut client, handle), expected, "equal on every server");
    }
    let done = [0, 1, 2].map(|at: usize| set_up.servers[at].calls(CRYPT2));
    assert!(done.iter().all(|&calls| calls >= 10), "spread over all three: {done:?}");
    // A handle that takes no licence.
    let free = take(&mut client, &ask(TMR, 2).mode(MODE_NO_USER_LIMIT)).expect("open");
    let free = free.expect("no licence is needed");
    assert_eq!(crypt(&mut client, free), expected);
    set_up.used_there(TMR, [1; 3]);
    for index in 0..3 {
        set_up.servers[index].cut();
        for _ in 0..6 {
            assert_eq!(crypt(&mut client, handle), expected, "another connection, or server");
            assert_eq!(crypt(&mut client, free), expected);
        }
        set_up.whole();
    }
    // No server can take units.
    let units = seat(&mut client, UNITS, 3);
    let taking = Crypt { options: 1, ..Crypt::firm_key(Crypt::ECB_ENCRYPT, 7) };
    let reply = client.call(&taking.request(units, &[5; 16])).expect("open");
    assert_eq!(reply.status, COMMAND_NOT_SUPPORTED_BY_TMR);
    assert_eq!(crypt(&mut client, units).status, 0, "a call that takes none is done");
    let row = licence_row(&set_up.status(), UNITS).expect("the licence is shown");
    assert_eq!(row["units_left"], 100);
}

fn a_lost_reply_ends_in_an_answer_and_no_seat_too_many(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    set_up.servers[0].trouble(Trouble::LosesReplies);
    let handles: Vec<u32> = (0..2).map(|person| seat(&mut client, TMR, person)).collect();
    set_up.used_there(TMR, [2; 3]);
    status_until(set_up.front.admin(), "two seats, each held at two servers", |status| {
        let seats = status["allocations"].as_array()?;
        (seats.len() == 2 && seats.iter().all(|seat| seat["backends"] == 2)).then_some(())
    });
    set_up.servers[0].trouble(Trouble::None);
    for &handle in &handles {
        assert_eq!(crypt(&mut client, handle).status, 0);
        back(&mut client, handle);
    }
    // A seat that was given in a lost reply stays taken at that server until its clean-up.
    set_up.used_there(TMR, [2, 0, 0]);
    let handles: Vec<u32> = (0..SEATS).map(|person| seat(&mut client, TMR, person)).collect();
    refused(&mut client, TMR, NO_MORE_LICENSES);
    set_up.used_there(TMR, [SEATS; 3]);
    handles.into_iter().for_each(|handle| back(&mut client, handle));
    set_up.used_there(TMR, [2, 0, 0]);
}

fn a_licence_that_changes_is_noticed(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    set_up.servers[2].replace(vec![licence(TMR, SEATS + 1)]);
    // The change is noticed at the next look, or, as here, when the server is found again.
    set_up.servers[2].kill();
    set_up.down(2);
    set_up.servers[2].restart();
    status_until(set_up.front.admin(), "the difference to be told", |status| {
        let row = licence_row(status, TMR)?;
        let differs = row["differs"].as_array()?.first()?;
        (row["matching"] == 2 && differs["field"] == "LicenseQuantity" && differs["value"] == "6")
            .then_some(())
    });
    let mut client = set_up.client();
    let handle = seat(&mut client, TMR, 1);
    set_up.used_there(TMR, [1, 1, 0]);
    back(&mut client, handle);
    set_up.used_there(TMR, [0; 3]);
}

fn nothing_of_one_server_reaches_a_client(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let mut replies: Vec<Reply> = Vec::new();
    let access = client.call(&ask(TMR, 1).access2()).expect("open");
    let handle = access.done().expect("a seat");
    replies.push(access);
    let sign = Sign { control: 5, extension: 0, digest: [1; 32] };
    let mut calls = vec![
        get_boxes(handle, 0, 4),
        box_contents(handle, 0, 0, 8),
        get_servers(0x10, 4096),
        get_version(handle),
        sign.signature(handle, 64),
        sign.public_key(handle, 64),
        Crypt::firm_key(Crypt::ECB_ENCRYPT, 1).request(handle, &[3; 16]),
    ];
    for selector in 0..=0x42 {
        calls.push(get_info(handle, selector, 8192));
    }
    for call in calls {
        replies.push(client.call(&call).expect("the connection stays open"));
    }
    let info = client.call(&get_info(handle, INFO_BOX, 144)).expect("open");
    let shown = BoxInfo::decode(&info).expect("container info");
    assert_eq!(shown, BoxInfo { mask: 131, serial: VIRTUAL });
    let given: BTreeSet<u32> = set_up.servers.iter().flat_map(PlainServer::handles).collect();
    assert!(given.len() > 9, "there is something to find: {given:?}");
    assert!(!given.contains(&handle));
    let secrets = given.into_iter().chain((0..3).map(serial));
    for secret in secrets {
        let bytes = secret.to_le_bytes();
        for reply in &replies {
            assert_ne!(reply.result, secret);
            let found = reply.body.windows(4).any(|window| window == bytes);
            assert!(!found, "{secret} in {reply:?}");
        }
    }
}

fn the_operator_is_told_that_no_seat_is_protected(runtime: Runtime) {
    let set_up = SetUp::start(runtime);
    let mut client = set_up.client();
    let _seat = seat(&mut client, TMR, 1);
    status_until(set_up.front.admin(), "a handle at each of three stock servers", |status| {
        let rows = status["backends"].as_array()?;
        let right = rows.iter().enumerate().all(|(index, row)| {
            row["state"] == "unfenced"
                && row["serial"] == format!("130-{}", serial(index))
                && row["handles"] == 1
        });
        (right && rows.len() == 3 && status["fenced"] == false).then_some(())
    });
    let accesses = set_up.servers[0].calls(ACCESS2);
    assert!(accesses >= 1);
    let program = set_up.workshop.program();
    let url = format!("http://{}", set_up.front.admin());
    let shown = program.run(["status", "--admin", &url]).expect(0);
    assert!(shown.out.contains("unfenced"), "{}", shown.out);
    assert!(shown.out.contains("no seat is protected against two leaders"), "{}", shown.out);

    // The same configuration with a misspelt key, with a wrong value, and without the virtual
    // container.
    let file = set_up.workshop.folder().join("tmrconf.json");
    let text = fs::read_to_string(&file).expect("the configuration");
    let name = file.to_str().expect("a plain name");
    program.run(["check-config", name]).expect(0);
    fs::write(&file, text.replace("\"Unfenced\"", "\"Unfence\"")).expect("a file");
    let end = program.run(["check-config", name]).expect(2);
    end.one_clear_error(&["Unfence", "did you mean \"Unfenced\"?"]);
    fs::write(&file, text.replace("\"Unfenced\":true", "\"Unfenced\":\"yes\"")).expect("a file");
    let end = program.run(["check-config", name]).expect(2);
    end.one_clear_error(&["CmServer.Unfenced", "expected true or false"]);
    let none = text.replace(&format!("{{\"CmActId\":{CM_ACT_ID},\"Serial\":{VIRTUAL}}}"), "");
    assert_ne!(none, text);
    fs::write(&file, none).expect("a file");
    let end = program.run(["check-config", name]).expect(2);
    end.one_clear_error(&["CmServer.Unfenced", "VirtualContainers"]);
}

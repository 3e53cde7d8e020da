//! What a client may rely on, checked by an independent client: one script, both runtimes and the
//! example of a third one, whose fronts and backends have sockets of their own.

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use std::net::SocketAddr;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, ORDINARY, ORDINARY_SEATS, Runtime, SEATS, TMR, get, give_back,
    status_until, take,
};
use tmr_tests::independent_client::error::{
    BUFFER_OVERFLOW, COMMAND_NOT_SUPPORTED_BY_TMR, ENTRY_NOT_FOUND, EXCLUSIVE_MODE_CONFLICT,
    INVALID_HANDLE, NO_MORE_LICENSES, REDUNDANCY_SERVER_MISSING, WRONG_HANDLE_TYPE,
};
use tmr_tests::independent_client::{
    AccessRequest, BoxInfo, Client, Crypt, Fault, INFO_BOX, INFO_COMMUNICATION, INFO_SYSTEM,
    INFO_TIME, INFO_VERSION, MODE_EXCLUSIVE, MODE_NO_USER_LIMIT, MODE_STATION_SHARE, NAMES_LIST,
    Person, Reply, get_info, get_servers, get_version, program, release, text, with_handle,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    seats_are_counted,
    modes_count_as_documented,
    wrong_requests_are_told_apart,
    information_is_well_formed,
    crypt_is_the_same_for_every_seat,
    a_handle_outlives_its_connection,
    backends_serve_only_ordinary_licences_directly,
    status_shows_who_holds_what,
);

/// Tests the example on mio.
mod mio {
    use super::Runtime;

    #[test]
    fn seats_are_counted() {
        super::seats_are_counted(Runtime::Mio);
    }
    #[test]
    fn modes_count_as_documented() {
        super::modes_count_as_documented(Runtime::Mio);
    }
    #[test]
    fn wrong_requests_are_told_apart() {
        super::wrong_requests_are_told_apart(Runtime::Mio);
    }
    #[test]
    fn information_is_well_formed() {
        super::information_is_well_formed(Runtime::Mio);
    }
    #[test]
    fn crypt_is_the_same_for_every_seat() {
        super::crypt_is_the_same_for_every_seat(Runtime::Mio);
    }
    #[test]
    fn a_handle_outlives_its_connection() {
        super::a_handle_outlives_its_connection(Runtime::Mio);
    }
    #[test]
    fn backends_serve_only_ordinary_licences_directly() {
        super::backends_serve_only_ordinary_licences_directly(Runtime::Mio);
    }
    #[test]
    fn status_shows_who_holds_what() {
        super::status_shows_who_holds_what(Runtime::Mio);
    }
}

#[track_caller]
fn call(client: &mut Client, request: &[u8]) -> Reply {
    client.call(request).expect("the connection stays open")
}

#[track_caller]
fn access(client: &mut Client, ask: &AccessRequest) -> Result<u32, u32> {
    take(client, ask).expect("the connection stays open")
}

#[track_caller]
fn give(client: &mut Client, handle: u32) -> Result<(), u32> {
    give_back(client, handle).expect("the connection stays open").map(|_| ())
}

fn tmr() -> AccessRequest {
    AccessRequest::new(FIRM_CODE, TMR)
}

/// Returns a person; each number has a station of its own.
fn person(number: u32) -> Person {
    Person { pid: 1000 + number, ..Person::new(&format!("ws-{number}"), "ada") }
}

fn seats_are_counted(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let mut handles = Vec::new();
    for number in 0..SEATS {
        // One access of each form: all three count on the same licence.
        let ask = tmr().by(person(number));
        let record = match number % 3 {
            0 => ask.access2(),
            1 => ask.access2_remote(),
            _ => ask.access(),
        };
        let handle = call(&mut client, &record).done().expect("a seat is free");
        assert!(handle != 0 && handle < 0x8000_0000, "handle {handle:#x} of seat {number}");
        assert!(!handles.contains(&handle), "handle {handle} was given twice");
        handles.push(handle);
    }
    assert_eq!(access(&mut client, &tmr()), Err(NO_MORE_LICENSES));
    let reply = call(&mut client, &tmr().access2_remote());
    assert_eq!((reply.status, reply.result), (NO_MORE_LICENSES, 0), "remote form");

    let freed = handles.swap_remove(2);
    assert_eq!(give(&mut client, freed), Ok(()));
    assert_eq!(give(&mut client, freed), Err(INVALID_HANDLE), "released twice");
    let again = access(&mut client, &tmr()).expect("a released seat can be taken again");
    assert_ne!(again, freed, "a handle number is never used again");
    assert_eq!(access(&mut client, &tmr()), Err(NO_MORE_LICENSES));
    handles.push(again);
    for handle in handles {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
    assert_eq!(cluster.used(TMR), 0);

    // One access may take several seats.
    let three = access(&mut client, &AccessRequest { quantity: 3, ..tmr() })
        .expect("three of five are free");
    assert_eq!(cluster.used(TMR), 3);
    let refused = access(&mut client, &AccessRequest { quantity: 3, ..tmr() });
    assert_eq!(refused, Err(NO_MORE_LICENSES), "three of two");
    assert_eq!(give(&mut client, three), Ok(()));
    assert_eq!(cluster.used(TMR), 0, "a release frees what the access took");
}

fn modes_count_as_documented(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let mut held = Vec::new();

    // No user limit: any number of accesses, and none is counted.
    for _ in 0..SEATS + 1 {
        let handle = access(&mut client, &tmr().mode(MODE_NO_USER_LIMIT));
        held.push(handle.expect("no user limit takes no seat"));
    }
    assert_eq!(cluster.used(TMR), 0);

    // Station share: one seat for each station, identified by host and session.
    let share = |host: &str, session| {
        let person = Person { session, ..Person::new(host, "ada") };
        tmr().mode(MODE_STATION_SHARE).by(person)
    };
    for (host, session, used) in
        [("ws-1", 1, 1), ("ws-1", 1, 1), ("ws-2", 1, 2), ("ws-2", 2, 3), ("ws-1", 1, 3)]
    {
        held.push(access(&mut client, &share(host, session)).expect("a seat is free"));
        assert_eq!(cluster.used(TMR), used, "after {host}, session {session}");
    }
    for handle in held.drain(..) {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
    assert_eq!(cluster.used(TMR), 0);

    // Exclusive: one access on each station, and other stations are not affected.
    let alone = |number| tmr().mode(MODE_EXCLUSIVE).by(person(number));
    held.push(access(&mut client, &alone(1)).expect("the first on its station"));
    assert_eq!(access(&mut client, &alone(1)), Err(EXCLUSIVE_MODE_CONFLICT));
    assert_eq!(access(&mut client, &tmr().by(person(1))), Err(EXCLUSIVE_MODE_CONFLICT));
    held.push(access(&mut client, &alone(2)).expect("another station"));
    assert_eq!(cluster.used(TMR), 2);
    for handle in held.drain(..) {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
    let plain = access(&mut client, &tmr().by(person(1))).expect("a seat is free");
    assert_eq!(access(&mut client, &alone(1)), Err(EXCLUSIVE_MODE_CONFLICT), "not alone");
    assert_eq!(give(&mut client, plain), Ok(()));
    assert_eq!(cluster.used(TMR), 0);
}

fn wrong_requests_are_told_apart(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    assert_eq!(access(&mut client, &AccessRequest::new(FIRM_CODE, 999)), Err(ENTRY_NOT_FOUND));
    assert_eq!(access(&mut client, &AccessRequest::new(FIRM_CODE + 1, TMR)), Err(ENTRY_NOT_FOUND));

    let seat = access(&mut client, &tmr()).expect("a seat is free");
    let unknown = seat ^ 0x4000_0000;
    assert_eq!(give(&mut client, unknown), Err(INVALID_HANDLE));
    assert_eq!(give(&mut client, 0), Err(INVALID_HANDLE));
    let reply = call(&mut client, &get_info(unknown, INFO_BOX, 144));
    assert_eq!(reply.status, INVALID_HANDLE, "info");
    let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 1);
    assert_eq!(
        call(&mut client, &crypt.request(unknown, &[0; 16])).status,
        INVALID_HANDLE,
        "crypt"
    );

    let service = access(&mut client, &AccessRequest::subsystem()).expect("the service itself");
    let reply = call(&mut client, &crypt.request(service, &[0; 16]));
    assert_eq!(reply.status, WRONG_HANDLE_TYPE, "crypt with the service's handle");

    // Programming, import of an update, and cloud calls would change one container only.
    for number in [0x35, 0x6f, 0x5e] {
        for handle in [seat, service] {
            let reply = call(&mut client, &program(number, handle, 64));
            assert_eq!(reply.status, COMMAND_NOT_SUPPORTED_BY_TMR, "call {number:#x}");
        }
    }

    // A call that the server does not support gets an error, and the connection stays.
    assert_ne!(call(&mut client, &with_handle(0x77, seat)).status, 0, "a call that nobody has");
    // A call number that only servers use, and truncated calls, get an error or the end of that
    // connection.
    let own = with_handle(0x0001_0005, seat);
    for record in
        [own, with_handle(u32::MAX, seat), vec![0x64, 0, 0, 0], tmr().access2()[..711].into()]
    {
        match cluster.client().call(&record) {
            Ok(reply) => assert_ne!(reply.status, 0, "{:02x?}", &record[..4]),
            Err(fault) => assert!(matches!(fault, Fault::Closed), "{:02x?}: {fault}", &record[..4]),
        }
    }
    assert_eq!(give(&mut client, service), Ok(()));
    assert_eq!(give(&mut client, seat), Ok(()));
    assert_eq!(cluster.used(TMR), 0);
}

fn information_is_well_formed(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    // The calls without a handle with which a protected program begins.
    let version = call(&mut client, &get_version(0)).done().expect("the server's version");
    assert!(version >> 24 >= 6, "a TMR server speaks 6.10 and up: {version:#x}");

    let seat = access(&mut client, &tmr()).expect("a seat is free");
    assert_eq!(call(&mut client, &get_version(seat)).done(), Ok(version));

    let reply = call(&mut client, &get_info(seat, INFO_BOX, 144));
    assert_eq!((reply.status, reply.result), (0, 144));
    let info = BoxInfo::decode(&reply).expect("a CMBOXINFO");
    assert_eq!(info, BoxInfo { mask: 131, serial: Cluster::SERIAL });

    // The buffer rule: a size of 0 gets the size that is needed, and one that is too small gets an
    // error.
    for (selector, size) in [
        (INFO_BOX, 144),
        (INFO_TIME, 48),
        (INFO_SYSTEM, 280),
        (INFO_VERSION, 16),
        (INFO_COMMUNICATION, 544),
    ] {
        let reply = call(&mut client, &get_info(seat, selector, size));
        assert_eq!((reply.status, reply.result), (0, size), "selector {selector:#x}");
        assert_eq!(reply.body.len(), size as usize, "selector {selector:#x}");
        let asked = call(&mut client, &get_info(seat, selector, 0));
        assert_eq!((asked.status, asked.result), (0, size), "size of selector {selector:#x}");
        assert_eq!(asked.body.len(), 0, "no buffer, no bytes");
        let small = call(&mut client, &get_info(seat, selector, size - 1));
        assert_eq!(small.status, BUFFER_OVERFLOW, "selector {selector:#x}, one byte short");
    }

    let service = access(&mut client, &AccessRequest::subsystem()).expect("the service itself");
    let system = call(&mut client, &get_info(service, INFO_SYSTEM, 280));
    assert_eq!(system.word(0) & 0x10000, 0x10000, "the platform is Linux");
    assert_ne!(text(&system.body[24..]), "", "the computer has a name");
    let numbers = call(&mut client, &get_info(service, INFO_VERSION, 16));
    assert_eq!(u32::from(numbers.half(0)), version >> 24, "major");
    assert_eq!(u32::from(numbers.half(2)), version >> 16 & 0xff, "minor");
    let times = call(&mut client, &get_info(seat, INFO_TIME, 48));
    let (year, seconds) = (times.half(32), times.word(32 + 12));
    assert!((2024..2100).contains(&year), "year {year} of the host's clock");
    let since_2000 =
        std::time::UNIX_EPOCH.elapsed().expect("the clock is set").as_secs() - 946_684_800;
    assert!(u64::from(seconds).abs_diff(since_2000) < 60, "{seconds} is not {since_2000}");
    let reach = call(&mut client, &get_info(seat, INFO_COMMUNICATION, 544));
    assert_eq!(reach.word(0) & 1, 1, "a network server");

    let reply = call(&mut client, &get_servers(NAMES_LIST, 4096));
    assert_eq!(reply.status, 0);
    assert_eq!(reply.word(0), 1, "one server");
    let names = &reply.body[4..4 + reply.result as usize];
    assert_ne!(text(names), "", "the server has a name");
    assert_eq!(names.last(), Some(&0), "the list ends with NUL");
    let asked = call(&mut client, &get_servers(NAMES_LIST, 0));
    assert_eq!((asked.status, asked.result), (0, reply.result));
    for handle in [seat, service] {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
}

fn crypt_is_the_same_for_every_seat(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let one = access(&mut client, &tmr()).expect("a seat is free");
    let other = access(&mut client, &tmr().by(person(2))).expect("a seat is free");
    let plain: Vec<u8> = (0..64).collect();
    let iv = *b"an initial value";
    check_crypt(&mut client, one, &plain);

    let crypt = |client: &mut Client, handle, crypt: &Crypt, data: &[u8]| -> Vec<u8> {
        let reply = call(client, &crypt.request(handle, data));
        assert_eq!(reply.status, 0, "{crypt:?}");
        reply.body
    };
    // The backends take turns: more rounds than there are backends.
    let code = Crypt { initial: iv, ..Crypt::firm_key(Crypt::CBC_ENCRYPT, 17) };
    let first = crypt(&mut client, one, &code, &plain);
    for round in 0..4 {
        assert_eq!(crypt(&mut client, other, &code, &plain), first, "round {round}");
    }
    let another = Crypt { code: 18, ..code };
    assert_ne!(crypt(&mut client, one, &another, &plain), first, "another encryption code");
    for handle in [one, other] {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
}

/// Encrypts and decrypts with the licence's key, and compares a key of the test's own with another
/// cipher.
#[track_caller]
fn check_crypt(client: &mut Client, handle: u32, plain: &[u8]) {
    let iv = *b"an initial value";
    let mut crypt = |crypt: &Crypt, data: &[u8]| -> Vec<u8> {
        let reply = client.call(&crypt.request(handle, data)).expect("the connection stays open");
        assert_eq!(reply.status, 0, "{crypt:?}");
        assert_eq!(reply.body.len(), data.len(), "{crypt:?}");
        reply.body
    };
    for (there, back) in
        [(Crypt::ECB_ENCRYPT, Crypt::ECB_DECRYPT), (Crypt::CBC_ENCRYPT, Crypt::CBC_DECRYPT)]
    {
        let with = |operation| Crypt { initial: iv, ..Crypt::firm_key(operation, 17) };
        let cipher = crypt(&with(there), plain);
        assert_ne!(cipher, plain);
        assert_eq!(crypt(&with(back), &cipher), plain, "operation {there} and back");
    }

    let key = *b"a key of our own";
    let aes = Aes128::new(&key.into());
    let ecb = crypt(&Crypt::direct(Crypt::ECB_ENCRYPT, key, [0; 16]), plain);
    let cbc = crypt(&Crypt::direct(Crypt::CBC_ENCRYPT, key, iv), plain);
    let (mut expected_ecb, mut expected_cbc, mut chain) = (Vec::new(), Vec::new(), iv);
    for block in plain.chunks_exact(16) {
        let mut alone: [u8; 16] = block.try_into().expect("16 bytes");
        let mut chained: [u8; 16] = std::array::from_fn(|at| alone[at] ^ chain[at]);
        aes.encrypt_block((&mut alone).into());
        aes.encrypt_block((&mut chained).into());
        chain = chained;
        expected_ecb.extend_from_slice(&alone);
        expected_cbc.extend_from_slice(&chained);
    }
    assert_eq!(ecb, expected_ecb, "ECB with a direct key");
    assert_eq!(cbc, expected_cbc, "CBC with a direct key");
    assert_eq!(crypt(&Crypt::direct(Crypt::ECB_DECRYPT, key, [0; 16]), &ecb), plain);
    assert_eq!(crypt(&Crypt::direct(Crypt::CBC_DECRYPT, key, iv), &cbc), plain);
}

fn a_handle_outlives_its_connection(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut first = cluster.client();
    let handle = access(&mut first, &tmr()).expect("a seat is free");
    drop(first);
    let mut second = cluster.client();
    let reply = call(&mut second, &get_info(handle, INFO_BOX, 144));
    assert_eq!(BoxInfo::decode(&reply).expect("a CMBOXINFO").mask, 131);
    assert_eq!(cluster.used(TMR), 1);
    // A handle can be used on two connections at once.
    let mut third = cluster.client();
    assert_eq!(call(&mut third, &get_info(handle, INFO_BOX, 144)).status, 0);
    assert_eq!(give(&mut third, handle), Ok(()));
    assert_eq!(call(&mut second, &release(handle)).status, INVALID_HANDLE);
    assert_eq!(cluster.used(TMR), 0);
}

fn backends_serve_only_ordinary_licences_directly(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    for backend in &cluster.backends {
        let mut client = connect(backend.licence());
        assert_eq!(access(&mut client, &tmr()), Err(REDUNDANCY_SERVER_MISSING));
        let reply = call(&mut client, &tmr().access2_remote());
        assert_eq!(reply.status, REDUNDANCY_SERVER_MISSING, "remote form");

        let ordinary = AccessRequest::new(FIRM_CODE, ORDINARY);
        let mut held = Vec::new();
        for number in 0..ORDINARY_SEATS {
            let handle = access(&mut client, &ordinary.clone().by(person(number)));
            held.push(handle.expect("each container has its own seats"));
        }
        assert_eq!(access(&mut client, &ordinary), Err(NO_MORE_LICENSES));
        let info = call(&mut client, &get_info(held[0], INFO_BOX, 144));
        assert_eq!(BoxInfo::decode(&info).expect("a CMBOXINFO").mask, 130, "its own container");
        check_crypt(&mut client, held[0], &[7; 32]);
        for handle in held {
            assert_eq!(give(&mut client, handle), Ok(()));
            assert_eq!(give(&mut client, handle), Err(INVALID_HANDLE));
        }
    }
    assert_eq!(cluster.used(TMR), 0);
}

#[track_caller]
fn connect(to: SocketAddr) -> Client {
    Client::connect(to).expect("the server takes a client")
}

fn status_shows_who_holds_what(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let admin = cluster.front().admin();
    for path in ["/healthz", "/readyz"] {
        let (code, body) = get(admin, path).expect("the admin side answers");
        assert_eq!(code, 200, "{path}: {body}");
    }
    assert_eq!(get(admin, "/nothing-here").expect("the admin side answers").0, 404);

    let mut client = cluster.client();
    let seat = access(&mut client, &tmr().by(Person::new("ws-7", "grace"))).expect("a seat");
    let share = tmr().mode(MODE_STATION_SHARE).by(Person::new("ws-8", "edsger"));
    let shared = access(&mut client, &share).expect("a seat");

    // The third backend may write a moment later than the two that confirmed the seats.
    let status = status_until(admin, "both seats on three backends", |status| {
        let rows = status["allocations"].as_array()?;
        rows.iter().all(|row| row["backends"] == 3).then(|| status.clone())
    });
    assert_eq!(status["runtime"], runtime.status_name());
    assert_eq!(status["role"], "active");
    assert_eq!(status["fenced"], true);
    assert!(status["epoch"].as_u64().is_some_and(|epoch| epoch > 0), "{status:#}");
    let row = cluster.licence(TMR);
    for (key, value) in
        [("quantity", SEATS), ("used", 2), ("free", SEATS - 2), ("matching", 3), ("tmr_id", 1)]
    {
        assert_eq!(row[key], value, "{key} of {row:#}");
    }
    assert_eq!(row["available"], true);
    assert_eq!(row["differs"].as_array().map(Vec::len), Some(0));

    let containers = status["containers"].as_array().expect("a list");
    let virtuals =
        containers.iter().find(|row| row["serial"] == format!("131-{}", Cluster::SERIAL));
    let parts = virtuals.expect("the virtual container")["parts"].as_array().expect("its parts");
    assert_eq!(parts.len(), 3);

    let allocations = status["allocations"].as_array().expect("a list");
    assert_eq!(allocations.len(), 2, "{status:#}");
    for (handle, mode, host, user) in
        [(seat, "user-limit", "ws-7", "grace"), (shared, "station-share", "ws-8", "edsger")]
    {
        let row = allocations.iter().find(|row| row["handle"] == handle).expect("its allocation");
        assert_eq!(row["firm_code"], FIRM_CODE);
        assert_eq!(row["product_code"], TMR);
        assert_eq!(row["mode"], mode);
        assert_eq!(row["host"], host);
        assert_eq!(row["user"], user);
        assert_eq!(row["backends"], 3);
        assert!(row["client"].as_str().is_some_and(|text| text.starts_with("127.")), "{row:#}");
        let since = row["since"].as_str().expect("a time");
        assert!(since.ends_with('Z') && since.contains('T'), "{since}");
    }
    for handle in [seat, shared] {
        assert_eq!(give(&mut client, handle), Ok(()));
    }
    assert_eq!(cluster.status()["allocations"].as_array().map(Vec::len), Some(0));
}

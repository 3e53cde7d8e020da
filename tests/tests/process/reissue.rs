//! Licence files are replaced under running backends, and containers without a CmActId are joined
//! by a list of serials.

use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use tmr_tests::harness::{
    BackendLine, Cluster, FIRM_CODE, Runtime, SEATS, Server, TMR, Workshop, get_json, give_back,
    is_whole, licence_row, signal, specification, status_until, take, until,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::independent_client::{
    AccessRequest, Client, Crypt, INFO_BOX, Person, get_boxes, get_info,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_quantity_is_raised_part_by_part,
    what_is_not_right_changes_nothing,
    a_part_with_other_keys_is_out,
    a_set_without_a_cm_act_id_stands_beside_one_with,
    an_ordinary_licence_follows_its_file,
    a_folder_of_licences_is_watched,
);

/// Product Code of the licence in containers without a CmActId, and its seats.
const BARE: u32 = 401;
const BARE_SEATS: u32 = 2;
/// The serial of the virtual container that these containers belong to.
const BARE_SERIAL: u32 = 77_000_001;

/// Takes one more seat. Returns its handle, or the error.
#[track_caller]
fn seat(client: &mut Client, product: u32, person: u32) -> Result<u32, u32> {
    let person = Person { pid: 1000 + person, ..Person::new("ws-1", "ada") };
    take(client, &AccessRequest::new(FIRM_CODE, product).by(person))
        .expect("the connection stays open")
}

#[track_caller]
fn give(client: &mut Client, handle: u32) {
    assert_eq!(give_back(client, handle).expect("the connection stays open"), Ok(0));
}

/// Waits until the row of a licence is as expected.
#[track_caller]
fn row_until(cluster: &Cluster, product: u32, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    status_until(cluster.front().admin(), what, |status| {
        licence_row(status, product).filter(|row| is(row))
    })
}

/// A client that encrypts with its seat and asks for information without pauses.
struct Busy {
    stop: Arc<AtomicBool>,
    work: JoinHandle<u64>,
}

impl Busy {
    fn start(mut client: Client, handle: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = thread::spawn(move || {
            let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(handle, &[7; 16]);
            let mut first = None;
            let mut calls = 0;
            while !stopped.load(Ordering::Relaxed) {
                let reply = client.call(&crypt).expect("an answer");
                assert_eq!(reply.status, 0, "after {calls} calls");
                assert_eq!(first.get_or_insert_with(|| reply.body.clone()), &reply.body);
                let reply = client.call(&get_info(handle, INFO_BOX, 144)).expect("an answer");
                assert_eq!(reply.status, 0, "after {calls} calls");
                calls += 1;
            }
            calls
        });
        Self { stop, work }
    }

    /// Ends the client. Returns the number of its calls.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.work.join().expect("every call was answered")
    }
}

fn a_quantity_is_raised_part_by_part(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let address = |cluster: &Cluster, index: usize| cluster.backends[index].licence().to_string();
    let mut client = cluster.client();
    let mut handles: Vec<u32> =
        (0..SEATS).map(|person| seat(&mut client, TMR, person).expect("it is free")).collect();
    assert_eq!(seat(&mut client, TMR, 5), Err(NO_MORE_LICENSES));
    let busy = Busy::start(cluster.client(), handles[0]);

    let six = specification(&[(TMR, SEATS + 1)]);
    cluster.workshop().reissue(&six, 2, "licences");
    let row = row_until(&cluster, TMR, "one part to be out", |row| row["matching"] == 2);
    assert_eq!((&row["quantity"], &row["available"]), (&json!(5), &json!(true)));
    let differs = json!([{ "backend": address(&cluster, 1), "field": "LicenseQuantity",
        "value": "6", "expected": "5" }]);
    assert_eq!(row["differs"], differs);
    assert_eq!(seat(&mut client, TMR, 5), Err(NO_MORE_LICENSES));

    cluster.workshop().reissue(&six, 3, "licences");
    let row = row_until(&cluster, TMR, "two parts to agree", |row| row["quantity"] == 6);
    assert_eq!((&row["matching"], &row["used"]), (&json!(2), &json!(5)));
    assert_eq!(row["differs"][0]["backend"], address(&cluster, 0));
    assert_eq!(
        (&row["differs"][0]["value"], &row["differs"][0]["expected"]),
        (&json!("5"), &json!("6"))
    );
    handles.push(seat(&mut client, TMR, 5).expect("the sixth seat"));

    cluster.workshop().reissue(&six, 1, "licences");
    row_until(&cluster, TMR, "all three to agree", |row| row["matching"] == 3);
    assert_eq!(seat(&mut client, TMR, 6), Err(NO_MORE_LICENSES));

    // The quantity is lowered: clients keep the seats that they hold.
    let two = specification(&[(TMR, 2)]);
    (1..=3).for_each(|part| cluster.workshop().reissue(&two, part, "licences"));
    row_until(&cluster, TMR, "the lower quantity", |row| {
        row["quantity"] == 2 && row["matching"] == 3
    });
    while handles.len() > 2 {
        assert_eq!(seat(&mut client, TMR, 9), Err(NO_MORE_LICENSES));
        give(&mut client, handles.pop().expect("one of six"));
    }
    assert_eq!(seat(&mut client, TMR, 9), Err(NO_MORE_LICENSES));
    give(&mut client, handles.pop().expect("one of two"));
    seat(&mut client, TMR, 9).expect("one of two is free");
    assert!(busy.end() > 10);
    assert!(cluster.backends.iter_mut().all(|backend| backend.runs()), "without a restart");
}

/// Returns the number of lines of a backend's log that contain all these words.
fn lines(cluster: &Cluster, index: usize, words: &[&str]) -> usize {
    let log = cluster.backends[index].log_text();
    log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

fn what_is_not_right_changes_nothing(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let (workshop, file) = (cluster.workshop(), cluster.workshop().licence(1));
    let good = fs::read(&file).expect("a licence was issued");
    let mut client = cluster.client();
    let held = seat(&mut client, TMR, 0).expect("it is free");
    let busy = Busy::start(cluster.client(), held);
    let text = String::from_utf8(good.clone()).expect("a licence is text");
    let altered = text.replace(": 5", ": 6").into_bytes();
    workshop.issue(&specification(&[(TMR, 9)]), "foreign", "foreign");
    let foreign = fs::read(workshop.licence_in("foreign", 1)).expect("a licence was issued");
    let fresh = workshop.folder().join("fresh");
    for (bytes, what) in [
        (&good[..good.len() / 2], "cut off"),
        (&altered[..], "altered"),
        (&foreign[..], "not trusted"),
        (&b"{"[..], "not a licence file"),
    ] {
        fs::write(&fresh, bytes).expect("a file can be written");
        fs::rename(&fresh, &file).expect("a file can be replaced");
        until("the log to say what is wrong", || {
            (lines(&cluster, 0, &["licences/1.cmlic", what, "stays in force"]) == 1).then_some(())
        });
        assert!(is_whole(&cluster.status()), "{what}");
    }
    fs::remove_file(&file).expect("it is there");
    until("the log to say that it is missing", || {
        (lines(&cluster, 0, &["licences/1.cmlic", "No such file"]) == 1).then_some(())
    });
    assert!(is_whole(&cluster.status()));

    // A wrong part that is replaced by a right one counts again. The file is written in place, and
    // only half of it for a while.
    let nine = specification(&[(TMR, 9)]);
    workshop.reissue(&nine, 1, "licences");
    row_until(&cluster, TMR, "the part to be out", |row| row["differs"][0]["value"] == "9");
    let half = good.len() / 2;
    let before = lines(&cluster, 0, &["cut off"]);
    fs::write(&file, &good[..half]).expect("a file can be written");
    until("the half of it to be refused", || {
        (lines(&cluster, 0, &["cut off"]) > before).then_some(())
    });
    assert_eq!(cluster.licence(TMR)["differs"][0]["value"], "9");
    let append = fs::File::options().append(true).open(&file);
    std::io::Write::write_all(&mut append.expect("it is there"), &good[half..])
        .expect("a file can be written");
    row_until(&cluster, TMR, "the part to be in again", |row| row["matching"] == 3);

    // SIGHUP ends no process, and its result is logged.
    signal("HUP", &[cluster.backends[0].pid()]);
    until("the log to say so", || (lines(&cluster, 0, &["SIGHUP"]) == 1).then_some(()));
    assert!(busy.end() > 10);
    give(&mut client, held);
}

/// The same licence from another issuer, which the backend is configured to trust: the other
/// backends cannot decrypt what it encrypts.
fn a_part_with_other_keys_is_out(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).licences(&[(TMR, SEATS)]).start();
    let workshop = cluster.workshop();
    workshop.issue(&specification(&[(TMR, SEATS)]), "foreign", "foreign");
    let foreign = workshop.folder().join("foreign");
    fs::copy(foreign.join("1.cmlic"), workshop.licence(1)).expect("a licence can be copied");
    fs::copy(foreign.join("issuer.pub"), workshop.issuer()).expect("a key can be copied");
    cluster.backends[0].kill();
    cluster.restart_backend(0);
    let row = row_until(&cluster, TMR, "the part to be out", |row| row["differs"] != json!([]));
    assert_eq!((&row["matching"], &row["available"]), (&json!(2), &json!(true)));
    let (differs, address) = (&row["differs"][0], cluster.backends[0].licence().to_string());
    assert_eq!((&differs["field"], &differs["backend"]), (&json!("Keys"), &json!(address)));
    let mut client = cluster.client();
    let held = seat(&mut client, TMR, 0).expect("two parts agree");
    give(&mut client, held);
}

fn bare(serials: [u32; 3]) -> Value {
    json!({
        "FirmCode": FIRM_CODE, "Serials": serials, "Products": [
            { "ProductCode": BARE, "LicenseQuantity": BARE_SEATS, "TmrId": 1 }]
    })
}

fn a_set_without_a_cm_act_id_stands_beside_one_with(runtime: Runtime) {
    let serials = [7_000_002, 7_000_003, 7_000_001];
    let mut cluster = Cluster::of(runtime)
        .second(bare(serials))
        .virtual_container(
            json!({ "Serials": [7_000_001, 7_000_002, 7_000_003], "Serial": BARE_SERIAL }),
        )
        .start();
    let status = cluster.status();
    let shown = |status: &Value| {
        let rows = status["containers"].as_array().expect("a list").clone();
        rows.into_iter().find(|row| row["serial"] == format!("131-{BARE_SERIAL}"))
    };
    let row = shown(&status).expect("the container by its list");
    assert_eq!(row["cm_act_id"], 0);
    assert_eq!(row["parts"], json!(["130-7000002", "130-7000003", "130-7000001"]));
    assert_eq!(
        (&status["strays"], status["licenses"].as_array().map(Vec::len)),
        (&json!([]), Some(2))
    );

    let mut client = cluster.client();
    let handles: Vec<u32> = (0..BARE_SEATS)
        .map(|person| seat(&mut client, BARE, person).expect("it is free"))
        .collect();
    assert_eq!(seat(&mut client, BARE, 8), Err(NO_MORE_LICENSES));
    let other: Vec<u32> =
        (0..SEATS).map(|person| seat(&mut client, TMR, person).expect("it is free")).collect();
    assert_eq!(seat(&mut client, TMR, 8), Err(NO_MORE_LICENSES));
    let boxes = client.call(&get_boxes(handles[0], 0, 9)).expect("an answer");
    assert_eq!((boxes.status, boxes.result), (0, 2), "two virtual containers");
    let info = client.call(&get_info(handles[0], INFO_BOX, 144)).expect("an answer");
    let serial = BARE_SERIAL.to_le_bytes();
    assert!(info.body.windows(4).any(|four| four == serial), "its serial is told");
    for id in [7_000_001_u32, 7_000_002, 7_000_003, 305_419_896] {
        assert!(!info.body.windows(4).any(|four| four == id.to_le_bytes()), "{id} is not");
    }

    let busy = Busy::start(cluster.client(), handles[0]);
    cluster.backends[1].kill();
    row_until(&cluster, BARE, "two parts", |row| row["matching"] == 2 && row["available"] == true);
    give(&mut client, handles[1]);
    let again = seat(&mut client, BARE, 1).expect("it is free again");
    assert_eq!(seat(&mut client, BARE, 8), Err(NO_MORE_LICENSES));
    cluster.restart_backend(1);
    cluster.wait_whole(0);

    // A container is replaced by one that no list names, and the status shows where that one is.
    cluster.workshop().reissue(&bare([7_000_002, 7_000_003, 7_000_009]), 3, Cluster::SECOND);
    let stray = status_until(cluster.front().admin(), "a stray container", |status| {
        status["strays"].get(0).cloned()
    });
    assert_eq!(stray["serial"], "130-7000009");
    assert_eq!(stray["backend"], cluster.backends[2].licence().to_string());
    let url = format!("http://{}", cluster.front().admin());
    let table = cluster.program().run(["status", "--admin", &url]).expect(0).out;
    assert!(table.contains("130-7000009") && table.contains("VirtualContainers"), "{table}");
    assert_eq!(cluster.licence(BARE)["matching"], 2);
    // A file of a container that is already loaded is refused.
    let second = cluster.workshop().licence_in(Cluster::SECOND, 3);
    fs::copy(cluster.workshop().licence(3), &second).expect("a file can be copied");
    until("the log to say so", || {
        (lines(&cluster, 2, &["second/3.cmlic", "same set", "licences/3.cmlic"]) > 0).then_some(())
    });
    assert_eq!(cluster.licence(TMR)["matching"], 3);
    cluster.workshop().reissue(&bare(serials), 3, Cluster::SECOND);
    cluster.wait_whole(0);
    assert!(busy.end() > 10);
    other.into_iter().chain([handles[0], again]).for_each(|handle| give(&mut client, handle));
}

fn an_ordinary_licence_follows_its_file(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let backend = cluster.backends[0].licence();
    let mut client = Client::connect(backend).expect("the backend takes a client");
    let product = tmr_tests::harness::ORDINARY;
    let seats = tmr_tests::harness::ORDINARY_SEATS;
    let handles: Vec<u32> =
        (0..seats).map(|person| seat(&mut client, product, person).expect("it is free")).collect();
    assert_eq!(seat(&mut client, product, 9), Err(NO_MORE_LICENSES));
    let with = |quantity: u32| {
        let mut made = specification(&[(TMR, SEATS)]);
        let products = made["Products"].as_array_mut().expect("a list");
        let last = products.last_mut().expect("the ordinary one");
        last["LicenseQuantity"] = quantity.into();
        made
    };
    cluster.workshop().reissue(&with(seats + 1), 1, "licences");
    let more = until("one seat more", || seat(&mut client, product, 9).ok());
    cluster.workshop().reissue(&with(1), 1, "licences");
    give(&mut client, more);
    until("fewer seats", || match seat(&mut client, product, 9) {
        Ok(handle) => {
            give(&mut client, handle);
            None
        }
        Err(status) => {
            assert_eq!(status, NO_MORE_LICENSES);
            Some(())
        }
    });
    for handle in handles {
        assert_eq!(seat(&mut client, product, 9), Err(NO_MORE_LICENSES));
        give(&mut client, handle);
    }
    seat(&mut client, product, 9).expect("the one seat");
    assert!(is_whole(&cluster.status()), "the TMR licence is as it was");
}

fn a_folder_of_licences_is_watched(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let folder = workshop.folder().join("mine");
    fs::create_dir(&folder).expect("a folder can be made");
    let mut line = BackendLine::of(&workshop, 1);
    line.licence.clone_from(&folder);
    line.admin = Some(std::net::SocketAddr::new(line.listen.ip(), 0));
    let start = || {
        Server::start("backend", workshop.folder(), workshop.program(), &line.arguments())
            .unwrap_or_else(|end| panic!("{end:?}"))
    };
    let held = |server: &Server| -> Vec<(String, Value)> {
        let status = get_json(server.admin(), "/api/status").expect("a status");
        let rows = status["containers"].as_array().expect("a list").clone();
        let row = |row: &Value| (row["serial"].to_string(), row["licenses"][0]["quantity"].clone());
        rows.iter().map(row).collect()
    };
    let server = start();
    assert_eq!(held(&server), [], "an empty folder is no error");
    let put = |from: std::path::PathBuf, name: &str| {
        fs::copy(from, folder.join(name)).expect("a file can be copied");
    };
    put(workshop.licence(1), "part.txt");
    put(workshop.licence(1), "part.cmlic");
    let first = until("the file to be taken", || held(&server).pop());
    assert_eq!((held(&server).len(), &first.1), (1, &json!(SEATS)));

    // A second set of licences is added, and a file that is not a licence.
    workshop.issue(&bare([7_000_001, 7_000_002, 7_000_003]), "issuer", "second");
    fs::write(folder.join("half.cmlic"), "{").expect("a file can be written");
    put(workshop.licence_in("second", 1), "second.cmlic");
    until("two containers", || (held(&server).len() == 2).then_some(()));
    until("the log to name the other", || {
        let log = server.log_text();
        log.lines().any(|it| it.contains("half.cmlic") && it.contains("left out")).then_some(())
    });

    // A renamed file is the same licence, also for later changes.
    fs::rename(folder.join("part.cmlic"), folder.join("renamed.cmlic")).expect("it is there");
    workshop.reissue(&specification(&[(TMR, SEATS + 1)]), 1, "licences");
    put(workshop.licence(1), "renamed.cmlic");
    let more = (first.0.clone(), json!(SEATS + 1));
    until("the new quantity", || held(&server).contains(&more).then_some(()));

    // The licences of a removed file stay in force until the next start, and the log says so.
    fs::remove_file(folder.join("second.cmlic")).expect("it is there");
    until("the log to say so", || {
        let log = server.log_text();
        let said = |it: &str| it.contains("second.cmlic") && it.contains("stays in force");
        log.lines().any(said).then_some(())
    });
    assert_eq!(held(&server).len(), 2);
    drop(server);
    fs::remove_file(folder.join("half.cmlic")).expect("it is there");
    assert_eq!(held(&start()), [more]);
}

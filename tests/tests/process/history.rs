//! The usage history of real fronts: no answered event is missing or recorded twice, whichever
//! front died; other programs can read the files; and a full disk costs no client a seat.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tmr_core::base::limits::REFUSALS_OF_ADDRESS;
use tmr_core::history::{Kind, Record};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, get_json, give_back, history_files, records, signal, status_until,
    take, until,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::independent_client::{AccessRequest, Client, Person};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_leader_that_is_killed_under_load_leaves_no_gap,
    a_disk_that_takes_nothing_costs_no_service,
    who_asks_in_vain_without_end_pushes_nobody_out_of_the_history,
);

/// A licence with more seats than the clients take, and one with a single seat.
const WIDE: (u32, u32) = (401, 500);
const NARROW: (u32, u32) = (402, 1);
const WORKERS: u32 = 4;
/// The number of accesses before the leader is killed.
const ACCESSES: usize = 200;

/// The answers to clients.
#[derive(Debug, Default)]
struct Told {
    granted: BTreeSet<u32>,
    released: BTreeSet<u32>,
}

/// Takes and releases seats until the connection ends.
fn work(server: SocketAddr, person: u32, told: &Mutex<Told>, count: &AtomicUsize) {
    let Ok(mut client) = Client::connect(server) else { return };
    let ask = AccessRequest::new(FIRM_CODE, WIDE.0).by(Person::new(&format!("ws-{person}"), "ada"));
    loop {
        let Ok(Ok(handle)) = take(&mut client, &ask) else { return };
        told.lock().expect("no worker panics").granted.insert(handle);
        let Ok(Ok(_)) = give_back(&mut client, handle) else { return };
        told.lock().expect("no worker panics").released.insert(handle);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn folder(cluster: &Cluster, front: usize) -> PathBuf {
    cluster.workshop().folder().join(format!("front-{front}/history"))
}

/// Returns the handles in records of these kinds, and checks that none occurs twice.
#[track_caller]
fn handles(records: &[Record], kinds: &[Kind]) -> BTreeSet<u32> {
    let of_kind = records.iter().filter(|record| kinds.contains(&record.kind));
    let all: Vec<u32> = of_kind.map(|record| record.handle).collect();
    let each: BTreeSet<u32> = all.iter().copied().collect();
    assert_eq!(each.len(), all.len(), "twice in {kinds:?}");
    each
}

fn report(cluster: &Cluster, arguments: &[&str]) -> Value {
    let folders = [folder(cluster, 0), folder(cluster, 1)].map(|it| it.display().to_string());
    let [one, other] = &folders;
    let base = ["report", "--history", one, "--history", other, "--format", "json"];
    let out = cluster.program().run(base.iter().chain(arguments)).expect(0).out;
    serde_json::from_str(&out).expect("one JSON value")
}

fn a_leader_that_is_killed_under_load_leaves_no_gap(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).licences(&[WIDE, NARROW]).twin().start();
    for front in &cluster.fronts {
        status_until(front.admin(), "twins in sync", |status| {
            (status["twin"]["synced"] == true).then_some(())
        });
    }
    // The leader reports this refusal to its twin.
    let mut client = cluster.client();
    let narrow = AccessRequest::new(FIRM_CODE, NARROW.0).by(Person::new("ws-9", "eve"));
    let seat = take(&mut client, &narrow).expect("an answer").expect("the one seat");
    assert_eq!(take(&mut client, &narrow).expect("an answer"), Err(NO_MORE_LICENSES));
    let denied = |record: &Record| record.kind == Kind::Denied;
    until("the refusal at both", || {
        (0..2).all(|front| records(&folder(&cluster, front)).iter().any(denied)).then_some(())
    });

    let (told, count) = (Mutex::<Told>::default(), AtomicUsize::new(0));
    let server = cluster.fronts[0].licence();
    thread::scope(|scope| {
        for person in 0..WORKERS {
            let (told, count) = (&told, &count);
            scope.spawn(move || work(server, person, told, count));
        }
        until("accesses", || (count.load(Ordering::Relaxed) >= ACCESSES).then_some(()));
        cluster.fronts[0].kill();
    });
    cluster.activate(1);
    cluster.restart_front(0);
    let mut told = told.into_inner().expect("no worker panics");
    let mut client = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    let last = take(&mut client, &AccessRequest::new(FIRM_CODE, WIDE.0))
        .expect("an answer")
        .expect("a seat");
    told.granted.insert(last);
    give_back(&mut client, seat).expect("an answer").expect("it was held");
    told.released.insert(seat);
    told.granted.insert(seat);

    // The killed front has caught up when it has the last of these records.
    let ended = |record: &Record| record.kind == Kind::Release && record.handle == seat;
    until("the last of it at both", || {
        (0..2).all(|front| records(&folder(&cluster, front)).iter().any(ended)).then_some(())
    });
    for front in 0..2 {
        let records = records(&folder(&cluster, front));
        let began = handles(&records, &[Kind::Access]);
        let ends = handles(&records, &[Kind::Release, Kind::Expire]);
        assert_eq!(told.granted.difference(&began).next(), None, "front {front}");
        assert_eq!(told.released.difference(&ends).next(), None, "front {front}");
        assert_eq!(ends.difference(&began).next(), None, "front {front}");
        let unknown = |record: &&Record| matches!(record.kind, Kind::Gap | Kind::Lost);
        assert_eq!(records.iter().find(unknown), None, "front {front}");
        assert_eq!(records.iter().filter(|record| denied(record)).count(), 1, "front {front}");
        let usage = get_json(cluster.fronts[front].admin(), "/api/usage?span=hour").expect("usage");
        let charts = usage["licenses"].as_array().expect("a list");
        assert_eq!(charts.len(), 2, "{usage:#}");
        assert!(charts[1]["denied"].as_array().expect("a list").contains(&1.into()), "{usage:#}");
    }
    let both = report(&cluster, &[]);
    assert_eq!((&both["gaps"], &both["lost"]), (&0.into(), &0.into()), "{both:#}");
    let began = handles(&records(&folder(&cluster, 1)), &[Kind::Access]).len();
    let accesses = |row: &Value| row["accesses"].as_u64().expect("a number");
    let rows = both["rows"].as_array().expect("rows");
    assert_eq!(rows.iter().map(accesses).sum::<u64>(), began as u64, "counted once");
    assert_eq!((&rows[1]["denied"], &rows[1]["peak_seats"]), (&1.into(), &1.into()), "{both:#}");
    let users = report(&cluster, &["--by", "user"]);
    let eve =
        users["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["user"] == "eve"));
    assert_eq!(eve.map(|row| (accesses(row), row["denied"].as_u64())), Some((1, Some(1))));

    // A process that gets SIGTERM writes its last lines.
    let last = take(&mut client, &narrow).expect("an answer").expect("the one seat");
    signal("TERM", &[cluster.fronts[1].pid()]);
    assert!(cluster.fronts[1].wait().success());
    assert!(handles(&records(&folder(&cluster, 1)), &[Kind::Access]).contains(&last));
    for front in 0..2 {
        let texts = history_files(&folder(&cluster, front), &format!("tracking-{FIRM_CODE}-"));
        assert!(!texts.is_empty(), "front {front}");
        let started = texts.iter().filter(|text| text.contains(" CodeMeter_started ")).count();
        assert_eq!(started, 1, "front {front}: of the set-up, not of a front");
        for text in &texts {
            let header = text.lines().next().expect("a header");
            assert!(header.contains(&format!(" TmrLogfile FirmCode:{FIRM_CODE}, ")), "{header}");
        }
        let all = texts.concat();
        let line = |part: &str| all.lines().filter(|line| line.contains(part)).count();
        assert_eq!(line(" Denial Server:"), 1, "front {front}");
        assert_eq!(line(" Access Server:"), began + usize::from(front == 1), "front {front}");
        assert!(line("PC:402, FM:0x0, ET:never, LQ:1") >= 1, "front {front}");
    }
}

fn a_disk_that_takes_nothing_costs_no_service(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    let file = cluster.workshop().folder().join("no-folder");
    fs::write(&file, "a file").expect("a file");
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |config| {
        config["LicenseTracking"] = serde_json::json!({ "Path": file.join("history") });
    });
    cluster.activate(0);
    cluster.wait_whole(0);
    let mut client = cluster.client();
    let ask = AccessRequest::new(FIRM_CODE, tmr_tests::harness::TMR);
    let handle = take(&mut client, &ask).expect("an answer").expect("a seat");
    until("a line about it", || {
        let log = cluster.front().log_text();
        (log.contains("usage history in") && log.contains("Not a directory")).then_some(())
    });
    give_back(&mut client, handle).expect("an answer").expect("it was held");
    let usage = get_json(cluster.front().admin(), "/api/usage").expect("usage");
    assert_eq!(usage["licenses"][0]["max_used"][23], 1, "{usage:#}");
}

fn who_asks_in_vain_without_end_pushes_nobody_out_of_the_history(runtime: Runtime) {
    let cluster = Cluster::of(runtime).licences(&[WIDE, NARROW]).start();
    let mut client = cluster.client();
    let narrow = AccessRequest::new(FIRM_CODE, NARROW.0).by(Person::new("ws-9", "ada"));
    let seat = take(&mut client, &narrow).expect("an answer").expect("the one seat");
    thread::scope(|scope| {
        for person in 0..WORKERS {
            let server = cluster.front().licence();
            scope.spawn(move || {
                let mut client = Client::connect(server).expect("it takes a client");
                for name in 0..FLOOD / WORKERS {
                    // Each access has another user name, so that it looks like another client.
                    let user = format!("eve-{person}-{name}");
                    let narrow = narrow_of(&user);
                    assert_eq!(
                        take(&mut client, &narrow).expect("an answer"),
                        Err(NO_MORE_LICENSES)
                    );
                }
            });
        }
    });
    give_back(&mut client, seat).expect("an answer").expect("it was held");
    let released = |record: &Record| record.kind == Kind::Release && record.handle == seat;
    let all = until("the release", || {
        let all = records(&folder(&cluster, 0));
        all.iter().any(released).then_some(all)
    });
    assert!(all.iter().any(|record| record.kind == Kind::Access && record.handle == seat));
    let refused: Vec<_> = all.iter().filter(|record| record.kind == Kind::Denied).collect();
    // An access at the end of a minute may make two records.
    assert!((1..=4 * REFUSALS_OF_ADDRESS).contains(&refused.len()), "{} lines", refused.len());
    let status = get_json(cluster.front().admin(), "/api/status").expect("a status");
    assert_eq!(status["role"], "active", "{status:#}");
    assert!(!cluster.front().log_text().contains("usage history: lines were lost"));
}

/// The number of refused accesses: as many as one address may make in ten seconds.
const FLOOD: u32 = 2_000;

fn narrow_of(user: &str) -> AccessRequest {
    AccessRequest::new(FIRM_CODE, NARROW.0).by(Person::new("ws-9", user))
}

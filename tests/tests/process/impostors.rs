//! Peers without the group key, also with recorded bytes of a peer that has it: they are rejected
//! without explanation, and do not flood the log.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Recorder, Runtime, Server, get_json, give_back, play, status_until, take,
    until,
};
use tmr_tests::independent_client::{AccessRequest, Client, KeyPair, envelope, read_body};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_twin_with_another_key_is_told_nothing,
    a_recorded_twin_is_told_nothing,
    a_front_with_another_key_is_told_nothing,
    a_front_of_another_version_is_told_which_one_is_spoken,
    a_recorded_front_is_told_nothing,
    a_backend_with_another_key_is_told_nothing,
);

/// A licence that is never short.
const WIDE: (u32, u32) = (401, 500);
/// The number of an impostor's attempts, within seconds.
const TRIES: usize = 5;
/// The first message of a twin, with its length.
const GREETING: usize = 50;
/// A front's hello to a backend (wire, section 5.1), and the offset of its proof.
const HELLO: (usize, usize) = (44, 12);
/// The bytes that any caller gets from a backend (wire, sections 1 and 2), and a refusal (1, 3).
const AGREEMENT: usize = 16 + 65;
const REFUSAL: usize = 16 + 32;

fn start(runtime: Runtime) -> Cluster {
    Cluster::of(runtime).licences(&[WIDE]).twin().start()
}

#[track_caller]
fn seats(cluster: &Cluster, count: usize) -> Vec<u32> {
    let mut client = cluster.client();
    let mut one = || take(&mut client, &AccessRequest::new(FIRM_CODE, WIDE.0));
    (0..count).map(|_| one().expect("an answer").expect("a seat is free")).collect()
}

/// Waits until the fronts are in sync and know the same handles. Returns what they and the backends
/// know about the group then.
#[track_caller]
fn knowledge(cluster: &Cluster) -> Vec<Value> {
    let handles = |front: &Server| {
        let rows = get_json(front.admin(), "/api/status").ok()?["allocations"].as_array()?.clone();
        Some(rows.iter().map(|row| row["handle"].clone()).collect::<Vec<Value>>())
    };
    until("both fronts to know the same handles", || {
        (handles(&cluster.fronts[0])? == handles(&cluster.fronts[1])?).then_some(())
    });
    let fronts = cluster.fronts.iter().map(|front| {
        status_until(front.admin(), "twins in sync", |status| {
            let synced = status["twin"]["synced"] == true && status["twin"]["trouble"].is_null();
            let rows = status["allocations"].as_array()?;
            let handles: Vec<&Value> = rows.iter().map(|row| &row["handle"]).collect();
            synced.then(|| json!([status["role"], status["epoch"], handles]))
        })
    });
    let fronts: Vec<Value> = fronts.collect();
    cluster.wait_whole(0);
    let backends = cluster.backends.iter().map(|backend| {
        status_until(backend.admin(), "everything to be committed", |status| {
            let (log, group) = (&status["log"], &status["group"]);
            let known = json!([status["promised_epoch"], group, log["last"], status["handles"]]);
            (group.is_string() && log["committed"] == log["last"]).then_some(known)
        })
    });
    fronts.into_iter().chain(backends).collect()
}

fn lines(server: &Server, what: &str) -> usize {
    server.log_text().lines().filter(|line| line.contains(what)).count()
}

fn twin_listener(cluster: &Cluster, front: usize) -> SocketAddr {
    let at = &cluster.configuration(front, 0, 0)["TmrServer"]["TwinListen"];
    let port = at["Port"].as_u64().and_then(|port| u16::try_from(port).ok());
    (cluster.workshop().ip(), port.expect("a port")).into()
}

/// Restarts the leading front with a changed configuration.
fn restart_leader(cluster: &mut Cluster, change: impl FnOnce(&mut Value)) {
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, change);
    cluster.activate(0);
    cluster.wait_whole(0);
}

fn a_twin_with_another_key_is_told_nothing(runtime: Runtime) {
    let cluster = start(runtime);
    seats(&cluster, 2);
    let before = knowledge(&cluster);
    // A greeting that is encrypted with another key, or with none, is indistinguishable from random
    // bytes.
    let mut greeting = vec![0x5a; GREETING];
    greeting[..2].copy_from_slice(&48_u16.to_le_bytes());
    for front in 0..2 {
        for _ in 0..TRIES {
            assert_eq!(play(&greeting, twin_listener(&cluster, front)), b"", "not a byte");
        }
        assert_eq!(lines(&cluster.fronts[front], "no handshake of a twin with this group key"), 1);
    }
    assert_eq!(knowledge(&cluster), before);
}

fn a_recorded_twin_is_told_nothing(runtime: Runtime) {
    let mut cluster = start(runtime);
    let standby = twin_listener(&cluster, 1);
    let recorder = Recorder::before(standby);
    let at = json!({ "Ip": recorder.address().ip(), "Port": recorder.address().port() });
    restart_leader(&mut cluster, |value| value["TmrServer"]["TwinServer"] = at);
    let held = seats(&cluster, 20);
    knowledge(&cluster);
    let said = recorder.longest(1000);
    let mut client = cluster.client();
    for handle in &held[..10] {
        assert_eq!(give_back(&mut client, *handle).expect("an answer"), Ok(0));
    }
    let before = knowledge(&cluster);
    for _ in 0..TRIES {
        // The answer is the second message of a handshake, for which the impostor has no key, and
        // an encrypted hello.
        let answer = play(&said, standby);
        assert!(answer.len() < 2 * GREETING + 48, "{} bytes", answer.len());
    }
    assert_eq!(knowledge(&cluster), before);
    assert_eq!(lines(&cluster.fronts[1], "changed, lost or repeated"), 1);
}

fn a_front_with_another_key_is_told_nothing(runtime: Runtime) {
    let mut cluster = start(runtime);
    seats(&cluster, 2);
    let before = knowledge(&cluster);
    let mut hello = [0x5a; HELLO.0];
    hello[..HELLO.1].copy_from_slice(&[0, 0, 1, 0, 1, 0, 0, 0, 9, 9, 9, 9]);
    for backend in &cluster.backends {
        for _ in 0..TRIES {
            let mut client = Client::connect(backend.licence()).expect("it takes a connection");
            let answer = client.call(&hello).expect("a refusal");
            assert_eq!(answer.status, 109, "the proof is wrong");
            let mut more = Vec::new();
            let _ = client.socket().read_to_end(&mut more);
            assert_eq!(more, b"", "and nothing else");
        }
        assert_eq!(lines(backend, "it has another group key"), 1);
    }
    assert_eq!(knowledge(&cluster), before);

    // A complete front with another key reports the problem, and learns nothing.
    let wrong = cluster.workshop().folder().join("wrong.key");
    cluster.program().run(["keygen".as_ref(), wrong.as_os_str()]).expect(0);
    cluster.fronts[1].kill();
    cluster.restart_front_with(1, |value| {
        value["TmrServer"]["GroupKeyFile"] = wrong.to_string_lossy().into();
    });
    let status = status_until(cluster.fronts[1].admin(), "a word about the key", |status| {
        let rows = status["backends"].as_array()?;
        let told = |row: &Value| {
            let trouble = row["trouble"].as_str();
            trouble.is_some_and(|trouble| trouble.contains("another group key"))
        };
        rows.iter().all(told).then(|| status.clone())
    });
    assert_eq!((&status["allocations"], &status["epoch"]), (&json!([]), &json!(0)));
    for backend in &cluster.backends {
        assert_eq!(lines(backend, "it has another group key"), 1);
    }
}

fn a_front_of_another_version_is_told_which_one_is_spoken(runtime: Runtime) {
    let cluster = start(runtime);
    // Version 2.7, whose hello has another length.
    let hello = [&[0, 0, 1, 0, 7, 0, 2, 0][..], &[0; 50]].concat();
    for hello in [hello, [&[0, 0, 1, 0, 0, 0, 9, 0][..], &[0; HELLO.0 - 8]].concat()] {
        let mut client =
            Client::connect(cluster.backends[0].licence()).expect("it takes a connection");
        // Status 125 and the version that is spoken here (wire, section 5.1).
        let answer = client.call(&hello).expect("a refusal");
        assert_eq!(answer.status, 125, "another version");
        let mut more = Vec::new();
        let _ = client.socket().read_to_end(&mut more);
        assert_eq!(more, b"", "and nothing else");
    }
    assert!(lines(&cluster.backends[0], "speaks version") <= 1, "not a line for each");
}

fn a_recorded_front_is_told_nothing(runtime: Runtime) {
    let mut cluster = start(runtime);
    let backend = cluster.backends[2].licence();
    let recorder = Recorder::before(backend);
    let at = json!({ "Ip": recorder.address().ip(), "Port": recorder.address().port() });
    restart_leader(&mut cluster, |value| value["CmServer"]["Server"][2] = at);
    let held = seats(&cluster, 20);
    let said = recorder.longest(1000);
    let mut client = cluster.client();
    for handle in &held[..10] {
        assert_eq!(give_back(&mut client, *handle).expect("an answer"), Ok(0));
    }
    let before = knowledge(&cluster);
    for _ in 0..TRIES {
        let answer = play(&said, backend);
        assert!(answer.len() <= AGREEMENT + REFUSAL, "{} bytes", answer.len());
    }
    assert_eq!(knowledge(&cluster), before);
    assert!(lines(&cluster.backends[2], " was refused") <= 1);
}

fn a_backend_with_another_key_is_told_nothing(runtime: Runtime) {
    let mut cluster = start(runtime);
    let impostor = TcpListener::bind((cluster.workshop().ip(), 0)).expect("a free port");
    let at = impostor.local_addr().expect("it is bound");
    let read = pretend(impostor);
    cluster.backends[2].kill();
    cluster.fronts[0].kill();
    let place = json!({ "Ip": at.ip(), "Port": at.port() });
    cluster.restart_front_with(0, |value| value["CmServer"]["Server"][2] = place);
    cluster.activate(0);
    let held = seats(&cluster, 20);
    for _ in 0..TRIES {
        let bytes = read.recv().expect("the front dials again and again");
        assert_eq!(bytes, b"", "not a byte after a proof that is none");
    }
    let row = cluster.status()["backends"][2].clone();
    assert_eq!(row["state"], "down");
    let trouble = row["trouble"].as_str().expect("a word about it");
    assert!(trouble.contains("did not prove the group key"), "{trouble}");
    let own = format!("backend {at} cannot be used");
    assert_eq!(lines(cluster.front(), &own), 1);
    let allocations = cluster.status()["allocations"].as_array().map(Vec::len);
    assert_eq!(allocations, Some(held.len()), "two of three are enough");
}

/// Runs a backend that does everything right except the proof. Collects what each front that dials
/// it sends after that.
fn pretend(listener: TcpListener) -> Receiver<Vec<u8>> {
    let (send, read) = mpsc::channel();
    let answer = |mut socket: TcpStream| -> Option<Vec<u8>> {
        let agreement = read_body(&mut socket).ok()?;
        let pair = KeyPair::fresh().ok()?;
        let key = pair.agree(agreement.get(2..)?).ok()?;
        let reply = [&[0; 8][..], &pair.point()].concat();
        socket.write_all(&envelope(&reply)).ok()?;
        let hello = read_body(&mut socket).ok()?;
        assert_eq!(key.open(hello.get(1..)?).ok()?.len(), HELLO.0);
        // Status 0, version 1.0, and a proof that is none.
        let mut welcome = [0x5a; 40];
        welcome[..8].copy_from_slice(&[0, 0, 0, 0, 0, 0, 1, 0]);
        socket.write_all(&envelope(&key.protect(&welcome))).ok()?;
        let mut more = Vec::new();
        let _ = socket.read_to_end(&mut more);
        Some(more)
    };
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            if let Some(more) = answer(socket) {
                if send.send(more).is_err() {
                    return;
                }
            }
        }
    });
    read
}

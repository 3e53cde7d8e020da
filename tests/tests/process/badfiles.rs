//! Damaged or wrong files: each gives one clear error that names the file, and exit code 2.

use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use tmr_tests::harness::{
    BackendLine, Cluster, FIRM_CODE, Finished, ORDINARY, Runtime, SEATS, Server, TMR, Workshop,
    give_back, specification, status_until, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    licence_files_are_checked,
    specifications_are_checked,
    configurations_are_checked,
    a_port_in_use_is_named,
    a_state_folder_belongs_to_one_group,
    a_journal_may_end_at_every_byte,
);

const WRONG_USE: i32 = 2;

fn workshop(runtime: Runtime) -> Workshop {
    Workshop::new(runtime, &specification(&[(TMR, SEATS)]))
}

fn name(path: &Path) -> &str {
    path.to_str().expect("the temporary folder has a plain name")
}

/// Starts a backend, and checks that it refuses to serve.
#[track_caller]
fn refused(workshop: &Workshop, line: &BackendLine, what: &str) -> Finished {
    let log = format!("refused-{}", what.replace(' ', "-"));
    match Server::start(&log, workshop.folder(), workshop.program(), &line.arguments()) {
        Ok(_) => panic!("the backend serves: {what}"),
        Err(finished) => finished,
    }
}

fn licence_files_are_checked(runtime: Runtime) {
    let workshop = workshop(runtime);
    let good = fs::read(workshop.licence(1)).expect("a licence was issued");
    let mut line = BackendLine::of(&workshop, 1);
    line.licence = workshop.folder().join("spoilt.cmlic");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&line.licence, bytes).expect("a licence can be written");
        let end = refused(&workshop, &line, what).expect(WRONG_USE);
        end.one_clear_error(&["spoilt.cmlic"]);
    };
    check(&[], "empty");
    for cut in [1, good.len() / 2, good.len() - 1] {
        check(&good[..cut], &format!("cut at {cut}"));
    }
    check(&[good.as_slice(), b"\n"].concat(), "a line too many");
    check(&[0xff; 5_000], "noise");
    let step = good.len() / 12;
    for at in (0..good.len()).step_by(step) {
        let mut altered = good.clone();
        altered[at] ^= 1;
        check(&altered, &format!("altered at {at}"));
    }
    // The file claims one more seat.
    let text = String::from_utf8(good.clone()).expect("a licence is text");
    let more = text.replace(&format!(": {SEATS}"), &format!(": {}", SEATS + 1));
    assert_ne!(more, text, "the quantity is in the file, to be altered");
    check(more.as_bytes(), "one more seat");

    // The file is well-formed, but another key has signed it.
    workshop.issue(&specification(&[(TMR, 500)]), "stranger", "foreign");
    line.licence = workshop.folder().join("foreign/1.cmlic");
    let end = refused(&workshop, &line, "foreign").expect(WRONG_USE);
    end.one_clear_error(&["foreign/1.cmlic"]);
    line.issuer = workshop.folder().join("foreign/issuer.pub");
    let server = Server::start("foreign", workshop.folder(), workshop.program(), &line.arguments());
    drop(server.expect("with its own issuer it serves"));

    // A backend that has run before serves without a missing file.
    line.state = workshop.folder().join("state-new");
    line.licence = workshop.folder().join("nowhere.cmlic");
    let end = refused(&workshop, &line, "missing").expect(WRONG_USE);
    end.one_clear_error(&["nowhere.cmlic"]);
}

fn specifications_are_checked(runtime: Runtime) {
    let workshop = workshop(runtime);
    let issue = |value: &str| {
        let file = workshop.folder().join("wrong.json");
        fs::write(&file, value).expect("a specification can be written");
        let (key, out) = (workshop.folder().join("issuer.key"), workshop.folder().join("wrong"));
        let arguments = [name(&file), "--key", name(&key), "--out", name(&out)];
        let end = workshop.program().run(["issue"].iter().chain(&arguments));
        assert!(!out.join("1.cmlic").exists(), "nothing is issued");
        let end = end.expect(WRONG_USE);
        end.one_clear_error(&["wrong.json"]);
        end
    };
    let mut value = specification(&[(TMR, SEATS)]);
    // An open backend must not stand in for another vendor's licences.
    value["FirmCode"] = json!(100_001);
    issue(&value.to_string()).one_clear_error(&["100001"]);
    value["FirmCode"] = json!(FIRM_CODE);
    value["Products"][0]["LicenceQuantity"] = json!(9);
    issue(&value.to_string()).one_clear_error(&["LicenceQuantity", "LicenseQuantity"]);
    issue("{");
}

/// The commands that must refuse a configuration: the check, and the start of a server.
#[track_caller]
fn refuses(workshop: &Workshop, text: &str, names: &[&str]) {
    let file = workshop.folder().join("tmrconf.json");
    fs::write(&file, text).expect("a configuration can be written");
    let names = [&[name(&file)], names].concat();
    let program = workshop.program();
    program.run(["check-config", name(&file)]).expect(WRONG_USE).one_clear_error(&names);
    let state = workshop.folder().join("front-state");
    let end = program.run(["serve", "--config", name(&file), "--state", name(&state)]);
    end.expect(WRONG_USE).one_clear_error(&names);
}

fn configurations_are_checked(runtime: Runtime) {
    let workshop = workshop(runtime);
    let (key, ip) = (workshop.group_key(), workshop.ip());
    let good = format!(
        r#"{{
  "TmrServer": {{
    "Ip": "{ip}", "Port": 22350, "TwinListen": {{ "Ip": "{ip}" }},
    "TwinServer": {{ "Ip": "127.0.0.1", "Port": 22354 }},
    "GroupKeyFile": "{}"
  }},
  "CmServer": {{
    "Server": [
      {{ "Ip": "127.0.0.1", "Port": 22361 }},
      {{ "Ip": "127.0.0.1", "Port": 22362 }},
      {{ "Ip": "127.0.0.1", "Port": 22363 }}
    ]
  }},
  "WebAdmin": {{ "Ip": "{ip}" }},
  "LicenseTracking": {{ "Path": "history" }}
}}
"#,
        key.display()
    );
    let file = workshop.folder().join("tmrconf.json");
    fs::write(&file, &good).expect("a configuration can be written");
    workshop.program().run(["check-config", name(&file)]).expect(0);
    workshop.program().run(["check-config", "--here", name(&file)]).expect(0);
    // The same form as serve and doctor accept.
    workshop.program().run(["check-config", "--here", "--config", name(&file)]).expect(0);
    let twice = workshop.program().run(["check-config", "--config", name(&file), name(&file)]);
    twice.expect(WRONG_USE);
    // Each of its ports is tested.
    for port in [22_350, 22_352, 22_354] {
        let in_use = TcpListener::bind((ip, port)).expect("nobody else has this address");
        workshop.program().run(["check-config", name(&file)]).expect(0);
        let end = workshop.program().run(["check-config", "--here", name(&file)]);
        let taken = format!("cannot listen on {ip}:{port}");
        end.expect(WRONG_USE).one_clear_error(&[&taken, "stop the other program"]);
        drop(in_use);
    }
    // The configuration may be for another machine, which has the key.
    let elsewhere = key.with_extension("elsewhere");
    fs::rename(&key, &elsewhere).expect("it is ours");
    let end = workshop.program().run(["check-config", name(&file)]).expect(0);
    let warned = format!("warning: on this machine it would not start: {}", name(&key));
    assert!(end.err.contains(&warned), "{}", end.err);
    let end = workshop.program().run(["check-config", "--here", name(&file)]);
    end.expect(WRONG_USE);
    fs::rename(&elsewhere, &key).expect("it is ours");

    let changed = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from} is there to be changed");
        text
    };
    let missing_comma = changed("22361 },", "22361 }");
    refuses(&workshop, &missing_comma, &["line 10", "column", "expected", ","]);
    let unknown = changed("TwinServer", "TwinServr");
    refuses(&workshop, &unknown, &["line 4", "TwinServr", "TwinServer"]);
    let third = ",\n      { \"Ip\": \"127.0.0.1\", \"Port\": 22363 }";
    let two = changed(third, "");
    refuses(&workshop, &two, &["CmServer.Server", "2"]);
    let four = changed(third, &third.repeat(2));
    refuses(&workshop, &four, &["CmServer.Server", "4"]);
    refuses(&workshop, &changed("22350", "223500"), &["line 3", "TmrServer.Port"]);
    refuses(&workshop, &changed("22350", "\"22350\""), &["line 3", "TmrServer.Port"]);
    refuses(&workshop, &good[..good.len() / 2], &["line", "expected"]);
    refuses(&workshop, "", &["line 1", "expected"]);

    let nowhere = workshop.folder().join("nowhere.json");
    let end = workshop.program().run(["check-config", name(&nowhere)]);
    end.expect(WRONG_USE).one_clear_error(&[name(&nowhere)]);
}

fn a_port_in_use_is_named(runtime: Runtime) {
    let workshop = workshop(runtime);
    let in_use = TcpListener::bind(SocketAddr::new(workshop.ip(), 0)).expect("a port is free");
    let taken = in_use.local_addr().expect("a listener has an address");
    let mut line = BackendLine::of(&workshop, 1);
    line.listen = taken;
    let end = refused(&workshop, &line, "port in use");
    assert!(matches!(end.code, Some(1 | 2)), "{end:?}");
    end.one_clear_error(&[&taken.to_string()]);
    drop(in_use);
    // A process that another test is just starting may hold a copy of the listener for a moment.
    let server = until("the port to be free again", || {
        Server::start("free", workshop.folder(), workshop.program(), &line.arguments()).ok()
    });
    assert_eq!(server.licence(), taken);
}

fn a_state_folder_belongs_to_one_group(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    cluster.backends[0].kill();
    let workshop = cluster.workshop();
    let other = workshop.folder().join("other.key");
    workshop.program().run(["keygen", name(&other)]).expect(0);
    let mut line = BackendLine::of(workshop, 1);
    line.group_key = other;
    let end = refused(workshop, &line, "another group").expect(WRONG_USE);
    end.one_clear_error(&[name(&line.state)]);
    // The folder was not changed: with the right key the backend starts again.
    cluster.restart_backend(0);
    cluster.wait_whole(0);
}

/// Returns the positions of cuts: every byte near the ends, and a few between. Core's tests of the
/// journal show, without processes, that a backend survives a cut at every byte.
fn cuts(length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..6).chain(length.saturating_sub(6)..=length).collect();
    cuts.extend((1..12).map(|part| length * part / 12));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn a_journal_may_end_at_every_byte(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let handles: Vec<u32> = (0..SEATS)
        .map(|_| {
            let answer = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR));
            answer.expect("the connection stays open").expect("a seat is free")
        })
        .collect();
    for handle in &handles[..2] {
        give_back(&mut client, *handle).expect("the connection stays open").expect("it is held");
    }
    drop(client);
    // An acknowledged seat is on only two disks, and one of the disks loses its last entries below.
    // So all three disks must have every seat first.
    status_until(cluster.fronts[0].admin(), "three disks with all of it", |status| {
        let held = status["allocations"].as_array()?.len();
        let rows = status["backends"].as_array()?;
        rows.iter().all(|row| row["handles"] == held).then_some(())
    });
    cluster.kill_everything();
    let journal = cluster.workshop().state(1).join("journal");
    let whole = fs::read(&journal).expect("a backend has a journal in its state folder");
    assert!(!whole.is_empty());

    let mut line = BackendLine::of(cluster.workshop(), 1);
    for cut in cuts(whole.len()) {
        line.state = cluster.workshop().folder().join(format!("cut-{cut}"));
        fs::create_dir(&line.state).expect("a folder can be made");
        fs::write(line.state.join("journal"), &whole[..cut]).expect("a journal can be written");
        let (folder, program) = (cluster.workshop().folder(), cluster.program());
        match Server::start(&format!("cut-{cut}"), folder, program, &line.arguments()) {
            Ok(server) => serves(&server),
            Err(end) => {
                let end = end.expect(WRONG_USE);
                end.one_clear_error(&[name(&line.state)]);
            }
        }
    }

    // A torn tail on one of three disks loses nothing.
    fs::write(&journal, &whole[..whole.len() - 1]).expect("a journal can be written");
    for index in 0..3 {
        cluster.restart_backend(index);
    }
    cluster.restart_front(0);
    cluster.activate(0);
    cluster.wait_whole(0);
    assert_eq!(cluster.used(TMR), u64::from(SEATS) - 2);
    let mut client = cluster.client();
    for handle in &handles[2..] {
        give_back(&mut client, *handle).expect("the connection stays open").expect("it is held");
    }
    assert_eq!(cluster.used(TMR), 0);
    let log = cluster.backends[0].log_text();
    assert!(log.contains("torn tail"), "a line about the torn tail: {log}");
}

/// Checks that a backend gives a seat of its ordinary licence.
#[track_caller]
fn serves(server: &Server) {
    let mut client = Client::connect(server.licence()).expect("it takes a client");
    let answer = take(&mut client, &AccessRequest::new(FIRM_CODE, ORDINARY)).expect("an answer");
    let handle = answer.expect("a seat is free");
    give_back(&mut client, handle).expect("an answer").expect("it is held");
}

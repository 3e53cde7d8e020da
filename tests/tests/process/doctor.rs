//! `tmrd doctor` on a healthy group, and on broken ones: it finds the problem, describes it, and
//! ends with exit code 1. Unit tests cover the single findings.

use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tmr_tests::harness::{Cluster, Finished, Runtime, SEATS, TMR, specification, status_until};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    what_is_broken_is_found,
    a_front_that_does_not_run_is_no_hindrance,
    a_front_that_is_stopped_is_one_problem,
    a_configuration_that_is_wrong_is_a_problem,
);

fn file(cluster: &Cluster, name: &str) -> PathBuf {
    cluster.workshop().folder().join(name)
}

fn run(cluster: &Cluster, more: &[&str]) -> Finished {
    let (config, state) = (file(cluster, "tmrconf-0.json"), file(cluster, "front-0"));
    let admin = format!("http://{}", cluster.front().admin());
    let (config, state) = (config.to_str().expect("plain"), state.to_str().expect("plain"));
    let line = ["doctor", "--config", config, "--state", state, "--admin", &admin];
    cluster.program().run(line.iter().chain(more))
}

/// Runs doctor. Returns the findings as JSON, and the exit code.
#[track_caller]
fn findings(cluster: &Cluster, code: i32) -> Vec<Value> {
    let done = run(cluster, &["--json"]).expect(code);
    let value: Value = serde_json::from_str(&done.out).expect("one JSON value");
    let list = value["findings"].as_array().expect("a list").clone();
    let count = |level: &str| list.iter().filter(|it| it["level"] == level).count();
    assert_eq!(value["problems"], count("problem"));
    assert_eq!(value["warnings"], count("warning"));
    assert_eq!(code, i32::from(count("problem") > 0));
    list
}

/// Checks that a finding of this level contains all these words.
#[track_caller]
fn has(list: &[Value], level: &str, words: &[&str]) {
    let fits = |it: &&Value| {
        let what = it["what"].as_str().unwrap_or_default();
        it["level"] == level && words.iter().all(|word| what.contains(word))
    };
    assert!(list.iter().any(|it| fits(&it)), "{level} {words:?} in {list:#?}");
}

fn what_is_broken_is_found(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    status_until(cluster.front().admin(), "twins in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
    let well = findings(&cluster, 0);
    for (topic, words) in [
        ("configuration", "takes this"),
        ("front", "it runs, active"),
        ("twin", "in sync"),
        ("twin", "proves the group key"),
        ("backends", "proves the group key"),
        ("licences", "1 of 1"),
        ("group key", "owner alone"),
        ("virtual address", "there is none"),
        ("open files", "files open"),
    ] {
        let there = |it: &Value| {
            let said = it["what"].as_str().is_some_and(|what| what.contains(words));
            it["topic"] == topic && it["level"] == "ok" && said
        };
        assert!(well.iter().any(there), "{topic}: {words} in {well:#?}");
    }
    // The output for people is a table with the same findings.
    let table = run(&cluster, &[]).expect(0).out;
    assert!(table.contains("ok       backends"), "{table}");

    let two = cluster.backends[1].licence().to_string();
    cluster.workshop().reissue(&specification(&[(TMR, SEATS + 1)]), 2, "licences");
    status_until(cluster.front().admin(), "the part to be out", |status| {
        (status["licenses"][0]["matching"] == 2).then_some(())
    });
    let list = findings(&cluster, 0);
    has(&list, "warning", &["LicenseQuantity is 6", &two, "the others have 5"]);

    let three = cluster.backends[2].licence().to_string();
    cluster.backends[2].kill();
    cluster.fronts[1].kill();
    status_until(cluster.front().admin(), "both to be missed", |status| {
        let down = status["backends"][2]["state"] == "down";
        (down && status["twin"]["connected"] == false).then_some(())
    });
    let group_key = cluster.workshop().group_key();
    fs::set_permissions(&group_key, Permissions::from_mode(0o644)).expect("it is ours");
    let list = findings(&cluster, 1);
    // The levels are those of the status: one missing backend is yellow, and a licence of one part
    // is red.
    has(&list, "warning", &[&three, "is down"]);
    has(&list, "problem", &["cannot be used", &two]);
    has(&list, "problem", &["others may read this key"]);
    has(&list, "warning", &["The other front", "is not connected"]);
    let said = run(&cluster, &[]).expect(1);
    assert!(said.err.contains("problems"), "{}", said.err);
    assert!(said.out.contains("-> chmod 600"), "{}", said.out);

    // Doctor is given another key, which the servers do not have.
    fs::remove_file(&group_key).expect("it is there");
    let list = findings(&cluster, 1);
    has(&list, "problem", &["group.key"]);
    cluster.program().run(["keygen".as_ref(), group_key.as_os_str()]).expect(0);
    let list = findings(&cluster, 1);
    has(&list, "problem", &[&two, "group key"]);
}

fn a_front_that_does_not_run_is_no_hindrance(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let config = file(&cluster, "tmrconf-0.json");
    let at = cluster.front().licence();
    let admin = cluster.front().admin();
    cluster.fronts[0].kill();
    let mut value = cluster.configuration(0, at.port(), admin.port());
    value["TmrServer"]["VirtualIp"] = "192.0.2.42".split(' ').collect();
    fs::write(&config, value.to_string()).expect("a configuration can be written");
    let _held = std::net::TcpListener::bind(at).expect("the front is gone");
    let list = findings(&cluster, 1);
    has(&list, "problem", &["does not run"]);
    has(&list, "problem", &[&at.to_string(), "used by another program"]);
    has(&list, "ok", &["proves the group key"]);
    has(&list, "ok", &["1 of 1"]);
    has(&list, "problem", &["192.0.2.42", "nobody answers"]);
}

fn a_front_that_is_stopped_is_one_problem(runtime: Runtime) {
    let cluster = Cluster::of(runtime).twin().start();
    cluster.fronts[0].freeze();
    let list = findings(&cluster, 1);
    has(&list, "problem", &["it is there and does not work", "did not answer"]);
    let wrong: Vec<&Value> = list.iter().filter(|it| it["level"] == "problem").collect();
    assert_eq!(wrong.len(), 1, "what follows from that is not told beside it: {wrong:#?}");
    cluster.fronts[0].resume();
}

fn a_configuration_that_is_wrong_is_a_problem(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    fs::write(file(&cluster, "tmrconf-0.json"), "{ \"TmrServer\": 5 }").expect("it can be written");
    let list = findings(&cluster, 1);
    has(&list, "problem", &["tmrconf-0.json", "line 1"]);
    has(&list, "ok", &["it runs, active"]);
}

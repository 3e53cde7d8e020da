//! A backend's licence file that becomes unusable while it runs: fronts report it, and a
//! restarted backend serves without its part.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use tmr_tests::harness::{Cluster, FIRM_CODE, Runtime, TMR, give_back, signal, status_until, take};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_licence_file_that_is_spoilt_under_a_backend_is_told_by_fronts_and_no_start_fails
);

const CODE: &str = "backend-file-unusable";

fn told<'a>(status: &'a Value, about: &str) -> Option<&'a Value> {
    let mut rows = status["verdict"].as_array()?.iter();
    rows.find(|row| row["code"] == CODE && row["about"] == about)
}

fn a_licence_file_that_is_spoilt_under_a_backend_is_told_by_fronts_and_no_start_fails(
    runtime: Runtime,
) {
    let mut cluster = Cluster::start(runtime);
    let admin = cluster.front().admin();
    let about = cluster.backends[0].licence().to_string();
    let file = cluster.workshop().licence(1);
    let good = fs::read(&file).unwrap();
    assert!(told(&cluster.status(), &about).is_none());
    fs::write(&file, "not a licence").unwrap();
    signal("HUP", &[cluster.backends[0].pid()]);
    let row = status_until(admin, "the front to tell", |it| told(it, &about).cloned());
    assert_eq!(row["severity"], "yellow");
    cluster.wait_whole(0);

    // The two other backends serve, and the disk of this backend is still one of three.
    cluster.backends[0].kill();
    cluster.restart_backend(0);
    status_until(admin, "it to be up, without its part", |it| {
        let up = it["backends"][0]["state"] == "up";
        (up && it["licenses"][0]["matching"] == 2 && told(it, &about).is_some()).then_some(())
    });
    let mut client = cluster.client();
    let seat = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    assert_eq!(give_back(&mut client, seat).unwrap(), Ok(0));

    // An empty folder of that name is no licence file either.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    cluster.backends[0].kill();
    cluster.restart_backend(0);
    let row = status_until(admin, "the folder to be told", |it| {
        let up = it["backends"][0]["state"] == "up";
        told(it, &about).filter(|_| up).cloned()
    });
    assert_eq!(row["severity"], "yellow");
    let own = cluster.workshop().state(1).join("admin.sock").display().to_string();
    let end = cluster.program().run(["status", "--admin", &own]);
    assert!(end.out.contains("it is a folder without licence files"), "{end:?}");

    fs::remove_dir(&file).unwrap();
    fs::write(&file, good).unwrap();
    cluster.wait_whole(0);
    status_until(admin, "nothing to tell", |it| told(it, &about).is_none().then_some(()));
}

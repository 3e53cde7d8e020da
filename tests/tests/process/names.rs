//! A client's names reach an operator's terminal and log as plain text only.

use tmr_tests::harness::{Cluster, FIRM_CODE, Runtime, TMR, take};
use tmr_tests::independent_client::{AccessRequest, Person};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(a_name_steers_no_terminal_and_forges_no_line);

const HOST: &str = "pc\u{1b}[2J\u{9b}31m";
const USER: &str = "eve\u{202e}\r\n2026-11-29 ERROR lost";

fn a_name_steers_no_terminal_and_forges_no_line(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let ask = AccessRequest::new(FIRM_CODE, TMR).by(Person::new(HOST, USER));
    let handle = take(&mut cluster.client(), &ask).expect("the connection stays open");
    handle.expect("a seat");

    let admin = cluster.fronts[0].admin();
    let url = format!("http://{admin}");
    let text = cluster.program().run(["status", "--admin", &url]).expect(0).out;
    let status = cluster.status();
    let json = status.to_string();
    let log = cluster.fronts[0].log_text();
    for shown in [&text, &json, &log] {
        for steers in ['\u{1b}', '\u{9b}', '\u{202e}', '\r'] {
            assert!(!shown.contains(steers), "{steers:?} in {shown}");
        }
        let forged = shown.lines().any(|line| line.trim_start().starts_with("2026-11-29 ERROR"));
        assert!(!forged, "{shown}");
    }
    let row = &status["allocations"][0];
    assert_eq!(row["host"], "pc\\u{1b}[2J\\u{9b}31m");
    assert!(text.contains("pc\\u{1b}[2J"), "{text}");
}

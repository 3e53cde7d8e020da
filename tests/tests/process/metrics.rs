//! The metrics. Every fault shows in them, and metrics and alert rules have the form that promtool
//! requires.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, SEATS, TMR, get, get_with, give_back, missing, take, until,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(every_fault_is_seen_in_a_scrape, both_formats_are_what_readers_expect);

/// Runs promtool with this on standard input. Returns `None` if it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        assert!(missing(false, "promtool (package prometheus)"));
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends");
    let said = [out.stdout, out.stderr].concat();
    Some((out.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Returns every value of a scrape, by name and labels, and checks that promtool accepts it.
fn scrape(at: SocketAddr) -> Option<BTreeMap<String, f64>> {
    let (code, text) = get(at, "/metrics").ok()?;
    assert_eq!(code, 200);
    if let Some((well, said)) = promtool(&["check", "metrics"], &text) {
        assert!(well && said.is_empty(), "{said}");
    }
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    Some(lines.map(value).collect())
}

fn scraped(at: SocketAddr, what: &str, is: impl Fn(&BTreeMap<String, f64>) -> bool) {
    until(what, || scrape(at).filter(|values| is(values)).map(|_| ()));
}

fn licence(name: &str) -> String {
    format!(
        "tmrd_licence_{name}{{firm_code=\"{FIRM_CODE}\",product_code=\"{TMR}\",tmr_id=\"1\",\
         container=\"131-{}\"}}",
        Cluster::SERIAL
    )
}

fn every_fault_is_seen_in_a_scrape(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let fronts = [cluster.fronts[0].admin(), cluster.fronts[1].admin()];
    let (role, grants) = ("tmrd_role{role=\"active\"}", "tmrd_grants_total");
    let is = |values: &BTreeMap<String, f64>, name: &str, value: f64| values[name] == value;
    for (at, leads) in fronts.into_iter().zip([1.0, 0.0]) {
        scraped(at, "a group that is well", |values| {
            is(values, "tmrd_backends_up", 3.0)
                && is(values, "tmrd_twin_synced", 1.0)
                && is(values, "tmrd_ready", 1.0)
                && is(values, role, leads)
                && is(values, &licence("seats"), f64::from(SEATS))
                && is(values, &licence("parts"), 3.0)
        });
    }

    // The number of seats, and the refused accesses.
    let mut client = cluster.client();
    let ask = |pid: u32| {
        let mut ask = AccessRequest::new(FIRM_CODE, TMR);
        ask.person.pid = pid;
        ask
    };
    let mut handles: Vec<u32> = (0..SEATS)
        .map(|pid| take(&mut client, &ask(pid)).expect("a reply").expect("a free seat"))
        .collect();
    assert_eq!(take(&mut client, &ask(99)).expect("a reply"), Err(NO_MORE_LICENSES));
    let handle = handles.pop().expect("one of five");
    assert_eq!(give_back(&mut client, handle).expect("a reply"), Ok(0));
    let values = scrape(fronts[0]).expect("a scrape");
    assert_eq!(values[grants], f64::from(SEATS));
    assert_eq!(values["tmrd_releases_total"], 1.0);
    assert_eq!(values["tmrd_denials_total{reason=\"no-more-licenses\"}"], 1.0);
    assert_eq!(values["tmrd_calls_total{kind=\"quorum\",result=\"no-error\"}"], 6.0);
    assert_eq!(values["tmrd_call_duration_seconds_count{kind=\"quorum\"}"], 6.0);
    assert!(values["tmrd_call_duration_seconds_sum{kind=\"quorum\"}"] > 0.0);
    assert_eq!(values[&licence("used_seats")], f64::from(SEATS - 1));
    assert_eq!(values["tmrd_handles{mode=\"user-limit\"}"], f64::from(SEATS - 1));
    assert_eq!(values["tmrd_links{door=\"licence\"}"], 1.0);
    assert!(values["process_max_fds"] > 100.0);

    // The metrics of a backend.
    let backend = scrape(cluster.backends[2].admin()).expect("a scrape");
    assert!(backend["tmrd_journal_write_seconds_count"] > 0.0);
    assert!(backend["tmrd_journal_bytes"] > 0.0);
    assert_eq!(backend["tmrd_role{role=\"backend\"}"], 1.0);
    assert_eq!(backend["tmrd_fronts_connected"], 2.0);
    let lost = cluster.backends[2].licence();
    cluster.backends[2].kill();
    assert_eq!(scrape(cluster.backends[2].admin()), None, "a target that is down");
    for at in fronts {
        scraped(at, "a backend that is down", |values| {
            is(values, "tmrd_backends_up", 2.0)
                && is(
                    values,
                    &format!("tmrd_backend_state{{backend=\"{lost}\",state=\"down\"}}"),
                    1.0,
                )
                && is(values, &licence("parts"), 2.0)
                && is(values, &licence("available"), 1.0)
        });
    }
    cluster.backends[1].kill();
    scraped(fronts[0], "no quorum", |values| {
        is(values, "tmrd_backends_up", 1.0)
            && is(values, "tmrd_ready", 0.0)
            && is(values, role, 0.0)
            && is(values, &licence("available"), 0.0)
    });
    cluster.restart_backend(1);
    cluster.restart_backend(2);
    cluster.wait_whole(0);

    // A frozen twin: both links to it end.
    cluster.fronts[1].freeze();
    scraped(fronts[0], "a twin that is cut off", |values| {
        is(values, "tmrd_twin_synced", 0.0) || is(values, "tmrd_twin_connected", 0.0)
    });
    cluster.fronts[1].resume();
    for at in fronts {
        scraped(at, "a twin that is back", |values| is(values, "tmrd_twin_synced", 1.0));
    }

    // The loss of the front that leads.
    let before = scrape(fronts[1]).expect("a scrape")["tmrd_leader_changes_total"];
    cluster.fronts[0].kill();
    scraped(fronts[1], "nobody who leads, and no twin", |values| {
        is(values, role, 0.0) && is(values, "tmrd_twin_connected", 0.0)
    });
    cluster.activate(1);
    scraped(fronts[1], "the other front leads", |values| {
        is(values, role, 1.0)
            && is(values, "tmrd_leader_changes_total", before + 1.0)
            && is(values, &licence("used_seats"), f64::from(SEATS - 1))
    });
}

fn both_formats_are_what_readers_expect(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    for at in [cluster.front().admin(), cluster.backends[0].admin()] {
        let asked = |accept: &str| get_with(at, "/metrics", &format!("Accept: {accept}\r\n"));
        let (head, open) =
            asked("application/openmetrics-text;version=1.0.0,text/plain;q=0.5").expect("a scrape");
        assert!(
            head.contains("Content-Type: application/openmetrics-text; version=1.0.0"),
            "{head}"
        );
        assert!(open.ends_with("\n# EOF\n") && open.contains("\n# TYPE tmrd_grants counter\n"));
        let (head, older) = asked("text/plain;version=0.0.4").expect("a scrape");
        assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
        assert!(older.contains("\n# TYPE tmrd_grants_total counter\n") && !older.contains("# EOF"));
        let (head, both) = asked("*/*").expect("a scrape");
        assert!(head.contains("application/openmetrics-text") && both.ends_with("\n# EOF\n"));
        for text in [&older, &both] {
            if let Some((well, said)) = promtool(&["check", "metrics"], text) {
                assert!(well && said.is_empty(), "{said}");
            }
        }
        // Each metric family is contiguous and occurs once, each series occurs once, and there are
        // no other lines.
        for text in [&open, &older, &both] {
            let families: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
                .collect();
            let series: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.rsplit_once(' ').map(|(name, _)| name))
                .collect();
            for names in [families, series] {
                let mut once = names.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), names.len(), "{names:?}");
            }
        }
    }
}

#[test]
fn the_alert_rules_are_well_and_fire_when_they_should() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-std/dist");
    let rules = dist.join("tmrd.rules.yml");
    let tests = dist.join("tmrd.rules_test.yml");
    for (command, file) in [("check", &rules), ("test", &tests)] {
        let file = file.to_str().expect("a plain path");
        let Some((well, said)) = promtool(&[command, "rules", file], "") else { return };
        assert!(well, "{said}");
    }
    // Each alert has a test, and a section in the runbook.
    let text = std::fs::read_to_string(rules).expect("the rules");
    let tests = std::fs::read_to_string(tests).expect("their tests");
    let runbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-std/docs/runbook.md");
    let runbook = std::fs::read_to_string(runbook).expect("the runbook");
    let alerts: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        for what in ["fires", "is quiet"] {
            assert!(tests.contains(&format!("name: {alert} {what}")), "{alert} {what}");
        }
        assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert} is in the runbook");
        assert!(text.contains(&format!("#{}\n", alert.to_lowercase())), "{alert} leads there");
    }
}

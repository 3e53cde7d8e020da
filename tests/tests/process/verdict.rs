//! One verdict everywhere: for each state of core's table the server's pages, `tmrd status`, `tmrd
//! doctor`, their exit codes, `tmrd track status`, the page in a browser, the metrics and the
//! alert rules agree.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tmr_core::status::Severity;
use tmr_core::verdict::states::Case;
use tmr_tests::browser::Browser;
use tmr_tests::harness::{Cluster, Finished, Runtime, get_with, missing, status_until};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(commands_say_of_each_state_what_its_verdict_says);

/// Admin pages that show a state of the table, and everything else as a real server shows it.
struct Pages {
    at: SocketAddr,
    case: Arc<Mutex<Option<Case>>>,
}

impl Pages {
    fn start(real: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let at = listener.local_addr().expect("a listener has an address");
        let case = Arc::new(Mutex::new(None::<Case>));
        let told = Arc::clone(&case);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let case = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // A client that closes before the answer does not need it.
                let _ = answer(socket, case.as_ref(), real);
            }
        });
        Self { at, case }
    }

    fn tell(&self, case: &Case) {
        *self.case.lock().unwrap_or_else(PoisonError::into_inner) = Some(case.clone());
    }

    fn url(&self) -> String {
        format!("http://{}", self.at)
    }
}

fn answer(mut socket: TcpStream, case: Option<&Case>, real: SocketAddr) -> std::io::Result<()> {
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The remaining lines of the head are skipped.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or("/");
    let (status, kind, body) = match (path.split('?').next().unwrap_or(path), case) {
        ("/api/status", Some(case)) => ("200 OK", "application/json", case.shown().to_string()),
        ("/readyz", Some(case)) => match &case.ready {
            Ok(()) => ("200 OK", "text/plain", "ok\n".to_owned()),
            Err(reason) => ("503 Service Unavailable", "text/plain", reason.clone()),
        },
        ("/metrics", Some(case)) => ("200 OK", "text/plain", case.metrics()),
        _ => {
            let (head, body) = get_with(real, path, "")?;
            let head = head.trim_end();
            return write!(socket, "{head}\r\n\r\n{body}");
        }
    };
    write!(
        socket,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Returns the number of the case's problems of this severity.
fn count(case: &Case, severity: Severity) -> usize {
    case.verdict().iter().filter(|trouble| trouble.severity == severity).count()
}

fn commands_say_of_each_state_what_its_verdict_says(runtime: Runtime) {
    // The real group is healthy, so all findings of doctor are about the shown state.
    let cluster = Cluster::of(runtime).twin().start();
    status_until(cluster.front().admin(), "twins in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
    let pages = Pages::start(cluster.front().admin());
    let url = pages.url();
    let folder = cluster.workshop().folder();
    let (config, state) = (folder.join("tmrconf-0.json"), folder.join("front-0"));
    let (config, state) = (config.to_str().expect("plain"), state.to_str().expect("plain"));
    let run = |arguments: &[&str]| cluster.program().run(arguments);
    let doctor =
        || run(&["doctor", "--config", config, "--state", state, "--admin", &url, "--json"]);
    // Findings about this machine, such as an unsynchronised clock, are not part of the table.
    let (_, own) = findings(&run(&[
        "doctor",
        "--config",
        config,
        "--state",
        state,
        "--json",
        "--admin",
        &format!("http://{}", cluster.front().admin()),
    ]));
    for (name, case) in Case::all() {
        pages.tell(&case);
        let (red, yellow) = (count(&case, Severity::Red), count(&case, Severity::Yellow));

        let status = run(&["status", "--admin", &url]);
        assert_eq!(status.code, Some(i32::from(red > 0)), "{name}: {status:?}");
        let all_is_well = status.out.lines().any(|line| line == "All is well.");
        assert_eq!(all_is_well, red + yellow == 0, "{name}:\n{}", status.out);
        let mut rest = &*status.out;
        for it in case.verdict() {
            let line = format!("{}: {}\n  -> {}\n", it.severity.name(), it.text, it.what_to_do);
            let (_, behind) = rest.split_once(&line).unwrap_or_else(|| {
                panic!("{name}: not there, or not in order: {line} in\n{}", status.out)
            });
            rest = behind;
        }
        let told = run(&["status", "--json", "--admin", &url]).expect(0);
        let told: Value = serde_json::from_str(&told.out).expect("one JSON value");
        assert_eq!(told["verdict"], json!(case.verdict()), "{name}");

        let done = doctor();
        let (problems, warnings) = findings(&done);
        let texts = |severity: Severity| -> Vec<String> {
            let all = case.verdict().into_iter().filter(|it| it.severity == severity);
            all.map(|it| it.text).collect()
        };
        assert_eq!(problems, texts(Severity::Red), "{name}");
        let warnings: Vec<_> = warnings.into_iter().filter(|it| !own.contains(it)).collect();
        assert_eq!(warnings, texts(Severity::Yellow), "{name}");
        assert_eq!(done.code, Some(i32::from(red > 0)), "{name}: {done:?}");

        let track = run(&["track", "status", "--admin", &url]);
        assert_eq!(track.code, Some(i32::from(case.ready.is_err())), "{name}: {track:?}");
        assert!(case.ready.is_ok() || red > 0, "{name}: not ready, and nothing is red");
    }
}

/// Returns the problems and the warnings that doctor has found.
fn findings(done: &Finished) -> (Vec<String>, Vec<String>) {
    let value: Value = serde_json::from_str(&done.out).expect("one JSON value");
    let of = |level: &str| {
        let all = value["findings"].as_array().into_iter().flatten();
        let these = all.filter(|it| it["level"] == level);
        these.filter_map(|it| it["what"].as_str()).map(ToOwned::to_owned).collect()
    };
    (of("problem"), of("warning"))
}

#[test]
fn the_page_draws_of_each_state_what_its_verdict_says() {
    if missing(Browser::is_there(), "chromium and chromium-driver") {
        return;
    }
    let browser = Browser::start();
    let cluster = Cluster::of(Runtime::Smol).twin().start();
    let pages = Pages::start(cluster.front().admin());
    let (_, first) = Case::all().next().expect("there are states");
    pages.tell(&first);
    browser.open(&pages.url());
    browser.shows("#verdict", &["all is well"]);
    let class = |severity: Option<Severity>| match severity {
        Some(Severity::Red) => "bad",
        Some(Severity::Yellow) => "warn",
        Some(Severity::Info) | None => "good",
    };
    for (name, case) in Case::all() {
        // The page polls once a second, and must get this state in between.
        pages.tell(&case);
        let drawn = browser.run(&format!(
            "status = {}; showStatus(true);
             const texts = path => [...document.querySelectorAll(path)].map(it => it.textContent);
             const classes = path => [...document.querySelectorAll(path)].map(it => it.className);
             return {{ verdict: document.querySelector('#verdict').className, lines: texts('#verdict li'),
                 machines: classes('.machine'), states: classes('#licences td[data-label=State] > span > span') }}",
            case.shown()
        ));
        let verdict = case.verdict();
        let worst =
            |about: &str| verdict.iter().filter(|it| it.about == about).map(|it| it.severity).min();
        let head = verdict.iter().map(|it| it.severity).min();
        assert_eq!(drawn["verdict"], format!("verdict {}", class(head)), "{name}");
        let lines: Vec<String> =
            verdict.iter().map(|it| format!("{} {}", it.text, it.what_to_do)).collect();
        let shown = drawn["lines"].as_array().expect("a list");
        assert!(shown.iter().zip(&lines).all(|(one, other)| one == other), "{name}: {drawn:#}");
        // The standby front also shows where the other front is.
        assert!(shown.len() - lines.len() <= 1, "{name}: {drawn:#}");
        let machines = ["front", "twin"]
            .into_iter()
            .chain(case.status.backends.iter().map(|backend| &*backend.address))
            .map(|about| format!("machine {}", class(worst(about))));
        assert_eq!(drawn["machines"], json!(machines.collect::<Vec<_>>()), "{name}");
        let states = case.status.licenses.iter().map(|licence| class(licence.severity));
        assert_eq!(drawn["states"], json!(states.collect::<Vec<_>>()), "{name}");
    }
}

#[test]
fn an_alert_fires_for_each_state_whose_verdict_is_red_or_yellow() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-std/dist/tmrd.rules.yml");
    let rules = rules.canonicalize().expect("the rules are there");
    let mut file = format!("rule_files: [{}]\nevaluation_interval: 15s\ntests:\n", rules.display());
    let mut names = BTreeMap::new();
    for (number, (name, case)) in Case::all().enumerate() {
        names.insert(number, name);
        let _ = write!(file, "  - name: state {number}\n    interval: 1m\n    input_series:\n");
        for (series, value) in series(&case) {
            let _ = write!(file, "      - series: '{series}'\n        values: '{value}x11'\n");
        }
        let _ = writeln!(file, "    promql_expr_test:");
        let (red, yellow) = (count(&case, Severity::Red), count(&case, Severity::Yellow));
        let mut fires = |severity: &str, fires: bool| {
            let alerts = format!("ALERTS{{alertstate=\"firing\", severity=\"{severity}\"}}");
            let samples = if fires { "\n          - value: 1" } else { " []" };
            let _ = write!(
                file,
                "      - expr: 'min({alerts})'\n        eval_time: 11m\n        exp_samples:{samples}\n"
            );
        };
        fires("critical", red > 0);
        // A red state may also have findings of the lower severity.
        if red == 0 || yellow > 0 {
            fires("warning", yellow > 0);
        }
    }
    let folder = std::env::temp_dir().join(format!("tmrd-rules-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("states.yml");
    std::fs::write(&path, &file).expect("a file");
    let done = Command::new("promtool").args(["test", "rules"]).arg(&path).output();
    let _ = std::fs::remove_dir_all(&folder);
    let Ok(done) = done else {
        assert!(missing(false, "promtool (package prometheus)"));
        return;
    };
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}\n{names:#?}", String::from_utf8_lossy(&said));
}

/// Returns what Prometheus reads for a state: the verdict as the server writes it, the roles of
/// both fronts, and the seats.
fn series(case: &Case) -> Vec<(String, String)> {
    let mut all = vec![("up{job=\"tmrd\",instance=\"a\"}".to_owned(), "1".to_owned())];
    for line in case.metrics().lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        all.push((name.replacen('{', "{job=\"tmrd\",instance=\"a\",", 1), value.to_owned()));
    }
    let twin = case.status.twin.as_ref().and_then(|twin| twin.role);
    for (instance, role) in [("a", Some(case.status.role)), ("b", twin)] {
        let active = role.is_some_and(|role| role.name() == "active");
        let name = format!("tmrd_role{{job=\"tmrd\",instance=\"{instance}\",role=\"active\"}}");
        all.push((name, u8::from(active).to_string()));
    }
    for licence in &case.status.licenses {
        let labels = format!(
            "{{job=\"tmrd\",instance=\"a\",firm_code=\"{}\",product_code=\"{}\",tmr_id=\"{}\"}}",
            licence.firm_code, licence.product_code, licence.tmr_id
        );
        all.push((format!("tmrd_licence_seats{labels}"), licence.quantity.to_string()));
        all.push((format!("tmrd_licence_free_seats{labels}"), licence.free.to_string()));
    }
    all
}

//! `systemctl reload tmrd-front`, by the `ExecReload=` lines of the shipped unit. The test runs
//! these lines as systemd does, with a front of its own.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use tmr_tests::harness::{Cluster, Finished, Runtime, until};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_reload_of_the_unit_fails_where_the_front_would_refuse_the_file,
    a_reload_of_the_unit_takes_what_the_front_takes,
);

/// Returns the commands of `ExecReload=` in the shipped unit of a front, except those that give
/// files to the service's user.
fn reload_lines() -> Vec<String> {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-std/dist/tmrd-front.service");
    let text = fs::read_to_string(unit).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("ExecReload="));
    let (given, own): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.trim_start_matches(['+', '-']).starts_with("/bin/chown "));
    assert_eq!((given.len(), own.is_empty()), (1, false), "{given:?} {own:?}");
    // A line with neither prefix must succeed, and runs with the rights of the service.
    assert!(own.iter().all(|line| line.starts_with('/')), "{own:?}");
    own.into_iter().map(str::to_owned).collect()
}

fn configuration(cluster: &Cluster) -> PathBuf {
    cluster.workshop().folder().join("tmrconf-0.json")
}

/// Runs the reload of the front: one line after the other, until one fails. Returns the last
/// result.
fn reload(cluster: &Cluster) -> Finished {
    let name = |path: PathBuf| path.to_str().unwrap().to_owned();
    let state = name(cluster.workshop().folder().join("front-0"));
    let mut last = None;
    for line in reload_lines() {
        let line = line
            .replace("/usr/bin/tmrd", &name(cluster.program().path().into()))
            .replace("/var/lib/tmrd/front", &state)
            .replace("/etc/wibu/CodeMeter/tmrconf.json", &name(configuration(cluster)))
            .replace("$MAINPID", &cluster.front().pid().to_string());
        // The lines of the unit have only words and double quotes, which systemd and a shell parse
        // alike.
        let output = Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code();
        last = Some(Finished { command: line, code, out, err });
        if code != Some(0) {
            break;
        }
    }
    last.expect("the unit can be reloaded")
}

fn read(cluster: &Cluster) -> Value {
    serde_json::from_str(&fs::read_to_string(configuration(cluster)).unwrap()).unwrap()
}

/// Writes a configuration and reloads.
fn reload_with(cluster: &Cluster, text: &str) -> Finished {
    fs::write(configuration(cluster), text).unwrap();
    reload(cluster)
}

/// Returns how often the front has logged that it was ordered to read its file.
fn told(cluster: &Cluster) -> usize {
    cluster.front().log_text().matches("SIGHUP").count()
}

fn a_reload_of_the_unit_fails_where_the_front_would_refuse_the_file(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let folder = cluster.workshop().folder();
    let whole = read(&cluster);
    let refused = |text: &str, names: &[&str]| {
        let end = reload_with(&cluster, text);
        assert!(end.code != Some(0) && !end.command.contains("kill"), "{end:?}");
        end.one_clear_error(names);
    };
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut config = whole.clone();
        change(&mut config);
        config.to_string()
    };
    refused(&whole.to_string().replace("\"CmServer\"", "\"CmSever\""), &["CmSever", "CmServer"]);
    let keyless = changed(&|it| it["TmrServer"]["GroupKeyFile"] = "no-such.key".into());
    refused(&keyless, &["no-such.key"]);
    // A log in a missing folder, in a file of another kind, and in the state folder. No file is
    // created.
    refused(&changed(&|it| it["Log"] = json!({ "File": "/no/such/folder/x.log" })), &["x.log"]);
    fs::write(folder.join("notes"), "something else").unwrap();
    refused(&changed(&|it| it["Log"] = json!({ "File": "notes" })), &["notes", "else"]);
    refused(&changed(&|it| it["Log"] = json!({ "File": "front-0/x.log" })), &["state folder"]);
    assert!(!folder.join("front-0/x.log").exists());
    // A port of another program, and an address of another machine.
    let taken = TcpListener::bind((cluster.workshop().ip(), 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    refused(&changed(&|it| it["WebAdmin"]["Port"] = port.into()), &["WebAdmin", "in use"]);
    let elsewhere = changed(&|it| it["TmrServer"]["Ip"] = "192.0.2.1".into());
    refused(&elsewhere, &["TmrServer", "an address of this machine"]);
    // A usage history below a file, and passwords and a certificate that cannot be used.
    let history = changed(&|it| it["LicenseTracking"] = json!({ "Path": "notes/history" }));
    refused(&history, &["LicenseTracking.Path"]);
    let passwords = changed(&|it| it["WebAdmin"]["PasswordFile"] = "notes".into());
    refused(&passwords, &["notes"]);
    let certificate = changed(&|it| {
        it["WebAdmin"]["CertificateChainFile"] = "no.pem".into();
        it["WebAdmin"]["PrivateKeyFile"] = "no.key".into();
    });
    refused(&certificate, &["no.pem"]);
    assert_eq!(told(&cluster), 0, "{}", cluster.front().log_text());
}

fn a_reload_of_the_unit_takes_what_the_front_takes(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let folder = cluster.workshop().folder().to_owned();
    let takes = |config: &Value| {
        let before = told(&cluster);
        let end = reload_with(&cluster, &config.to_string());
        assert_eq!(end.code, Some(0), "{end:?}");
        until("the front to have read it", || (told(&cluster) > before).then_some(()));
        let log = cluster.front().log_text();
        let last = log.lines().rfind(|line| line.contains("SIGHUP")).unwrap();
        assert!(last.contains("is in force"), "{last}");
    };
    let mut config = read(&cluster);
    takes(&config);
    // The port that the front itself uses, at another address.
    config["TmrServer"]["Ip"] = "0.0.0.0".into();
    config["Log"] = json!({ "File": "front.log" });
    config["LicenseTracking"] = json!({ "Path": "elsewhere/history" });
    takes(&config);
    assert!(folder.join("front.log").exists() && folder.join("elsewhere/history").exists());
    // Files that the front already does without do not make the reload fail: the password file is
    // damaged, and the log is a file of another kind.
    fs::write(cluster.password_file(0), "not a password\n").unwrap();
    fs::write(folder.join("front.log"), "something else now, and no log").unwrap();
    config["CmServer"]["NetworkRetryIntervalInSeconds"] = 3.into();
    takes(&config);
}

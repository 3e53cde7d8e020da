//! Tokens at real fronts, by HTTPS: made, used by the command line and by other programs, revoked.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Finished, PASSWORD, Program, Runtime, TMR, get_json, get_with, take, until,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_token_opens_the_pages_by_https_until_it_is_revoked,
    an_issuer_signs_with_its_own_key_only,
    what_is_revoked_or_made_while_somebody_types_a_password_stays_so,
    who_types_is_asked_for_the_password_and_it_is_not_shown,
);

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("certificate").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// Starts a front with passwords for both roles, and a certificate that is its own authority.
fn covered(runtime: Runtime) -> Cluster {
    let mut cluster = Cluster::start(runtime);
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |config| {
        config["WebAdmin"]["Ip"] = "0.0.0.0".into();
        config["WebAdmin"]["Port"] = 0.into();
        config["WebAdmin"]["CertificateChainFile"] = text(&certificate("authority.pem")).into();
        config["WebAdmin"]["PrivateKeyFile"] = text(&certificate("admin.key")).into();
    });
    cluster.activate(0);
    cluster.wait_whole(0);
    cluster.set_password(0, "operator", PASSWORD);
    cluster.set_password(0, "reader", "another horse");
    cluster
}

/// Runs a command at the front's HTTPS address with this token.
fn by(cluster: &Cluster, line: &[&str], token: &Path) -> Finished {
    let at = format!("https://localhost:{}", cluster.front().admin().port());
    let ca = certificate("authority.pem");
    let more = ["--admin", &at, "--ca", text(&ca), "--token-file", text(token)];
    cluster.program().run(line.iter().chain(&more))
}

fn what_is_revoked_or_made_while_somebody_types_a_password_stays_so(runtime: Runtime) {
    let program = Program::of(runtime);
    let folder =
        std::env::temp_dir().join(format!("tmr-tokens-{}-{runtime:?}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let file = folder.join("passwd");
    let token = |more: &[&str]| program.run(["token"].iter().chain(more).chain(&[text(&file)]));
    token(&["--name", "old"]).expect(0);
    let mut typing = program.command(["password", text(&file)]);
    let mut typing = typing.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    token(&["--revoke", "old"]).expect(0);
    // Many tokens are made at once: none is lost, and no command removes another one's line.
    thread::scope(|scope| {
        for number in 0..8 {
            let name = format!("new{number}");
            scope.spawn(move || token(&["--name", &name]).expect(0));
        }
    });
    typing.stdin.take().unwrap().write_all(b"a long enough password\n").unwrap();
    assert!(typing.wait().unwrap().success());
    let list: Value = serde_json::from_str(&token(&["--list", "--json"]).expect(0).out).unwrap();
    let state = |it: &Value| (it["name"].as_str().unwrap().to_owned(), it["state"].clone());
    let mut all: Vec<(String, Value)> = list.as_array().unwrap().iter().map(state).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let mut wanted: Vec<(String, Value)> =
        (0..8).map(|number| (format!("new{number}"), json!("holds"))).collect();
    wanted.push((String::from("old"), json!("revoked")));
    assert_eq!(all, wanted);
    assert!(fs::read_to_string(&file).unwrap().contains("operator:"));
    fs::remove_dir_all(folder).unwrap();
}

fn a_token_opens_the_pages_by_https_until_it_is_revoked(runtime: Runtime) {
    let cluster = covered(runtime);
    let (folder, passwords) = (cluster.workshop().folder().to_owned(), cluster.password_file(0));
    let (reader, operator) = (folder.join("reader.token"), folder.join("operator.token"));
    let token = |more: &[&str]| {
        cluster.program().run(["token"].iter().chain(more).chain(&[text(&passwords)]))
    };
    token(&["--name", "grafana", "--out", text(&reader)]).expect(0);
    token(&["--name", "nightly", "--role", "operator", "--days", "1", "--out", text(&operator)])
        .expect(0);
    let printed = token(&["--name", "other"]).expect(0).out;
    assert!(printed.starts_with("tmrd_") && printed.lines().count() == 1, "{printed}");
    let mode = fs::metadata(&reader).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let shown = fs::read_to_string(&reader).unwrap();
    let kept = fs::read_to_string(&passwords).unwrap();
    assert!(!kept.contains(shown.trim()), "the file has hashes alone");
    assert!(kept.contains("operator:$argon2id$"), "the passwords stay: {kept}");
    // A name that looks like an option is refused.
    for name in ["--list", "-x", "-"] {
        token(&[&format!("--name={name}")]).expect(2).one_clear_error(&["expected a name"]);
    }
    let again = token(&["--name", "grafana"]).expect(2);
    assert!(again.err.contains("revoke it first"), "{}", again.err);

    // The token is accepted within seconds, and permits what its role does.
    let status = until("the reader's token to be known", || {
        let end = by(&cluster, &["status", "--json"], &reader);
        (end.code == Some(0)).then_some(end.out)
    });
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["role"], "active");
    let mut client = cluster.client();
    let handle =
        take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().expect("a seat is free");
    let number = handle.to_string();
    let line = ["release", "--handle", &number];
    let refused = by(&cluster, &line, &reader).expect(1);
    assert!(refused.err.contains("A reader cannot change"), "{}", refused.err);
    by(&cluster, &line, &operator).expect(0);
    let audit = || fs::read_to_string(folder.join("front-0/audit.jsonl")).unwrap_or_default();
    until("a line in the record of changes", || {
        let line = |line: &str| line.contains("token nightly") && line.contains(&number);
        audit().lines().any(line).then_some(())
    });
    // Other programs send the header themselves.
    let head = format!("Authorization: Bearer {}\r\n", shown.trim());
    let (head, _) = get_with(cluster.front().admin(), "/api/events", &head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let session = get_json(cluster.front().admin(), "/api/session").unwrap();
    assert_eq!(session["rights"], json!(null));

    // Without a token, with a wrong one, and with a revoked one.
    let at = format!("https://localhost:{}", cluster.front().admin().port());
    let ca = certificate("authority.pem");
    let line = ["status", "--admin", &at, "--ca", text(&ca)];
    let refused = cluster.program().run(line).expect(1);
    assert!(refused.err.contains("401") && refused.err.contains("--token-file"), "{}", refused.err);
    let wrong = folder.join("wrong.token");
    fs::write(&wrong, "tmrd_0123\n").unwrap();
    let refused = by(&cluster, &["status"], &wrong).expect(1);
    assert!(refused.err.contains("not known here"), "{}", refused.err);
    token(&["--revoke", "grafana"]).expect(0);
    until("the token to be refused", || {
        let end = by(&cluster, &["status"], &reader);
        let said = "The token grafana is revoked.";
        (end.code == Some(1) && end.err.contains(said)).then_some(())
    });
    by(&cluster, &["status"], &operator).expect(0);
    let list: Value = serde_json::from_str(&token(&["--list", "--json"]).expect(0).out).unwrap();
    for (index, name, state) in
        [(0, "grafana", "revoked"), (1, "nightly", "holds"), (2, "other", "holds")]
    {
        let one = &list[index];
        assert_eq!((&one["name"], &one["state"]), (&name.into(), &state.into()), "{list:#}");
    }
    let table = token(&["--list"]).expect(0).out;
    assert!(table.contains("nightly  operator  20"), "{table}");
}

/// Returns the terminal that a child of this process has as its input, once it echoes nothing.
fn silent_terminal(parent: u32) -> Option<()> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let child = children.split_whitespace().next()?;
    let terminal = fs::read_link(format!("/proc/{child}/fd/0")).ok()?;
    let set = Command::new("stty").arg("-F").arg(terminal).arg("-a").output().ok()?;
    String::from_utf8_lossy(&set.stdout)
        .split_whitespace()
        .any(|word| word == "-echo")
        .then_some(())
}

fn who_types_is_asked_for_the_password_and_it_is_not_shown(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    cluster.set_password(0, "reader", PASSWORD);
    let command = cluster.program().command(["status"]);
    let program = command.get_program().to_str().expect("a plain name");
    let line = format!("exec {program} status --admin http://{}", cluster.front().admin());
    let asked = |password: &str| {
        let mut terminal = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a script command");
        until("a terminal that shows nothing", || silent_terminal(terminal.id()));
        let mut input = terminal.stdin.take().expect("a pipe");
        writeln!(input, "{password}").expect("it reads");
        let mut shown = String::new();
        let mut out = terminal.stdout.take().expect("a pipe");
        out.read_to_string(&mut shown).expect("text");
        drop(input);
        (terminal.wait().expect("it ends").code(), shown)
    };
    let (code, shown) = asked(PASSWORD);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Password for ") && shown.contains("active"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    let (code, shown) = asked("wrong horse");
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("not right"), "{shown}");
}

fn an_issuer_signs_with_its_own_key_only(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let workshop = cluster.workshop();
    let folder = workshop.folder();
    let spec = folder.join("licences.json");
    let issue = |key: &Path, more: &[&str]| {
        let out = folder.join("licences");
        let line = ["issue", text(&spec), "--key", text(key), "--out", text(&out)];
        workshop.program().run(line.iter().chain(more))
    };
    let before = fs::read(workshop.licence(1)).unwrap();
    let renamed = folder.join("licences/issuer.txt");
    fs::copy(workshop.issuer(), &renamed).unwrap();
    let copied = folder.join("copy.key");
    fs::copy(workshop.group_key(), &copied).unwrap();
    for (key, said) in [
        (workshop.issuer(), "an issuer's public key"),
        (renamed, "an issuer's public key"),
        (workshop.group_key(), "a group key"),
        (copied, "a group key"),
    ] {
        let end = issue(&key, &[]).expect(2);
        assert!(end.err.contains(said), "{}", end.err);
    }
    let other = folder.join("other.key");
    fs::write(&other, format!("{}\n", "5a".repeat(32))).unwrap();
    let end = issue(&other, &["--only", "2"]).expect(2);
    assert!(end.err.contains("signed with another key"), "{}", end.err);
    assert_eq!(fs::read(workshop.licence(1)).unwrap(), before, "nothing was written");
    issue(&folder.join("issuer.key"), &["--only", "2"]).expect(0);
}

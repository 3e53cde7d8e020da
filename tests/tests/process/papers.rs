//! Files that a running server can do without do not prevent its start. The server serves, lists
//! the unusable files in its status, and reads them once they are repaired. No log is written into
//! a file of another kind.

#![allow(clippy::unwrap_used)]

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tmr_tests::harness::{
    BackendLine, Cluster, FIRM_CODE, ORDINARY, PASSWORD, Runtime, Server, TMR, get_json, get_with,
    give_back, post_text, signal, status_until, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_front_starts_without_papers_that_it_cannot_use,
    papers_in_trouble_do_not_hold_up_other_changes,
    a_log_goes_into_no_file_that_is_something_else,
    a_backend_serves_without_files_that_are_no_licences,
    a_backend_without_a_licence_waits_for_one,
    of_files_that_are_named_those_that_are_licences_are_served,
    what_the_next_start_would_refuse_is_said_at_a_reload,
    a_server_that_dies_leaves_no_picture_of_its_memory,
);

/// Returns the problems of a status about files with this ending.
fn troubles<'a>(status: &'a Value, name: &str) -> Vec<&'a Value> {
    let all = status["files"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter(|one| one["file"].as_str().unwrap().ends_with(name)).collect()
}

/// Waits until the status lists exactly these files, each once with the problem and the remedy.
#[track_caller]
fn named(admin: SocketAddr, names: &[&str]) -> Value {
    status_until(admin, &format!("trouble with {names:?} alone"), |status| {
        let all = status["files"].as_array()?;
        let full = |one: &Value| ["trouble", "what_to_do"].iter().all(|key| one[key].is_string());
        let right = names.iter().all(|name| troubles(status, name).len() == 1);
        (all.len() == names.len() && all.iter().all(full) && right).then(|| status.clone())
    })
}

/// Checks that `tmrd status` lists these files too.
#[track_caller]
fn printed(cluster: &Cluster, admin: SocketAddr, names: &[&str]) {
    // A front may have a password, so the command uses its socket.
    let front = cluster.fronts[0].admin() == admin;
    let socket = cluster.workshop().folder().join("front-0/admin.sock");
    let at = if front { socket.display().to_string() } else { format!("http://{admin}") };
    // A file that cannot be used is a red problem, so the exit code is 1.
    let out = cluster.program().run(["status", "--admin", &at]).expect(1).out;
    for name in names {
        let line = format!("{name} cannot be used: ");
        assert_eq!(out.matches(&line).count(), 1, "{line} in:\n{out}");
    }
}

#[track_caller]
fn logged_once(server: &Server, text: &str) {
    let log = server.log_text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
    assert_eq!(lines.len(), 1, "{text} in:\n{log}");
}

#[track_caller]
fn serves(server: &Server) {
    let mut client = Client::connect(server.licence()).expect("it takes a client");
    let handle = take(&mut client, &AccessRequest::new(FIRM_CODE, ORDINARY))
        .unwrap()
        .expect("a seat is free");
    give_back(&mut client, handle).unwrap().expect("it is held");
}

fn a_front_starts_without_papers_that_it_cannot_use(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    cluster.set_password(0, "reader", PASSWORD);
    let passwords = cluster.password_file(0);
    let good = fs::read_to_string(&passwords).unwrap();
    cluster.fronts[0].kill();
    fs::write(&passwords, format!("{good}opreator:oops\n")).unwrap();
    let folder = cluster.workshop().folder().to_owned();
    fs::write(folder.join("admin.pem"), "no certificate").unwrap();
    fs::write(folder.join("admin.key"), "no key").unwrap();
    cluster.restart_front_with(0, |config| {
        config["WebAdmin"]["CertificateChainFile"] = "admin.pem".into();
        config["WebAdmin"]["PrivateKeyFile"] = "admin.key".into();
        config["Log"] = json!({ "File": passwords });
    });
    cluster.activate(0);
    cluster.wait_whole(0);
    take(&mut cluster.client(), &AccessRequest::new(FIRM_CODE, TMR))
        .unwrap()
        .expect("a seat is free");
    let admin = cluster.front().admin();
    // The password file has two problems: one of its own, and one as the target of the log.
    let status = status_until(admin, "three troubles", |status| {
        let count = |name| troubles(status, name).len();
        (count("admin-0.passwd") == 2 && count("admin.pem") == 1).then(|| status.clone())
    });
    assert_eq!(status["files"].as_array().unwrap().len(), 3, "{:#}", status["files"]);
    printed(&cluster, admin, &["admin.pem"]);
    for text in ["line 2: expected operator:HASH", "admin.pem: ", "logging to standard error only"]
    {
        logged_once(cluster.front(), text);
    }
    assert_eq!(fs::read_to_string(&passwords).unwrap(), format!("{good}opreator:oops\n"));
    // Without a readable password file the front does not know whether readers need a password, so
    // it requires one. Plain HTTP from other machines is not tested, because there is only one
    // machine.
    let afar = "X-Forwarded-For: 192.0.2.9\r\n";
    let code = |path: &str| get_with(admin, path, afar).unwrap().0[9..12].to_owned();
    assert_eq!((code("/api/status"), code("/healthz")), ("401".into(), "200".into()));

    // A repaired file is used without a restart.
    fs::write(&passwords, &good).unwrap();
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("certificate");
    for name in ["admin.pem", "admin.key"] {
        fs::copy(certificate.join(name), folder.join(name)).unwrap();
    }
    let mended = |status: &Value| {
        let left = status["files"].as_array()?;
        (left.len() == 1 && status["certificate_ends"].is_string()).then_some(())
    };
    status_until(admin, "the log alone to be in trouble", mended);
    assert_eq!(get_json(admin, "/api/session").unwrap()["reader"], true);
}

fn papers_in_trouble_do_not_hold_up_other_changes(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    cluster.fronts[0].kill();
    let passwords = cluster.password_file(0);
    fs::write(&passwords, "root:x\n").unwrap();
    cluster.restart_front_with(0, |config| {
        config["Log"] = json!({ "File": "/no/such/folder/tmrd.log" });
    });
    let admin = cluster.front().admin();
    named(admin, &["admin-0.passwd", "/no/such/folder/tmrd.log"]);
    let path = cluster.workshop().folder().join("tmrconf-0.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let reload = |config: &Value, said: &str| {
        let lines = || cluster.front().log_text().matches(said).count();
        let before = lines();
        fs::write(&path, config.to_string()).unwrap();
        signal("HUP", &[cluster.front().pid()]);
        until(said, || (lines() > before).then_some(()));
    };
    config["CmServer"]["NetworkRetryIntervalInSeconds"] = 9.into();
    reload(&config, "is in force");
    named(admin, &["admin-0.passwd", "/no/such/folder/tmrd.log"]);
    // A new file is refused if it cannot be used.
    let mut worse = config.clone();
    worse["WebAdmin"]["PasswordFile"] = "tmrconf-0.json".into();
    reload(&worse, "nothing has changed");
    let mut worse = config.clone();
    worse["Log"] = json!({ "File": "/no/other/folder/tmrd.log" });
    reload(&worse, "/no/other/folder/tmrd.log: No such file or directory; nothing has changed");
    config["Log"] = json!({ "File": "front.log" });
    reload(&config, "is in force");
    named(admin, &["admin-0.passwd"]);
    fs::remove_file(&passwords).unwrap();
    named(admin, &[]);
}

fn a_log_goes_into_no_file_that_is_something_else(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let folder = cluster.workshop().folder().to_owned();
    let admin = cluster.front().admin();
    let text = || get_json(admin, "/api/config").unwrap()["text"].as_str().unwrap().to_owned();
    let with = |file: &Path| {
        let mut config: Value = serde_json::from_str(&text()).unwrap();
        config["Log"] = json!({ "File": file });
        config.to_string()
    };
    // Before there are passwords, the log must not take the place of the password file.
    let passwords = cluster.password_file(0);
    let own = folder.join("tmrconf-0.json");
    let before = fs::read_to_string(&own).unwrap();
    fs::write(&own, with(&passwords)).unwrap();
    signal("HUP", &[cluster.front().pid()]);
    until("a refusal", || cluster.front().log_text().contains("nothing has changed").then_some(()));
    assert!(!passwords.exists());
    fs::write(&own, &before).unwrap();
    cluster.set_password(0, "operator", PASSWORD);

    let state = folder.join("front-0");
    std::os::unix::fs::symlink(folder.join("elsewhere.log"), folder.join("link.log")).unwrap();
    mknodat(CWD, folder.join("pipe.log"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::write(folder.join("notes.txt"), "Notes of somebody else.\n").unwrap();
    let refused = [
        passwords,
        own,
        cluster.workshop().group_key(),
        cluster.workshop().licence(1),
        cluster.workshop().issuer(),
        state.join("give-away"),
        state.join("lock"),
        state.join("not-there-yet.log"),
        state.clone(),
        folder.join("link.log"),
        folder.join("pipe.log"),
        folder.join("notes.txt"),
        Path::new("/dev/null").to_owned(),
    ];
    for file in &refused {
        let content =
            fs::metadata(file).is_ok_and(|it| it.is_file()).then(|| fs::read(file).unwrap());
        let (status, said) = post_text(admin, "/api/config", &with(file)).unwrap();
        assert_eq!(status, 409, "{}: {said}", file.display());
        let said: Value = serde_json::from_str(&said).unwrap();
        let said = said["message"].as_str().unwrap();
        assert!(said.contains(file.to_str().unwrap()) && said.contains("right would be"), "{said}");
        if let Some(content) = content {
            assert_eq!(fs::read(file).unwrap(), content, "{}", file.display());
        }
    }
    assert!(!folder.join("elsewhere.log").exists() && !state.join("not-there-yet.log").exists());

    // A new file, an empty file, and a log of this program are accepted.
    fs::write(folder.join("empty.log"), "").unwrap();
    for name in ["new.log", "empty.log", "new.log"] {
        let (status, said) = post_text(admin, "/api/config", &with(&folder.join(name))).unwrap();
        assert_eq!(status, 200, "{name}: {said}");
        let log = || fs::read_to_string(folder.join(name)).unwrap_or_default();
        until("a line in it", || log().contains("is stored, and in force").then_some(()));
    }
}

fn a_backend_serves_without_files_that_are_no_licences(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let workshop = cluster.workshop();
    let folder = workshop.folder().join("folder");
    fs::create_dir(&folder).unwrap();
    let good = fs::read(workshop.licence(1)).unwrap();
    // Foreign files are listed before and after the licence, more than the permitted number of
    // licences.
    let junk: Vec<_> = (0..300).map(|number| folder.join(format!("junk-{number}.cmlic"))).collect();
    junk.iter().for_each(|path| fs::write(path, "none").unwrap());
    fs::write(folder.join("m.cmlic"), &good).unwrap();
    fs::write(folder.join("._m.cmlic"), [0, 5, 22, 7]).unwrap();
    fs::write(folder.join("a-cut.cmlic"), &good[..good.len() / 2]).unwrap();
    fs::write(folder.join("z-copy.cmlic"), &good).unwrap();
    fs::create_dir(folder.join("folder.cmlic")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.join("link.cmlic")).unwrap();
    mknodat(CWD, folder.join("pipe.cmlic"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let (port, admin) = (cluster.backends[0].licence().port(), cluster.backends[0].admin().port());
    let mut line = BackendLine::of(workshop, 1);
    line.listen.set_port(port);
    line.admin = Some(SocketAddr::new(line.listen.ip(), admin));
    line.licence = folder.clone();
    cluster.backends[0].kill();
    cluster.backends[0].restart(&line.arguments()).expect("it starts");
    cluster.wait_whole(0);
    serves(&cluster.backends[0]);
    junk.iter().for_each(|path| fs::remove_file(path).unwrap());
    let admin = cluster.backends[0].admin();
    let strays =
        ["._m.cmlic", "a-cut.cmlic", "z-copy.cmlic", "folder.cmlic", "link.cmlic", "pipe.cmlic"];
    let status = named(admin, &strays);
    assert_eq!(status["containers"].as_array().unwrap().len(), 1);
    printed(&cluster, admin, &strays);
    for name in strays {
        let log = cluster.backends[0].log_text();
        assert!(log.matches(&format!("{name}: ")).count() <= 1, "{name} in:\n{log}");
    }
    logged_once(&cluster.backends[0], "more of such files");

    // A running backend continues likewise; a file that is removed or repaired is no longer
    // reported.
    for name in ["._m.cmlic", "a-cut.cmlic", "link.cmlic", "pipe.cmlic"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::remove_dir(folder.join("folder.cmlic")).unwrap();
    named(admin, &["z-copy.cmlic"]);
    fs::remove_file(folder.join("m.cmlic")).unwrap();
    named(admin, &[]);
    serves(&cluster.backends[0]);
    fs::write(folder.join("late.cmlic"), "no licence").unwrap();
    named(admin, &["late.cmlic"]);
    // A licence whose file is damaged later stays in force, and the file is reported.
    fs::write(folder.join("z-copy.cmlic"), &good[1..]).unwrap();
    named(admin, &["late.cmlic", "z-copy.cmlic"]);
    serves(&cluster.backends[0]);
    cluster.wait_whole(0);
}

fn a_backend_without_a_licence_waits_for_one(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let workshop = cluster.workshop();
    let folder = workshop.folder().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1.cmlic"), "").unwrap();
    let mut line = BackendLine::of(workshop, 1);
    line.listen.set_port(cluster.backends[0].licence().port());
    line.admin = Some(cluster.backends[0].admin());
    line.licence = folder.clone();
    let good = workshop.licence(1);
    cluster.backends[0].kill();
    cluster.backends[0].restart(&line.arguments()).expect("it starts");
    let admin = cluster.backends[0].admin();
    named(admin, &["1.cmlic"]);
    logged_once(&cluster.backends[0], "nothing to serve");
    // The backend still has its vote.
    cluster.wait_up(0);
    fs::copy(&good, folder.join("1.cmlic")).unwrap();
    cluster.wait_whole(0);
    named(admin, &[]);
    serves(&cluster.backends[0]);
}

fn of_files_that_are_named_those_that_are_licences_are_served(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let workshop = cluster.workshop();
    let mut line = BackendLine::of(workshop, 1);
    line.listen.set_port(cluster.backends[0].licence().port());
    line.admin = Some(cluster.backends[0].admin());
    line.second = Some(workshop.folder().join("second.cmlic"));
    // The file's name is chosen by a stranger, and must not reach an operator's terminal unescaped.
    let named_so = workshop.folder().join("folder");
    fs::create_dir(&named_so).unwrap();
    fs::write(named_so.join("\u{1b}[2J.cmlic"), "").unwrap();
    cluster.backends[0].kill();
    let mut arguments = line.arguments();
    arguments.extend(["--license".into(), named_so.into()]);
    cluster.backends[0].restart(&arguments).expect("it starts");
    let admin = cluster.backends[0].admin();
    named(admin, &["second.cmlic", "\u{fffd}[2J.cmlic"]);
    printed(&cluster, admin, &["second.cmlic", "\u{fffd}[2J.cmlic"]);
    cluster.wait_whole(0);
    serves(&cluster.backends[0]);
    // With only the unusable file the backend still has its vote, because it has run before.
    cluster.backends[0].kill();
    line.second = None;
    line.licence = cluster.workshop().folder().join("second.cmlic");
    cluster.backends[0].restart(&line.arguments()).expect("it starts");
    named(admin, &["second.cmlic"]);
    cluster.wait_up(0);
    // At the first start an unusable licence file is an error of the command line.
    cluster.backends[0].kill();
    line.state = cluster.workshop().folder().join("never-run");
    let end = cluster.backends[0].restart(&line.arguments()).expect_err("it serves nothing");
    assert_eq!(end.code, Some(2), "{end:?}");
}

fn what_the_next_start_would_refuse_is_said_at_a_reload(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let (backend, issuer) = (&cluster.backends[0], cluster.workshop().issuer());
    let good = fs::read(&issuer).unwrap();
    fs::write(&issuer, "no key").unwrap();
    signal("HUP", &[backend.pid()]);
    named(backend.admin(), &["issuer.pub"]);
    logged_once(backend, "issuer.pub: ");
    serves(backend);
    fs::write(&issuer, &good).unwrap();
    signal("HUP", &[backend.pid()]);
    named(backend.admin(), &[]);
}

fn a_server_that_dies_leaves_no_picture_of_its_memory(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    for server in cluster.fronts.iter().chain(&cluster.backends) {
        let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size"));
        let most = core.and_then(|line| line.split_whitespace().nth(4)).expect("a number");
        assert_eq!(most, "0", "{}", server.name());
    }
}

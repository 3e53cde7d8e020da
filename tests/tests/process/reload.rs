//! Changes of the configuration, the usage history and the log of a front that serves: by SIGHUP,
//! at the web admin, and by the twin. The log may be truncated or moved away meanwhile.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use tmr_core::history::{Kind, Record};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, TMR, get, get_json, give_back, history_files, post_text,
    records, signal, status_until, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client, get_version};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_bad_file_changes_nothing_and_is_explained,
    ports_move_under_a_client_that_stays,
    a_backend_is_found_at_its_new_address,
    a_change_at_the_web_admin_is_written_back_and_reaches_the_twin,
    what_cannot_come_into_force_is_refused_whole,
    the_usage_history_moves_stops_and_goes_on,
    a_log_file_may_be_cut_off_or_moved_away,
    a_log_file_that_cannot_be_written_stops_nothing,
);

/// The file of a front's configuration.
fn file(cluster: &Cluster, front: usize) -> PathBuf {
    cluster.workshop().folder().join(format!("tmrconf-{front}.json"))
}

fn read(cluster: &Cluster, front: usize) -> Value {
    serde_json::from_str(&fs::read_to_string(file(cluster, front)).unwrap()).unwrap()
}

/// Writes another configuration and has the front read it. Waits until the log has one more line
/// with `said`.
fn reload(cluster: &Cluster, text: &str, said: &str) {
    let lines = || cluster.front().log_text().matches(said).count();
    let before = lines();
    fs::write(file(cluster, 0), text).unwrap();
    signal("HUP", &[cluster.front().pid()]);
    until(said, || (lines() > before).then_some(()));
}

/// A port that was free a moment ago.
fn free_port(cluster: &Cluster) -> u16 {
    let listener = TcpListener::bind((cluster.workshop().ip(), 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[track_caller]
fn works(client: &mut Client) {
    client.call(&get_version(0)).expect("the connection stands").done().expect("an answer");
}

fn a_bad_file_changes_nothing_and_is_explained(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    // Reports of the machines' clocks continue independently.
    let status = || {
        let mut status = cluster.status();
        status["clocks"].take();
        status
    };
    let mut client = cluster.client();
    let before = status();
    let whole = read(&cluster, 0);
    let typo = whole.to_string().replace("\"CmServer\"", "\"CmSever\"");
    reload(
        &cluster,
        &typo,
        "unknown key \"CmSever\"; did you mean \"CmServer\"?; nothing has changed",
    );
    // Problems that only this machine can detect are detected before anything changes.
    let taken = TcpListener::bind((cluster.workshop().ip(), 0)).unwrap();
    let mut busy = whole.clone();
    busy["WebAdmin"]["Port"] = taken.local_addr().unwrap().port().into();
    busy["TmrServer"]["Port"] = free_port(&cluster).into();
    reload(&cluster, &busy.to_string(), "(WebAdmin): Address already in use");
    let mut keyless = whole.clone();
    keyless["TmrServer"]["GroupKeyFile"] = "no-such.key".into();
    reload(&cluster, &keyless.to_string(), "no-such.key: No such file or directory");
    let mut mute = whole;
    mute["Log"] = json!({ "File": "/no/such/folder/tmrd.log" });
    reload(&cluster, &mute.to_string(), "/no/such/folder/tmrd.log: No such file or directory");
    assert_eq!(status(), before);
    works(&mut client);
    works(&mut cluster.client());
}

fn ports_move_under_a_client_that_stays(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let seat = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    let (old, old_admin) = (cluster.front().licence(), cluster.front().admin());
    let mut config = read(&cluster, 0);
    let new = SocketAddr::new(old.ip(), free_port(&cluster));
    config["TmrServer"]["Port"] = new.port().into();
    let new_admin = SocketAddr::new(old.ip(), free_port(&cluster));
    config["WebAdmin"]["Port"] = new_admin.port().into();
    reload(&cluster, &config.to_string(), "is in force");
    assert!(TcpStream::connect(old).is_err() && TcpStream::connect(old_admin).is_err());
    works(&mut client);
    works(&mut Client::connect(new).unwrap());
    let status = get_json(new_admin, "/api/status").unwrap();
    assert_eq!(
        (&status["role"], &status["allocations"][0]["handle"]),
        (&"active".into(), &seat.into())
    );
    // The front listens on all addresses, at the same port.
    config["TmrServer"]["Ip"] = "0.0.0.0".into();
    reload(&cluster, &config.to_string(), "is in force");
    works(&mut client);
    works(&mut Client::connect(new).unwrap());
}

fn a_backend_is_found_at_its_new_address(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    let port = free_port(&cluster);
    cluster.backends[1].kill();
    let arguments = cluster.backend_arguments(2, port, 0);
    cluster.backends[1].restart(&arguments).unwrap();
    let mut config = read(&cluster, 0);
    config["CmServer"]["Server"][1]["Port"] = port.into();
    reload(&cluster, &config.to_string(), "is in force");
    cluster.wait_whole(0);
    let at = cluster.backends[1].licence().to_string();
    assert_eq!(cluster.status()["backends"][1]["address"], at);
    assert_eq!(cluster.used(TMR), 1);
    works(&mut client);
}

/// Returns what a front reports about its configuration.
fn shown(admin: SocketAddr) -> Value {
    get_json(admin, "/api/config").expect("the configuration of a front")
}

fn a_change_at_the_web_admin_is_written_back_and_reaches_the_twin(runtime: Runtime) {
    let cluster = Cluster::of(runtime).twin().start();
    for front in [0, 1] {
        cluster.set_password(front, "operator", PASSWORD);
    }
    let admins = [0, 1].map(|front: usize| cluster.fronts[front].admin());
    for admin in admins {
        status_until(admin, "the twin", |it| (it["twin"]["synced"] == true).then_some(()));
    }
    fs::set_permissions(file(&cluster, 0), fs::Permissions::from_mode(0o640)).unwrap();
    let text = shown(admins[0])["text"].as_str().unwrap().to_owned();
    assert_eq!(text, fs::read_to_string(file(&cluster, 0)).unwrap());
    let changed = text.replacen(
        "{\"NetworkRetryIntervalInSeconds\":2",
        "{\n \"NetworkRetryIntervalInSeconds\": 7",
        1,
    );
    assert_ne!(changed, text);
    let (status, body) = post_text(admins[0], "/api/config", &changed).unwrap();
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer), (200, &json!({ "revision": 1, "after_restart": [] })));
    let written = fs::read_to_string(file(&cluster, 0)).unwrap();
    assert_eq!(written, changed.replacen("\"TmrServer\":{", "\"TmrServer\":{\"Revision\": 1, ", 1));
    assert_eq!(fs::metadata(file(&cluster, 0)).unwrap().mode() & 0o777, 0o640);
    // The twin adopts the shared keys, and keeps its own.
    until("the twin to follow", || (shown(admins[1])["revision"] == 1).then_some(()));
    let (one, two) = (read(&cluster, 0), read(&cluster, 1));
    assert_eq!(one["CmServer"], two["CmServer"]);
    assert_eq!(two["CmServer"]["NetworkRetryIntervalInSeconds"], 7);
    assert_ne!(one["TmrServer"]["TwinServer"], two["TmrServer"]["TwinServer"]);
    for admin in admins {
        status_until(admin, "no difference", |status| {
            let twin = &status["twin"];
            (twin["differs"] == json!([]) && twin["configuration_trouble"].is_null()).then_some(())
        });
    }
    // A change at the other front reaches the first one.
    let text = shown(admins[1])["text"].as_str().unwrap().replacen(": 7", ": 8", 1);
    assert_eq!(post_text(admins[1], "/api/config", &text).unwrap().0, 200);
    until("the first one to follow", || (shown(admins[0])["revision"] == 2).then_some(()));
    assert_eq!(read(&cluster, 0)["CmServer"]["NetworkRetryIntervalInSeconds"], 8);
}

fn what_cannot_come_into_force_is_refused_whole(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    cluster.set_password(0, "operator", PASSWORD);
    let admin = cluster.front().admin();
    let text = shown(admin)["text"].as_str().unwrap().to_owned();
    let post = |text: &str| {
        let (status, body) = post_text(admin, "/api/config", text).unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, said) = post(&text.replace("\"CmServer\"", "\"CmSever\""));
    assert_eq!((status, &said["line"], &said["key"]), (400, &1.into(), &Value::Null));
    assert_eq!(said["message"], "unknown key \"CmSever\"; did you mean \"CmServer\"?");
    // The port is in use by another program.
    let taken = TcpListener::bind((cluster.workshop().ip(), 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut busy: Value = serde_json::from_str(&text).unwrap();
    busy["WebAdmin"]["Port"] = port.into();
    let (status, said) = post(&busy.to_string());
    assert_eq!(status, 409);
    assert!(said["message"].as_str().unwrap().contains("Address already in use"), "{said}");
    // The file was changed, and not read yet.
    let by_hand = text.replacen('{', "{ ", 1);
    fs::write(file(&cluster, 0), &by_hand).unwrap();
    let (status, said) = post(&text);
    assert_eq!(status, 409);
    assert!(said["message"].as_str().unwrap().contains("SIGHUP"), "{said}");
    assert_eq!(fs::read_to_string(file(&cluster, 0)).unwrap(), by_hand);
    reload(&cluster, &by_hand, "is in force");
    assert_eq!(shown(admin)["text"], by_hand);
    // Another change was faster.
    assert_eq!(post(&by_hand).0, 200);
    assert_eq!(post(&by_hand).0, 409);
    assert_eq!(get(admin, "/readyz").unwrap().0, 200);
}

fn the_usage_history_moves_stops_and_goes_on(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let base = cluster.workshop().folder();
    let (old, new) = (base.join("front-0/history"), base.join("elsewhere/history"));
    let whole = read(&cluster, 0);
    let put = |tracking: Value, said: &str| {
        let mut config = whole.clone();
        config["LicenseTracking"] = tracking;
        reload(&cluster, &config.to_string(), said);
    };
    let mut client = cluster.client();
    let mut take = || take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    let has = |of: Kind, seat: u32| move |it: &Record| it.kind == of && it.handle == seat;
    let written = |seat: u32| {
        let access = has(Kind::Access, seat);
        until("the access in the new folder", || records(&new).iter().any(access).then_some(()));
    };

    // Records that wait when the new folder comes into force belong to the old one.
    let first = take();
    put(json!({ "Path": "elsewhere/history" }), "is in force");
    let second = take();
    written(second);
    let seats = |folder: &PathBuf| -> Vec<u32> {
        let accesses = records(folder).into_iter().filter(|it| it.kind == Kind::Access);
        accesses.map(|it| it.handle).collect()
    };
    assert_eq!((seats(&old), seats(&new)), (vec![first], vec![second]), "each once");
    let line = format!("AccessID:{second},");
    let tracked = || history_files(&new, "tracking-").concat().contains(&line).then_some(());
    until("it in a licence tracking file", tracked);

    // No record is written; when records are written again, the gap is reported.
    put(json!({ "Path": "elsewhere/history", "Enabled": false }), "history: no files any more");
    let unwritten = take();
    put(json!({ "Path": "elsewhere/history" }), "history: from now on in");
    let third = take();
    written(third);
    assert_eq!((seats(&old), seats(&new)), (vec![first], vec![second, third]), "not {unwritten}");
    let lost: Vec<u64> =
        records(&new).iter().filter(|it| it.kind == Kind::Lost).map(|it| it.count).collect();
    assert_eq!(lost, [1]);
    let usage = get_json(cluster.front().admin(), "/api/usage").unwrap();
    let peak =
        usage["licenses"][0]["max_used"].as_array().unwrap().iter().filter_map(Value::as_u64).max();
    assert_eq!(peak, Some(4), "the charts have all: {usage:#}");

    // The new folder cannot be used: the old one stays in use, and the server continues.
    let file = base.join("no-folder");
    fs::write(&file, "a file").unwrap();
    let in_force = shown(cluster.front().admin());
    for path in [file.clone(), file.join("below")] {
        let said = format!(
            "LicenseTracking.Path: {}: Not a directory; nothing has changed",
            path.display()
        );
        put(json!({ "Path": path }), &said);
    }
    assert_eq!(shown(cluster.front().admin()), in_force);
    let last = take();
    written(last);
    give_back(&mut client, last).unwrap().unwrap();
    let released = has(Kind::Release, last);
    until("its end", || records(&new).iter().any(released).then_some(()));
}

fn a_log_file_may_be_cut_off_or_moved_away(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let path = cluster.workshop().folder().join("front.log");
    let text = || fs::read_to_string(&path).unwrap_or_default();
    let mut config = read(&cluster, 0);
    let mut put = |level: &str, format: &str, said: &str| {
        config["Log"] = json!({ "File": "front.log", "Level": level, "Format": format });
        reload(&cluster, &config.to_string(), said);
    };
    put("info", "text", "is in force");
    until("a line", || text().contains("is in force").then_some(()));
    assert!(text().starts_with("20"), "a line has its time: {}", text());
    let debug = || drop(get(cluster.front().admin(), "/healthz").unwrap());
    debug();
    assert!(!text().contains("closed"), "{}", text());
    put("tmr_runtime_std::daemon::timed=debug,info", "text", "is in force");
    until("what is said at that level", || {
        debug();
        text().contains("closed").then_some(())
    });

    // copytruncate: the next line is at the beginning of the file.
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    put("info", "json", "is in force");
    until("a line of JSON", || text().contains('{').then_some(()));
    let data = fs::metadata(&path).unwrap();
    assert_eq!(data.len(), u64::try_from(text().len()).unwrap());
    assert!(!text().contains('\0') && data.blocks() * 512 >= data.len(), "a hole: {data:?}");
    let last: Value = serde_json::from_str(text().lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["level"], &last["target"]),
        (&"INFO".into(), &"tmr_runtime_std::daemon::settings".into())
    );
    assert!(last["message"].as_str().unwrap().contains("is in force"));
    assert!(last["timestamp"].as_str().unwrap().ends_with('Z'));

    // The log was moved away: SIGHUP opens a new file.
    fs::rename(&path, path.with_extension("1")).unwrap();
    put("info", "json", "is in force");
    until("the new file", || text().contains("is in force").then_some(()));
}

fn a_log_file_that_cannot_be_written_stops_nothing(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |config| {
        config["Log"] = json!({ "File": "/no/such/folder/tmrd.log" });
    });
    cluster.activate(0);
    works(&mut cluster.client());
    let said =
        "/no/such/folder/tmrd.log: No such file or directory; logging to standard error only";
    assert!(cluster.front().log_text().contains(said), "{}", cluster.front().log_text());
    // A backend has the same option on its command line.
    let path = cluster.workshop().folder().join("backend.log");
    let (port, admin) = (cluster.backends[0].licence().port(), cluster.backends[0].admin().port());
    let mut arguments = cluster.backend_arguments(1, port, admin);
    arguments.extend([
        "--log-format".into(),
        "json".into(),
        "--log-file".into(),
        path.clone().into(),
    ]);
    cluster.backends[0].kill();
    cluster.backends[0].restart(&arguments).unwrap();
    cluster.wait_whole(0);
    let text =
        until("a line", || fs::read_to_string(&path).ok().filter(|text| text.contains('\n')));
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(line["message"].is_string(), "{line}");
    fs::rename(&path, path.with_extension("1")).unwrap();
    signal("HUP", &[cluster.backends[0].pid()]);
    until("a new file", || path.exists().then_some(()));
}

//! The Unix socket for programs of the machine: keepalived's scripts and the command line are
//! answered independently of ports, addresses, passwords and floods.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tmr_core::history::{Kind, Record};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, SEATS, TMR, get, get_json, get_with, give_back, missing,
    post, records, signal, take, until, within,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    every_server_answers_by_its_socket,
    no_flood_of_links_keeps_the_machine_itself_out,
    with_passwords_a_loopback_address_reads_health_and_nothing_else,
    another_address_of_the_admin_pages_ends_no_service,
    a_socket_that_was_left_makes_room_and_one_in_use_goes_with_its_server,
    a_socket_that_is_removed_comes_back,
    what_somebody_has_removed_under_a_running_server_is_told_with_what_to_do,
    refusals_that_were_only_counted_are_recorded_at_the_end,
    the_machine_s_own_socket_is_as_good_as_the_operator_s_password,
    a_server_whose_state_folder_has_a_long_path_serves_without_its_socket,
    nobody_but_the_servers_user_and_group_comes_in,
);

/// The user id of `nobody`.
const NOBODY: u32 = 65_534;

fn socket_in(cluster: &Cluster, server: &str) -> PathBuf {
    cluster.workshop().folder().join(server).join("admin.sock")
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Checks that a client gets a seat.
fn served(cluster: &Cluster) {
    let mut client = cluster.client();
    let seat = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    assert_eq!(give_back(&mut client, seat).unwrap(), Ok(0));
}

/// Runs the command of keepalived's track script.
#[track_caller]
fn tracked(cluster: &Cluster, socket: &Path) {
    for what in ["status", "manual-failover"] {
        cluster.program().run(["track", what, "--admin", name(socket)]).expect(0);
    }
}

fn every_server_answers_by_its_socket(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let front = socket_in(&cluster, "front-0");
    let backend = cluster.workshop().state(1).join("admin.sock");
    for (socket, role) in [(&front, "active"), (&backend, "backend")] {
        let data = fs::symlink_metadata(socket).unwrap();
        assert!(data.file_type().is_socket());
        assert_eq!(data.permissions().mode() & 0o7777, 0o660);
        let said = cluster.program().run(["status", "--json", "--admin", name(socket)]).expect(0);
        let status: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(status["role"], role);
    }
    tracked(&cluster, &front);
    cluster.program().run(["activate", "--admin", name(&front)]).expect(0);
    let well = ["notify", "INSTANCE", "x", "BACKUP", "250", "--admin", name(&front)];
    cluster.program().run(well).expect(0);
    cluster.program().run(["notify", "--admin", name(&front)]).expect(0);
    // A backend has a socket too, but the script asks for a front.
    let wrong: [&[&str]; 3] =
        [&["track", "status"], &["track", "manual-failover"], &["notify", "INSTANCE", "x"]];
    for command in wrong {
        let line = [command, &["--admin", name(&backend)]].concat();
        cluster.program().run(line).expect(2).one_clear_error(&["a backend", "ask a front"]);
    }
    let junk: [(&[&str], &str); 4] = [
        (&["junk"], "GROUP or INSTANCE, a name, a state and a priority"),
        (&["INSTANCE", "x"], "GROUP or INSTANCE, a name, a state and a priority"),
        (
            &["INSTANCE", "x", "FALT", "250"],
            "right would be MASTER, BACKUP, FAULT, STOP or DELETED",
        ),
        (&["GROUP", &"x".repeat(101), "FAULT", "250"], "101 bytes; right would be 100 at most"),
    ];
    for (words, right) in junk {
        let line = [&["notify"], words, &["--admin", name(&front)]].concat();
        cluster.program().run(line).expect(2).one_clear_error(&["notify: ", right]);
    }
    let log = cluster.fronts[0].log_text();
    assert!(log.contains("what tmrd notify was told does not count"), "{log}");
    let none = cluster.workshop().folder().join("none.sock");
    let end = cluster.program().run(["status", "--admin", name(&none)]).expect(4);
    end.one_clear_error(&[name(&none)]);
}

fn no_flood_of_links_keeps_the_machine_itself_out(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let socket = socket_in(&cluster, "front-0");
    let admin = cluster.front().admin();
    let licence = cluster.front().licence();
    let hold = |at: SocketAddr, count| -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect(at).unwrap()).collect()
    };
    let held = (hold(admin, 200), hold(licence, 500));
    // Silent connections to the socket do not block it either.
    let idle: Vec<UnixStream> = (0..200).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    tracked(&cluster, &socket);
    cluster.program().run(["status", "--admin", name(&socket)]).expect(0);
    let (_, metrics) = get(admin, "/metrics").unwrap();
    assert!(metrics.contains("machine-links"), "{metrics}");
    drop((held, idle));
}

fn with_passwords_a_loopback_address_reads_health_and_nothing_else(runtime: Runtime) {
    let cluster = Cluster::of(runtime).twin().start();
    let (admin, socket) = (cluster.fronts[0].admin(), socket_in(&cluster, "front-0"));
    cluster.activate(0);
    assert_eq!(get(admin, "/api/status").unwrap().0, 200, "without a password all may look");
    cluster.set_password(0, "operator", PASSWORD);
    cluster.set_password(0, "reader", "look at it");
    until("the passwords to hold", || (get(admin, "/api/status").ok()?.0 == 401).then_some(()));
    for path in ["/healthz", "/readyz", "/holdz"] {
        assert_eq!(get(admin, path).unwrap().0, 200, "{path}");
    }
    for path in ["/api/status", "/api/config", "/api/audit", "/api/events", "/api/usage"] {
        assert_eq!(get(admin, path).unwrap().0, 401, "{path}");
    }
    for path in ["/api/failover", "/api/activate", "/api/notify", "/api/recover"] {
        assert_eq!(post(admin, path).unwrap().0, 401, "{path}");
    }
    let (head, _) = get_with(admin, "/api/status", "X-Real-IP: 127.0.0.1\r\n").unwrap();
    assert!(head.contains(" 401 "), "{head}");
    // The machine itself needs no password.
    tracked(&cluster, &socket);
    cluster.program().run(["status", "--admin", name(&socket)]).expect(0);
    cluster.program().run(["failover", "--admin", name(&socket)]).expect(0);
}

fn another_address_of_the_admin_pages_ends_no_service(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let (before, socket) = (cluster.front().admin(), socket_in(&cluster, "front-0"));
    tracked(&cluster, &socket);
    let elsewhere = SocketAddr::from(([127, 77, 77, 77], before.port()));
    cluster.reload_front_with(0, |config| {
        config["WebAdmin"]["Ip"] = elsewhere.ip().to_string().into();
        config["WebAdmin"]["Port"] = elsewhere.port().into();
    });
    until("the pages to be elsewhere", || get(elsewhere, "/healthz").ok());
    until("the pages to be gone", || TcpStream::connect(before).err());
    tracked(&cluster, &socket);
    served(&cluster);
}

fn a_socket_that_was_left_makes_room_and_one_in_use_goes_with_its_server(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    let socket = socket_in(&cluster, "front-0");
    let held = UnixStream::connect(&socket).unwrap();
    cluster.fronts[0].kill();
    assert!(socket.exists(), "a server that is killed leaves it");
    drop(held);
    cluster.restart_front(0);
    cluster.wait_up(0);
    tracked(&cluster, &socket);
    signal("TERM", &[cluster.fronts[0].pid()]);
    cluster.fronts[0].wait();
    assert!(!socket.exists(), "a server that stops does not");
}

fn a_socket_that_is_removed_comes_back(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    for socket in [socket_in(&cluster, "front-0"), cluster.workshop().state(1).join("admin.sock")] {
        let held = UnixStream::connect(&socket).unwrap();
        fs::remove_file(&socket).unwrap();
        until("another socket", || UnixStream::connect(&socket).ok());
        cluster.program().run(["status", "--admin", name(&socket)]).expect(0);
        drop(held);
    }
}

fn the_machine_s_own_socket_is_as_good_as_the_operator_s_password(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    cluster.set_password(0, "operator", PASSWORD);
    let socket = socket_in(&cluster, "front-0");
    let mut client = cluster.client();
    let seat = take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).unwrap().unwrap();
    cluster
        .program()
        .run(["release", "--address", "127.0.0.1", "--admin", name(&socket)])
        .expect(0);
    until("the seat to be back", || give_back(&mut client, seat).ok()?.err());
    let at = format!("http://{}", cluster.front().admin());
    until("the password to hold", || {
        let end = cluster.program().run(["release", "--handle", "5", "--admin", &at]);
        end.err.contains("no password was read").then_some(())
    });
}

fn a_server_whose_state_folder_has_a_long_path_serves_without_its_socket(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    let folder = cluster.workshop().folder().join("x".repeat(100));
    cluster.backends[0].kill();
    cluster.restart_backend_with(0, |line| line.state.clone_from(&folder));
    assert!(folder.join("lock").exists() && !folder.join("admin.sock").exists());
    let log = cluster.backends[0].log_text();
    assert!(log.contains("admin.sock") && log.contains("at most"), "{log}");
}

fn nobody_but_the_servers_user_and_group_comes_in(runtime: Runtime) {
    if missing(rustix::process::geteuid().is_root(), "root, to be somebody else") {
        return;
    }
    let cluster = Cluster::of(runtime).start();
    let socket = socket_in(&cluster, "front-0");
    // The parent folders would already exclude other users.
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(cluster.workshop().folder(), 0o755);
    chmod(socket.parent().unwrap(), 0o755);
    let ask = |user, group| {
        let mut command = cluster.program().command(["track", "status", "--admin", name(&socket)]);
        command.uid(user).gid(group);
        let output = command.output();
        if missing(output.is_ok(), "a program that nobody may run") {
            return None;
        }
        let output = output.unwrap();
        Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let Some((code, said)) = ask(NOBODY, NOBODY) else { return };
    assert!(code == Some(4) && said.contains("Permission denied"), "{code:?} {said}");
    let Some((code, said)) = ask(NOBODY, 0) else { return };
    assert_eq!((code, &*said), (Some(0), ""), "who is in its group comes in");
    // If the folder is open to all users, the server checks the user of each connection.
    chmod(&socket, 0o666);
    let Some((code, said)) = ask(NOBODY, NOBODY) else { return };
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(ask(NOBODY, 0).unwrap().0, Some(0));
    // The server's own user is still served.
    let mut own = UnixStream::connect(&socket).unwrap();
    own.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = own.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it is not closed");
}

/// Returns the codes of a server's verdict.
fn codes(server: SocketAddr) -> Option<Vec<String>> {
    let status = get_json(server, "/api/status").ok()?;
    let code = |it: &serde_json::Value| it["code"].as_str().map(String::from);
    status["verdict"].as_array()?.iter().map(code).collect()
}

/// Returns the texts of a server's verdict with this code.
fn trouble(cluster: &Cluster, server: SocketAddr, code: &str) -> Option<String> {
    let status = get_json(server, "/api/status").ok()?;
    let found = status["verdict"].as_array()?.iter().find(|it| it["code"] == code)?.clone();
    let at = format!("http://{server}");
    // A red verdict has another exit code than a yellow one.
    let shown = cluster.program().run(["status", "--admin", &at]).out;
    let text = found["text"].as_str()?.to_owned();
    assert!(!shown.contains("All is well"), "{shown}");
    // More may have become known between the two commands.
    shown.contains(&text).then_some(text)
}

fn what_somebody_has_removed_under_a_running_server_is_told_with_what_to_do(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    let front = cluster.front().admin();
    let backend = cluster.backends[0].admin();
    let state = cluster.workshop().state(1);
    let socket = socket_in(&cluster, "front-0");
    let limit = Duration::from_secs(30);
    // There is one front.
    let before = vec![String::from("twin-down")];
    within(limit, "the group to be well", || (codes(front)? == before).then_some(()));
    // Another file is at the path of the front's socket.
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "").unwrap();
    // The backend's journal is removed while it is open.
    fs::remove_file(state.join("journal")).unwrap();
    let told =
        within(limit, "the front to miss its socket", || trouble(&cluster, front, "socket-lost"));
    assert!(told.contains("something else is there"), "{told}");
    let told = within(limit, "the backend to miss its journal", || {
        trouble(&cluster, backend, "state-lost")
    });
    assert!(told.contains("journal: the file is gone"), "{told}");
    let told =
        within(limit, "the front to hear of it", || trouble(&cluster, front, "backend-state-lost"));
    assert!(told.contains(&cluster.backends[0].licence().to_string()), "{told}");
    // The whole folder is removed, and the socket with it.
    fs::remove_dir_all(&state).unwrap();
    within(limit, "the backend to miss its folder", || {
        trouble(&cluster, backend, "state-lost").filter(|it| it.contains("the folder is gone"))
    });
    within(limit, "the front to hear of its socket", || {
        let status = get_json(front, "/api/status").ok()?;
        (status["backends"][0]["socket_lost"] == true).then_some(())
    });
    // A lost socket is not reported beside a lost state folder, because it follows from that.
    let told = codes(front).unwrap();
    assert!(told.contains(&"backend-state-lost".into()), "{told:?}");
    for server in [front, backend] {
        let told = codes(server).unwrap();
        let own = server == backend && told.iter().any(|code| code == "socket-lost");
        assert!(!own && !told.contains(&"backend-socket-lost".into()), "{told:?}");
    }
    // The recommended action repairs it.
    fs::remove_file(&socket).unwrap();
    within(limit, "the socket of the front", || UnixStream::connect(&socket).ok());
    cluster.backends[0].kill();
    cluster.restart_backend(0);
    within(limit, "all to be as well as before", || (codes(front)? == before).then_some(()));
    served(&cluster);
}

fn refusals_that_were_only_counted_are_recorded_at_the_end(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).start();
    let mut client = cluster.client();
    let ask = AccessRequest::new(FIRM_CODE, TMR);
    for _ in 0..SEATS {
        take(&mut client, &ask).unwrap().unwrap();
    }
    for _ in 0..5 {
        assert!(take(&mut client, &ask).unwrap().is_err(), "all seats are taken");
    }
    signal("TERM", &[cluster.fronts[0].pid()]);
    cluster.fronts[0].wait();
    let folder = cluster.workshop().folder().join("front-0").join("history");
    let denied = |record: &Record| record.kind == Kind::Denied;
    let denied: Vec<Record> = records(&folder).into_iter().filter(denied).collect();
    // The first refusal has a line of its own, and a second line counts the others.
    assert_eq!(denied.iter().map(|record| record.count.max(1)).sum::<u64>(), 5, "{denied:?}");
}

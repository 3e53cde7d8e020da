//! A peer without credentials cannot make a server use memory without a bound, by whatever it sends
//! and does not read.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, TMR, get, give_back, sign_in, status_until, take, until,
};
use tmr_tests::independent_client::{AccessRequest, Client, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    calls_whose_replies_nobody_reads_keep_no_memory,
    unfinished_messages_of_many_links_keep_no_more_than_their_budget,
    pages_that_are_asked_for_all_at_once_are_made_one_after_the_other,
    links_that_say_nothing_keep_nobody_out,
    every_link_is_asked_whether_its_peer_is_there,
    who_guesses_passwords_locks_no_known_browser_out,
);

/// The most bytes that a server may grow by under attack.
const GROWTH: u64 = 64 * 1024 * 1024;
/// The most bytes that a call may ask for.
const BUFFER: u32 = 128 * 1024;

/// Writes as much as the other end takes.
fn pour(socket: &mut TcpStream, bytes: &[u8]) {
    socket.set_nonblocking(true).expect("a socket");
    let mut rest = bytes;
    while let Ok(count) = socket.write(rest) {
        rest = &rest[count..];
        if rest.is_empty() {
            break;
        }
    }
}

/// Checks that another client gets a seat.
fn served(cluster: &Cluster) {
    let mut client = cluster.client();
    let seat =
        take(&mut client, &AccessRequest::new(FIRM_CODE, TMR)).expect("an answer").expect("a seat");
    assert_eq!(give_back(&mut client, seat).expect("an answer"), Ok(0));
}

fn calls_whose_replies_nobody_reads_keep_no_memory(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let listeners = [cluster.fronts[0].licence(), cluster.backends[0].licence()];
    served(&cluster);
    let idle = [cluster.fronts[0].memory(), cluster.backends[0].memory()];
    let mut attackers = Vec::new();
    for listener in listeners {
        for link in 0..16 {
            let mut client = Client::connect(listener).expect("it takes a client");
            // A handle of the service takes no seat, and its replies are as long as requested.
            let handle = take(&mut client, &AccessRequest::subsystem())
                .expect("an answer")
                .expect("a handle");
            let handle = if link % 2 == 0 { handle } else { 4711 };
            let call = client.frame(&get_info(handle, 4, BUFFER));
            let calls = call.repeat(64 * 1024 / call.len());
            pour(client.socket(), &calls);
            attackers.push(client);
        }
    }
    served(&cluster);
    for (server, idle) in [(&cluster.fronts[0], idle[0]), (&cluster.backends[0], idle[1])] {
        let grown = server.memory_peak().saturating_sub(idle);
        assert!(grown <= GROWTH, "{} has grown by {grown} bytes", server.name());
    }
    drop(attackers);
    served(&cluster);
}

fn unfinished_messages_of_many_links_keep_no_more_than_their_budget(runtime: Runtime) {
    const LINKS: usize = 600;
    let cluster = Cluster::of(runtime).start();
    served(&cluster);
    let front = &cluster.fronts[0];
    let idle = front.memory();
    // The head and all but the last bytes of a message of 256 KiB.
    let mut message = Vec::new();
    message.extend(b"samc");
    message.extend((256 * 1024_u32).to_le_bytes());
    message.extend([0x11, 0, 1, 0, 0, 0, 0, 0]);
    message.resize(16 + 250 * 1024, 0xa1);
    let connect = |_| Client::connect(front.licence()).expect("it takes a client");
    let mut attackers: Vec<Client> = (0..LINKS).map(connect).collect();
    for attacker in &mut attackers {
        let socket = attacker.socket();
        socket.set_write_timeout(Some(Duration::from_secs(2))).expect("a socket");
        // The server may close the connection meanwhile.
        let _ = socket.write_all(&message);
    }
    let grown = front.memory_peak().saturating_sub(idle);
    assert!(grown <= GROWTH, "{} has grown by {grown} bytes", front.name());
    served(&cluster);
    let counted = || {
        let (_, metrics) = get(front.admin(), "/metrics").ok()?;
        let line = metrics.lines().find(|line| line.contains("links-held"))?.to_owned();
        (!line.ends_with(" 0")).then_some(())
    };
    until("the limit to be counted", counted);
    let told = front
        .log_text()
        .lines()
        .filter(|line| line.contains("all together made the server keep"))
        .count();
    assert_eq!(told, 1, "one line for all of them");
}

fn pages_that_are_asked_for_all_at_once_are_made_one_after_the_other(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    served(&cluster);
    let front = &cluster.fronts[0];
    let idle = front.memory();
    let ask = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_400);
    let mut attackers: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(front.admin()).expect("it takes a connection")).collect();
    attackers.iter_mut().for_each(|socket| pour(socket, &ask));
    served(&cluster);
    let grown = front.memory_peak().saturating_sub(idle);
    assert!(grown <= GROWTH, "{} has grown by {grown} bytes", front.name());
}

fn who_guesses_passwords_locks_no_known_browser_out(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    cluster.set_password(0, "operator", PASSWORD);
    let at = cluster.fronts[0].admin();
    let (head, _) = sign_in(at, PASSWORD, "").expect("an answer");
    let known = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: tmrd-known-"));
    let known = known.and_then(|line| line.split(';').next()).expect("the browser is known now");
    let known = format!("Cookie: tmrd-known-{known}\r\n");
    let code = |password: &str, headers: &str| {
        let (head, _) = sign_in(at, password, headers).expect("an answer");
        head.get(9..12).expect("a status").to_owned()
    };
    let guesses: Vec<String> = (0..8).map(|guess| code(&format!("guess {guess}"), "")).collect();
    assert!(guesses.iter().any(|code| code == "429"), "{guesses:?}");
    assert_eq!(code(PASSWORD, ""), "429", "a stranger at the same address waits");
    for _ in 0..2 {
        assert_eq!(code(PASSWORD, &known), "200", "whoever has signed in here before does not");
    }
    served(&cluster);
    let lines = cluster.fronts[0].log_text();
    assert_eq!(lines.matches("sign-in with a wrong password").count(), 1, "{lines}");
}

/// Opens a link that has requested a page, got its answer, and stays open.
fn asked_once(at: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(at).expect("it takes a connection");
    socket.write_all(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    assert_ne!(socket.read(&mut [0; 4096]).expect("it answers"), 0, "it answers");
    socket
}

fn links_that_say_nothing_keep_nobody_out(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let synced = |status: &Value| (status["twin"]["synced"] == true).then_some(());
    let admin = cluster.fronts[0].admin();
    status_until(admin, "the fronts to be in sync", synced);
    let hold = |at: SocketAddr, count: usize| -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect(at).expect("it takes a connection")).collect()
    };
    // As many links as the admin port and the port for the twin accept.
    let pages = hold(admin, 100);
    // The same number of links that have got an answer.
    let asked: Vec<TcpStream> = (0..100).map(|_| asked_once(admin)).collect();
    assert_eq!(get(admin, "/api/status").expect("an answer").0, 200);
    let strangers = hold(cluster.twin_listener(0), 8);
    cluster.fronts[1].kill();
    cluster.restart_front(1);
    status_until(admin, "the fronts to be in sync again", synced);
    drop((pages, asked, strangers));
}

/// Returns the links of this machine at a listener, and whether the system probes their peers, by
/// `timer_active` of `/proc/net/tcp` (2: keepalive).
fn timers(listener: SocketAddr) -> Vec<bool> {
    let SocketAddr::V4(listener) = listener else { panic!("IPv4 in tests") };
    let [a, b, c, d] = listener.ip().octets();
    let local = format!("{:08X}:{:04X}", u32::from_le_bytes([a, b, c, d]), listener.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table of connections");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let established = rows.filter(|row| row.len() > 5 && row[1] == local && row[3] == "01");
    established.map(|row| row[5].starts_with("02:")).collect()
}

fn every_link_is_asked_whether_its_peer_is_there(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    served(&cluster);
    let front = &cluster.fronts[0];
    let held = (cluster.client(), TcpStream::connect(front.admin()).expect("a connection"));
    for listener in [front.licence(), front.admin(), cluster.backends[0].licence()] {
        until("a link that the system asks for", || {
            let timers = timers(listener);
            (!timers.is_empty() && timers.iter().all(|asked| *asked)).then_some(())
        });
    }
    drop(held);
}

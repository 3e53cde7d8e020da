//! Bytes that no client sends, and bytes that never arrive: each ends in a closed connection or a
//! clear error, memory stays bounded, and other clients are not affected.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, Server, SetOnDrop, TMR, give_back, missing, take, until,
};
use tmr_tests::independent_client::{
    AccessRequest, Client, Fault, INFO_BOX, Key, KeyPair, Person, Reply, envelope, get_info,
    get_version, handshake_body, release,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    rude_bytes_close_their_connection_only,
    a_conversation_may_end_at_every_byte,
    slow_senders_are_closed,
    thousands_of_silent_connections_disturb_nobody,
);

/// The limit for a connection that must close at once, on a loaded machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// A connection that has sent no whole frame within this time is closed.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// A frame that is incomplete after this time closes its connection.
const FRAME: Duration = Duration::from_secs(5);
/// The tolerance for a loaded machine.
const SLACK: Duration = Duration::from_secs(5);
/// The growth of a server's memory that a few bad connections may cause.
const SOME_MEMORY: u64 = 32 << 20;
/// The number of connections that send nothing.
const SILENT: u64 = 5_000;
/// The memory that one silent connection may cost the server. A server with a thread for each
/// connection would fail, because the stacks count.
const SILENT_MEMORY: u64 = 32 << 10;
/// Open files that are needed beside the silent connections.
const OTHER_FILES: u64 = 1_000;

/// Takes and releases a seat repeatedly during `rudeness`, and fails the test if one call fails.
fn with_bystander(cluster: &Cluster, rudeness: impl FnOnce()) {
    let mut client = cluster.client();
    let (stop, turns) = (AtomicBool::new(false), AtomicU32::new(0));
    let ask = AccessRequest::new(FIRM_CODE, TMR).by(Person::new("bystander", "ada"));
    thread::scope(|scope| {
        let bystander = scope.spawn(|| -> Result<(), Fault> {
            while !stop.load(Ordering::SeqCst) {
                let handle = take(&mut client, &ask)?.expect("a seat is free");
                give_back(&mut client, handle)?.expect("a seat can be given back");
                turns.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
        // The bystander ends also after a failed assertion.
        let stop_later = SetOnDrop(&stop);
        rudeness();
        let before = turns.load(Ordering::SeqCst);
        until("the bystander to be served afterwards", || {
            (turns.load(Ordering::SeqCst) > before || bystander.is_finished()).then_some(())
        });
        drop(stop_later);
        let end = bystander.join().expect("the bystander's requests are granted");
        end.expect("the bystander's connection stays open");
    });
}

/// Waits for the server to close; what it still sends is read and dropped.
fn closed_within(socket: &mut TcpStream, limit: Duration) -> bool {
    let start = Instant::now();
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out can be set");
    let mut bytes = [0; 4096];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return true,
        }
        if start.elapsed() > limit {
            return false;
        }
    }
}

#[track_caller]
fn open(server: SocketAddr) -> TcpStream {
    Client::open(server).expect("the server takes a connection")
}

#[track_caller]
fn connect(server: SocketAddr) -> Client {
    Client::connect(server).expect("the server takes a client")
}

/// Returns bytes that must close a connection if they are its beginning.
fn rude_openings() -> Vec<(&'static str, Vec<u8>)> {
    let point = KeyPair::fresh().expect("entropy").point();
    let announce = |length: u32| {
        let mut head = envelope(&[]);
        head[4..8].copy_from_slice(&length.to_le_bytes());
        head
    };
    let shake = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = handshake_body(&point);
        change(&mut body);
        envelope(&body)
    };
    vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: licences\r\nConnection: close\r\n\r\n".to_vec()),
        ("noise", (0..=255).rev().collect()),
        ("a length of 4 GiB", announce(u32::MAX)),
        ("a length of 64 MiB", announce(0x0400_0000)),
        ("a length of 0", announce(0)),
        ("selector 0xa0", envelope(&[[0xa0].as_slice(), &[0; 32]].concat())),
        ("an unknown selector", envelope(&[[0x17].as_slice(), &[0; 32]].concat())),
        ("0xa1 without key agreement", envelope(&[[0xa1].as_slice(), &[0; 32]].concat())),
        ("a point off the curve", shake(&|body| body[58] ^= 1)),
        ("a point of zeros", shake(&|body| body[3..].fill(0))),
        ("coordinates above the field", shake(&|body| body[3..].fill(0xff))),
        ("a compressed point", shake(&|body| body[2] = 2)),
        ("the point at infinity", envelope(&[0xa2, 0x05, 0x00])),
        ("another algorithm", shake(&|body| body[1] = 6)),
        ("a key agreement one byte short", shake(&|body| body.truncate(58))),
        ("a key agreement one byte long", shake(&|body| body.push(0))),
    ]
}

/// Returns bytes that must close the connection after the key agreement.
fn rude_frames(key: &Key) -> Vec<(&'static str, Vec<u8>)> {
    let protected = |plain: &[u8]| {
        let mut body = vec![0xa1];
        body.extend_from_slice(&key.encrypt(plain));
        envelope(&body)
    };
    // A call in two blocks with a wrong length field and a right checksum.
    let with_length = |length: u32| {
        let mut plain = Key::plain(&get_version(0));
        plain.truncate(24);
        plain.extend_from_slice(&length.to_le_bytes());
        Key::seal_check(&mut plain);
        protected(&plain)
    };
    let mut bad_check = Key::plain(&get_version(0));
    *bad_check.last_mut().expect("not empty") ^= 0x10;
    let mut no_blocks = vec![0xa1];
    no_blocks.extend_from_slice(&[0; 40]);
    vec![
        ("a bad check", protected(&bad_check)),
        ("a length field above the message", with_length(25)),
        ("a length field of 4 GiB", with_length(u32::MAX)),
        ("a call of no bytes", with_length(0)),
        ("a call of three bytes", with_length(3)),
        ("half a block", envelope(&no_blocks)),
        ("one block", envelope(&no_blocks[..17])),
        ("nothing after the selector", envelope(&[0xa1])),
        ("selector 0xa0", envelope(&[[0xa0].as_slice(), &[0; 32]].concat())),
        ("an envelope of nothing", envelope(&[])),
        ("no envelope", vec![0; 64]),
    ]
}

/// Returns whether the server may answer this call with an error instead of closing.
fn may_be_answered(what: &str) -> bool {
    matches!(what, "a call of no bytes" | "a call of three bytes")
}

fn rude_bytes_close_their_connection_only(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let servers = [cluster.front(), &cluster.backends[0]];
    let before = servers.map(Server::memory);
    with_bystander(&cluster, || {
        for server in servers {
            for (what, bytes) in rude_openings() {
                let mut socket = open(server.licence());
                socket.write_all(&bytes).expect("a few bytes can be sent");
                let name = server.name();
                assert!(closed_within(&mut socket, AT_ONCE), "{name}: open after {what}");
            }
            let count = rude_frames(connect(server.licence()).key()).len();
            for index in 0..count {
                let mut client = connect(server.licence());
                let (what, bytes) = rude_frames(client.key()).swap_remove(index);
                client.socket().write_all(&bytes).expect("a few bytes can be sent");
                let name = server.name();
                if may_be_answered(what) {
                    match client.receive() {
                        Ok(Reply { status, .. }) => assert_ne!(status, 0, "{name}: {what}"),
                        Err(Fault::Closed) => {}
                        Err(fault) => panic!("{name}: {what}: {fault}"),
                    }
                } else {
                    let closed = closed_within(client.socket(), AT_ONCE);
                    assert!(closed, "{name}: open after {what}");
                }
            }
            // The admin port accepts only HTTP.
            for bytes in [envelope(&[0; 99]), vec![b'x'; 40_000]] {
                let mut socket = open(server.admin());
                // The server may close before all is sent.
                let _ = socket.write_all(&bytes);
                let name = server.name();
                assert!(closed_within(&mut socket, FIRST_FRAME + SLACK), "{name}: admin side");
            }
        }
    });
    for (server, before) in servers.into_iter().zip(before) {
        let peak = server.memory_peak();
        assert!(peak < before + SOME_MEMORY, "{}: {before} bytes, then {peak}", server.name());
        assert!(!server.log_text().contains("panicked"), "{} panicked", server.name());
    }
}

/// Sends at most `room` bytes of a conversation, reads the reply to every whole request, and then
/// ends the sending. Returns the granted handle, if it was not released, and whether the whole
/// conversation was sent.
fn converse(server: SocketAddr, mut room: usize) -> (Option<u32>, bool) {
    let mut socket = open(server);
    let point = KeyPair::fresh().expect("entropy").point();
    let shake = envelope(&handshake_body(&point));
    if room < shake.len() {
        socket.write_all(&shake[..room]).expect("a few bytes can be sent");
        socket.shutdown(Shutdown::Write).expect("the sending can be ended");
        assert!(closed_within(&mut socket, AT_ONCE), "open after {room} bytes of the first frame");
        return (None, false);
    }
    room -= shake.len();
    let mut client = Client::shake(socket).expect("a key is agreed on");
    let ask = AccessRequest::new(FIRM_CODE, TMR).by(Person::new("cut", "ada"));
    let mut handle = None;
    for step in 0..3 {
        let request = match (step, handle) {
            (0, _) => ask.access(),
            (1, Some(handle)) => get_info(handle, INFO_BOX, 144),
            (_, Some(handle)) => release(handle),
            _ => panic!("no seat in step {step}"),
        };
        let frame = client.frame(&request);
        if room < frame.len() {
            client.socket().write_all(&frame[..room]).expect("a few bytes can be sent");
            client.socket().shutdown(Shutdown::Write).expect("the sending can be ended");
            let closed = closed_within(client.socket(), AT_ONCE);
            assert!(closed, "open after {room} bytes of step {step}");
            return (handle, false);
        }
        room -= frame.len();
        let reply = client.call(&request).expect("a whole request is answered");
        handle = match step {
            0 => Some(reply.done().expect("a seat is free")),
            1 => handle,
            _ => None,
        };
        assert_eq!(reply.status, 0, "step {step}");
    }
    (handle, true)
}

fn a_conversation_may_end_at_every_byte(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let server = cluster.front().licence();
    with_bystander(&cluster, || {
        let mut cleaner = cluster.client();
        // The first call is sent at once, because a connection without one is closed as silent.
        assert_eq!(cleaner.call(&get_version(0)).expect("an answer").status, 0);
        for room in 0.. {
            let (handle, whole) = converse(server, room);
            if let Some(handle) = handle {
                let answer = give_back(&mut cleaner, handle).expect("the connection stays open");
                assert_eq!(answer.err(), None, "the seat outlives the cut at {room}");
            }
            if whole {
                assert!(room > 300, "a conversation of {room} bytes");
                break;
            }
        }
    });
    assert_eq!(cluster.used(TMR), 0, "no seat is left");
}

/// Sends one byte a second until the server closes. Returns the time until then, unless the bytes
/// end before.
fn drip(mut socket: TcpStream, bytes: &[u8]) -> Option<Duration> {
    let start = Instant::now();
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out can be set");
    for byte in bytes {
        if socket.write_all(&[*byte]).is_err() {
            return Some(start.elapsed());
        }
        // Waits for the close; the time-out is the pace.
        match socket.read(&mut [0; 64]) {
            Ok(1..) => panic!("an answer to half a request"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) | Err(_) => return Some(start.elapsed()),
        }
    }
    None
}

fn slow_senders_are_closed(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let server = cluster.front().licence();
    let shake = envelope(&handshake_body(&KeyPair::fresh().expect("entropy").point()));
    // After the key agreement, and after a first whole call.
    let mut fresh = connect(server);
    let mut known = connect(server);
    assert_eq!(known.call(&get_version(0)).expect("an answer").status, 0);
    let request = AccessRequest::new(FIRM_CODE, TMR).access2();
    let cases = [
        ("its first frame", open(server), shake, FIRST_FRAME),
        ("its first call", clone(&mut fresh), fresh.frame(&request), FIRST_FRAME),
        ("its second call", clone(&mut known), known.frame(&request), FRAME),
        ("HTTP", open(cluster.front().admin()), vec![b'G'; 60], FIRST_FRAME),
    ];
    with_bystander(&cluster, || {
        thread::scope(|scope| {
            for (what, socket, bytes, limit) in &cases {
                scope.spawn(move || {
                    let socket = socket.try_clone().expect("a socket can be shared");
                    let took = drip(socket, bytes);
                    let took = took.unwrap_or_else(|| panic!("{what}, byte by byte: not closed"));
                    assert!(took <= *limit + SLACK, "{what}, byte by byte: closed after {took:?}");
                });
            }
        });
    });
    assert_eq!(cluster.used(TMR), 0);
}

fn clone(client: &mut Client) -> TcpStream {
    client.socket().try_clone().expect("a socket can be shared")
}

/// Raises the limit of open files of this process and its children to `wanted`. Returns the
/// resulting limit.
fn open_files(wanted: u64) -> u64 {
    let limits = || -> Option<(u64, u64)> {
        let text = fs::read_to_string("/proc/self/limits").ok()?;
        let row = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        let mut words = row.split_whitespace();
        let number = |word: &str| word.parse().unwrap_or(u64::MAX);
        Some((number(words.next()?), number(words.next()?)))
    };
    let (soft, hard) = limits().expect("the kernel says its limits");
    if soft >= wanted {
        return soft;
    }
    let new = wanted.min(hard);
    let pid = process::id().to_string();
    let prlimit = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={new}:{hard}")])
        .status()
        .is_ok_and(|status| status.success());
    if prlimit { limits().expect("the kernel says its limits").0 } else { soft }
}

fn thousands_of_silent_connections_disturb_nobody(runtime: Runtime) {
    // One runtime at a time: the connections of both would need twice the open files.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let files = open_files(SILENT + OTHER_FILES);
    let count = SILENT.min(files.saturating_sub(OTHER_FILES));
    let _ = missing(
        count == SILENT,
        &format!("{} open files for {SILENT} connections; it is {files}", SILENT + OTHER_FILES),
    );
    let cluster = Cluster::start(runtime);
    let front = cluster.front();
    let before = front.memory();
    with_bystander(&cluster, || {
        let mut silent: Vec<TcpStream> = (0..count).map(|_| open(front.licence())).collect();
        // A new client is served while all these connections exist.
        let mut late = cluster.client();
        assert_eq!(late.call(&get_version(0)).expect("an answer").status, 0);
        for (number, socket) in silent.iter_mut().enumerate() {
            let closed = closed_within(socket, FIRST_FRAME + SLACK);
            assert!(closed, "silent connection {number} of {count} is still open");
        }
    });
    let (peak, limit) = (front.memory_peak(), before + SOME_MEMORY + count * SILENT_MEMORY);
    assert!(peak < limit, "{before} bytes before, {peak} with {count} connections");
    assert_eq!(cluster.used(TMR), 0);
}

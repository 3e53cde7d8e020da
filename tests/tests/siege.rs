//! All at once: what strangers can do to the ports of five servers, each of which has 512 MB of room,
//! while somebody works. How long calls took meanwhile is printed; what is asserted is that all of
//! them were answered, that nobody ended, and what it cost in memory and in lines of the log.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::foreign::{Ask, Client, get_info};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, Server, TMR, get, give_back, sign_in, status_until, take, until,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(strangers_at_every_door_at_once_stop_nobody);

/// Room of each server, as on a small machine, in KiB; and the setting of the shipped units. Without it
/// glibc reserves 64 MB of addresses for each thread, used or not, and these count here.
const ROOM: &str = "ulimit -v 524288 && export MALLOC_ARENA_MAX=2";
/// Most that a server may grow by, in bytes.
const GROWTH: u64 = 64 * 1024 * 1024;
/// Who works meanwhile.
const WORKERS: usize = 4;
/// Lines of the log of each server: two a second, and what began before.
const LINES: usize = 2;
/// Unless `TMR_SECONDS` says otherwise.
const SECONDS: u64 = 10;

/// An attacker's address: not the one that the others come from.
fn stranger(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 66, 6, number).into()
}

/// Writes as much as the other end takes.
fn pour(socket: &mut TcpStream, bytes: &[u8]) {
    let _ = socket.set_nonblocking(true);
    let mut rest = bytes;
    while let Ok(count @ 1..) = socket.write(rest) {
        rest = &rest[count..];
    }
}

/// Keeps so many connections at a door, whose end is looked for now and then.
fn hold(at: SocketAddr, from: u8, count: usize, first: &[u8], over: &AtomicBool) -> usize {
    let mut held = Vec::new();
    let mut made = 0;
    while !over.load(Ordering::Relaxed) {
        if held.len() >= count {
            held.drain(..count / 4);
        }
        let Ok(mut socket) = Client::open_from(stranger(from), at) else { continue };
        pour(&mut socket, first);
        held.push(socket);
        made += 1;
    }
    made
}

/// Calls whose replies nobody reads.
fn shout(at: SocketAddr, from: u8, links: usize, over: &AtomicBool) -> usize {
    let mut made = 0;
    while !over.load(Ordering::Relaxed) {
        let mut clients = Vec::new();
        for _ in 0..links {
            let Ok(mut client) = Client::connect_from(stranger(from), at) else { continue };
            let call = client.frame(&get_info(4711, 4, 128 * 1024));
            let calls = call.repeat(64 * 1024 / call.len());
            pour(client.socket(), &calls);
            clients.push(client);
            made += 1;
        }
    }
    made
}

/// Handles that are nobody's, one after the other, and accesses in vain.
fn guess(at: SocketAddr, from: u8, over: &AtomicBool) -> usize {
    let mut made = 0;
    while !over.load(Ordering::Relaxed) {
        let Ok(mut client) = Client::connect_from(stranger(from), at) else { continue };
        for number in 0..1_000 {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let unknown = client.call(&get_info(number * 7_919 + 1, 4, 64)).is_ok();
            if !unknown || take(&mut client, &Ask::new(FIRM_CODE, 9_999)).is_err() {
                break;
            }
            made += 2;
        }
    }
    made
}

/// Says that it is over when it goes, also when that is because somebody has failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Takes a seat and gives it back, over and over. Returns how long each of these calls took.
fn work(at: SocketAddr, over: &AtomicBool) -> Vec<Duration> {
    let mut client = Client::connect(at).expect("it takes a client");
    let mut took = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let seat = take(&mut client, &Ask::new(FIRM_CODE, TMR)).expect("an answer");
        took.push(begun.elapsed());
        let begun = Instant::now();
        let seat = seat.expect("a seat");
        assert_eq!(give_back(&mut client, seat).expect("an answer"), Ok(0));
        took.push(begun.elapsed());
    }
    took
}

fn told(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 1_000).copied().unwrap_or_default();
    eprintln!(
        "{what}: {} calls, p50 {:?}, p99 {:?}, longest {:?}",
        took.len(),
        at(500),
        at(990),
        at(999)
    );
}

/// Works for so long.
fn worked(at: SocketAddr, time: Duration) -> Vec<Duration> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work(at, &over))).collect();
        let begun = Instant::now();
        while begun.elapsed() < time && workers.iter().all(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker fails")).collect()
    })
}

fn servers(cluster: &Cluster) -> impl Iterator<Item = &Server> {
    cluster.fronts.iter().chain(&cluster.backends)
}

fn strangers_at_every_door_at_once_stop_nobody(runtime: Runtime) {
    // One at a time: both would need twice the machine.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let time = std::env::var("TMR_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(time.unwrap_or(SECONDS));
    let mut cluster = Cluster::of(runtime).twin().after(ROOM).start();
    let admins = [cluster.fronts[0].admin(), cluster.fronts[1].admin()];
    for admin in admins {
        status_until(admin, "the fronts to be in sync", |status| {
            (status["twin"]["synced"] == true).then_some(())
        });
    }
    let licence = cluster.fronts[0].licence();
    told("before", worked(licence, time / 5));
    let idle: Vec<u64> = servers(&cluster).map(Server::memory).collect();
    let lines: Vec<usize> = servers(&cluster).map(|it| it.log_text().lines().count()).collect();

    let backend = cluster.backends[0].licence();
    let twin = cluster.twin_door(0);
    let pages = b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_400);
    let mut unfinished = b"samc".to_vec();
    unfinished.extend((256 * 1024_u32).to_le_bytes());
    unfinished.extend([0x11, 0, 1, 0, 0, 0, 0, 0]);
    unfinished.resize(16 + 200 * 1024, 0xa1);
    let socket = cluster.workshop().folder().join("front-0/admin.sock").display().to_string();
    let (over, asked) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let begun = Instant::now();
    let took = thread::scope(|scope| {
        let over = &over;
        scope.spawn(|| shout(licence, 1, 13, over));
        scope.spawn(|| shout(backend, 1, 4, over));
        scope.spawn(|| hold(licence, 2, 1_500, &unfinished, over));
        scope.spawn(|| hold(backend, 3, 1_500, &[], over));
        scope.spawn(|| hold(admins[0], 4, 120, &pages, over));
        scope.spawn(|| hold(twin, 5, 16, &[], over));
        scope.spawn(|| guess(licence, 6, over));
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // It is refused, or turned away: the door is full of others.
                let _ = sign_in(admins[0], "a guess", "");
            }
        });
        // What keepalived asks, by the program that it starts.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                cluster.program().run(["track", "status", "--admin", &socket]).expect(0);
                asked.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
            }
        });
        let _ends = Ends(over);
        worked(licence, time)
    });
    let seconds = begun.elapsed().as_secs() as usize + 1;
    told("meanwhile", took);
    let asked = asked.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(!asked.is_empty());
    told("what keepalived asks", asked);
    for (server, (idle, before)) in servers(&cluster).zip(idle.iter().zip(lines)) {
        let grown = server.memory_peak().saturating_sub(*idle);
        let logged = server.log_text().lines().count() - before;
        eprintln!("{} has grown by {} KiB and logged {logged} lines", server.name(), grown / 1024);
        assert!(grown <= GROWTH, "{} has grown by {grown} bytes", server.name());
        assert!(logged <= LINES * seconds + 20, "{}:\n{}", server.name(), server.log_text());
    }
    for server in cluster.fronts.iter_mut().chain(&mut cluster.backends) {
        assert!(server.runs(), "{} has ended", server.name());
    }
    for admin in admins {
        status_until(admin, "the fronts to be in sync", |status| {
            (status["twin"]["synced"] == true).then_some(())
        });
        assert_eq!(get(admin, "/healthz").expect("an answer").0, 200);
    }
    // Memory goes back to the system.
    for (server, idle) in servers(&cluster).zip(idle) {
        until("memory to go back", || (server.memory() <= idle + GROWTH / 2).then_some(()));
    }
}

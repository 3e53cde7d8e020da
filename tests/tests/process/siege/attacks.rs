//! The attacks on the listeners, each as one function that runs until the end and returns how often
//! it did its work; and the process that runs them. That is a separate one with the lowest
//! priority, because the measurement is of what servers do for an attacker, and not of the CPU time
//! that the attacker takes or the locks that it holds in the test.

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, io, thread};
use tmr_tests::harness::{Cluster, FIRM_CODE, sign_in, take};
use tmr_tests::independent_client::{
    AccessRequest, Client, KeyPair, envelope, get_info, handshake_body,
};

/// The listeners that are attacked.
pub(super) struct Listeners {
    /// The licence port of the active front.
    pub(super) licence: SocketAddr,
    /// The admin port of the active front.
    pub(super) admin: SocketAddr,
    /// The port for the twin of the active front.
    pub(super) twin: SocketAddr,
    /// The licence ports of the backends.
    pub(super) backends: Vec<SocketAddr>,
    /// Links that are held at each of two backends.
    pub(super) held: usize,
}

impl Listeners {
    pub(super) fn of(cluster: &Cluster, held: usize) -> Self {
        let front = cluster.front();
        Self {
            licence: front.licence(),
            admin: front.admin(),
            twin: cluster.twin_listener(0),
            backends: cluster.backends.iter().map(|backend| backend.licence()).collect(),
            held,
        }
    }
}

/// The variable for an attacker's process: the attack's number, then the listeners in order.
const TOLD: &str = "TMR_SIEGE_ATTACK";
/// The text that precedes the count in an attacker's output.
const MADE: &str = "attacks made: ";
/// The longest wait for attackers that were ordered to end.
const ENDS: Duration = Duration::from_secs(10);

impl Listeners {
    fn told(&self, attack: usize) -> String {
        let mut words = vec![attack.to_string(), self.held.to_string()];
        words.extend([self.licence, self.admin, self.twin].map(|listener| listener.to_string()));
        words.extend(self.backends.iter().map(ToString::to_string));
        words.join(" ")
    }

    fn heard(told: &str) -> Option<(usize, Self)> {
        let mut words = told.split(' ');
        let attack = words.next()?.parse().ok()?;
        let held = words.next()?.parse().ok()?;
        let mut listeners = words.map_while(|word| word.parse().ok());
        let (licence, admin, twin) = (listeners.next()?, listeners.next()?, listeners.next()?);
        Some((attack, Self { licence, admin, twin, backends: listeners.collect(), held }))
    }
}

/// A process that attacks until this is dropped.
pub(super) struct Attacker(Child);

impl Attacker {
    /// Starts the process; `attack` is an index into [`ATTACKS`].
    pub(super) fn start(listeners: &Listeners, attack: usize) -> Self {
        let test = env::current_exe().expect("a running test has a path");
        let child = Command::new(test)
            .args(["--exact", "attacks::the_process_of_an_attacker", "--ignored", "--nocapture"])
            .env(TOLD, listeners.told(attack))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(child.expect("a running test can be started"))
    }

    /// Ends all attackers at once, and returns how often they did their work in total. On a busy
    /// machine an attacker may get no processor time; if it does not end soon after the others, its
    /// count is unknown.
    pub(super) fn end_all(mut attackers: Vec<Self>) -> usize {
        for attacker in &mut attackers {
            drop(attacker.0.stdin.take());
        }
        let deadline = Instant::now() + ENDS;
        attackers.into_iter().map(|attacker| attacker.made(deadline)).sum()
    }

    fn made(mut self, deadline: Instant) -> usize {
        let mut ended = || self.0.try_wait().expect("a child of our own can be asked").is_some();
        while !ended() {
            if Instant::now() >= deadline {
                return 0;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let mut said = String::new();
        let out = self.0.stdout.take().expect("its output is a pipe");
        io::BufReader::new(out).read_to_string(&mut said).expect("it says something");
        let made = said.split_once(MADE).and_then(|(_, rest)| rest.split_whitespace().next());
        made.and_then(|made| made.parse().ok())
            .unwrap_or_else(|| panic!("an attacker failed: {said}"))
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "is started by the others, and told what to do"]
fn the_process_of_an_attacker() {
    let Ok(told) = env::var(TOLD) else { return };
    let (attack, listeners) = Listeners::heard(&told).expect("it is told what to do");
    // The priority is lower than that of the other processes, whatever theirs is.
    nice(19).expect("everybody may be nicer");
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files }).expect("as many files");
    let over = AtomicBool::new(false);
    let made = thread::scope(|scope| {
        let over = &over;
        let attacker = scope.spawn(move || ATTACKS[attack].1(&listeners, over));
        // The attack runs until the starting process ends this one, or has ended itself.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
        attacker.join().expect("no attacker fails")
    });
    println!("{MADE}{made}");
}

/// The function of an attack.
pub(super) type Attack = fn(&Listeners, &AtomicBool) -> usize;

/// Every attack, with its name.
pub(super) const ATTACKS: [(&str, Attack); 15] = [
    ("unread replies, front", |at, over| shout(at.licence, 1, 13, over)),
    ("unread replies, backend", |at, over| shout(at.backends[0], 1, 4, over)),
    ("unfinished messages", |at, over| hold(at.licence, 2, 1_500, &unfinished(), over)),
    ("pipelined pages", |at, over| hold(at.admin, 4, 120, &pages(), over)),
    ("guessed handles", |at, over| guess(at.licence, 6, over)),
    ("handles without a seat", |at, over| grab(at.licence, 7, over)),
    ("denied accesses", |at, over| denied(at.licence, 8, over)),
    ("idle links, admin", |at, over| hold(at.admin, 9, 120, &[], over)),
    ("idle links, twin", |at, over| hold(at.twin, 5, 16, &[], over)),
    ("idle links, backend 1", |at, over| crowd(at, 0, over)),
    ("idle links, backend 2", |at, over| crowd(at, 1, over)),
    ("knocks at every door", knock),
    ("key agreements", |at, over| agree(at.licence, 11, over)),
    ("wrong passwords", wrong_passwords),
    ("service handles, backend", |at, over| grab(at.backends[0], 12, over)),
];

fn goes_on(over: &AtomicBool) -> bool {
    !over.load(Ordering::Relaxed)
}

/// Returns an attacker's address, which differs from those of the clients.
fn stranger(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 66, 6, number).into()
}

/// Returns requests for the status, as many as fit into one write.
fn pages() -> Vec<u8> {
    b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_400)
}

/// Returns a key agreement, and most of a message of 256 KiB.
fn unfinished() -> Vec<u8> {
    let point = KeyPair::fresh().expect("randomness").point();
    let mut bytes = envelope(&handshake_body(&point));
    let whole = envelope(&vec![0xa1; 256 * 1024]);
    bytes.extend_from_slice(&whole[..200 * 1024]);
    bytes
}

/// Writes as much as the other end takes.
fn pour(socket: &mut TcpStream, bytes: &[u8]) {
    let _ = socket.set_nonblocking(true);
    let mut rest = bytes;
    while let Ok(count @ 1..) = socket.write(rest) {
        rest = &rest[count..];
    }
}

/// Keeps this number of connections at a listener, and renews a quarter of them when all are open.
fn hold(at: SocketAddr, from: u8, count: usize, first: &[u8], over: &AtomicBool) -> usize {
    let (mut held, mut made) = (Vec::new(), 0);
    while goes_on(over) {
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

/// Does the same at a backend, from several addresses, because the links of one address are
/// limited.
fn crowd(at: &Listeners, backend: u8, over: &AtomicBool) -> usize {
    let (mut held, mut made) = (Vec::new(), 0);
    while goes_on(over) {
        if held.len() >= at.held {
            held.drain(..at.held / 4);
        }
        let from = 20 + 20 * backend + u8::try_from(made / 1_000 % 20).unwrap_or_default();
        let listener = at.backends[usize::from(backend)];
        let Ok(socket) = Client::open_from(stranger(from), listener) else { continue };
        held.push(socket);
        made += 1;
    }
    made
}

/// Sends calls and reads no replies.
fn shout(at: SocketAddr, from: u8, links: usize, over: &AtomicBool) -> usize {
    let mut made = 0;
    while goes_on(over) {
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

/// Calls with one handle after the other that no client holds.
fn guess(at: SocketAddr, from: u8, over: &AtomicBool) -> usize {
    asks(at, from, over, |client, number| client.call(&get_info(number * 7_919 + 1, 4, 64)).is_ok())
}

/// Makes accesses that fail.
fn denied(at: SocketAddr, from: u8, over: &AtomicBool) -> usize {
    asks(at, from, over, |client, _| take(client, &AccessRequest::new(FIRM_CODE, 9_999)).is_ok())
}

/// Takes handles without a seat, without end.
fn grab(at: SocketAddr, from: u8, over: &AtomicBool) -> usize {
    asks(at, from, over, |client, _| take(client, &AccessRequest::subsystem()).is_ok())
}

/// Makes a thousand requests on each of eight links at once; `asked` handles each answer.
fn asks(
    at: SocketAddr,
    from: u8,
    over: &AtomicBool,
    asked: impl Fn(&mut Client, u32) -> bool + Sync,
) -> usize {
    let link = || {
        let mut made = 0;
        while goes_on(over) {
            let Ok(mut client) = Client::connect_from(stranger(from), at) else { continue };
            made += (0..1_000).take_while(|it| goes_on(over) && asked(&mut client, *it)).count();
        }
        made
    };
    thread::scope(|scope| {
        let links: Vec<_> = (0..8).map(|_| scope.spawn(link)).collect();
        links.into_iter().map(|link| link.join().expect("no link fails")).sum()
    })
}

/// Opens connections and closes them at once.
fn knock(at: &Listeners, over: &AtomicBool) -> usize {
    let listeners = [at.licence, at.admin, at.twin, at.backends[0]];
    let turns = listeners.iter().cycle().take_while(|_| goes_on(over));
    turns.filter(|listener| Client::open_from(stranger(10), **listener).is_ok()).count()
}

/// Sends the first half of a key agreement, which costs the sender nothing.
fn agree(at: SocketAddr, from: u8, over: &AtomicBool) -> usize {
    let hello = envelope(&handshake_body(&KeyPair::fresh().expect("randomness").point()));
    let (mut held, mut made) = (Vec::new(), 0);
    while goes_on(over) {
        let Ok(mut socket) = Client::open_from(stranger(from), at) else { continue };
        made += usize::from(socket.write_all(&hello).is_ok());
        held.push(socket);
        if held.len() >= 256 {
            held.drain(..128).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        }
    }
    made
}

/// Makes sign-ins that are refused, or rejected because the listener is full.
fn wrong_passwords(at: &Listeners, over: &AtomicBool) -> usize {
    let turns = std::iter::repeat(()).take_while(|()| goes_on(over));
    turns.filter(|()| sign_in(at.admin, "a guess", "").is_ok()).count()
}

//! The reactor of a front, at its admin listener: which thread writes a link, and that no thread
//! waits for a busy one.

use crate::host::workers;
use crate::reactor::connections::Connections;
use crate::reactor::greetings::Greeter;
use crate::reactor::listen::ListenAt;
use crate::reactor::polls::CHUNK;
use crate::reactor::tls::Tls;
use crate::reactor::{Actions, Incoming, PollBuffer, Reactor};
use crate::sync::lock;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tmr_core::base::limits::{
    ACCEPT_BACKOFF, ACCEPTS_AT_ONCE, CLEANUP_DEFAULT, GREETINGS_AT_ONCE as GREETINGS,
    NETWORK_RETRY, WRITE_TIMEOUT,
};
use tmr_core::base::network::Address;
use tmr_core::front::{self, Front};
use tmr_core::io::HostEvent;
use tmr_core::link::channel::{GroupKey, SecureChannel};
use tmr_core::link::{LinkId, Listener, NOT_READING};
use tmr_core::node::Node;
use tmr_core::node::hub::Hub;
use tmr_core::service::Identity;

fn reactor(polls: usize) -> Reactor {
    let (name, address) = ("server".into(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let node = Front::new(front::Config {
        identity: Identity { name, runtime: "threads", address },
        backends: [1, 2, 3].map(|port| Address { host: "192.0.2.1".into(), port }),
        retry: NETWORK_RETRY,
        unfenced: false,
        virtuals: Vec::new(),
        cleanup: CLEANUP_DEFAULT,
        policy: Default::default(),
        twin: None,
        front: 1,
        handle_key: tmr_core::service::HandleKey::default(),
        seed: [7; 32],
    });
    let connections =
        Connections { group: GroupKey::new([7; 32]), front: Some(1), tls: Tls::default() };
    let (outboxes, _) = workers::boxes();
    let hub = Hub::new(Node::Front(Box::new(node)));
    Reactor::new(hub, outboxes, connections, Vec::new(), polls).unwrap()
}

/// Opens a connection, and returns it with its link. Both ends have buffers of a few KB.
fn connect(reactor: &Reactor, listener: &TcpListener) -> (TcpStream, LinkId) {
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    set_socket_recv_buffer_size(&peer, 4096).unwrap();
    accept(reactor, Listener::Machine, listener);
    let link = *lock(&reactor.peers).keys().max().unwrap();
    (peer, link)
}

fn accept(reactor: &Reactor, kind: Listener, listener: &TcpListener) {
    let (socket, from) = listener.accept().unwrap();
    let incoming = Incoming { kind, socket: socket.into(), from };
    reactor.accepted(incoming, &mut Actions::default());
}

fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_socket_send_buffer_size(&listener, 4096).unwrap();
    listener
}

/// Three pages with different statuses.
const PAGES: [(&str, &str); 3] =
    [("GET /healthz", "200"), ("GET /nowhere", "404"), ("DELETE /", "405")];

fn request(number: usize) -> String {
    format!("{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", PAGES[number % 3].0)
}

/// Reads one response, and returns its status.
fn status(peer: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        peer.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    peer.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn each_link_gets_its_own_answers_in_order_whoever_writes_them() {
    const CLIENTS: usize = 12;
    const ASKED: usize = 120;
    let (reactor, listener, over) = (&reactor(2), listener(), &AtomicBool::new(false));
    let peers: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(reactor, &listener).0).collect();
    thread::scope(|scope| {
        for poll in 0..2 {
            scope.spawn(move || {
                let mut poll_buffer = PollBuffer::new(poll);
                while !over.load(Ordering::Relaxed) {
                    if reactor.turn(&mut poll_buffer, false).is_none() {
                        thread::yield_now();
                    }
                }
            });
        }
        // A third thread requests repeatedly that every link is written.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = reactor.host_event(HostEvent::Probe);
                let all: Vec<LinkId> = lock(&reactor.peers).keys().copied().collect();
                all.into_iter().for_each(|link| drop(reactor.flush(link)));
            }
        });
        let asking: Vec<_> = peers
            .into_iter()
            .map(|mut peer| {
                scope.spawn(move || {
                    let all: String = (0..ASKED).map(request).collect();
                    peer.write_all(all.as_bytes()).unwrap();
                    for number in 0..ASKED {
                        assert_eq!(status(&mut peer), PAGES[number % 3].1, "{number}");
                    }
                })
            })
            .collect();
        let ended: Vec<_> = asking.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
}

#[test]
fn who_finds_a_link_busy_leaves_word_and_goes_on() {
    let (reactor, listener) = (reactor(1), listener());
    let (_peer, link) = connect(&reactor, &listener);
    let peer = lock(&reactor.peers)[&link].clone();
    // Another thread writes the link: its connection is locked, and it will look for more.
    let connection = lock(&peer.connection);
    peer.asked.store(1, Ordering::Release);
    assert!(reactor.flush(link).is_none());
    assert!(reactor.flush(link).is_none());
    assert_eq!(peer.asked.load(Ordering::Acquire), 3);
    // No thread holds the hub's lock while it waits for this link.
    assert!(reactor.hub.try_lock().is_ok());
    drop(connection);
    peer.asked.store(0, Ordering::Release);
    assert!(reactor.flush(link).is_none());
    assert_eq!(peer.asked.load(Ordering::Acquire), 0);
}

#[test]
fn a_peer_that_does_not_read_stops_nobody_and_is_left_in_the_end() {
    let (reactor, listener) = (reactor(1), listener());
    let mut poll_buffer = PollBuffer::new(0);
    let ((mut deaf, link), (mut other, _)) =
        (connect(&reactor, &listener), connect(&reactor, &listener));
    let page = "GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    deaf.write_all(page.repeat(1000).as_bytes()).unwrap();
    let begun = Instant::now();
    while !lock(&reactor.hub).hub().is_stalled(link) {
        let _ = reactor.turn(&mut poll_buffer, false);
        assert!(begun.elapsed() < WRITE_TIMEOUT, "its answers all fit somewhere");
    }
    other.write_all(request(0).as_bytes()).unwrap();
    let _ = reactor.turn(&mut poll_buffer, true);
    assert_eq!(status(&mut other), PAGES[0].1);

    assert!(reactor.set_timer() <= WRITE_TIMEOUT);
    while lock(&reactor.peers).contains_key(&link) {
        thread::sleep(reactor.set_timer());
        let _ = reactor.tick();
        assert!(begun.elapsed() < WRITE_TIMEOUT * 2, "{NOT_READING}");
    }
    assert!(begun.elapsed() >= WRITE_TIMEOUT - Duration::from_secs(1));
    other.write_all(request(1).as_bytes()).unwrap();
    let _ = reactor.turn(&mut poll_buffer, true);
    assert_eq!(status(&mut other), PAGES[1].1);
}

/// Connects as a client, and sends its half of the key agreement.
fn knock(reactor: &Reactor, listener: &TcpListener) -> TcpStream {
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    accept(reactor, Listener::Licence, listener);
    let mut wire = Vec::new();
    SecureChannel::dial_server([9; 32]).greet(&mut wire);
    peer.write_all(&wire).unwrap();
    peer
}

#[test]
fn who_is_there_does_not_wait_for_a_crowd_that_comes() {
    let (reactor, listener) = (reactor(1), listener());
    let came: Vec<TcpStream> = (0..3 * GREETINGS).map(|_| knock(&reactor, &listener)).collect();
    let (mut there, _) = connect(&reactor, &listener);
    there.write_all(request(0).as_bytes()).unwrap();
    let mut poll_buffer = PollBuffer::new(0);
    let _ = reactor.turn(&mut poll_buffer, false).unwrap();
    assert_eq!(status(&mut there), PAGES[0].1);
    assert_eq!(reactor.ungreeted(), came.len(), "that is not this turn's to do");
    assert!(reactor.turn(&mut poll_buffer, false).is_none());
    let mut greeter = Greeter::new(&reactor);
    for left in [2 * GREETINGS, GREETINGS, 0] {
        assert!(greet(&reactor, &mut greeter).is_some());
        assert_eq!(reactor.ungreeted(), left);
    }
    // They are served here from now on, and each has received the other half.
    for mut peer in came {
        assert_ne!(peer.read(&mut [0; 256]).unwrap(), 0);
        drop(peer);
        assert!(reactor.turn(&mut poll_buffer, true).is_some());
    }
    assert_eq!(lock(&reactor.peers).len(), 1);
}

fn greet(reactor: &Reactor, greeter: &mut Greeter) -> Option<Actions> {
    reactor.greet_some(greeter, |chosen| {
        let heard = reactor.read_links(&chosen, &mut vec![0; CHUNK]);
        (chosen, heard)
    })
}

#[test]
fn who_has_hung_up_costs_no_key_agreement_and_keeps_no_place() {
    let (reactor, listener) = (reactor(1), listener());
    let gone = || drop(knock(&reactor, &listener));
    (0..3 * GREETINGS).for_each(|_| gone());
    let mut there = knock(&reactor, &listener);
    let mut greeter = Greeter::new(&reactor);
    assert!(greet(&reactor, &mut greeter).is_some());
    // All in one turn, though one turn computes a limited number only.
    assert_eq!(reactor.ungreeted(), 0);
    assert_eq!(lock(&reactor.peers).len(), 1);
    assert_ne!(there.read(&mut [0; 256]).unwrap(), 0);
}

#[test]
fn half_a_key_agreement_is_nobody_s_turn() {
    let (reactor, listener) = (reactor(1), listener());
    let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    accept(&reactor, Listener::Licence, &listener);
    let mut wire = Vec::new();
    SecureChannel::dial_server([9; 32]).greet(&mut wire);
    let mut greeter = Greeter::new(&reactor);
    for byte in wire {
        assert_eq!(reactor.ungreeted(), 1);
        peer.write_all(&[byte]).unwrap();
        assert!(greet(&reactor, &mut greeter).is_some());
    }
    assert_eq!(reactor.ungreeted(), 0);
}

/// Opens a listener at a port of the system's choice.
fn open(reactor: &Reactor, kind: Listener) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    reactor.listeners().open(kind, listener).unwrap();
    at
}

#[test]
fn a_crowd_at_one_listener_shuts_nobody_out_at_another() {
    let reactor = reactor(1);
    let (crowded, other) = (open(&reactor, Listener::Admin), open(&reactor, Listener::Twin));
    let crowd: Vec<TcpStream> =
        (0..2 * ACCEPTS_AT_ONCE.0).map(|_| TcpStream::connect(crowded).unwrap()).collect();
    let _late = TcpStream::connect(other).unwrap();
    let mut poll_buffer = PollBuffer::new(0);
    let there = || lock(&reactor.peers).len();
    let _ = reactor.turn(&mut poll_buffer, true).unwrap();
    assert_eq!(
        there(),
        ACCEPTS_AT_ONCE.0 + 1,
        "some of the crowd, and who came by the other listener"
    );
    let _ = reactor.turn(&mut poll_buffer, false).unwrap();
    assert_eq!(there(), crowd.len() + 1);
}

#[test]
fn who_has_something_to_say_does_not_wait_for_a_crowd_at_a_door() {
    let (reactor, listener) = (reactor(1), listener());
    let (mut there, _) = connect(&reactor, &listener);
    let crowded = open(&reactor, Listener::Admin);
    let _crowd: Vec<TcpStream> =
        (0..2 * ACCEPTS_AT_ONCE.0).map(|_| TcpStream::connect(crowded).unwrap()).collect();
    let mut poll_buffer = PollBuffer::new(0);
    for turn in 1..4 {
        there.write_all(request(0).as_bytes()).unwrap();
        let _ = reactor.turn(&mut poll_buffer, true).unwrap();
        assert_eq!(status(&mut there), PAGES[0].1);
        assert_eq!(lock(&reactor.peers).len(), 1 + turn * ACCEPTS_AT_ONCE.1);
    }
}

#[test]
fn a_door_moves_and_who_came_by_it_stays() {
    let reactor = reactor(2);
    // A port that is free at every address.
    let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let listener = TcpListener::bind(("127.0.0.1", free)).unwrap();
    let old = listener.local_addr().unwrap();
    reactor.listeners().open(Listener::Admin, listener).unwrap();
    let mut poll_buffer = [PollBuffer::new(0), PollBuffer::new(1)];
    let mut turn =
        || poll_buffer.iter_mut().for_each(|poll_buffer| drop(reactor.turn(poll_buffer, false)));
    let mut client = TcpStream::connect(old).unwrap();
    turn();
    let spot = |ip: &str, port| ListenAt {
        kind: Listener::Admin,
        what: "WebAdmin",
        at: Address { host: ip.into(), port },
    };
    // A port of another program: nothing changes.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let failed =
        reactor.listeners().prepare(&[spot("127.0.0.1", taken.local_addr().unwrap().port())]);
    assert!(failed.unwrap_err().text.contains("WebAdmin"));
    drop(TcpStream::connect(old).unwrap());
    // The same port at all addresses replaces the listener that has it at one address.
    let opened = reactor.listeners().prepare(&[spot("0.0.0.0", old.port())]).unwrap();
    reactor.listeners().swap(opened).unwrap();
    let mut late = TcpStream::connect(old).unwrap();
    turn();
    // No other program can bind to it meanwhile.
    assert!(TcpListener::bind(("0.0.0.0", old.port())).is_err());
    let opened = reactor.listeners().prepare(&[spot("127.0.0.1", 0)]).unwrap();
    let new = opened[0].1.local_addr().unwrap();
    reactor.listeners().swap(opened).unwrap();
    assert!(TcpStream::connect(old).is_err(), "nobody listens there any more");
    let mut newest = TcpStream::connect(new).unwrap();
    turn();
    for peer in [&mut client, &mut late, &mut newest] {
        peer.write_all(request(0).as_bytes()).unwrap();
        turn();
        assert_eq!(status(peer), PAGES[0].1);
    }
}

#[test]
fn a_door_that_fails_rests_and_is_tried_again() {
    let reactor = reactor(1);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Such a listener cannot accept, and each attempt is an error.
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    reactor.listeners().open(Listener::Admin, listener).unwrap();
    let mut poll_buffer = PollBuffer::new(0);
    for _ in 0..2 {
        assert!(reactor.turn(&mut poll_buffer, true).is_some());
        assert!(reactor.turn(&mut poll_buffer, false).is_none(), "it is left alone");
        assert!(reactor.set_timer() <= ACCEPT_BACKOFF);
        thread::sleep(ACCEPT_BACKOFF);
        let _ = reactor.tick();
    }
}

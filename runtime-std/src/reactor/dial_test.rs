use super::*;
use rustix::net::{bind, listen};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// A port where connections are neither accepted nor refused: its queue is full, and the system
/// ignores further ones.
struct Hole {
    at: SocketAddr,
    _listener: OwnedFd,
    _queued: Vec<OwnedFd>,
}

fn hole(ip: Ipv4Addr, port: u16) -> Hole {
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    bind(&listener, &SocketAddr::new(ip.into(), port)).unwrap();
    listen(&listener, 0).unwrap();
    let port = sockopt_port(&listener);
    let at = SocketAddr::new(ip.into(), port);
    // The queue takes one connection; further ones get no answer.
    let mut queued = Vec::new();
    loop {
        let socket = begin(at).unwrap();
        let open = [(at, socket)];
        let heard = wait(&open, Instant::now() + Duration::from_millis(50)).unwrap();
        let [(_, socket)] = open;
        queued.push(socket);
        if heard.is_empty() {
            return Hole { at, _listener: listener, _queued: queued };
        }
    }
}

fn sockopt_port(listener: &OwnedFd) -> u16 {
    let name = rustix::net::getsockname(listener).unwrap();
    SocketAddr::try_from(name).unwrap().port()
}

const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

#[test]
fn silent_addresses_cost_a_head_start_each() {
    let listener = TcpListener::bind((THIRD, 0)).unwrap();
    let good = listener.local_addr().unwrap();
    let (first, second) = (hole(Ipv4Addr::LOCALHOST, 0), hole(SECOND, 0));
    let begun = Instant::now();
    let until = begun + Duration::from_secs(60);
    let socket = race(&[first.at, second.at, good], until).ok().unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
    // Only the lower bound is fixed: the head starts of the other addresses.
    assert!(begun.elapsed() >= 2 * HEAD_START);
}

#[test]
fn who_refuses_costs_no_head_start() {
    let gone = TcpListener::bind((SECOND, 0)).unwrap().local_addr().unwrap();
    let silent = hole(THIRD, 0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let good = listener.local_addr().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    let socket = race(&[gone, good, silent.at], until).ok().unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
}

#[test]
fn what_went_wrong_is_told_by_address() {
    let gone = TcpListener::bind((SECOND, 0)).unwrap().local_addr().unwrap();
    let silent = hole(THIRD, 0);
    let within = Duration::from_millis(600);
    let lost = race(&[gone, silent.at], Instant::now() + within).err().unwrap();
    let text = lost.told(within);
    assert!(text.starts_with(&format!("{gone}: Connection refused")), "{text}");
    assert!(text.ends_with(&format!("{}: no answer within 0.6 s", silent.at)), "{text}");
}

#[test]
fn a_number_is_told_by_its_reason_alone() {
    let silent = hole(THIRD, 0).at;
    let to = Address { host: THIRD.to_string(), port: silent.port() };
    let kept = hole(THIRD, 0);
    let held = Address { host: THIRD.to_string(), port: kept.at.port() };
    let reason = dial_within(&held, Duration::from_millis(300)).unwrap_err();
    assert_eq!(reason, CloseReason::Timeout("connecting"));
    let reason = dial_within(&to, Duration::from_secs(60)).unwrap_err();
    assert_eq!(reason, CloseReason::Broken("Connection refused".into()));
}

#[test]
fn kinds_of_addresses_take_turns() {
    let six = |last| SocketAddr::new(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into(), 1);
    let four = |last| SocketAddr::new(Ipv4Addr::new(192, 0, 2, last).into(), 1);
    let found = vec![six(1), six(2), six(3), four(1), four(2)];
    assert_eq!(in_order(found), [six(1), four(1), six(2), four(2), six(3)]);
    assert_eq!(in_order(vec![four(1), six(1)]), [four(1), six(1)]);
    let many = (1..=20).map(six).collect();
    assert_eq!(in_order(many).len(), ADDRESSES_MAX);
}

#[test]
fn whoever_asks_for_a_name_that_is_being_looked_up_waits_for_that() {
    let name = "the.look-up.that.is.under.way.invalid";
    let running = Arc::<LookUp>::default();
    look_ups(|busy| busy.insert(name.to_owned(), Arc::clone(&running)));
    let ports: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind((SECOND, 0)).unwrap()).collect();
    let dials: Vec<_> = ports
        .iter()
        .map(|listener| {
            let port = listener.local_addr().unwrap().port();
            let to = Address { host: name.into(), port };
            std::thread::spawn(move || dial_within(&to, Duration::from_secs(60)))
        })
        .collect();
    // Both look-ups hold it, beside this test and the table.
    while Arc::strong_count(&running) < 4 {
        std::thread::yield_now();
    }
    look_ups(|busy| busy.remove(name));
    running.answer(Ok(vec![SocketAddr::new(SECOND.into(), 0)]));
    for (dial, listener) in dials.into_iter().zip(&ports) {
        let socket = dial.join().unwrap().expect("the running look-up serves both");
        assert_eq!(socket.peer_addr().unwrap(), listener.local_addr().unwrap());
    }
}

#[test]
fn a_look_up_without_an_answer_is_told_as_one() {
    let name = "the.look-up.that.hangs.invalid";
    look_ups(|busy| busy.insert(name.to_owned(), Arc::default()));
    let to = Address { host: name.into(), port: 1 };
    let reason = dial_within(&to, Duration::from_millis(50)).unwrap_err();
    assert!(reason.to_string().contains("does its DNS server answer?"), "{reason}");
    look_ups(|busy| busy.remove(name));
}

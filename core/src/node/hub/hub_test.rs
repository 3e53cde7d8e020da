//! Links: caps, time-outs, outboxes.

mod bounds;
mod budget;
mod waiting;

use crate::backend::{Backend, Config as BackendConfig};
use crate::base::limits::{
    CLEANUP_DEFAULT, CLIENT_LINKS_PER_ADDRESS, CROWDED_LINKS, FIRST_FRAME, FRAME_TIMEOUT,
    OUTBOX_FRAMES, PAGE_COST, PAGES_RATE,
};
use crate::base::network::Address;
use crate::base::time::{Duration, Mono, Now};
use crate::front::{Config, Front};
use crate::io::{BackendEvent, HostEvent, HostRequest, JournalWrite};
use crate::link::{CloseReason, Frame, LinkId, Listener, Outbox};
use crate::log::Mode;
use crate::messages::group::{Order, encode};
use crate::node::Node;
use crate::node::hub::{Arrived, Dial, Hub, Output};
use crate::testing::{ORDINARY, access, at, container, crypt, identity, peer, reply};
use crate::wire::{CmError, Reply, Request};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

fn backend() -> Hub {
    let config = BackendConfig {
        identity: identity(),
        containers: vec![container(0)],
        group_check: [0; 8],
        handle_key: crate::service::HandleKey::default(),
        seed: [1; 32],
    };
    let (node, _) = Backend::open(config, None).unwrap();
    let mut hub = Hub::new(Node::Backend(Box::new(node)));
    let mut out = Vec::new();
    hub.tick(at(0), &mut out);
    assert!(
        matches!(out[..], [Output::Host(HostRequest::Journal(JournalWrite::Rewrite(_)))]),
        "{out:?}"
    );
    hub.host_event(at(0), BackendEvent::JournalWritten.into(), &mut vec![]);
    hub
}

fn front() -> Hub {
    let backend = |port| Address { host: "backend".into(), port };
    Hub::new(Node::Front(Box::new(Front::new(Config {
        identity: identity(),
        backends: [1, 2, 3].map(backend),
        retry: Duration::from_secs(30),
        unfenced: false,
        virtuals: vec![],
        cleanup: CLEANUP_DEFAULT,
        policy: Default::default(),
        twin: None,
        front: 7,
        handle_key: crate::service::HandleKey::default(),
        seed: [1; 32],
    }))))
}

/// Returns complete frames, with nothing after them.
fn came(link: LinkId, frames: Vec<Frame>) -> Arrived {
    Arrived { link, frames, partial: false, held: 0 }
}

/// Returns complete frames, with the beginning of another one after them.
fn dribbled(link: LinkId, frames: Vec<Frame>) -> Arrived {
    Arrived { link, frames, partial: true, held: 0 }
}

/// Whether the output is a write at the end of the journal.
fn is_append(act: &Output) -> bool {
    matches!(act, Output::Host(HostRequest::Journal(JournalWrite::Append(_))))
}

fn servers() -> Vec<u8> {
    Request::GetServers { ctrl: 0, size: 64 }.encode()
}

fn calls(count: usize) -> Vec<Frame> {
    vec![Frame::Call(servers()); count]
}

fn after(span: Duration) -> Now {
    let now = at(0);
    Now { mono: now.mono + span, ..now }
}

const MICRO: Duration = Duration::from_micros(1);

const PAGE: &[u8] = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Returns the address of a link from another machine.
fn afar(port: u16) -> SocketAddr {
    ([192, 0, 2, 7], port).into()
}

fn here(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn links_and_limits_that_were_reached_are_told_before_a_page() {
    let (mut hub, mut out) = (backend().with_clients_max(2).with_files_max(99), vec![]);
    for port in 0..5 {
        hub.accept(at(0), Listener::Licence, peer(port), &mut out).unwrap();
    }
    let page = hub.accept(at(0), Listener::Admin, peer(9), &mut out).unwrap();
    let request = Frame::Http(b"GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n".to_vec());
    hub.received(at(0), [came(page, vec![request])], &mut out);
    let text = String::from_utf8(hub.outbox(page).frames.remove(0)).unwrap();
    for line in [
        "tmrd_links{door=\"licence\"} 2",
        "tmrd_links_max{door=\"licence\"} 2",
        "tmrd_links{door=\"admin\"} 1",
        "tmrd_limits_reached_total{limit=\"client-links\"} 3",
        "tmrd_limits_reached_total{limit=\"admin-links\"} 0",
        "process_max_fds 99",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn a_link_without_a_first_frame_is_closed_in_time() {
    let (mut hub, mut out) = (backend(), vec![]);
    let silent = hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap();
    let drips = hub.accept(at(0), Listener::Licence, peer(2), &mut out).unwrap();
    let talks = hub.accept(at(0), Listener::Licence, peer(3), &mut out).unwrap();
    let due = hub.deadline().unwrap();
    assert_eq!((due.at, due.reason), (at(0).mono + FIRST_FRAME, "slow link"));
    // Bytes of an incomplete frame do not extend the limit.
    let nearly = after(FIRST_FRAME - MICRO);
    hub.received(nearly, [dribbled(drips, vec![])], &mut out);
    hub.received(nearly, [came(talks, calls(1))], &mut out);
    assert_eq!(out, [Output::Wake(talks)]);
    hub.tick(nearly, &mut out);
    assert_eq!(out.len(), 1);
    hub.tick(after(FIRST_FRAME), &mut out);
    assert_eq!(out[1..], [Output::End(silent), Output::End(drips)]);
    let closed = Some(CloseReason::Timeout("the first frame"));
    assert_eq!(hub.outbox(silent), Outbox { close: closed.clone(), ..Outbox::default() });
    assert_eq!(hub.outbox(drips).close, closed);
    assert_eq!(hub.outbox(talks).close, None);
    assert_eq!(hub.deadline().map(|due| due.reason), Some("idle links"));
}

#[test]
fn a_frame_must_be_whole_in_time_however_it_drips() {
    let (mut hub, mut out) = (backend(), vec![]);
    let link = hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap();
    hub.received(at(1), [came(link, calls(1))], &mut out);
    hub.outbox(link);
    let reason = hub.deadline().map(|due| due.reason);
    assert_eq!(reason, Some("idle links"), "an idle link may idle for a while");
    hub.received(at(5), [dribbled(link, vec![])], &mut out);
    let due = at(5).mono + FRAME_TIMEOUT;
    assert_eq!(hub.deadline().map(|deadline| deadline.at), Some(due));
    hub.received(at(8), [dribbled(link, vec![])], &mut out);
    assert_eq!(hub.deadline().map(|deadline| deadline.at), Some(due));
    // After a complete frame the next one has begun. It is read only when the reply to the first
    // one has left, which is when its time limit starts.
    hub.received(at(9), [dribbled(link, calls(1))], &mut out);
    let reason = |hub: &Hub| hub.deadline().map(|due| due.reason);
    assert_eq!(reason(&hub), Some("idle links"));
    assert!(hub.outbox(link).waits);
    assert_eq!(reason(&hub), Some("idle links"));
    hub.left(at(9), [link], &mut out);
    let due = at(9).mono + FRAME_TIMEOUT;
    assert_eq!(hub.deadline().map(|deadline| deadline.at), Some(due));
    hub.received(at(10), [came(link, calls(1))], &mut out);
    hub.outbox(link);
    assert_eq!(reason(&hub), Some("idle links"));
    hub.received(at(20), [dribbled(link, vec![])], &mut out);
    hub.tick(at(25), &mut out);
    let outbox = hub.outbox(link);
    assert_eq!(outbox.close, Some(CloseReason::Timeout("a whole frame")));
    // The link is forgotten: further frames have no effect.
    out.clear();
    hub.received(at(25), [came(link, calls(1))], &mut out);
    assert_eq!(out, vec![]);
}

/// Returns orders of a front, on a link where it need not wait for the reports.
fn questions(count: usize) -> Vec<Frame> {
    vec![Frame::Batch(encode(1, &Order::Describe)); count]
}

#[test]
fn a_link_that_takes_nothing_is_closed_when_too_much_waits() {
    let (mut hub, mut out) = (backend(), vec![]);
    let front = |hub: &mut Hub, out: &mut Vec<Output>| {
        let link = hub.accept(at(0), Listener::Licence, peer(1), out).unwrap();
        let joined = vec![Frame::Joined { front: 1, minor: 0 }];
        hub.received(at(0), [came(link, joined)], out);
        link
    };
    let link = front(&mut hub, &mut out);
    hub.received(at(0), [came(link, questions(OUTBOX_FRAMES))], &mut out);
    assert_eq!(out, [Output::Wake(link)], "one wake-up for all");
    hub.received(at(0), [came(link, questions(3))], &mut out);
    let Outbox { frames, close, .. } = hub.outbox(link);
    assert_eq!(close, Some(CloseReason::Limit("frames waiting to be sent")));
    assert_eq!(frames, Vec::<Vec<u8>>::new());
    hub.closed(at(0), link, CloseReason::Eof, false, &mut out);
    assert_eq!(hub.outbox(link), Outbox { close: Some(CloseReason::Eof), ..Outbox::default() });
    // An outbox that is emptied in between has no limit.
    let link = front(&mut hub, &mut out);
    for _ in 0..2 {
        hub.received(at(0), [came(link, questions(OUTBOX_FRAMES))], &mut out);
        let outbox = hub.outbox(link);
        assert_eq!((outbox.frames.len(), outbox.close), (OUTBOX_FRAMES, None));
    }
}

#[test]
fn the_next_request_goes_to_the_node_when_the_reply_before_it_has_left() {
    let page = || Frame::Http(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec());
    for (listener, asked) in
        [(Listener::Licence, calls(3)), (Listener::Admin, vec![page(), page(), page()])]
    {
        let (mut hub, mut out) = (backend(), vec![]);
        let link = hub.accept(at(0), listener, peer(1), &mut out).unwrap();
        hub.received(at(0), [came(link, asked)], &mut out);
        for last in [false, false, true] {
            assert_eq!(core::mem::take(&mut out), [Output::Wake(link)]);
            let outbox = hub.outbox(link);
            assert_eq!((outbox.frames.len(), outbox.waits), (1, !last));
            // A reply that was taken out has not left: the peer may not be reading.
            assert_eq!(hub.outbox(link).frames.len(), 0);
            hub.host_event(at(1), HostEvent::Probe, &mut out);
            assert_eq!(out, []);
            hub.left(at(1), [link], &mut out);
        }
        assert_eq!(out, []);
    }
}

/// Counts the seats of the ordinary licence that are free, each taken by another client.
fn free(hub: &mut Hub) -> usize {
    let mut out = vec![];
    for count in 0.. {
        let link = hub.accept(at(2), Listener::Licence, peer(9), &mut out).unwrap();
        let call = Frame::Call(access(ORDINARY, Mode::UserLimit, 60));
        hub.received(at(2), [came(link, vec![call])], &mut out);
        if out.drain(..).any(|act| is_append(&act)) {
            hub.host_event(at(2), BackendEvent::JournalWritten.into(), &mut out);
        }
        if reply(&hub.outbox(link).frames[0]).0 != 0 {
            return count;
        }
    }
    unreachable!("seats end")
}

#[test]
fn a_reply_in_the_outbox_of_a_closed_link_was_not_sent() {
    // Whether the reply was taken out, and sent by the runtime, decides whether the seat is given
    // back.
    for (taken, unsent, left) in [(false, false, 5), (true, true, 5), (true, false, 4)] {
        let (mut hub, mut out) = (backend(), vec![]);
        let link = hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap();
        let call = Frame::Call(access(ORDINARY, Mode::UserLimit, 60));
        hub.received(at(0), [came(link, vec![call])], &mut out);
        assert!(matches!(&out[..], [one] if is_append(one)), "not before it is on disk");
        hub.host_event(at(0), BackendEvent::JournalWritten.into(), &mut out);
        assert_eq!(out[1..], [Output::Wake(link)]);
        if taken {
            assert_eq!(reply(&hub.outbox(link).frames[0]).0, 0);
        }
        hub.closed(at(1), link, CloseReason::Broken("reset".into()), unsent, &mut out);
        hub.host_event(at(1), BackendEvent::JournalWritten.into(), &mut vec![]);
        assert_eq!(free(&mut hub), left, "taken {taken}, unsent {unsent}");
    }
}

#[test]
fn a_link_that_nobody_knows_is_a_no_op() {
    let (mut hub, mut out) = (backend(), vec![]);
    let link = LinkId(4711);
    hub.received(at(0), [dribbled(link, vec![Frame::Call(crypt(1))])], &mut out);
    hub.closed(at(0), link, CloseReason::Eof, true, &mut out);
    assert_eq!(out, []);
    assert_eq!(hub.outbox(link), Outbox { close: Some(CloseReason::Eof), ..Outbox::default() });
    assert_eq!(hub.deadline(), None);
}

#[test]
fn dialled_and_accepted_links_have_different_names() {
    let (mut hub, mut out) = (front(), vec![]);
    hub.tick(at(1), &mut out);
    let mut names: Vec<LinkId> = Vec::new();
    for act in &out {
        let Output::Dial(Dial { link, .. }) = act else { panic!("{act:?}") };
        names.push(*link);
    }
    assert_eq!(names.len(), 3);
    for number in 0..8 {
        names.push(hub.accept(at(1), Listener::Licence, peer(number), &mut out).unwrap());
    }
    let unique: alloc::collections::BTreeSet<LinkId> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    // A link that could not be opened is dialled again later, under another id.
    out.clear();
    let reason = CloseReason::Broken("connection refused".into());
    hub.closed(at(1), names[0], reason, false, &mut out);
    assert_eq!(out, []);
    let due = hub.deadline().unwrap();
    assert!(due.at > at(1).mono && due.at < Mono(u64::MAX));
    hub.tick(Now { mono: due.at, ..at(1) }, &mut out);
    let again = out.iter().find_map(|act| match act {
        Output::Dial(Dial { link, to, .. }) => Some((*link, to.port)),
        _ => None,
    });
    let (link, port) = again.expect("dialled again");
    assert!(!names.contains(&link));
    assert_eq!(port, 1);
}

#[test]
fn who_asks_for_pages_without_end_waits_and_nobody_else_does() {
    let (mut hub, mut out) = (backend(), vec![]);
    let greedy: Vec<LinkId> = (0..8)
        .map(|port| hub.accept(at(0), Listener::Admin, afar(port), &mut out).unwrap())
        .collect();
    let mut served = 0;
    let turn = |hub: &mut Hub, now: Now, served: &mut usize| {
        let mut out = vec![];
        hub.tick(now, &mut out);
        for link in &greedy {
            let outbox = hub.outbox(*link);
            *served += outbox.frames.len();
            hub.left(now, [*link], &mut out);
            let asks = !outbox.frames.is_empty() || now == at(0);
            let frames = if asks { vec![Frame::Http(PAGE.to_vec())] } else { vec![] };
            hub.received(now, [came(*link, frames)], &mut out);
        }
    };
    for _ in 0..400 {
        turn(&mut hub, at(0), &mut served);
    }
    assert!(hub.deadline().is_some_and(|due| due.reason == "pages"), "{:?}", hub.deadline());
    let most = usize::try_from(PAGES_RATE / PAGE_COST).unwrap();
    assert!(served > most / 4 && served <= most + 8, "{served} of {most}");
    // Another address, and the machine by its socket, get theirs at once.
    let other = ([192, 0, 2, 8], 1).into();
    for (listener, from) in [(Listener::Admin, other), (Listener::Machine, here(1))] {
        let link = hub.accept(at(0), listener, from, &mut out).unwrap();
        hub.received(at(0), [came(link, vec![Frame::Http(PAGE.to_vec())])], &mut out);
        assert_eq!(hub.outbox(link).frames.len(), 1, "{listener:?}");
    }
    // A closed link waits for nothing; the others are served in time.
    hub.closed(at(0), greedy[0], CloseReason::Eof, false, &mut out);
    let before = served;
    let later = after(Duration::from_secs(1));
    for _ in 0..400 {
        turn(&mut hub, later, &mut served);
    }
    assert!(served > before + most / 4, "{served} after {before}");
}

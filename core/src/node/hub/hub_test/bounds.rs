//! Bounds on links: full listeners, and which link makes room.

use super::*;
use crate::base::limits::ADMIN_EXCHANGES;

#[test]
fn beyond_the_cap_clients_are_told_so_and_a_closed_link_makes_room() {
    let (mut hub, mut out) = (backend().with_clients_max(100), vec![]);
    let links: Vec<LinkId> = (0..100)
        .map(|_| hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap())
        .collect();
    hub.received(at(0), links.iter().map(|link| came(*link, calls(1))), &mut vec![]);
    let told: Vec<LinkId> = (0..CROWDED_LINKS)
        .map(|_| hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap())
        .collect();
    assert_eq!(out, []);
    // One more link takes the place of the oldest of these.
    let last = hub.accept(at(1), Listener::Licence, peer(1), &mut out).unwrap();
    assert_eq!(out, [Output::End(told[0])]);
    let overloaded = |hub: &mut Hub, link| {
        hub.received(at(1), [came(link, calls(1))], &mut vec![]);
        let frames = hub.outbox(link).frames;
        Reply::parse(&frames[0]).unwrap().status == CmError::REQUEST_OVERLOAD_REJECTED
    };
    assert!(overloaded(&mut hub, last));
    // The other listeners still accept.
    assert!(hub.accept(at(1), Listener::Admin, peer(1), &mut out).is_some());
    hub.closed(at(1), links[0], CloseReason::Eof, false, &mut out);
    hub.closed(at(1), links[0], CloseReason::Eof, false, &mut out);
    let link = hub.accept(at(1), Listener::Licence, peer(1), &mut out).unwrap();
    assert!(!links.contains(&link), "a link's name is never used again");
    assert!(!overloaded(&mut hub, link));
    let another = hub.accept(at(1), Listener::Licence, peer(1), &mut out).unwrap();
    assert!(overloaded(&mut hub, another));
}

#[test]
fn where_a_door_is_full_who_has_not_called_yet_makes_room() {
    let (mut hub, mut out) = (backend().with_clients_max(100), vec![]);
    let mut accept = |hub: &mut Hub, host: u8| {
        let from = ([192, 0, 2, host], 1).into();
        hub.accept(at(0), Listener::Licence, from, &mut out).unwrap()
    };
    let working: Vec<LinkId> = (0..60).map(|_| accept(&mut hub, 1)).collect();
    hub.received(at(0), working.iter().map(|link| came(*link, calls(1))), &mut vec![]);
    let flood: Vec<LinkId> = (0..4_000).map(|_| accept(&mut hub, 2)).collect();
    let honest = accept(&mut hub, 3);
    hub.received(at(0), [came(honest, calls(1))], &mut vec![]);
    let reply = hub.outbox(honest).frames.remove(0);
    assert_eq!(Reply::parse(&reply).unwrap().status, CmError(0));
    let ended = |link: &&LinkId| out.contains(&Output::End(**link));
    assert_eq!(working.iter().filter(ended).count(), 0);
    assert_eq!(flood.iter().filter(ended).count(), 4_000 - 39);
}

#[test]
fn a_front_that_proves_the_key_has_a_place_where_clients_have_taken_all() {
    let (mut hub, mut out) = (backend().with_clients_max(100), vec![]);
    for _ in 0..100 + CROWDED_LINKS {
        hub.accept(at(0), Listener::Licence, peer(1), &mut out).unwrap();
    }
    let front = hub.accept(at(1), Listener::Licence, afar(1), &mut out).unwrap();
    out.clear();
    let asks = vec![Frame::Joined { front: 1, minor: 0 }, questions(1).remove(0)];
    hub.received(at(1), [came(front, asks)], &mut out);
    assert_eq!(out, [Output::Wake(front)]);
    let Outbox { frames, close, .. } = hub.outbox(front);
    assert_eq!((frames.len(), close), (1, None));
    // It is no longer one of the links above the cap, which others may replace.
    out.clear();
    for _ in 0..=CROWDED_LINKS {
        hub.accept(at(2), Listener::Licence, peer(1), &mut out).unwrap();
    }
    assert!(!out.contains(&Output::End(front)), "{out:?}");
}

#[test]
fn pages_that_are_left_open_make_room_and_this_machine_always_has_some() {
    let (mut hub, mut out) = (backend(), vec![]);
    let accept = |hub: &mut Hub, second, from, out: &mut Vec<Output>| {
        hub.accept(at(second), Listener::Admin, from, out).unwrap()
    };
    accept(&mut hub, 0, here(1), &mut out);
    let idle: Vec<LinkId> = (1..64).map(|port| accept(&mut hub, 1, afar(port), &mut out)).collect();
    // A link with a request has been active later.
    let page = Frame::Http(PAGE.to_vec());
    hub.received(at(2), [came(idle[0], vec![page])], &mut out);
    hub.outbox(idle[0]);
    out.clear();
    accept(&mut hub, 3, afar(100), &mut out);
    assert_eq!(out, [Output::End(idle[1])], "not the one of this machine");
    out.clear();
    for port in 0..16 {
        accept(&mut hub, 4, here(port), &mut out);
    }
    assert_eq!(out, [], "there is room for this machine");
    accept(&mut hub, 5, here(20), &mut out);
    assert_eq!(out, [Output::End(idle[2])], "of the address with most links");
}

#[test]
fn an_address_that_connects_without_end_is_refused_and_others_take_places_from_it() {
    let (mut hub, mut out) = (backend(), vec![]);
    let places = |hub: &mut Hub, second, count: u16, out: &mut Vec<Output>| {
        let links =
            (0..count).filter_map(|port| hub.accept(at(second), Listener::Admin, afar(port), out));
        links.count()
    };
    assert_eq!(places(&mut hub, 5, 64, &mut out), 64);
    let (burst, rate) = ADMIN_EXCHANGES;
    let exchanged = places(&mut hub, 5, 10_000, &mut out);
    assert!(exchanged.abs_diff(burst as usize) <= 1, "{exchanged}");
    let exchanged = places(&mut hub, 6, 10_000, &mut out);
    assert!(exchanged.abs_diff(rate as usize) <= 1, "{exchanged}");
    out.clear();
    for port in 0..32 {
        assert!(hub.accept(at(6), Listener::Admin, peer(port), &mut out).is_some(), "{port}");
    }
    assert_eq!(out.len(), 32, "another address takes places from the one that has more: {out:?}");
}

#[test]
fn the_machine_itself_has_places_that_no_other_link_takes() {
    let (mut hub, mut out) = (backend(), vec![]);
    let mut own = Vec::new();
    for port in 0..64 {
        own.push(hub.accept(at(0), Listener::Machine, here(port), &mut out).unwrap());
    }
    for port in 0..200 {
        hub.accept(at(1), Listener::Admin, here(port), &mut out);
    }
    assert!(own.iter().all(|link| !out.contains(&Output::End(*link))), "{out:?}");
    // A link with a request is to be answered; of the others the one idle longest makes room.
    out.clear();
    hub.received(at(2), [came(own[0], vec![Frame::Http(PAGE.to_vec())])], &mut out);
    hub.accept(at(3), Listener::Machine, here(1), &mut out).expect("a place");
    assert!(out.contains(&Output::End(own[1])) && !out.contains(&Output::End(own[0])), "{out:?}");
}

#[test]
fn a_link_that_holds_nothing_and_says_nothing_ends_after_an_hour() {
    const HOUR: u64 = 60 * 60;
    let (mut hub, mut out) = (backend(), vec![]);
    let client = |hub: &mut Hub, second, frame, out: &mut Vec<Output>| {
        let link = hub.accept(at(second), Listener::Licence, afar(1), out).unwrap();
        hub.received(at(second), [came(link, vec![frame])], out);
        hub.outbox(link);
        link
    };
    let access = access(ORDINARY, Mode::UserLimit, 24 * 60 * 60);
    let idle = client(&mut hub, 0, calls(1).remove(0), &mut out);
    let holds = client(&mut hub, 0, Frame::Call(access), &mut out);
    let later = client(&mut hub, 30 * 60, calls(1).remove(0), &mut out);
    let front = client(&mut hub, 0, Frame::Joined { front: 1, minor: 0 }, &mut out);
    hub.host_event(at(0), BackendEvent::JournalWritten.into(), &mut out);
    out.clear();
    hub.tick(at(HOUR - 1), &mut out);
    assert!(!out.contains(&Output::End(idle)), "not before an hour is over");
    let due = hub.deadline().unwrap();
    assert!(due.at <= at(HOUR).mono, "{due:?}");
    hub.tick(at(HOUR), &mut out);
    assert!(out.contains(&Output::End(idle)), "{out:?}");
    for link in [holds, later, front] {
        assert!(!out.contains(&Output::End(link)), "{out:?}");
    }
    hub.tick(at(2 * HOUR), &mut out);
    assert!(out.contains(&Output::End(later)), "{out:?}");
}

#[test]
fn a_link_that_has_its_answer_and_asks_no_more_makes_room_as_well() {
    let (mut hub, mut out) = (backend(), vec![]);
    let mut first = None;
    for port in 0..80 {
        let link = hub.accept(at(0), Listener::Admin, here(port), &mut out).unwrap();
        hub.received(at(0), [came(link, vec![Frame::Http(PAGE.to_vec())])], &mut out);
        assert_eq!(hub.outbox(link).frames.len(), 1);
        first.get_or_insert(link);
    }
    out.clear();
    hub.accept(at(1), Listener::Admin, here(100), &mut out).expect("a place");
    assert_eq!(out, [Output::End(first.unwrap())]);
}

#[test]
fn no_flood_pushes_out_who_comes_from_where_the_twin_is() {
    let (mut hub, mut out) = (front(), vec![]);
    let twin = SocketAddr::from(([198, 51, 100, 1], 1));
    hub.expect_twin([twin.ip()]);
    for port in 0..8 {
        hub.accept(at(0), Listener::Twin, afar(port), &mut out).unwrap();
    }
    let link = hub.accept(at(0), Listener::Twin, twin, &mut out).expect("its place");
    for port in 0..100 {
        hub.accept(at(0), Listener::Twin, afar(port), &mut out).unwrap();
    }
    assert!(!out.contains(&Output::End(link)), "{out:?}");
    // Another link from the same address may be the one that is alive.
    for _ in 0..7 {
        hub.accept(at(0), Listener::Twin, twin, &mut out).expect("a place");
    }
    assert_eq!(hub.accept(at(0), Listener::Twin, afar(1), &mut out), None, "none for a stranger");
    out.clear();
    hub.accept(at(0), Listener::Twin, twin, &mut out).expect("a place");
    assert_eq!(out, [Output::End(link)]);
}

#[test]
fn a_flood_at_a_backend_pushes_out_nobody_from_where_the_key_was_proved() {
    let (mut hub, mut out) = (backend().with_clients_max(0), vec![]);
    let front = SocketAddr::from(([198, 51, 100, 1], 1));
    let first = hub.accept(at(0), Listener::Licence, front, &mut out).unwrap();
    let proof = vec![Frame::Joined { front: 1, minor: 0 }];
    hub.received(at(0), [came(first, proof)], &mut out);
    hub.closed(at(0), first, CloseReason::Eof, false, &mut out);
    // It starts again, and its first message is in transit while others connect.
    let again = hub.accept(at(1), Listener::Licence, front, &mut out).expect("a place");
    out.clear();
    for _ in 0..10 * CROWDED_LINKS {
        hub.accept(at(1), Listener::Licence, afar(1), &mut out).expect("a place");
    }
    assert!(!out.is_empty() && !out.contains(&Output::End(again)), "{out:?}");
}

#[test]
fn who_does_not_prove_the_key_keeps_nobody_from_the_twins_door() {
    let (mut hub, mut out) = (front(), vec![]);
    let mut accept = |second, out: &mut Vec<Output>| {
        hub.accept(at(second), Listener::Twin, afar(1), out).unwrap()
    };
    let strangers: Vec<LinkId> = (0..8).map(|_| accept(0, &mut out)).collect();
    out.clear();
    accept(1, &mut out);
    assert_eq!(out, [Output::End(strangers[0])]);
    // They have two seconds.
    out.clear();
    hub.tick(at(2), &mut out);
    let ended = |link: &&LinkId| out.contains(&Output::End(**link));
    assert_eq!(strangers.iter().filter(ended).count(), 7);
}

#[test]
fn one_address_cannot_take_every_place_and_is_told_so() {
    let (mut hub, mut out) = (backend(), vec![]);
    let from = |host: u8, port: u16| SocketAddr::from(([192, 0, 2, host], port));
    for port in 0..u16::try_from(CLIENT_LINKS_PER_ADDRESS).unwrap() {
        let link = hub.accept(at(0), Listener::Licence, from(1, port), &mut out).unwrap();
        hub.received(at(0), [came(link, calls(1))], &mut vec![]);
    }
    // The same if it connects to an IPv6 socket.
    let mapped = "[::ffff:192.0.2.1]:50000".parse().unwrap();
    let told = hub.accept(at(0), Listener::Licence, mapped, &mut out).unwrap();
    let other = hub.accept(at(0), Listener::Licence, from(2, 1), &mut out).unwrap();
    assert_eq!(out, []);
    hub.received(at(0), [came(told, calls(2))], &mut out);
    assert_eq!(out, [Output::End(told)]);
    let outbox = hub.outbox(told);
    let status = Reply::parse(&outbox.frames[0]).unwrap().status;
    assert_eq!((outbox.frames.len(), status), (1, CmError::REQUEST_OVERLOAD_REJECTED));
    assert_eq!(outbox.close, Some(CloseReason::Limit("client links")));
    hub.received(at(0), [came(other, calls(1))], &mut out);
    assert_eq!(out[1..], [Output::Wake(other)]);
}

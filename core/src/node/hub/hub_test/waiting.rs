//! The time limits of requests and links that wait.

use super::*;
use crate::base::limits::{ACCEPT_BACKOFF, ORDER_LATE, WRITE_TIMEOUT};
use crate::link::{Flow, ListenerId, NOT_READING};

/// An order that is delayed because its address has used up its share of pages is not carried out
/// after its sender has given it up; a page is served all the same.
#[test]
fn an_order_that_has_waited_for_long_is_not_carried_out() {
    const ORDER: &[u8] =
        b"POST /api/activate HTTP/1.1\r\nHost: 192.0.2.1\r\nX-Tmr-Admin: 1\r\n\r\n";
    for (request, waited, begun) in [
        (ORDER, ORDER_LATE, true),
        (ORDER, ORDER_LATE + MICRO, false),
        (PAGE, ORDER_LATE + MICRO, true),
    ] {
        let (mut hub, mut out) = (front(), vec![]);
        let page = || Frame::Http(b"GET /admin.js HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n".to_vec());
        let greedy = hub.accept(at(0), Listener::Admin, afar(1), &mut out).unwrap();
        loop {
            hub.received(at(0), [came(greedy, vec![page()])], &mut out);
            if hub.outbox(greedy).frames.is_empty() {
                break;
            }
            hub.left(at(0), [greedy], &mut out);
        }
        let link = hub.accept(at(0), Listener::Admin, afar(2), &mut out).unwrap();
        hub.received(at(0), [came(link, vec![Frame::Http(request.to_vec())])], &mut out);
        assert_eq!(hub.outbox(link).frames.len(), 0, "it waits behind the others");
        // The machine slept meanwhile: nothing was due in between.
        hub.tick(after(waited), &mut out);
        let told = String::from_utf8(hub.outbox(link).frames.concat()).unwrap();
        assert_eq!(told.contains("This was not carried out"), !begun, "{told}");
        assert_eq!(told.starts_with("HTTP/1.1 408 "), !begun, "{told}");
    }
}

#[test]
fn a_client_that_has_agreed_on_a_key_may_be_silent_and_makes_room_still() {
    let (mut hub, mut out) = (backend().with_clients_max(2), vec![]);
    let greeted = hub.accept(at(0), Listener::Licence, afar(1), &mut out).unwrap();
    let silent = hub.accept(at(0), Listener::Licence, afar(2), &mut out).unwrap();
    hub.greeted(at(1), greeted);
    hub.tick(after(FIRST_FRAME + MICRO), &mut out);
    assert_eq!(out, [Output::End(silent)], "only who has not begun");
    hub.closed(at(20), silent, CloseReason::Eof, false, &mut out);
    hub.accept(at(20), Listener::Licence, afar(3), &mut out).unwrap();
    out.clear();
    hub.accept(at(21), Listener::Licence, afar(4), &mut out).unwrap();
    assert!(out.contains(&Output::End(greeted)) || out.len() == 1, "one makes room: {out:?}");
    // A call that has begun must still be completed in time, however slowly it arrives.
    let (mut hub, mut out) = (backend(), vec![]);
    let slow = hub.accept(at(0), Listener::Licence, afar(1), &mut out).unwrap();
    hub.greeted(at(1), slow);
    for second in 20..29 {
        hub.received(at(second), [dribbled(slow, vec![])], &mut out);
        hub.tick(at(second), &mut out);
    }
    assert_eq!(out, []);
    hub.tick(at(30), &mut out);
    assert_eq!(out, [Output::End(slow)]);
    // Like every link that holds no handle, it is closed after an hour.
    let (mut hub, mut out) = (backend(), vec![]);
    let greeted = hub.accept(at(0), Listener::Licence, afar(1), &mut out).unwrap();
    hub.greeted(at(1), greeted);
    hub.tick(at(59 * 60), &mut out);
    assert_eq!(out, []);
    hub.tick(at(60 * 60 + 1), &mut out);
    assert_eq!(out, [Output::End(greeted)]);
}

#[test]
fn a_peer_that_does_not_read_is_left_when_its_time_is_over() {
    let (mut hub, mut out) = (backend(), vec![]);
    let [deaf, slow] = [1, 2].map(|port| {
        let link = hub.accept(at(0), Listener::Licence, afar(port), &mut out).unwrap();
        hub.received(at(0), [came(link, calls(1))], &mut vec![]);
        hub.flow(at(0), link, Flow::Begun);
        link
    });
    out.clear();
    hub.flow(at(1), slow, Flow::Same);
    assert_eq!(hub.deadline().map(|due| due.at), Some(at(0).mono + WRITE_TIMEOUT));
    hub.flow(after(WRITE_TIMEOUT), slow, Flow::Begun);
    hub.tick(after(WRITE_TIMEOUT), &mut out);
    assert_eq!(out, [Output::Drop { link: deaf, reason: NOT_READING }], "the other one took some");
    hub.closed(after(WRITE_TIMEOUT), deaf, NOT_READING, true, &mut out);
    hub.flow(after(WRITE_TIMEOUT), deaf, Flow::Begun);
    hub.flow(after(WRITE_TIMEOUT), slow, Flow::Over);
    out.clear();
    hub.tick(after(3 * WRITE_TIMEOUT), &mut out);
    assert!(!out.iter().any(|out| matches!(out, Output::Drop { .. })), "{out:?}");
}

#[test]
fn a_listener_that_could_take_nobody_in_rests_for_a_moment() {
    let (mut hub, mut out) = (backend(), vec![]);
    hub.cannot_accept(at(0), ListenerId(7));
    assert_eq!(hub.deadline().map(|due| due.at), Some(at(0).mono + ACCEPT_BACKOFF));
    hub.tick(at(0), &mut out);
    assert_eq!(out, []);
    hub.tick(after(ACCEPT_BACKOFF), &mut out);
    assert_eq!(out, [Output::Listen(ListenerId(7))]);
}

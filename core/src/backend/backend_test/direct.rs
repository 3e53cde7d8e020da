//! Clients that connect to a backend directly, and its pages.

use super::*;

#[test]
fn a_client_that_comes_directly_gets_ordinary_licences_only() {
    let mut machine = Machine::from(b"", 1);
    machine.settle();
    let link = machine.client(0);
    assert_eq!(machine.ask(link, seat()), (130, 0));
    let ordinary = || access(ORDINARY, Mode::UserLimit, 60);
    let mut handles = Vec::new();
    for _ in 0..5 {
        let (status, handle) = machine.ask(link, ordinary());
        assert_eq!(status, 0);
        assert!(!handles.contains(&handle));
        handles.push(handle);
    }
    assert_eq!(machine.ask(link, ordinary()), (212, 0));
    assert_eq!(machine.ask(link, crypt(handles[0])).0, 0);
    assert_eq!(machine.ask(link, release(handles[0])), (0, 0));
    assert_eq!(machine.ask(link, crypt(handles[0])).0, 106);
    let (_, newest) = machine.ask(link, ordinary());
    // After a restart they are still held, and no number is used again.
    let mut again = Machine::from(&machine.disk, 2);
    again.settle();
    let link = again.client(0);
    assert_eq!(again.ask(link, ordinary()), (212, 0));
    assert_eq!(again.ask(link, crypt(handles[1])).0, 0);
    assert_eq!(again.ask(link, release(handles[1])), (0, 0));
    let (status, handle) = again.ask(link, ordinary());
    assert_eq!(status, 0);
    assert!(!handles.contains(&handle) && handle != newest);
    // Handles of silent clients end, measured from the restart.
    again.seconds += 59;
    again.step(Input::Tick);
    let link = again.client(1);
    assert_eq!(again.ask(link, ordinary()), (212, 0));
    again.seconds += 1;
    again.step(Input::Tick);
    assert_eq!(again.ask(link, ordinary()).0, 0);
}

#[test]
fn a_direct_grant_is_told_when_it_is_on_disk() {
    let mut machine = Machine::from(b"", 1);
    machine.settle();
    let link = machine.client(0);
    let call = access(ORDINARY, Mode::UserLimit, 60);
    machine.step(Input::Frame { link, frame: Frame::Call(call) });
    assert_eq!(machine.sent, []);
    machine.written();
    assert_eq!(reply(&machine.sent.pop().unwrap().1).0, 0);
    // A handle whose reply could not be sent is taken back.
    machine.step(Input::Closed { link, reason: CloseReason::Eof, unsent: true });
    machine.settle();
    assert_eq!(machine.node.direct.state.seat_count(), 0);
    let mut again = Machine::from(&machine.disk, 2);
    again.settle();
    assert_eq!(again.node.direct.state.seat_count(), 0);
}

#[test]
fn a_direct_handle_without_a_seat_waits_for_no_disk_but_that_of_its_number() {
    let call = || Frame::Call(access(ORDINARY, Mode::NoUserLimit, 60));
    let mut machine = Machine::from(b"", 1);
    let link = machine.client(0);
    // The block of its number is not on disk yet: after a restart it would be used again.
    machine.step(Input::Frame { link, frame: call() });
    assert_eq!(machine.sent, []);
    machine.settle();
    let (status, first) = reply(&machine.sent.pop().unwrap().1);
    assert_eq!(status, 0);
    machine.step(Input::Frame { link, frame: call() });
    assert!(machine.write.is_some(), "it is on its way to the disk");
    let (status, second) = reply(&machine.sent.pop().expect("an answer at once").1);
    assert_eq!(status, 0);
    // One was on disk before the power failure, the other one was not; neither number is used
    // again.
    let mut again = Machine::from(&machine.disk, 2);
    again.settle();
    let link = again.client(0);
    assert_eq!(again.ask(link, crypt(first)).0, 0);
    assert_eq!(again.ask(link, crypt(second)).0, 106);
    let (status, third) = again.ask(link, access(ORDINARY, Mode::NoUserLimit, 60));
    assert_eq!(status, 0);
    assert!(![first, second].contains(&third));
    assert_eq!(again.ask(link, access(ORDINARY, Mode::Exclusive, 60)).0, 213);
}

#[test]
fn keys_of_the_licence_are_used_for_a_front_and_for_nobody_elses_licence() {
    let mut machine = Machine::joined(b"", 1);
    machine.order(1, &Order::Perform { licence: LICENCE, call: crypt(77) });
    let reports = machine.reports();
    let [(1, Report::Performed { reply: bytes })] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!(reply(bytes).0, 0);
    assert_eq!(bytes.len(), 8 + 16);
    let other = LicenceKey { product_code: 999, ..LICENCE };
    for (licence, call) in [(other, crypt(77)), (LICENCE, vec![1]), (LICENCE, release(1))] {
        machine.order(2, &Order::Perform { licence, call });
        let reports = machine.reports();
        let [(2, Report::Performed { reply: bytes })] = &reports[..] else { panic!() };
        assert_ne!(reply(bytes).0, 0);
    }
}

#[test]
fn its_pages_say_what_it_holds_and_that_it_has_no_role() {
    let mut machine = Machine::joined(b"", 1);
    let link = machine.client(0);
    assert_eq!(machine.ask(link, access(ORDINARY, Mode::UserLimit, 60)).0, 0);
    machine.order(1, &claim());
    machine.order(2, &found());
    machine.order(3, &append(1, &[Entry::Grant(grant(70, ""))]));
    machine.order(4, &Order::Confirm { epoch: EPOCH, committed: Slot(1), serves: true });
    machine.settle();
    let mut page = |request: &str| {
        let link = LinkId(900);
        machine.sent.clear();
        let from = ([127, 0, 0, 1], 9).into();
        machine.step(Input::Accepted { link, listener: Listener::Admin, from });
        machine.step(Input::Frame { link, frame: Frame::Http(request.into()) });
        machine.step(Input::Closed { link, reason: CloseReason::Eof, unsent: false });
        String::from_utf8(machine.sent.pop().expect("an answer").1).unwrap()
    };
    let answer = page("GET /api/status HTTP/1.1\r\n\r\n");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(status["role"], "backend");
    assert_eq!(status["handles"], 2, "one of its own, one of the group");
    assert_eq!(status["containers"][0]["serial"], "130-1000");
    assert_eq!(status["log"]["committed"], 1);
    let request = "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
    assert!(page(request).contains("no role to give away"));
}

#[test]
fn a_front_has_it_sign_with_the_keys_of_a_licence() {
    let mut machine = Machine::joined(b"", 1);
    let auth = CmAuthenticate::default();
    let call = Request::GetPublicKey { handle: 1, auth, size: 56 }.encode();
    machine.order(1, &Order::Perform { licence: LICENCE, call: call.clone() });
    let reports = machine.reports();
    let [(1, Report::Performed { reply: bytes })] = &reports[..] else { panic!("{reports:?}") };
    let request = Request::parse(&call).unwrap();
    assert_eq!(*bytes, sign::perform(&[9; 32], &LICENCE, &request).encode());
}

//! Orders that are repeated, late, or lost, and how many of them are kept.

use super::bench::{Bench, LINE, Told, grant, nothing, reply, stored};
use crate::base::limits::{LOG_KEPT, STOCK_LEARN, STOCK_LINKS, STOCK_PING, STOCK_TIMEOUT};
use crate::front::unfenced::seat_table::At;
use crate::link::LinkId;
use crate::log::{Entry, Epoch, Grant, Handle, Mode, Slot};
use crate::messages::group::{Order, Report};
use crate::testing::{LICENCE, crypt};
use crate::wire::constants::info;
use crate::wire::{CmError, Reply, Request};
use alloc::vec;
use alloc::vec::Vec;

fn is_crypt(call: &Request) -> bool {
    matches!(call, Request::Crypt2 { .. })
}

fn is_ping(call: &Request) -> bool {
    matches!(call, Request::GetInfo { ctrl: info::VERSION, .. })
}

#[test]
fn what_takes_no_seat_and_what_is_chosen_already_is_acknowledged_at_once() {
    let mut bench = Bench::there();
    let free = Grant { mode: Mode::NoUserLimit, ..grant(11) };
    let correlation = bench.append(vec![Entry::Grant(free)], 1);
    assert_eq!(bench.told(), [Told::Report(correlation, stored(2, vec![]))]);
    assert!(bench.access(11).is_none());
    // Two others have given it: it is requested, and nothing waits.
    let correlation = bench.append(vec![Entry::Grant(grant(12))], 3);
    assert_eq!(bench.told(), [Told::Report(correlation, stored(3, vec![]))]);
    let (link, _) = bench.access(12).expect("it is asked for all the same");
    bench.answer(link, reply(CmError::NO_MORE_LICENSES, 0));
    assert_eq!(bench.told(), []);
}

#[test]
fn a_seat_that_is_asked_for_is_not_asked_for_again_and_both_orders_are_acknowledged() {
    for (status, number, differing) in
        [(CmError::NO_ERROR, 5001, vec![]), (CmError::NO_MORE_LICENSES, 0, vec![2])]
    {
        let mut bench = Bench::there();
        let first = bench.append(vec![Entry::Grant(grant(11))], 1);
        let epoch = Epoch { round: 3, front: 7 };
        bench.order(Order::Claim { epoch });
        let entries = vec![Entry::Grant(grant(11))];
        let (slot, committed) = (Slot(2), Slot(1));
        let again = bench.order(Order::Append { epoch, first: slot, entries, committed });
        bench.told();
        let (link, _) = bench.access(11).unwrap();
        bench.answer(link, reply(status, number));
        assert!(bench.access(11).is_none());
        let told = bench.told();
        for correlation in [first, again] {
            let report = Told::Report(correlation, stored(2, differing.clone()));
            assert!(told.contains(&report), "{correlation}: {told:?}");
        }
    }
}

#[test]
fn a_seat_that_ends_before_its_turn_is_never_asked_for() {
    let mut bench = Bench::there();
    let most = u32::try_from(STOCK_LINKS).unwrap();
    let grants = (0..=most).map(|n| Entry::Grant(grant(20 + n))).collect();
    bench.append(grants, 1);
    let last = 20 + most;
    assert!(bench.access(last).is_none(), "all connections are busy");
    bench.append(vec![Entry::Expire(Handle(last))], 1);
    for number in 0..most {
        let (link, _) = bench.access(20 + number).unwrap();
        bench.answer(link, reply(CmError::NO_ERROR, 5000 + number));
        assert!(bench.access(last).is_none());
    }
    let all = bench.slot;
    let told = bench.told();
    let done = |it: &&Told| matches!(it, Told::Report(_, Report::Stored { differing, .. }) if differing.is_empty());
    assert_eq!(told.iter().filter(done).count(), 2, "{told:?}");
    assert!(told.contains(&Told::Report(bench.correlation, stored(all, vec![]))));
}

#[test]
fn a_line_that_was_hung_up_hears_nothing_and_neither_does_the_next_one() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let perform = || Order::Perform { licence: LICENCE, call: crypt(11) };
    bench.order(perform());
    bench.append(vec![Entry::Grant(grant(12))], bench.slot);
    let (access, (call, _)) = (bench.access(12).unwrap().0, bench.find(is_crypt).unwrap());
    bench.stand.hung_up();
    bench.answer(access, reply(CmError::NO_ERROR, 5002));
    assert_eq!(bench.told(), [], "nobody is there to hear it");
    bench.stand.dialled(bench.now, LinkId(LINE.0 + 2));
    assert_eq!(bench.told(), [Told::Joined]);
    bench.close(call);
    assert_eq!(bench.told(), [], "that was another line's call");
    bench.order(perform());
    let (call, _) = bench.find(is_crypt).unwrap();
    let bytes = Reply { status: CmError::NO_ERROR, result: 0, body: vec![0; 16] }.encode();
    bench.answer(call, bytes.clone());
    let report = Told::Report(bench.correlation, Report::Performed { reply: bytes });
    assert_eq!(bench.told(), [report]);
}

#[test]
fn so_much_of_the_log_is_kept_and_no_more() {
    let mut bench = Bench::there();
    let base = |bench: &mut Bench| {
        bench.order(Order::Describe);
        match bench.told().pop() {
            Some(Told::Report(_, Report::Described(description))) => description.standing.base,
            other => panic!("{other:?}"),
        }
    };
    let first = base(&mut bench);
    let kept = first.0 + LOG_KEPT as u64;
    let many: Vec<Entry> = (0..LOG_KEPT).map(|_| nothing()).collect();
    bench.append(many, kept);
    bench.told();
    assert_eq!(base(&mut bench), first);
    bench.append(vec![nothing()], kept + 1);
    bench.told();
    assert_eq!(base(&mut bench), Slot(kept + 1));
    bench.append(vec![nothing()], kept + 2);
    bench.told();
    assert_eq!(base(&mut bench), Slot(kept + 1));
}

#[test]
fn it_says_when_it_wants_to_be_stepped_again() {
    let mut bench = Bench::away();
    assert_eq!(bench.stand.deadline(), None);
    bench.stand.dialled(bench.now, LINE);
    bench.pump();
    let at = |bench: &Bench| bench.stand.deadline().map(|deadline| deadline.at);
    assert_eq!(at(&bench), Some(bench.now + STOCK_TIMEOUT), "a call has no answer");
    bench.learn();
    assert_eq!(at(&bench), Some(bench.now + STOCK_PING));
}

#[test]
fn a_server_that_does_not_know_the_service_s_handle_is_found_out_at_once() {
    let mut bench = Bench::there();
    bench.wait(STOCK_PING);
    let (link, _) = bench.find(is_ping).unwrap();
    bench.answer(link, reply(CmError::INVALID_HANDLE, 0));
    assert!(bench.stand.may_have_restarted(), "it may have been started anew");
    assert!(bench.find(|call| matches!(call, Request::GetBoxes { .. })).is_some());
}

#[test]
fn a_number_that_the_server_gives_anew_is_no_seat_s_any_more() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    bench.append(vec![nothing()], bench.slot);
    bench.told();
    bench.now = bench.now + STOCK_LEARN;
    bench.pump();
    // First its seat is used, so that it stays.
    let (link, _) = bench.find(|call| matches!(call, Request::GetInfo { .. })).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 144));
    let is_list = |call: &Request| matches!(call, Request::GetBoxes { .. });
    let (link, call) = bench.find(is_list).unwrap();
    // The list of containers has a result that is no handle.
    let Reply { status, body, .. } = Reply::parse(&bench.itself(&call)).unwrap();
    bench.answer(link, Reply { status, result: 5001, body }.encode());
    assert_eq!(bench.stand.seat_table().held(), [Handle(11)].into());
    // The access to a container returns the seat's handle: the server has lost the seat without
    // reporting it.
    let is_access = |call: &Request| matches!(call, Request::Access2 { .. });
    let (link, _) = bench.find(is_access).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 5001));
    assert!(bench.stand.seat_table().held().is_empty());
    for _ in 0..30 {
        if bench.access(11).is_some() {
            return;
        }
        let (&link, call) = bench.asked.iter().next().expect("a round that goes on");
        let call = call.clone();
        let right = bench.itself(&call);
        bench.answer(link, right);
    }
    panic!("the seat is not taken anew");
}

#[test]
fn neither_seats_nor_finding_out_wait_for_each_other() {
    let mut bench = Bench::there();
    let grants: Vec<Entry> = (0..8).map(|n| Entry::Grant(grant(20 + n))).collect();
    bench.now = bench.now + STOCK_LEARN;
    // All are chosen by two others: they are requested one after the other.
    bench.append(grants, 9);
    let mut kinds = Vec::new();
    for step in 0..8 {
        let (&link, call) = bench.asked.iter().next().expect("one call at a time");
        assert_eq!(bench.asked.len(), 1);
        let call = call.clone();
        let itself = bench.about_itself(&call);
        kinds.push(itself);
        let right = bench.itself(&call);
        bench.answer(link, if itself { right } else { reply(CmError::NO_ERROR, 5000 + step) });
    }
    assert!(kinds.windows(2).all(|two| two[0] != two[1]), "in turn: {kinds:?}");
}

#[test]
fn a_handle_that_it_holds_is_not_given_back_because_it_is_told_of_again() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let remote = |number| crate::messages::twin::RemoteHandle {
        server: super::bench::SERIAL,
        number,
        handle: Handle(11),
        licence: LICENCE,
    };
    bench.stand.take_up(bench.now, &remote(5001), true);
    bench.pump();
    assert_eq!(bench.release(), None);
    // A second one for the same seat is one too many.
    bench.stand.take_up(bench.now, &remote(5002), true);
    bench.pump();
    assert_eq!(bench.release().map(|(_, number)| number), Some(5002));
    assert!(matches!(bench.stand.seat_table().at(Handle(11)), Some(At::Held(5001, _))));
}

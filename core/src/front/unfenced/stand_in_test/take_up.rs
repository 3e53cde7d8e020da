//! A stand-in that continues with what another front had at its server, and one whose front has
//! stepped back.

use super::bench::{Bench, EPOCH, SERIAL, Told, grant, nothing, reply};
use crate::front::unfenced::initial_log::InitialLog;
use crate::front::unfenced::seat_table::At;
use crate::log::{Entry, GroupId, Handle, Setting, Slot, State};
use crate::messages::group::{Order, Report};
use crate::messages::twin::RemoteHandle;
use crate::testing::{LICENCE, crypt};
use crate::wire::constants::info;
use crate::wire::{CmError, Request};
use alloc::vec;

fn remote(number: u32, handle: u32) -> RemoteHandle {
    RemoteHandle { server: SERIAL, number, handle: Handle(handle), licence: LICENCE }
}

/// Returns one that begins with a log with these seats, and whose front leads.
fn begun(handles: &[u32]) -> Bench {
    let mut bench = Bench::there();
    let mut state = State::default();
    state.apply(&Entry::Configure(Setting::Members([1, 2, 3].map(crate::log::DiskId))));
    for &handle in handles {
        state.apply(&Entry::Grant(grant(handle)));
    }
    let (group, slot) = (GroupId(9), Slot(40));
    bench.stand.begin(&InitialLog { front: 7, group, slot, state: state.encode() });
    bench.lead();
    bench.slot = 40;
    // They are not requested before discovery is done.
    let order =
        Order::Append { epoch: EPOCH, first: Slot(41), entries: vec![nothing()], committed: slot };
    let message = crate::messages::group::Message { correlation: 0, body: order };
    bench.stand.order(bench.now, message);
    bench.slot += 1;
    bench.told();
    bench
}

fn keeps(number: u32) -> impl Fn(&Request) -> bool {
    move |call| matches!(call, Request::GetInfo { handle, ctrl: info::BOXINFO, .. } if *handle == number)
}

#[test]
fn a_seat_goes_on_with_the_handle_that_it_has_there() {
    let mut bench = begun(&[11, 12]);
    bench.stand.take_up(bench.now, &remote(5001, 11), false);
    bench.stand.take_up(bench.now, &remote(5002, 12), false);
    // At once, before anything else that is due.
    bench.order(Order::Perform { licence: LICENCE, call: crypt(12) });
    let is_crypt = |call: &Request| matches!(call, Request::Crypt2 { .. });
    assert_eq!(bench.find(is_crypt).unwrap().1.handle(), Some(5002));
    assert!(bench.access(11).is_none() && bench.access(12).is_none(), "nothing is taken anew");
    // Each is tried; a handle that the server does not know is taken again.
    let (link, _) = bench.find(keeps(5001)).unwrap();
    bench.answer(link, reply(CmError::INVALID_HANDLE, 0));
    let (link, _) = bench.access(11).expect("it is taken anew");
    bench.answer(link, reply(CmError::NO_ERROR, 5003));
    let (link, _) = bench.find(keeps(5002)).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 144));
    assert_eq!(bench.stand.seat_table().held(), [Handle(11), Handle(12)].into());
    // A release frees it there.
    bench.append(vec![Entry::Release(Handle(12))], 41);
    assert_eq!(bench.release().map(|(_, number)| number), Some(5002));
}

#[test]
fn what_no_seat_has_is_given_back_unless_the_server_may_have_begun_anew() {
    let mut bench = begun(&[11]);
    bench.stand.take_up(bench.now, &remote(5001, 11), true);
    // Granted and not committed, or released and not released at the server yet.
    bench.stand.take_up(bench.now, &remote(5002, 12), true);
    bench.stand.take_up(bench.now, &remote(5003, 13), false);
    // A handle that it has taken itself since.
    let own = bench.stand.driver().inventory().service();
    bench.stand.take_up(bench.now, &remote(own, 14), true);
    bench.pump();
    let (link, number) = bench.release().expect("one is given back");
    assert_eq!(number, 5002);
    bench.answer(link, reply(CmError::NO_ERROR, 0));
    assert_eq!(bench.release(), None);
    assert!(matches!(bench.stand.seat_table().at(Handle(11)), Some(At::Held(5001, _))));
}

#[test]
fn a_front_that_stands_by_leaves_its_seats_to_others() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let correlation = bench.append(vec![Entry::Grant(grant(12))], bench.slot);
    let book = bench.stand.set_down();
    assert_eq!(book.held(), [Handle(11)].into());
    assert_eq!(
        bench.told(),
        [Told::Report(correlation, Report::Gap { committed: Slot(2) })],
        "nothing waits for an answer for ever"
    );
    // A handle that arrives now belongs to no seat.
    let (link, _) = bench.access(12).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 5002));
    let (link, number) = bench.release().expect("it goes back");
    assert_eq!(number, 5002);
    bench.answer(link, reply(CmError::NO_ERROR, 0));
    for _ in 0..crate::base::limits::STOCK_CLEANUP.as_secs() {
        bench.wait(crate::base::time::Duration::from_secs(1));
        bench.learn();
        assert!(bench.find(keeps(5001)).is_none(), "it is the other front's to keep");
    }
}

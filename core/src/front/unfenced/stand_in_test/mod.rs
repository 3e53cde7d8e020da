//! One stand-in, and a server whose every reply a test decides. Orders come in as a front sends
//! them; the tests check the calls on the connections, and the reports to the front.

mod bench;
mod orders;
mod take_up;

use super::discovery::Discovery;
use super::driver::Reach;
use super::seat_table::At;
use crate::base::limits::{
    STOCK_CLEANUP, STOCK_KEEP, STOCK_LEARN, STOCK_LINKS, STOCK_PING, STOCK_QUEUE, STOCK_RETRY,
    STOCK_TIMEOUT,
};
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::link::LinkId;
use crate::log::{ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, Slot};
use crate::messages::group::{Order, Report};
use crate::testing::{CM_ACT_ID, FIRM, LICENCE, TMR, crypt, product};
use crate::wire::constants::{access, info};
use crate::wire::{CmError, Reply, Request};
use alloc::vec;
use alloc::vec::Vec;
pub(super) use bench::grant;
use bench::{Bench, LINE, SERIAL, Told, nothing, print, reply, stored};

#[test]
fn a_server_is_found_out_and_described() {
    let mut bench = Bench::there();
    let correlation = bench.order(Order::Describe);
    let told = bench.told();
    let [Told::Report(to, Report::Described(description))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*to, correlation);
    assert_eq!(description.standing.group, Some(GroupId(5)));
    assert_eq!((description.standing.disk, description.standing.committed), (DiskId(2), Slot(1)));
    let [part] = &description.parts[..] else { panic!("one container") };
    assert_eq!((part.serial, part.cm_act_id), (SERIAL, CM_ACT_ID));
    let (key, item, found) = part.licences(ContainerId::CmAct(CM_ACT_ID)).next().unwrap();
    assert_eq!((key, item.text.as_str(), found), (LICENCE, "a firm", &product(TMR, 1)));
    assert_eq!(item.fingerprint(found), print());
}

#[test]
fn a_grant_is_acknowledged_when_the_server_has_given_the_seat() {
    let mut bench = Bench::there();
    let first = bench.append(vec![nothing(), Entry::Grant(grant(11))], 1);
    let second = bench.append(vec![nothing()], 1);
    assert_eq!(bench.told(), [], "nothing before the server's answer, in the order of the log");
    let (link, access) = bench.access(11).unwrap();
    assert_eq!((access.firm_code, access.product_code, access.serial_number), (FIRM, TMR, SERIAL));
    assert_eq!((access.ctrl, access.license_quantity), (access::IGNORE_LINGERTIME, 1));
    assert_eq!((access.credential.pid, access.credential.session), (77, 3));
    assert_eq!(access.credential.username.to_text(), "ada");
    assert_eq!(access.credential.domain_name.to_text(), "dom");
    assert_eq!(access.credential.user_defined_text.to_text(), "text");
    assert_eq!(access.credential.user_defined_id, 9);
    assert_eq!(u64::from(access.credential.cleanup_time), STOCK_CLEANUP.as_secs());
    bench.answer(link, reply(CmError::NO_ERROR, 5001));
    assert_eq!(
        bench.told(),
        [Told::Report(first, stored(3, vec![])), Told::Report(second, stored(4, vec![]))]
    );
    assert_eq!(bench.stand.seat_table().held().len(), 1);
}

#[test]
fn every_refusal_is_told_with_its_slot() {
    let errors = [
        CmError::NO_MORE_LICENSES,
        CmError::EXCLUSIVE_MODE_CONFLICT,
        CmError::WRONG_ACCESS_MODE,
        CmError::ENTRY_NOT_FOUND,
        CmError(4_000_000_000),
    ];
    let mut bench = Bench::there();
    for (handle, error) in (11..).zip(errors) {
        let correlation = bench.append(vec![Entry::Grant(grant(handle))], 1);
        let (link, _) = bench.access(handle).unwrap();
        bench.answer(link, reply(error, 0));
        let slot = bench.slot;
        let refused = Told::Refused(Slot(slot), error);
        assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(slot, vec![slot]))]);
    }
    // Success without a handle counts as none.
    let correlation = bench.append(vec![Entry::Grant(grant(30))], 1);
    let (link, _) = bench.access(30).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 0));
    let slot = bench.slot;
    let refused = Told::Refused(Slot(slot), CmError::NO_MORE_HANDLES);
    assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(slot, vec![slot]))]);
    // A licence with another fingerprint is not even requested here.
    let other = Grant { fingerprint: 1, ..grant(31) };
    let correlation = bench.append(vec![Entry::Grant(other)], 1);
    assert!(bench.access(31).is_none());
    let slot = bench.slot;
    let refused = Told::Refused(Slot(slot), CmError::NO_LICENSE_AVAILABLE);
    assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(slot, vec![slot]))]);
}

#[test]
fn an_access_never_overtakes_a_release() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let entries = vec![Entry::Release(Handle(11)), Entry::Grant(grant(12))];
    bench.append(entries, bench.slot);
    let (link, number) = bench.release().expect("the release first");
    assert_eq!(number, 5001);
    assert!(bench.access(12).is_none(), "its seat may be the only one");
    bench.answer(link, reply(CmError::NO_ERROR, 0));
    assert!(bench.access(12).is_some());
}

#[test]
fn a_seat_whose_end_came_before_its_handle_is_given_back() {
    let mut bench = Bench::there();
    bench.append(vec![Entry::Grant(grant(11))], 1);
    bench.append(vec![Entry::Expire(Handle(11))], 1);
    let (link, _) = bench.access(11).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 5001));
    assert_eq!(bench.release().map(|(_, number)| number), Some(5001));
    assert_eq!(bench.stand.seat_table().held().len(), 0);
}

#[test]
fn a_lost_reply_is_a_refusal_and_the_seat_is_asked_for_after_the_clean_up() {
    let mut bench = Bench::there();
    let correlation = bench.append(vec![Entry::Grant(grant(11))], 1);
    let (link, _) = bench.access(11).unwrap();
    bench.close(link);
    let refused = Told::Refused(Slot(2), CmError::NETWORK_FAULT);
    assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(2, vec![2]))]);
    assert_eq!(bench.stand.driver().reach(), Reach::There, "one connection is not the server");
    // Two others have given it, so it is committed and stays.
    bench.append(vec![nothing()], 2);
    let asked_for = |bench: &Bench| bench.access(11).is_some();
    for _ in 0..STOCK_CLEANUP.as_secs() - 1 {
        bench.wait(Duration::from_secs(1));
        bench.learn();
        assert!(!asked_for(&bench));
    }
    bench.wait(Duration::from_secs(2));
    bench.learn();
    bench.wait(Duration::from_millis(1));
    let (link, _) = bench.access(11).expect("now the first one is gone there");
    bench.answer(link, reply(CmError::NO_ERROR, 5002));
    assert_eq!(bench.stand.seat_table().held().len(), 1);
}

#[test]
fn a_server_that_is_silent_is_left_and_its_seats_are_looked_at_when_it_is_back() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    bench.seat(12, 5002);
    bench.append(vec![Entry::Grant(grant(13))], bench.slot);
    bench.wait(STOCK_TIMEOUT);
    assert_eq!(bench.stand.driver().reach(), Reach::Away);
    assert!(bench.asked.is_empty() && !bench.closed.is_empty());
    let told = bench.told();
    assert!(told.contains(&Told::Refused(Slot(4), CmError::NETWORK_FAULT)), "{told:?}");
    assert_eq!(told.last(), Some(&Told::Closed));
    assert_eq!(bench.stand.deadline(), None, "the front says when to look again");

    bench.stand.dialled(bench.now, LINE);
    bench.learn();
    assert_eq!(bench.told(), [Told::Joined]);
    bench.append(vec![nothing()], 4);
    // One is still there, the other one is not.
    for (number, status) in [(5001, CmError::NO_ERROR), (5002, CmError::INVALID_HANDLE)] {
        let keeps = |call: &Request| matches!(call, Request::GetInfo { handle, ctrl: info::BOXINFO, .. } if *handle == number);
        let (link, _) = bench.find(keeps).expect("each is looked at at once");
        bench.answer(link, reply(status, 0));
    }
    let (link, _) = bench.access(12).expect("it is taken again");
    bench.answer(link, reply(CmError::NO_ERROR, 5003));
    assert_eq!(bench.stand.seat_table().held().len(), 2);
    assert!(matches!(bench.stand.seat_table().at(Handle(13)), Some(At::Lacking(_))), "in doubt");
}

#[test]
fn a_server_at_another_address_is_given_every_seat_anew() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    bench.seat(12, 5002);
    bench.append(vec![Entry::Release(Handle(12))], bench.slot + 1);
    assert_eq!(bench.release().map(|(_, number)| number), Some(5002));
    bench.told();
    let old = bench.stand.address().clone();
    let new = Address { host: "another".into(), port: 2 };
    bench.moved(&new);
    assert_eq!((bench.told(), bench.stand.driver().reach()), (vec![Told::Closed], Reach::Away));
    assert!(bench.asked.is_empty() && !bench.closed.is_empty(), "the old one is left");

    bench.stand.dialled(bench.now, LINE);
    bench.learn();
    assert_eq!((bench.told(), &bench.dialled), (vec![Told::Joined], &Some(new.clone())));
    bench.append(vec![nothing()], bench.slot);
    // The handles of the old server mean nothing here.
    let old_number = |call: &Request| matches!(call.handle(), Some(5001 | 5002));
    assert!(bench.find(old_number).is_none());
    let (link, _) = bench.access(11).expect("it is taken here");
    bench.answer(link, reply(CmError::NO_ERROR, 7001));
    assert!(matches!(bench.stand.seat_table().at(Handle(11)), Some(At::Held(7001, _))));
    assert!(bench.access(12).is_none() && bench.stand.seat_table().at(Handle(12)).is_none());

    // With the same address only the containers are read again: its handles are still valid.
    bench.told();
    bench.moved(&new);
    assert_eq!(bench.told(), [Told::Closed]);
    bench.stand.dialled(bench.now, LINE);
    bench.learn();
    bench.append(vec![nothing()], bench.slot);
    let given = |call: &Request| call.handle() == Some(7001);
    assert!(bench.find(given).is_some() && bench.access(11).is_none());
    assert_ne!(bench.dialled, Some(old));
}

#[test]
fn calls_are_done_with_the_handle_of_this_server() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let is_crypt = |call: &Request| matches!(call, Request::Crypt2 { .. });
    let order = |handle| Order::Perform { licence: LICENCE, call: crypt(handle) };
    let correlation = bench.order(order(11));
    let (link, call) = bench.find(is_crypt).unwrap();
    assert_eq!(call.handle(), Some(5001));
    let bytes = Reply { status: CmError::NO_ERROR, result: 1, body: vec![3; 16] }.encode();
    bench.answer(link, bytes.clone());
    assert_eq!(bench.told(), [Told::Report(correlation, Report::Performed { reply: bytes })]);
    // An error of the call itself is the client's.
    let correlation = bench.order(order(11));
    let (link, _) = bench.find(is_crypt).unwrap();
    let bytes = reply(CmError::CRYPTION_FAILED, 0);
    bench.answer(link, bytes.clone());
    assert_eq!(bench.told(), [Told::Report(correlation, Report::Performed { reply: bytes })]);
    // A handle that takes no seat is done over the one by which the licence is read.
    let correlation = bench.order(order(99));
    let (link, call) = bench.find(is_crypt).unwrap();
    let shared = call.handle().unwrap();
    assert!(shared > 9000);
    // A connection that breaks: another server.
    bench.close(link);
    assert_eq!(bench.told(), [Told::Unable(correlation)]);
    // A handle that the server has forgotten: another server, and the seat anew.
    let correlation = bench.order(order(11));
    let (link, _) = bench.find(is_crypt).unwrap();
    bench.answer(link, reply(CmError::INVALID_HANDLE, 0));
    assert_eq!(bench.told(), [Told::Unable(correlation)]);
    assert_eq!(bench.stand.seat_table().held().len(), 0);
    assert_eq!(bench.order(order(11)), bench.correlation);
    assert_eq!(bench.told(), [Told::Unable(bench.correlation)], "while it has none");
    // A call that cannot be parsed.
    bench.order(Order::Perform { licence: LICENCE, call: vec![1, 2] });
    assert_eq!(bench.told(), [Told::Unable(bench.correlation)]);
}

#[test]
fn idle_handles_are_used_and_a_silent_server_is_asked() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    let ping = |call: &Request| matches!(call, Request::GetInfo { ctrl: info::VERSION, .. });
    let keep = |call: &Request| matches!(call, Request::GetInfo { ctrl: info::BOXINFO, .. });
    assert!(bench.find(ping).is_none());
    bench.wait(STOCK_PING);
    assert!(bench.find(ping).is_some());
    bench.learn();
    let mut kept = 0;
    for _ in 0..STOCK_CLEANUP.as_secs() {
        bench.wait(Duration::from_secs(1));
        bench.learn();
        if let Some((link, _)) = bench.find(keep) {
            kept += 1;
            bench.answer(link, reply(CmError::NO_ERROR, 144));
            bench.learn();
        }
    }
    assert_eq!(kept, STOCK_CLEANUP.as_secs() / STOCK_KEEP.as_secs());
    assert!(STOCK_LEARN * 3 < STOCK_CLEANUP && STOCK_KEEP * 3 < STOCK_CLEANUP);
}

#[test]
fn a_claim_anew_leaves_no_seat_that_is_not_in_the_log() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    bench.append(vec![nothing()], 2);
    bench.told();
    bench.seat(12, 5002);
    // The front claims again; 12 was not committed, and is not in the log that it brings.
    let epoch = Epoch { round: 3, front: 7 };
    bench.order(Order::Claim { epoch });
    let (first, committed) = (Slot(3), Slot(2));
    bench.order(Order::Append { epoch, first, entries: vec![nothing()], committed });
    assert_eq!(bench.release().map(|(_, number)| number), Some(5002));
    assert_eq!(bench.stand.seat_table().at(Handle(12)), None);
    assert!(matches!(bench.stand.seat_table().at(Handle(11)), Some(At::Held(5001, _))));
}

#[test]
fn a_server_that_breaks_off_at_a_call_is_not_asked_the_same_for_ever() {
    // During discovery the front decides when to dial again.
    for at in 0..7 {
        let mut bench = Bench::away();
        bench.stand.dialled(bench.now, LINE);
        bench.pump();
        for step in 0..=at {
            let Some((&link, call)) = bench.asked.iter().next() else { break };
            let call = call.clone();
            let right = bench.itself(&call);
            if step < at { bench.answer(link, right) } else { bench.close(link) }
        }
        assert_eq!(bench.stand.driver().reach(), Reach::Away, "at call {at}");
        assert_eq!(bench.told(), [Told::Closed]);
        assert!(bench.asked.is_empty());
    }
    // A release is repeated once; a background call follows after its usual pause.
    let mut bench = Bench::there();
    bench.append(vec![Entry::Grant(grant(11)), Entry::Grant(grant(13))], 1);
    let two = [11, 13].map(|handle| bench.access(handle).expect("two connections").0);
    for (link, number) in two.into_iter().zip([5001, 5003]) {
        bench.answer(link, reply(CmError::NO_ERROR, number));
    }
    bench.append(vec![Entry::Release(Handle(11))], bench.slot);
    for _ in 0..2 {
        let (link, number) = bench.release().expect("a release");
        assert_eq!(number, 5001);
        bench.close(link);
    }
    assert_eq!(bench.release(), None);
    bench.append(vec![Entry::Grant(grant(12))], bench.slot);
    assert!(bench.access(12).is_some(), "nothing waits for it any more");
    let (link, _) = bench.access(12).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 5002));
    let mut broken = 0;
    for _ in 0..20 {
        bench.wait(STOCK_PING / 4);
        let ping = |call: &Request| matches!(call, Request::GetInfo { ctrl: info::VERSION, .. });
        if let Some((link, _)) = bench.find(ping) {
            broken += 1;
            bench.close(link);
        }
    }
    assert!((1..=5).contains(&broken), "{broken} times in 5 seconds");
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::there();
    let most = STOCK_QUEUE + STOCK_LINKS;
    let first = 100;
    let entries: Vec<Entry> = (0..u32::try_from(most).unwrap() + 10)
        .map(|number| Entry::Grant(grant(first + number)))
        .collect();
    bench.append(entries, 1);
    let refused = bench.told();
    assert!(refused.len() >= 10 && refused.len() < 20, "{}", refused.len());
    let error = CmError::REQUEST_OVERLOAD_REJECTED;
    assert!(refused.iter().all(|told| matches!(told, Told::Refused(_, e) if *e == error)));
    assert_eq!(bench.asked.len(), STOCK_LINKS);
    for _ in 0..STOCK_QUEUE {
        bench.order(Order::Perform { licence: LICENCE, call: crypt(1) });
    }
    assert_eq!(bench.told(), []);
    bench.order(Order::Perform { licence: LICENCE, call: crypt(1) });
    assert_eq!(bench.told(), [Told::Unable(bench.correlation)]);
}

#[test]
fn a_reply_that_was_not_asked_for_ends_it() {
    let mut bench = Bench::there();
    let link = LinkId(3);
    assert!(bench.stand.has_connection(link));
    bench.wait(STOCK_PING);
    bench.learn();
    let mut out = Vec::new();
    bench.stand.replied(bench.now, link, &reply(CmError::NO_ERROR, 0), &mut out);
    bench.take(out);
    assert_eq!(bench.stand.driver().reach(), Reach::Away);
    assert_eq!(bench.told(), [Told::Closed]);
    // And so does one that is too short to be any.
    let mut bench = Bench::there();
    bench.append(vec![Entry::Grant(grant(11))], 1);
    let (link, _) = bench.access(11).unwrap();
    bench.answer(link, vec![0; 7]);
    assert_eq!(bench.stand.driver().reach(), Reach::Away);
}

#[test]
fn a_server_that_says_anything_at_all_is_survived() {
    // Every step of discovery, answered with an error, with nothing, and with noise.
    for broken in 0..12 {
        for bytes in [
            reply(CmError::NO_MORE_LICENSES, 0),
            reply(CmError::NO_ERROR, 0),
            Reply { status: CmError::NO_ERROR, result: u32::MAX, body: vec![0xff; 4096] }.encode(),
            vec![],
        ] {
            let mut bench = Bench::away();
            bench.stand.dialled(bench.now, LINE);
            bench.pump();
            for step in 0..200 {
                let Some((&link, call)) = bench.asked.iter().next() else { break };
                let call = call.clone();
                let right = bench.itself(&call);
                bench.answer(link, if step == broken { bytes.clone() } else { right });
                bench.told();
            }
            assert!(bench.asked.is_empty(), "it comes to an end");
            assert_ne!(bench.stand.driver().reach(), Reach::Coming);
        }
    }
}

#[test]
fn a_restarted_server_s_old_handle_is_taken_anew_while_learning() {
    let mut discovery = Discovery::new(vec![ContainerId::CmAct(CM_ACT_ID)]);
    discovery.begin();
    assert!(matches!(discovery.call(), Some(Request::Access2 { .. })));
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    assert!(STOCK_RETRY < STOCK_CLEANUP);
    // At the next discovery the server knows none of the handles of the last one.
    bench.now = bench.now + STOCK_LEARN;
    bench.pump();
    for _ in 0..30 {
        let Some((&link, call)) = bench.asked.iter().next() else { break };
        let call = call.clone();
        let old = call.handle().is_some_and(|handle| handle > 9000 && handle <= 9010);
        let right = bench.itself(&call);
        bench.answer(link, if old { reply(CmError::INVALID_HANDLE, 0) } else { right });
    }
    assert_eq!(bench.stand.driver().reach(), Reach::There);
    assert_eq!(bench.told(), [], "the same licence: the front is not bothered");
    assert!(bench.stand.driver().inventory().licence(&LICENCE).unwrap().number > 9010);
}

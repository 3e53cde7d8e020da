//! One stand-in and a server whose every reply a test decides. Orders go in as a front sends them;
//! what is looked at is what goes over the connections, and what the front is told.

use super::book::At;
use super::learn::Learner;
use super::stand::{Event, Reach, Stand};
use crate::io::{Address, Frame, Input, Intent, Link, Why};
use crate::licence::FirmItem;
use crate::limits::{
    STOCK_CLEANUP, STOCK_KEEP, STOCK_LEARN, STOCK_LINKS, STOCK_PING, STOCK_QUEUE, STOCK_RETRY,
    STOCK_TIMEOUT,
};
use crate::log::{DiskId, Entry, Epoch, Grant, GroupId, Handle, Mode, Slot};
use crate::testing::{CM_ACT_ID, FIRM, LICENCE, TMR, at, crypt, product};
use crate::time::{Duration, Mono};
use crate::wire::constants::{access, info, pio, quantity};
use crate::wire::group::{Message, Order, Report, decode};
use crate::wire::structs::{CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, Layout};
use crate::wire::{CmError, Reply, Request};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

const LINE: Link = Link(1001);
const EPOCH: Epoch = Epoch { round: 2, front: 7 };
const SERIAL: u32 = 4711;

/// A stand-in and the calls that wait for a reply.
struct Bench {
    stand: Stand,
    now: Mono,
    links: u64,
    asked: BTreeMap<Link, Request>,
    closed: Vec<Link>,
    slot: u64,
    correlation: u32,
    /// What the server would show of its licence.
    entry: CmBoxEntry2,
    numbers: u32,
}

/// What the front was told.
#[derive(Debug, PartialEq)]
enum Told {
    Joined,
    Closed,
    Report(u32, Report),
    Refused(Slot, CmError),
    Unable(u32),
}

fn entry() -> CmBoxEntry2 {
    CmBoxEntry2 {
        firm_code: FIRM,
        firm_item_text: "a firm".into(),
        set_pios: pio::PRODUCTCODE | pio::LICENSEQUANTITY | pio::TEXT,
        product_code: TMR,
        license_quantity: 5,
        license_quantity_flags: quantity::TRIPLEMODEREDUNDANCY,
        license_tag: 1,
        product_item_ref: 3,
        ..CmBoxEntry2::default()
    }
}

fn print() -> u64 {
    let item = FirmItem { firm_code: FIRM, text: "a firm".into(), products: Vec::new() };
    item.fingerprint(&product(TMR, 1))
}

fn grant(handle: u32) -> Grant {
    let client = crate::log::Client {
        address: [192, 0, 2, 9].into(),
        host: alloc::format!("host-{handle}"),
        user: "ada".into(),
        domain: "dom".into(),
        text: "text".into(),
        user_defined_id: 9,
        pid: 77,
        session: 3,
    };
    Grant {
        handle: Handle(handle),
        licence: LICENCE,
        fingerprint: print(),
        quantity: 5,
        take: 1,
        mode: Mode::UserLimit,
        client,
        since: at(0).wall,
        cleanup_seconds: 60,
        linger_seconds: 0,
        starts_usage: false,
    }
}

fn reply(status: CmError, result: u32) -> Vec<u8> {
    Reply { status, result, body: Vec::new() }.encode()
}

impl Bench {
    /// One whose server nobody has looked for.
    fn away() -> Self {
        let address = Address { host: "stock".into(), port: 1 };
        let members = [DiskId(1), DiskId(2), DiskId(3)];
        let stand = Stand::new(address, vec![CM_ACT_ID], 7, GroupId(5), members, 1);
        Self {
            stand,
            now: Mono(1_000_000),
            links: 1,
            asked: BTreeMap::new(),
            closed: Vec::new(),
            slot: 1,
            correlation: 0,
            entry: entry(),
            numbers: 0,
        }
    }

    /// One that is known, and whose front leads.
    fn there() -> Self {
        let mut bench = Self::away();
        bench.stand.dialled(bench.now, LINE);
        bench.learn();
        assert_eq!(bench.told(), [Told::Joined]);
        assert_eq!(bench.stand.reach, Reach::There);
        bench.lead();
        bench
    }

    fn lead(&mut self) {
        self.order(Order::Claim { epoch: EPOCH });
        assert!(matches!(self.told()[..], [Told::Report(_, Report::Promised(_))]));
    }

    /// Answers what the stand-in asks to find out about its server.
    fn learn(&mut self) {
        self.pump();
        for _ in 0..100 {
            let next = self.asked.iter().find(|(_, call)| self.about_itself(call));
            let Some((&link, call)) = next else { return };
            let reply = self.itself(&call.clone());
            self.answer(link, reply);
        }
        panic!("it never knows enough");
    }

    fn about_itself(&self, call: &Request) -> bool {
        match call {
            Request::Access2 { access, .. } => access.credential.pid == 0,
            Request::GetBoxes { .. } | Request::GetBoxContents { .. } => true,
            Request::GetInfo { ctrl, .. } => *ctrl != info::BOXINFO,
            // Numbers of seats are lower.
            Request::Release { handle } => *handle > 9000,
            _ => false,
        }
    }

    fn itself(&mut self, call: &Request) -> Vec<u8> {
        let body = match call {
            Request::GetBoxes { number, .. } => {
                let found =
                    CmBoxInfo { box_mask: 130, serial_number: SERIAL, ..CmBoxInfo::default() };
                let mut body = found.to_bytes();
                body.resize(CmBoxInfo::SIZE * usize::try_from(*number).unwrap(), 0);
                body
            }
            Request::GetBoxContents { number, .. } => {
                let CmBoxEntry2 { firm_code, product_code, product_item_ref, .. } = self.entry;
                let line = CmBoxEntry {
                    firm_code,
                    product_code,
                    product_item_ref,
                    ..CmBoxEntry::default()
                };
                let mut body = line.to_bytes();
                body.resize(CmBoxEntry::SIZE * usize::try_from(*number).unwrap(), 0);
                body
            }
            Request::GetInfo { ctrl, .. } if *ctrl == info::PITEXT => {
                crate::wire::inferred::text("a product")
            }
            Request::GetInfo { ctrl, .. } if *ctrl == info::ENTRYINFO2 => self.entry.to_bytes(),
            _ => Vec::new(),
        };
        self.numbers += 1;
        Reply { status: CmError::NO_ERROR, result: 9000 + self.numbers, body }.encode()
    }

    fn pump(&mut self) {
        let mut out = Vec::new();
        let links = &mut self.links;
        let new = || {
            *links += 2;
            Link(*links)
        };
        self.stand.pump(self.now, new, &mut out);
        self.take(out);
    }

    fn take(&mut self, out: Vec<Intent>) {
        for intent in out {
            match intent {
                Intent::Dial { .. } => {}
                Intent::Send { link, frame } => {
                    let call = Request::parse(&frame).unwrap();
                    assert!(self.asked.insert(link, call).is_none(), "one call at a time");
                }
                Intent::Close { link, .. } => {
                    self.asked.remove(&link);
                    self.closed.push(link);
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(self.asked.len() <= STOCK_LINKS);
        if self.stand.book.handles().count() < 100 {
            self.stand.book.check_invariants();
        }
    }

    fn answer(&mut self, link: Link, reply: Vec<u8>) {
        assert!(self.asked.remove(&link).is_some());
        let mut out = Vec::new();
        self.stand.replied(self.now, link, &reply, &mut out);
        self.take(out);
        self.pump();
    }

    fn close(&mut self, link: Link) {
        self.asked.remove(&link);
        let mut out = Vec::new();
        self.stand.closed(self.now, link, Why::Eof, &mut out);
        self.take(out);
        self.pump();
    }

    /// The call of this kind that waits for a reply.
    fn find(&self, which: impl Fn(&Request) -> bool) -> Option<(Link, Request)> {
        self.asked.iter().find(|(_, call)| which(call)).map(|(link, call)| (*link, call.clone()))
    }

    /// The access for a seat.
    fn access(&self, handle: u32) -> Option<(Link, CmAccess2)> {
        let host = alloc::format!("host-{handle}");
        self.asked.iter().find_map(|(link, call)| match call {
            Request::Access2 { access, .. } if access.borrow_data.client_name.as_str() == host => {
                Some((*link, (**access).clone()))
            }
            _ => None,
        })
    }

    fn release(&self) -> Option<(Link, u32)> {
        self.asked.iter().find_map(|(link, call)| match call {
            Request::Release { handle } => Some((*link, *handle)),
            _ => None,
        })
    }

    fn order(&mut self, body: Order) -> u32 {
        self.correlation += 1;
        let correlation = self.correlation;
        self.stand.order(self.now, Message { correlation, body });
        self.pump();
        correlation
    }

    fn append(&mut self, entries: Vec<Entry>, committed: u64) -> u32 {
        let first = Slot(self.slot + 1);
        self.slot += entries.len() as u64;
        self.order(Order::Append { epoch: EPOCH, first, entries, committed: Slot(committed) })
    }

    fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(event) = self.stand.events.pop_front() {
            match event {
                Event::Refused(slot, error) => told.push(Told::Refused(slot, error)),
                Event::Unable(correlation) => told.push(Told::Unable(correlation)),
                Event::Line(Input::Closed { .. }) => told.push(Told::Closed),
                Event::Line(Input::Frame { frame: Frame::Joined { .. }, .. }) => {
                    told.push(Told::Joined);
                }
                Event::Line(Input::Frame { frame: Frame::Batch(batch), .. }) => {
                    for Message { correlation, body } in decode::<Report>(&batch).unwrap() {
                        told.push(Told::Report(correlation, body));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        told
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        let mut out = Vec::new();
        self.stand.timers(self.now, &mut out);
        self.take(out);
        self.pump();
    }

    /// A seat that has a handle at the server.
    fn seat(&mut self, handle: u32, number: u32) -> u32 {
        let correlation = self.append(vec![Entry::Grant(grant(handle))], self.slot);
        let (link, _) = self.access(handle).expect("it is asked for at once");
        self.answer(link, reply(CmError::NO_ERROR, number));
        let stored = stored(self.slot, vec![]);
        assert_eq!(self.told(), [Told::Report(correlation, stored)]);
        correlation
    }
}

fn stored(last: u64, differing: Vec<u64>) -> Report {
    Report::Stored { last: Slot(last), differing: differing.into_iter().map(Slot).collect() }
}

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
    let (key, item, found) = part.licences().next().unwrap();
    assert_eq!((key, item.text.as_str(), found), (LICENCE, "a firm", &product(TMR, 1)));
    assert_eq!(item.fingerprint(found), print());
}

#[test]
fn a_grant_is_acknowledged_when_the_server_has_given_the_seat() {
    let mut bench = Bench::there();
    let first = bench.append(vec![Entry::Noop, Entry::Grant(grant(11))], 1);
    let second = bench.append(vec![Entry::Noop], 1);
    assert_eq!(bench.told(), [], "nothing before the server's answer, in the order of the log");
    let (link, access) = bench.access(11).unwrap();
    assert_eq!((access.firm_code, access.product_code, access.serial_number), (FIRM, TMR, SERIAL));
    assert_eq!((access.ctrl, access.license_quantity), (access::IGNORE_LINGERTIME, 1));
    assert_eq!((access.credential.pid, access.credential.session), (77, 3));
    assert_eq!(&*access.credential.username.as_str(), "ada");
    assert_eq!(u64::from(access.credential.cleanup_time), STOCK_CLEANUP.as_secs());
    bench.answer(link, reply(CmError::NO_ERROR, 5001));
    assert_eq!(
        bench.told(),
        [Told::Report(first, stored(3, vec![])), Told::Report(second, stored(4, vec![]))]
    );
    assert_eq!(bench.stand.book.held(), 1);
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
    // Success without a handle is none.
    let correlation = bench.append(vec![Entry::Grant(grant(30))], 1);
    let (link, _) = bench.access(30).unwrap();
    bench.answer(link, reply(CmError::NO_ERROR, 0));
    let slot = bench.slot;
    let refused = Told::Refused(Slot(slot), CmError::NO_MORE_HANDLES);
    assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(slot, vec![slot]))]);
    // A licence that is another one here is not even asked for.
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
    assert_eq!(bench.stand.book.held(), 0);
}

#[test]
fn a_lost_reply_is_a_refusal_and_the_seat_is_asked_for_after_the_clean_up() {
    let mut bench = Bench::there();
    let correlation = bench.append(vec![Entry::Grant(grant(11))], 1);
    let (link, _) = bench.access(11).unwrap();
    bench.close(link);
    let refused = Told::Refused(Slot(2), CmError::NETWORK_FAULT);
    assert_eq!(bench.told(), [refused, Told::Report(correlation, stored(2, vec![2]))]);
    assert_eq!(bench.stand.reach, Reach::There, "one connection is not the server");
    // Two others have given it, so it is committed and lives.
    bench.append(vec![Entry::Noop], 2);
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
    assert_eq!(bench.stand.book.held(), 1);
}

#[test]
fn a_server_that_is_silent_is_left_and_its_seats_are_looked_at_when_it_is_back() {
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    bench.seat(12, 5002);
    bench.append(vec![Entry::Grant(grant(13))], bench.slot);
    bench.wait(STOCK_TIMEOUT);
    assert_eq!(bench.stand.reach, Reach::Away);
    assert!(bench.asked.is_empty() && !bench.closed.is_empty());
    let told = bench.told();
    assert!(told.contains(&Told::Refused(Slot(4), CmError::NETWORK_FAULT)), "{told:?}");
    assert_eq!(told.last(), Some(&Told::Closed));
    assert_eq!(bench.stand.deadline(), None, "the front says when to look again");

    bench.stand.dialled(bench.now, LINE);
    bench.learn();
    assert_eq!(bench.told(), [Told::Joined]);
    bench.append(vec![Entry::Noop], 4);
    // One is still there, the other one is not.
    for (number, status) in [(5001, CmError::NO_ERROR), (5002, CmError::INVALID_HANDLE)] {
        let keeps = |call: &Request| matches!(call, Request::GetInfo { handle, ctrl: info::BOXINFO, .. } if *handle == number);
        let (link, _) = bench.find(keeps).expect("each is looked at at once");
        bench.answer(link, reply(status, 0));
    }
    let (link, _) = bench.access(12).expect("it is taken again");
    bench.answer(link, reply(CmError::NO_ERROR, 5003));
    assert_eq!(bench.stand.book.held(), 2);
    assert!(matches!(bench.stand.book.at(Handle(13)), Some(At::Lacking(_))), "in doubt");
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
    // A handle that takes no seat: the one that the licence is looked at by.
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
    assert_eq!(bench.stand.book.held(), 0);
    assert_eq!(bench.order(order(11)), bench.correlation);
    assert_eq!(bench.told(), [Told::Unable(bench.correlation)], "while it has none");
    // A call that is none.
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
    bench.append(vec![Entry::Noop], 2);
    bench.told();
    bench.seat(12, 5002);
    // The front claims again; 12 was not committed, and is not in the log that it brings.
    let epoch = Epoch { round: 3, front: 7 };
    bench.order(Order::Claim { epoch });
    let (first, committed) = (Slot(3), Slot(2));
    bench.order(Order::Append { epoch, first, entries: vec![Entry::Noop], committed });
    assert_eq!(bench.release().map(|(_, number)| number), Some(5002));
    assert_eq!(bench.stand.book.at(Handle(12)), None);
    assert!(matches!(bench.stand.book.at(Handle(11)), Some(At::Held(5001, _))));
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
    let link = Link(3);
    assert!(bench.stand.pool.has(link));
    bench.wait(STOCK_PING);
    bench.learn();
    let mut out = Vec::new();
    bench.stand.replied(bench.now, link, &reply(CmError::NO_ERROR, 0), &mut out);
    bench.take(out);
    assert_eq!(bench.stand.reach, Reach::Away);
    assert_eq!(bench.told(), [Told::Closed]);
    // And so does one that is too short to be any.
    let mut bench = Bench::there();
    bench.append(vec![Entry::Grant(grant(11))], 1);
    let (link, _) = bench.access(11).unwrap();
    bench.answer(link, vec![0; 7]);
    assert_eq!(bench.stand.reach, Reach::Away);
}

#[test]
fn a_server_that_says_anything_at_all_is_survived() {
    // Every step of finding out, answered with an error, with nothing, and with noise.
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
            assert_ne!(bench.stand.reach, Reach::Coming);
        }
    }
}

#[test]
fn a_restarted_server_s_old_handle_is_taken_anew_while_learning() {
    let mut learner = Learner::new(vec![CM_ACT_ID]);
    learner.begin();
    assert!(matches!(learner.call(), Some(Request::Access2 { .. })));
    let mut bench = Bench::there();
    bench.seat(11, 5001);
    assert!(STOCK_RETRY < STOCK_CLEANUP);
    // At the next look the server knows none of the handles of the last one.
    bench.now = bench.now + STOCK_LEARN;
    bench.pump();
    for _ in 0..30 {
        let Some((&link, call)) = bench.asked.iter().next() else { break };
        let call = call.clone();
        let old = call.handle().is_some_and(|handle| handle > 9000 && handle <= 9010);
        let right = bench.itself(&call);
        bench.answer(link, if old { reply(CmError::INVALID_HANDLE, 0) } else { right });
    }
    assert_eq!(bench.stand.reach, Reach::There);
    assert_eq!(bench.told(), [], "the same licence: the front is not bothered");
    assert!(bench.stand.learnt.licences[&LICENCE].number > 9010);
}

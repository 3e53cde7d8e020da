//! A backend as a node: what it sends, and what is on its disk by then.

mod direct;

use super::{Backend, Config, JournalError};
use crate::base::limits::{HANDLE_BLOCK, JOURNAL_REWRITE, PACE_SEATLESS, SLOT_LAST};
use crate::base::time::Wall;
use crate::crypt::sign;
use crate::io::{BackendEvent, HostRequest, Input, Intent, JournalWrite};
use crate::link::{CloseReason, Frame, LinkId, Listener};
use crate::log::{
    Client, DiskId, Entry, Epoch, Grant, GroupId, Handle, HandleScope, LicenceKey, Mode, Setting,
    Slot,
};
use crate::messages::group::{Order, Report, decode, encode};
use crate::service::HandleKey;
use crate::testing::{
    LICENCE, ORDINARY, TMR, access, at, container, crypt, identity, peer, release, reply, seat,
};
use crate::wire::Request;
use crate::wire::structs::CmAuthenticate;
use alloc::string::{String, ToString};
use alloc::{vec, vec::Vec};

const EPOCH: Epoch = Epoch { round: 1, front: 7 };
const FRONT: LinkId = LinkId(2);

fn config(seed: u8, group_check: &[u8; 8]) -> Config {
    let (identity, containers, group_check) = (identity(), vec![container(0)], *group_check);
    Config { identity, containers, group_check, handle_key: HandleKey::default(), seed: [seed; 32] }
}

/// A backend and its disk.
struct Machine {
    node: Backend,
    disk: Vec<u8>,
    /// The write in progress, and whether it is a whole journal.
    write: Option<(Vec<u8>, bool)>,
    writes: usize,
    /// What was sent, in order.
    sent: Vec<(LinkId, Vec<u8>)>,
    seconds: u64,
}

impl Machine {
    fn from(disk: &[u8], seed: u8) -> Self {
        let journal = (!disk.is_empty()).then_some(disk);
        let (node, keep) = Backend::open(config(seed, b"checksum"), journal).unwrap();
        assert!(keep <= disk.len());
        let disk = disk[..keep].to_vec();
        let mut machine = Self { node, disk, write: None, writes: 0, sent: vec![], seconds: 1 };
        machine.step(Input::Tick);
        machine
    }

    /// Starts a backend, with a front on its link.
    fn joined(disk: &[u8], seed: u8) -> Self {
        let mut machine = Self::from(disk, seed);
        machine.settle();
        machine.step(Input::Accepted { link: FRONT, listener: Listener::Licence, from: peer(0) });
        machine.step(Input::Frame { link: FRONT, frame: Frame::Joined { front: 7, minor: 0 } });
        machine
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.node.step(at(self.seconds), input, &mut out);
        for intent in out {
            match intent {
                Intent::Send { link, frame } => self.sent.push((link, frame)),
                Intent::Host(HostRequest::Journal(write)) => self.begin(write),
                Intent::Close { .. } | Intent::Host(HostRequest::AdminFiles(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn begin(&mut self, write: JournalWrite) {
        assert!(self.write.is_none(), "one write at a time");
        let whole = write.is_whole();
        self.write = Some((write.into_bytes(), whole));
        self.writes += 1;
    }

    /// Completes the write in progress.
    fn written(&mut self) {
        let (bytes, whole) = self.write.take().expect("a write on its way");
        if whole {
            self.disk.clear();
        }
        self.disk.extend_from_slice(&bytes);
        self.step(BackendEvent::JournalWritten.into());
    }

    fn settle(&mut self) {
        while self.write.is_some() {
            self.written();
        }
    }

    fn order(&mut self, correlation: u32, order: &Order) {
        let frame = Frame::Batch(encode(correlation, order));
        self.step(Input::Frame { link: FRONT, frame });
    }

    /// Returns the reports that the front got since the last call.
    fn reports(&mut self) -> Vec<(u32, Report)> {
        let sent = core::mem::take(&mut self.sent);
        let decoded = sent.iter().flat_map(|(link, frame)| {
            assert_eq!(*link, FRONT);
            decode::<Report>(frame).unwrap()
        });
        decoded.map(|message| (message.correlation, message.body)).collect()
    }

    fn client(&mut self, number: u64) -> LinkId {
        let link = LinkId(100 + 2 * number);
        self.step(Input::Accepted { link, listener: Listener::Licence, from: peer(1) });
        link
    }

    /// Makes a client's call, and returns its reply when everything is on disk.
    fn ask(&mut self, link: LinkId, call: Vec<u8>) -> (u32, u32) {
        self.step(Input::Frame { link, frame: Frame::Call(call) });
        self.settle();
        let (to, frame) = self.sent.pop().expect("a reply");
        assert_eq!(to, link);
        reply(&frame)
    }
}

fn claim() -> Order {
    Order::Claim { epoch: EPOCH }
}

fn found() -> Order {
    Order::Found { epoch: EPOCH, group: GroupId(5) }
}

fn append(first: u64, entries: &[Entry]) -> Order {
    let entries = entries.to_vec();
    Order::Append { epoch: EPOCH, first: Slot(first), entries, committed: Slot(first - 1) }
}

fn handles(last: u32) -> Entry {
    Entry::Configure(Setting::Handles(last))
}

/// Returns a grant whose client sends a text of this length.
fn grant(handle: u32, text: &str) -> Grant {
    Grant {
        handle: Handle(handle),
        held: HandleScope::Licence(LICENCE),
        fingerprint: 1,
        quantity: u32::MAX,
        take: 1,
        mode: Mode::UserLimit,
        client: Client {
            address: peer(0).ip(),
            host: String::new(),
            user: String::new(),
            domain: String::new(),
            text: text.into(),
            user_defined_id: 0,
            pid: 0,
            session: 0,
        },
        since: Wall(0),
        cleanup_seconds: 60,
        linger_seconds: 0,
        starts_usage: false,
    }
}

fn stored(last: u64) -> Report {
    Report::Stored { last: Slot(last), differing: vec![] }
}

#[test]
fn a_blank_backend_writes_its_name_before_it_says_it() {
    let mut machine = Machine::from(b"", 1);
    let (_, whole) = machine.write.as_ref().expect("a write on its way");
    assert!(whole, "the journal begins with its head");
    machine.step(Input::Accepted { link: FRONT, listener: Listener::Licence, from: peer(0) });
    machine.step(Input::Frame { link: FRONT, frame: Frame::Joined { front: 7, minor: 0 } });
    machine.order(1, &Order::Describe);
    assert_eq!(machine.reports(), []);
    machine.written();
    let reports = machine.reports();
    let [(1, Report::Described(description))] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!(description.parts, [container(0).part]);
    let disk = description.standing.disk;
    assert_ne!(disk, DiskId(0));
    // The same folder has the same disk id, another folder has another one.
    for (bytes, seed, same) in [(machine.disk.clone(), 2, true), (vec![], 3, false)] {
        let mut again = Machine::joined(&bytes, seed);
        again.order(1, &Order::Describe);
        let Some((_, Report::Described(other))) = again.reports().pop() else { panic!() };
        assert_eq!(other.standing.disk == disk, same);
    }
}

#[test]
fn nothing_is_said_to_be_on_disk_before_it_is() {
    let mut machine = Machine::joined(b"", 1);
    machine.order(1, &claim());
    assert_eq!(machine.reports(), []);
    // A description does not reveal the promise either.
    machine.order(2, &Order::Describe);
    assert_eq!(machine.reports(), []);
    machine.written();
    let reports = machine.reports();
    let [(1, Report::Promised(_)), (2, Report::Described(_))] = reports[..] else {
        panic!("{reports:?}")
    };
    for (number, order, last) in [(3, found(), 0), (4, append(1, &[handles(1)]), 1)] {
        machine.order(number, &order);
        assert_eq!(machine.reports(), [], "{order:?}");
        machine.settle();
        assert_eq!(machine.reports(), [(number, stored(last))]);
    }
    // A report of an order that changes nothing is sent at once.
    machine.order(5, &Order::Confirm { epoch: EPOCH, committed: Slot(0), serves: false });
    assert_eq!(machine.reports(), [(5, Report::Confirmed)]);
    // A report of an order that repeats what is being written waits for that write.
    machine.order(6, &append(2, &[handles(2)]));
    machine.order(7, &append(2, &[handles(2)]));
    machine.order(8, &append(9, &[handles(9)]));
    assert_eq!(machine.reports(), []);
    machine.written();
    let gap = Report::Gap { committed: Slot(1) };
    assert_eq!(machine.reports(), [(6, stored(2)), (7, stored(2)), (8, gap)]);
    assert!(machine.write.is_none());
}

#[test]
fn what_comes_during_a_write_goes_out_with_one_next() {
    let mut machine = Machine::joined(b"", 1);
    machine.order(1, &claim());
    machine.settle();
    machine.order(2, &found());
    machine.settle();
    machine.reports();
    let before = machine.writes;
    for number in 1..=20 {
        machine.order(10 + number, &append(number.into(), &[handles(number)]));
    }
    assert_eq!(machine.writes, before + 1);
    machine.written();
    assert_eq!(machine.reports(), [(11, stored(1))]);
    assert_eq!(machine.writes, before + 2);
    machine.written();
    let numbers: Vec<u32> = machine.reports().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (12..=30).collect::<Vec<u32>>());
    assert_eq!((machine.writes, machine.write.is_none()), (before + 2, true));
}

#[test]
fn cut_off_at_any_byte_it_has_everything_it_acknowledged() {
    let mut machine = Machine::joined(b"", 1);
    machine.order(1, &claim());
    machine.settle();
    machine.order(2, &found());
    machine.settle();
    let born = machine.disk.len();
    // The last slot acknowledged at each length of the disk.
    let mut acknowledged = vec![(born, 0)];
    for slot in 1..=6 {
        machine.order(slot, &append(slot.into(), &[handles(slot)]));
        machine.settle();
        acknowledged.push((machine.disk.len(), slot));
    }
    for cut in born..=machine.disk.len() {
        let want = acknowledged.iter().rev().find(|(length, _)| *length <= cut).unwrap();
        let (node, keep) =
            Backend::open(config(9, b"checksum"), Some(&machine.disk[..cut])).unwrap();
        assert_eq!(keep, want.0, "cut at {cut}");
        let standing = node.acceptor.standing();
        assert_eq!(standing.last, Slot(want.1.into()), "cut at {cut}");
        assert_eq!((standing.promised, standing.group), (EPOCH, Some(GroupId(5))));
    }
    // The journal continues behind what was kept.
    let cut = machine.disk.len() - 1;
    let mut again = Machine::joined(&machine.disk[..cut], 9);
    again.order(1, &append(5, &[handles(5), handles(60)]));
    again.settle();
    assert_eq!(again.reports(), [(1, stored(6))]);
    let (third, keep) = Backend::open(config(10, b"checksum"), Some(&again.disk)).unwrap();
    assert_eq!((third.acceptor.standing().last, keep), (Slot(6), again.disk.len()));
}

#[test]
fn another_groups_folder_and_another_format_are_refused_in_words() {
    let machine = Machine::joined(b"", 1);
    let words = |result: Result<_, JournalError>| result.err().unwrap().to_string();
    assert_eq!(
        words(Backend::open(config(1, b"another1"), Some(&machine.disk))),
        "the state folder belongs to another group: it was made with another group key. Use the \
         key it was made with, or an empty folder"
    );
}

#[test]
fn other_licence_files_are_told_to_every_front_when_what_that_tells_is_durable() {
    let mut machine = Machine::joined(b"", 1);
    let mut other = container(0);
    other.part.firm_items[0].products[0].license_quantity = 9;
    machine.order(1, &claim());
    machine.step(BackendEvent::LicencesRead(vec![other.clone()]).into());
    assert_eq!(machine.reports(), vec![], "the promise is not on disk");
    machine.settle();
    let reports = machine.reports();
    assert!(matches!(reports[0], (1, Report::Promised(_))));
    let (0, Report::Described(description)) = &reports[1] else { panic!("{reports:?}") };
    assert_eq!((description.standing.promised, &description.parts[..]), (EPOCH, &[other.part][..]));

    let mut seen = Vec::new();
    for containers in [vec![container(0)], vec![container(0)], vec![]] {
        let count = containers.len();
        machine.step(BackendEvent::LicencesRead(containers).into());
        seen.push((count, machine.reports().len()));
    }
    assert_eq!(seen, [(1, 1), (1, 0), (0, 1)], "what changes nothing is not told");
}

#[test]
fn seats_of_an_ordinary_licence_outlive_its_file() {
    let mut machine = Machine::from(b"", 1);
    machine.settle();
    let client = machine.client(0);
    let want = || access(ORDINARY, Mode::UserLimit, 60);
    let handles: Vec<u32> = (0..5).map(|_| machine.ask(client, want()).1).collect();
    let mut less = container(0);
    less.part.firm_items[0].products[1].license_quantity = 4;
    machine.step(BackendEvent::LicencesRead(vec![less]).into());
    assert_eq!(machine.ask(client, crypt(handles[4])).0, 0);
    assert_eq!(machine.ask(client, release(handles[4])), (0, 0));
    assert_eq!(machine.ask(client, want()).0, 212);
    machine.step(BackendEvent::LicencesRead(vec![]).into());
    assert_eq!(machine.ask(client, want()).0, 201);
    assert_eq!(machine.ask(client, release(handles[3])), (0, 0));
    machine.step(BackendEvent::LicencesRead(vec![container(0)]).into());
    assert_eq!(machine.ask(client, crypt(handles[0])).0, 0);
    assert_eq!(machine.ask(client, want()).0, 0);
    assert_eq!(machine.ask(client, want()).0, 0);
    assert_eq!(machine.ask(client, want()).0, 212);
}

#[test]
fn another_part_is_told_with_the_acknowledgement() {
    let mut machine = Machine::joined(b"", 1);
    let print = machine.node.print(&LICENCE).expect("it holds that licence");
    let mut grants = Vec::new();
    for (handle, fingerprint, product_code) in
        [(1, print, TMR), (2, print + 1, TMR), (3, print, TMR), (4, print, 999)]
    {
        let held = HandleScope::Licence(LicenceKey { product_code, ..LICENCE });
        grants.push(Entry::Grant(Grant { held, fingerprint, ..grant(handle, "") }));
    }
    machine.order(1, &claim());
    machine.order(2, &found());
    machine.settle();
    machine.reports();
    machine.order(3, &append(1, &grants));
    machine.settle();
    let differing = vec![Slot(2), Slot(4)];
    assert_eq!(machine.reports(), [(3, Report::Stored { last: Slot(4), differing })]);
    // Nothing overflows at the last slot.
    let last = Slot(SLOT_LAST);
    let order = Order::Append { epoch: EPOCH, first: last, entries: grants, committed: last };
    machine.order(4, &order);
    machine.settle();
    assert_eq!(machine.reports(), [(4, Report::Gap { committed: Slot(0) })]);
}

#[test]
fn the_next_numbers_are_there_before_the_last_one_is_used() {
    let mut machine = Machine::from(b"", 1);
    machine.settle();
    let link = machine.client(0);
    let mut last = 0;
    for count in 0..=HANDLE_BLOCK {
        let (status, handle) = machine.ask(link, access(ORDINARY, Mode::NoUserLimit, 60));
        assert!(status == 0 && handle != last, "number {count}: {status}, {handle}");
        last = handle;
        assert_eq!(machine.ask(link, release(handle)), (0, 0));
        machine.seconds += u64::from(count % (PACE_SEATLESS / 5) == 0);
    }
}

#[test]
fn a_journal_is_gone_on_with_and_written_anew_when_it_is_long() {
    let mut machine = Machine::joined(b"", 1);
    for (correlation, order) in [(1, claim()), (2, found())] {
        machine.order(correlation, &order);
        machine.settle();
    }
    let mut again = Machine::from(&machine.disk, 1);
    assert!(again.write.as_ref().expect("a write on its way").1, "what was read is written anew");
    again.settle();
    again.order(3, &append(1, &[Entry::Expire(Handle(9))]));
    assert!(!again.write.expect("a write on its way").1, "and then gone on with");
    // Seats that end at once: the new journal is short.
    let text = "x".repeat(60_000);
    let entries = [Entry::Grant(grant(9, &text)), Entry::Expire(Handle(9))];
    let (mut first, mut rewritten) = (1, false);
    while !rewritten {
        let before = machine.disk.len();
        machine.order(3, &append(first, &entries));
        first += 2;
        rewritten = machine.write.as_ref().expect("a write on its way").1;
        assert_eq!(rewritten, before > JOURNAL_REWRITE);
        machine.settle();
    }
    assert!(machine.disk.len() < JOURNAL_REWRITE / 4);
    // The journal is written again once, then it grows.
    machine.order(4, &append(first, &entries));
    assert!(!machine.write.as_ref().expect("a write on its way").1);
}

#[test]
fn a_long_state_is_not_written_anew_with_every_entry() {
    let mut machine = Machine::joined(b"", 1);
    for (correlation, order) in [(1, claim()), (2, found())] {
        machine.order(correlation, &order);
        machine.settle();
    }
    let text = "x".repeat(60_000);
    let most = 2 * u32::try_from(JOURNAL_REWRITE / 60_000).unwrap();
    let mut rewritten = 0;
    for number in 1..=most {
        machine.order(number, &append(number.into(), &[Entry::Grant(grant(number, &text))]));
        rewritten += usize::from(machine.write.as_ref().expect("a write on its way").1);
        machine.settle();
    }
    assert_eq!(rewritten, 1, "the next time when it is four times as long");
}

#[test]
fn a_new_promise_ends_what_the_front_before_said_of_itself() {
    let mut machine = Machine::joined(b"", 1);
    let mut led = |order: Option<Order>| {
        if let Some(order) = order {
            machine.order(1, &order);
            machine.settle();
            machine.reports();
        }
        machine.order(2, &Order::Describe);
        machine.settle();
        let reports = machine.reports();
        let [(2, Report::Described(description))] = &reports[..] else { panic!("{reports:?}") };
        description.led
    };
    assert!(!led(Some(claim())));
    assert!(led(Some(Order::Confirm { epoch: EPOCH, committed: Slot(0), serves: true })));
    assert!(led(None));
    let next = Epoch { round: EPOCH.round + 1, ..EPOCH };
    assert!(!led(Some(Order::Claim { epoch: next })), "that one does not lead any more");
}

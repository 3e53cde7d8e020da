//! A stand-in, its calls to the server, and its reports to the front.

use crate::base::limits::STOCK_LINKS;
use crate::base::network::Address;
use crate::base::time::{Duration, Mono};
use crate::front::unfenced::driver::Reach;
use crate::front::unfenced::initial_log::InitialLog;
use crate::front::unfenced::stand_in::{Event, StandIn};
use crate::io::{Input, Intent};
use crate::licence::FirmItem;
use crate::link::{CloseReason, Frame, LinkId};
use crate::log::{ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, Mode, Slot};
use crate::messages::group::{Message, Order, Report, decode};
use crate::testing::{CM_ACT_ID, FIRM, LICENCE, TMR, at, product};
use crate::wire::constants::{info, pio, quantity};
use crate::wire::structs::{CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, Layout};
use crate::wire::{CmError, Reply, Request};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

pub(super) const LINE: LinkId = LinkId(1001);
pub(super) const EPOCH: Epoch = Epoch { round: 2, front: 7 };
pub(super) const SERIAL: u32 = 4711;

/// A stand-in and the calls that wait for a reply.
pub(super) struct Bench {
    pub(super) stand: StandIn,
    pub(super) now: Mono,
    pub(super) links: u64,
    pub(super) asked: BTreeMap<LinkId, Request>,
    pub(super) closed: Vec<LinkId>,
    /// The address that it dialled last.
    pub(super) dialled: Option<Address>,
    pub(super) slot: u64,
    pub(super) correlation: u32,
    /// The entry that the server reports of its licence.
    pub(super) entry: CmBoxEntry2,
    pub(super) numbers: u32,
}

/// What was reported to the front.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Joined,
    Closed,
    Report(u32, Report),
    Refused(Slot, CmError),
    Unable(u32),
}

pub(super) fn entry() -> CmBoxEntry2 {
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

pub(super) fn print() -> u64 {
    let text = "a firm".into();
    let item = FirmItem { firm_code: FIRM, text, key_check: 0, products: Vec::new() };
    item.fingerprint(&product(TMR, 1))
}

pub(in super::super) fn grant(handle: u32) -> Grant {
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
        held: crate::log::HandleScope::Licence(LICENCE),
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

/// Returns an entry without effect: the end of a handle that does not exist.
pub(super) fn nothing() -> Entry {
    Entry::Release(Handle(1))
}

pub(super) fn reply(status: CmError, result: u32) -> Vec<u8> {
    Reply { status, result, body: Vec::new() }.encode()
}

impl Bench {
    /// Returns one whose server was not dialled yet.
    pub(super) fn away() -> Self {
        let address = Address { host: "stock".into(), port: 1 };
        let members = [DiskId(1), DiskId(2), DiskId(3)];
        let log = InitialLog::birth(7, GroupId(5), members);
        let wanted = vec![ContainerId::CmAct(CM_ACT_ID)];
        let stand = StandIn::new(address, wanted, members[1], &log);
        Self {
            stand,
            now: Mono(1_000_000),
            links: 1,
            asked: BTreeMap::new(),
            closed: Vec::new(),
            dialled: None,
            slot: 1,
            correlation: 0,
            entry: entry(),
            numbers: 0,
        }
    }

    /// Returns one whose server is known, and whose front leads.
    pub(super) fn there() -> Self {
        let mut bench = Self::away();
        bench.stand.dialled(bench.now, LINE);
        bench.learn();
        assert_eq!(bench.told(), [Told::Joined]);
        assert_eq!(bench.stand.driver().reach(), Reach::There);
        bench.lead();
        bench
    }

    pub(super) fn lead(&mut self) {
        self.order(Order::Claim { epoch: EPOCH });
        assert!(matches!(self.told()[..], [Told::Report(_, Report::Promised(_))]));
    }

    /// Answers the calls of discovery.
    pub(super) fn learn(&mut self) {
        self.pump();
        for _ in 0..100 {
            let next = self.asked.iter().find(|(_, call)| self.about_itself(call));
            let Some((&link, call)) = next else { return };
            let reply = self.itself(&call.clone());
            self.answer(link, reply);
        }
        panic!("it never knows enough");
    }

    pub(super) fn about_itself(&self, call: &Request) -> bool {
        match call {
            Request::Access2 { access, .. } => access.credential.pid == 0,
            Request::GetBoxes { .. } | Request::GetBoxContents { .. } => true,
            Request::GetInfo { ctrl, .. } => *ctrl != info::BOXINFO,
            // Numbers of seats are lower.
            Request::Release { handle } => *handle > 9000,
            _ => false,
        }
    }

    pub(super) fn itself(&mut self, call: &Request) -> Vec<u8> {
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

    pub(super) fn pump(&mut self) {
        let mut out = Vec::new();
        let links = &mut self.links;
        let new = || {
            *links += 2;
            LinkId(*links)
        };
        self.stand.pump(self.now, new, &mut out);
        self.take(out);
    }

    pub(super) fn take(&mut self, out: Vec<Intent>) {
        for intent in out {
            match intent {
                Intent::Dial { to, .. } => self.dialled = Some(to),
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
        if self.stand.seat_table().handles().count() < 100 {
            self.stand.seat_table().check_invariants();
        }
    }

    pub(super) fn answer(&mut self, link: LinkId, reply: Vec<u8>) {
        assert!(self.asked.remove(&link).is_some());
        let mut out = Vec::new();
        self.stand.replied(self.now, link, &reply, &mut out);
        self.take(out);
        self.pump();
    }

    pub(super) fn close(&mut self, link: LinkId) {
        self.asked.remove(&link);
        let mut out = Vec::new();
        self.stand.closed(self.now, link, CloseReason::Eof, &mut out);
        self.take(out);
        self.pump();
    }

    /// Returns the pending call of this kind.
    pub(super) fn find(&self, which: impl Fn(&Request) -> bool) -> Option<(LinkId, Request)> {
        self.asked.iter().find(|(_, call)| which(call)).map(|(link, call)| (*link, call.clone()))
    }

    /// Returns the access for a seat.
    pub(super) fn access(&self, handle: u32) -> Option<(LinkId, CmAccess2)> {
        let host = alloc::format!("host-{handle}");
        self.asked.iter().find_map(|(link, call)| match call {
            Request::Access2 { access, .. } if access.borrow_data.client_name.to_text() == host => {
                Some((*link, (**access).clone()))
            }
            _ => None,
        })
    }

    pub(super) fn release(&self) -> Option<(LinkId, u32)> {
        self.asked.iter().find_map(|(link, call)| match call {
            Request::Release { handle } => Some((*link, *handle)),
            _ => None,
        })
    }

    pub(super) fn order(&mut self, body: Order) -> u32 {
        self.correlation += 1;
        let correlation = self.correlation;
        self.stand.order(self.now, Message { correlation, body });
        self.pump();
        correlation
    }

    pub(super) fn append(&mut self, entries: Vec<Entry>, committed: u64) -> u32 {
        let first = Slot(self.slot + 1);
        self.slot += entries.len() as u64;
        self.order(Order::Append { epoch: EPOCH, first, entries, committed: Slot(committed) })
    }

    pub(super) fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(event) = self.stand.next_event() {
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

    /// Puts another configuration into effect: this address, and the same containers.
    pub(super) fn moved(&mut self, address: &Address) {
        let mut out = Vec::new();
        let wanted = vec![ContainerId::CmAct(CM_ACT_ID)];
        self.stand.moved(self.now, address.clone(), wanted, &mut out);
        self.take(out);
        self.pump();
    }

    pub(super) fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        let mut out = Vec::new();
        self.stand.timers(self.now, &mut out);
        self.take(out);
        self.pump();
    }

    /// Takes a seat with this handle at the server.
    pub(super) fn seat(&mut self, handle: u32, number: u32) -> u32 {
        let correlation = self.append(vec![Entry::Grant(grant(handle))], self.slot);
        let (link, _) = self.access(handle).expect("it is asked for at once");
        self.answer(link, reply(CmError::NO_ERROR, number));
        let stored = stored(self.slot, vec![]);
        assert_eq!(self.told(), [Told::Report(correlation, stored)]);
        correlation
    }
}

pub(super) fn stored(last: u64, differing: Vec<u64>) -> Report {
    Report::Stored { last: Slot(last), differing: differing.into_iter().map(Slot).collect() }
}

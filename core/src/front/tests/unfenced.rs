//! Fronts with stock servers as backends: three servers in memory that know only the public API.
//! Tests of two such fronts are in `twins`.

mod twins;

use super::World;
use super::world::Event;
use crate::base::limits::{STOCK_CLEANUP, STOCK_KEEP, STOCK_LEARN, STOCK_TIMEOUT, TWIN_CONNECT};
use crate::base::time::Duration;
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId};
use crate::log::{ContainerId, Mode};
use crate::testing::{CM_ACT_ID, FIRM, ORDINARY, TMR, access, crypt, release, seat};
use crate::wire::constants::{access as how, boxes, info, pio, quantity};
use crate::wire::structs::{CmAccess2, CmBoxEntry, CmBoxEntry2, CmBoxInfo, Layout};
use crate::wire::{CmError, Reply, Request};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);
/// Mask of a container with universal Firm Code (protocol facts 5.9).
const MASK: u16 = 130;

/// The purpose of a handle of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Service,
    Container,
    /// A licence, without a seat.
    Look(u32),
    Seat,
}

/// A stock server with one licence of five seats.
#[derive(Debug)]
pub(super) struct Server {
    serial: u32,
    handles: BTreeMap<u32, Given>,
    number: u32,
    quantity: u32,
    /// Whether it cannot be reached.
    away: bool,
    /// Whether it takes calls and answers none.
    hangs: bool,
    /// The error with which it refuses a seat.
    refuses: Option<CmError>,
    /// The number of client calls that it did.
    performed: u32,
}

/// All three servers, and their connections.
#[derive(Debug, Default)]
pub(super) struct Servers {
    all: Vec<Server>,
    links: BTreeMap<(usize, LinkId), usize>,
}

impl Server {
    fn new(index: usize) -> Self {
        Self {
            serial: 4_001 + u32::try_from(index).unwrap(),
            handles: BTreeMap::new(),
            number: 1_000 * u32::try_from(index + 1).unwrap(),
            quantity: 5,
            away: false,
            hangs: false,
            refuses: None,
            performed: 0,
        }
    }

    fn looks(&self) -> usize {
        self.handles.values().filter(|given| matches!(given, Given::Look(_))).count()
    }

    fn seats(&self) -> usize {
        self.handles.values().filter(|given| **given == Given::Seat).count()
    }

    /// Returns the entry of one of its products: the ordinary one has no text.
    fn entry(&self, product_code: u32) -> CmBoxEntry2 {
        if product_code == ORDINARY {
            return CmBoxEntry2 {
                firm_code: FIRM,
                set_pios: pio::PRODUCTCODE | pio::LICENSEQUANTITY,
                product_code,
                license_quantity: 1,
                ..CmBoxEntry2::default()
            };
        }
        CmBoxEntry2 {
            firm_code: FIRM,
            firm_item_text: "a firm".into(),
            set_pios: pio::PRODUCTCODE | pio::LICENSEQUANTITY | pio::TEXT,
            product_code,
            license_quantity: self.quantity,
            license_quantity_flags: quantity::TRIPLEMODEREDUNDANCY,
            license_tag: 1,
            product_item_ref: 3,
            ..CmBoxEntry2::default()
        }
    }

    fn give(&mut self, asked: &CmAccess2) -> Result<u32, CmError> {
        if asked.credential.cleanup_time == 0 {
            return Err(CmError::INVALID_PARAMETER);
        }
        let mine = (asked.box_mask, asked.serial_number) == (MASK, self.serial);
        let given = match asked.firm_code {
            0 if asked.ctrl & how::SUBSYSTEM != 0 => Given::Service,
            0 if mine && asked.cm_act_id == CM_ACT_ID.to_le_bytes() => Given::Container,
            FIRM if mine && asked.ctrl & how::NOUSERLIMIT != 0 => Given::Look(asked.product_code),
            FIRM if mine && asked.product_code == TMR => Given::Seat,
            _ => return Err(CmError::ENTRY_NOT_FOUND),
        };
        if given == Given::Seat {
            if let Some(error) = self.refuses {
                return Err(error);
            }
            if self.seats() >= usize::try_from(self.quantity).unwrap() {
                return Err(CmError::NO_MORE_LICENSES);
            }
        }
        self.number += 1;
        self.handles.insert(self.number, given);
        Ok(self.number)
    }

    /// Replies like a stock server: a call over an unknown handle is refused with 106.
    fn reply(&mut self, call: &Request) -> Reply {
        let given = call.handle().and_then(|handle| self.handles.get(&handle).copied());
        let known = |kinds: &[Given]| given.is_some_and(|given| kinds.contains(&given));
        let body = match call {
            // For this server only, as a client's library requests it.
            Request::Access2 { ctrl, .. } if *ctrl != how::FROM_LIBRARY | how::LOCAL => {
                return Reply::error(CmError::INVALID_PARAMETER);
            }
            Request::Access2 { access, .. } => match self.give(access) {
                Ok(result) => return Reply { status: CmError::NO_ERROR, result, body: vec![] },
                Err(error) => return Reply::error(error),
            },
            Request::Release { handle } if self.handles.remove(handle).is_some() => vec![],
            Request::GetBoxes { number, .. } if known(&[Given::Service]) => {
                let serial_number = self.serial;
                let found = CmBoxInfo { box_mask: MASK, serial_number, ..CmBoxInfo::default() };
                let mut body = found.to_bytes();
                body.resize(CmBoxInfo::SIZE * usize::try_from(*number).unwrap(), 0);
                body
            }
            Request::GetBoxContents { number, box_info, ctrl, .. }
                if known(&[Given::Container])
                    && *ctrl == boxes::ALLENTRIES | boxes::BOX
                    && (box_info.box_mask, box_info.serial_number) == (MASK, self.serial) =>
            {
                let line = |product_code| {
                    let product_item_ref = self.entry(product_code).product_item_ref;
                    let firm_code = FIRM;
                    CmBoxEntry {
                        firm_code,
                        product_code,
                        product_item_ref,
                        ..CmBoxEntry::default()
                    }
                };
                let mut body = line(ORDINARY).to_bytes();
                body.extend(line(TMR).to_bytes());
                body.resize(CmBoxEntry::SIZE * usize::try_from(*number).unwrap(), 0);
                body
            }
            Request::GetInfo { ctrl: info::ENTRYINFO2, .. } => match given {
                Some(Given::Look(product_code)) => self.entry(product_code).to_bytes(),
                _ => return Reply::error(CmError::INVALID_HANDLE),
            },
            Request::GetInfo { ctrl: info::PITEXT, .. } if known(&[Given::Look(TMR)]) => {
                crate::wire::inferred::text("a product")
            }
            Request::GetInfo { ctrl: info::VERSION, .. } if known(&[Given::Service]) => vec![],
            Request::GetInfo { ctrl: info::BOXINFO, .. }
                if known(&[Given::Seat, Given::Look(TMR)]) =>
            {
                vec![]
            }
            Request::Crypt2 { .. } if known(&[Given::Seat, Given::Look(TMR)]) => {
                self.performed += 1;
                vec![0; 16]
            }
            _ => return Reply::error(CmError::INVALID_HANDLE),
        };
        Reply { status: CmError::NO_ERROR, result: 0, body }
    }
}

impl Servers {
    pub(super) fn has(&self, front: usize, link: LinkId) -> bool {
        self.links.contains_key(&(front, link))
    }

    pub(super) fn hang_up(&mut self, front: usize, link: LinkId) {
        self.links.remove(&(front, link));
    }
}

impl World {
    pub(super) fn dial_server(&mut self, front: usize, link: LinkId, server: usize) {
        if self.servers.all[server].away {
            let reason = CloseReason::Broken("connection refused".into());
            let input = Input::Closed { link, reason, unsent: true };
            return self.events.push_back(Event::ToFront(front, input));
        }
        self.servers.links.insert((front, link), server);
    }

    pub(super) fn ask_server(&mut self, front: usize, link: LinkId, frame: &[u8]) {
        let server = &mut self.servers.all[self.servers.links[&(front, link)]];
        if server.hangs {
            return;
        }
        let reply = server.reply(&Request::parse(frame).unwrap()).encode();
        let input = Input::Frame { link, frame: Frame::Reply(reply) };
        self.events.push_back(Event::ToFront(front, input));
    }

    /// Stops a server, which forgets all handles.
    fn server_dies(&mut self, index: usize) {
        let server = &mut self.servers.all[index];
        server.away = true;
        server.handles.clear();
        let links: Vec<(usize, LinkId)> =
            self.servers.links.iter().filter(|(_, to)| **to == index).map(|(at, _)| *at).collect();
        for (front, link) in links {
            self.servers.hang_up(front, link);
            let input = Input::Closed { link, reason: CloseReason::Eof, unsent: false };
            self.events.push_back(Event::ToFront(front, input));
        }
        self.run();
    }

    fn used_there(&self) -> [usize; 3] {
        [0, 1, 2].map(|index| self.servers.all[index].seats())
    }
}

/// Returns a world with this many fronts, of which the first one leads, and three stock servers.
fn stock(fronts: usize) -> World {
    let mut world = World::new(0);
    world.servers.all = (0..3).map(Server::new).collect();
    world.virtuals =
        vec![(ContainerId::CmAct(7), None), (ContainerId::CmAct(CM_ACT_ID), Some(59_885_682))];
    for _ in 0..fronts {
        world.add_front_with(|config| config.unfenced = true);
    }
    world.advance(SECOND);
    world.activate(0);
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    world
}

/// Takes this many seats, each by a client of its own that is answered within a moment.
fn take(world: &mut World, front: usize, seats: usize) -> Vec<u32> {
    let one = |_| {
        let client = world.connect(front);
        world.call(front, client, seat());
        world.advance(MILLI);
        let (status, handle) = world.answer(front, client).expect("an answer");
        assert_eq!(status, 0);
        handle
    };
    (0..seats).map(one).collect()
}

/// Makes a call that is answered within a moment. Returns its status.
fn ask(world: &mut World, front: usize, call: Vec<u8>) -> u32 {
    let client = world.connect(front);
    world.call(front, client, call);
    world.advance(MILLI);
    world.answer(front, client).expect("an answer").0
}

#[test]
fn a_seat_is_one_at_each_server_and_none_is_left_behind() {
    let mut world = stock(1);
    let status = world.status(0);
    assert_eq!(status["fenced"], false);
    assert_eq!(status["containers"][0]["serial"], "131-59885682");
    assert_eq!(status["licenses"][0]["quantity"], 5);
    assert_eq!(status["licenses"][0]["matching"], 3);
    let handles = take(&mut world, 0, 5);
    assert_eq!(world.used_there(), [5, 5, 5]);
    assert_eq!(ask(&mut world, 0, seat()), 212);
    let status = world.status(0);
    for index in 0..3 {
        assert_eq!(status["backends"][index]["state"], "unfenced");
        assert_eq!(status["backends"][index]["handles"], 5);
    }
    assert_eq!(status["allocations"][4]["backends"], 3);
    for &handle in &handles {
        assert_eq!(ask(&mut world, 0, crypt(handle)), 0);
        assert_eq!(ask(&mut world, 0, release(handle)), 0);
    }
    assert!(world.servers.all.iter().all(|server| server.performed > 0), "each did some");
    assert_eq!(world.used_there(), [0, 0, 0]);
    assert_eq!(ask(&mut world, 0, crypt(handles[0])), 106);
    assert_eq!(world.seats(0), 0);
    // A handle that takes no seat takes none there either.
    assert_eq!(ask(&mut world, 0, access(TMR, Mode::NoUserLimit, 60)), 0);
    assert_eq!(world.used_there(), [0, 0, 0]);
}

#[test]
fn what_two_servers_say_to_a_seat_is_what_the_client_hears() {
    let refusals = [
        ([Some(CmError::EXCLUSIVE_MODE_CONFLICT), None, None], 0),
        (
            [Some(CmError::EXCLUSIVE_MODE_CONFLICT), Some(CmError::EXCLUSIVE_MODE_CONFLICT), None],
            213,
        ),
        ([Some(CmError::NO_MORE_LICENSES), None, Some(CmError::NO_MORE_LICENSES)], 212),
        (
            [
                Some(CmError::BOXBUSY),
                Some(CmError::WRONG_ACCESS_MODE),
                Some(CmError::WRONG_ACCESS_MODE),
            ],
            223,
        ),
    ];
    for (refuses, want) in refusals {
        let mut world = stock(1);
        for (server, refuses) in world.servers.all.iter_mut().zip(refuses) {
            server.refuses = refuses;
        }
        let got = ask(&mut world, 0, seat());
        assert_eq!(got, want, "{refuses:?}");
        if want != 0 {
            world.advance(SECOND);
            assert_eq!(world.used_there(), [0, 0, 0], "the one that gave it has it back");
            assert_eq!(world.seats(0), 0);
        }
    }
}

#[test]
fn a_call_that_one_server_cannot_do_is_done_by_another() {
    let mut world = stock(1);
    let handles = take(&mut world, 0, 1);
    // The server has lost the handle, and reports it.
    world.servers.all[1].handles.retain(|_, given| *given != Given::Seat);
    for _ in 0..6 {
        assert_eq!(ask(&mut world, 0, crypt(handles[0])), 0);
    }
    world.advance(STOCK_KEEP + SECOND);
    assert_eq!(world.used_there(), [1, 1, 1], "the seat is taken there again");
}

#[test]
fn a_server_that_comes_back_is_given_its_seats_again() {
    let mut world = stock(1);
    let handles = take(&mut world, 0, 3);
    world.server_dies(2);
    assert_eq!(world.backend_state(0, 2), "down");
    assert_eq!(ask(&mut world, 0, release(handles[0])), 0);
    let more = take(&mut world, 0, 1);
    assert_eq!(world.used_there(), [3, 3, 0]);
    world.servers.all[2].away = false;
    world.advance(5 * SECOND);
    assert_eq!(world.backend_state(0, 2), "unfenced");
    assert_eq!(world.used_there(), [3, 3, 3]);
    // While one of the others is away, the two that are left serve.
    world.server_dies(0);
    for handle in [handles[1], handles[2], more[0]] {
        assert_eq!(ask(&mut world, 0, crypt(handle)), 0);
        assert_eq!(ask(&mut world, 0, release(handle)), 0);
    }
    assert_eq!(world.used_there(), [0, 0, 0]);
    let ready = world.http(0, "GET /readyz HTTP/1.1\r\n\r\n");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    world.server_dies(1);
    let ready = world.http(0, "GET /readyz HTTP/1.1\r\n\r\n");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("fewer than two"), "{ready}");
}

#[test]
fn a_server_that_hangs_holds_a_client_up_no_longer_than_its_time() {
    let mut world = stock(1);
    world.servers.all[1].hangs = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(MILLI);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0), "two have given it");
    world.advance(STOCK_TIMEOUT + MILLI);
    assert_eq!(world.backend_state(0, 1), "down");
}

#[test]
fn without_two_servers_a_seat_is_refused_and_nothing_is_left() {
    let mut world = stock(1);
    world.servers.all[0].hangs = true;
    world.servers.all[1].hangs = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(4 * SECOND);
    assert!(matches!(world.answer(0, client), Some((100 | 130, 0))));
    world.advance(SECOND);
    assert_eq!(world.used_there()[2], 0);
}

#[test]
fn seats_stay_alive_at_the_servers_as_long_as_their_clients_live() {
    let mut world = stock(1);
    let client = world.connect(0);
    world.call(0, client, access(TMR, Mode::UserLimit, 3_600));
    world.advance(MILLI);
    let (status, handle) = world.answer(0, client).unwrap();
    assert_eq!(status, 0);
    world.advance(2 * STOCK_CLEANUP);
    // A handle that was cleaned up nevertheless is taken there again.
    world.servers.all[0].handles.retain(|_, given| *given != Given::Seat);
    world.advance(STOCK_CLEANUP);
    assert_eq!(world.used_there(), [1, 1, 1]);
    assert_eq!(ask(&mut world, 0, crypt(handle)), 0);
}

#[test]
fn a_quantity_that_changes_there_is_noticed() {
    let mut world = stock(1);
    for server in &mut world.servers.all[..2] {
        server.quantity = 2;
    }
    world.advance(STOCK_LEARN + SECOND);
    let status = world.status(0);
    assert_eq!(status["licenses"][0]["quantity"], 2);
    assert_eq!(status["licenses"][0]["matching"], 2);
    assert_eq!(status["licenses"][0]["differs"][0]["field"], "LicenseQuantity");
    take(&mut world, 0, 2);
    assert_eq!(ask(&mut world, 0, seat()), 212);
}

#[test]
fn a_container_that_two_servers_show_is_one_part() {
    let mut world = stock(1);
    world.servers.all[1].serial = world.servers.all[0].serial;
    world.advance(STOCK_LEARN + SECOND);
    let status = world.status(0);
    assert_eq!((&status["licenses"][0]["matching"]), 2);
    assert_eq!(status["copies"][0]["backends"], serde_json::json!(["backend:0", "backend:1"]));
    assert_eq!(take(&mut world, 0, 1).len(), 1);
    world.servers.all[2].away = true;
    world.servers.all[2].hangs = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(3 * SECOND);
    assert_ne!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.seats(0), 1);
}

#[test]
fn what_is_asked_again_and_again_leaves_no_handles_behind() {
    let mut world = stock(1);
    let status = world.status(0);
    assert_eq!(status["licenses"].as_array().unwrap().len(), 1, "the other one is ordinary");
    let before = [0, 1, 2].map(|index| world.servers.all[index].handles.len());
    assert_eq!([0, 1, 2].map(|index| world.servers.all[index].looks()), [2, 2, 2]);
    world.advance(3 * STOCK_LEARN);
    assert_eq!([0, 1, 2].map(|index| world.servers.all[index].handles.len()), before);
    // Handles that the server does not know any more are taken again.
    for server in &mut world.servers.all {
        server.handles.clear();
    }
    world.advance(2 * STOCK_LEARN);
    assert_eq!([0, 1, 2].map(|index| world.servers.all[index].handles.len()), before);
    assert_eq!(ask(&mut world, 0, seat()), 0);
}

//! The bytes of every call of the project, as in `core/docs/wire.md`: a change here needs another
//! version of the protocol.

use super::group::{
    Description, Facts, Lost, Malformed, Message, Numbered, Order, Piece, Report, Standing, Third,
    decode, encode,
};
use crate::base::limits::{APPEND_ENTRIES, PIECE_ENTRIES, SLOT_LAST};
use crate::base::time::Wall;
use crate::licence::{FirmItem, Part, Period, Product};
use crate::log::{
    AcceptedEntry, Acked, Client, ContainerId, Digest, DiskId, Entry, Epoch, Grant, GroupId,
    Handle, HandleScope, LicenceKey, Mode, Setting, Slot,
};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

const EPOCH: Epoch = Epoch { round: 3, front: 0x0102_0304 };
const GROUP: GroupId = GroupId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
const LICENCE: LicenceKey = LicenceKey {
    container: ContainerId::CmAct(305_419_896),
    firm_code: 6_000_010,
    product_code: 201,
    tmr_id: 1,
};

fn grant() -> Entry {
    Entry::Grant(Grant {
        handle: Handle(4097),
        held: HandleScope::Licence(LICENCE),
        fingerprint: 0x0102_0304_0506_0708,
        quantity: 5,
        take: 1,
        mode: Mode::StationShare,
        client: Client {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
            host: "host".into(),
            user: "user".into(),
            domain: String::new(),
            text: String::new(),
            user_defined_id: 0,
            pid: 4711,
            session: 1,
        },
        since: Wall(1_790_000_000),
        cleanup_seconds: 7200,
        linger_seconds: 30,
        starts_usage: true,
    })
}

/// Returns a grant of a handle that takes nothing.
fn service() -> Entry {
    let Entry::Grant(seat) = grant() else { panic!("made as one") };
    Entry::Grant(Grant {
        held: HandleScope::Subsystem,
        fingerprint: 0,
        quantity: 0,
        mode: Mode::NoUserLimit,
        linger_seconds: 0,
        starts_usage: false,
        ..seat
    })
}

fn entries() -> Vec<(&'static str, Entry)> {
    let members = Setting::Members([DiskId(1), DiskId(2), DiskId(3)]);
    let serial = Setting::Virtual { container: LICENCE.container, serial: 59_885_682 };
    let container = ContainerId::of_serials([1_000_003, 1_000_001, 1_000_002]);
    let listed = Setting::Virtual { container, serial: 59_885_682 };
    vec![
        ("Grant", grant()),
        ("Grant of the service", service()),
        ("Release", Entry::Release(Handle(4097))),
        ("Expire", Entry::Expire(Handle(4098))),
        ("Configure Members", Entry::Configure(members)),
        ("Configure Handles", Entry::Configure(Setting::Handles(8192))),
        ("Configure Virtual", Entry::Configure(serial)),
        ("Configure Virtual, of a list", Entry::Configure(listed)),
        ("Units", Entry::Units { licence: LICENCE, take: 3, issued: 1000 }),
        ("Configure Leader", Entry::Configure(Setting::Leader(Epoch { round: 300, front: 7 }))),
    ]
}

fn description() -> Description {
    let product = Product {
        product_code: 201,
        text: "Editor".into(),
        license_quantity: 5,
        tmr_id: 1,
        feature_map: Some(3),
        expiration_time: None,
        activation_time: None,
        maintenance_period: Some(Period { start: Wall(1), end: Wall(2) }),
        usage_period: None,
        unit_counter: None,
        linger_time: None,
        minimum_runtime_version: None,
        denied_modes: vec![Mode::Exclusive],
    };
    let (text, products) = ("Example".into(), vec![product]);
    let item = FirmItem { firm_code: 6_000_010, text, key_check: 300, products };
    Description {
        standing: Standing {
            disk: DiskId(7),
            group: Some(GROUP),
            promised: EPOCH,
            base: Slot(0),
            committed: Slot(299),
            last: Slot(300),
        },
        led: true,
        parts: vec![Part {
            serial: 1_000_001,
            mask: 130,
            cm_act_id: 305_419_896,
            firm_items: vec![item],
        }],
    }
}

const DIGEST: Digest = Digest { base: Slot(0), slot: Slot(299), crc: 0x0102_0304 };
const ACKED: Acked = Acked { disk: DiskId(8), promised: EPOCH, slot: Slot(300) };

fn witness() -> Order {
    Order::Witness {
        epoch: EPOCH,
        committed: Slot(299),
        digest: Some(DIGEST),
        acked: vec![ACKED],
        date: Wall(1_790_000_000),
    }
}

fn facts() -> Facts {
    Facts {
        process: 9,
        before: Epoch { round: 2, front: 7 },
        known: Slot(299),
        digest: Some(DIGEST),
        differs: false,
        acked: vec![ACKED],
        clock: Wall(1_790_000_001),
        date: Wall(1_790_000_000),
        thirds: vec![Third { serial: 1_000_001, number: 1 }],
    }
}

fn orders() -> Vec<(&'static str, Order)> {
    let append = Order::Append {
        epoch: EPOCH,
        first: Slot(300),
        entries: vec![grant()],
        committed: Slot(299),
    };
    let install = Order::Install {
        epoch: EPOCH,
        group: GROUP,
        slot: Slot(300),
        offset: 0,
        bytes: vec![1, 2, 3],
        last: true,
    };
    let recover = Order::Recover {
        epoch: EPOCH,
        group: GROUP,
        disk: DiskId(7),
        slot: Slot(300),
        offset: 0,
        bytes: vec![1, 2, 3],
        last: true,
    };
    vec![
        ("Describe", Order::Describe),
        ("Claim", Order::Claim { epoch: EPOCH }),
        ("Fetch State", Order::Fetch { epoch: EPOCH, piece: Piece::State { offset: 262_144 } }),
        ("Fetch Log", Order::Fetch { epoch: EPOCH, piece: Piece::Log { from: Slot(300) } }),
        ("Found", Order::Found { epoch: EPOCH, group: GROUP }),
        ("Append", append),
        ("Install", install),
        ("Confirm", Order::Confirm { epoch: EPOCH, committed: Slot(300), serves: true }),
        ("Perform", Order::Perform { licence: LICENCE, call: vec![0x23, 0, 0, 0, 1, 16, 0, 0] }),
        ("Witness", witness()),
        ("Disown", Order::Disown { epoch: EPOCH, disk: DiskId(7) }),
        ("Recover", recover),
    ]
}

fn reports() -> Vec<(&'static str, Report)> {
    let stored = AcceptedEntry { epoch: EPOCH, entry: Entry::Release(Handle(4097)) };
    vec![
        ("Described", Report::Described(description())),
        ("Promised", Report::Promised(description().standing)),
        ("Refused", Report::Refused { promised: EPOCH }),
        ("State", Report::State { slot: Slot(300), bytes: vec![1, 2, 3], last: false }),
        ("Log", Report::Log { entries: vec![stored] }),
        ("Stored", Report::Stored { last: Slot(300), differing: vec![Slot(300)] }),
        ("Gap", Report::Gap { committed: Slot(200) }),
        ("Confirmed", Report::Confirmed),
        ("Performed", Report::Performed { reply: vec![0; 8] }),
        ("Facts", Report::Facts(facts())),
        ("Lost", Report::Lost(Lost { state: true, socket: false })),
        ("Unusable", Report::Unusable { files: 2 }),
    ]
}

/// Returns the row of a message in the documentation, and checks that its bytes decode.
fn row<T: Numbered + PartialEq + core::fmt::Debug>(name: &str, body: T) -> String {
    let bytes = encode(9, &body);
    let number = body.number();
    let back = decode(&bytes);
    assert_eq!(back, Ok(vec![Message { correlation: 9, body }]));
    let (head, body) = bytes.split_at(12);
    assert_eq!(head[..4], number.to_le_bytes());
    assert_eq!(head[4..8], [9, 0, 0, 0]);
    assert_eq!(head[8..], u32::try_from(body.len()).unwrap().to_le_bytes());
    format!("| 0x{number:08x} | {name} | `{}` |", hex::encode(body))
}

#[test]
fn the_documented_bodies_hold() {
    let doc = include_str!("../../docs/wire.md");
    let mut rows: Vec<_> = orders().into_iter().map(|(name, body)| row(name, body)).collect();
    rows.extend(reports().into_iter().map(|(name, body)| row(name, body)));
    rows.extend(entries().into_iter().map(|(name, entry)| {
        let bytes = postcard::to_allocvec(&entry).unwrap();
        assert_eq!(postcard::from_bytes(&bytes), Ok(entry));
        format!("| {name} | `{}` |", hex::encode(bytes))
    }));
    let missing: Vec<_> = rows.iter().filter(|row| !doc.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "core/docs/wire.md lacks {missing:#?}");
}

#[test]
fn a_batch_is_a_run_of_messages() {
    let mut batch = Vec::new();
    for (correlation, (_, order)) in (1..).zip(orders()) {
        batch.extend(encode(correlation, &order));
    }
    let messages = decode::<Order>(&batch).unwrap();
    assert_eq!(messages.len(), orders().len());
    for (message, (correlation, (_, order))) in messages.iter().zip((1..).zip(orders())) {
        assert_eq!((message.correlation, &message.body), (correlation, &order));
    }
    assert_eq!(decode::<Order>(&[]), Ok(vec![]));
}

#[test]
fn a_batch_that_is_cut_or_mislabelled_is_refused() {
    let one = encode(1, &Order::Confirm { epoch: EPOCH, committed: Slot(300), serves: false });
    for cut in 1..one.len() {
        assert_eq!(decode::<Order>(&one[..cut]), Err(Malformed));
        assert_eq!(decode::<Order>(&[&one[..], &one[..cut]].concat()), Err(Malformed));
    }
    assert_eq!(decode::<Report>(&one), Err(Malformed), "an order is no report");
    let mut other = one.clone();
    other[0] = 2;
    assert_eq!(decode::<Order>(&other), Err(Malformed), "another number than its body's");
    let mut longer = one.clone();
    longer[8] += 1;
    longer.push(0);
    assert_eq!(decode::<Order>(&longer), Err(Malformed), "trailing bytes");
    let mut endless = one;
    endless[8..12].fill(0xff);
    assert_eq!(decode::<Order>(&endless), Err(Malformed));
}

/// Found by fuzzing: sums with such slots overflowed in the acceptor and in the front.
#[test]
fn a_slot_that_no_log_gets_to_is_refused() {
    let standing = |last| Standing { last: Slot(last), ..description().standing };
    for (last, good) in [(SLOT_LAST, true), (SLOT_LAST + 1, false), (u64::MAX, false)] {
        let slot = Slot(last);
        let (epoch, group, bytes) = (EPOCH, GroupId(1), Vec::new());
        for order in [
            Order::Fetch { epoch, piece: Piece::Log { from: slot } },
            Order::Append { epoch, first: slot, entries: Vec::new(), committed: Slot(0) },
            Order::Append { epoch, first: Slot(1), entries: Vec::new(), committed: slot },
            Order::Install { epoch, group, slot, offset: 0, bytes, last: true },
            Order::Confirm { epoch, committed: slot, serves: true },
        ] {
            assert_eq!(decode::<Order>(&encode(1, &order)).is_ok(), good, "{order:?}");
        }
        for report in [
            Report::Promised(standing(last)),
            Report::Described(Description { standing: standing(last), ..description() }),
            Report::State { slot, bytes: Vec::new(), last: true },
            Report::Stored { last: slot, differing: Vec::new() },
            Report::Gap { committed: slot },
        ] {
            assert_eq!(decode::<Report>(&encode(1, &report)).is_ok(), good, "{report:?}");
        }
    }
}

#[test]
fn a_list_of_entries_beyond_its_limit_is_refused() {
    let entries = |count| vec![Entry::Expire(Handle(1)); count];
    let append = |count| Order::Append {
        epoch: EPOCH,
        first: Slot(1),
        entries: entries(count),
        committed: Slot(0),
    };
    assert!(decode::<Order>(&encode(1, &append(APPEND_ENTRIES))).is_ok());
    assert_eq!(decode::<Order>(&encode(1, &append(APPEND_ENTRIES + 1))), Err(Malformed));
    let stored = |entry| AcceptedEntry { epoch: EPOCH, entry };
    let log = |count| Report::Log { entries: entries(count).into_iter().map(stored).collect() };
    assert!(decode::<Report>(&encode(1, &log(PIECE_ENTRIES))).is_ok());
    assert_eq!(decode::<Report>(&encode(1, &log(PIECE_ENTRIES + 1))), Err(Malformed));
}

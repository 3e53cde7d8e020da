//! Messages between fronts: each decodes to what was encoded, and other bytes do not decode.

use super::twin::{
    Answer, Asks, Hello, Instances, MachineReport, Malformed, RemoteHandle, Shared, SignOfLife,
    Standing, TwinAck, TwinMessage, TwinRole, Version,
};
use crate::base::limits::{
    CLIENT_FRAME_MAX, HISTORY_BLOCK, SLOT_LAST, TWIN_ADDRESS_MAX, TWIN_ALIVE, TWIN_ENTRIES,
    TWIN_PIECE_BYTES, TWIN_REASON_TEXT, TWIN_SEATS, TWIN_VIRTUALS_MAX,
};
use crate::base::time::Wall;
use crate::history::Mark;
use crate::log::{ContainerId, Entry, Epoch, GroupId, Handle, LicenceKey, Slot};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const EPOCH: Epoch = Epoch { round: 3, front: 0x0102_0304 };
const GROUP: GroupId = GroupId(0x1122_3344_5566_7788_99aa_bbcc_ddee_ff00);

fn hello() -> Hello {
    let version = Version { major: 1, minor: 5 };
    let chosen = Some(Mark::of_entry(GROUP, EPOCH, Slot(300)));
    Hello { version, front: 0x0a0b_0c0d, program: "0.1.0".into(), chosen }
}

fn shared() -> Shared {
    let servers = ["a:1", "b:2", "c:3"].map(Into::into);
    Shared {
        servers,
        virtuals: vec![(ContainerId::CmAct(305_419_896), Some(59_885_682))],
        cleanup_seconds: 7200,
    }
}

fn placed() -> RemoteHandle {
    let licence = LicenceKey {
        container: ContainerId::CmAct(305_419_896),
        firm_code: 6_000_010,
        product_code: 201,
        tmr_id: 1,
    };
    RemoteHandle { server: 7_654_321, number: 300, handle: Handle(4097), licence }
}

fn mark() -> Mark {
    Mark::of_entry(GROUP, EPOCH, Slot(300)).behind().unwrap()
}

fn sign() -> SignOfLife {
    SignOfLife { handle: Handle(4097), milliseconds_ago: 300 }
}

fn report(obstacle: String) -> MachineReport {
    MachineReport {
        starting: true,
        asks: Asks::Silent(300),
        instances: Instances::Fault,
        obstacle: Some(obstacle),
        unready: None,
    }
}

/// Returns one message of each kind, by its name in wire.md.
fn tells() -> [(&'static str, TwinMessage); 12] {
    let standing = Standing {
        part: TwinRole::Active,
        epoch: EPOCH,
        leads: Some(Wall(1_795_287_600)),
        committed: Slot(300),
    };
    let (epoch, first, committed) = (EPOCH, Slot(301), Slot(300));
    let from = ([192, 0, 2, 101], 50_000).into();
    let entries = vec![Entry::Expire(Handle(2)), Entry::Release(Handle(4097))];
    [
        ("Standing", TwinMessage::Standing(standing)),
        (
            "State",
            TwinMessage::State {
                epoch,
                group: GROUP,
                slot: Slot(300),
                offset: 3,
                bytes: vec![1, 2, 3],
                last: true,
            },
        ),
        ("Entries", TwinMessage::Entries { epoch, first, entries, committed }),
        ("Shared", TwinMessage::Shared(shared())),
        ("Lead", TwinMessage::Lead { epoch, committed }),
        ("Call", TwinMessage::Call { client: 300, from, bytes: vec![1, 2, 3] }),
        ("Gone", TwinMessage::Gone { client: 300, replies: 2 }),
        ("Seats", TwinMessage::Seats { epoch, anew: true, seats: vec![placed()] }),
        (
            "Settings",
            TwinMessage::Settings { revision: 7, text: "{ \"VirtualContainers\": [] }".into() },
        ),
        ("History", TwinMessage::History { epoch, lines: b"{}\n".to_vec(), upto: Some(mark()) }),
        ("Alive", TwinMessage::Alive(vec![sign()])),
        ("Machine", TwinMessage::Machine(report("eth0 is down".into()))),
    ]
}

fn answers() -> [(&'static str, Answer); 7] {
    let (epoch, committed) = (EPOCH, Slot(300));
    [
        ("Noted", Answer::Noted),
        ("Ready", Answer::Ready { epoch, group: Some(GROUP), committed }),
        ("Busy", Answer::Busy { epoch }),
        ("Have", Answer::Have { epoch, last: Slot(302) }),
        ("Reply", Answer::Reply { client: 300, bytes: vec![1, 2, 3] }),
        ("Dropped", Answer::Dropped { client: 300, begun: true }),
        ("Recorded", Answer::Recorded { upto: Some(mark()) }),
    ]
}

/// Checks the vectors of wire.md.
#[test]
fn the_bytes_are_pinned() {
    let mut rows = vec![("hello", hello().encode())];
    rows.extend(tells().map(|(name, tell)| (name, tell.encode(5).unwrap())));
    rows.extend(answers().map(|(name, answer)| (name, TwinAck { count: 7, answer }.encode())));
    let text = include_str!("../../docs/wire.md");
    let rows =
        rows.into_iter().map(|(name, bytes)| format!("| {name} | `{}` |", hex::encode(bytes)));
    let missing: Vec<String> = rows.filter(|row| !text.contains(row)).collect();
    assert!(missing.is_empty(), "not in wire.md:\n{}", missing.join("\n"));
}

#[test]
fn what_is_read_is_what_was_written() {
    assert_eq!(Hello::decode(&hello().encode()), Ok(hello()));
    for (_, tell) in tells() {
        assert_eq!(TwinMessage::decode(&tell.encode(5).unwrap(), 5), Ok(tell));
    }
    for (_, answer) in answers() {
        let heard = TwinAck { count: u64::MAX, answer };
        assert_eq!(TwinAck::decode(&heard.encode()), Ok(heard));
    }
}

#[test]
fn a_hello_is_read_whatever_its_version_and_whatever_follows() {
    let other = Hello { version: Version { major: 9, minor: 400 }, ..hello() };
    let mut bytes = other.encode();
    bytes.extend(b"and more");
    assert_eq!(Hello::decode(&bytes), Ok(other));
    // The last chosen position follows the program's version; older programs do not send it.
    let bytes = hello().encode();
    let before = Hello { chosen: None, ..hello() };
    let short = before.encode().len() - 1;
    assert_eq!(bytes[..short], before.encode()[..short]);
    for end in 0..bytes.len() {
        let want = if end < short { Err(Malformed) } else { Ok(before.clone()) };
        assert_eq!(Hello::decode(&bytes[..end]), want, "{end}");
    }
    let beyond = Some(Mark::of_entry(GROUP, EPOCH, Slot(SLOT_LAST + 1)));
    let beyond = Hello { chosen: beyond, ..hello() };
    assert_eq!(Hello::decode(&beyond.encode()), Ok(before));
    // Text that goes into a log has no control characters.
    let mut bent = bytes[..short].to_vec();
    *bent.last_mut().unwrap() = b'\n';
    assert_eq!(Hello::decode(&bent), Err(Malformed));
    let long = Hello { program: "x".repeat(300), ..hello() };
    assert_eq!(Hello::decode(&long.encode()).unwrap().program, "x".repeat(32));
}

#[test]
fn the_lower_minor_version_is_spoken() {
    let version = |major, minor| Version { major, minor };
    assert_eq!(version(1, 1).spoken_with(version(1, 0)), Some(0));
    assert_eq!(version(1, 1).spoken_with(version(1, 7)), Some(1));
    assert_eq!(version(1, 1).spoken_with(version(2, 1)), None);
    for (name, tell) in tells() {
        let bytes = tell.encode(5).unwrap();
        let since = match name {
            "Standing" | "State" | "Entries" => 0,
            "Shared" => 1,
            "Settings" | "History" => 3,
            "Alive" => 4,
            "Machine" => 5,
            _ => 2,
        };
        for minor in 0..=5 {
            let has = minor >= since;
            assert_eq!(tell.encode(minor), has.then(|| bytes.clone()), "{name} in {minor}");
            assert_eq!(TwinMessage::decode(&bytes, minor).is_ok(), has, "{name} in {minor}");
        }
    }
}

#[test]
fn nothing_else_is_read() {
    for (_, tell) in tells() {
        let bytes = tell.encode(5).unwrap();
        for end in 0..bytes.len() {
            assert_eq!(TwinMessage::decode(&bytes[..end], 5), Err(Malformed));
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(TwinMessage::decode(&longer, 5), Err(Malformed));
    }
    assert_eq!(TwinMessage::decode(&[12], 5), Err(Malformed));
    assert_eq!(TwinAck::decode(&[0, 7]), Err(Malformed));
}

#[test]
fn messages_have_limits() {
    let (epoch, slot) = (EPOCH, Slot(1));
    let entries = |count| {
        let entries = vec![Entry::Expire(Handle(2)); count];
        TwinMessage::Entries { epoch, first: slot, entries, committed: slot }
    };
    let piece = |length| {
        let bytes = vec![0; length];
        TwinMessage::State { epoch, group: GROUP, slot, offset: 0, bytes, last: false }
    };
    let virtuals = |count| {
        TwinMessage::Shared(Shared {
            virtuals: vec![(ContainerId::CmAct(1), None); count],
            ..shared()
        })
    };
    let server = |length| {
        let text: String = "x".repeat(length);
        TwinMessage::Shared(Shared { servers: [text.clone(), text.clone(), text], ..shared() })
    };
    let from = |first| {
        let (first, entries) = (Slot(first), Vec::new());
        TwinMessage::Entries { epoch, first, entries, committed: slot }
    };
    let call = |length| {
        let from = ([192, 0, 2, 101], 50_000).into();
        TwinMessage::Call { client: 1, from, bytes: vec![0; length] }
    };
    let seats = |count| TwinMessage::Seats { epoch, anew: false, seats: vec![placed(); count] };
    let history = |length| TwinMessage::History { epoch, lines: vec![0; length], upto: None };
    let alive = |count| TwinMessage::Alive(vec![sign(); count]);
    let machine = |length| TwinMessage::Machine(report("x".repeat(length)));
    let lead = |last| TwinMessage::Lead { epoch, committed: Slot(last) };
    let rows: Vec<(TwinMessage, TwinMessage)> = vec![
        (alive(TWIN_ALIVE), alive(TWIN_ALIVE + 1)),
        (machine(TWIN_REASON_TEXT), machine(TWIN_REASON_TEXT + 1)),
        (
            TwinMessage::Machine(report("plain".into())),
            TwinMessage::Machine(report("two\nlines".into())),
        ),
        (history(HISTORY_BLOCK), history(HISTORY_BLOCK + 1)),
        (call(CLIENT_FRAME_MAX), call(CLIENT_FRAME_MAX + 1)),
        (lead(SLOT_LAST), lead(SLOT_LAST + 1)),
        (seats(TWIN_SEATS), seats(TWIN_SEATS + 1)),
        (from(SLOT_LAST), from(SLOT_LAST + 1)),
        (from(1), from(0)),
        (entries(TWIN_ENTRIES), entries(TWIN_ENTRIES + 1)),
        (piece(TWIN_PIECE_BYTES), piece(TWIN_PIECE_BYTES + 1)),
        (virtuals(TWIN_VIRTUALS_MAX), virtuals(TWIN_VIRTUALS_MAX + 1)),
        (server(TWIN_ADDRESS_MAX), server(TWIN_ADDRESS_MAX + 1)),
    ];
    for (most, more) in rows {
        assert!(TwinMessage::decode(&most.encode(5).unwrap(), 5).is_ok());
        assert_eq!(TwinMessage::decode(&more.encode(5).unwrap(), 5), Err(Malformed));
    }
    let reply = vec![0; CLIENT_FRAME_MAX + 1];
    for answer in
        [Answer::Have { epoch, last: Slot(u64::MAX) }, Answer::Reply { client: 1, bytes: reply }]
    {
        let beyond = TwinAck { count: 1, answer };
        assert_eq!(TwinAck::decode(&beyond.encode()), Err(Malformed));
    }
}

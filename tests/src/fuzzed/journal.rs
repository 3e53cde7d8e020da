//! The journal of a backend as it is found on disk. A backend opens any bytes, begins a new
//! journal, or refuses them with a message. A journal that is opened twice gives the same state,
//! and a torn write loses only the data of that write.

use super::node::{Machine, at, open};
use super::{byte, pieces};
use arbitrary::Unstructured;
use std::sync::OnceLock;
use tmr_core::backend::Backend;
use tmr_core::io::{BackendEvent, HostRequest, Input, Intent, JournalWrite};
use tmr_core::link::{Frame, LinkId, Listener};
use tmr_core::messages::group::{Order, Report, decode, encode};

/// Returns the journal of a backend that has just created its state folder.
fn blank() -> &'static [u8] {
    static BLANK: OnceLock<Vec<u8>> = OnceLock::new();
    BLANK.get_or_init(|| {
        let (mut out, (mut node, _)) = (Vec::new(), open(0, None).expect("a blank one"));
        node.step(at(0), Input::Tick, &mut out);
        match out.as_slice() {
            [Intent::Host(HostRequest::Journal(JournalWrite::Rewrite(bytes)))] => bytes.clone(),
            other => panic!("it began with {other:?}"),
        }
    })
}

/// Returns the bytes that a backend appends to its journal for the batch of this number.
fn batch(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut head = u32::try_from(payload.len()).expect("short").to_le_bytes().to_vec();
    head.extend(number.to_le_bytes());
    let mut check = crc32fast::Hasher::new();
    check.update(&head);
    check.update(payload);
    [b"tmrj", head.as_slice(), &check.finalize().to_le_bytes(), payload].concat()
}

/// Returns the state that a backend reports to a front. Returns `None` if the journal is damaged,
/// so that the backend begins a new one.
fn standing(node: &mut Backend) -> Option<Report> {
    let (link, mut out) = (LinkId(2), Vec::new());
    let from = ([127, 0, 0, 1], 9).into();
    node.step(at(0), Input::Accepted { link, listener: Listener::Licence, from }, &mut out);
    node.step(at(0), Input::Frame { link, frame: Frame::Joined { front: 1, minor: 1 } }, &mut out);
    let frame = Frame::Batch(encode(1, &Order::Describe));
    node.step(at(0), Input::Frame { link, frame }, &mut out);
    node.step(at(0), BackendEvent::JournalWritten.into(), &mut out);
    let anew = |intent: &Intent| {
        matches!(intent, Intent::Host(HostRequest::Journal(JournalWrite::BeginAnew(_))))
    };
    if out.iter().any(anew) {
        return None;
    }
    let sent = out.into_iter().find_map(|intent| match intent {
        Intent::Send { frame, .. } => decode::<Report>(&frame).expect("reports").pop(),
        _ => None,
    });
    Some(sent.expect("it was asked").body)
}

/// Opens a journal. Returns the length that was kept of it, and the state that the backend reports.
/// Returns `None` if the journal is refused or damaged.
fn recover(journal: &[u8]) -> Option<(usize, Report)> {
    let (mut node, keep) = match open(0, Some(journal)) {
        Ok(opened) => opened,
        Err(reason) => {
            let words = reason.to_string();
            assert!(!words.is_empty() && words.len() < 300, "{words}");
            return None;
        }
    };
    assert!(keep <= journal.len());
    let Some(stands) = standing(&mut node) else {
        assert_eq!(keep, journal.len(), "what is damaged is kept as it is");
        return None;
    };
    if keep < journal.len() {
        let again = recover(&journal[..keep]);
        assert_eq!(again, Some((keep, stands.clone())), "another one without its torn tail");
    }
    Some((keep, stands))
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    if byte(&mut input) % 2 == 0 {
        recover(input.take_rest());
        return;
    }
    let torn = input.arbitrary::<u16>().map_or(0, usize::from);
    let mut journal = blank().to_vec();
    let mut last = journal.len();
    for (number, payload) in (1..).zip(pieces(&mut input)) {
        last = journal.len();
        journal.extend(batch(number, payload));
    }
    let Some((keep, _)) = recover(&journal) else { return };
    assert_eq!(keep, journal.len(), "a whole batch was cut off");
    if last > 0 && last < keep {
        let cut = last + torn % (keep - last);
        let (keep, _) = recover(&journal[..cut]).expect("all but its last write is whole");
        assert_eq!(keep, last, "more or less than the torn write was cut off");
    }
    let mut machine = Machine::with(&journal);
    machine.step(at(0), Input::Tick);
    machine.settle(at(0));
    machine.crash(0);
}

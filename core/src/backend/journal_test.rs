//! A journal returns what was written completely, and nothing else.

use super::journal::{Read, Record, VERSION, batch, put, read};
use super::{Backend, Config, JournalError};
use crate::base::limits::{JOURNAL_BATCH_MAX, SLOT_LAST};
use crate::base::time::Wall;
use crate::io::{HostRequest, Input, Intent, JournalWrite};
use crate::log::{Acked, DiskId, Entry, Epoch, GroupId, Handle, Setting, Slot, State, Witness};
use crate::testing::{at, container, identity};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

fn batches() -> Vec<Vec<Record>> {
    let epoch = Epoch { round: 3, front: 9 };
    vec![
        vec![
            Record::Head { version: VERSION, disk: DiskId(7), group_check: *b"checksum" },
            Record::Promise(epoch),
        ],
        vec![Record::Group(GroupId(u128::MAX))],
        vec![
            Record::Accept {
                epoch,
                first: Slot(1),
                entries: vec![Entry::Expire(Handle(4)), Entry::Release(Handle(5))],
            },
            Record::Committed(Slot(1)),
            Record::Direct(Entry::Configure(Setting::Handles(4096))),
        ],
        vec![
            Record::State { slot: Slot(u64::MAX), bytes: vec![1, 2, 3] },
            Record::DirectState(b"tmrj".to_vec()),
        ],
    ]
}

fn encoded(batches: &[Vec<Record>]) -> Vec<Vec<u8>> {
    let encode = |(number, records): (usize, &Vec<Record>)| {
        let mut payload = Vec::new();
        for record in records {
            put(&mut payload, record);
        }
        batch(number as u64, &payload)
    };
    batches.iter().enumerate().map(encode).collect()
}

fn parts(
    read: Result<Read, super::journal::Unreadable>,
) -> Result<(Vec<Record>, usize, u64), String> {
    read.map(|read| (read.records, read.keep, read.next)).map_err(|reason| reason.to_string())
}

#[test]
fn what_is_written_is_read() {
    let journal = encoded(&batches()).concat();
    let want = (batches().concat(), journal.len(), 4);
    assert_eq!(parts(read(&journal)), Ok(want));
}

#[test]
fn another_format_is_named_whatever_follows() {
    let mut payload = Vec::new();
    put(
        &mut payload,
        &Record::Head {
            version: super::journal::OLDEST - 1,
            disk: DiskId(7),
            group_check: *b"checksum",
        },
    );
    // This is no record of this format.
    payload.push(0xff);
    let words = read(&batch(0, &payload)).unwrap_err().to_string();
    assert_eq!(words, "the journal has format 2; this program reads 3 to 4");
}

#[test]
fn a_batch_has_the_documented_bytes() {
    let bytes = batch(0x0102, b"abc");
    let mut want = Vec::from(*b"tmrj\x03\0\0\0\x02\x01\0\0\0\0\0\0");
    want.extend_from_slice(&crc32fast::hash(b"\x03\0\0\0\x02\x01\0\0\0\0\0\0abc").to_le_bytes());
    want.extend_from_slice(b"abc");
    assert_eq!(bytes, want);
}

#[test]
fn cut_anywhere_it_gives_the_whole_batches_before_the_cut() {
    let encoded = encoded(&batches());
    let journal = encoded.concat();
    for cut in 0..journal.len() {
        let (mut whole, mut keep) = (0, 0);
        while keep + encoded[whole].len() <= cut {
            keep += encoded[whole].len();
            whole += 1;
        }
        let got = parts(read(&journal[..cut]));
        if whole == 0 {
            let want = "the journal does not begin with a whole record".into();
            assert_eq!(got, Err(want), "cut at {cut}");
        } else {
            let want = (batches()[..whole].concat(), keep, whole as u64);
            assert_eq!(got, Ok(want), "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_byte_is_a_torn_tail_at_the_end_and_damage_before_it() {
    let encoded = encoded(&batches());
    let (journal, last) = (encoded.concat(), encoded[3].len());
    let tail = journal.len() - last;
    for at in 0..journal.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut broken = journal.clone();
            broken[at] ^= flip;
            let got = parts(read(&broken));
            if at >= tail {
                let want = (batches()[..3].concat(), tail, 3);
                assert_eq!(got, Ok(want), "byte {at} ^ {flip:#x}");
            } else {
                let start = (0..4)
                    .scan(0, |sum, index| {
                        let start = *sum;
                        *sum += encoded[index].len();
                        Some(start)
                    })
                    .filter(|start| *start <= at)
                    .last()
                    .unwrap();
                let want = alloc::format!(
                    "the journal is damaged at byte {start}: good records follow a bad one"
                );
                assert_eq!(got, Err(want), "byte {at} ^ {flip:#x}");
            }
        }
    }
}

#[test]
fn missing_and_swapped_batches_are_damage() {
    let encoded = encoded(&batches());
    for order in [&[0, 2][..], &[0, 1, 3], &[0, 2, 1, 3], &[0, 1, 1], &[0, 0]] {
        let journal: Vec<u8> = order.iter().flat_map(|&index| encoded[index].clone()).collect();
        let words = read(&journal).unwrap_err().to_string();
        assert!(words.ends_with("batches are missing"), "{order:?}: {words}");
    }
    // Without its first batch the file is no journal.
    let words = read(&encoded[1..].concat()).unwrap_err().to_string();
    assert_eq!(words, "the journal is damaged at byte 0: batches are missing");
    assert!(read(b"").is_err());
}

#[test]
fn garbage_behind_the_last_batch_is_a_torn_tail() {
    let journal = encoded(&batches()).concat();
    let mut too_long = Vec::from(*b"tmrj");
    too_long.extend_from_slice(&(u32::try_from(JOURNAL_BATCH_MAX).unwrap() + 1).to_le_bytes());
    too_long.resize(64, 0);
    for garbage in [b"x".to_vec(), vec![0; 4096], b"tmrj".to_vec(), too_long] {
        let longer = [journal.clone(), garbage].concat();
        let want = (batches().concat(), journal.len(), 4);
        assert_eq!(parts(read(&longer)), Ok(want));
    }
}

#[test]
fn a_good_checksum_over_no_records_is_damage() {
    let good = encoded(&batches());
    for payload in [&b"\xff\xff\xff"[..], &[200; 40]] {
        let journal = [good[0].clone(), batch(1, payload)].concat();
        let words = read(&journal).unwrap_err().to_string();
        assert!(words.ends_with("a record cannot be read"), "{words}");
    }
}

const CHECK: [u8; 8] = *b"checksum";

fn head() -> Record {
    Record::Head { version: VERSION, disk: DiskId(7), group_check: CHECK }
}

fn config() -> Config {
    let containers = vec![container(0)];
    Config {
        identity: identity(),
        containers,
        group_check: CHECK,
        handle_key: crate::service::HandleKey::default(),
        seed: [1; 32],
    }
}

/// Opens a backend with a journal of these records after the first one.
fn open(records: &[Record]) -> Result<Backend, JournalError> {
    let journal = encoded(&[[&[head()], records].concat()]).concat();
    Backend::open(config(), Some(&journal)).map(|(backend, _)| backend)
}

#[test]
fn a_damaged_journal_is_a_disk_that_begins_anew_under_another_name() {
    let promise = Record::Promise(Epoch { round: 2, front: 1 });
    let whole = encoded(&[vec![head(), Record::Group(GroupId(1))], vec![promise]]).concat();
    let mut rotten = whole.clone();
    rotten[30] ^= 1;
    for journal in [&whole[..5], &rotten] {
        let (mut backend, keep) = Backend::open(config(), Some(journal)).unwrap();
        assert_eq!((backend.group(), keep), (None, journal.len()));
        let mut out = Vec::new();
        backend.step(at(0), Input::Tick, &mut out);
        assert!(
            matches!(out[..], [Intent::Host(HostRequest::Journal(JournalWrite::BeginAnew(_)))]),
            "what is damaged is kept: {out:?}"
        );
    }
}

#[test]
fn an_empty_journal_is_a_blank_disk() {
    let (mut backend, keep) = Backend::open(config(), Some(b"")).unwrap();
    assert_eq!((backend.group(), keep), (None, 0));
    let mut out = Vec::new();
    backend.step(at(0), Input::Tick, &mut out);
    assert!(
        matches!(out[..], [Intent::Host(HostRequest::Journal(JournalWrite::Rewrite(_)))]),
        "there is nothing to be kept: {out:?}"
    );
}

/// Found by fuzzing: each of these was accepted, and broke an invariant or overflowed in the next
/// step.
#[test]
fn records_that_contradict_each_other_are_refused_in_words() {
    let (low, high) = (Epoch { round: 1, front: 1 }, Epoch { round: 2, front: 1 });
    let group = Record::Group(GroupId(1));
    let accept =
        |epoch| Record::Accept { epoch, first: Slot(1), entries: vec![Entry::Expire(Handle(1))] };
    let state = |slot| Record::State { slot: Slot(slot), bytes: State::default().encode() };
    let entries = vec![Entry::Expire(Handle(1))];
    let behind_the_last = Record::Accept { epoch: low, first: Slot(SLOT_LAST + 1), entries };
    let acked = |slot| Acked { disk: DiskId(1), promised: low, slot };
    let witness = |known, acked: &[Acked]| {
        let mut witness = Witness::default();
        witness.hear(known, Wall(0), acked);
        witness
    };
    for records in [
        vec![Record::Promise(low), accept(low)],
        vec![group.clone(), Record::Promise(low), accept(high)],
        vec![group.clone(), Record::Promise(high), Record::Promise(low)],
        vec![group.clone(), state(SLOT_LAST + 1)],
        vec![group.clone(), Record::Promise(low), state(SLOT_LAST), behind_the_last],
        vec![Record::Witness(witness(Slot(SLOT_LAST + 1), &[]))],
        vec![Record::Witness(witness(Slot(1), &[acked(Slot(SLOT_LAST + 1))]))],
    ] {
        let error = open(&records).map(|_| ()).unwrap_err();
        assert_eq!(error, JournalError::Misfit, "{records:?}");
    }
    for records in [
        vec![group.clone(), Record::Promise(high), accept(low)],
        vec![group, state(SLOT_LAST)],
        vec![Record::Witness(witness(Slot(SLOT_LAST), &[acked(Slot(SLOT_LAST))]))],
        // All handle numbers are reserved, and one more than exist.
        vec![Record::Direct(Entry::Configure(Setting::Handles(u32::MAX)))],
    ] {
        let mut backend = open(&records).unwrap();
        backend.step(at(0), Input::Tick, &mut Vec::new());
    }
}

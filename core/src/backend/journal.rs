//! The journal of a backend: the meaning of its bytes. The runtime reads and writes the files.
//!
//! A journal is a sequence of batches, each made durable before the next one starts:
//!
//! ```text
//! "tmrj" · u32 length · u64 number · u32 CRC-32 (over length, number, payload) · payload
//! ```
//!
//! All integers are little endian; batches are numbered from 0; the payload is a sequence of
//! postcard [`Record`]s, of which the first one is [`Record::Head`]. Because at most one batch is
//! in progress, only the last batch can be incomplete: it was never acknowledged and is cut off. A
//! bad batch before a good one is damage, and the journal is rejected.

use crate::base::limits::JOURNAL_BATCH_MAX;
use crate::log::{Digest, DiskId, Entry, Epoch, GroupId, Slot, Witness};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

const MAGIC: [u8; 4] = *b"tmrj";
const HEAD: usize = 20;
/// The format written by this program.
pub(super) const VERSION: u16 = 4;
/// The oldest format that is read: it has no [`Record::Digest`] and no [`Record::Witness`].
pub(super) const OLDEST: u16 = 3;

/// A change of the backend's durable memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// First in every journal.
    Head { version: u16, disk: DiskId, group_check: [u8; 8] },
    /// The group was born, or this backend was admitted to it.
    Group(GroupId),
    /// Every lower epoch is refused.
    Promise(Epoch),
    /// The state after all slots up to this one, instead of their entries.
    State {
        slot: Slot,
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
    },
    /// Entries were accepted from `first` on, over older ones; entries above them stay.
    Accept { epoch: Epoch, first: Slot, entries: Vec<Entry> },
    /// Every slot up to this one is chosen.
    Committed(Slot),
    /// An entry of this backend's own state: ordinary licences that clients use directly.
    Direct(Entry),
    /// The state after those entries.
    DirectState(#[serde(with = "crate::base::bytes")] Vec<u8>),
    /// The digest of the copy up to the slot of the [`Record::State`] before it.
    Digest(Digest),
    /// What fronts have reported about the group. Each such record replaces the one before it.
    Witness(Witness),
}

/// Appends `record` to the payload of a batch.
pub(super) fn put(payload: &mut Vec<u8>, record: &Record) {
    let bytes = core::mem::take(payload);
    *payload = postcard::to_extend(record, bytes).expect("a record in memory always encodes");
}

/// Encodes the batch with this number and payload.
pub(super) fn batch(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + payload.len());
    out.extend_from_slice(&MAGIC);
    let length = u32::try_from(payload.len()).expect("batches stay below their limit");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&check(&out[4..16], payload).to_le_bytes());
    out.extend_from_slice(payload);
    out
}

fn check(head: &[u8], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(payload);
    crc.finalize()
}

/// The contents of a journal.
#[derive(Debug)]
pub(super) struct Read {
    /// Its records, in order.
    pub(super) records: Vec<Record>,
    /// Bytes of complete batches; what follows is an incomplete last batch.
    pub(super) keep: usize,
    /// The number of the next batch.
    pub(super) next: u64,
}

/// The reason why a journal cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The journal has a format that this program does not read.
    Format(u16),
    /// The bytes are damaged; where and how, for people.
    Damaged(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(version) => JournalError::Format { version: *version }.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}

/// The reason why a backend cannot continue with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// The journal has a format that this program does not read.
    Format {
        /// The number of that format.
        version: u16,
    },
    /// The first record does not name the disk.
    Nameless,
    /// The journal was made with another group key.
    OtherGroup,
    /// The journal holds a state that cannot be decoded.
    NoState,
    /// A record contradicts those before it.
    Misfit,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format { version } => {
                return write!(
                    f,
                    "the journal has format {version}; this program reads {OLDEST} to {VERSION}"
                );
            }
            Self::Nameless => "the journal does not say whose it is",
            Self::OtherGroup => {
                "the state folder belongs to another group: it was made with another group key. \
                 Use the key it was made with, or an empty folder"
            }
            Self::NoState => "the journal holds a state that is none",
            Self::Misfit => "the journal's records do not fit each other",
        })
    }
}

impl core::error::Error for JournalError {}

/// Reads a whole journal.
///
/// # Errors
/// The journal has another format, has no complete first batch, or is damaged before its end.
pub(super) fn read(bytes: &[u8]) -> Result<Read, Unreadable> {
    let mut read = Read { records: Vec::new(), keep: 0, next: 0 };
    while let Some((number, payload)) = whole(&bytes[read.keep..]) {
        if number != read.next {
            return Err(damaged(read.keep, "batches are missing"));
        }
        let mut rest = payload;
        while !rest.is_empty() {
            let (record, after) = postcard::take_from_bytes(rest)
                .map_err(|_| damaged(read.keep, "a record cannot be read"))?;
            // The format is checked first: records of another format have another meaning.
            if let Record::Head { version, .. } = record {
                if !(OLDEST..=VERSION).contains(&version) {
                    return Err(Unreadable::Format(version));
                }
            }
            read.records.push(record);
            rest = after;
        }
        read.keep += HEAD + payload.len();
        read.next += 1;
    }
    let tail = &bytes[read.keep..];
    if (1..tail.len()).any(|at| whole(&tail[at..]).is_some()) {
        return Err(damaged(read.keep, "good records follow a bad one"));
    }
    if read.next == 0 {
        let what = "the journal does not begin with a whole record";
        return Err(Unreadable::Damaged(what.into()));
    }
    Ok(read)
}

/// Returns the number and payload of the first batch of `bytes`, if it is complete and valid.
fn whole(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    if head[..4] != MAGIC {
        return None;
    }
    let length = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
    if length > JOURNAL_BATCH_MAX {
        return None;
    }
    let payload = rest.get(..length)?;
    let crc = u32::from_le_bytes(head[16..20].try_into().ok()?);
    (check(&head[4..16], payload) == crc)
        .then(|| (u64::from_le_bytes(head[8..16].try_into().unwrap_or_default()), payload))
}

fn damaged(at: usize, what: &str) -> Unreadable {
    Unreadable::Damaged(format!("the journal is damaged at byte {at}: {what}"))
}

//! A link between front and backend: how each proves the group key to the other, and how batches
//! are bound to the link, their direction and their position.
//!
//! The key agreement authenticates nobody, so every proof includes both ephemeral points: an
//! attacker who relays a hello from one connection to another has different points on each.
//! `core/docs/wire.md` has the layout and a test vector.

use super::GroupKey;
use super::agreement::Point;
use crate::link::CloseReason;
use crate::messages::group::HELLO;
use alloc::format;
use alloc::vec::Vec;
use hmac::{Hmac, Mac};
use nom::Parser;
use nom::number::complete::{le_u16, le_u32};
use sha2::Sha256;

/// The major version of the protocol between front and backend; another one is incompatible.
const MAJOR: u16 = 1;
/// A higher minor number only adds calls.
pub(super) const MINOR: u16 = 3;
/// Length of the tag at the end of a batch, in bytes.
pub(super) const TAG: usize = 16;
/// Length of the hello: call, version, front id, proof.
pub(super) const HELLO_LENGTH: usize = 4 + 4 + 4 + PROOF;
/// Length of the answer to a hello: status, version, proof.
pub(super) const WELCOME_LENGTH: usize = 4 + 4 + PROOF;
const PROOF: usize = 32;
/// CMERROR_SECURITY_PROBLEM (protocol facts 5.10): the proof is wrong.
const SECURITY_PROBLEM: u32 = 109;
/// CMERROR_SERVER_VERSION_TOO_OLD (protocol facts 5.10): another major version of the protocol.
const OTHER_VERSION: u32 = 125;

const FRONT_PROOF: &[u8] = b"tmr front hello v1";
const BACKEND_PROOF: &[u8] = b"tmr backend hello v1";
const LINK_KEY: &[u8] = b"tmr link key v1";

/// The ephemeral points of the two ends of one connection.
#[derive(Clone)]
pub(super) struct Points {
    /// The point of the end that dialled: the front.
    pub(super) client: Point,
    /// The point of the end that accepted: the backend.
    pub(super) server: Point,
}

/// The direction of a batch. The number is part of the input of its tag.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Way {
    ToBackend = 0,
    ToFront = 1,
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn over_points(key: &GroupKey, label: &[u8], points: &Points) -> Hmac<Sha256> {
    mac(key.bytes()).chain_update(label).chain_update(points.client).chain_update(points.server)
}

fn version() -> u32 {
    u32::from(MAJOR) << 16 | u32::from(MINOR)
}

/// Returns the first message of front `front`.
pub(super) fn hello(key: &GroupKey, points: &Points, front: u32) -> [u8; HELLO_LENGTH] {
    let mut out = [0; HELLO_LENGTH];
    out[..4].copy_from_slice(&HELLO.to_le_bytes());
    out[4..6].copy_from_slice(&MAJOR.to_le_bytes());
    out[6..8].copy_from_slice(&MINOR.to_le_bytes());
    out[8..12].copy_from_slice(&front.to_le_bytes());
    let proof = over_points(key, FRONT_PROOF, points).chain_update(&out[..12]).finalize();
    out[12..].copy_from_slice(&proof.into_bytes());
    out
}

/// The reason why a backend closes the link of a front that has not proved the group key.
pub(crate) const OTHER_KEY: CloseReason = CloseReason::Protocol("group key does not match");

/// A rejected hello: the answer to the front, and the reason for closing the link.
pub(super) struct Turned {
    pub(super) answer: [u8; 8],
    pub(super) reason: CloseReason,
}

fn turned(status: u32, reason: CloseReason) -> Turned {
    let mut answer = [0; 8];
    answer[..4].copy_from_slice(&status.to_le_bytes());
    answer[4..].copy_from_slice(&version().to_le_bytes());
    Turned { answer, reason }
}

/// An accepted hello.
pub(super) struct Welcome {
    /// The id of the front that sent it.
    pub(super) front: u32,
    /// The minor version that both ends use: the lower one of theirs.
    pub(super) minor: u16,
    /// The answer, which proves the group key of the backend.
    pub(super) answer: [u8; WELCOME_LENGTH],
}

/// Checks a hello, for the backend.
pub(super) fn welcome(key: &GroupKey, points: &Points, hello: &[u8]) -> Result<Welcome, Turned> {
    let head = (le_u32::<_, nom::error::Error<&[u8]>>, le_u16, le_u16, le_u32).parse(hello);
    let Ok((proof, (_, major, minor, front))) = head else {
        return Err(turned(SECURITY_PROBLEM, CloseReason::Protocol("a hello that is not whole")));
    };
    // The version is checked before the proof: how another version proves its key is not known.
    if major != MAJOR {
        let reason =
            format!("the front speaks version {major}.{minor}, this backend {MAJOR}.{MINOR}");
        return Err(turned(OTHER_VERSION, CloseReason::Broken(reason)));
    }
    let expected = over_points(key, FRONT_PROOF, points).chain_update(&hello[..12]);
    if expected.verify_slice(proof).is_err() {
        return Err(turned(SECURITY_PROBLEM, OTHER_KEY));
    }
    let mut answer = [0; WELCOME_LENGTH];
    answer[4..8].copy_from_slice(&version().to_le_bytes());
    let proof = over_points(key, BACKEND_PROOF, points)
        .chain_update(hello)
        .chain_update(&answer[..8])
        .finalize();
    answer[8..].copy_from_slice(&proof.into_bytes());
    Ok(Welcome { front, minor: minor.min(MINOR), answer })
}

/// Checks the answer to a hello, for the front; returns the minor version that both ends use.
pub(super) fn confirm(
    key: &GroupKey,
    points: &Points,
    hello: &[u8],
    answer: &[u8],
) -> Result<u16, CloseReason> {
    let head = (le_u32::<_, nom::error::Error<&[u8]>>, le_u16, le_u16).parse(answer);
    let Ok((proof, (status, minor, major))) = head else {
        return Err(CloseReason::Protocol("an answer to the hello that is not whole"));
    };
    match status {
        0 => {}
        SECURITY_PROBLEM => {
            return Err(CloseReason::Broken("the backend has another group key".into()));
        }
        OTHER_VERSION => {
            return Err(CloseReason::Broken(format!(
                "the backend speaks version {major}.{minor}, this front {MAJOR}.{MINOR}"
            )));
        }
        other => {
            return Err(CloseReason::Broken(format!(
                "the server answers the hello with status {other}: not a backend of a group"
            )));
        }
    }
    let expected = over_points(key, BACKEND_PROOF, points)
        .chain_update(hello)
        .chain_update(&answer[..answer.len() - proof.len()]);
    expected
        .verify_slice(proof)
        .map_err(|_| CloseReason::Protocol("the backend did not prove the group key"))?;
    Ok(minor.min(MINOR))
}

/// One direction of a link: adds or checks the tags of its batches, in order.
pub(super) struct Counted {
    /// The MAC, keyed, with the direction already in it.
    start: Hmac<Sha256>,
    /// The number of batches so far.
    count: u64,
}

impl Counted {
    /// Returns the direction `way` of the link with these points, before its first batch.
    pub(super) fn new(key: &GroupKey, points: &Points, way: Way) -> Self {
        let link = over_points(key, LINK_KEY, points).finalize().into_bytes();
        Self { start: mac(&link).chain_update([way as u8]), count: 0 }
    }

    fn next(&mut self, batch: &[u8]) -> Hmac<Sha256> {
        let mac = self.start.clone().chain_update(self.count.to_le_bytes()).chain_update(batch);
        self.count += 1;
        mac
    }

    /// Returns the tag of the next batch.
    pub(super) fn tag(&mut self, batch: &[u8]) -> [u8; TAG] {
        let whole = self.next(batch).finalize().into_bytes();
        whole[..TAG].try_into().expect("a tag is shorter than its MAC")
    }

    /// Checks the tag of the next batch and removes it.
    pub(super) fn check(&mut self, batch: &mut Vec<u8>) -> Result<(), CloseReason> {
        let Some((bytes, tag)) = batch.split_last_chunk::<TAG>() else {
            return Err(CloseReason::Protocol("a batch without its tag"));
        };
        let length = bytes.len();
        self.next(bytes).verify_truncated_left(tag).map_err(|_| {
            CloseReason::Protocol("a batch was changed, lost or repeated on the way")
        })?;
        batch.truncate(length);
        Ok(())
    }
}

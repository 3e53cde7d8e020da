//! Bounds on handles, and on peers that ask for many or for those of others.

use super::{CLIENT_LINKS_MAX, CROWDED_LINKS, PASSED_CLIENTS};
use crate::base::time::Duration;

/// Most links that are recorded as users of a handle, the latest ones: it is in use while one is
/// open.
pub const HANDLE_LINKS: usize = 4;
/// Most handles of one server, seats and others.
pub const HANDLES_MAX: usize = 65_536;
/// Most handles without a seat of one server: the rest is reserved for seats.
pub const SEATLESS_MAX: usize = HANDLES_MAX / 4 * 3;
/// Most handles without a seat of one address, so that one machine cannot have all of them. Many
/// clients may share an address.
pub const SEATLESS_PER_ADDRESS: u32 = 4_096;
/// A handle without a seat ends this long after its link has closed, if its client does not return:
/// a program that connects for each of its calls makes one every few minutes while it is used.
/// Handles of an attacker are gone at the same time after its links; until then they are limited to
/// the share of an address ([`SEATLESS_PER_ADDRESS`]), which it could also hold with open links,
/// and take no seat ([`SEATLESS_MAX`]).
pub const SEATLESS_UNLINKED: Duration = Duration::from_secs(10 * 60);
/// The same after a takeover, which a client may notice only with its next call.
pub const SEATLESS_INHERITED: Duration = Duration::from_secs(10 * 60);
/// Addresses whose wrong handles are counted separately; all others together are one more.
pub const STRANGERS: usize = 4_096;
/// Most of those in a status.
pub const STRANGERS_SHOWN: usize = 20;
/// Such calls that are refused at once, in each [`STRANGER_WINDOW`]: mistakes of a client.
pub const STRANGER_FREE: u32 = 16;
/// See [`STRANGER_FREE`].
pub const STRANGER_WINDOW: Duration = Duration::from_secs(60);
/// The delay of each further call, first and at most; doubles.
pub const STRANGER_PAUSE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));
/// The longest debt: after this time without wrong handles, an address starts afresh.
pub const STRANGER_DEBT: Duration = Duration::from_secs(5 * 60);
/// Calls of one address wait behind each other for at most this long; more are rejected. With the
/// duration of a call it is below [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const STRANGER_LONGEST: Duration = Duration::from_secs(2);
/// Most calls that are delayed in this way, of all addresses.
pub const STRANGER_CALLS: usize = 1_024;
/// Most bytes of the calls that [`STRANGER_CALLS`] counts.
pub const STRANGER_BYTES: usize = 4 * 1024 * 1024;
/// Links whose order of waiting is kept: as many as there may be, with those of the other front.
pub const STRANGER_LINKS: usize = CLIENT_LINKS_MAX + CROWDED_LINKS + PASSED_CLIENTS;
/// Refused accesses of one address a second; more are delayed. A program that asks for a seat in a
/// loop makes some a second.
pub const PACE_REFUSED: u32 = 200;
/// The same for granted handles without a seat: each is an entry of the log.
pub const PACE_SEATLESS: u32 = 1_000;
/// The burst of those: the share of this time may be used at once.
pub const PACE_AHEAD: Duration = Duration::from_millis(250);
/// The longest delay of such an access. Well below [`PASSED_TIMEOUT`](super::PASSED_TIMEOUT).
pub const PACE_LONGEST: Duration = Duration::from_secs(1);
/// Addresses whose accesses are counted in this way.
pub const PACE_SOURCES: usize = 4_096;
/// Most accesses that are delayed in this way, of all addresses; more are served at once.
pub const PACE_CALLS: usize = 4_096;
/// Most bytes of the accesses that [`PACE_CALLS`] counts.
pub const PACE_BYTES: usize = 4 * 1024 * 1024;
/// Handle numbers that a front or backend reserves with one log entry. The next block is reserved
/// when half of one is left, which is as many grants as may be uncommitted
/// ([`UNCOMMITTED_MAX`](super::UNCOMMITTED_MAX)).
pub const HANDLE_BLOCK: u32 = 16_384;
/// Bits of a handle number.
pub const HANDLE_BITS: u32 = 31;
/// Rounds of the permutation that makes handle numbers: enough that known attacks on a network with
/// halves of 15 bits need more numbers than there are.
pub const HANDLE_ROUNDS: u8 = 10;
/// Highest handle number: bit 31 stays clear (protocol facts 3.3).
pub const HANDLE_LAST: u32 = 0x7fff_ffff;
/// Fewest blocks of handle numbers that a recovered group skips: fronts may have given that many
/// after the copy from which it is made.
pub const RECOVER_BLOCKS: u64 = 64;
/// Most such blocks, if as many slots are known to be lost.
pub const RECOVER_BLOCKS_MAX: u64 = 1024;
/// Clean-up time of a client that asks for none.
pub const CLEANUP_DEFAULT: Duration = Duration::from_secs(2 * 60 * 60);
/// Shortest clean-up time: above [`FENCE`](super::FENCE) and clock drift, so that a front that was
/// cut off never keeps a handle alive that its successor ended.
pub const CLEANUP_MIN: Duration = Duration::from_secs(30);
/// Longest clean-up time a client may ask for.
pub const CLEANUP_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text that is kept from a client's credential field, in bytes.
pub const CREDENTIAL_TEXT: usize = 128;

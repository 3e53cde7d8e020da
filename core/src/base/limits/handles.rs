//! Bounds on handles, and peers that ask for many or for those of others.

use super::{CLIENT_LINKS_MAX, CROWDED_LINKS, PASSED_CLIENTS};
use crate::base::time::Duration;

/// Links that are known to use a handle, the latest ones: while one of them is there, it is in use.
pub const HANDLE_LINKS: usize = 4;
/// Most handles of one server, seats and others.
pub const HANDLES_MAX: usize = 65_536;
/// Most handles without a seat of one server: the others are kept for seats.
pub const SEATLESS_MAX: usize = HANDLES_MAX / 4 * 3;
/// Most handles without a seat of one address: one machine cannot have all of them. Many clients may
/// stand behind one address.
pub const SEATLESS_PER_ADDRESS: u32 = 4_096;
/// A handle without a seat ends this long after its link has, if its client does not come back: a
/// program that connects for each of its calls makes one every few minutes while somebody works with
/// it. What a stranger has taken is gone as soon after his links; until then it is no more than his
/// share ([`SEATLESS_PER_ADDRESS`]), which he could also have by staying, and no seat
/// ([`SEATLESS_MAX`]).
pub const SEATLESS_UNLINKED: Duration = Duration::from_secs(10 * 60);
/// And so long after a takeover, of which a client may learn only with its next call.
pub const SEATLESS_INHERITED: Duration = Duration::from_secs(10 * 60);
/// Addresses of which it is kept that they name handles that are not theirs; all others together are
/// one more.
pub const STRANGERS: usize = 4_096;
/// Those that a status names at most.
pub const STRANGERS_SHOWN: usize = 20;
/// Such calls that are refused at once, in each [`STRANGER_WINDOW`]: a client's slips.
pub const STRANGER_FREE: u32 = 16;
/// See [`STRANGER_FREE`].
pub const STRANGER_WINDOW: Duration = Duration::from_secs(60);
/// How long each call beyond those waits, first and at most; doubles.
pub const STRANGER_PAUSE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));
/// Who has named no handle but his own for this long has no past.
pub const STRANGER_DEBT: Duration = Duration::from_secs(5 * 60);
/// Calls of one address wait behind each other for no longer than this; more are turned away. With
/// what a call takes it is below [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const STRANGER_LONGEST: Duration = Duration::from_secs(2);
/// Most calls that wait so, of all addresses, and their bytes.
pub const STRANGER_CALLS: usize = 1_024;
/// See [`STRANGER_CALLS`].
pub const STRANGER_BYTES: usize = 4 * 1024 * 1024;
/// Links of which it is kept which of them had to wait first: as many as there may be, with those of
/// the other front.
pub const STRANGER_LINKS: usize = CLIENT_LINKS_MAX + CROWDED_LINKS + PASSED_CLIENTS;
/// Accesses of one address that are refused: so many a second, and more wait. A program that asks for
/// a seat again and again does so some times a second.
pub const PACE_REFUSED: u32 = 200;
/// The same of handles without a seat that it is granted: each is an entry of the log.
pub const PACE_SEATLESS: u32 = 1_000;
/// How much of those may be taken at once: what there is in this time.
pub const PACE_AHEAD: Duration = Duration::from_millis(250);
/// Such an access waits no longer than this. Well below [`PASSED_TIMEOUT`](super::PASSED_TIMEOUT).
pub const PACE_LONGEST: Duration = Duration::from_secs(1);
/// Addresses whose accesses are counted so.
pub const PACE_SOURCES: usize = 4_096;
/// Most accesses that wait so, of all addresses, and their bytes; more are looked at at once.
pub const PACE_CALLS: usize = 4_096;
/// See [`PACE_CALLS`].
pub const PACE_BYTES: usize = 4 * 1024 * 1024;
/// Handle numbers that a front or backend reserves with one log entry. The next block is reserved
/// when half of one is left, which is as many grants as may be on their way ([`UNCOMMITTED_MAX`](super::UNCOMMITTED_MAX)).
pub const HANDLE_BLOCK: u32 = 16_384;
/// Bits of a handle number.
pub const HANDLE_BITS: u32 = 31;
/// Rounds of the permutation that makes handle numbers: more than the attacks on a network with
/// halves of 15 bits need numbers for than there are.
pub const HANDLE_ROUNDS: u8 = 10;
/// Last handle number: bit 31 stays clear (protocol facts 3.3).
pub const HANDLE_LAST: u32 = 0x7fff_ffff;
/// Blocks of handle numbers that a recovered group leaves out at least: fronts may have handed out
/// that many behind the copy that it is made from.
pub const RECOVER_BLOCKS: u64 = 64;
/// And at most, where so many slots are known to be lost.
pub const RECOVER_BLOCKS_MAX: u64 = 1024;
/// Clean-up time of a client that asks for none.
pub const CLEANUP_DEFAULT: Duration = Duration::from_secs(2 * 60 * 60);
/// Shortest clean-up time: above [`FENCE`](super::FENCE) and clock drift, so that a front that was cut off never
/// keeps a handle alive that its successor ended.
pub const CLEANUP_MIN: Duration = Duration::from_secs(30);
/// Longest clean-up time a client may ask for.
pub const CLEANUP_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text that is kept of a client's credential field, in bytes.
pub const CREDENTIAL_TEXT: usize = 128;

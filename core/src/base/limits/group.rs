//! Bounds on the group: calls, claims, clocks, the log and its disks.

use super::LICENCE_FILE_MAX;
use crate::base::time::Duration;

/// Where a batch of front–backend messages is cut into the next frame, in bytes.
pub const GROUP_BATCH_BYTES: usize = 1024 * 1024;
/// Longest piece of state or log in one front–backend message, in bytes.
pub const PIECE_BYTES: usize = 256 * 1024;
/// Most entries in one append message.
pub const APPEND_ENTRIES: usize = 1024;
/// Most entries in one piece of log: each counts for 64 bytes at least.
pub const PIECE_ENTRIES: usize = PIECE_BYTES / 64;
/// Disks that a backend keeps in mind how far they have come: those of a group, and the ones that
/// were members before.
pub const WITNESSED_MAX: usize = 8;
/// Most containers of one backend whose part numbers a front is told.
pub const THIRDS_MAX: usize = 1_024;
/// Last slot that any message or journal may speak of: sums with it cannot overflow, and no log gets
/// there.
pub const SLOT_LAST: u64 = 1 << 62;
/// Links that one turn serves, beside those of the group: each is read once, so a turn takes some
/// milliseconds at most, whatever there is to read.
pub const LINKS_AT_ONCE: usize = 64;
/// Connections that one turn takes in at one listener where no link had something to say, and where one
/// had: calls wait for these at most, and a thousand that come at once are in within a second.
pub const ACCEPTS_AT_ONCE: (usize, usize) = (16, 4);
/// A call that needs the majority, or a backend, ends in an error after this time.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// A backend that has not answered an any-one call by then is passed over for the next.
pub const ANYONE_TIMEOUT: Duration = Duration::from_millis(700);
/// How often a front asks each backend to confirm that it still leads.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// A backend that says nothing for this long is taken for down and dialled again.
pub const BACKEND_SILENCE: Duration = Duration::from_secs(2);
/// A dialled backend that has not proved itself by then is given up.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// First pause before a backend is dialled again; doubles up to the configured interval.
pub const REDIAL_MIN: Duration = Duration::from_millis(100);
/// How long one backend is left connected by two addresses before the first of these connections is
/// made anew: names may lead elsewhere by now.
pub const DOUBLED_REDIAL: Duration = Duration::from_secs(5);
/// Default of `NetworkRetryIntervalInSeconds` (protocol facts 9).
pub const NETWORK_RETRY: Duration = Duration::from_secs(30);
/// A front that two backends have not confirmed for this long decides nothing until they do: one
/// that was frozen or cut off may have a successor.
pub const CONFIRMED: Duration = Duration::from_secs(2);
/// All backends are asked anew when one has come back: for so long what they confirmed before holds for
/// what is told to people.
pub const ASKED_ANEW: Duration = Duration::from_millis(500);
/// What keeps a backend from being counted and may pass by itself is logged if it is still so after so
/// many heartbeats, with each of which backends are asked who they are: a front that was not run for a
/// while has not asked meanwhile.
pub const TROUBLE_LASTS: u8 = 6;
/// A wall clock that moves by so much more or less than the monotonic one between two steps was set,
/// or the machine was paused. In whole seconds, as the wall clock counts: by less, two readings of
/// right clocks can differ.
pub const WALL_STEP: Duration = Duration::from_secs(2);
/// A step that comes so long after the time that was asked for finds a front that was stopped.
pub const WOKE_LATE: Duration = Duration::from_secs(1);
/// The clock of a backend counts for so long after it was told; a front that does not lead asks
/// for it in half that time.
pub const CLOCK_FRESH: Duration = Duration::from_secs(60);
/// A clock that is off the date of the group by more than this is off.
pub const CLOCK_OFF: Duration = Duration::from_secs(60);
/// A clock that is off by more than this is wrong.
pub const CLOCK_WRONG: Duration = Duration::from_secs(24 * 60 * 60);
/// Minutes in which an access that was refused is something to be looked at now; after that, and for an
/// hour, it is worth knowing.
pub const DENIED_RECENT: usize = 5;
/// Two clocks that differ by no more agree on a date. Where nothing sets them, they are off by
/// minutes.
pub const CLOCKS_AGREE: Duration = Duration::from_secs(60 * 60);
/// The date of the group goes ahead by so much at once, beyond the time that has passed; by more,
/// only if two clocks agree on it for [`DATE_LEAP_LASTS`].
pub const DATE_LEAP: Duration = Duration::from_secs(24 * 60 * 60);
/// See [`DATE_LEAP`].
pub const DATE_LEAP_LASTS: Duration = Duration::from_secs(60);
/// Backends are told to keep the date of the group when it is so much later than the one they have:
/// each time costs them a write.
pub const DATE_STEP: Duration = Duration::from_secs(60);
/// D: a front without a majority confirmation for this long drops its clients.
pub const FENCE: Duration = Duration::from_secs(10);
/// So long a front that had to step back looks for another one that leads; if there is none, it
/// claims again. Above what a claim takes.
pub const CONTEST: Duration = CLAIM_TIMEOUT;
/// Shortest and longest random pause before a refused claim is made again.
pub const CLAIM_PAUSE: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));
/// How often that pause doubles at most, once for every claim that led nowhere.
pub const CLAIM_DOUBLED: u32 = 4;
/// Claims that lead nowhere, one after the other, before a front stands by that sees another one
/// lead.
pub const CLAIMS_FUTILE: u32 = 2;
/// A claim that has not got on for this long is begun anew.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);
/// Log entries a front may have on the way that are not committed yet.
pub const UNCOMMITTED_MAX: u64 = 8_192;
/// Committed entries a front keeps to bring a late backend up to date without a whole state.
pub const LOG_KEPT: usize = 16_384;
/// A backend's journal is rewritten as a snapshot when it is longer than this and four times as
/// long as its last snapshot, in bytes.
pub const JOURNAL_REWRITE: usize = 8 * 1024 * 1024;
/// Longest journal batch, in bytes; a longer one is damage. A snapshot of all handles of the group
/// and as many of the backend's own, each with the longest texts, is below it.
pub const JOURNAL_BATCH_MAX: usize = 128 * 1024 * 1024;
/// Longest state that a front may install, in bytes: all handles with the longest texts.
pub const STATE_MAX: usize = 60 * 1024 * 1024;
/// Longest licence request, in bytes.
pub const REQUEST_FILE_MAX: usize = 16 * 1024;
/// Longest bundle, in bytes: three licence files, with what JSON adds to their quotes and line breaks.
pub const BUNDLE_FILE_MAX: usize = 5 * LICENCE_FILE_MAX;
/// The same trouble with another server of the group, or with who says to be one, is logged at most
/// this often.
pub const TROUBLE_LOGGED: Duration = Duration::from_secs(60);
/// A durable write at a backend that takes longer is a slow one.
pub const DISK_SLOW: Duration = Duration::from_millis(500);
/// How long writes are counted together, and how many slow ones are no accident.
pub const DISK_SLOW_COUNTED: (Duration, u32) = (Duration::from_secs(60), 8);

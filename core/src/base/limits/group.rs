//! Bounds on the group: calls, claims, clocks, the log and its disks.

use super::LICENCE_FILE_MAX;
use crate::base::time::Duration;

/// Where a batch of front–backend messages is split into the next frame, in bytes.
pub const GROUP_BATCH_BYTES: usize = 1024 * 1024;
/// Longest piece of state or log in one front–backend message, in bytes.
pub const PIECE_BYTES: usize = 256 * 1024;
/// Most entries in one append message.
pub const APPEND_ENTRIES: usize = 1024;
/// Most entries in one piece of log: each counts for 64 bytes at least.
pub const PIECE_ENTRIES: usize = PIECE_BYTES / 64;
/// Disks whose positions a backend keeps: those of a group, and former members.
pub const WITNESSED_MAX: usize = 8;
/// Most containers of one backend whose part numbers are sent to a front.
pub const THIRDS_MAX: usize = 1_024;
/// Highest slot in any message or journal: sums with it cannot overflow, and no log reaches it.
pub const SLOT_LAST: u64 = 1 << 62;
/// Links that one turn serves, beside those of the group: each is read once, so a turn takes some
/// milliseconds at most, however much there is to read.
pub const LINKS_AT_ONCE: usize = 64;
/// Connections accepted in one turn at one listener, if no link had something to read, and if one
/// had: calls wait for no more than these, and a thousand new connections are accepted within a
/// second.
pub const ACCEPTS_AT_ONCE: (usize, usize) = (16, 4);
/// A call that needs the majority, or a backend, ends with an error after this time.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// If a backend has not answered an any-one call in this time, the call goes to the next one.
pub const ANYONE_TIMEOUT: Duration = Duration::from_millis(700);
/// How often a front asks each backend to confirm its promise.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// A backend that sends nothing for this long is considered down and dialled again.
pub const BACKEND_SILENCE: Duration = Duration::from_secs(2);
/// A dialled backend that has not proved the group key in this time is given up.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// First pause before a backend is dialled again; doubles up to the configured interval.
pub const REDIAL_MIN: Duration = Duration::from_millis(100);
/// How long a backend stays connected by two addresses before the first of these connections is
/// made again: the names may resolve differently by then.
pub const DOUBLED_REDIAL: Duration = Duration::from_secs(5);
/// Default of `NetworkRetryIntervalInSeconds` (protocol facts 9).
pub const NETWORK_RETRY: Duration = Duration::from_secs(30);
/// A front that two backends have not confirmed for this long decides nothing until they do: if it
/// was frozen or cut off, another one may lead.
pub const CONFIRMED: Duration = Duration::from_secs(2);
/// When a backend has come back, all are asked again: for this long, their earlier confirmations
/// still count in what is shown to people.
pub const ASKED_ANEW: Duration = Duration::from_millis(500);
/// Troubles of a backend that may pass by themselves are logged if they last for this many
/// heartbeats, with each of which backends are asked to describe themselves: a front that did not
/// run for some time has not asked meanwhile.
pub const TROUBLE_LASTS: u8 = 6;
/// A wall clock that moves by this much more or less than the monotonic one between two steps was
/// set, or the machine was paused. In whole seconds, as the wall clock counts: two readings of
/// right clocks can differ by less.
pub const WALL_STEP: Duration = Duration::from_secs(2);
/// A step that runs this long after its deadline shows that the front was stopped.
pub const WOKE_LATE: Duration = Duration::from_secs(1);
/// How long a backend's reading of its clock is used; a front that does not lead asks for it in
/// half that time.
pub const CLOCK_FRESH: Duration = Duration::from_secs(60);
/// A clock that differs from the date of the group by more than this is off.
pub const CLOCK_OFF: Duration = Duration::from_secs(60);
/// A clock that differs by more than this is wrong.
pub const CLOCK_WRONG: Duration = Duration::from_secs(24 * 60 * 60);
/// Minutes for which a refused access is a yellow trouble; after that, and for an hour, it is for
/// information.
pub const DENIED_RECENT: usize = 5;
/// Two clocks that differ by at most this agree on a date. Clocks that are not synchronised are off
/// by minutes.
pub const CLOCKS_AGREE: Duration = Duration::from_secs(60 * 60);
/// The date of the group advances by this much at once, beyond the time that has passed; by more
/// only if two clocks agree on it for [`DATE_LEAP_LASTS`].
pub const DATE_LEAP: Duration = Duration::from_secs(24 * 60 * 60);
/// See [`DATE_LEAP`].
pub const DATE_LEAP_LASTS: Duration = Duration::from_secs(60);
/// Backends are sent the date of the group when it is this much later than the one they have: each
/// time costs them a write.
pub const DATE_STEP: Duration = Duration::from_secs(60);
/// D: a front without a majority confirmation for this long drops its clients.
pub const FENCE: Duration = Duration::from_secs(10);
/// How long a front that had to step back looks for another leader; if there is none, it claims
/// again. Above the duration of a claim.
pub const CONTEST: Duration = CLAIM_TIMEOUT;
/// Shortest and longest random pause before a refused claim is made again.
pub const CLAIM_PAUSE: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));
/// How often that pause doubles at most, once for every unsuccessful claim.
pub const CLAIM_DOUBLED: u32 = 4;
/// Unsuccessful claims in a row after which a front stands by if another one leads.
pub const CLAIMS_FUTILE: u32 = 2;
/// A claim without progress for this long is started again.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);
/// Most log entries of a front that are proposed and not committed.
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
/// Longest bundle, in bytes: three licence files, with the escapes that JSON adds for quotes and
/// line breaks.
pub const BUNDLE_FILE_MAX: usize = 5 * LICENCE_FILE_MAX;
/// The same trouble with another server of the group, or with one that claims to be one, is logged
/// at most this often.
pub const TROUBLE_LOGGED: Duration = Duration::from_secs(60);
/// A durable write at a backend that takes longer is slow.
pub const DISK_SLOW: Duration = Duration::from_millis(500);
/// The time in which writes are counted together, and the number of slow ones that is reported.
pub const DISK_SLOW_COUNTED: (Duration, u32) = (Duration::from_secs(60), 8);

//! Bounds on what two fronts tell each other, and calls that one passes on to the other.

use super::UNCOMMITTED_MAX;
use crate::base::time::Duration;

/// Default of `ConnectTimeoutInSeconds` (protocol facts 9).
pub const TWIN_CONNECT: Duration = Duration::from_secs(3);
/// Default of `TransferTimeoutInSeconds` (protocol facts 9).
pub const TWIN_TRANSFER: Duration = Duration::from_secs(10);
/// How often a front that has nothing else to tell its twin says that it is there.
pub const TWIN_HEARTBEAT: Duration = Duration::from_secs(1);
/// A twin that has said nothing, and dealt with nothing, for this long is shown as silent, long before
/// its connection is given up: nobody knows whether it would take over.
pub const TWIN_SILENCE: Duration = Duration::from_secs(3);
/// A twin that has lacked a committed entry for so long is behind: less is on its way.
pub const TWIN_BEHIND: Duration = Duration::from_secs(3);
/// A front that has just started waits so long for the first word of its twin before it claims.
pub const TWIN_FIRST_WORD: Duration = Duration::from_millis(300);
/// Longest pause before the twin is dialled again; the first one is [`REDIAL_MIN`](super::REDIAL_MIN).
pub const TWIN_REDIAL_MAX: Duration = Duration::from_secs(2);
/// Entries that may be on their way to the twin, not acknowledged: beyond it they wait in the log,
/// and one that is too far behind gets a whole state. As many it keeps that are not committed.
pub const TWIN_WINDOW: u64 = UNCOMMITTED_MAX;
/// Most entries in one message to the twin.
pub const TWIN_ENTRIES: usize = 256;
/// Most handles at stock servers in one message to the twin.
pub const TWIN_SEATS: usize = 1_024;
/// Longest piece of a state in one message to the twin, in bytes: the line between two sites may
/// be a thin one.
pub const TWIN_PIECE_BYTES: usize = 64 * 1024;
/// Messages that may be on their way to the twin while a state is.
pub const TWIN_PIECES: u64 = 8;
/// A whole state goes to the twin at most this often: making one costs the front that leads time.
pub const TWIN_STATE_PAUSE: Duration = Duration::from_secs(2);
/// Longest program version that a twin may name, in bytes.
pub const TWIN_VERSION_TEXT: usize = 32;
/// Most virtual serials that a twin may tell of its configuration.
pub const TWIN_VIRTUALS_MAX: usize = 4_096;
/// Longest part of a configuration that a twin may tell, in bytes.
pub const TWIN_SETTINGS_MAX: usize = 512 * 1024;
/// Longest address that a twin may tell of its configuration, in bytes: a host name and a port.
pub const TWIN_ADDRESS_MAX: usize = 300;
/// Clients whose calls a front that stands by passes on to its twin, and that a front takes of its
/// twin: with their calls, and the word that they are gone, they stay below [`OUTBOX_FRAMES`](super::OUTBOX_FRAMES).
pub const PASSED_CLIENTS: usize = 4_096;
/// Messages to the twin that may wait for its word before no more calls are passed on.
pub const PASSED_WINDOW: u64 = 8_192;
/// Bytes of calls that the twin may have without a reply to them.
pub const PASSED_BYTES: usize = 8 * 1024 * 1024;
/// Longest reason that a twin may give why its machine could not take the role, in bytes.
pub const TWIN_REASON_TEXT: usize = 600;
/// Signs of life of clients that one message to the twin has at most.
pub const TWIN_ALIVE: usize = 1_024;
/// Handles whose clients have called a front that stands by, and that it could not tell its twin of
/// yet. A client beyond that is not noted.
pub const SIGNS_WAITING: usize = 4_096;
/// A call that the twin has passed on ends in an error after this time: early enough for that to
/// reach its client before the twin gives it up, at [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const PASSED_TIMEOUT: Duration = Duration::from_millis(2_500);

//! Bounds on messages between two fronts, and on calls that one forwards to the other.

use super::UNCOMMITTED_MAX;
use crate::base::time::Duration;

/// Default of `ConnectTimeoutInSeconds` (protocol facts 9).
pub const TWIN_CONNECT: Duration = Duration::from_secs(3);
/// Default of `TransferTimeoutInSeconds` (protocol facts 9).
pub const TWIN_TRANSFER: Duration = Duration::from_secs(10);
/// How often a front sends its twin a sign of life if there is nothing else to send.
pub const TWIN_HEARTBEAT: Duration = Duration::from_secs(1);
/// A twin that has sent nothing, and processed nothing, for this long is shown as silent, long
/// before its connection is given up: it is uncertain whether it would take over.
pub const TWIN_SILENCE: Duration = Duration::from_secs(3);
/// A twin that has lacked a committed entry for this long is behind; for less, the entry is in
/// transit.
pub const TWIN_BEHIND: Duration = Duration::from_secs(3);
/// How long a front that has just started waits for the first message of its twin before it claims.
pub const TWIN_FIRST_WORD: Duration = Duration::from_millis(300);
/// Longest pause before the twin is dialled again; the first one is [`REDIAL_MIN`](super::REDIAL_MIN).
pub const TWIN_REDIAL_MAX: Duration = Duration::from_secs(2);
/// Most entries sent to the twin and not acknowledged: beyond this they wait in the log, and a twin
/// that is too far behind gets a whole state. The twin keeps as many uncommitted entries.
pub const TWIN_WINDOW: u64 = UNCOMMITTED_MAX;
/// Most entries in one message to the twin.
pub const TWIN_ENTRIES: usize = 256;
/// Most handles at stock servers in one message to the twin.
pub const TWIN_SEATS: usize = 1_024;
/// Longest piece of a state in one message to the twin, in bytes: the line between two sites may be
/// slow.
pub const TWIN_PIECE_BYTES: usize = 64 * 1024;
/// Most messages in transit to the twin during the transfer of a state.
pub const TWIN_PIECES: u64 = 8;
/// A whole state goes to the twin at most this often: encoding one costs the leading front time.
pub const TWIN_STATE_PAUSE: Duration = Duration::from_secs(2);
/// Longest program version in a twin's hello, in bytes.
pub const TWIN_VERSION_TEXT: usize = 32;
/// Most virtual serials in a twin's configuration.
pub const TWIN_VIRTUALS_MAX: usize = 4_096;
/// Longest configuration text from a twin, in bytes.
pub const TWIN_SETTINGS_MAX: usize = 512 * 1024;
/// Longest address in a twin's configuration, in bytes: a host name and a port.
pub const TWIN_ADDRESS_MAX: usize = 300;
/// Most clients whose calls a standby front forwards to its twin, and that a front accepts from its
/// twin: with their calls, and the messages that they have disconnected, they stay below
/// [`OUTBOX_FRAMES`](super::OUTBOX_FRAMES).
pub const PASSED_CLIENTS: usize = 4_096;
/// Most unacknowledged messages to the twin while further calls are forwarded.
pub const PASSED_WINDOW: u64 = 8_192;
/// Most bytes of forwarded calls that have no reply.
pub const PASSED_BYTES: usize = 8 * 1024 * 1024;
/// Longest reason why the twin's machine could not take the role, in bytes.
pub const TWIN_REASON_TEXT: usize = 600;
/// Most signs of life of clients in one message to the twin.
pub const TWIN_ALIVE: usize = 1_024;
/// Handles whose clients have called a standby front that could not report them to its twin yet.
/// Further clients are not recorded.
pub const SIGNS_WAITING: usize = 4_096;
/// A forwarded call ends with an error after this time: early enough to reach its client before the
/// twin gives it up, at [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const PASSED_TIMEOUT: Duration = Duration::from_millis(2_500);

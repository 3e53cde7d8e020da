//! Bounds on the usage history.

use super::{LOG_KEPT, PRODUCTS_MAX};
use crate::base::time::Duration;

/// Longest line of a usage history, in bytes: all texts at their longest, each character written as
/// an escape.
pub const HISTORY_LINE: usize = 16 * 1024;
/// Bytes of the latest lines that a front keeps for its twin; older ones are read from its disk.
pub const HISTORY_KEPT: usize = 1024 * 1024;
/// Bytes of lines in one message to the twin.
pub const HISTORY_BLOCK: usize = 256 * 1024;
/// Committed log entries that wait for the twin's report of them, or for this front to lead; beyond
/// this, a gap is recorded.
pub const HISTORY_WAITING: usize = LOG_KEPT;
/// Licences that are counted for charts.
pub const HISTORY_LICENCES: usize = PRODUCTS_MAX;
/// Bytes of lines that wait to be written to a front's disk; more are lost, and counted.
pub const HISTORY_QUEUE: usize = 16 * 1024 * 1024;
/// Bytes of the latest files that a front reads at its start, for charts and to continue from.
pub const HISTORY_READ_BACK: u64 = 64 * 1024 * 1024;
/// How often lines are written to the files of a front, and for how long a power failure may lose
/// them.
pub const HISTORY_FLUSH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Sizes that can be configured for one file and for all of them, in megabytes, and their defaults.
pub const HISTORY_FILE: (u32, u32, u32) = (1, 1_024, 16);
/// See [`HISTORY_FILE`].
pub const HISTORY_FILES: (u32, u32, u32) = (4, 1_048_576, 512);
/// The share of refused accesses in the bytes of one file, and of all files: one part in this many.
pub const HISTORY_REFUSALS: u64 = 8;
/// Equal refused accesses after the first one share one line of the usage history in this time.
pub const REFUSALS_FOR: Duration = Duration::from_secs(60);
/// Kinds of refused accesses (client, licence, error) that have lines of their own in that time;
/// more are counted by address.
pub const REFUSALS_COUNTED: usize = 256;
/// The same for one address.
pub const REFUSALS_OF_ADDRESS: usize = 16;
/// Addresses that have counts of their own; accesses of more are counted together.
pub const REFUSAL_ADDRESSES: usize = 64;
/// Months for which files can be kept: least, most, and the default.
pub const HISTORY_MONTHS: (u32, u32, u32) = (1, 240, 13);
/// For how long a gap of the usage history is reported.
pub const HISTORY_GAP_TOLD: Duration = Duration::from_secs(24 * 60 * 60);

//! Bounds on stock licence servers as backends.

use super::HANDLES_MAX;
use crate::base::time::Duration;

/// Connections to one stock licence server; each carries one call at a time.
pub const STOCK_LINKS: usize = 4;
/// Accesses and, beside them, other calls that may wait for one of those; more are refused.
pub const STOCK_QUEUE: usize = 4_096;
/// A stock server that has not answered a call by then is taken for down. Below [`CALL_TIMEOUT`](super::CALL_TIMEOUT),
/// so that a client hears what the two others say.
pub const STOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// A stock server from which nothing came for this long is asked for its version.
pub const STOCK_PING: Duration = Duration::from_secs(1);
/// How often a stock server is asked again what it holds. Below a third of [`STOCK_CLEANUP`]: the
/// handles that this is asked with live by it.
pub const STOCK_LEARN: Duration = Duration::from_secs(30);
/// Clean-up time that is asked for at a stock server: what a front that dies leaves taken there is
/// free after it. The unit of the field is not known: seconds are inferred, and as minutes this is
/// the vendor's default (protocol facts 7).
pub const STOCK_CLEANUP: Duration = Duration::from_secs(120);
/// How often a handle is used at a stock server while its client lives: a quarter of that.
pub const STOCK_KEEP: Duration = Duration::from_secs(30);
/// Pause before a seat that a stock server refused is asked for there again.
pub const STOCK_RETRY: Duration = Duration::from_secs(10);
/// Containers of one stock server that are looked at.
pub const STOCK_CONTAINERS: u32 = 16;
/// Products of one container at a stock server that are looked at: their list fits into
/// [`OUTPUT_BUFFER_MAX`](super::OUTPUT_BUFFER_MAX).
pub const STOCK_PRODUCTS: u32 = 200;
/// Most handles at stock servers that a twin may tell of: each seat has one at each of three.
pub const TWIN_SEATS_MAX: usize = 3 * HANDLES_MAX;

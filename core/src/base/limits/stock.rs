//! Bounds on stock licence servers as backends.

use super::HANDLES_MAX;
use crate::base::time::Duration;

/// Connections to one stock licence server; each carries one call at a time.
pub const STOCK_LINKS: usize = 4;
/// Accesses, and as many other calls, that may wait for one of those; more are refused.
pub const STOCK_QUEUE: usize = 4_096;
/// A stock server that has not answered a call in this time is considered down. Below
/// [`CALL_TIMEOUT`](super::CALL_TIMEOUT), so that a client gets the result of the two others.
pub const STOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// A stock server that has sent nothing for this long is asked for its version.
pub const STOCK_PING: Duration = Duration::from_secs(1);
/// How often a stock server is asked again what it holds. Below a third of [`STOCK_CLEANUP`]: this
/// keeps the handles alive that are used for it.
pub const STOCK_LEARN: Duration = Duration::from_secs(30);
/// Clean-up time that is requested at a stock server: after it, the seats that a failed front
/// leaves there are free. The unit of the field is not known: seconds are inferred, and as minutes
/// this is the vendor's default (protocol facts 7).
pub const STOCK_CLEANUP: Duration = Duration::from_secs(120);
/// How often a handle is used at a stock server while its client is active: a quarter of that.
pub const STOCK_KEEP: Duration = Duration::from_secs(30);
/// Pause before a seat that a stock server refused is requested there again.
pub const STOCK_RETRY: Duration = Duration::from_secs(10);
/// Containers of one stock server that are read.
pub const STOCK_CONTAINERS: u32 = 16;
/// Products of one container at a stock server that are read: their list fits into
/// [`OUTPUT_BUFFER_MAX`](super::OUTPUT_BUFFER_MAX).
pub const STOCK_PRODUCTS: u32 = 200;
/// Most handles at stock servers that a twin may report: each seat has one at each of three.
pub const TWIN_SEATS_MAX: usize = 3 * HANDLES_MAX;

//! Bounds on the admin pages: requests, passwords, tokens, sessions and what a page shows.

use super::CONFIG_MAX;
use crate::base::time::Duration;

/// Longest head of an HTTP request, in bytes.
pub const HTTP_HEAD_MAX: usize = 16 * 1024;
/// Longest HTTP request, head and body, in bytes: a configuration is the longest body.
pub const HTTP_REQUEST_MAX: usize = HTTP_HEAD_MAX + CONFIG_MAX;
/// Most headers in an HTTP request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Lines `X-Forwarded-For` of one request that are read, from the last one on: each proxy on the
/// way may add one.
pub const FORWARDED_LINES_MAX: usize = 4;
/// Most networks of `WebAdmin.TrustedProxies`.
pub const TRUSTED_PROXIES_MAX: usize = 64;
/// Bytes of pages a second for all links of one address at the admin port; more are delayed. A page
/// of this size takes some 20 ms of the thread that serves calls.
pub const PAGES_RATE: u64 = 2 * 1024 * 1024;
/// Cost of a page in the same unit, beside its bytes.
pub const PAGE_COST: u64 = 2 * 1024;
/// The burst of pages: the share of this time may be used at once.
pub const PAGES_AHEAD: Duration = Duration::from_secs(1);
/// Addresses whose pages are counted at once.
pub const PAGE_ADDRESSES: usize = 1_024;
/// An order at the admin pages that was not started this long after it arrived is not carried out:
/// below the time for which the command line waits for an answer, so that nothing happens after the
/// command line has reported that there was none.
pub const ORDER_LATE: Duration = Duration::from_secs(4);
/// Longest password that is checked, in bytes.
pub const PASSWORD_MAX: usize = 256;
/// Passwords that may wait to be checked: a check is slow, and they run one after the other.
pub const PASSWORDS_WAITING: usize = 8;
/// Of those, places for recognised browsers.
pub const PASSWORDS_KEPT: usize = 3;
/// Wrong passwords of an address, or of a recognised browser, that are allowed at once: typing
/// errors.
pub const SIGN_IN_SLIPS: u32 = 5;
/// After that, one more attempt is allowed in this time.
pub const SIGN_IN_AGAIN: Duration = Duration::from_secs(20);
/// Tokens in a password file.
pub const TOKENS_MAX: usize = 64;
/// Longest name of a token, in bytes.
pub const TOKEN_NAME_MAX: usize = 64;
/// Addresses and recognised browsers whose wrong passwords are counted.
pub const SIGN_IN_TRIERS: usize = 1024;
/// How long a browser is recognised after signing in.
pub const KNOWN_BROWSER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Most sessions; one more ends the one that was idle longest.
pub const SESSIONS_MAX: usize = 64;
/// A session ends after this time without activity.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends after this time in any case.
pub const SESSION_LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// Changes by operators that the page shows.
pub const AUDIT_SHOWN: usize = 200;
/// Longest text in the record of a change, in bytes.
pub const AUDIT_TEXT: usize = 400;
/// Events that a front keeps for its page.
pub const EVENTS_KEPT: usize = 200;
/// Most refusals beside those events; equal ones are one entry.
pub const EVENTS_DENIED: usize = 20;
/// Handles that `/api/status` shows at most, and one page of `/api/allocations`.
pub const ALLOCATIONS_SHOWN: usize = 1_000;
/// Clients that `/api/status` shows at most.
pub const CLIENTS_SHOWN: usize = 1_000;
/// Disconnected clients with a version that is too old, kept for `/api/status`.
pub const CLIENTS_TOO_OLD: usize = 64;
/// Files in trouble that a status names.
pub const FILE_TROUBLES_SHOWN: usize = 64;
/// A certificate of the admin pages that ends sooner should be renewed now.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);
/// A token of the admin pages that ends sooner is reported.
pub const TOKEN_ENDS_SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

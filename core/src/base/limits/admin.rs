//! Bounds on the admin pages: requests, passwords, tokens, sessions and what a page shows.

use super::CONFIG_MAX;
use crate::base::time::Duration;

/// Longest head of an HTTP request, in bytes.
pub const HTTP_HEAD_MAX: usize = 16 * 1024;
/// Longest HTTP request, head and body, in bytes: a configuration is the longest body.
pub const HTTP_REQUEST_MAX: usize = HTTP_HEAD_MAX + CONFIG_MAX;
/// Most headers in an HTTP request.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Lines `X-Forwarded-For` of one request that are looked at, from the last one on: each proxy on the
/// way may add one.
pub const FORWARDED_LINES_MAX: usize = 4;
/// Most networks of `WebAdmin.TrustedProxies`.
pub const TRUSTED_PROXIES_MAX: usize = 64;
/// Bytes of pages that all links of one address on the admin door get in a second; more wait. A page
/// of so many bytes takes some 20 ms of the thread that serves calls.
pub const PAGES_RATE: u64 = 2 * 1024 * 1024;
/// What a page costs of that beside its bytes.
pub const PAGE_COST: u64 = 2 * 1024;
/// How much may be taken at once: what there is in this time.
pub const PAGES_AHEAD: Duration = Duration::from_secs(1);
/// Addresses whose pages are counted at once.
pub const PAGE_ADDRESSES: usize = 1_024;
/// An order at the admin pages that was not begun so long after it came in is not carried out: below
/// what the command line waits for an answer, so that nothing happens behind the back of whoever was
/// told that there is none.
pub const ORDER_LATE: Duration = Duration::from_secs(4);
/// Longest password that is looked at, in bytes.
pub const PASSWORD_MAX: usize = 256;
/// Passwords that may wait to be checked: that takes long, and is done one after the other.
pub const PASSWORDS_WAITING: usize = 8;
/// Of those, places for browsers that have signed in here before.
pub const PASSWORDS_KEPT: usize = 3;
/// Wrong passwords that an address, or a known browser, may give at once: a person's slips.
pub const SIGN_IN_SLIPS: u32 = 5;
/// Then it has one more try in this time.
pub const SIGN_IN_AGAIN: Duration = Duration::from_secs(20);
/// Tokens in a password file.
pub const TOKENS_MAX: usize = 64;
/// Longest name of a token, in bytes.
pub const TOKEN_NAME_MAX: usize = 64;
/// Addresses and known browsers whose wrong passwords are counted.
pub const SIGN_IN_TRIERS: usize = 1024;
/// How long a browser that has signed in is known again.
pub const KNOWN_BROWSER: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// People that may be signed in; one more signs out who was idle for longest.
pub const SESSIONS_MAX: usize = 64;
/// Who does nothing for this long is signed out.
pub const SESSION_IDLE: Duration = Duration::from_secs(30 * 60);
/// Who is signed in for this long is signed out.
pub const SESSION_LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// Changes by operators that the page shows.
pub const AUDIT_SHOWN: usize = 200;
/// Longest piece of text in the record of one of those, in bytes.
pub const AUDIT_TEXT: usize = 400;
/// Events that a front keeps for its page.
pub const EVENTS_KEPT: usize = 200;
/// Kinds of refusals among them, beside the others.
pub const EVENTS_DENIED: usize = 20;
/// Handles that `/api/status` shows at most, and one page of `/api/allocations`.
pub const ALLOCATIONS_SHOWN: usize = 1_000;
/// Clients that `/api/status` shows at most.
pub const CLIENTS_SHOWN: usize = 1_000;
/// Clients that were too old and are gone that are remembered, for `/api/status`.
pub const CLIENTS_TOO_OLD: usize = 64;
/// Files in trouble that a status names.
pub const FILE_TROUBLES_SHOWN: usize = 64;
/// A certificate of the admin pages that ends sooner is one to renew now.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);
/// A token of the admin pages that ends sooner is told of.
pub const TOKEN_ENDS_SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

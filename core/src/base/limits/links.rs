//! Bounds on links: their number, the time for their frames, and the bytes that they may make the
//! server keep.

use crate::base::time::Duration;

/// Longest client frame after the envelope, in bytes. A crypt call carries its data in one frame;
/// the vendor's default is 64 MiB (protocol facts 1), ours is what 512 MB can bear.
pub const CLIENT_FRAME_MAX: usize = 256 * 1024;
/// Longest front–backend frame after the envelope, in bytes: one batch.
pub const GROUP_FRAME_MAX: usize = 8 * 1024 * 1024;
/// Longest message between two fronts, in bytes; it goes in as many pieces as it needs.
pub const TWIN_FRAME_MAX: usize = 1024 * 1024;
/// Largest output buffer a client may ask for in one call, in bytes.
pub const OUTPUT_BUFFER_MAX: u32 = 128 * 1024;
/// Most links at the licence port.
pub const CLIENT_LINKS_MAX: usize = 16_384;
/// Most links at the licence port from one address: one machine cannot lock out the others.
pub const CLIENT_LINKS_PER_ADDRESS: usize = 12_288;
/// Clients without a call that are examined for one to close if the port is full, the ones
/// connected longest.
pub const UNGREETED_LOOKED_AT: usize = 64;
/// Links above those caps that are served long enough to get an error (309), or to prove the group
/// key: a front always finds a place. One more takes the place of the oldest.
pub const CROWDED_LINKS: usize = 64;
/// Files that are reserved from client links: backends, pages, the journal, files that libraries
/// open.
pub const FILES_RESERVED: usize = 256;
/// Most links at the admin port; one more takes the place of the one without a request for longest.
pub const ADMIN_LINKS_MAX: usize = 64;
/// Admin links that take the place of another one of the same address, or of one with as few: the
/// burst, and then the rate per second. More are refused. A link takes the place of one of an address
/// with more links without being counted.
pub const ADMIN_EXCHANGES: (u32, u32) = (256, 200);
/// Further links at the admin port for this machine alone: health checks by a loopback address.
pub const ADMIN_LINKS_KEPT: usize = 16;
/// Most links at the socket of the machine itself: keepalived's scripts, the package, the command
/// line. No other link counts among them; one more takes the place of the one without a request for
/// longest.
pub const MACHINE_LINKS_MAX: usize = 64;
/// Bytes that all links without a proof of the group key together may make the server keep:
/// incomplete messages, requests that wait for their turn, replies that are not taken. Above it,
/// the links that hold most are closed until three quarters of it are left.
pub const LINKS_HELD_MAX: usize = 40 * 1024 * 1024;
/// Counted cost of a waiting request or reply, beside its bytes.
pub const FRAME_COST: usize = 128;
/// Longest run of zeros in the reply to a call that ends in an error, in bytes, unless the call
/// itself has as many bytes: above every structure that a call requests alone (protocol facts 4).
pub const ERROR_ZEROS_MAX: u32 = 4 * 1024;
/// Most links at the port for the twin, which needs one, and another while the first is not known
/// to be dead. One more takes the place of the oldest that has not proved the group key.
pub const TWIN_LINKS_MAX: usize = 8;
/// Addresses that are kept because the group key was proved from there, or the twin is there: if a
/// port is full, other links take no place from theirs. Two fronts with four addresses each, twice
/// over.
pub const KNOWN_ADDRESSES: usize = 16;
/// A link at the port for the twin that has not proved the group key in this time is closed.
pub const TWIN_GREETING: Duration = Duration::from_secs(2);
/// Key agreements with one address, or one network of IPv6: the burst, and then the rate per
/// second. An office of 1,000 behind one address is served at once, and a site of 10,000 within
/// seconds; an endless attempt takes half of a processor, beside the calls.
pub const GREETING_RATE: (u32, u32) = (4_096, 1_500);
/// The cost of a TLS handshake in key agreements: with a long RSA key it takes milliseconds.
pub const TLS_GREETING: u32 = 32;
/// Key agreements in one turn; calls that arrived with them are served after each of them.
pub const GREETINGS_AT_ONCE: usize = 16;
/// Pause of the handshakes if all waiting addresses have used up their allowance.
pub const GREETING_PAUSE: Duration = Duration::from_millis(5);
/// Addresses whose key agreements are counted.
pub const GREETING_SOURCES: usize = 4_096;
/// A link that has sent no complete frame this long after it was accepted is closed.
pub const FIRST_FRAME: Duration = Duration::from_secs(10);
/// A frame that is not complete this long after its first byte closes its link.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that takes none of the bytes sent to it for this long is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause of a listener at which the system could not accept a connection: no file, or no memory.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// TCP keepalive: the first time is the silence of a link after which the system probes its peer;
/// the second is the interval of the probes, and the third their number until the link is closed:
/// after 75 s. A link whose bytes are not acknowledged for as long is closed too. The system checks
/// that when it sends them again, and if it knows that no machine has the address (RFC 6069) that
/// may take half as long again: a machine that lost its power gives up its place within two
/// minutes.
pub const KEEPALIVE: (Duration, Duration, u32) =
    (Duration::from_secs(45), Duration::from_secs(10), 3);
/// A client's link by which no handle was taken or used, and that is silent for this long, is
/// closed. A client that returns opens a new one.
pub const IDLE_LINK: Duration = Duration::from_secs(60 * 60);
/// How often such links are searched for.
pub const IDLE_LOOK: Duration = Duration::from_secs(5 * 60);
/// Calls that are read from one client link before the first of them has its reply: the protocol
/// has one, a few more do no harm, and reading on is how the end of a client is noticed.
pub const CALLS_AHEAD: usize = 8;
/// Frames that may wait to be sent on one link before it is closed as too slow.
pub const OUTBOX_FRAMES: usize = 16_384;

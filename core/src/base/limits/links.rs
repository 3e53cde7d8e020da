//! Bounds on links: how many there are, how long their frames may take, and what they may make the server keep.

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
/// Most links on the licence door.
pub const CLIENT_LINKS_MAX: usize = 16_384;
/// Most links on the licence door from one address: one machine cannot shut out the others.
pub const CLIENT_LINKS_PER_ADDRESS: usize = 12_288;
/// Clients without a call that are looked at for one that makes room at a full door, those that have
/// been there for longest.
pub const UNGREETED_LOOKED_AT: usize = 64;
/// Links beyond those caps that are served long enough to be told so (309), or to prove the group
/// key: fronts have a place always. One more takes the place of the oldest.
pub const CROWDED_LINKS: usize = 64;
/// Files that are kept back from client links: backends, pages, the journal, what libraries open.
pub const FILES_RESERVED: usize = 256;
/// Most links on the admin door; one more takes the place of whoever has asked for nothing for
/// longest.
pub const ADMIN_LINKS_MAX: usize = 64;
/// Links on the admin door beside those that this machine alone may have: what asks for health by a
/// loopback address.
pub const ADMIN_LINKS_KEPT: usize = 16;
/// Most links on the socket of the machine itself: keepalived's scripts, the package, the command
/// line. No other link counts among them; one more takes the place of whoever has asked for nothing
/// for longest.
pub const MACHINE_LINKS_MAX: usize = 64;
/// Bytes that all links together may make the server keep, of those that have not proved the group
/// key: unfinished messages, requests that wait for their turn, replies that are not taken. Beyond
/// it, whoever holds most is closed, until three quarters of it are left.
pub const LINKS_HELD_MAX: usize = 40 * 1024 * 1024;
/// What a request or reply that waits costs beside its bytes.
pub const FRAME_COST: usize = 128;
/// Longest run of zeros in the reply to a call that ends in an error, in bytes, unless the call
/// itself has brought as many: above every structure that a call asks for alone (protocol facts 4).
pub const ERROR_ZEROS_MAX: u32 = 4 * 1024;
/// Most links on the door for the twin, which needs one, and another while the first is not known
/// to be dead. One more takes the place of the oldest that has not proved the group key.
pub const TWIN_LINKS_MAX: usize = 8;
/// Addresses that are kept in mind because the group key was proved from there, or the twin is there:
/// where a door is full, strangers take no place from them. Two fronts with four addresses each, twice
/// over.
pub const KNOWN_ADDRESSES: usize = 16;
/// A link on the door for the twin that has not proved the group key by then is closed.
pub const TWIN_GREETING: Duration = Duration::from_secs(2);
/// Key agreements with one address, or one network of IPv6: so many at once, and then so many a
/// second. An office of 1,000 behind one address is served at once, and a room of 10,000 within
/// seconds; who tries for ever takes half of a processor, beside the calls.
pub const GREETING_RATE: (u32, u32) = (4_096, 1_500);
/// How many of those a TLS handshake is: with a long RSA key it takes milliseconds.
pub const TLS_GREETING: u32 = 32;
/// Key agreements in one turn, after each of which calls that came with them are served.
pub const GREETINGS_AT_ONCE: usize = 16;
/// Pause of who greets while all that wait have used up their allowance.
pub const GREETING_PAUSE: Duration = Duration::from_millis(5);
/// Addresses whose key agreements are counted.
pub const GREETING_SOURCES: usize = 4_096;
/// A link that has sent no whole frame for this long after it came in is closed.
pub const FIRST_FRAME: Duration = Duration::from_secs(10);
/// A frame that is not whole this long after its first byte closes its link.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(5);
/// A peer that takes none of the bytes we have for it for this long is closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause at a listener at which the system could not take anybody in: no file, or no memory for it.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// A link that is silent for so long is asked by the system whether its peer is there; again after
/// the second time, and so many times in vain until it is closed: after 75 s. So is one whose bytes
/// arrive nowhere for as long. The system looks then when it repeats them, and where it knows that nobody
/// has the address (RFC 6069) that may be half as long again: a machine that lost its power gives up its
/// place within two minutes.
pub const KEEPALIVE: (Duration, Duration, u32) =
    (Duration::from_secs(45), Duration::from_secs(10), 3);
/// A client's link that no handle was taken or used by, and that says nothing for so long, is closed.
/// A client that comes again makes a new one.
pub const IDLE_LINK: Duration = Duration::from_secs(60 * 60);
/// How often such links are looked for.
pub const IDLE_LOOK: Duration = Duration::from_secs(5 * 60);
/// Calls that are taken from one client link before the first of them has its reply: the protocol
/// has one, a few more do no harm, and reading on is how a client's end is noticed.
pub const CALLS_AHEAD: usize = 8;
/// Frames that may wait to be sent on one link before it is closed as too slow.
pub const OUTBOX_FRAMES: usize = 16_384;

//! Every bound of the server, by name. A queue, buffer, table, retry or time-out whose limit does
//! not stand here is a mistake.

use crate::base::time::Duration;

/// Longest client frame after the envelope, in bytes. A crypt call carries its data in one frame;
/// the vendor's default is 64 MiB (protocol facts 1), ours is what 512 MB can bear.
pub const CLIENT_FRAME_MAX: usize = 256 * 1024;
/// Longest front–backend frame after the envelope, in bytes: one batch.
pub const GROUP_FRAME_MAX: usize = 8 * 1024 * 1024;
/// Where a batch of front–backend messages is cut into the next frame, in bytes.
pub const GROUP_BATCH_BYTES: usize = 1024 * 1024;
/// Longest piece of state or log in one front–backend message, in bytes.
pub const PIECE_BYTES: usize = 256 * 1024;
/// Most entries in one append message.
pub const APPEND_ENTRIES: usize = 1024;
/// Most entries in one piece of log: each counts for 64 bytes at least.
pub const PIECE_ENTRIES: usize = PIECE_BYTES / 64;
/// Disks that a backend keeps in mind how far they have come: those of a group, and the ones that
/// were members before.
pub const WITNESSED_MAX: usize = 8;
/// Most containers of one backend whose part numbers a front is told.
pub const THIRDS_MAX: usize = 1_024;
/// Last slot that any message or journal may speak of: sums with it cannot overflow, and no log gets
/// there.
pub const SLOT_LAST: u64 = 1 << 62;
/// Longest message between two fronts, in bytes; it goes in as many pieces as it needs.
pub const TWIN_FRAME_MAX: usize = 1024 * 1024;
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
/// Bytes of pages that all links of one address on the admin door get in a second; more wait. A page
/// of so many bytes takes some 20 ms of the thread that serves calls.
pub const PAGES_RATE: u64 = 2 * 1024 * 1024;
/// What a page costs of that beside its bytes.
pub const PAGE_COST: u64 = 2 * 1024;
/// How much may be taken at once: what there is in this time.
pub const PAGES_AHEAD: Duration = Duration::from_secs(1);
/// Addresses whose pages are counted at once.
pub const PAGE_ADDRESSES: usize = 1_024;
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
/// Links that one turn serves, beside those of the group: each is read once, so a turn takes some
/// milliseconds at most, whatever there is to read.
pub const LINKS_AT_ONCE: usize = 64;
/// Connections that one turn takes in at one listener where no link had something to say, and where one
/// had: calls wait for these at most, and a thousand that come at once are in within a second.
pub const ACCEPTS_AT_ONCE: (usize, usize) = (16, 4);
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

/// Links that are known to use a handle, the latest ones: while one of them is there, it is in use.
pub const HANDLE_LINKS: usize = 4;
/// Handles that `/api/status` shows at most, and one page of `/api/allocations`.
pub const ALLOCATIONS_SHOWN: usize = 1_000;
/// Clients that `/api/status` shows at most.
pub const CLIENTS_SHOWN: usize = 1_000;
/// Clients that were too old and are gone that are remembered, for `/api/status`.
pub const CLIENTS_TOO_OLD: usize = 64;

/// Most handles of one server, seats and others.
pub const HANDLES_MAX: usize = 65_536;
/// Most handles without a seat of one server: the others are kept for seats.
pub const SEATLESS_MAX: usize = HANDLES_MAX / 4 * 3;
/// Most handles without a seat of one address: one machine cannot have all of them. Many clients may
/// stand behind one address.
pub const SEATLESS_PER_ADDRESS: u32 = 4_096;
/// A handle without a seat ends this long after its link has, if its client does not come back: a
/// program that connects for each of its calls makes one every few minutes while somebody works with
/// it. What a stranger has taken is gone as soon after his links; until then it is no more than his
/// share ([`SEATLESS_PER_ADDRESS`]), which he could also have by staying, and no seat
/// ([`SEATLESS_MAX`]).
pub const SEATLESS_UNLINKED: Duration = Duration::from_secs(10 * 60);
/// And so long after a takeover, of which a client may learn only with its next call.
pub const SEATLESS_INHERITED: Duration = Duration::from_secs(10 * 60);
/// Addresses of which it is kept that they name handles that are not theirs; all others together are
/// one more.
pub const STRANGERS: usize = 4_096;
/// Those that a status names at most.
pub const STRANGERS_SHOWN: usize = 20;
/// Such calls that are refused at once, in each [`STRANGER_WINDOW`]: a client's slips.
pub const STRANGER_FREE: u32 = 16;
/// See [`STRANGER_FREE`].
pub const STRANGER_WINDOW: Duration = Duration::from_secs(60);
/// How long each call beyond those waits, first and at most; doubles.
pub const STRANGER_PAUSE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));
/// Who has named no handle but his own for this long has no past.
pub const STRANGER_DEBT: Duration = Duration::from_secs(5 * 60);
/// Calls of one address wait behind each other for no longer than this; more are turned away. With
/// what a call takes it is below [`CALL_TIMEOUT`].
pub const STRANGER_LONGEST: Duration = Duration::from_secs(2);
/// Most calls that wait so, of all addresses, and their bytes.
pub const STRANGER_CALLS: usize = 1_024;
/// See [`STRANGER_CALLS`].
pub const STRANGER_BYTES: usize = 4 * 1024 * 1024;
/// Links of which it is kept which of them had to wait first: as many as there may be, with those of
/// the other front.
pub const STRANGER_LINKS: usize = CLIENT_LINKS_MAX + CROWDED_LINKS + PASSED_CLIENTS;
/// Accesses of one address that are refused: so many a second, and more wait. A program that asks for
/// a seat again and again does so some times a second.
pub const PACE_REFUSED: u32 = 200;
/// The same of handles without a seat that it is granted: each is an entry of the log.
pub const PACE_SEATLESS: u32 = 1_000;
/// How much of those may be taken at once: what there is in this time.
pub const PACE_AHEAD: Duration = Duration::from_millis(250);
/// Such an access waits no longer than this. Well below [`PASSED_TIMEOUT`].
pub const PACE_LONGEST: Duration = Duration::from_secs(1);
/// Addresses whose accesses are counted so.
pub const PACE_SOURCES: usize = 4_096;
/// Most accesses that wait so, of all addresses, and their bytes; more are looked at at once.
pub const PACE_CALLS: usize = 4_096;
/// See [`PACE_CALLS`].
pub const PACE_BYTES: usize = 4 * 1024 * 1024;
/// Handle numbers that a front or backend reserves with one log entry. The next block is reserved
/// when half of one is left, which is as many grants as may be on their way ([`UNCOMMITTED_MAX`]).
pub const HANDLE_BLOCK: u32 = 16_384;
/// Bits of a handle number.
pub const HANDLE_BITS: u32 = 31;
/// Rounds of the permutation that makes handle numbers: more than the attacks on a network with
/// halves of 15 bits need numbers for than there are.
pub const HANDLE_ROUNDS: u8 = 10;
/// Last handle number: bit 31 stays clear (protocol facts 3.3).
pub const HANDLE_LAST: u32 = 0x7fff_ffff;
/// Blocks of handle numbers that a recovered group leaves out at least: fronts may have handed out
/// that many behind the copy that it is made from.
pub const RECOVER_BLOCKS: u64 = 64;
/// And at most, where so many slots are known to be lost.
pub const RECOVER_BLOCKS_MAX: u64 = 1024;
/// Clean-up time of a client that asks for none.
pub const CLEANUP_DEFAULT: Duration = Duration::from_secs(2 * 60 * 60);
/// Shortest clean-up time: above [`FENCE`] and clock drift, so that a front that was cut off never
/// keeps a handle alive that its successor ended.
pub const CLEANUP_MIN: Duration = Duration::from_secs(30);
/// Longest clean-up time a client may ask for.
pub const CLEANUP_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text that is kept of a client's credential field, in bytes.
pub const CREDENTIAL_TEXT: usize = 128;

/// A call that needs the majority, or a backend, ends in an error after this time.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// A backend that has not answered an any-one call by then is passed over for the next.
pub const ANYONE_TIMEOUT: Duration = Duration::from_millis(700);
/// How often a front asks each backend to confirm that it still leads.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// A backend that says nothing for this long is taken for down and dialled again.
pub const BACKEND_SILENCE: Duration = Duration::from_secs(2);
/// A dialled backend that has not proved itself by then is given up.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(2);
/// First pause before a backend is dialled again; doubles up to the configured interval.
pub const REDIAL_MIN: Duration = Duration::from_millis(100);
/// How long one backend is left connected by two addresses before the first of these connections is
/// made anew: names may lead elsewhere by now.
pub const DOUBLED_REDIAL: Duration = Duration::from_secs(5);
/// Default of `NetworkRetryIntervalInSeconds` (protocol facts 9).
pub const NETWORK_RETRY: Duration = Duration::from_secs(30);
/// A front that two backends have not confirmed for this long decides nothing until they do: one
/// that was frozen or cut off may have a successor.
pub const CONFIRMED: Duration = Duration::from_secs(2);
/// All backends are asked anew when one has come back: for so long what they confirmed before holds for
/// what is told to people.
pub const ASKED_ANEW: Duration = Duration::from_millis(500);
/// What keeps a backend from being counted and may pass by itself is logged if it is still so after so
/// many heartbeats, with each of which backends are asked who they are: a front that was not run for a
/// while has not asked meanwhile.
pub const TROUBLE_LASTS: u8 = 6;
/// A wall clock that moves by so much more or less than the monotonic one between two steps was set,
/// or the machine was paused. In whole seconds, as the wall clock counts: by less, two readings of
/// right clocks can differ.
pub const WALL_STEP: Duration = Duration::from_secs(2);
/// A step that comes so long after the time that was asked for finds a front that was stopped.
pub const WOKE_LATE: Duration = Duration::from_secs(1);
/// The clock of a backend counts for so long after it was told; a front that does not lead asks
/// for it in half that time.
pub const CLOCK_FRESH: Duration = Duration::from_secs(60);
/// A clock that is off the date of the group by more than this is off.
pub const CLOCK_OFF: Duration = Duration::from_secs(60);
/// A clock that is off by more than this is wrong.
pub const CLOCK_WRONG: Duration = Duration::from_secs(24 * 60 * 60);
/// Minutes in which an access that was refused is something to be looked at now; after that, and for an
/// hour, it is worth knowing.
pub const DENIED_RECENT: usize = 5;
/// Two clocks that differ by no more agree on a date. Where nothing sets them, they are off by
/// minutes.
pub const CLOCKS_AGREE: Duration = Duration::from_secs(60 * 60);
/// The date of the group goes ahead by so much at once, beyond the time that has passed; by more,
/// only if two clocks agree on it for [`DATE_LEAP_LASTS`].
pub const DATE_LEAP: Duration = Duration::from_secs(24 * 60 * 60);
/// See [`DATE_LEAP`].
pub const DATE_LEAP_LASTS: Duration = Duration::from_secs(60);
/// Backends are told to keep the date of the group when it is so much later than the one they have:
/// each time costs them a write.
pub const DATE_STEP: Duration = Duration::from_secs(60);
/// D: a front without a majority confirmation for this long drops its clients.
pub const FENCE: Duration = Duration::from_secs(10);
/// So long a front that had to step back looks for another one that leads; if there is none, it
/// claims again. Above what a claim takes.
pub const CONTEST: Duration = CLAIM_TIMEOUT;
/// Shortest and longest random pause before a refused claim is made again.
pub const CLAIM_PAUSE: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));
/// How often that pause doubles at most, once for every claim that led nowhere.
pub const CLAIM_DOUBLED: u32 = 4;
/// Claims that lead nowhere, one after the other, before a front stands by that sees another one
/// lead.
pub const CLAIMS_FUTILE: u32 = 2;
/// A claim that has not got on for this long is begun anew.
pub const CLAIM_TIMEOUT: Duration = Duration::from_secs(3);

/// Planned failover: the calls on their way end within this time, or the role stays. Above
/// [`ANYONE_TIMEOUT`], so that one can be tried at a second backend. With [`HANDOVER_WAIT`] below
/// [`CALL_TIMEOUT`]: calls that had to wait are still served where the role stays.
pub const HANDOVER_DRAIN: Duration = Duration::from_secs(1);
/// So long a front tries to take a role that its twin gives away.
pub const HANDOVER_CLAIM: Duration = Duration::from_secs(1);
/// So long the twin waits for that: longer, so that the two do not want the role at once.
pub const HANDOVER_WAIT: Duration = Duration::from_millis(1500);
/// Links of clients that wait for a reply are closed after this time, before the virtual address
/// goes.
pub const HANDOVER_CLOSE: Duration = Duration::from_millis(300);
/// Between the last link closed and the address given away: what was said on the links leaves the
/// machine.
pub const HANDOVER_FLUSH: Duration = Duration::from_millis(10);
/// So many calls of track scripts make keepalived's asking regular: an operator who tries both scripts
/// by hand makes two.
pub const TRACK_CALLS: usize = 4;
/// Calls of track scripts whose times are kept, to know their interval.
pub const TRACK_KEPT: usize = 8;
/// Longest interval between two calls of track scripts that is taken for one.
pub const TRACK_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Keepalived that has not asked for so long, or for three of its own intervals, is silent: as shipped
/// it asks twice a second.
pub const TRACK_SILENT: Duration = Duration::from_secs(5);
/// Instances and groups of keepalived whose states are kept.
pub const TRACK_INSTANCES: usize = 64;
/// Longest name of one of them, in bytes.
pub const TRACK_NAME: usize = 100;
/// Longest state of one of them that a message repeats, in characters.
pub const TRACK_STATE: usize = 40;
/// A process of keepalived's `notify` is heard within this time of its beginning: a minute, in the steps
/// in which `tmrd notify` says when that was. They are hundredths of a second since the machine was
/// booted, each of 2²² process ids.
pub const TRACK_LATE: u64 = 60 * (100 << 22);
/// Keepalived that has changed its state within this time may go on to another one by itself, as after a
/// planned failover: the track scripts ask again first.
pub const TRACK_SETTLES: Duration = Duration::from_secs(5);
/// A front that has run for less is starting: keepalived and backends may not have reached it yet.
pub const STARTING: Duration = Duration::from_secs(10);
/// An address that has not left by then does not leave: keepalived asks its slowest script once a
/// second.
pub const HANDOVER_ADDRESS: Duration = Duration::from_secs(5);

/// How long a client lets a connection take to stand, first and at most; doubles. A packet that is
/// lost while an address moves costs this, and not the second after which a system sends it again.
pub const CLIENT_CONNECT: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_secs(2));
/// How long a client lets the key agreement take, first and at most; doubles. A frozen server takes
/// connections and says nothing; one to which a thousand clients come back at once needs a while.
pub const CLIENT_GREETING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// Pause of a client that has tried all its servers in vain, first and at most; doubles, and up to
/// half of it is left out at random. The longest one is what a client may come later to a front that
/// has just taken over.
pub const CLIENT_PAUSE: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(250));
/// A client gives up a connection on which no reply came by then. Above [`CALL_TIMEOUT`].
pub const CLIENT_REPLY: Duration = Duration::from_secs(4);
/// A client's call ends by then, whatever it took: above what a change of fronts takes.
pub const CLIENT_CALL: Duration = Duration::from_secs(15);
/// A call ends by then while its client has never reached a server: its addresses may be wrong.
pub const CLIENT_FIRST: Duration = Duration::from_secs(3);

/// Connections to one stock licence server; each carries one call at a time.
pub const STOCK_LINKS: usize = 4;
/// Accesses and, beside them, other calls that may wait for one of those; more are refused.
pub const STOCK_QUEUE: usize = 4_096;
/// A stock server that has not answered a call by then is taken for down. Below [`CALL_TIMEOUT`],
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
/// [`OUTPUT_BUFFER_MAX`].
pub const STOCK_PRODUCTS: u32 = 200;

/// Log entries a front may have on the way that are not committed yet.
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

/// Longest licence file, in bytes.
pub const LICENCE_FILE_MAX: usize = 1024 * 1024;

/// Longest licence request, in bytes.
pub const REQUEST_FILE_MAX: usize = 16 * 1024;

/// Longest bundle, in bytes: three licence files, with what JSON adds to their quotes and line breaks.
pub const BUNDLE_FILE_MAX: usize = 5 * LICENCE_FILE_MAX;
/// Most licences of one backend, each in a file of its own.
pub const LICENCE_FILES_MAX: usize = 256;
/// Files that are looked at for licences: what is none takes no licence's place.
pub const LICENCE_FILES_LOOKED_AT: usize = 4_096;

/// Files in trouble that a status names.
pub const FILE_TROUBLES_SHOWN: usize = 64;
/// Where a piece of an error message about one is cut off, in bytes.
pub const LICENCE_ERROR_TEXT: usize = 400;
/// Longest `tmrconf.json`, in bytes.
pub const CONFIG_MAX: usize = 1024 * 1024;
/// Most networks in all rules of `AccessControl`: they are looked through at every access.
pub const ACCESS_NETWORKS_MAX: usize = 4_096;
/// Longest time-out or interval that can be configured.
pub const CONFIG_TIMEOUT_MAX: Duration = Duration::from_secs(60 * 60);
/// Longest piece of the file that an error message about it repeats, in characters.
pub const CONFIG_QUOTE: usize = 80;
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
/// Longest pause before the twin is dialled again; the first one is [`REDIAL_MIN`].
pub const TWIN_REDIAL_MAX: Duration = Duration::from_secs(2);
/// Entries that may be on their way to the twin, not acknowledged: beyond it they wait in the log,
/// and one that is too far behind gets a whole state. As many it keeps that are not committed.
pub const TWIN_WINDOW: u64 = UNCOMMITTED_MAX;
/// Most entries in one message to the twin.
pub const TWIN_ENTRIES: usize = 256;
/// Most handles at stock servers in one message to the twin.
pub const TWIN_SEATS: usize = 1_024;
/// Most handles at stock servers that a twin may tell of: each seat has one at each of three.
pub const TWIN_SEATS_MAX: usize = 3 * HANDLES_MAX;
/// Longest piece of a state in one message to the twin, in bytes: the line between two sites may
/// be a thin one.
pub const TWIN_PIECE_BYTES: usize = 64 * 1024;
/// Messages that may be on their way to the twin while a state is.
pub const TWIN_PIECES: u64 = 8;
/// A whole state goes to the twin at most this often: making one costs the front that leads time.
pub const TWIN_STATE_PAUSE: Duration = Duration::from_secs(2);
/// The same trouble with another server of the group, or with who says to be one, is logged at most
/// this often.
pub const TROUBLE_LOGGED: Duration = Duration::from_secs(60);
/// Longest program version that a twin may name, in bytes.
pub const TWIN_VERSION_TEXT: usize = 32;
/// Most virtual serials that a twin may tell of its configuration.
pub const TWIN_VIRTUALS_MAX: usize = 4_096;
/// Longest part of a configuration that a twin may tell, in bytes.
pub const TWIN_SETTINGS_MAX: usize = 512 * 1024;
/// Longest address that a twin may tell of its configuration, in bytes: a host name and a port.
pub const TWIN_ADDRESS_MAX: usize = 300;
/// Clients whose calls a front that stands by passes on to its twin, and that a front takes of its
/// twin: with their calls, and the word that they are gone, they stay below [`OUTBOX_FRAMES`].
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
/// reach its client before the twin gives it up, at [`CALL_TIMEOUT`].
pub const PASSED_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Longest line of a usage history, in bytes: all texts at their longest, each character written as
/// an escape.
pub const HISTORY_LINE: usize = 16 * 1024;
/// Bytes of the latest lines that a front keeps to tell its twin; older ones are read from its disk.
pub const HISTORY_KEPT: usize = 1024 * 1024;
/// Lines told to the twin at once, in bytes.
pub const HISTORY_BLOCK: usize = 256 * 1024;
/// Committed log entries that wait for the twin's word of them, or for this front to lead; beyond
/// it, a gap is recorded.
pub const HISTORY_WAITING: usize = LOG_KEPT;
/// Licences that are counted for charts.
pub const HISTORY_LICENCES: usize = PRODUCTS_MAX;
/// Bytes of lines that wait to be written to a front's disk; more are lost, and counted.
pub const HISTORY_QUEUE: usize = 16 * 1024 * 1024;
/// Bytes of the latest files that a front reads at its start, for charts and to go on from.
pub const HISTORY_READ_BACK: u64 = 64 * 1024 * 1024;
/// How often lines are written to the files of a front, and for how long a power cut may cost them.
pub const HISTORY_FLUSH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// Sizes that can be configured for one file and for all of them, in megabytes, and their defaults.
pub const HISTORY_FILE: (u32, u32, u32) = (1, 1_024, 16);
/// See [`HISTORY_FILE`].
pub const HISTORY_FILES: (u32, u32, u32) = (4, 1_048_576, 512);
/// Of the bytes of one file, and of all of them, refused accesses have one in so many.
pub const HISTORY_REFUSALS: u64 = 8;
/// Refused accesses that are alike are one line of the usage history in this time, behind the first.
pub const REFUSALS_FOR: Duration = Duration::from_secs(60);
/// Kinds of refused accesses (client, licence, error) that have lines of their own in that time;
/// more are counted by address.
pub const REFUSALS_COUNTED: usize = 256;
/// Those of one address.
pub const REFUSALS_OF_ADDRESS: usize = 16;
/// Addresses that they are counted by; more are counted together.
pub const REFUSAL_ADDRESSES: usize = 64;
/// Months for which they can be kept, and the default.
pub const HISTORY_MONTHS: (u32, u32, u32) = (1, 240, 13);
/// Most licences in one container.
pub const PRODUCTS_MAX: usize = 4_096;
/// Longest Firm Item text or product text, in UTF-16 units: the SDK's 256 with a zero at the end
/// (protocol facts 4, CMBOXENTRY).
pub const TEXT_UNITS_MAX: usize = 255;
/// Most seats of one licence: as many as handle numbers. Sums of two cannot overflow.
pub const QUANTITY_MAX: u32 = HANDLE_LAST;
/// A certificate of the admin pages that ends sooner is one to renew now.
pub const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);
/// A token of the admin pages that ends sooner is told of.
pub const TOKEN_ENDS_SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A licence that ends sooner is one to renew now.
pub const LICENCE_ENDS_SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A durable write at a backend that takes longer is a slow one.
pub const DISK_SLOW: Duration = Duration::from_millis(500);
/// How long writes are counted together, and how many slow ones are no accident.
pub const DISK_SLOW_COUNTED: (Duration, u32) = (Duration::from_secs(60), 8);
/// Free bytes below which the disk of a state folder is soon full.
pub const ROOM_LOW: u64 = 256 << 20;
/// Free bytes below which it is as good as full.
pub const ROOM_LEAST: u64 = 32 << 20;
/// For so long a gap of the usage history is told.
pub const HISTORY_GAP_TOLD: Duration = Duration::from_secs(24 * 60 * 60);

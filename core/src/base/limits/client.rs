//! Bounds on a client that looks for a server.

use crate::base::time::Duration;

/// How long a client waits for a connection, first and at most; doubles. A packet that is lost
/// while an address moves costs this, and not the second after which a system sends it again.
pub const CLIENT_CONNECT: (Duration, Duration) =
    (Duration::from_millis(250), Duration::from_secs(2));
/// How long a client waits for the key agreement, first and at most; doubles. A frozen server
/// accepts connections and sends nothing; one to which a thousand clients return at once needs some
/// time.
pub const CLIENT_GREETING: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// Pause of a client after an unsuccessful attempt at each of its servers, first and at most;
/// doubles, and up to half of it is left out at random. The longest one delays a client's return to
/// a front that has just taken over.
pub const CLIENT_PAUSE: (Duration, Duration) =
    (Duration::from_millis(20), Duration::from_millis(250));
/// A client closes a connection on which no reply came in this time. Above
/// [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const CLIENT_REPLY: Duration = Duration::from_secs(4);
/// A client's call ends in this time in any case: above the duration of a change of fronts.
pub const CLIENT_CALL: Duration = Duration::from_secs(15);
/// A call ends in this time if its client has never reached a server: its addresses may be wrong.
pub const CLIENT_FIRST: Duration = Duration::from_secs(3);

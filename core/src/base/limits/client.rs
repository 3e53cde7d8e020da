//! Bounds on a client that looks for a server.

use crate::base::time::Duration;

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
/// A client gives up a connection on which no reply came by then. Above [`CALL_TIMEOUT`](super::CALL_TIMEOUT).
pub const CLIENT_REPLY: Duration = Duration::from_secs(4);
/// A client's call ends by then, whatever it took: above what a change of fronts takes.
pub const CLIENT_CALL: Duration = Duration::from_secs(15);
/// A call ends by then while its client has never reached a server: its addresses may be wrong.
pub const CLIENT_FIRST: Duration = Duration::from_secs(3);

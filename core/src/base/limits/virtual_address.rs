//! Bounds on a planned failover and the virtual address.

use crate::base::time::Duration;

/// Planned failover: calls in progress must end within this time, or the role stays. Above
/// [`ANYONE_TIMEOUT`](super::ANYONE_TIMEOUT), so that one can be tried at a second backend. With
/// [`HANDOVER_WAIT`] below [`CALL_TIMEOUT`](super::CALL_TIMEOUT): calls that had to wait are still
/// served if the role stays.
pub const HANDOVER_DRAIN: Duration = Duration::from_secs(1);
/// How long a front tries to take a role that its twin gives away.
pub const HANDOVER_CLAIM: Duration = Duration::from_secs(1);
/// How long the twin waits for that: longer, so that the two do not claim the role at once.
pub const HANDOVER_WAIT: Duration = Duration::from_millis(1500);
/// Links of clients that wait for a reply are closed after this time, before the virtual address
/// leaves.
pub const HANDOVER_CLOSE: Duration = Duration::from_millis(300);
/// Time between the close of the last link and the release of the address: bytes sent on the links
/// leave the machine.
pub const HANDOVER_FLUSH: Duration = Duration::from_millis(10);
/// Calls of track scripts after which keepalived is considered to make them regularly: an operator
/// who tries both scripts by hand makes two.
pub const TRACK_CALLS: usize = 4;
/// Calls of track scripts whose times are kept, to know their interval.
pub const TRACK_KEPT: usize = 8;
/// Longest interval between two calls of track scripts that counts as one.
pub const TRACK_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Keepalived that has made no call for this long, or for three of its own intervals, is silent: in
/// the shipped configuration it makes two a second.
pub const TRACK_SILENT: Duration = Duration::from_secs(5);
/// Most instances and groups of keepalived whose states are kept.
pub const TRACK_INSTANCES: usize = 64;
/// Longest name of one of them, in bytes.
pub const TRACK_NAME: usize = 100;
/// Longest state of one of them that a message repeats, in characters.
pub const TRACK_STATE: usize = 40;
/// Latest arrival of a notice after the start of its process: a minute, in the steps in which `tmrd
/// notify` reports that start. They are hundredths of a second since the machine was booted, each
/// of 2²² process ids.
pub const TRACK_LATE: u64 = 60 * (100 << 22);
/// Keepalived that has changed its state within this time may change it again by itself, as after a
/// planned failover: the track scripts run again first.
pub const TRACK_SETTLES: Duration = Duration::from_secs(5);
/// A front that has run for less is starting: keepalived and backends may not have reached it yet.
pub const STARTING: Duration = Duration::from_secs(10);
/// An address that has not left in this time does not leave: keepalived runs its slowest script
/// once a second.
pub const HANDOVER_ADDRESS: Duration = Duration::from_secs(5);

//! Waiting for a condition, not for a time.

use super::http::get_json;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Far above what any condition takes on a slow machine; reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(60);

/// Looks until there is something to see, at most a minute.
///
/// # Panics
/// Nothing was to be seen in time.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, what, look)
}

/// Looks until there is something to see, at most for `limit`.
///
/// # Panics
/// Nothing was to be seen in time.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    let Some(seen) = poll(limit, look) else { panic!("waited {limit:?} in vain for {what}") };
    seen
}

/// Looks until `status` shows what is awaited, at most for `limit`.
///
/// # Panics
/// It did not in time; the message has the last status.
#[track_caller]
pub fn status_within<T>(
    limit: Duration,
    admin: SocketAddr,
    what: &str,
    mut look: impl FnMut(&Value) -> Option<T>,
) -> T {
    let mut last = Value::Null;
    let seen = poll(limit, || {
        last = get_json(admin, "/api/status").ok()?;
        look(&last)
    });
    let Some(seen) = seen else { panic!("waited {limit:?} in vain for {what}: {last:#}") };
    seen
}

/// As [`status_within`], at most a minute.
///
/// # Panics
/// It did not in time.
#[track_caller]
pub fn status_until<T>(admin: SocketAddr, what: &str, look: impl FnMut(&Value) -> Option<T>) -> T {
    status_within(DEADLINE, admin, what, look)
}

/// Sets a flag when it is dropped, also by a panic: threads that run until then end, and a test that
/// fails does not wait for them for ever.
#[derive(Debug)]
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Looks until the condition holds. Returns `None` if it does not within `limit`.
pub(crate) fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        let seen = look();
        if seen.is_some() || start.elapsed() >= limit {
            return seen;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

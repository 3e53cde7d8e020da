//! Threads and locks, as all of this crate uses them. The crate's head lists the threads.

use std::sync::{Mutex, MutexGuard};
use std::thread;
use tmr_core::link::CloseReason;

/// Stack of a thread, in bytes: looking up a host name needs the most.
const STACK: usize = 512 * 1024;

/// Starts a detached thread.
///
/// # Errors
/// The system gives no thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CloseReason> {
    let thread = thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work);
    thread.map(drop).map_err(|error| CloseReason::Broken(format!("no thread for it: {error}")))
}

/// Locks a mutex. A panic ends the process, so no thread finds it poisoned.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a panic ends the process")
}

//! How threads are made, and what they share is locked. Which ones there are: the crate's front page.

use std::sync::{Mutex, MutexGuard};
use std::thread;
use tmr_core::io::Why;

/// Stack of a client link's thread, in bytes: there may be thousands.
pub(crate) const CLIENT_STACK: usize = 128 * 1024;
/// Stack of every other thread, in bytes: looking up a host name needs the most.
pub(crate) const STACK: usize = 512 * 1024;

/// Starts a thread that nobody waits for.
pub(crate) fn spawn(
    name: &str,
    stack: usize,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), Why> {
    let thread = thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work);
    thread.map(drop).map_err(|error| Why::Broken(format!("no thread for it: {error}")))
}

/// Locks what threads share.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a panic ends the process")
}

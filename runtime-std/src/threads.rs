//! How threads are made, and what they share is locked. Which ones there are: the crate's front page.

use std::sync::{Mutex, MutexGuard};
use std::thread;
use tmr_core::io::Why;
use tmr_core::limits::{CLIENT_LINKS_MAX, CLIENT_LINKS_MAX_THREADS_32};

/// Stack of a client link's thread, in bytes: there may be thousands.
pub(crate) const CLIENT_STACK: usize = 128 * 1024;
/// How many client links there may be where each has a thread, on this target.
pub const CLIENTS_MAX: usize = clients_max(usize::BITS);

/// As many as all runtimes take, unless their stacks are more than addresses can tell apart.
const fn clients_max(address_bits: u32) -> usize {
    if address_bits <= 32 { CLIENT_LINKS_MAX_THREADS_32 } else { CLIENT_LINKS_MAX }
}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_leave_room_in_the_address_space() {
        let stacks = |address_bits| clients_max(address_bits) as u64 * CLIENT_STACK as u64;
        // The kernel may keep half for itself; half of the rest is for everything else.
        assert!(stacks(32) <= (1 << 32) / 4);
        assert_eq!(clients_max(64), CLIENT_LINKS_MAX, "no limit of its own where there is room");
        assert_eq!(CLIENTS_MAX, clients_max(usize::BITS));
    }
}

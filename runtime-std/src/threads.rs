//! The threads of the thread runtime, and their stacks.
//!
//! | name | how many | why |
//! |---|---|---|
//! | `main` | 1 | waits for the next deadline and ticks the hub |
//! | `accept` | one a door | waits for connections |
//! | `client` | one a client link, and one an admin link | strict request and reply: it reads, steps, waits for its reply, writes |
//! | `backend` | on a front, one a dialled backend | looks up the name, connects, then reads |
//! | `client` and `writer` | on a backend, two a front | either end may speak at any time |
//! | `writer` | on a front, one a joined backend | the same |
//! | `disk` | on a backend, 1 | appends to the journal and waits until it is on disk |
//! | `signals` | 1 | waits for SIGTERM and SIGINT |

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

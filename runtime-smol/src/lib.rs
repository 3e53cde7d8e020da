//! One executor on smol and async-io for the TMR licence server.
//!
//! - [`run`]: the adapter; one task for all links and listeners, one for the timer, one for events
//!   of the host, and one for the results of other threads. All run on the main thread, which waits
//!   for the hub's lock only while a link is greeted
//!
//! # Threads
//!
//! | name | how many | why |
//! |---|---|---|
//! | `main` | 1 | every task; when there is nothing to do it waits for sockets and timers |
//! | `async-io` | 1 | waits for sockets and timers while `main` does not; idle otherwise |
//! | `greetings` | 1, at a lower priority | key agreements and TLS handshakes of accepted links, which take long |
//! | `blocking-N` | on a front, while it dials | looks up a name and connects, both of which block |
//! | `disk` | on a backend, 1 | appends to the journal and waits until it is on disk |
//! | `configuration`, `hang-up` | on a front, 1 each | reads its configuration at SIGHUP, and writes it when the node requests that |
//! | `signals` | 1 | waits for SIGTERM and SIGINT |

pub mod run;

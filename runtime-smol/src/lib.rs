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
//! | `greetings` | 1 | accepted links, until their calls can be served |
//! | `agreements` | 1, at a lower priority | computes key agreements and TLS handshakes, which take long; holds no lock that calls wait for |
//! | `dial` | on a front, one for each connection that is being opened | connects, which blocks |
//! | `look-up` | on a front, one for each name that is being looked up | asks the system's resolver, which blocks and cannot be cancelled |
//! | `disk` | on a backend, 1 | appends to the journal and waits until it is on disk |
//! | `licences` | on a backend, 1 | watches the licence files |
//! | `configuration`, `hang-up` | on a front, 1 each | reads its configuration at SIGHUP, and writes it when the node requests that |
//! | `admin-files` | on a front, 1 | checks passwords, records changes, watches the password file and the certificate |
//! | `history` | on a front, 1 | writes the usage history and reads it back |
//! | `folder` | on a front, 1 | checks that the state folder is in place |
//! | `address` | on a front, 1 | looks for the virtual address |
//! | `machine` | 1 | watches the socket of the machine |
//! | `watchdog` | under systemd, 1 | notifies it while the node takes steps |
//! | `signals` | 1 | waits for SIGTERM and SIGINT |
//! | `parent` | with `--die-with-parent`, 1 | waits for the end of standard input |

pub mod run;

//! The adapter of the thread runtime: accept, dial, wait. It decides nothing.

use crate::exit::Outcome;
use crate::host::node_setup::NodeSetup;
use crate::host::workers::boxes;
use crate::reactor::{Actions, PollBuffer, Reactor};
use crate::sync::spawn;
use std::sync::Arc;
use std::thread::{self, Thread};

/// The number of threads that serve links, at most. More would wait for each other's lock of the
/// hub.
const SERVING_MAX: usize = 4;
/// CPUs for each of them: the kernel's work for the same links takes as much again.
const CPUS: usize = 2;

struct Site {
    reactor: Reactor,
    /// The thread that waits for the next deadline.
    timer: Thread,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give the threads that every node needs.
pub fn run(setup: NodeSetup) -> Outcome {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let serving = (cpus / CPUS).clamp(1, SERVING_MAX);
    let NodeSetup { hub, listeners, connections, workers } = setup;
    let (outboxes, inboxes) = boxes();
    let reactor = Reactor::new(hub, outboxes, connections, listeners, serving)?;
    let site = Arc::new(Site { reactor, timer: thread::current() });
    site.perform(site.reactor.tick());
    let told = Arc::clone(&site);
    workers.start(inboxes, site.reactor.listeners(), move |event| {
        told.perform(told.reactor.host_event(event));
    })?;
    let greeting = Arc::clone(&site);
    spawn("greetings", move || greeting.reactor.greet(|actions| greeting.perform(actions)))?;
    for poll in 0..serving {
        let site = Arc::clone(&site);
        spawn("links", move || site.serve(PollBuffer::new(poll)))?;
    }
    loop {
        let wait = site.reactor.set_timer();
        if wait.is_zero() {
            site.perform(site.reactor.tick());
        } else {
            // An `unpark` since `set_timer` makes this return at once.
            thread::park_timeout(wait);
        }
    }
}

impl Site {
    fn perform(self: &Arc<Self>, actions: Actions) {
        if actions.sooner {
            self.timer.unpark();
        }
        for dial in actions.dial {
            let (site, link) = (Arc::clone(self), dial.link);
            let work = move || site.perform(site.reactor.dial(dial));
            spawn("dial", work)
                .unwrap_or_else(|reason| self.perform(self.reactor.undialled(link, reason)));
        }
    }

    fn serve(self: &Arc<Self>, mut poll_buffer: PollBuffer) {
        loop {
            if let Some(actions) = self.reactor.turn(&mut poll_buffer, true) {
                self.perform(actions);
            }
        }
    }
}

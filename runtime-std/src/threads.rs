//! The glue of the thread runtime: accept, dial, wait. It decides nothing.

use crate::exit::Outcome;
use crate::host::node_setup::Plan;
use crate::reactor::{Actions, Links, PollBuffer};
use crate::sync::spawn;
use std::sync::Arc;
use std::thread::{self, Thread};

/// Threads that serve links, at most: more would wait for each other at the hub.
const SERVING_MAX: usize = 4;
/// CPUs for each of them: what the system does for its links takes as much again.
const CPUS: usize = 2;

struct Site {
    links: Links,
    /// Waits for the next deadline.
    timer: Thread,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give the threads that every node needs.
pub fn run(plan: Plan) -> Outcome {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let serving = (cpus / CPUS).clamp(1, SERVING_MAX);
    let (links, inboxes) = Links::new(plan.hub, plan.streams, plan.doors, serving)?;
    let site = Arc::new(Site { links, timer: thread::current() });
    site.perform(site.links.tick());
    let told = Arc::clone(&site);
    plan.sources.start(inboxes, site.links.doors(), move |event| {
        told.perform(told.links.host_event(event));
    })?;
    let greeting = Arc::clone(&site);
    spawn("greetings", move || greeting.links.greet(|chores| greeting.perform(chores)))?;
    for poll in 0..serving {
        let site = Arc::clone(&site);
        spawn("links", move || site.serve(PollBuffer::new(poll)))?;
    }
    loop {
        let wait = site.links.set_timer();
        if wait.is_zero() {
            site.perform(site.links.tick());
        } else {
            // Who was told meanwhile does not wait.
            thread::park_timeout(wait);
        }
    }
}

impl Site {
    fn perform(self: &Arc<Self>, chores: Actions) {
        if chores.sooner {
            self.timer.unpark();
        }
        for dial in chores.dial {
            let (site, link) = (Arc::clone(self), dial.link);
            let work = move || site.perform(site.links.dial(dial));
            spawn("dial", work).unwrap_or_else(|why| self.perform(self.links.undialled(link, why)));
        }
    }

    fn serve(self: &Arc<Self>, mut ears: PollBuffer) {
        loop {
            if let Some(chores) = self.links.turn(&mut ears, true) {
                self.perform(chores);
            }
        }
    }
}

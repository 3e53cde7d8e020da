//! The glue of the thread runtime: accept, dial, wait. It decides nothing.

use crate::daemon::net::{BREATH, broken};
use crate::daemon::{Chores, Ears, Links, Outcome, Plan};
use crate::threads::spawn;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, Thread};
use tmr_core::io::Door;

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
    let (links, errands) = Links::new(plan.hub, plan.streams, serving)?;
    let site = Arc::new(Site { links, timer: thread::current() });
    site.perform(site.links.tick());
    let told = Arc::clone(&site);
    plan.sources.start(errands, move |input| told.perform(told.links.told(input)))?;
    for poll in 0..serving {
        let site = Arc::clone(&site);
        spawn("links", move || site.serve(Ears::new(poll)))?;
    }
    for (door, listener) in plan.doors {
        let site = Arc::clone(&site);
        spawn("accept", move || site.accept(door, &listener))?;
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
    fn perform(self: &Arc<Self>, chores: Chores) {
        if chores.sooner {
            self.timer.unpark();
        }
        for dial in chores.dial {
            let (site, link) = (Arc::clone(self), dial.0);
            let work = move || site.perform(site.links.dial(dial));
            spawn("dial", work).unwrap_or_else(|why| self.perform(self.links.undialled(link, why)));
        }
    }

    fn serve(self: &Arc<Self>, mut ears: Ears) {
        loop {
            if let Some(chores) = self.links.turn(&mut ears, true) {
                self.perform(chores);
            }
        }
    }

    fn accept(self: &Arc<Self>, door: Door, listener: &TcpListener) {
        loop {
            let accepted = listener.accept().map_err(|error| broken(&error));
            match accepted.and_then(|accepted| self.links.accepted(door, accepted)) {
                Ok(chores) => self.perform(chores),
                Err(why) => {
                    tracing::warn!(?door, "a connection could not be served: {why}");
                    thread::sleep(BREATH);
                }
            }
        }
    }
}

//! The glue of the smol runtime: accept, dial, wait. It decides nothing.

use async_io::{Async, Timer};
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::{or, yield_now};
use smol::{LocalExecutor, unblock};
use std::os::fd::AsFd;
use std::{rc::Rc, sync::Arc, thread, time::Instant};
use tmr_runtime_std::exit::Outcome;
use tmr_runtime_std::host::node_setup::Plan;
use tmr_runtime_std::reactor::net::broken;
use tmr_runtime_std::reactor::{Actions, Links, PollBuffer};

struct Site {
    links: Arc<Links>,
    /// Tells the timer's task that a deadline came nearer.
    timer: Sender<()>,
    tasks: LocalExecutor<'static>,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give what every node needs.
pub fn run(plan: Plan) -> Outcome {
    let (links, inboxes) = Links::new(plan.hub, plan.streams, plan.doors, 1)?;
    let ((timer, rung), tasks) = (bounded(1), LocalExecutor::new());
    let site = &Rc::new(Site { links: Arc::new(links), timer, tasks });
    site.perform(site.links.tick());
    let (tell, told) = unbounded();
    plan.sources.start(inboxes, site.links.doors(), move |event| drop(tell.try_send(event)))?;
    site.spawn(async move |site| {
        while let Ok(event) = told.recv().await {
            site.perform(site.links.host_event(event));
        }
    });
    let (done, chores) = unbounded();
    let links = Arc::clone(&site.links);
    let greet = move || links.greet(|chores| drop(done.try_send(chores)));
    let greeter = thread::Builder::new().name("greetings".to_owned()).spawn(greet);
    greeter.map_err(|error| broken(&error))?;
    site.spawn(async move |site| {
        while let Ok(chores) = chores.recv().await {
            site.perform(chores);
        }
    });
    let poll = site.links.poll(0).try_clone_to_owned().and_then(Async::new_nonblocking);
    let poll = poll.map_err(|error| broken(&error))?;
    site.spawn(async move |site| site.serve(&poll).await);
    // A task like the others: what the executor is run for itself is looked at once in 200 turns.
    let time = site.tasks.spawn({
        let site = Rc::clone(site);
        async move { site.keep_time(&rung).await }
    });
    smol::block_on(site.tasks.run(time))
}

impl Site {
    fn spawn(self: &Rc<Self>, work: impl AsyncFnOnce(&Rc<Self>) + 'static) {
        let site = Rc::clone(self);
        self.tasks.spawn(async move { work(&site).await }).detach();
    }

    fn perform(self: &Rc<Self>, chores: Actions) {
        if chores.sooner {
            // A full bell has rung and was not heard yet.
            let _ = self.timer.try_send(());
        }
        for dial in chores.dial {
            self.spawn(async move |site| {
                let links = Arc::clone(&site.links);
                site.perform(unblock(move || links.dial(dial)).await);
            });
        }
    }

    /// Takes turns for as long as there is something, then waits until there is again.
    async fn serve(self: &Rc<Self>, poll: &Async<impl AsFd>) {
        let mut ears = PollBuffer::new(0);
        loop {
            match self.links.turn(&mut ears, false) {
                Some(chores) => {
                    self.perform(chores);
                    yield_now().await;
                }
                None => drop(poll.readable().await),
            }
        }
    }

    async fn keep_time(self: &Rc<Self>, rung: &Receiver<()>) -> ! {
        loop {
            let due = Timer::after(self.links.set_timer());
            if or(async { rung.recv().await.is_err() }, async { due.await <= Instant::now() }).await
            {
                self.perform(self.links.tick());
            }
        }
    }
}

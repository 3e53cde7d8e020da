//! The adapter of the smol runtime: accept, dial, wait. It decides nothing.

use async_io::{Async, Timer};
use smol::LocalExecutor;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::{or, yield_now};
use std::os::fd::AsFd;
use std::{rc::Rc, sync::Arc, time::Instant};
use tmr_runtime_std::exit::Outcome;
use tmr_runtime_std::host::node_setup::NodeSetup;
use tmr_runtime_std::host::workers::boxes;
use tmr_runtime_std::reactor::net::broken;
use tmr_runtime_std::reactor::{Actions, PollBuffer, Reactor};
use tmr_runtime_std::sync::spawn;

struct Site {
    reactor: Arc<Reactor>,
    /// Wakes the timer's task when the deadline is nearer.
    timer: Sender<()>,
    /// Takes the actions of other threads to the tasks.
    done: Sender<Actions>,
    tasks: LocalExecutor<'static>,
}

/// Serves until the process ends.
///
/// # Errors
/// The system does not give what every node needs.
pub fn run(setup: NodeSetup) -> Outcome {
    let NodeSetup { hub, listeners, connections, workers } = setup;
    let (outboxes, inboxes) = boxes();
    let reactor = Reactor::new(hub, outboxes, connections, listeners, 1)?;
    let (timer, rung) = bounded(1);
    let (done, actions) = unbounded();
    let tasks = LocalExecutor::new();
    let site = &Rc::new(Site { reactor: Arc::new(reactor), timer, done, tasks });
    site.perform(site.reactor.tick());
    let (tell, told) = unbounded();
    workers.start(inboxes, site.reactor.listeners(), move |event| drop(tell.try_send(event)))?;
    site.spawn(async move |site| {
        while let Ok(event) = told.recv().await {
            site.perform(site.reactor.host_event(event));
        }
    });
    let (reactor, done) = (Arc::clone(&site.reactor), site.done.clone());
    spawn("greetings", move || reactor.greet(|actions| drop(done.try_send(actions))))?;
    site.spawn(async move |site| {
        while let Ok(actions) = actions.recv().await {
            site.perform(actions);
        }
    });
    let poll = site.reactor.poll(0).try_clone_to_owned().and_then(Async::new_nonblocking);
    let poll = poll.map_err(|error| broken(&error))?;
    site.spawn(async move |site| site.serve(&poll).await);
    // This is a task like the others, since the future that drives the executor is polled once in
    // 200 turns.
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

    fn perform(self: &Rc<Self>, actions: Actions) {
        if actions.sooner {
            // If the channel is full, the task has not taken the last wake-up yet.
            let _ = self.timer.try_send(());
        }
        for dial in actions.dial {
            // `smol::unblock` would wait without end if the system gives no thread.
            let (reactor, done, link) = (Arc::clone(&self.reactor), self.done.clone(), dial.link);
            spawn("dial", move || drop(done.try_send(reactor.dial(dial))))
                .unwrap_or_else(|reason| self.perform(self.reactor.undialled(link, reason)));
        }
    }

    /// Takes turns while there is something to do, then waits for the poll.
    async fn serve(self: &Rc<Self>, poll: &Async<impl AsFd>) {
        let mut poll_buffer = PollBuffer::new(0);
        loop {
            match self.reactor.turn(&mut poll_buffer, false) {
                Some(actions) => {
                    self.perform(actions);
                    yield_now().await;
                }
                None => drop(poll.readable().await),
            }
        }
    }

    async fn keep_time(self: &Rc<Self>, rung: &Receiver<()>) -> ! {
        loop {
            let due = Timer::after(self.reactor.set_timer());
            if or(async { rung.recv().await.is_err() }, async { due.await <= Instant::now() }).await
            {
                self.perform(self.reactor.tick());
            }
        }
    }
}

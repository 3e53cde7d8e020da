//! Clients that take seats, use and release them, and connect again when their link breaks.

use super::history::History;
use super::licences::{NARROW, WIDE};
use super::space::Space;
use crate::harness::{FIRM_CODE, SetOnDrop, give_back, take, within};
use crate::independent_client::error::NO_MORE_LICENSES;
use crate::independent_client::{
    AccessRequest, Client, Fault, INFO_VERSION, PATIENCE, Person, get_info,
};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The number of clients.
pub const CLIENTS: u32 = 32;
/// The most seats of the wide licence that a client keeps: under load, and during a fault.
const HOLD: usize = 6;
/// The time that clients wait before they try the next front.
pub(super) const IMPATIENCE: Duration = Duration::from_millis(1500);
/// The time-out of a connection attempt, which is one packet; the system would send the next one
/// after a second.
const ATTEMPT: Duration = Duration::from_millis(200);
/// The pause between two calls of a client: 32 clients keep one processor half busy in a debug
/// build.
const PACE: Duration = Duration::from_millis(25);

/// A group of clients on one machine that speak to one address.
#[derive(Clone, Debug)]
pub struct Group {
    /// Their machine.
    pub space: Space,
    /// The address that they use.
    pub server: SocketAddr,
    /// The number of clients.
    pub clients: u32,
    /// The time after which a connection or a reply is given up.
    pub patience: Duration,
}

impl Group {
    /// Returns the same clients with a wait that exceeds every late answer, so that a missing
    /// answer is not just a late one.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: PATIENCE, ..self }
    }
}

/// State that the clients and the test share.
#[derive(Debug)]
pub struct Load {
    history: Mutex<History>,
    stop: AtomicBool,
}

/// One client, whose handles outlive its connections.
#[derive(Debug)]
struct Worker<'a> {
    load: &'a Load,
    number: u32,
    group: usize,
    server: SocketAddr,
    patience: Duration,
    /// Its handles with their licences, the oldest first.
    held: Vec<(u32, u32)>,
    turn: u32,
}

impl Load {
    /// Returns a load without calls so far.
    #[must_use]
    pub fn new() -> Self {
        Self { history: Mutex::new(History::default()), stop: AtomicBool::new(false) }
    }

    /// Returns the answers to the clients so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs clients while the test does its work. What they held before is dealt out among them,
    /// and what they hold at the end stays in the history.
    ///
    /// # Panics
    /// The work does, or a client.
    pub fn during<T>(&self, groups: &[Group], work: impl FnOnce(&Self) -> T) -> T {
        self.stop.store(false, Ordering::SeqCst);
        let held: Vec<(u32, u32)> = self.history().held().clone().into_iter().collect();
        let all: u32 = groups.iter().map(|group| group.clients).sum();
        thread::scope(|scope| {
            let mut number = 0;
            for (index, group) in groups.iter().enumerate() {
                for _ in 0..group.clients {
                    let every = all as usize;
                    let held = held.iter().copied().skip(number as usize).step_by(every).collect();
                    let Group { server, patience, .. } = *group;
                    let (load, turn) = (self, number);
                    let worker =
                        Worker { load, number, group: index, server, patience, held, turn };
                    group.space.thread(scope, || worker.work());
                    number += 1;
                }
            }
            // The clients end even if the work panics.
            let _stop = SetOnDrop(&self.stop);
            work(self)
        })
    }

    /// Waits for so many more acknowledged accesses of a group.
    ///
    /// # Panics
    /// They do not come within a minute.
    pub fn wait_for(&self, group: usize, count: usize) {
        let start = Instant::now();
        within(Duration::from_secs(60), "acknowledged accesses", || {
            (self.history().granted_since(start, group) >= count).then_some(())
        });
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

/// A connection of an impatient client.
///
/// # Errors
/// See [`Fault`].
pub fn connect(server: SocketAddr) -> Result<Client, Fault> {
    connect_within(server, IMPATIENCE)
}

fn connect_within(server: SocketAddr, patience: Duration) -> Result<Client, Fault> {
    Client::shake(dial(server, patience)?)
}

/// A bare connection of a client that waits so long for an answer.
///
/// # Errors
/// The system's.
pub(super) fn dial(server: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&server, ATTEMPT)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl Worker<'_> {
    fn stopped(&self) -> bool {
        self.load.stop.load(Ordering::SeqCst)
    }

    fn work(mut self) {
        while !self.stopped() {
            if let Ok(mut client) = connect_within(self.server, self.patience) {
                while !self.stopped() {
                    if let Err(fault) = self.turn(&mut client) {
                        let mut history = self.load.history();
                        history.breaks += 1;
                        // The connection was closed before an answer: the call failed if it was
                        // begun, which is known later.
                        history.failed += u64::from(!matches!(fault, Fault::Closed));
                        break;
                    }
                    thread::sleep(PACE);
                }
            }
            thread::sleep(PACE);
        }
    }

    /// Makes one call. A useless answer ends the connection, as a broken link does, because another
    /// front may be the right one.
    fn turn(&mut self, client: &mut Client) -> Result<(), Fault> {
        self.turn += 1;
        let product = if self.turn % 2 == 0 { NARROW.0 } else { WIDE.0 };
        let mine: Vec<usize> =
            (0..self.held.len()).filter(|&at| self.held[at].1 == product).collect();
        let most = if product == NARROW.0 { 1 } else { HOLD };
        match (self.turn / 2 % 3, mine.first()) {
            (0, Some(_)) => self.use_one(client),
            (_, Some(&at)) if mine.len() >= most => self.give_back(client, at),
            _ => self.take(client, product),
        }
    }

    fn use_one(&self, client: &mut Client) -> Result<(), Fault> {
        let (handle, _) = self.held[self.turn as usize % self.held.len()];
        let reply = client.call(&get_info(handle, INFO_VERSION, 16))?;
        self.answered(handle, reply.status, "a use")
    }

    fn give_back(&mut self, client: &mut Client, at: usize) -> Result<(), Fault> {
        let (handle, _) = self.held.remove(at);
        self.load.history().releases(handle);
        match give_back(client, handle)? {
            Ok(_) => {
                let mut history = self.load.history();
                history.answered(self.group);
                history.released(handle);
                Ok(())
            }
            Err(status) => self.answered(handle, status, "the release"),
        }
    }

    fn take(&mut self, client: &mut Client, product: u32) -> Result<(), Fault> {
        let number = self.number;
        let person = Person { pid: number, ..Person::new(&format!("ws-{number}"), "load") };
        let asked = Instant::now();
        let answer = take(client, &AccessRequest::new(FIRM_CODE, product).by(person));
        let took = asked.elapsed();
        let mut history = self.load.history();
        if answer.is_ok() {
            history.answered(self.group);
        }
        match answer {
            Ok(Ok(handle)) => {
                history.granted(handle, product, self.group, took);
                self.held.push((handle, product));
                Ok(())
            }
            Ok(Err(NO_MORE_LICENSES)) if product == NARROW.0 => Ok(()),
            Ok(Err(status)) => {
                history.unanswered(product);
                *history.troubles.entry(status).or_default() += 1;
                Err(Fault::Closed)
            }
            Err(fault) => {
                history.unanswered(product);
                Err(fault)
            }
        }
    }

    fn answered(&self, handle: u32, status: u32, what: &str) -> Result<(), Fault> {
        let mut history = self.load.history();
        history.answered(self.group);
        history.used(handle, status, what);
        if status == 0 { Ok(()) } else { Err(Fault::Closed) }
    }
}

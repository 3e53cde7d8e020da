//! The drill's clients: each takes a seat, uses it, and gives it back, again and again, through one
//! address and with core's client. Two keep theirs through everything.

use super::history::History;
use crate::commands::cli::{Access, AccessMode};
use crate::commands::client::access::request;
use crate::commands::client::session::Session;
use crate::exit::Failure;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tmr_core::base::network::Address;
use tmr_core::client::Unanswered;
use tmr_core::wire::{CmError, Request};

/// Clients in all: more than the licence has seats.
pub(super) const CLIENTS: u32 = 8;
/// So many of them keep their seat.
pub(super) const KEEPERS: u32 = 2;
/// How often the others use a seat before they give it back.
const USES: u32 = 2;
/// What a client does between two calls.
const PACE: Duration = Duration::from_millis(10);

/// The clients, while they run.
#[derive(Debug)]
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    history: Mutex<History>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

/// Where clients wait between two calls when they are told to.
#[derive(Debug, Default)]
struct Gate {
    open: bool,
    over: bool,
    waiting: usize,
}

impl Clients {
    /// Starts them; they wait until they are let [go](Self::go).
    pub(super) fn start(server: SocketAddr, history: History) -> Result<Self, Failure> {
        let shared =
            Shared { history: Mutex::new(history), gate: Mutex::default(), moved: Condvar::new() };
        let mut clients = Self { shared: Arc::new(shared), threads: Vec::new() };
        for number in 0..CLIENTS {
            let shared = Arc::clone(&clients.shared);
            let uses = if number < KEEPERS { u32::MAX } else { USES };
            let session = session(server);
            let client = Worker { shared, session, uses, held: None };
            let thread = thread::Builder::new().name(format!("client-{number}"));
            let thread = thread
                .spawn(move || client.work())
                .map_err(|error| Failure::failed(format!("no thread: {error}")))?;
            clients.threads.push(thread);
        }
        Ok(clients)
    }

    /// What they were told.
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.shared.history.lock().expect("nothing panics while it is locked")
    }

    /// They go on.
    pub(super) fn go(&self) {
        self.shared.gate().open = true;
        self.shared.moved.notify_all();
    }

    /// They end their calls and wait, with what they hold; `look` is called meanwhile, every now and
    /// then.
    pub(super) fn halt<E>(&self, mut look: impl FnMut() -> Result<(), E>) -> Result<(), E> {
        self.shared.gate().open = false;
        while self.shared.gate().waiting < self.threads.len() {
            look()?;
        }
        Ok(())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.shared.gate().over = true;
        self.shared.moved.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().expect("nothing panics while it is locked")
    }

    /// Waits while the gate is shut; false: it is over.
    fn pass(&self) -> bool {
        let mut gate = self.gate();
        gate.waiting += 1;
        let shut = |gate: &mut Gate| !gate.open && !gate.over;
        gate = self.moved.wait_while(gate, shut).expect("nothing panics while it is locked");
        gate.waiting -= 1;
        !gate.over
    }
}

/// What happened, without what a program can do about it.
fn what(lost: &Unanswered) -> String {
    lost.to_string().split(". ").next().unwrap_or_default().to_owned()
}

/// A client of that address.
pub(super) fn session(server: SocketAddr) -> Session {
    Session::new(&[Address { host: server.ip().to_string(), port: server.port() }])
}

/// One client.
#[derive(Debug)]
struct Worker {
    shared: Arc<Shared>,
    session: Session,
    uses: u32,
    /// Its handle, and how often it was used.
    held: Option<(u32, u32)>,
}

impl Worker {
    fn work(mut self) {
        while self.shared.pass() {
            match self.held {
                None => self.take(),
                Some((handle, used)) if used < self.uses => self.use_it(handle, used),
                Some((handle, _)) => self.give_back(handle),
            }
            thread::sleep(PACE);
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.shared.history.lock().expect("nothing panics while it is locked")
    }

    fn take(&mut self) {
        let access = Access {
            firm_code: super::FIRM_CODE,
            product_code: super::PRODUCT_CODE,
            feature: 0,
            mode: AccessMode::UserLimit,
            hold: 0,
        };
        let answer = self.session.try_exchange(request(&access).encode());
        let mut history = self.history();
        match answer {
            Ok(reply) if reply.status == CmError::NO_ERROR => {
                history.granted(Instant::now(), reply.result);
                drop(history);
                self.held = Some((reply.result, 0));
            }
            Ok(reply) if reply.status == CmError::NO_MORE_LICENSES => history.none_free(),
            Ok(reply) => history.not_granted(reply.status.to_string(), false),
            Err(lost) => history.not_granted(what(&lost), lost.doubt.is_some()),
        }
    }

    fn use_it(&mut self, handle: u32, used: u32) {
        let answer = self.session.try_exchange(Request::GetVersion { handle }.encode());
        let mut history = self.history();
        match answer {
            Ok(reply) if reply.status == CmError::NO_ERROR => history.used(),
            Ok(reply) if reply.status == CmError::INVALID_HANDLE => history.unknown(handle),
            Ok(reply) => history.not_used(reply.status.to_string()),
            Err(lost) => history.not_used(what(&lost)),
        }
        drop(history);
        self.held = Some((handle, used.saturating_add(1)));
    }

    fn give_back(&mut self, handle: u32) {
        self.history().releases(handle);
        let answer = self.session.try_exchange(Request::Release { handle }.encode());
        let mut history = self.history();
        match answer {
            Ok(reply) if reply.status == CmError::NO_ERROR => history.released(handle),
            Ok(reply) if reply.status == CmError::INVALID_HANDLE => history.unknown(handle),
            Ok(reply) => history.not_released(reply.status.to_string()),
            Err(lost) => history.not_released(what(&lost)),
        }
        drop(history);
        self.held = None;
    }
}

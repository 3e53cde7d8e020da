//! Very many clients that have a seat each, lose their server and reconnect all at once.

use super::licences::CROWDED;
use super::load::dial;
use super::pair::try_use;
use super::space::Space;
use crate::harness::{FIRM_CODE, give_back, take};
use crate::independent_client::error::INVALID_HANDLE;
use crate::independent_client::{AccessRequest, Client, Fault, KeyPair, PATIENCE, Person};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The stack of a client's thread, in bytes; small, because there are many threads.
const STACK: usize = 256 * 1024;
/// The clients get only the processor time that servers do not need.
const NICE: i32 = 19;
/// The pause before a client tries again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The pause between two looks at the progress.
const LOOK: Duration = Duration::from_millis(50);
/// Longer than any step here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The return of a client.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The time from the order to reconnect to the answer about its handle.
    pub after: Duration,
    /// The number of connections that it tried.
    pub tries: u32,
}

/// The orders to the clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
enum Word {
    #[default]
    Stay,
    ComeBack(Instant),
    Leave,
}

/// The present order, and a signal for changes.
type Board = Arc<(Mutex<Word>, Condvar)>;

/// All clients. Dropping it ends them.
#[derive(Debug)]
pub struct Crowd {
    board: Board,
    events: Receiver<Result<Served, String>>,
    clients: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// So many clients on one machine, with a connection and a seat each.
    ///
    /// # Panics
    /// One gets none.
    #[must_use]
    pub fn seated(space: &Space, server: SocketAddr, count: u32) -> Self {
        let board = Board::default();
        let (send, events) = mpsc::channel();
        // Threads inherit the namespace and the priority of the thread that starts them; the
        // servers run elsewhere.
        let clients = space.inside(|| {
            rustix::process::nice(NICE).expect("a thread may be nicer than it was");
            let one = |number| {
                let (board, send) = (Arc::clone(&board), send.clone());
                let builder = thread::Builder::new().stack_size(STACK);
                let live = move || live(number, server, &board, &send);
                builder.spawn(live).expect("a thread with a small stack")
            };
            (0..count).map(one).collect()
        });
        let crowd = Self { board, events, clients };
        crowd.each("a seat for everybody", || ());
        crowd
    }

    fn say(&self, word: Word) {
        *self.board.0.lock().unwrap_or_else(PoisonError::into_inner) = word;
        self.board.1.notify_all();
    }

    /// Waits for a report of each client, and calls `look` meanwhile.
    #[track_caller]
    fn each(&self, what: &str, mut look: impl FnMut()) -> Vec<Served> {
        let (start, mut looked) = (Instant::now(), Instant::now());
        let mut all = Vec::new();
        while all.len() < self.clients.len() {
            match self.events.recv_timeout(LOOK) {
                Ok(news) => all.push(news.unwrap_or_else(|wrong| panic!("{what}: {wrong}"))),
                Err(_) => assert!(start.elapsed() < LIMIT, "{what}: {} have it", all.len()),
            }
            if looked.elapsed() >= LOOK {
                look();
                looked = Instant::now();
            }
        }
        all
    }

    /// Makes all clients reconnect at this moment and use their handles.
    pub fn come_back(&self) {
        self.say(Word::ComeBack(Instant::now()));
    }

    /// Waits until all are served, and looks at what goes on meanwhile, at least once.
    ///
    /// # Panics
    /// One is not served.
    pub fn served(&self, mut look: impl FnMut()) -> Vec<Served> {
        look();
        self.each("an answer for everybody", look)
    }

    /// Has all of them give their seats back, and waits for that.
    ///
    /// # Panics
    /// One cannot.
    pub fn leave(mut self) {
        self.say(Word::Leave);
        self.each("everybody to give its seat back", || ());
        for client in self.clients.drain(..) {
            client.join().expect("a client does not panic");
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.say(Word::Leave);
    }
}

/// Waits for another order than this.
fn listen(board: &Board, but: Word) -> Word {
    let word = board.0.lock().unwrap_or_else(PoisonError::into_inner);
    let word = board.1.wait_while(word, |word| *word == but);
    *word.unwrap_or_else(PoisonError::into_inner)
}

/// A lock that all clients of a machine share: only one of them computes at a time.
static GATE: Mutex<()> = Mutex::new(());

/// Clients connect one after the other at first, because only the common reconnection is measured.
static ENTRANCE: Mutex<()> = Mutex::new(());

/// Returns a key pair for the next connection.
fn pair() -> io::Result<KeyPair> {
    let _one = GATE.lock().unwrap_or_else(PoisonError::into_inner);
    KeyPair::fresh()
}

/// The reason for a client's failure.
enum Not {
    /// The client may try again.
    Yet(String),
    Ever(String),
}

impl From<Fault> for Not {
    fn from(fault: Fault) -> Self {
        Self::Yet(fault.to_string())
    }
}

/// Work that has succeeded.
struct Persisted<T> {
    client: Client,
    result: T,
    /// The number of connections that it took.
    tries: u32,
}

/// Connects until the work succeeds.
fn persist<T>(
    server: SocketAddr,
    pair: &KeyPair,
    mut work: impl FnMut(&mut Client) -> Result<T, Not>,
) -> Result<Persisted<T>, String> {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let socket = dial(server, PATIENCE).map_err(Fault::from);
        let tried = socket.and_then(|socket| Client::shake_as(socket, pair, &GATE));
        let tried = tried.map_err(Not::from);
        let done = tried.and_then(|mut client| work(&mut client).map(|it| (client, it)));
        match done {
            Ok((client, result)) => return Ok(Persisted { client, result, tries }),
            Err(Not::Yet(_)) if start.elapsed() < LIMIT => thread::sleep(RETRY_PAUSE),
            Err(Not::Yet(what) | Not::Ever(what)) => return Err(what),
        }
    }
}

/// Runs a client until its end or its first failure, which is reported.
fn live(number: u32, server: SocketAddr, board: &Board, send: &Sender<Result<Served, String>>) {
    let step = || -> Result<(), String> {
        // The receiver is gone when the test has failed; then the order is to leave.
        let tell = |after, tries| drop(send.send(Ok(Served { after, tries })));
        let made = || pair().map_err(|error| error.to_string());
        let start = Instant::now();
        let person = Person { pid: number, ..Person::new(&format!("crowd-{number}"), "crowd") };
        let ask = AccessRequest::new(FIRM_CODE, CROWDED.0).by(person);
        let Persisted { client, result: handle, tries } = {
            let _one = ENTRANCE.lock().unwrap_or_else(PoisonError::into_inner);
            persist(server, &made()?, |client| {
                take(client, &ask)?.map_err(|status| Not::Yet(format!("no seat: {status}")))
            })?
        };
        let next = made()?;
        tell(start.elapsed(), tries);
        let Word::ComeBack(at) = listen(board, Word::Stay) else { return Ok(()) };
        drop(client);
        let Persisted { mut client, tries, .. } =
            persist(server, &next, |client| match try_use(client, handle)? {
                0 => Ok(()),
                INVALID_HANDLE => Err(Not::Ever(format!("acknowledged seat {handle} is lost"))),
                status => Err(Not::Yet(format!("no use of {handle}: {status}"))),
            })?;
        tell(at.elapsed(), tries);
        listen(board, Word::ComeBack(at));
        match give_back(&mut client, handle) {
            Ok(Ok(_)) => tell(at.elapsed(), tries),
            other => return Err(format!("the release of {handle}: {other:?}")),
        }
        Ok(())
    };
    if let Err(wrong) = step() {
        let _ = send.send(Err(format!("client {number}: {wrong}")));
    }
}

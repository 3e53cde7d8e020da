//! Sixteen clients that take and release seats, with one common record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tmr_tests::harness::{FIRM_CODE, Server, get_json, give_back, take, until};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};

const CLIENTS: usize = 16;
/// Seats of the contested licence: some clients are refused at any time. Each front that dies may
/// leave one call of each client without an answer, and its seat taken for the rest of a round.
pub(crate) const SEATS: u32 = 40;
/// The product code of that licence.
pub(crate) const PRODUCT: u32 = 601;
/// The most seats that one client keeps.
const MOST: usize = 3;
/// The pause after a refusal, or after a connection that failed.
const PAUSE: Duration = Duration::from_millis(20);

/// The common record of all clients. Only handles that are certainly held are in it: a seat leaves
/// the record before its release is sent.
#[derive(Debug, Default)]
struct Book {
    /// The client that holds each handle.
    held: BTreeMap<u32, usize>,
    ever: BTreeSet<u32>,
    /// Descriptions of the violations.
    wrong: Vec<String>,
}

#[derive(Debug)]
struct Shared {
    front: SocketAddr,
    stop: AtomicBool,
    book: Mutex<Book>,
    acknowledged: AtomicUsize,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, number: usize) {
        let person = Person::new(&format!("ws-{number}"), "load");
        let ask = AccessRequest::new(FIRM_CODE, PRODUCT).by(person);
        let mut link = None;
        let mut turn = number;
        while !self.stop.load(Ordering::Relaxed) {
            let Some(mut client) = link.take().or_else(|| Client::connect(self.front).ok()) else {
                thread::sleep(PAUSE);
                continue;
            };
            turn += 1;
            let stands = match self.to_give(number, turn) {
                Some(handle) => self.give(&mut client, handle),
                None => self.ask(&mut client, number, &ask),
            };
            link = stands.then_some(client);
        }
    }

    /// Removes a seat of this client from the record if one is to be released now, and returns its
    /// handle.
    fn to_give(&self, number: usize, turn: usize) -> Option<u32> {
        let mut book = self.book();
        let mine: Vec<u32> =
            book.held.iter().filter(|(_, of)| **of == number).map(|(handle, _)| *handle).collect();
        let handle = *mine.first().filter(|_| mine.len() >= MOST || turn % 3 == 0)?;
        book.held.remove(&handle);
        Some(handle)
    }

    /// Releases a seat. Returns whether the connection can still be used.
    fn give(&self, client: &mut Client, handle: u32) -> bool {
        match give_back(client, handle) {
            Ok(Ok(_)) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(Err(INVALID_HANDLE)) => {
                self.book().wrong.push(format!("held seat {handle} is lost: its release got 106"));
                true
            }
            // It is unknown whether the seat was released.
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }

    fn ask(&self, client: &mut Client, number: usize, ask: &AccessRequest) -> bool {
        match take(client, ask) {
            Ok(Ok(handle)) => {
                let mut book = self.book();
                if !book.ever.insert(handle) {
                    book.wrong.push(format!("handle {handle} was given a second time"));
                }
                book.held.insert(handle, number);
                if book.held.len() > SEATS as usize {
                    let held = book.held.len();
                    book.wrong.push(format!("{held} seats of {SEATS} are held"));
                }
                drop(book);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(Err(_)) => {
                thread::sleep(PAUSE);
                true
            }
            Err(_) => false,
        }
    }
}

/// The clients at work. They end with [`Load::rest`], or with the test.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn at(front: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            front,
            stop: AtomicBool::new(true),
            book: Mutex::default(),
            acknowledged: AtomicUsize::new(0),
        });
        Self { shared, workers: Vec::new() }
    }

    /// Starts the clients.
    pub(crate) fn work(&mut self) {
        self.shared.stop.store(false, Ordering::Relaxed);
        let work = |number| {
            let shared = Arc::clone(&self.shared);
            thread::spawn(move || shared.work(number))
        };
        self.workers = (0..CLIENTS).map(work).collect();
    }

    /// Waits until this number of further calls was acknowledged.
    #[track_caller]
    pub(crate) fn acknowledged(&self, more: usize) {
        let count = || self.shared.acknowledged.load(Ordering::Relaxed);
        let enough = count() + more;
        until("answers under load", || {
            let wrong = self.shared.book().wrong.clone();
            assert!(wrong.is_empty(), "{wrong:#?}");
            (count() >= enough).then_some(())
        });
    }

    /// Stops all clients, and checks that their record agrees with the front that leads. Seats of
    /// calls without an answer are released first, so that the front shows no seat that no client
    /// holds.
    #[track_caller]
    pub(crate) fn rest(&mut self, front: &Server, what: &str) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            worker.join().expect("a client does not panic");
        }
        let book = self.shared.book();
        assert!(book.wrong.is_empty(), "{what}: {:#?}", book.wrong);
        let held: BTreeSet<u32> = book.held.keys().copied().collect();
        let mut client = Client::connect(front.licence()).expect("the front takes a client");
        for handle in &held {
            let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
            assert_eq!(reply.status, 0, "{what}: acknowledged seat {handle} answers");
        }
        for handle in counted(front).difference(&held) {
            let answer = give_back(&mut client, *handle).expect("an answer");
            assert_eq!(answer.err(), None, "{what}: seat {handle} of a call without an answer");
        }
        assert_eq!(counted(front), held, "{what}: exact at last");
    }
}

/// Returns the handles that a front shows as seats of the licence.
fn counted(front: &Server) -> BTreeSet<u32> {
    let status = get_json(front.admin(), "/api/status").expect("a front's status");
    let rows = status["allocations"].as_array().expect("a list of allocations").iter();
    rows.filter(|row| row["product_code"] == PRODUCT)
        .map(|row| row["handle"].as_u64().and_then(|it| u32::try_from(it).ok()))
        .collect::<Option<_>>()
        .expect("handles are numbers")
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

//! Units of a licence are taken exactly once in every fault: 32 clients take them while backends
//! are killed and restarted in turn, two at once, the front with another one taking over, and
//! everything while two backends are frozen.
//!
//! The clients' records bound the number of taken units. The units in answers are all taken, and
//! units that no client requested are not. A call without an answer may or may not have taken its
//! units. So at any time
//! acknowledged ≤ taken = issued − left ≤ asked for − refused
//!
//! and at the end, when no unit is left, taken is the number of issued units.

use serde_json::Value;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, SetOnDrop, get, get_json, kill_all, licence_row, take, until,
};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{
    AccessRequest, Client, Crypt, MODE_NO_USER_LIMIT, MODE_USER_LIMIT, Person, Reply, get_info,
    release,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(units_are_taken_once_whatever_dies);

/// The licence with a unit counter.
const METERED: u32 = 501;
/// The number of its units.
const ISSUED: u32 = 5_000_000;
const CLIENTS: u32 = 32;
/// The number of acknowledged calls between two faults.
const BETWEEN: u32 = 150;
/// The most units of one call during faults; all calls together stay far below the issued number.
const SIP: u32 = 9;
/// The most units of one call when the counter is emptied; the API has 14 bits for them.
const GULP: u32 = 0x3fff;

/// The CmGetInfo selector of CMBOXENTRY2, and the offset of the units in it.
const ENTRY: u32 = 0x33;
const ENTRY_UNITS: usize = 684;

const UNITS_ZERO: u32 = 32;
const UNITS_UNDERRUN: u32 = 33;

/// The common record of all clients, in units.
#[derive(Debug, Default)]
struct Book {
    /// The units of calls that were sent, added before sending.
    asked: AtomicU32,
    /// The units of calls that were acknowledged.
    acknowledged: AtomicU32,
    /// The units of calls that were refused because of the units or the handle, which take none.
    refused: AtomicU32,
    /// The number of acknowledged calls.
    calls: AtomicU32,
    /// The result of the first acknowledged call.
    made: OnceLock<Vec<u8>>,
}

impl Book {
    /// Every call has the same data and key, so every answer must be equal, whichever backend made
    /// it.
    #[track_caller]
    fn compare(&self, reply: Reply) {
        assert_eq!((reply.result, reply.body.len()), (1, 16));
        let first = self.made.get_or_init(|| reply.body.clone());
        assert_eq!(reply.body, *first, "encrypted alike by every backend");
    }

    /// Reads the remaining units with `look`, and checks them against the record just before and
    /// just after. Returns the lower and the upper bound of the taken units.
    fn check(&self, what: &str, look: impl FnOnce() -> Option<u32>) -> Option<(u32, u32)> {
        let least = self.acknowledged.load(Ordering::SeqCst);
        let refused = self.refused.load(Ordering::SeqCst);
        let left = look()?;
        let most = self.asked.load(Ordering::SeqCst) - refused;
        let taken = ISSUED.checked_sub(left).expect("never more left than issued");
        assert!(
            (least..=most).contains(&taken),
            "{what}: {taken} units are taken, {left} left; {least} acknowledged, {most} possible"
        );
        Some((least, most))
    }
}

/// One client, whose connection and handle outlive a round.
#[derive(Debug)]
struct Taker {
    number: u32,
    mode: u32,
    link: Option<Client>,
    /// The handle, and the front that granted it.
    handle: Option<(u32, usize)>,
    turn: u32,
}

/// State that the clients of a round share.
struct Round<'a> {
    book: &'a Book,
    fronts: &'a [SocketAddr],
    active: &'a AtomicUsize,
    /// Set when clients are to end the round at their next turn.
    stop: AtomicBool,
    /// The most units of a call.
    most: u32,
}

impl Round<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Takes units until the round is stopped, or none are left.
    fn work(&self, taker: &mut Taker) {
        let (mut most, mut dry) = (self.most, false);
        while !dry && !self.stopped() {
            let Some((mut client, handle)) = self.join(taker) else { return };
            taker.turn += 1;
            let units = 1 + (taker.turn * 7 + taker.number * 13) % most;
            let crypt = Crypt { options: units, ..Crypt::firm_key(Crypt::ECB_ENCRYPT, 5) };
            self.book.asked.fetch_add(units, Ordering::SeqCst);
            // There was no answer: the outcome is unknown, and the connection cannot be used any
            // more.
            let Ok(reply) = client.call(&crypt.request(handle, &[7; 16])) else { continue };
            taker.link = Some(client);
            match reply.status {
                0 => {
                    self.book.acknowledged.fetch_add(units, Ordering::SeqCst);
                    self.book.calls.fetch_add(1, Ordering::SeqCst);
                    self.book.compare(reply);
                }
                UNITS_ZERO | UNITS_UNDERRUN => {
                    self.book.refused.fetch_add(units, Ordering::SeqCst);
                    assert_eq!(self.most, GULP, "units are missing long before it is dry");
                    dry = reply.status == UNITS_ZERO;
                    // Fewer units are left than requested: the rest is taken one by one.
                    assert!(dry || units > 1, "one unit is not more than what is left");
                    most = 1;
                }
                INVALID_HANDLE => {
                    self.book.refused.fetch_add(units, Ordering::SeqCst);
                    let (_, given_by) = taker.handle.take().expect("it was used");
                    assert_ne!(taker.mode, MODE_USER_LIMIT, "an acknowledged seat is lost");
                    let active = self.active.load(Ordering::SeqCst);
                    assert_ne!(given_by, active, "a handle is lost at the front that gave it");
                }
                // There was no majority, or no backend in time: the call may count, now or later.
                _ => {}
            }
        }
    }

    /// Returns the connection and the handle, which are renewed if lost; `None` when the round
    /// ends.
    fn join(&self, taker: &mut Taker) -> Option<(Client, u32)> {
        until("the active front to take a client", || {
            if self.stopped() {
                return Some(None);
            }
            let active = self.active.load(Ordering::SeqCst);
            let mut client = match taker.link.take() {
                Some(client) => client,
                None => Client::connect(self.fronts[active]).ok()?,
            };
            if let Some((handle, _)) = taker.handle {
                return Some(Some((client, handle)));
            }
            let person = Person { pid: taker.number, ..Person::new("ws", "ada") };
            let ask = AccessRequest::new(FIRM_CODE, METERED).mode(taker.mode).by(person);
            let handle = take(&mut client, &ask).ok()?.ok()?;
            taker.handle = Some((handle, active));
            Some(Some((client, handle)))
        })
    }
}

/// Returns the remaining units by the status of the leading front.
fn left(status: &Value) -> Option<u32> {
    let row = licence_row(status, METERED).filter(|_| status["role"] == "active")?;
    row["units_left"].as_u64().and_then(|left| u32::try_from(left).ok())
}

/// Returns the remaining units by the entry info for clients; `None` if the front cannot answer.
fn left_by_api(front: SocketAddr) -> Option<u32> {
    let mut client = Client::connect(front).ok()?;
    let ask = AccessRequest::new(FIRM_CODE, METERED).mode(MODE_NO_USER_LIMIT);
    let handle = take(&mut client, &ask).ok()?.ok()?;
    let entry = client.call(&get_info(handle, ENTRY, 1024)).ok()?;
    client.call(&release(handle)).ok()?;
    (entry.status == 0).then(|| entry.word(ENTRY_UNITS))
}

/// The clients, the cluster, and which front leads.
struct Scene {
    cluster: Cluster,
    book: Book,
    takers: Vec<Taker>,
    active: AtomicUsize,
}

impl Scene {
    fn start(runtime: Runtime) -> Self {
        let metered = serde_json::json!({
            "ProductCode": METERED, "Text": "Metered", "LicenseQuantity": CLIENTS, "TmrId": 1,
            "UnitCounter": ISSUED,
        });
        let takers = (0..CLIENTS).map(|number| {
            let mode = if number % 2 == 0 { MODE_USER_LIMIT } else { MODE_NO_USER_LIMIT };
            Taker { number, mode, link: None, handle: None, turn: 0 }
        });
        Self {
            cluster: Cluster::of(runtime).product(metered).twin().start(),
            book: Book::default(),
            takers: takers.collect(),
            active: AtomicUsize::new(0),
        }
    }

    fn admin(&self) -> SocketAddr {
        self.cluster.fronts[self.active.load(Ordering::SeqCst)].admin()
    }

    /// Lets all clients take units during `faults`, with an auditor that checks all the time.
    fn under_load(&mut self, most: u32, faults: impl FnOnce(&mut Cluster, &Turns<'_>)) {
        let Self { cluster, book, takers, active } = self;
        let fronts: Vec<SocketAddr> = cluster.fronts.iter().map(|front| front.licence()).collect();
        let admins: Vec<SocketAddr> = cluster.fronts.iter().map(|front| front.admin()).collect();
        let round = Round { book, fronts: &fronts, active, stop: AtomicBool::new(false), most };
        let ended = AtomicU32::new(0);
        thread::scope(|scope| {
            // `end` is dropped even when a fault fails the test, so that the clients stop.
            let end = SetOnDrop(&round.stop);
            for taker in takers.iter_mut() {
                let (round, ended) = (&round, &ended);
                scope.spawn(move || {
                    let _counted = CountOnDrop(ended);
                    round.work(taker);
                });
            }
            let auditor = scope.spawn(|| {
                let mut looks = [0_u32; 2];
                until_stopped(&round.stop, book, || {
                    let at = active.load(Ordering::SeqCst);
                    let status = || left(&get_json(admins[at], "/api/status").ok()?);
                    let told = || left_by_api(fronts[at]);
                    looks[0] += u32::from(book.check("status under load", status).is_some());
                    looks[1] += u32::from(book.check("the API under load", told).is_some());
                });
                looks
            });
            faults(cluster, &Turns { book, active, ended: &ended });
            drop(end);
            let looks = auditor.join().expect("units add up under load");
            assert!(looks.iter().all(|&looks| looks > 0), "nobody looked: {looks:?}");
        });
        self.check();
    }

    /// Checks, with no call in progress, that status and API agree and that the taken units are
    /// within their bounds.
    fn check(&self) -> (u32, u32) {
        let mut told = None;
        let bounds = self.book.check("at rest", || {
            told = left(&get_json(self.admin(), "/api/status").expect("the front's status"));
            told
        });
        let active = self.active.load(Ordering::SeqCst);
        let front = self.cluster.fronts[active].licence();
        assert_eq!(left_by_api(front), told, "the API and the status");
        bounds.expect("the front leads")
    }
}

/// The progress of the clients, which faults wait for.
struct Turns<'a> {
    book: &'a Book,
    active: &'a AtomicUsize,
    ended: &'a AtomicU32,
}

impl Turns<'_> {
    /// Waits for this number of further acknowledged calls.
    #[track_caller]
    fn more(&self, calls: u32) {
        let enough = self.book.calls.load(Ordering::SeqCst) + calls;
        until("units to be taken", || {
            assert_eq!(self.ended.load(Ordering::SeqCst), 0, "a client has ended");
            (self.book.calls.load(Ordering::SeqCst) >= enough).then_some(())
        });
    }
}

/// Calls `look` whenever a few more calls were acknowledged, until the flag is set.
fn until_stopped(stop: &AtomicBool, book: &Book, mut look: impl FnMut()) {
    while !stop.load(Ordering::SeqCst) {
        look();
        let seen = book.calls.load(Ordering::SeqCst);
        until("a call to be done", || {
            let more = book.calls.load(Ordering::SeqCst) >= seen + 10;
            (more || stop.load(Ordering::SeqCst)).then_some(())
        });
    }
}

struct CountOnDrop<'a>(&'a AtomicU32);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Kills and restarts each backend, one after the other.
fn in_turn(cluster: &mut Cluster, front: usize, turns: &Turns<'_>) {
    for index in 0..3 {
        cluster.backends[index].kill();
        turns.more(BETWEEN);
        cluster.restart_backend(index);
        cluster.wait_whole(front);
        turns.more(BETWEEN);
    }
}

fn units_are_taken_once_whatever_dies(runtime: Runtime) {
    let mut scene = Scene::start(runtime);
    scene.under_load(SIP, |cluster, turns| {
        turns.more(BETWEEN);
        in_turn(cluster, 0, turns);
    });
    // Two backends are killed at once: the outcome of some calls is unknown.
    scene.under_load(SIP, |cluster, turns| {
        turns.more(BETWEEN);
        kill_all(&mut cluster.backends[..2]);
        let admin = cluster.front().admin();
        until("the front to miss them", || {
            matches!(get(admin, "/readyz"), Ok((503, _))).then_some(())
        });
        cluster.restart_backend(0);
        cluster.restart_backend(1);
        cluster.wait_whole(0);
        turns.more(BETWEEN);
    });
    scene.under_load(SIP, |cluster, turns| {
        turns.more(BETWEEN);
        cluster.fronts[0].kill();
        cluster.activate(1);
        turns.active.store(1, Ordering::SeqCst);
        cluster.wait_whole(1);
        turns.more(BETWEEN);
        in_turn(cluster, 1, turns);
    });
    // Entries that only one backend has on disk are acknowledged to no client: two backends are
    // frozen, and are killed with all others before they read their input. The third returns with
    // its entries after the two have continued without it.
    scene.under_load(SIP, |cluster, turns| {
        cluster.restart_front(0);
        turns.more(BETWEEN);
        cluster.backends[0].freeze();
        cluster.backends[1].freeze();
        let admin = cluster.fronts[1].admin();
        until("the front to miss them", || {
            matches!(get(admin, "/readyz"), Ok((503, _))).then_some(())
        });
        cluster.fronts[1].kill();
        kill_all(&mut cluster.backends);
        cluster.restart_backend(0);
        cluster.restart_backend(1);
        cluster.activate(0);
        turns.active.store(0, Ordering::SeqCst);
        turns.more(BETWEEN);
        cluster.restart_backend(2);
        cluster.wait_whole(0);
        turns.more(BETWEEN);
    });
    let (taken, possible) = scene.check();
    assert!(possible < ISSUED / 2, "{possible} units are asked for, none was to be missed yet");
    eprintln!("{taken} units acknowledged, {} of calls without an answer", possible - taken);

    // The counter is emptied, with one backend down.
    scene.cluster.backends[1].kill();
    scene.under_load(GULP, |_, turns| {
        until("every client to be told that no units are left", || {
            (turns.ended.load(Ordering::SeqCst) == CLIENTS).then_some(())
        });
    });
    let status = get_json(scene.admin(), "/api/status").expect("the front's status");
    assert_eq!(left(&status), Some(0), "it is dry");
    let (acknowledged, possible) = scene.check();
    assert!((acknowledged..=possible).contains(&ISSUED), "{acknowledged} to {possible}");
}

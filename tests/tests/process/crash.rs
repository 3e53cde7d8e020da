//! All servers are killed at once under load, twenty times: no acknowledged seat is lost, and all
//! counts are right.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, get_json, give_back, licence_row, take, within,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::independent_client::{AccessRequest, Client, Fault, INFO_BOX, Person, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(no_acknowledged_seat_is_lost);

const ROUNDS: u32 = 20;
const WORKERS: u32 = 4;
/// A licence with more seats than the workers take.
const WIDE: (u32, u32) = (401, 500);
/// A licence with fewer seats than the workers request.
const NARROW: (u32, u32) = (402, 2);
/// The most seats of the wide licence that a worker keeps.
const HOLD: usize = 30;

/// Seats: the product code of each handle.
type Seats = BTreeMap<u32, u32>;

/// The knowledge of one worker when its connection ends.
#[derive(Debug, Default)]
struct Knowledge {
    /// Acknowledged seats that the worker has not released.
    held: Seats,
    /// The handles whose release was acknowledged.
    gone: BTreeSet<u32>,
    /// A release that was sent and not acknowledged; the seat may still be held.
    releasing: Option<(u32, u32)>,
    /// The product of an access that was sent and not answered; a seat of it may be held.
    asking: Option<u32>,
}

/// The reason why a worker ended.
enum End {
    /// The connection ended.
    Connection(Fault),
    /// An answer was wrong.
    Answer(String),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Connection(fault)
    }
}

/// State that the workers share.
struct Load {
    server: SocketAddr,
    /// The number of answers so far.
    answers: AtomicU32,
    /// Whether the servers are being killed, so that connections may end.
    dying: AtomicBool,
    /// Every handle that any access has given.
    ever: Mutex<BTreeSet<u32>>,
}

impl Load {
    /// Takes and releases seats as one worker until the connection ends.
    fn work(&self, number: u32, held: Seats) -> Knowledge {
        let mut knowledge = Knowledge { held, ..Knowledge::default() };
        match self.connect_and_turn(number, &mut knowledge) {
            Err(End::Connection(_)) if self.dying.load(Ordering::SeqCst) => knowledge,
            Err(End::Connection(fault)) => panic!("worker {number}, before the kill: {fault}"),
            Err(End::Answer(what)) => panic!("worker {number}: {what}"),
            Ok(()) => unreachable!("a worker has no end of its own"),
        }
    }

    fn connect_and_turn(&self, number: u32, knowledge: &mut Knowledge) -> Result<(), End> {
        let mut client = Client::connect(self.server)?;
        for turn in number.. {
            self.turn(number, turn, &mut client, knowledge)?;
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn turn(
        &self,
        number: u32,
        turn: u32,
        client: &mut Client,
        me: &mut Knowledge,
    ) -> Result<(), End> {
        let (product, most) = if turn % 3 == 0 { (NARROW.0, 1) } else { (WIDE.0, HOLD) };
        let mine: Vec<u32> = me
            .held
            .iter()
            .filter(|&(_, &code)| code == product)
            .map(|(&handle, _)| handle)
            .collect();
        if let Some(&handle) = mine.first().filter(|_| mine.len() >= most || turn % 5 == 0) {
            me.held.remove(&handle);
            me.releasing = Some((handle, product));
            let answer = give_back(client, handle)?;
            me.releasing = None;
            me.gone.insert(handle);
            return answer
                .map(|_| ())
                .map_err(|status| End::Answer(format!("release of held {handle} got {status}")));
        }
        let person = Person { pid: number, ..Person::new(&format!("ws-{number}"), "load") };
        me.asking = Some(product);
        let answer = take(client, &AccessRequest::new(FIRM_CODE, product).by(person))?;
        me.asking = None;
        match answer {
            Ok(handle) => {
                if !self.ever.lock().expect("no worker panics with it").insert(handle) {
                    return Err(End::Answer(format!("handle {handle} was given a second time")));
                }
                me.held.insert(handle, product);
                Ok(())
            }
            Err(NO_MORE_LICENSES) if product == NARROW.0 => Ok(()),
            Err(status) => Err(End::Answer(format!("access to {product} got {status}"))),
        }
    }

    /// Loads the server, kills all servers after this number of answers, and returns what the
    /// workers know.
    fn until_killed(
        &self,
        cluster: &mut Cluster,
        held: Vec<Seats>,
        kill_after: u32,
    ) -> Vec<Knowledge> {
        thread::scope(|scope| {
            let workers: Vec<_> = (1..=WORKERS)
                .zip(held)
                .map(|(number, held)| scope.spawn(move || self.work(number, held)))
                .collect();
            within(Duration::from_secs(60), "answers under load", || {
                let enough = self.answers.load(Ordering::SeqCst) >= kill_after;
                (enough || workers.iter().any(|worker| worker.is_finished())).then_some(())
            });
            self.dying.store(true, Ordering::SeqCst);
            cluster.kill_everything();
            workers.into_iter().map(|worker| worker.join().expect("a worker returns")).collect()
        })
    }
}

/// Returns the allocations that a front reports: handle and product code.
fn allocations(admin: SocketAddr) -> Seats {
    let status = get_json(admin, "/api/status").expect("the front's status");
    let rows = status["allocations"].as_array().expect("a list of allocations");
    let number = |value: &serde_json::Value| {
        value.as_u64().and_then(|number| u32::try_from(number).ok()).expect("a number")
    };
    let pairs: Seats =
        rows.iter().map(|row| (number(&row["handle"]), number(&row["product_code"]))).collect();
    for (code, quantity) in [WIDE, NARROW] {
        let row = licence_row(&status, code).expect("the licence is in the status");
        let count = pairs.values().filter(|&&other| other == code).count();
        let count = u32::try_from(count).expect("few");
        assert_eq!(row["used"], count, "used of {code} equals its allocations");
        assert_eq!(row["free"], quantity - count, "free of {code}");
    }
    pairs
}

fn no_acknowledged_seat_is_lost(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).licences(&[WIDE, NARROW]).twin().start();
    let mut held = vec![Seats::new(); WORKERS as usize];
    let mut ever = BTreeSet::new();
    for round in 0..ROUNDS {
        // In every other round the twin takes over, and has only the data of the backends.
        let (active, next) = ((round % 2) as usize, ((round + 1) % 2) as usize);
        // The servers are killed at different moments: after a few to a few hundred answers.
        let kill_after = 20 + (round * 7919 + 13) % 331;
        let load = Load {
            server: cluster.fronts[active].licence(),
            answers: AtomicU32::new(0),
            dying: AtomicBool::new(false),
            ever: Mutex::new(ever),
        };
        let knowledge = load.until_killed(&mut cluster, held, kill_after);
        ever = load.ever.into_inner().expect("no worker panicked");
        for index in 0..3 {
            cluster.restart_backend(index);
        }
        for index in 0..2 {
            cluster.restart_front(index);
        }
        cluster.activate(next);
        cluster.wait_whole(next);
        held = check(&cluster, next, round, knowledge);
    }
}

/// Compares the front's allocations with what the workers know, checks that every seat answers, and
/// releases seats that no worker knows. Returns what each worker holds.
fn check(
    cluster: &Cluster,
    active: usize,
    round: u32,
    mut knowledge: Vec<Knowledge>,
) -> Vec<Seats> {
    let front = &cluster.fronts[active];
    let mut there = allocations(front.admin());
    let mut client = Client::connect(front.licence()).expect("the front takes a client");
    for one in &mut knowledge {
        for (handle, code) in &one.held {
            assert_eq!(
                there.remove(handle),
                Some(*code),
                "round {round}: acknowledged seat {handle} is lost"
            );
            let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
            assert_eq!(reply.status, 0, "round {round}: acknowledged seat {handle} answers");
        }
        for handle in &one.gone {
            assert!(!there.contains_key(handle), "round {round}: {handle} was released");
        }
        // An unacknowledged release may have happened or not; if not, the worker keeps the seat.
        if let Some((handle, code)) = one.releasing {
            if there.remove(&handle).is_some() {
                one.held.insert(handle, code);
            }
        }
    }
    // The remaining seats can only be those whose access had no answer.
    for (handle, code) in there {
        let asked = knowledge.iter_mut().find(|one| one.asking == Some(code));
        let asked = asked.unwrap_or_else(|| panic!("round {round}: nobody asked for {handle}"));
        asked.asking = None;
        let answer = give_back(&mut client, handle).expect("an answer");
        assert_eq!(answer.err(), None, "round {round}: seat {handle} of an access on the way");
    }
    let held: Vec<Seats> = knowledge.into_iter().map(|one| one.held).collect();
    let count: usize = held.iter().map(BTreeMap::len).sum();
    assert_eq!(allocations(front.admin()).len(), count, "round {round}: exact at last");
    held
}

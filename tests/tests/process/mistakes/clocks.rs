//! Clocks that are wrong: no single machine's clock ends a licence, revives one, or deletes a file;
//! and a front whose clock stopped asks its backends before it answers.

use super::book::Book;
use super::{WHOLE_AGAIN, whole_again};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tmr_core::base::rfc3339;
use tmr_core::base::time::Wall;
use tmr_tests::harness::{
    Clock, Cluster, FIRM_CODE, Runtime, TMR, give_back, records, status_until, take, within,
};
use tmr_tests::independent_client::{
    AccessRequest, Client, INFO_BOX, MODE_NO_USER_LIMIT, Person, get_info,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    the_clock_of_a_front_ends_and_revives_no_licence,
    the_clocks_of_two_backends_decide_and_never_run_back,
    a_usage_period_is_not_stamped_with_one_fronts_clock,
    a_clock_that_jumps_deletes_no_usage_history,
    a_front_whose_clock_stood_still_asks_before_it_answers,
);

const DAY: i64 = 24 * 3600;
/// The time after which a date that jumps is in force: two clocks must agree on it for a minute.
const LEAP: Duration = Duration::from_secs(90);
/// A product that ends in 20 days, and one that ended yesterday.
const ENDS: u32 = 801;
const ENDED: u32 = 802;
/// The error for an ended licence.
const HAS_EXPIRED: u32 = 35;

/// Returns a product that ends this number of seconds from now.
fn ends(code: u32, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let end = now.checked_add_signed(seconds).expect("after 1970");
    let text = rfc3339::format(Wall(end));
    json!({ "ProductCode": code, "LicenseQuantity": 50, "TmrId": 1, "ExpirationTime": text })
}

/// Starts a cluster with both licences, whose servers run the same program.
fn cluster(runtime: Runtime) -> Cluster {
    Cluster::of(runtime).product(ends(ENDS, 20 * DAY)).product(ends(ENDED, -DAY)).start()
}

/// Accesses a product.
fn access(cluster: &Cluster, product: u32) -> Result<u32, u32> {
    let mut client = cluster.client();
    take(&mut client, &AccessRequest::new(FIRM_CODE, product)).expect("an answer")
}

/// Restarts the front with a clock of its own. Returns that clock.
fn with_own_clock(cluster: &mut Cluster, front: usize) -> Clock {
    let clock = Clock::new(cluster.workshop().folder(), &format!("front-{front}"));
    let program = clock.on(cluster.fronts[front].program());
    cluster.replace_front(front, &program);
    cluster.activate(front);
    cluster.wait_whole(front);
    clock
}

/// Checks that accesses keep this result for the time in which a front receives the time of its
/// backends again. No event can be waited for, because nothing may change.
#[track_caller]
fn stays(cluster: &Cluster, product: u32, right: impl Fn(Result<u32, u32>) -> bool) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        let outcome = access(cluster, product);
        assert!(right(outcome), "{product}: {outcome:?} after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn the_clock_of_a_front_ends_and_revives_no_licence(runtime: Runtime) {
    let mut cluster = cluster(runtime);
    let clock = with_own_clock(&mut cluster, 0);
    assert_eq!(access(&cluster, ENDED), Err(HAS_EXPIRED));
    clock.wall(40 * DAY);
    stays(&cluster, ENDS, |outcome| outcome.is_ok());
    status_until(cluster.front().admin(), "a word on the front's clock", |status| {
        let rows = status["clocks"].as_array()?;
        let own = rows.iter().find(|row| row["machine"] == "front")?;
        (own["verdict"].is_string() && own["verdict"] != "ok").then_some(())
    });
    let url = format!("http://{}", cluster.front().admin());
    let table = cluster.program().run(["status", "--admin", &url]).out;
    assert!(table.contains("clock of"), "{table}");
    clock.wall(-30 * 365 * DAY);
    stays(&cluster, ENDED, |outcome| outcome == Err(HAS_EXPIRED));
    stays(&cluster, ENDS, |outcome| outcome.is_ok());
    // A front that starts with a wrong clock decides likewise.
    cluster.fronts[0].kill();
    cluster.restart_front(0);
    cluster.activate(0);
    whole_again(&cluster, 0);
    stays(&cluster, ENDED, |outcome| outcome == Err(HAS_EXPIRED));
    assert!(access(&cluster, ENDS).is_ok());
}

fn the_clocks_of_two_backends_decide_and_never_run_back(runtime: Runtime) {
    let mut cluster = cluster(runtime);
    let clocks = [0, 1].map(|index| {
        let clock = Clock::new(cluster.workshop().folder(), &format!("backend-{index}"));
        cluster.replace_backend(index, &clock.on(cluster.program()));
        whole_again(&cluster, 0);
        clock
    });
    let turn = |seconds| clocks.iter().for_each(|clock| clock.wall(seconds));
    assert!(access(&cluster, ENDS).is_ok());
    assert_eq!(access(&cluster, ENDED), Err(HAS_EXPIRED));

    // Two backends whose clocks show 1996 revive nothing.
    turn(-30 * 365 * DAY);
    stays(&cluster, ENDED, |outcome| outcome == Err(HAS_EXPIRED));
    assert!(access(&cluster, ENDS).is_ok());
    // One clock that is ahead ends no licence; two do.
    turn(0);
    clocks[0].wall(40 * DAY);
    stays(&cluster, ENDS, |outcome| outcome.is_ok());
    turn(40 * DAY);
    within(LEAP, "the date of two backends", || {
        (access(&cluster, ENDS) == Err(HAS_EXPIRED)).then_some(())
    });
    turn(0);
    stays(&cluster, ENDS, |outcome| outcome == Err(HAS_EXPIRED));
    // The date is in the log, so it survives a restart of all servers.
    cluster.kill_everything();
    (0..3).for_each(|index| cluster.restart_backend(index));
    cluster.restart_front(0);
    cluster.activate(0);
    whole_again(&cluster, 0);
    assert_eq!(access(&cluster, ENDS), Err(HAS_EXPIRED));
    assert!(access(&cluster, TMR).is_ok(), "what has no end has none");
}

/// Returns a licence that may be used for an hour after its first use.
fn hourly(code: u32) -> Value {
    json!({ "ProductCode": code, "LicenseQuantity": 50, "TmrId": 1, "UsagePeriod": 3_600 })
}

fn a_usage_period_is_not_stamped_with_one_fronts_clock(runtime: Runtime) {
    const BEHIND: u32 = 803;
    const AHEAD: u32 = 804;
    let mut cluster = Cluster::of(runtime).product(hourly(BEHIND)).product(hourly(AHEAD)).start();
    let clock = with_own_clock(&mut cluster, 0);
    clock.wall(-10 * 365 * DAY);
    assert!(access(&cluster, BEHIND).is_ok());
    clock.wall(10 * 365 * DAY);
    assert!(access(&cluster, AHEAD).is_ok());
    clock.wall(0);
    assert!(access(&cluster, BEHIND).is_ok(), "it began a moment ago");
    assert!(access(&cluster, AHEAD).is_ok());

    // The hour is measured by the clocks of two backends.
    let later = Clock::new(cluster.workshop().folder(), "backends");
    for index in [0, 1] {
        cluster.replace_backend(index, &later.on(cluster.program()));
        whole_again(&cluster, 0);
    }
    later.wall(2 * 3_600);
    for product in [BEHIND, AHEAD] {
        within(WHOLE_AGAIN, "the end of an hour", || access(&cluster, product).err());
    }
}

/// Returns the files of a usage history.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("there is a usage history");
    entries.map(|entry| entry.expect("a file").path()).collect()
}

fn a_clock_that_jumps_deletes_no_usage_history(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let clock = with_own_clock(&mut cluster, 0);
    let folder = cluster.workshop().folder().join("front-0/history");
    let mut told = BTreeSet::new();
    let mut client = cluster.client();
    let mut use_once = |told: &mut BTreeSet<u32>| {
        let ask = AccessRequest::new(FIRM_CODE, TMR);
        let handle = take(&mut client, &ask).expect("an answer").expect("a seat is free");
        give_back(&mut client, handle).expect("an answer").expect("it was held");
        told.insert(handle);
        within(WHOLE_AGAIN, "a record of it", || {
            records(&folder).iter().any(|record| record.handle == handle).then_some(())
        });
    };
    for _ in 0..3 {
        use_once(&mut told);
    }
    let before = files(&folder);
    assert!(!before.is_empty());

    clock.wall(2 * 365 * DAY);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2_500) {
        use_once(&mut told);
    }
    clock.wall(0);
    use_once(&mut told);
    let gone: Vec<_> = before.difference(&files(&folder)).cloned().collect();
    assert!(gone.is_empty(), "{gone:?} were deleted");
    let recorded: BTreeSet<u32> = records(&folder).iter().map(|record| record.handle).collect();
    let lost: Vec<_> = told.difference(&recorded).collect();
    assert!(lost.is_empty(), "no record of {lost:?}");
}

/// The front's machine is paused: its monotonic clock stops, and its wall clock does not.
fn a_front_whose_clock_stood_still_asks_before_it_answers(runtime: Runtime) {
    const PAUSE: u8 = 15;
    let mut cluster = Cluster::of(runtime).twin().start();
    let clock = with_own_clock(&mut cluster, 0);
    let [old, new] = [0, 1].map(|front| cluster.fronts[front].licence());
    let mut book = Book::new();
    book.take(old, 2);
    let (kept, released) = (*book.held().first().expect("two"), *book.held().last().expect("two"));
    // These connections have calls waiting when the front wakes, before any other input.
    let [mut uses, mut asks, mut keeps] = [(); 3].map(|()| cluster.client());
    for client in [&mut uses, &mut asks, &mut keeps] {
        let reply = client.call(&get_info(kept, INFO_BOX, 144)).expect("an answer");
        assert_eq!(reply.status, 0);
    }

    cluster.fronts[0].freeze();
    let start = Instant::now();
    uses.send(&get_info(released, INFO_BOX, 144)).expect("the connection stands");
    let person = Person::new("ws-9", "eve");
    let free = AccessRequest::new(FIRM_CODE, TMR).mode(MODE_NO_USER_LIMIT).by(person);
    asks.send(&free.access2()).expect("the connection stands");
    keeps.send(&get_info(kept, INFO_BOX, 144)).expect("the connection stands");
    cluster.activate(1);
    let mut client = Client::connect(new).expect("it takes a client");
    give_back(&mut client, released).expect("an answer").expect("it was held");
    let left = Duration::from_secs(PAUSE.into()).saturating_sub(start.elapsed());
    std::thread::sleep(left);
    clock.monotonic(-i64::from(PAUSE));
    cluster.fronts[0].resume();

    // A closed connection, an error and the new leader's answer are all permitted.
    if let Ok(reply) = uses.receive() {
        assert_ne!(reply.status, 0, "{released} was given back");
    }
    if let Ok(Ok(handle)) = asks.receive().map(|reply| reply.done()) {
        let reply = client.call(&get_info(handle, INFO_BOX, 144)).expect("an answer");
        assert_eq!(reply.status, 0, "{handle} is a handle that nobody granted");
    }
    if let Ok(reply) = keeps.receive() {
        assert_eq!(reply.status, 0, "{kept} is held");
    }
    status_until(cluster.fronts[0].admin(), "the old front to stand by", |status| {
        (status["role"] == "standby").then_some(())
    });
    let reply = client.call(&get_info(kept, INFO_BOX, 144)).expect("an answer");
    assert_eq!(reply.status, 0);
}

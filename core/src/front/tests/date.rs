//! By which clocks licences are judged.

use super::World;
use crate::base::limits::DATE_LEAP_LASTS;
use crate::base::time::{Duration, Wall};
use crate::front::BackendId;
use crate::licence::{Container, Product};
use crate::testing::{container, release, seat};
use alloc::string::ToString;
use alloc::vec::Vec;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
/// The time at which a world begins.
const TODAY: u64 = 1_795_287_600;
const EXPIRED: u32 = 35;
const TOO_EARLY: u32 = 37;
const USED_UP: u32 = 71;

impl World {
    /// Returns a world that serves a licence with this change.
    fn serving_with(change: fn(&mut Product)) -> Self {
        let mut world = Self::with(1, containers(change));
        world.activate(0);
        world.advance(SECOND);
        world
    }

    /// Sets how many seconds the clocks of the backends are ahead.
    fn set_backends(&mut self, ahead: [i64; 3]) {
        for (machine, ahead) in self.backends.iter_mut().zip(ahead) {
            machine.ahead = ahead;
        }
    }

    /// Requests a seat and releases it. Returns the status.
    fn tries(&mut self, front: usize) -> u32 {
        let client = self.connect(front);
        self.call(front, client, seat());
        self.advance(SECOND);
        let (status, handle) = self.answer(front, client).expect("an answer");
        if status == 0 {
            assert_eq!(self.ask(front, client, release(handle)).0, 0);
        }
        status
    }
}

/// Returns a container for each backend, with this change in its licence.
fn containers(change: fn(&mut Product)) -> [Container; 3] {
    [0, 1, 2].map(|index| {
        let mut made = container(index);
        change(&mut made.part.firm_items[0].products[0]);
        made
    })
}

/// Has the licence begin yesterday and end in 20 days.
fn of_these_weeks(product: &mut Product) {
    product.activation_time = Some(Wall(TODAY - 86_400));
    product.expiration_time = Some(Wall(TODAY + 20 * 86_400));
}

fn of_100_seconds(product: &mut Product) {
    product.usage_period = Some(100);
}

fn expired(world: &mut World, front: usize) -> bool {
    world.status(front)["licenses"][0]["expired"] == true
}

#[test]
fn a_group_begins_with_the_date_of_its_backends_whatever_the_front_has_that_founds_it() {
    for ahead in [-30 * DAY, 40 * DAY] {
        let mut world = World::with(0, containers(of_these_weeks));
        let front = world.add_front_at(ahead, |_| ());
        world.activate(front);
        world.advance(SECOND);
        assert_eq!(world.tries(front), 0, "{ahead}");
    }
    // Before the group, its date came from two wrong clocks: its own, and that of one backend.
    let mut world = World::with(0, containers(of_these_weeks));
    world.set_backends([40 * DAY, 0, 0]);
    world.crash(1);
    world.crash(2);
    let front = world.add_front_at(41 * DAY, |_| ());
    world.activate(front);
    world.advance(SECOND);
    assert!(expired(&mut world, front), "so far, nothing else is known");
    world.restart(1);
    world.restart(2);
    world.advance(SECOND);
    assert_eq!(world.tries(front), 0);
}

#[test]
fn the_clock_of_the_front_that_leads_decides_nothing() {
    let mut world = World::serving_with(of_these_weeks);
    for ahead in [40 * DAY, -30 * YEAR, 2 * YEAR, 0] {
        world.fronts[0].ahead = ahead;
        world.advance(2 * DATE_LEAP_LASTS);
        assert_eq!(world.tries(0), 0, "{ahead}");
        assert!(!expired(&mut world, 0), "{ahead}");
    }
    // The wrong clock of a front that comes to lead does not count either.
    let next = world.add_front();
    world.fronts[next].ahead = 40 * DAY;
    world.activate(next);
    assert_eq!(world.tries(next), 0);
    assert!(!expired(&mut world, next));
}

#[test]
fn one_backends_clock_decides_nothing() {
    for place in 0..3 {
        for wrong in [40 * DAY, -30 * YEAR] {
            let mut world = World::serving_with(of_these_weeks);
            let mut ahead = [0; 3];
            ahead[place] = wrong;
            world.set_backends(ahead);
            world.advance(2 * DATE_LEAP_LASTS);
            assert_eq!(world.tries(0), 0, "{place} {wrong}");
            // Nor with one of the others gone.
            world.crash((place + 1) % 3);
            world.advance(2 * DATE_LEAP_LASTS);
            assert_eq!(world.tries(0), 0, "{place} {wrong}");
        }
    }
}

#[test]
fn two_backends_clocks_decide_when_they_agree_for_long_and_that_stays() {
    let mut world = World::serving_with(of_these_weeks);
    world.set_backends([0, 40 * DAY, 40 * DAY + 5]);
    world.advance(DATE_LEAP_LASTS / 2);
    world.set_backends([0; 3]);
    world.advance(SECOND);
    assert_eq!(world.tries(0), 0, "it did not last");
    world.set_backends([0, 40 * DAY, 40 * DAY + 5]);
    world.advance(DATE_LEAP_LASTS - 5 * SECOND);
    assert_eq!(world.tries(0), 0);
    world.advance(10 * SECOND);
    assert_eq!(world.tries(0), EXPIRED);
    assert!(expired(&mut world, 0));
    // Correct clocks, another front, and backends that were restarted.
    world.set_backends([0; 3]);
    world.advance(5 * SECOND);
    assert_eq!(world.tries(0), EXPIRED);
    world.fronts[0].frozen = true;
    for index in 0..3 {
        world.crash(index);
        world.restart(index);
    }
    let next = world.add_front();
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(world.leads(next));
    assert_eq!(world.tries(next), EXPIRED);
    assert!(expired(&mut world, next));
}

#[test]
fn clocks_that_are_set_back_give_nothing_a_second_time() {
    let mut world = World::serving_with(|product| product.expiration_time = Some(Wall(TODAY + 60)));
    world.advance(60 * SECOND);
    assert_eq!(world.tries(0), EXPIRED);
    for ahead in [-30 * YEAR, -DAY, -120] {
        world.set_backends([ahead; 3]);
        world.fronts[0].ahead = ahead;
        world.advance(5 * SECOND);
        assert_eq!(world.tries(0), EXPIRED, "{ahead}");
    }
    // A licence never begins earlier than by its date, and no later than by two correct clocks.
    let mut world = World::serving_with(|product| product.activation_time = Some(Wall(TODAY + 60)));
    world.set_backends([-YEAR, 0, 0]);
    world.advance(30 * SECOND);
    assert_eq!(world.tries(0), TOO_EARLY);
    world.advance(30 * SECOND);
    assert_eq!(world.tries(0), 0);
}

#[test]
fn a_usage_period_begins_and_ends_by_the_date_of_the_group() {
    for ahead in [-10 * YEAR, 0, 10 * YEAR] {
        let mut world = World::serving_with(of_100_seconds);
        world.fronts[0].ahead = ahead;
        world.advance(SECOND);
        assert_eq!(world.tries(0), 0);
        world.advance(90 * SECOND);
        assert_eq!(world.tries(0), 0, "{ahead}");
        world.fronts[0].ahead = 0;
        world.advance(2 * SECOND);
        assert_eq!(world.tries(0), 0, "{ahead}");
        world.advance(10 * SECOND);
        assert_eq!(world.tries(0), USED_UP, "{ahead}");
    }
}

#[test]
fn the_date_is_written_once_a_minute() {
    let mut world = World::serving();
    world.advance(5 * SECOND);
    let mut writes = 0;
    for _ in 0..600 {
        let before = world.backends[1].disk.len();
        world.advance(SECOND);
        writes += usize::from(world.backends[1].disk.len() != before);
    }
    assert_eq!(writes, 10);
}

#[test]
fn each_clock_is_shown_with_how_far_it_is_off() {
    fn verdicts(world: &mut World, front: usize) -> Vec<(Value, Value, Value)> {
        let status = world.status(front);
        let clocks = status["clocks"].as_array().unwrap().iter();
        let of = |key: &str, clock: &Value| clock[key].clone();
        clocks
            .map(|clock| (of("machine", clock), of("offset_seconds", clock), of("verdict", clock)))
            .collect()
    }
    let mut world = World::serving();
    let standby = world.add_front();
    world.fronts[0].ahead = 600;
    world.set_backends([0, 61, -2 * DAY]);
    world.advance(100 * SECOND);
    let address =
        |index| json!(world.fronts[0].node.replication.backend(index).address().to_string());
    let [first, second, third] = BackendId::ALL.map(address);
    let backends = [
        (first, json!(0), json!("ok")),
        (second, json!(61), json!("off")),
        (third, json!(-2 * DAY), json!("wrong")),
    ];
    let shown = verdicts(&mut world, 0);
    assert_eq!(shown[0], (json!("front"), json!(600), json!("off")));
    assert_eq!(shown[1], (json!("twin"), Value::Null, Value::Null));
    assert_eq!(shown[2..], backends);
    let shown = verdicts(&mut world, standby);
    assert_eq!(shown[0], (json!("front"), json!(0), json!("ok")));
    assert_eq!(shown[2..], backends);
    let page = world.http(0, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(page.contains("tmrd_clock_offset_seconds{machine=\"front\"} 600\n"), "{page}");
    assert_eq!(page.matches("tmrd_clock_offset_seconds{").count(), 4, "{page}");
}

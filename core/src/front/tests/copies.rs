//! Licence files that were copied to more than one backend: one part, however many copies there
//! are.

use super::World;
use crate::base::time::Duration;
use crate::testing::{container, seat};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);
const UNAVAILABLE: u32 = 218;

/// Returns a world that serves, with backends that hold these containers, by number.
fn holding(containers: [usize; 3]) -> World {
    let mut world = World::with(1, containers.map(container));
    world.activate(0);
    world.advance(SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    world
}

fn licence(world: &mut World) -> serde_json::Value {
    world.status(0)["licenses"][0].take()
}

#[test]
fn three_copies_of_one_part_are_no_licence() {
    let mut world = holding([1, 1, 1]);
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()), (UNAVAILABLE, 0));
    assert_eq!(world.seats(0), 0);
    let shown = licence(&mut world);
    assert_eq!((&shown["matching"], &shown["available"]), (&json!(1), &json!(false)));
    let status = world.status(0);
    assert_eq!(
        status["copies"],
        json!([{
            "serial": "130-1001",
            "backends": ["backend:0", "backend:1", "backend:2"],
            "trouble": "backends backend:0, backend:1, backend:2 hold the same part (130-1001): \
                        install each backend's own file",
        }])
    );
    // With each file where it belongs, the licence is whole.
    world.replace(0, &[container(0)]);
    world.replace(2, &[container(2)]);
    world.run();
    assert_eq!(world.ask(0, client, seat()).0, 0);
    let status = world.status(0);
    assert_eq!((&status["licenses"][0]["matching"], &status["copies"]), (&json!(3), &json!([])));
}

#[test]
fn a_copy_beside_a_part_of_its_own_counts_once() {
    let mut world = holding([0, 2, 0]);
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()).0, 0, "two parts are there");
    let shown = licence(&mut world);
    assert_eq!((&shown["matching"], &shown["available"]), (&json!(2), &json!(true)));
    assert_eq!(world.status(0)["copies"][0]["backends"], json!(["backend:0", "backend:2"]));
    // Without the backend that has a part of its own, only one part is left.
    world.part(0, 1);
    assert_eq!(world.ask(0, client, seat()).0, UNAVAILABLE);
    assert_eq!(licence(&mut world)["matching"], 1);
    world.network.cut.clear();
    world.advance(2 * SECOND);
    assert_eq!(world.ask(0, client, seat()).0, 0);
}

#[test]
fn two_that_hold_the_same_part_do_not_grant_a_seat() {
    let mut world = holding([0, 2, 0]);
    let (waits, other) = (world.connect(0), world.connect(0));
    world.backends[1].stuck = true;
    world.call(0, waits, seat());
    assert_eq!(world.answer(0, waits), None, "two have it on disk, and one part of it");
    world.unstick(1);
    assert_eq!(world.answer(0, waits).map(|(status, _)| status), Some(0));
    // The same, and the other part's backend does not answer.
    world.backends[1].stuck = true;
    world.call(0, other, seat());
    world.part(0, 1);
    world.advance(SECOND);
    assert_eq!(world.answer(0, other), Some((UNAVAILABLE, 0)));
    world.backends[1].stuck = false;
    world.network.cut.clear();
    world.advance(2 * SECOND);
    assert_eq!(world.seats(0), 1);
}

#[test]
fn a_copy_that_says_something_else_does_not_outvote_the_parts() {
    let mut changed = container(0);
    changed.part.firm_items[0].products[0].license_quantity = 6;
    let mut world = holding([0, 1, 2]);
    // The first backend's file was issued again, and the old one was copied to the third.
    world.replace(0, &[changed.clone()]);
    world.replace(2, &[container(0)]);
    world.run();
    let shown = licence(&mut world);
    assert_eq!((&shown["quantity"], &shown["matching"]), (&json!(5), &json!(2)));
    // Two copies agree with each other, and the two different parts do not.
    world.replace(2, &[changed]);
    world.run();
    let shown = licence(&mut world);
    assert_eq!((&shown["matching"], &shown["available"]), (&json!(1), &json!(false)));
}

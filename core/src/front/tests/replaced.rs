//! Licence files are replaced while others serve.

use super::World;
use crate::base::time::Duration;
use crate::licence::Container;
use crate::log::Mode;
use crate::testing::{TMR, access, container, crypt, release, seat};
use alloc::format;
use alloc::vec::Vec;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Returns the part of a backend, with another quantity.
fn part(index: usize, quantity: u32) -> [Container; 1] {
    let mut made = container(index);
    made.part.firm_items[0].products[0].license_quantity = quantity;
    [made]
}

fn licence(world: &mut World) -> Value {
    world.run();
    world.status(0)["licenses"][0].clone()
}

fn replace(world: &mut World, index: usize, quantity: u32) {
    world.replace(index, &part(index, quantity));
    world.run();
}

/// Requests a seat and releases it at once. Returns the status.
fn try_seat(world: &mut World) -> u32 {
    let client = world.connect(0);
    let (status, handle) = world.ask(0, client, seat());
    if status == 0 {
        assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    }
    status
}

#[test]
fn a_quantity_takes_effect_with_the_second_part_and_is_whole_with_the_third() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut world = World::serving();
        let client = world.connect(0);
        let handles: Vec<u32> = (0..5).map(|_| world.ask(0, client, seat()).1).collect();
        let works = |world: &mut World| {
            for _ in 0..6 {
                assert_eq!(world.ask(0, client, crypt(handles[0])).0, 0, "unseen by the client");
            }
        };
        works(&mut world);
        assert_eq!(try_seat(&mut world), 212);

        replace(&mut world, order[0], 6);
        let row = licence(&mut world);
        assert_eq!((&row["matching"], &row["quantity"]), (&json!(2), &json!(5)));
        let differs = json!([{ "backend": format!("backend:{}", order[0]),
            "field": "LicenseQuantity", "value": "6", "expected": "5" }]);
        assert_eq!(row["differs"], differs);
        assert_eq!(try_seat(&mut world), 212);
        works(&mut world);

        replace(&mut world, order[1], 6);
        let row = licence(&mut world);
        assert_eq!((&row["matching"], &row["quantity"]), (&json!(2), &json!(6)));
        assert_eq!(row["differs"][0]["value"], "5");
        assert_eq!(try_seat(&mut world), 0);
        works(&mut world);

        replace(&mut world, order[2], 6);
        let row = licence(&mut world);
        assert_eq!((&row["matching"], &row["differs"]), (&json!(3), &json!([])));
        assert_eq!(try_seat(&mut world), 0);
        works(&mut world);
    }
}

#[test]
fn seats_beyond_a_lowered_quantity_live_until_they_end() {
    let mut world = World::serving();
    let client = world.connect(0);
    let handles: Vec<u32> = (0..5).map(|_| world.ask(0, client, seat()).1).collect();
    (0..3).for_each(|index| replace(&mut world, index, 2));
    let row = licence(&mut world);
    assert_eq!((&row["quantity"], &row["used"], &row["free"]), (&json!(2), &json!(5), &json!(0)));
    for (held, handle) in (0..5).zip(&handles).rev() {
        assert_eq!(world.ask(0, client, crypt(*handle)).0, 0);
        assert_eq!(try_seat(&mut world), if held < 1 { 0 } else { 212 });
        assert_eq!(world.ask(0, client, release(*handle)), (0, 0));
        assert_eq!(try_seat(&mut world), if held < 2 { 0 } else { 212 });
    }
}

#[test]
fn a_wrong_part_that_is_made_right_is_in_again() {
    let mut other = container(2);
    other.part.firm_items[0].text = "somebody else".into();
    let mut world = World::with(1, [container(0), container(1), other]);
    world.activate(0);
    assert_eq!(licence(&mut world)["differs"][0]["field"], "FirmItemText");
    world.crash(1);
    assert_eq!(try_seat(&mut world), 218);
    world.replace(2, &[container(2)]);
    assert_eq!(licence(&mut world)["matching"], 2);
    assert_eq!(try_seat(&mut world), 0);
}

#[test]
fn a_licence_that_vanishes_keeps_its_seats_until_they_end() {
    let mut world = World::serving();
    let client = world.connect(0);
    let handle = world.ask(0, client, seat()).1;
    world.replace(0, &[]);
    assert_eq!(licence(&mut world)["matching"], 2);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    world.replace(1, &[]);
    assert_eq!(licence(&mut world)["available"], false);
    assert_eq!(try_seat(&mut world), 218);
    world.replace(2, &[]);
    assert_eq!(licence(&mut world), Value::Null);
    assert_eq!(world.ask(0, client, access(TMR, Mode::UserLimit, 60)).0, 201);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 218);
    assert_eq!(world.seats(0), 1);

    (0..3).for_each(|index| world.replace(index, &[container(index)]));
    let row = licence(&mut world);
    assert_eq!((&row["used"], &row["matching"]), (&json!(1), &json!(3)));
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    (0..3).for_each(|index| world.replace(index, &[]));
    world.run();
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_call_on_its_way_to_a_part_that_is_taken_away_is_done_by_another() {
    for index in 0..3 {
        let mut world = World::serving();
        let client = world.connect(0);
        let handle = world.ask(0, client, seat()).1;
        // One of the next three calls goes to this backend, whose file is gone by then.
        for _ in 0..3 {
            world.replace(index, &[]);
            assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
            world.replace(index, &[container(index)]);
            world.run();
        }
    }
}

#[test]
fn a_grant_on_its_way_counts_by_the_part_that_took_it_to_its_disk() {
    // Two have accepted it with matching parts, whatever they hold when it is on disk.
    let mut world = World::serving();
    (1..3).for_each(|index| world.backends[index].stuck = true);
    let client = world.connect(0);
    world.call(0, client, seat());
    (1..3).for_each(|index| replace(&mut world, index, 4));
    assert_eq!(world.answer(0, client), None);
    (1..3).for_each(|index| world.unstick(index));
    assert_eq!(world.answer(0, client).expect("an answer").0, 0);
    assert_eq!(licence(&mut world)["quantity"], 4);

    // One has accepted it with a matching part: two have other parts by then, and the front does
    // not know yet.
    let mut world = World::serving();
    let client = world.connect(0);
    (1..3).for_each(|index| world.replace(index, &part(index, 4)));
    (1..3).for_each(|index| world.backends[index].stuck = true);
    world.call(0, client, seat());
    (1..3).for_each(|index| world.unstick(index));
    world.advance(SECOND);
    assert_eq!(world.answer(0, client), Some((218, 0)));
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_front_that_stands_by_is_told_too() {
    let mut world = World::new(2);
    world.activate(0);
    world.advance(MILLI);
    (0..2).for_each(|index| replace(&mut world, index, 9));
    assert_eq!(world.status(1)["licenses"][0]["quantity"], 9);
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    let client = world.connect(1);
    for _ in 0..9 {
        assert_eq!(world.ask(1, client, seat()).0, 0);
    }
    assert_eq!(world.ask(1, client, seat()).0, 212);
}

#[test]
fn what_has_ended_is_shown_as_expired_with_its_date() {
    let mut world = World::serving();
    let row = licence(&mut world);
    assert_eq!((row.get("expires"), &row["expired"]), (None, &json!(false)));
    let end = world.now.wall.0 + 60;
    for index in 0..3 {
        let mut made = container(index);
        made.part.firm_items[0].products[0].expiration_time = Some(crate::base::time::Wall(end));
        world.replace(index, &[made]);
    }
    world.advance(SECOND);
    let row = licence(&mut world);
    let date = format!("{}", crate::base::time::Wall(end));
    assert_eq!((&row["expires"], &row["expired"]), (&json!(date), &json!(false)));
    world.advance(60 * SECOND);
    let row = licence(&mut world);
    assert_eq!((&row["expires"], &row["expired"]), (&json!(date), &json!(true)));
    // A usage period ends so many seconds after the first use.
    for index in 0..3 {
        let mut made = container(index);
        made.part.firm_items[0].products[0].usage_period = Some(30);
        world.replace(index, &[made]);
    }
    world.advance(SECOND);
    assert_eq!(try_seat(&mut world), 0);
    let date = format!("{}", crate::base::time::Wall(world.now.wall.0 + 30));
    assert_eq!(licence(&mut world)["expires"], date);
    world.advance(30 * SECOND);
    assert_eq!(licence(&mut world)["expired"], true);
}

//! A licence that changes its identity while seats of it are held.

use super::World;
use crate::base::time::Duration;
use crate::licence::Container;
use crate::log::{ContainerId, Mode};
use crate::testing::{CM_ACT_ID, TMR, access, container, crypt, release, seat};
use alloc::vec::Vec;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const FULL: u32 = 212;
/// The error for a licence whose product has too few parts connected.
const UNAVAILABLE: u32 = 218;

/// Returns the part of a backend with another TMR-Id.
fn renamed(index: usize, tmr_id: u32) -> Container {
    let mut made = container(index);
    made.part.firm_items[0].products[0].tmr_id = tmr_id;
    made
}

/// Returns the same container with another CmActId.
fn moved(index: usize, cm_act_id: u32) -> Container {
    let mut made = container(index);
    made.part.cm_act_id = cm_act_id;
    made
}

/// Returns a container of another set.
fn other_set(index: usize) -> Container {
    let mut made = moved(index, 77);
    made.part.serial += 500;
    made
}

fn replace(world: &mut World, made: impl Fn(usize) -> Container) {
    for index in 0..3 {
        world.replace(index, &[made(index)]);
    }
    world.advance(SECOND);
}

/// Takes all free seats and keeps them. Returns their number.
fn fill(world: &mut World, front: usize) -> usize {
    for taken in 0.. {
        let client = world.connect(front);
        match world.ask(front, client, seat()).0 {
            0 => {}
            FULL | UNAVAILABLE => return taken,
            other => panic!("{other}"),
        }
    }
    unreachable!("it ends")
}

fn rows(world: &mut World, front: usize) -> Vec<Value> {
    world.status(front)["licenses"].as_array().unwrap().clone()
}

#[test]
fn seats_of_a_licence_that_changed_its_name_count_against_the_one_that_took_its_place() {
    let changes: [fn(usize) -> Container; 2] = [|index| renamed(index, 2), |index| moved(index, 8)];
    for change in changes {
        let mut world = World::serving();
        let handles = world.take(0, 3);
        replace(&mut world, change);
        let row = rows(&mut world, 0)[0].clone();
        assert_eq!(
            (&row["used"], &row["free"], &row["quantity"]),
            (&json!(0), &json!(2), &json!(5))
        );
        assert_eq!(fill(&mut world, 0), 2, "five in all");
        let status = world.status(0);
        let gone = &status["gone"][0];
        assert_eq!(
            (&gone["handles"], &gone["seats"], &gone["tmr_id"]),
            (&json!(3), &json!(3), &json!(1))
        );
        let words = gone["trouble"].as_str().unwrap();
        assert!(words.starts_with("3 handles of a licence that is gone"), "{words}");
        let marked = status["allocations"].as_array().unwrap();
        assert_eq!(marked.iter().filter(|held| held["gone"] == true).count(), 3);
        // Each seat that ends is free for the other licence.
        let client = world.connect(0);
        assert_eq!(world.ask(0, client, release(handles[0])), (0, 0));
        assert_eq!(fill(&mut world, 0), 1);
        world.advance(61 * SECOND);
        assert_eq!(fill(&mut world, 0), 5);
        assert_eq!(world.status(0)["gone"], json!([]));
    }
}

#[test]
fn while_parts_change_one_after_the_other_there_are_never_more_than_there_are() {
    for step in [|index| renamed(index, 2), |index| moved(index, 8)] {
        let mut world = World::serving();
        world.take(0, 2);
        let mut seats = 2;
        for order in [0, 1, 2] {
            world.replace(order, &[step(order)]);
            world.advance(SECOND);
            seats += world.take(0, 1).len();
            let row = rows(&mut world, 0).into_iter().find(|row| row["available"] == true).unwrap();
            assert_eq!(row["free"], json!(5 - seats), "after {order}");
        }
        assert_eq!((fill(&mut world, 0), world.seats(0)), (0, 5));
        // The same in the other direction.
        world.replace(0, &[container(0)]);
        world.replace(1, &[container(1)]);
        world.advance(SECOND);
        assert_eq!((fill(&mut world, 0), world.seats(0)), (0, 5));
    }
}

#[test]
fn another_front_that_takes_the_lead_counts_them_too() {
    let mut world = super::twins();
    world.take(0, 3);
    replace(&mut world, |index| moved(index, 8));
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    assert_eq!(fill(&mut world, 1), 2);
    // A new front, which has seen nothing of the past.
    (0..2).for_each(|front| world.fronts[front].frozen = true);
    let next = world.add_front();
    world.activate(next);
    world.advance(SECOND);
    assert!(world.leads(next));
    assert_eq!((fill(&mut world, next), world.seats(next)), (0, 5));
}

#[test]
fn two_licences_of_one_product_are_two() {
    let mut world = World::serving();
    let both = |index| {
        let mut made = container(index);
        let mut second = made.part.firm_items[0].products[0].clone();
        second.tmr_id = 2;
        made.part.firm_items[0].products.push(second);
        made
    };
    replace(&mut world, both);
    assert_eq!(fill(&mut world, 0), 10);
    // One licence is removed: its five seats count against the other one while they are held.
    replace(&mut world, |index| renamed(index, 2));
    assert_eq!(fill(&mut world, 0), 0);
    assert_eq!(world.status(0)["gone"][0]["handles"], 5);
}

#[test]
fn a_set_beside_it_is_another_one() {
    let mut world = World::serving();
    for index in 0..3 {
        world.replace(index, &[container(index), other_set(index)]);
    }
    world.advance(SECOND);
    let of_both = world.take(0, 10);
    assert_eq!(fill(&mut world, 0), 0);
    let held = u64::from(of_both[9]);
    // Only one part of one set is left, and it is no part of the other set.
    world.replace(1, &[other_set(1)]);
    world.replace(2, &[other_set(2)]);
    world.advance(SECOND);
    let client = world.connect(0);
    for allocation in world.status(0)["allocations"].as_array().unwrap().clone() {
        assert_eq!(allocation["gone"], false, "{allocation}");
        let handle = u32::try_from(allocation["handle"].as_u64().unwrap()).unwrap();
        if u64::from(handle) != held {
            assert_eq!(world.ask(0, client, release(handle)), (0, 0));
        }
    }
    assert_eq!(fill(&mut world, 0), 5);
}

#[test]
fn a_handle_of_a_product_that_is_gone_is_marked() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, access(TMR, Mode::NoUserLimit, 60));
    replace(&mut world, |index| {
        let mut made = container(index);
        made.part.firm_items[0].products.remove(0);
        made
    });
    let status = world.status(0);
    assert_eq!(
        (&status["gone"][0]["handles"], &status["gone"][0]["seats"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(status["gone"][0]["cm_act_id"], CM_ACT_ID);
    assert_eq!(status["allocations"][0]["gone"], true);
    assert_ne!(world.ask(0, client, crypt(handle)).0, 0);
}

#[test]
fn a_list_that_is_another_licence_by_the_log_is_one_here_too() {
    let bare = |serial: u32| {
        let mut made = container(0);
        made.part.serial = serial;
        made.part.cm_act_id = 0;
        made
    };
    let mut world = World::new(0);
    for (index, serials) in [[5, 22], [6, 23], [7, 24]].into_iter().enumerate() {
        world.replace(index, &serials.map(bare));
    }
    let list = |serials: [u32; 3], serial| (ContainerId::of_serials(serials), Some(serial));
    world.virtuals = alloc::vec![list([5, 6, 7], 900), list([22, 23, 24], 901)];
    let front = world.add_front();
    world.activate(front);
    world.advance(SECOND);
    assert_eq!(fill(&mut world, front), 10);
    world.replace(0, &[bare(22)]);
    world.replace(1, &[bare(23)]);
    world.advance(SECOND);
    assert_eq!(fill(&mut world, front), 0);
    let status = world.status(front);
    let row = status["licenses"].as_array().unwrap().iter().find(|row| row["available"] == true);
    assert_eq!(row.unwrap()["used"], 5, "as before");
    assert_eq!(row.unwrap()["gone"], 0);
}

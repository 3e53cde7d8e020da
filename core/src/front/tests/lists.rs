//! Containers without a CmActId, merged by lists of their serials.

use super::World;
use crate::base::time::Duration;
use crate::licence::Container;
use crate::log::ContainerId;
use crate::testing::{CM_ACT_ID, container, crypt, release, seat};
use crate::wire::structs::CmAccess2;
use crate::wire::{Reply, Request};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

/// Returns a container without a CmActId.
fn bare(serial: u32, quantity: u32) -> Container {
    let mut made = container(0);
    made.part.serial = serial;
    made.part.cm_act_id = 0;
    made.part.firm_items[0].products[0].license_quantity = quantity;
    made
}

fn list(serials: [u32; 3], serial: u32) -> (ContainerId, Option<u32>) {
    (ContainerId::of_serials(serials), Some(serial))
}

/// Returns a world that serves, whose backends hold these containers under these lists.
fn world(containers: [Vec<Container>; 3], virtuals: Vec<(ContainerId, Option<u32>)>) -> World {
    let mut world = World::new(0);
    for (index, held) in containers.iter().enumerate() {
        world.replace(index, held);
    }
    world.virtuals = virtuals;
    let front = world.add_front();
    world.activate(front);
    world.advance(SECOND);
    assert!(world.leads(0));
    world
}

/// Returns an access that names a container by its serial.
fn seat_in(serial: u32) -> Vec<u8> {
    let Ok(Request::Access2 { ctrl, access, tail }) = Request::parse(&seat()) else {
        panic!("it is an access")
    };
    let access = Box::new(CmAccess2 { serial_number: serial, ..*access });
    Request::Access2 { ctrl, access, tail }.encode()
}

/// Takes all free seats of a container, and keeps them. Returns the handles.
fn fill(world: &mut World, front: usize, serial: u32) -> Vec<u32> {
    let client = world.connect(front);
    let mut handles = Vec::new();
    loop {
        match world.ask(front, client, seat_in(serial)) {
            (0, handle) => handles.push(handle),
            (212, _) => return handles,
            other => panic!("{other:?}"),
        }
    }
}

/// Returns a world with three sets of one licence: one by CmActId, two by lists whose parts are in
/// any order. A serial of a list may be the CmActId of another set.
fn three_sets() -> World {
    let held = [
        vec![container(0), bare(7, 2), bare(CM_ACT_ID, 3)],
        vec![bare(22, 3), bare(5, 2), container(1)],
        vec![bare(6, 2), container(2), bare(23, 3)],
    ];
    let mut virtuals = vec![list([7, 6, 5], 900), list([22, 23, CM_ACT_ID], 901)];
    virtuals.push((ContainerId::CmAct(CM_ACT_ID), Some(902)));
    world(held, virtuals)
}

#[test]
fn several_sets_stand_side_by_side_and_each_counts_for_itself() {
    let mut world = three_sets();
    let status = world.status(0);
    let mut shown: Vec<_> = status["containers"].as_array().unwrap().clone();
    shown.sort_by_key(|row| row["serial"].to_string());
    let row = |serial: &str, id: u32, parts: [&str; 3]| json!({ "serial": serial, "cm_act_id": id, "parts": parts });
    let named = format!("130-{CM_ACT_ID}");
    assert_eq!(
        shown,
        [
            row("131-900", 0, ["130-7", "130-5", "130-6"]),
            row("131-901", 0, [&named, "130-22", "130-23"]),
            row("131-902", CM_ACT_ID, ["130-1000", "130-1001", "130-1002"]),
        ]
    );
    let licences = status["licenses"].as_array().unwrap();
    assert_eq!(licences.len(), 3);
    assert!(licences.iter().all(|row| row["matching"] == 3));
    assert_eq!(status["strays"], json!([]));
    for (serial, seats) in [(900, 2), (901, 3), (902, 5)] {
        assert_eq!(fill(&mut world, 0, serial).len(), seats, "{serial}");
    }
}

#[test]
fn a_listed_set_needs_two_of_its_three_like_any_other() {
    for down in 0..3 {
        let mut world = three_sets();
        let handles = fill(&mut world, 0, 900);
        world.crash(down);
        let client = world.connect(0);
        assert_eq!(world.ask(0, client, crypt(handles[0])).0, 0);
        assert_eq!(world.ask(0, client, release(handles[0])), (0, 0));
        assert_eq!(fill(&mut world, 0, 900).len(), 1);
        assert_eq!(fill(&mut world, 0, 901).len(), 3);
        world.crash((down + 1) % 3);
        assert_eq!(world.status(0)["licenses"][0]["available"], false);
    }
    // A part of one set differs: it does not count there, and the other sets are not affected.
    let mut world = three_sets();
    world.replace(0, &[container(0), bare(7, 4), bare(CM_ACT_ID, 3)]);
    world.run();
    let rows = world.status(0)["licenses"].clone();
    let matching = rows.as_array().unwrap().iter().map(|row| row["matching"].as_u64().unwrap());
    assert_eq!(matching.collect::<Vec<_>>(), [3, 2, 3]);
}

#[test]
fn keys_are_those_of_the_containers_own_secret() {
    let mut others = [bare(5, 2), bare(6, 2), bare(7, 2)];
    others.iter_mut().for_each(|one| *one.secret = [1; 32]);
    let [a, b, c] = others;
    let held = [vec![bare(1, 2), a], vec![b, bare(2, 2)], vec![bare(3, 2), c]];
    let mut world = world(held, vec![list([1, 2, 3], 900), list([5, 6, 7], 901)]);
    let client = world.connect(0);
    let encrypted = |world: &mut World, serial| {
        let (_, handle) = world.ask(0, client, seat_in(serial));
        let mut all: Vec<Vec<u8>> = Vec::new();
        for _ in 0..3 {
            world.call(0, client, crypt(handle));
            let reply = Reply::parse(&world.client(0, client).replies.remove(0)).unwrap();
            assert_eq!(reply.status.code(), 0);
            all.push(reply.body);
        }
        all.dedup();
        assert_eq!(all.len(), 1, "equal on all three");
        all.remove(0)
    };
    let (one, other) = (encrypted(&mut world, 900), encrypted(&mut world, 901));
    assert_ne!(one, other, "each set has its own");
}

#[test]
fn a_container_that_no_list_names_is_told_to_the_operator_alone() {
    let held = [vec![bare(1, 2)], vec![bare(2, 2)], vec![bare(9, 2)]];
    let mut world = world(held, vec![list([1, 2, 3], 900)]);
    let status = world.status(0);
    assert_eq!(status["licenses"][0]["matching"], 2);
    assert_eq!(status["containers"][0]["parts"], json!(["130-1", "130-2"]));
    let stray = &status["strays"][0];
    assert_eq!((&stray["backend"], &stray["serial"]), (&json!("backend:2"), &json!("130-9")));
    assert!(stray["trouble"].as_str().unwrap().contains("VirtualContainers"));
    assert_eq!(fill(&mut world, 0, 0).len(), 2);
}

#[test]
fn a_serial_that_nobody_chose_is_drawn_once_and_kept() {
    let held = [vec![bare(1, 2)], vec![bare(2, 2)], vec![bare(3, 2)]];
    let mut world = world(held, vec![(ContainerId::of_serials([1, 2, 3]), None)]);
    let first = world.status(0)["containers"][0]["serial"].clone();
    assert!(first.as_str().unwrap().starts_with("131-"));
    let second = world.add_front();
    world.activate(second);
    world.advance(SECOND);
    assert_eq!(world.status(second)["containers"][0]["serial"], first);
}

#[test]
fn two_fronts_that_are_configured_otherwise_count_a_seat_once() {
    // The operator has replaced one container, and only the second front's list has it.
    let held = [vec![bare(1, 2)], vec![bare(2, 2)], vec![bare(3, 2), bare(4, 2)]];
    let mut world = world(held, vec![list([1, 2, 3], 900)]);
    let handles = fill(&mut world, 0, 900);
    assert_eq!(handles.len(), 2);
    world.virtuals = vec![(ContainerId::of_serials([1, 2, 4]), None)];
    let other = world.add_front();
    for leader in [other, 0, other, 0] {
        world.activate(leader);
        world.advance(SECOND * 5);
        assert!(world.leads(leader));
        assert_eq!(fill(&mut world, leader, 900).len(), 0, "both are taken");
        let status = world.status(leader);
        assert_eq!(status["licenses"].as_array().unwrap().len(), 1);
        assert_eq!(status["licenses"][0]["used"], 2);
        assert_eq!(status["licenses"][0]["matching"], 3);
        let out = if leader == 0 { "130-4" } else { "130-3" };
        assert_eq!(status["strays"][0]["serial"], out);
        let client = world.connect(leader);
        assert_eq!(world.ask(leader, client, crypt(handles[0])).0, 0);
    }
    // A front without any list uses the one in the log.
    world.virtuals.clear();
    let bare_front = world.add_front();
    world.activate(bare_front);
    world.advance(SECOND * 5);
    let client = world.connect(bare_front);
    assert_eq!(world.ask(bare_front, client, release(handles[1])), (0, 0));
    assert_eq!(fill(&mut world, bare_front, 900).len(), 1);
}

#[test]
fn a_container_with_a_cm_act_id_has_the_serial_that_the_operator_chose() {
    let chosen =
        vec![(ContainerId::CmAct(7), Some(11_111_111)), (ContainerId::CmAct(CM_ACT_ID), Some(22))];
    let containers = [0, 1, 2].map(|index| vec![container(index)]);
    let mut world = world(containers, chosen);
    assert_eq!(world.status(0)["containers"][0]["serial"], "131-22");
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat_in(22)).0, 0);
    assert_ne!(world.ask(0, client, seat_in(11_111_111)).0, 0);
    // A front with another list that leads has the log changed.
    world.fronts[0].frozen = true;
    world.virtuals = vec![(ContainerId::CmAct(CM_ACT_ID), Some(33))];
    let next = world.add_front();
    world.activate(next);
    world.advance(SECOND);
    assert_eq!(world.status(next)["containers"][0]["serial"], "131-33");
}

#[test]
fn a_container_is_a_stray_only_with_a_part_of_a_tmr_licence() {
    let of_product = |serial: u32, index: usize| {
        let mut made = bare(serial, 5);
        made.part.firm_items[0].products.remove(1 - index);
        made
    };
    let held = [vec![container(0), of_product(7, 0), of_product(8, 1)], vec![container(1)]];
    let [first, second] = held;
    let mut world = world([first, second, vec![container(2)]], Vec::new());
    let strays = world.status(0)["strays"].clone();
    assert_eq!(strays.as_array().map(Vec::len), Some(1), "{strays:#}");
    assert_eq!(strays[0]["serial"], "130-7");
}

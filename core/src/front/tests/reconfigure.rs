//! Another configuration takes effect while fronts run.

use super::{World, twins};
use crate::base::network::Address;
use crate::base::time::Duration;
use crate::config::{Config, InForce};
use crate::io::FrontEvent;
use crate::log::ContainerId;
use crate::testing::{CM_ACT_ID, crypt, identity, release, seat};
use alloc::boxed::Box;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

/// Changes the configuration of a front, with effect at once.
fn configure(world: &mut World, front: usize, change: impl FnOnce(&mut Config)) {
    let text = r#"{ "TmrServer": { "TwinServer": { "Ip": "twin", "Port": 1 } }, "CmServer": {
        "NetworkRetryIntervalInSeconds": 1, "Server": [ { "Ip": "a", "Port": 1 },
        { "Ip": "b", "Port": 1 }, { "Ip": "c", "Port": 1 } ] } }"#;
    let mut config = Config::parse(text).unwrap();
    config.backends = [0, 1, 2].map(|port| at("backend", port));
    config.twin.address.port = u16::try_from(front ^ 1).unwrap();
    config.virtuals.clone_from(&world.virtuals);
    change(&mut config);
    let new = InForce {
        config,
        text: text.into(),
        path: "tmrconf.json".into(),
        address: identity().address,
    };
    world.step_front(front, FrontEvent::Configured(Box::new(new)).into());
    world.run();
}

fn at(host: &str, port: u16) -> Address {
    Address { host: host.into(), port }
}

fn addresses(world: &mut World) -> [Value; 3] {
    [0, 1, 2].map(|index| world.status(0)["backends"][index]["address"].take())
}

#[test]
fn what_is_as_it_was_disturbs_nobody() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    let before = world.status(0);
    for front in 0..2 {
        configure(&mut world, front, |_| ());
    }
    assert_eq!(world.status(0), before);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
}

#[test]
fn a_backend_that_moved_is_found_and_keeps_its_place() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    configure(&mut world, 0, |new| {
        new.backends = [at("backend", 2), at("elsewhere", 1), at("backend", 0)];
    });
    assert_eq!(addresses(&mut world), ["backend:0", "elsewhere:1", "backend:2"]);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0, "the two others serve meanwhile");
    world.advance(SECOND);
    for index in 0..3 {
        assert_eq!(world.backend_state(0, index), "up");
    }
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    assert!(world.leads(0));
}

#[test]
fn a_new_machine_takes_the_place_of_one_that_is_lost_while_clients_are_served() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.crash(1);
    world.backends[1].disk.clear();
    world.restart(1);
    configure(&mut world, 0, |new| new.backends[1] = at("new", 1));
    world.advance(SECOND);
    assert_eq!(world.backend_state(0, 1), "up");
    // It is a member: the group goes on with it and one of the two others.
    world.crash(2);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
}

#[test]
fn all_backends_move_at_once_and_every_seat_is_there_afterwards() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    configure(&mut world, 0, |new| new.backends = [0, 1, 2].map(|port| at("elsewhere", port)));
    world.advance(SECOND);
    assert!(world.leads(0));
    assert_eq!(world.seats(0), 1);
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
}

#[test]
fn a_front_that_claims_goes_on_with_other_backends() {
    let mut world = World::new(1);
    world.part(0, 0);
    world.activate(0);
    configure(&mut world, 0, |new| new.backends[0] = at("elsewhere", 0));
    assert!(!world.leads(0), "a group is born of three");
    world.network.cut.clear();
    world.advance(SECOND * 5);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn the_twin_is_looked_for_where_it_is_now() {
    let mut world = twins();
    assert_eq!(world.status(0)["twin"]["connected"], true);
    configure(&mut world, 0, |new| new.twin.address = at("nobody", 7));
    world.advance(SECOND);
    let twin = world.status(0)["twin"].take();
    assert_eq!((&twin["address"], &twin["connected"]), (&"nobody:7".into(), &false.into()));
    configure(&mut world, 0, |_| ());
    world.advance(SECOND);
    let twin = world.status(0)["twin"].take();
    assert_eq!((&twin["connected"], &twin["synced"]), (&true.into(), &true.into()), "{twin:#}");
    assert_eq!(twin["trouble"], Value::Null);
}

#[test]
fn a_virtual_container_has_its_serial_as_soon_as_it_is_configured() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.virtuals = alloc::vec![(ContainerId::CmAct(CM_ACT_ID), Some(77))];
    configure(&mut world, 0, |_| ());
    assert_eq!(world.status(0)["containers"][0]["serial"], "131-77");
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
}

#[test]
fn without_a_virtual_address_the_role_is_set_by_command() {
    let mut world = super::with_address();
    let vip = || "192.0.2.42".parse().unwrap();
    configure(&mut world, 0, |new| new.virtual_ips.push(vip()));
    assert_eq!(world.status(0)["virtual_ip"], true);
    configure(&mut world, 0, |_| ());
    assert_eq!(world.status(0)["virtual_ip"], Value::Null);
    assert!(world.leads(0), "nothing else says that it is to end");
}

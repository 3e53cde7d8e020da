//! Handles at stock servers that a front is sent, and what it does with them.

use super::driver::Reach;
use super::{Unfenced, seat_table::At};
use crate::base::limits::{CLEANUP_DEFAULT, TWIN_CONNECT, TWIN_TRANSFER};
use crate::base::network::Address;
use crate::base::random::Random;
use crate::base::time::Duration;
use crate::config;
use crate::front::leadership::Leadership;
use crate::front::twin::RemoteHandles;
use crate::front::{Config, Front};
use crate::licence::Part;
use crate::log::{ContainerId, Epoch, Handle};
use crate::messages::twin::RemoteHandle;
use crate::testing::{CM_ACT_ID, LICENCE, at, identity};
use alloc::vec;
use alloc::vec::Vec;

/// Returns a front whose first and second server are known, with containers 1 and 2.
fn front() -> (Front, Unfenced) {
    let address = |port| Address { host: "stock".into(), port };
    let config = Config {
        identity: identity(),
        backends: [0, 1, 2].map(address),
        retry: Duration::from_secs(1),
        unfenced: true,
        virtuals: vec![(ContainerId::CmAct(CM_ACT_ID), None)],
        cleanup: CLEANUP_DEFAULT,
        policy: Default::default(),
        twin: Some(config::Twin {
            address: address(9),
            connect_timeout: TWIN_CONNECT,
            transfer_timeout: TWIN_TRANSFER,
        }),
        front: 7,
        handle_key: crate::service::HandleKey::default(),
        seed: [1; 32],
    };
    let mut stock = Unfenced::new(&config, &mut Random::new([2; 32]));
    for (stand, serial) in stock.stand_ins.iter_mut().zip(1..) {
        let firm_items = Vec::new();
        let part = Part { serial, mask: 130, cm_act_id: CM_ACT_ID, firm_items };
        let reach = if serial < 3 { Reach::There } else { Reach::Away };
        stand.driver_mut().set_known(vec![part], reach);
    }
    (Front::new(config), stock)
}

fn remote(server: u32) -> RemoteHandle {
    RemoteHandle { server, number: 5000 + server, handle: Handle(11), licence: LICENCE }
}

/// Returns whether each of the servers is known not to have restarted since.
fn sure(stock: &mut Unfenced) -> [Option<bool>; 3] {
    [1, 2, 3].map(|serial| stock.takeover_handles.take(serial).first().map(|(_, sure)| *sure))
}

#[test]
fn a_handle_is_good_as_long_as_its_own_server_was_there_all_the_time() {
    let (mut front, mut stock) = front();
    front.reported_handles =
        Some(RemoteHandles { all: false, handles: [1, 2, 3].map(remote).to_vec() });
    stock.follow(&mut front);
    assert_eq!(sure(&mut stock), [Some(true), Some(true), Some(false)]);
    front.reported_handles =
        Some(RemoteHandles { all: false, handles: [1, 2].map(remote).to_vec() });
    stock.follow(&mut front);
    stock.stand_ins[1].driver_mut().restart();
    stock.take_up(&front, at(0));
    assert_eq!(sure(&mut stock), [Some(true), Some(false), None]);
}

#[test]
fn only_a_front_that_is_about_to_lead_takes_up_what_it_was_told() {
    let (mut front, mut stock) = front();
    front.reported_handles =
        Some(RemoteHandles { all: true, handles: vec![remote(1), remote(2), remote(3)] });
    stock.follow(&mut front);
    stock.take_up(&front, at(0));
    assert!(stock.stand_ins.iter().all(|stand| stand.driver().releasing() == 0), "it stands by");
    front.leadership = Leadership::leading(Epoch { round: 2, front: 7 });
    // A stand-in without the log does not know yet which handles are those of seats.
    stock.stand_ins[1].claimed();
    stock.take_up(&front, at(0));
    let taken = stock.stand_ins.each_ref().map(|stand| stand.driver().releasing());
    assert_eq!(taken, [1, 0, 0], "no seat of the log has it: it is given back");
    assert_eq!(sure(&mut stock), [None, Some(true), Some(false)], "told, and not taken up yet");
}

#[test]
fn a_front_that_stands_by_keeps_nothing_but_what_it_was_told() {
    let (mut front, mut stock) = front();
    let stand = &mut stock.stand_ins[0];
    stand.driver_mut().put(at(0).mono, Handle(11), LICENCE, At::Held(5001, at(9).mono));
    stock.follow(&mut front);
    assert!(stock.stand_ins[0].seat_table().held().is_empty());
    assert_eq!(stock.stand_ins[0].seat_table().first(), None, "it is another front's to keep");
}

//! One host is one station, whatever addresses it uses.

use super::service_test::{PLAIN, Table, table};
use crate::log::{Mode, Usage};
use crate::testing::access;
use crate::wire::Request;
use core::net::SocketAddr;

/// Returns the status of an access of this host from this address.
fn asked(table: &mut Table, from: &str, host: &str, session: u32, mode: Mode) -> u32 {
    let from: SocketAddr = from.parse().unwrap();
    let request = Request::parse(&access(PLAIN, mode, 60)).unwrap();
    let Request::Access2 { ctrl, mut access, tail } = request else { panic!("made so") };
    access.borrow_data.client_name = host.into();
    access.credential.session = session;
    table.access_from(from, &Request::Access2 { ctrl, access, tail })
}

fn used(table: &Table) -> u32 {
    let state = &table.state;
    state.licences_in_use().filter_map(|key| state.usage(key)).map(Usage::used).sum()
}

const V4: &str = "192.0.2.7:4000";
const V6: &str = "[2001:db8::7]:4000";
const OTHER: &str = "198.51.100.9:4000";

#[test]
fn a_host_with_two_addresses_shares_one_licence() {
    let mut table = table();
    assert_eq!(asked(&mut table, V4, "pc", 1, Mode::StationShare), 0);
    assert_eq!(asked(&mut table, V6, "pc", 1, Mode::StationShare), 0);
    assert_eq!(asked(&mut table, OTHER, "pc", 1, Mode::StationShare), 0);
    assert_eq!(used(&table), 1);
    // Another session or name is another station.
    assert_eq!(asked(&mut table, V4, "pc", 2, Mode::StationShare), 0);
    assert_eq!(used(&table), 2);
    assert_eq!(asked(&mut table, V4, "pc2", 1, Mode::StationShare), 0);
    assert_eq!(asked(&mut table, V6, "pc2", 1, Mode::StationShare), 0);
    assert_eq!(used(&table), 3);
}

#[test]
fn an_exclusive_use_stands_against_the_same_host_at_another_address() {
    let mut table = table();
    assert_eq!(asked(&mut table, V6, "pc", 1, Mode::Exclusive), 0);
    for mode in [Mode::Exclusive, Mode::NoUserLimit, Mode::StationShare, Mode::UserLimit] {
        assert_eq!(asked(&mut table, V4, "pc", 1, mode), 213, "{mode:?}");
    }
}

#[test]
fn hosts_without_a_name_are_told_apart_by_their_address() {
    let mut table = table();
    assert_eq!(asked(&mut table, V4, "", 1, Mode::StationShare), 0);
    assert_eq!(asked(&mut table, V4, "", 1, Mode::StationShare), 0);
    assert_eq!(used(&table), 1);
    assert_eq!(asked(&mut table, V6, "", 1, Mode::StationShare), 0);
    assert_eq!(used(&table), 2);
}

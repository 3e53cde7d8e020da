//! What tests of both roles begin with: containers, calls of a client, times.

use crate::base::time::{Mono, Now, Wall};
use crate::licence::{Container, FirmItem, Part, Product};
use crate::log::{Client, ContainerId, Grant, Handle, HandleScope, LicenceKey, Mode};
use crate::service::Identity;
use crate::wire::structs::{CmAccess2, CmBaseCrypt2, CmCredential, CmCrypt2};
use crate::wire::{Reply, Request};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const CM_ACT_ID: u32 = 305_419_896;
pub(crate) const FIRM: u32 = 6_000_010;
/// A TMR product of five seats.
pub(crate) const TMR: u32 = 201;
/// An ordinary product of five seats.
pub(crate) const ORDINARY: u32 = 202;
pub(crate) const LICENCE: LicenceKey = LicenceKey {
    container: ContainerId::CmAct(CM_ACT_ID),
    firm_code: FIRM,
    product_code: TMR,
    tmr_id: 1,
};

pub(crate) fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * 1_000_000), wall: Wall(1_795_287_600 + seconds) }
}

pub(crate) fn identity() -> Identity {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    Identity { name: "server".into(), runtime: "threads", address }
}

pub(crate) fn peer(number: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 7], 40_000 + number))
}

pub(crate) fn product(product_code: u32, tmr_id: u32) -> Product {
    Product {
        product_code,
        text: "a product".into(),
        license_quantity: 5,
        tmr_id,
        feature_map: None,
        expiration_time: None,
        activation_time: None,
        maintenance_period: None,
        usage_period: None,
        unit_counter: None,
        linger_time: None,
        minimum_runtime_version: None,
        denied_modes: Vec::new(),
    }
}

/// The container of backend 0, 1 or 2.
pub(crate) fn container(index: usize) -> Container {
    let products = vec![product(TMR, 1), product(ORDINARY, 0)];
    let item = FirmItem { firm_code: FIRM, text: "a firm".into(), key_check: 0, products };
    let serial = 1000 + u32::try_from(index).unwrap();
    let mask = crate::wire::constants::mask::CMACT_UNIVERSAL;
    let part = Part { serial, mask, cm_act_id: CM_ACT_ID, firm_items: vec![item] };
    Container::new(part, [9; 32])
}

/// One of two seats.
pub(crate) fn grant(handle: u32, linger_seconds: u32) -> Grant {
    let client = Client {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: String::new(),
        user: String::new(),
        domain: String::new(),
        text: String::new(),
        user_defined_id: 0,
        pid: 0,
        session: 0,
    };
    Grant {
        handle: Handle(handle),
        held: HandleScope::Licence(LICENCE),
        fingerprint: 0,
        quantity: 2,
        take: 1,
        mode: Mode::UserLimit,
        client,
        since: Wall(1),
        cleanup_seconds: 30,
        linger_seconds,
        starts_usage: false,
    }
}

pub(crate) fn access(product_code: u32, mode: Mode, cleanup: u32) -> Vec<u8> {
    let ctrl = match mode {
        Mode::UserLimit => 0,
        Mode::NoUserLimit => 0x100,
        Mode::Exclusive => 0x200,
        Mode::StationShare => 0x300,
    };
    let credential = CmCredential { cleanup_time: cleanup, ..CmCredential::default() };
    let access =
        CmAccess2 { ctrl, firm_code: FIRM, product_code, credential, ..CmAccess2::default() };
    Request::Access2 { ctrl: 0, access: Box::new(access), tail: Vec::new() }.encode()
}

pub(crate) fn seat() -> Vec<u8> {
    access(TMR, Mode::UserLimit, 60)
}

pub(crate) fn release(handle: u32) -> Vec<u8> {
    Request::Release { handle }.encode()
}

/// CmCrypt2, encrypting one block of zeros in ECB mode with the licence's key.
pub(crate) fn crypt(handle: u32) -> Vec<u8> {
    let crypt = CmCrypt2 { base_crypt: CmBaseCrypt2::default(), ..CmCrypt2::default() };
    Request::Crypt2 { handle, ctrl: 4, crypt, data: vec![0; 16].into() }.encode()
}

pub(crate) fn reply(bytes: &[u8]) -> (u32, u32) {
    let reply = Reply::parse(bytes).unwrap();
    (reply.status.code(), reply.result)
}

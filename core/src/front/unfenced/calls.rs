//! The calls to a stock server, as a client of it would make them (protocol facts 3.4, 4).

use crate::base::limits::{STOCK_CLEANUP, STOCK_CONTAINERS, STOCK_PRODUCTS};
use crate::log::{Grant, Mode};
use crate::wire::Request;
use crate::wire::constants::{access, boxes, info};
use crate::wire::structs::{
    CmAccess2, CmAuthenticate, CmBorrowData, CmBoxEntry2, CmBoxInfo, CmCredential, CmTime, Layout,
};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The maximum bytes of a text: the longest of a firm item (protocol facts 4, CMBOXENTRY).
const TEXT: u32 = 512;

/// A container at a stock server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mask: u16,
    pub(super) serial: u32,
}

/// A product in a container. `item` is its index there, or 0 where its codes are sufficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) place: Place,
    pub(super) firm_code: u32,
    pub(super) product_code: u32,
    pub(super) item: u16,
}

impl Place {
    fn info(self) -> CmBoxInfo {
        let Self { mask, serial } = self;
        CmBoxInfo { box_mask: mask, serial_number: serial, ..CmBoxInfo::default() }
    }
}

fn cleanup() -> u32 {
    u32::try_from(STOCK_CLEANUP.as_secs()).unwrap_or(u32::MAX)
}

/// Returns CmAccess2 for this server only, which must not look for the licence elsewhere.
fn access2(what: CmAccess2) -> Request {
    let ctrl = access::FROM_LIBRARY | access::LOCAL;
    Request::Access2 { ctrl, access: Box::new(what), tail: Vec::new() }
}

fn anonymous() -> CmCredential {
    CmCredential { cleanup_time: cleanup(), reserved1: [1, 0], ..CmCredential::default() }
}

/// Returns an access to the service.
pub(super) fn service() -> Request {
    access2(CmAccess2 { ctrl: access::SUBSYSTEM, credential: anonymous(), ..CmAccess2::default() })
}

/// Returns an access to a container, which succeeds if it has this CmActId.
pub(super) fn container(place: Place, cm_act_id: u32) -> Request {
    access2(CmAccess2 {
        box_mask: place.mask,
        serial_number: place.serial,
        cm_act_id: cm_act_id.to_le_bytes(),
        credential: anonymous(),
        ..CmAccess2::default()
    })
}

/// Returns an access to a product that takes no licence, in any state of the product.
pub(super) fn product(product: &Product) -> Request {
    access2(CmAccess2 {
        ctrl: access::NOUSERLIMIT | access::FORCE,
        credential: anonymous(),
        ..of(product)
    })
}

fn of(product: &Product) -> CmAccess2 {
    CmAccess2 {
        firm_code: product.firm_code,
        product_code: product.product_code,
        product_item_reference: product.item.into(),
        box_mask: product.place.mask,
        serial_number: product.place.serial,
        ..CmAccess2::default()
    }
}

/// Returns the access for the seat of a grant. The front has checked the grant with a licence that
/// two servers agree on, so the access is made to succeed: the client's runtime is recent enough,
/// and its release date fits.
pub(super) fn seat(product: &Product, licence: &crate::licence::Product, grant: &Grant) -> Request {
    let mode = match grant.mode {
        Mode::UserLimit => access::USERLIMIT,
        Mode::NoUserLimit => access::NOUSERLIMIT,
        Mode::Exclusive => access::EXCLUSIVE,
        Mode::StationShare => access::STATIONSHARE,
    };
    let linger = if grant.linger_seconds == 0 { access::IGNORE_LINGERTIME } else { 0 };
    let client = &grant.client;
    let released = licence.maintenance_period.map(|period| CmTime::from_wall(period.start));
    let borrow_data =
        CmBorrowData { client_name: client.host.as_str().into(), ..CmBorrowData::default() };
    let credential = CmCredential {
        pid: client.pid,
        session: client.session,
        user_defined_id: client.user_defined_id,
        user_defined_text: client.text.as_str().into(),
        username: client.user.as_str().into(),
        domain_name: client.domain.as_str().into(),
        ..anonymous()
    };
    access2(CmAccess2 {
        ctrl: mode | linger,
        used_runtime_version: licence.minimum_runtime_version.unwrap_or(0),
        license_quantity: grant.take,
        release_date: released.unwrap_or_default(),
        borrow_data,
        credential,
        ..of(product)
    })
}

/// Returns the call that lists the containers of a server.
pub(super) fn containers(service: u32) -> Request {
    Request::GetBoxes { handle: service, port: boxes::ALLPORTS, number: STOCK_CONTAINERS }
}

/// Returns the call that lists the products of a container, over a handle of it.
pub(super) fn contents(handle: u32, place: Place) -> Request {
    Request::GetBoxContents {
        handle,
        ctrl: boxes::ALLENTRIES | boxes::BOX,
        firm_code: 0,
        box_info: place.info(),
        number: STOCK_PRODUCTS,
    }
}

/// Returns the call for everything that is known of a product, over a handle of it.
pub(super) fn entry(handle: u32) -> Request {
    let size = u32::try_from(CmBoxEntry2::SIZE).unwrap_or(u32::MAX);
    Request::GetInfo { handle, ctrl: info::ENTRYINFO2, size }
}

/// Returns the call for the text of a product.
pub(super) fn text(handle: u32) -> Request {
    Request::GetInfo { handle, ctrl: info::PITEXT, size: TEXT }
}

/// Returns the call for a container's name and serial, which is cheap and uses the handle.
pub(super) fn keep(handle: u32) -> Request {
    let size = u32::try_from(CmBoxInfo::SIZE).unwrap_or(u32::MAX);
    Request::GetInfo { handle, ctrl: info::BOXINFO, size }
}

/// Returns the call for the version of the service, which shows whether it runs.
pub(super) fn ping(service: u32) -> Request {
    let size = u32::try_from(crate::wire::structs::CmVersion::SIZE).unwrap_or(u32::MAX);
    Request::GetInfo { handle: service, ctrl: info::VERSION, size }
}

/// Translates a client's call to one over this handle in this container (protocol facts 3.7).
pub(super) fn translated(mut call: Request, handle: u32, place: Place) -> Request {
    call.set_handle(handle);
    if let Request::CalculateSignature { auth, .. } | Request::GetPublicKey { auth, .. } = &mut call
    {
        let CmAuthenticate { box_info, .. } = auth;
        if box_info.serial_number != 0 || box_info.box_mask != 0 {
            box_info.box_mask = place.mask;
            box_info.serial_number = place.serial;
        }
    }
    call
}

//! The calls to a stock server are those of a client of its own.

use super::calls::{Place, Product, product, seat, translated};
use crate::licence::Period;
use crate::log::Grant;
use crate::testing::{FIRM, TMR, at};
use crate::wire::Request;
use crate::wire::structs::{CmAccess2, CmAuthenticate, CmBoxInfo, CmTime};
use alloc::boxed::Box;

const PLACE: Place = Place { mask: 130, serial: 4711 };
const PRODUCT: Product = Product { place: PLACE, firm_code: FIRM, product_code: TMR, item: 3 };

fn access(call: Request) -> Box<CmAccess2> {
    let Request::Access2 { access, .. } = call else { panic!("{call:?}") };
    access
}

#[test]
fn a_seat_is_asked_for_so_that_the_licence_lets_it() {
    let (start, end) = (at(0).wall, at(9).wall);
    let licence = crate::licence::Product {
        minimum_runtime_version: Some(0x0800_0001),
        maintenance_period: Some(Period { start, end }),
        ..crate::testing::product(TMR, 1)
    };
    let grant: Grant = super::stand_in_test::grant(11);
    let asked = access(seat(&PRODUCT, &licence, &grant));
    assert_eq!(asked.used_runtime_version, 0x0800_0001);
    assert_eq!(asked.release_date, CmTime::from_wall(start));
    assert_eq!(asked.product_item_reference, 3, "that one of two of the same code");
    // A client's library sends the same (protocol facts 4).
    assert_eq!(asked.credential.reserved1, [1, 0]);
    let looked = access(product(&PRODUCT));
    assert_eq!((looked.product_item_reference, looked.credential.reserved1), (3, [1, 0]));
}

#[test]
fn only_a_call_that_names_a_container_names_the_one_there() {
    let named = |box_mask, serial_number| CmAuthenticate {
        box_info: CmBoxInfo { box_mask, serial_number, ..CmBoxInfo::default() },
        ..CmAuthenticate::default()
    };
    let place = |auth: &CmAuthenticate| (auth.box_info.box_mask, auth.box_info.serial_number);
    let rows = [((0, 0), (0, 0)), ((131, 0), (130, 4711)), ((0, 5), (130, 4711))];
    for ((mask, serial), want) in rows {
        let auth = named(mask, serial);
        let call = Request::CalculateSignature { handle: 1, auth: auth.clone(), size: 64 };
        let call = translated(call, 9, PLACE);
        let Request::CalculateSignature { handle, auth: sent, .. } = &call else { panic!() };
        assert_eq!((*handle, place(sent)), (9, want));
        let call = translated(Request::GetPublicKey { handle: 1, auth, size: 64 }, 9, PLACE);
        let Request::GetPublicKey { handle, auth: sent, .. } = &call else { panic!() };
        assert_eq!((*handle, place(sent)), (9, want));
    }
}

//! Recognised browsers, while others guess passwords.

use super::admin_test::{AFAR, Bench, Got, sign_in_text};
use super::*;
use crate::base::limits::SIGN_IN_SLIPS;
use alloc::format;
use alloc::vec;

#[test]
fn whoever_guesses_behind_the_same_address_locks_no_known_browser_out() {
    let mut bench = Bench::new(true, false);
    let first = bench.sign_in(AFAR, Some(Rights::Operator));
    let known = first.text.lines().find(|line| line.starts_with("Set-Cookie: tmrd-known-"));
    let known = known.and_then(|line| line["Set-Cookie: ".len()..].split(';').next());
    let head = format!("Cookie: {}\r\n", known.expect("the browser is known from now on"));
    for _ in 0..100 {
        assert!([401, 429].contains(&bench.sign_in(AFAR, None).status));
    }
    for _ in 0..10 {
        assert_eq!(bench.sign_in(AFAR, Some(Rights::Operator)).status, 429, "a stranger waits");
        assert_eq!(bench.sign_in_with(AFAR, &head, Some(Rights::Operator)).status, 200);
    }
    // A recognised browser has no more attempts.
    let slips = (0..100).filter(|_| bench.sign_in_with(AFAR, &head, None).status == 401);
    assert_eq!(slips.count(), SIGN_IN_SLIPS as usize);
    let got = bench.sign_in_with(AFAR, &head, Some(Rights::Operator));
    assert!(got.status == 429 && got.body.contains("from this browser"), "{}", got.body);
}

#[test]
fn whoever_guesses_locks_no_reader_out_and_readers_guess_no_more_than_strangers() {
    let mut bench = Bench::new(true, true);
    let known = |got: &Got| {
        let (_, shown) = got.text.split_once("tmrd-known-22352=")?;
        Some(format!("Cookie: tmrd-known-22352={}\r\n", &shown[..96]))
    };
    let first = bench.sign_in(AFAR, Some(Rights::Reader));
    let head = known(&first).expect("the browser is known from now on");
    for _ in 0..100 {
        assert!([401, 429].contains(&bench.sign_in(AFAR, None).status));
    }
    assert_eq!(bench.sign_in(AFAR, Some(Rights::Reader)).status, 429, "a stranger waits");
    let again = bench.sign_in_with(AFAR, &head, Some(Rights::Reader));
    assert_eq!(again.status, 200);
    // However many browsers a reader signs in with, together they have the attempts of one.
    let other = known(&bench.sign_in("198.51.100.9", Some(Rights::Reader))).expect("known");
    let tries = (0..100).filter(|at| {
        let head = if at % 2 == 0 { &head } else { &other };
        bench.sign_in_with(AFAR, head, None).status == 401
    });
    assert_eq!(tries.count(), SIGN_IN_SLIPS as usize);
    // An operator's browser stays one when a reader signs in; a reader's becomes one when an
    // operator does.
    let operator = bench.sign_in_with("198.51.100.9", &other, Some(Rights::Operator));
    let operator = known(&operator).expect("an operator's browser from now on");
    let reader = bench.sign_in_with(AFAR, &operator, Some(Rights::Reader));
    assert_eq!((reader.status, known(&reader)), (200, None));
}

#[test]
fn strangers_who_try_passwords_leave_a_place_for_known_browsers() {
    let mut bench = Bench::new(true, false);
    let first = bench.sign_in(AFAR, Some(Rights::Operator));
    let (_, shown) = first.text.split_once("tmrd-known-22352=").expect("a cookie");
    let head = format!("Cookie: tmrd-known-22352={}\r\n", &shown[..96]);
    let tried = (0..2 * PASSWORDS_WAITING).map(|host| {
        let link = bench.link(&format!("198.51.100.{host}"));
        bench.send(link, &sign_in_text(""), None).map(|got| got.status)
    });
    let tried: Vec<_> = tried.collect();
    let places = PASSWORDS_WAITING - PASSWORDS_KEPT;
    assert_eq!(tried[..places], vec![None; places]);
    assert_eq!(tried[places..], vec![Some(503); tried.len() - places]);
    assert_eq!(bench.sign_in_with(AFAR, &head, Some(Rights::Operator)).status, 200);
}

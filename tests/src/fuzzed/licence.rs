//! Licence files and SPEC.json: any bytes are a licence, or an error with one short message. A
//! signed file is read as it was issued, and only signed bytes are accepted.

use super::byte;
use super::node::{at, identity};
use arbitrary::Unstructured;
use ed25519_dalek::{Signer, SigningKey};
use tmr_core::backend::{Backend, Config};
use tmr_core::base::limits::PRODUCTS_MAX;
use tmr_core::base::time::Wall;
use tmr_core::io::Input;
use tmr_core::licence::{Container, File, Issuer, Spec, differences, firm_code_permitted};

const SECRET: [u8; 32] = [7; 32];

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mode = byte(&mut input);
    let rest = input.take_rest();
    match mode % 4 {
        0 => drop(read(rest)),
        1 => {
            if let Some(container) = read(&signed(rest)) {
                fits(container);
            }
        }
        2 => {
            if let Ok(text) = std::str::from_utf8(rest) {
                issued(text);
            }
        }
        _ => altered(rest),
    }
}

/// Opens a licence file, and checks that an error message is short and without control characters.
fn read(file: &[u8]) -> Option<Container> {
    match File::open(file, &[Issuer::from_secret(SECRET).public()]) {
        Ok(container) => Some(container),
        Err(error) => {
            let said = error.to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
            assert!(said.chars().count() < 1_000, "{said}");
            None
        }
    }
}

/// Returns a licence file of the trusted issuer with this content.
fn signed(content: &[u8]) -> Vec<u8> {
    let public = Issuer::from_secret(SECRET).public().to_text();
    let mut file = [b"tmr-license 1\n", content, b"\nissuer ", public.as_bytes()].concat();
    let signature = SigningKey::from_bytes(&SECRET).sign(&file).to_bytes();
    file.extend(format!("signature {}\n", hex::encode(signature)).bytes());
    file
}

/// Checks that a backend can serve this container, as it must every container of a valid file.
fn fits(container: Container) {
    let items = &container.part.firm_items;
    assert!(items.iter().all(|item| firm_code_permitted(item.firm_code)));
    assert!(items.iter().map(|item| item.products.len()).sum::<usize>() <= PRODUCTS_MAX);
    let all: Vec<_> =
        items.iter().flat_map(|it| it.products.iter().map(move |p| (it, p))).collect();
    for pair in all.windows(2) {
        let ((item, product), (other, second)) = (pair[0], pair[1]);
        let equal = item.fingerprint(product) == other.fingerprint(second);
        assert_eq!(differences(pair[0], pair[1]).is_empty(), equal, "{product:?} {second:?}");
    }
    let (group_check, seed) = ([1; 8], [2; 32]);
    let containers = vec![container];
    let config = Config {
        identity: identity(),
        containers,
        group_check,
        handle_key: tmr_core::service::HandleKey::default(),
        seed,
    };
    let (mut node, _) = Backend::open(config, None).expect("there is no journal to refuse");
    node.step(at(0), Input::Tick, &mut Vec::new());
}

/// Issues the licences of a SPEC.json, and checks that all three files hold the same properties.
fn issued(text: &str) {
    let spec = match Spec::parse(text) {
        Ok(spec) => spec,
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1, "{error}");
            return;
        }
    };
    let issuer = Issuer::from_secret(SECRET);
    let parts = [1, 2, 3].map(|part| {
        let file = issuer.issue(&spec, part, Wall(1_795_287_600));
        read(&file).expect("what may be issued may be loaded").part
    });
    assert!(parts[0].serial != parts[1].serial && parts[1].serial != parts[2].serial);
    for part in &parts[1..] {
        assert_eq!((part.cm_act_id, &part.firm_items), (parts[0].cm_act_id, &parts[0].firm_items));
    }
}

/// Changes one byte of a valid file, and checks that the file is refused.
fn altered(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (place, by) = (input.arbitrary::<u16>().map_or(0, usize::from), byte(&mut input));
    let mut file = signed(
        br#"{"Serial": 1234567, "Part": 1, "Issued": "2026-11-21T19:00:00Z", "FirmItems": [],
"Secret": "0909090909090909090909090909090909090909090909090909090909090909"}"#,
    );
    assert!(read(&file).is_some(), "the file is good");
    let place = place % file.len();
    file[place] ^= by;
    assert_eq!(read(&file).is_some(), by == 0, "an altered file was taken");
}

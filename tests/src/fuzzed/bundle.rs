//! Bundles and bound parts: any bytes are one, or an error with one short message. A bundle that is
//! read has one to three different parts of one issue, each of which is a valid file by itself.

use super::byte;
use arbitrary::Unstructured;
use ed25519_dalek::{Signer, SigningKey};
use std::sync::OnceLock;
use tmr_core::base::time::Wall;
use tmr_core::licence::{
    BoundPart, Bundle, ContainerIdentity, Document, IssueNumbers, Issuer, IssuerKey,
    LicenceRequest, Requester, Spec,
};
use tmr_core::log::GroupId;

const SECRET: [u8; 32] = [7; 32];
const NOW: Wall = Wall(1_795_287_600);
const SPEC: &str = r#"{"FirmCode": 6000010, "CmActId": 7, "Products": [{"ProductCode": 201,
    "LicenseQuantity": 5, "TmrId": 1}]}"#;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mode = byte(&mut input);
    let rest = input.take_rest();
    match mode % 4 {
        0 => drop(read(rest, Some(&[public()]))),
        1 => fits(read(&signed(b"tmr-bundle 1\n", rest), Some(&[public()]))),
        2 => fits(read(&signed(b"tmr-license 2\n", rest), Some(&[public()]))),
        _ => altered(rest),
    }
}

/// Opens a file; an error is one line for people.
pub(super) fn read(file: &[u8], issuers: Option<&[IssuerKey]>) -> Option<Document> {
    match Document::read(file, issuers) {
        Ok(document) => Some(document),
        Err(error) => {
            let said = error.to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
            assert!(said.chars().count() < 1_000, "{said}");
            None
        }
    }
}

/// The container with this number.
pub(super) fn container(number: u8) -> ContainerIdentity {
    ContainerIdentity::from_entropy(&[number; 64])
}

/// A request of three containers.
pub(super) fn request() -> LicenceRequest {
    static REQUEST: OnceLock<LicenceRequest> = OnceLock::new();
    let make = || {
        let group = GroupId(5);
        let signed = [1, 2, 3].map(|it| Requester::sign(&container(it), group, NOW, "machine"));
        LicenceRequest::new(group, NOW, signed).expect("three containers")
    };
    REQUEST.get_or_init(make).clone()
}

/// Inputs to begin a corpus with: a good file of each kind, and one changed byte.
pub(super) fn first_inputs() -> Vec<Vec<u8>> {
    let text = String::from_utf8(bundle(&[2])).expect("a bundle is text");
    let content = |file: &str| {
        let json = file.split_once('\n').expect("a first line").1;
        json[..json.rfind("\nissuer ").expect("a line of the issuer")].to_owned()
    };
    let document = read(text.as_bytes(), Some(&[public()]));
    let Some(Document::Bundle(read)) = document else { panic!("{document:?}") };
    let part = String::from_utf8(read.parts()[0].file.clone()).expect("a part is text");
    vec![
        [b"\x00", text.as_bytes()].concat(),
        [b"\x00", part.as_bytes()].concat(),
        [b"\x01", content(&text).as_bytes()].concat(),
        [b"\x02", content(&part).as_bytes()].concat(),
        vec![3, 200, 0, 1],
        vec![3, 0, 0, 0],
    ]
}

fn public() -> IssuerKey {
    Issuer::from_secret(SECRET).public()
}

fn bundle(parts: &[u8]) -> Vec<u8> {
    let spec = Spec::parse(SPEC).expect("a specification");
    let numbers = IssueNumbers { issue: 1, sharing: 1 };
    let issuer = Issuer::from_secret(SECRET);
    issuer.bundle(&spec, &request(), parts, numbers, NOW).expect("a bundle")
}

/// A file of the trusted issuer with any content.
fn signed(first: &[u8], content: &[u8]) -> Vec<u8> {
    let mut file = [first, content, b"\nissuer ", public().to_text().as_bytes()].concat();
    let signature = SigningKey::from_bytes(&SECRET).sign(&file).to_bytes();
    file.extend(format!("signature {}\n", hex::encode(signature)).bytes());
    file
}

fn fits(document: Option<Document>) {
    match document {
        Some(Document::Bundle(bundle)) => whole(&bundle),
        Some(Document::Bound { part, .. }) => opens(&part),
        _ => {}
    }
}

fn whole(bundle: &Bundle) {
    let parts = bundle.parts();
    assert!((1..=3).contains(&parts.len()), "{} parts", parts.len());
    for (place, one) in parts.iter().enumerate() {
        assert_eq!(BoundPart::open(&one.file, &[public()]).as_ref(), Ok(&one.part));
        assert!(parts[0].part.is_of_one_issue_with(&one.part));
        let number = |it: &tmr_core::licence::BundledPart| it.part.number;
        assert!(parts[..place].iter().all(|other| number(other) != number(one)));
        opens(&one.part);
    }
}

/// A share opens in the part's own container, or not at all.
fn opens(part: &BoundPart) {
    assert_eq!(part.container().serial(), part.part.serial);
    for number in 1..=4 {
        let identity = container(number);
        if let Ok(share) = part.share(&identity) {
            assert_eq!(identity.keys(), *part.container());
            assert_eq!(share.number(), part.number);
            assert!(part.unlock(&share, &share).is_err(), "one part is enough");
        }
    }
}

/// One byte of a good bundle is another one.
fn altered(bytes: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let mut input = Unstructured::new(bytes);
    let (place, by) = (input.arbitrary::<u16>().map_or(0, usize::from), byte(&mut input));
    let mut file = GOOD.get_or_init(|| bundle(&[1, 2, 3])).clone();
    let place = place % file.len();
    file[place] ^= by;
    assert_eq!(read(&file, Some(&[public()])).is_some(), by == 0, "an altered bundle was taken");
}

//! The vectors of wire.md, section 7: with them a stranger can issue.

use super::bound::{BoundPart, IssueNumbers};
use super::bundle::Bundle;
use super::identity::ContainerIdentity;
use super::request::{LicenceRequest, Requester};
use super::spec_test::EXAMPLE;
use super::{Issuer, Spec};
use crate::base::time::Wall;
use crate::log::GroupId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

const NOW: Wall = Wall(1_767_225_600);
const GROUP: GroupId = GroupId(5);

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Returns the value of a key of the JSON in a file.
fn value(file: &str, key: &str) -> String {
    let rest = file.split_once(&format!("\"{key}\": \"")).expect("the key is there").1;
    rest.split_once('"').expect("it ends").0.into()
}

#[test]
fn the_documented_vectors_hold() {
    let identities = [1, 2, 3].map(|number| ContainerIdentity::from_entropy(&[number; 64]));
    let requesters = identities.each_ref().map(|it| Requester::sign(it, GROUP, NOW, "machine"));
    let request = LicenceRequest::new(GROUP, NOW, requesters).unwrap();
    let (issuer, spec) = (Issuer::from_secret([7; 32]), Spec::parse(EXAMPLE).unwrap());
    let numbers = IssueNumbers { issue: 1, sharing: 1 };
    let bytes = issuer.bundle(&spec, &request, &[1, 2, 3], numbers, NOW).unwrap();
    let bundle = Bundle::open(&bytes, &[issuer.public()]).unwrap();
    let parts: Vec<&BoundPart> = bundle.parts().iter().map(|one| &one.part).collect();
    let shares = [0, 1, 2].map(|place| parts[place].share(&identities[place]).unwrap());
    let text = core::str::from_utf8(&bundle.parts()[0].file).unwrap();
    let keys = identities[0].keys();
    let name = super::issue::name(&spec);
    let (scalar, slope) = (
        issuer.derive("tmr share scalar v1", &[&name]),
        issuer.derive("tmr share slope v1", &[&name, &1_u32.to_le_bytes()]),
    );
    let about: [&[u8]; 3] = [shares[0].value(), keys.signing(), keys.sealing()];
    let entropy = issuer.derive("tmr share seal v1", &about);
    let doc = include_str!("../../docs/wire.md");
    let rows = [
        ("signing key of container 1", hex::encode(keys.signing())),
        ("sealing key of container 1", hex::encode(keys.sealing())),
        ("serial of container 1", format!("{}", keys.serial())),
        ("signature of container 1", value(&request.to_text(), "Signature")),
        ("request, SHA-256", sha256(request.to_text().as_bytes())),
        ("issuer's public key", format!("{}", issuer.public())),
        ("secret", hex::encode(issuer.secret(&spec))),
        ("derived scalar, 64 bytes", hex::encode(*scalar)),
        ("derived slope, 64 bytes", hex::encode(*slope)),
        ("share of part 1", hex::encode(shares[0].value())),
        ("share of part 2", hex::encode(shares[1].value())),
        ("share of part 3", hex::encode(shares[2].value())),
        ("Masked", value(text, "Masked")),
        ("KeyCheck", value(text, "KeyCheck")),
        ("ephemeral secret for part 1", hex::encode(&entropy[..32])),
        ("Share of part 1, sealed", value(text, "Share")),
        ("part 1, SHA-256", sha256(text.as_bytes())),
        ("bundle, SHA-256", sha256(&bytes)),
    ]
    .map(|(what, value)| format!("| {what} | `{value}` |"));
    let missing: Vec<_> = rows.iter().filter(|row| !doc.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "core/docs/wire.md lacks {missing:#?}");
    assert!(doc.contains(EXAMPLE), "core/docs/wire.md has the specification");
}

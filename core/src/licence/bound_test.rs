use super::spec_test::{EXAMPLE, FULL};
use super::{
    BoundPart, Container, ContainerIdentity, ContainerKeys, File, IssueNumbers, Issuer,
    LicenceError, Spec,
};
use crate::base::time::Wall;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const ISSUED: Wall = Wall(1_767_225_600);
const FIRST: IssueNumbers = IssueNumbers { issue: 1, sharing: 1 };

fn issuer() -> Issuer {
    Issuer::from_secret([7; 32])
}

fn identities() -> [ContainerIdentity; 3] {
    [1, 2, 3].map(|number| ContainerIdentity::from_entropy(&[number; 64]))
}

fn keys() -> [ContainerKeys; 3] {
    identities().each_ref().map(ContainerIdentity::keys)
}

fn issue(spec: &str, part: u8, numbers: IssueNumbers) -> Vec<u8> {
    let spec = Spec::parse(spec).unwrap();
    issuer().issue_bound(&spec, &keys(), part, numbers, ISSUED).unwrap()
}

fn open(bytes: &[u8]) -> Result<BoundPart, LicenceError> {
    BoundPart::open(bytes, &[issuer().public()])
}

fn parts(numbers: IssueNumbers) -> [BoundPart; 3] {
    [1, 2, 3].map(|part| open(&issue(FULL, part, numbers)).unwrap())
}

/// The container of the open licence file with the same specification.
fn unbound(part: u8) -> Container {
    let file = issuer().issue(&Spec::parse(FULL).unwrap(), part, ISSUED);
    File::open(&file, &[issuer().public()]).unwrap()
}

#[test]
fn two_containers_of_three_unlock_a_licence_with_the_keys_of_an_open_one() {
    let (parts, identities) = (parts(FIRST), identities());
    let shares = [0, 1, 2].map(|place| parts[place].share(&identities[place]).unwrap());
    for (one, other) in [(0, 1), (0, 2), (1, 2), (2, 1)] {
        for part in &parts {
            let container = part.unlock(&shares[one], &shares[other]).unwrap();
            assert_eq!(container.secret, unbound(part.number).secret);
            assert_eq!(container.number, part.number);
            assert_eq!(container.part.firm_items, unbound(part.number).part.firm_items);
        }
    }
    assert_eq!(parts[0].unlock(&shares[0], &shares[0]), Err(LicenceError::Share));
}

#[test]
fn a_part_is_of_no_use_to_another_container() {
    let (parts, identities) = (parts(FIRST), identities());
    let (expected, own) = (keys()[0].serial(), keys()[1].serial());
    let error = parts[0].share(&identities[1]).unwrap_err();
    assert_eq!(error, LicenceError::OtherContainer { expected, own });
    assert!(error.to_string().contains(&format!("container 130-{expected}")), "{error}");
}

#[test]
fn no_part_has_the_secret_or_its_share_in_it() {
    let secret = unbound(1).secret;
    let (parts, identities) = (parts(FIRST), identities());
    for part in 1..=3 {
        let text = String::from_utf8(issue(FULL, part, FIRST)).unwrap();
        let place = usize::from(part - 1);
        let share = parts[place].share(&identities[place]).unwrap();
        assert!(!text.contains(&hex::encode(*secret)), "{part}");
        assert!(!text.contains(&hex::encode(share.value())), "{part}");
    }
}

#[test]
fn one_part_that_is_issued_again_fits_the_two_in_use_and_a_new_sharing_does_not() {
    let (first, identities) = (parts(FIRST), identities());
    let again = parts(IssueNumbers { issue: 2, sharing: 1 });
    let anew = parts(IssueNumbers { issue: 3, sharing: 3 });
    let share = |part: &BoundPart| part.share(&identities[usize::from(part.number - 1)]).unwrap();
    assert!(first[0].unlock(&share(&first[0]), &share(&again[2])).is_ok());
    let mixed = first[0].unlock(&share(&first[0]), &share(&anew[2]));
    assert_eq!(mixed, Err(LicenceError::Share));
    assert!(anew[1].unlock(&share(&anew[0]), &share(&anew[2])).is_ok());
}

#[test]
fn the_file_is_readable_and_stays_as_it_is() {
    insta::assert_snapshot!(String::from_utf8(issue(EXAMPLE, 2, FIRST)).unwrap());
}

#[test]
fn each_format_is_read_by_its_own_reader_alone() {
    let bound = issue(EXAMPLE, 1, FIRST);
    let error = File::open(&bound, &[issuer().public()]).unwrap_err();
    assert_eq!(error, LicenceError::Version("2".into()));
    let unbound = issuer().issue(&Spec::parse(EXAMPLE).unwrap(), 1, ISSUED);
    assert_eq!(open(&unbound), Err(LicenceError::Version("1".into())));
    let stranger = BoundPart::open(&bound, &[Issuer::from_secret([8; 32]).public()]);
    assert!(matches!(stranger, Err(LicenceError::Foreign { .. })));
    for place in 0..bound.len() {
        let mut changed = bound.clone();
        changed[place] ^= 1;
        assert!(open(&changed).is_err(), "byte {place}");
    }
}

#[test]
fn mistakes_in_a_signed_part_have_a_line() {
    let text = String::from_utf8(issue(EXAMPLE, 2, FIRST)).unwrap();
    let json = text.strip_prefix("tmr-license 2\n").unwrap();
    let json = &json[..json.find("\nissuer ").unwrap()];
    let serial = keys()[0].serial().to_string();
    for (from, to, message) in [
        ("\"Part\": 2", "\"Part\": 4", "a TMR set has parts 1 to 3, not 4"),
        ("\"Issue\": 1", "\"Issue\": 0", "0"),
        (&serial, "1", "Serial 1 does not belong to these keys"),
        ("\"KeyCheck\": \"", "\"KeyCheck\": \"0", "expected 16 hexadecimal digits"),
        ("\"Share\": \"", "\"Share\": \"0", "expected 160 hexadecimal digits"),
        ("\"Masked\": \"", "\"Masked\": \"0", "expected 64 hexadecimal digits"),
    ] {
        assert!(json.contains(from), "{from}");
        let changed = json.replacen(from, to, 1);
        let file = super::file::KIND.seal("2", changed.as_bytes(), &issuer());
        let Err(LicenceError::Content(error)) = open(&file) else { panic!("{from}") };
        assert!(error.message.contains(message), "{from}: {error}");
        assert!(error.line > 1, "{error}");
    }
}

use super::file::LicenceError;
use super::spec_test::{EXAMPLE, FULL};
use super::{Container, File, FirmItem, Issuer, Period, Product, Spec, differences};
use crate::base::limits::LICENCE_FILE_MAX;
use crate::base::time::Wall;
use crate::log::Mode;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

const ISSUED: Wall = Wall(1_767_225_600);

fn issuer() -> Issuer {
    Issuer::from_secret([7; 32])
}

fn full() -> Vec<u8> {
    issuer().issue(&Spec::parse(FULL).unwrap(), 2, ISSUED)
}

/// A file around a payload that `issue` would not write, rightly signed.
fn signed(json: &str) -> Vec<u8> {
    let text = format!("tmr-license 1\n{json}\nissuer {}\n", issuer().public());
    let signature = hex::encode(issuer().sign(text.as_bytes()));
    format!("{text}signature {signature}\n").into_bytes()
}

/// The payload of a file.
fn payload(file: &[u8]) -> String {
    let text = core::str::from_utf8(file).unwrap();
    let json = text.strip_prefix("tmr-license 1\n").unwrap();
    json[..json.find("\nissuer ").unwrap()].into()
}

fn open(file: &[u8]) -> Result<Container, LicenceError> {
    File::open(file, &[issuer().public()])
}

#[test]
fn what_was_issued_is_loaded() {
    let spec = Spec::parse(FULL).unwrap();
    let container = open(&full()).unwrap();
    let key_check = container.part.firm_items[0].key_check;
    assert_ne!(key_check, 0);
    let item = FirmItem { key_check, ..spec.firm_item().clone() };
    assert_eq!(container.part.firm_items, [item]);
    assert_eq!(container.part.cm_act_id, spec.cm_act_id());
    assert_eq!(open(&signed(&payload(&full()))).unwrap(), container);
    assert!(!format!("{container:?}").contains("secret"));
}

#[test]
fn the_file_is_readable_and_stays_as_it_is() {
    insta::assert_snapshot!(core::str::from_utf8(&full()).unwrap());
}

#[test]
fn three_parts_share_everything_but_their_serial() {
    let spec = Spec::parse(FULL).unwrap();
    let part = |number, issued| open(&issuer().issue(&spec, number, issued)).unwrap();
    let parts = [part(1, ISSUED), part(2, ISSUED), part(3, Wall(u64::MAX))];
    for (place, part) in parts.iter().enumerate() {
        assert!((1_000_000..=9_999_998).contains(&part.part.serial));
        assert!(parts[..place].iter().all(|other| other.part.serial != part.part.serial));
        assert_eq!(part.secret, parts[0].secret);
        assert_eq!(part.part.firm_items, parts[0].part.firm_items);
    }
    // Issued again later, with another product: serial and secret stay.
    let changed = Spec::parse(EXAMPLE).unwrap();
    let again = open(&issuer().issue(&changed, 2, Wall(ISSUED.0 + 1))).unwrap();
    assert_eq!((again.part.serial, &again.secret), (parts[1].part.serial, &parts[1].secret));
    assert_ne!(again.part.firm_items, parts[1].part.firm_items);
}

#[test]
fn a_container_without_a_cm_act_id_says_nothing_of_one() {
    let keys = "\"Serials\": [7, 8, 9],";
    let spec = Spec::parse(&EXAMPLE.replace("\"CmActId\": 305419896,", keys)).unwrap();
    let file = issuer().issue(&spec, 2, ISSUED);
    assert!(!payload(&file).contains("CmActId"));
    let part = open(&file).unwrap().part;
    assert_eq!((part.serial, part.cm_act_id), (8, 0));
    // Zero is not how it is said.
    let zero = payload(&file).replace("\"Part\"", "\"CmActId\": 0, \"Part\"");
    assert!(matches!(open(&signed(&zero)), Err(LicenceError::Content(_))));
}

#[test]
fn a_file_cut_off_anywhere_is_refused_as_such() {
    let file = full();
    for length in 0..file.len() {
        assert_eq!(open(&file[..length]), Err(LicenceError::Truncated), "after {length} bytes");
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_refused() {
    let mut file = issuer().issue(&Spec::parse(EXAMPLE).unwrap(), 1, ISSUED);
    for place in 0..file.len() {
        for bit in 0..8 {
            file[place] ^= 1 << bit;
            assert!(open(&file).is_err(), "byte {place}, bit {bit}");
            file[place] ^= 1 << bit;
        }
    }
    open(&file).unwrap();
}

#[test]
fn changed_and_added_bytes_are_an_alteration() {
    let text = String::from_utf8(full()).unwrap();
    let more = text.replace("\"LicenseQuantity\": 5", "\"LicenseQuantity\": 9");
    assert_ne!(more, text);
    assert_eq!(open(more.as_bytes()), Err(LicenceError::Altered));
    for added in ["\n", "x", " \n", "issuer 00\n"] {
        assert_eq!(open(format!("{text}{added}").as_bytes()), Err(LicenceError::Altered));
    }
    assert_eq!(open(text.repeat(2).as_bytes()), Err(LicenceError::Altered));
    let (head, signature) = text.rsplit_once(' ').unwrap();
    let upper = format!("{head} {}", signature.to_uppercase());
    assert_eq!(open(upper.as_bytes()), Err(LicenceError::Altered));
    // The key exchanged for a trusted one: still not what that one signed.
    let other = Issuer::from_secret([8; 32]).public();
    let swapped = text.replace(&issuer().public().to_string(), &other.to_string());
    let opened = File::open(swapped.as_bytes(), &[issuer().public(), other]);
    assert_eq!(opened, Err(LicenceError::Altered));
    // y = 2 is on no curve; the line may also be gone.
    let off = text.replace(&issuer().public().to_string(), &format!("02{}", "00".repeat(31)));
    assert_eq!(open(off.as_bytes()), Err(LicenceError::Altered));
    let gone = text.replace(&format!("issuer {}\n", issuer().public()), "");
    assert_eq!(open(gone.as_bytes()), Err(LicenceError::Altered));
}

#[test]
fn a_foreign_issuer_is_named_beside_the_trusted_ones() {
    let (other, third) = (Issuer::from_secret([8; 32]), Issuer::from_secret([9; 32]));
    let trusted = vec![other.public(), third.public()];
    let error = File::open(&full(), &trusted).unwrap_err();
    assert_eq!(error, LicenceError::Foreign { found: issuer().public(), trusted });
    let said = error.to_string();
    for key in [issuer().public(), other.public(), third.public()] {
        assert!(said.contains(&key.to_string()[..12]), "{said}");
    }
    assert!(File::open(&full(), &[]).unwrap_err().to_string().ends_with("trusted is nobody"));
    assert!(File::open(&full(), &[other.public(), issuer().public()]).is_ok());
}

#[test]
fn what_is_no_licence_file_of_this_version_is_told_apart() {
    for bytes in [&b"{}"[..], b"\x7fELF", b"tmr-licence 1\n", b"\xff\xfe"] {
        assert_eq!(open(bytes), Err(LicenceError::NotALicence));
    }
    let later = [b"tmr-license 2\n", &full()[14..]].concat();
    assert_eq!(open(&later), Err(LicenceError::Version("2".into())));
    assert_eq!(open(b"tmr-license 1\r\n"), Err(LicenceError::LineEnds));
    assert_eq!(open(&vec![b' '; LICENCE_FILE_MAX + 1]), Err(LicenceError::TooLong));
    let endless = [b"tmr-license ".to_vec(), vec![0xff; 1000], b"\n".to_vec()].concat();
    assert!(open(&endless).unwrap_err().to_string().len() < 300);
}

#[test]
fn a_trusted_issuer_cannot_sign_what_must_not_be_served() {
    let json = payload(&full());
    let changed = |from: &str, to: &str| {
        let other = json.replacen(from, to, 1);
        assert_ne!(other, json, "{from}");
        open(&signed(&other)).unwrap_err()
    };
    let firm_code = changed("\"FirmCode\": 6000010", "\"FirmCode\": 100");
    assert_eq!(firm_code, LicenceError::FirmCode(100));
    assert!(firm_code.to_string().contains("another vendor's licences"));

    let content = |from, to, key: &str| match changed(from, to) {
        LicenceError::Content(error) => {
            assert_eq!(error.key.as_deref(), Some(key), "{error}");
            error
        }
        other => panic!("{other}"),
    };
    // The opening brace stands in line 2.
    assert_eq!(content("\"Part\": 2", "\"Part\": 4", "Part").line, 5);
    content("\"TmrId\": 2", "\"TmrId\": 0", "FirmItems[0].Products[1].TmrId");
    content("\"TmrId\": 2", "\"TmrId\": 1", "FirmItems[0].Products");
    content("\"Serial\": ", "\"Serial\": 0, \"X\": ", "Serial");
    content("\"Secret\": \"", "\"Secret\": \"0", "Secret");
    let extra = changed("\"Part\"", "\"Extra\": 1, \"Part\"").to_string();
    assert!(extra.contains("line 5, column 3: unknown key \"Extra\""), "{extra}");
    let item = "{\"FirmCode\": 10, \"Products\": []}";
    let twice = format!("\"FirmItems\": [{item}, {item}, ");
    content("\"FirmItems\": [", &twice, "FirmItems");
    assert!(matches!(open(&signed("{")), Err(LicenceError::Content(_))));
    assert!(matches!(open(&signed("")), Err(LicenceError::Content(_))));
    assert!(matches!(open(&signed(&"[".repeat(10_000))), Err(LicenceError::Content(_))));
}

/// A change of one property.
type Change = fn(&mut FirmItem, &mut Product);

#[test]
fn each_property_changes_the_fingerprint_and_is_shown_as_a_difference() {
    let spec = Spec::parse(FULL).unwrap();
    let item = spec.firm_item();
    let product = &item.products[0];
    assert_eq!(differences((item, product), (item, product)), []);
    let changes: [(&str, &str, &str, Change); 16] = [
        ("FirmCode", "6000010", "10", |item, _| item.firm_code = 10),
        ("FirmItemText", "Größe \"L\"", "", |item, _| item.text.clear()),
        ("Keys", "keys 0000000000000000", "keys 000000000000000a", |item, _| item.key_check = 10),
        ("ProductCode", "201", "7", |_, product| product.product_code = 7),
        ("Text", "Editor", "", |_, product| product.text.clear()),
        ("LicenseQuantity", "5", "6", |_, product| product.license_quantity = 6),
        ("TmrId", "1", "not set", |_, product| product.tmr_id = 0),
        ("FeatureMap", "0xff", "not set", |_, product| product.feature_map = None),
        ("ExpirationTime", "2029-12-31T23:00:00Z", "1970-01-01T00:00:00Z", |_, product| {
            product.expiration_time = Some(Wall(0));
        }),
        ("ActivationTime", "2026-01-01T00:00:00Z", "not set", |_, product| {
            product.activation_time = None;
        }),
        (
            "MaintenancePeriod",
            "2026-01-01T00:00:00Z to 2026-12-31T23:59:59Z",
            "1970-01-01T00:00:00Z to 1970-01-01T00:00:59Z",
            |_, product| {
                product.maintenance_period = Some(Period { start: Wall(0), end: Wall(59) });
            },
        ),
        ("UsagePeriod", "86400 s", "not set", |_, product| product.usage_period = None),
        ("UnitCounter", "100", "99", |_, product| product.unit_counter = Some(99)),
        ("LingerTime", "60 s", "not set", |_, product| product.linger_time = None),
        ("MinimumRuntimeVersion", "7.10.1", "8.0", |_, product| {
            product.minimum_runtime_version = Some(8 << 24);
        }),
        ("DeniedModes", "no-user-limit, exclusive", "none", |_, product| {
            product.denied_modes.clear();
        }),
    ];
    for (field, here, there, change) in changes {
        let (mut other_item, mut other) = (item.clone(), product.clone());
        change(&mut other_item, &mut other);
        let found = differences((item, product), (&other_item, &other));
        assert_eq!(found, [(field, here.into(), there.into())]);
        assert_ne!(item.fingerprint(product), other_item.fingerprint(&other), "{field}");
    }
    let mut other = product.clone();
    other.denied_modes = vec![Mode::StationShare];
    other.text.clear();
    let fields: Vec<_> = product.differences(&other).into_iter().map(|(field, ..)| field).collect();
    assert_eq!(fields, ["Text", "DeniedModes"]);
}

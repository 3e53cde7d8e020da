use super::{Period, Spec, SpecError, firm_code_permitted};
use crate::base::limits::{PRODUCTS_MAX, QUANTITY_MAX};
use crate::base::rfc3339;
use crate::base::time::Wall;
use crate::log::Mode;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// The example of the contract.
pub(super) const EXAMPLE: &str = r#"{"FirmCode": 6000010, "FirmItemText": "Example", "CmActId": 305419896,
  "Products": [{"ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5, "TmrId": 1}]}"#;

/// Every key once.
pub(super) const FULL: &str = r#"{
  "FirmCode": 6000010, "FirmItemText": "Größe \"L\"", "CmActId": 305419896,
  "Products": [
    {"ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5, "TmrId": 1, "FeatureMap": 255,
     "ExpirationTime": "2030-01-01T00:00:00+01:00", "ActivationTime": "2026-01-01T00:00:00Z",
     "MaintenancePeriod": {"Start": "2026-01-01T00:00:00Z", "End": "2026-12-31T23:59:59Z"},
     "UsagePeriod": 86400, "UnitCounter": 100, "LingerTime": 60,
     "MinimumRuntimeVersion": "7.10.1",
     "DeniedModes": ["exclusive", "no-user-limit", "exclusive"]},
    {"ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5, "TmrId": 2},
    {"ProductCode": 201, "LicenseQuantity": 1, "MinimumRuntimeVersion": "7.10", "FeatureMap": null}
  ]
}"#;

fn product(keys: &str) -> String {
    format!("{{\"FirmCode\": 10, \"CmActId\": 1, \"Products\": [\n{{{keys}}}]}}")
}

fn error(json: &str) -> SpecError {
    Spec::parse(json).expect_err(json)
}

#[test]
fn the_contracts_example_is_read() {
    let spec = Spec::parse(EXAMPLE).unwrap();
    assert_eq!(spec.cm_act_id(), 0x1234_5678);
    let item = spec.firm_item();
    assert_eq!(
        (item.firm_code, item.text.as_str(), item.products.len()),
        (6_000_010, "Example", 1)
    );
    let product = &item.products[0];
    assert_eq!((product.product_code, product.license_quantity, product.tmr_id), (201, 5, 1));
    assert_eq!((product.text.as_str(), product.feature_map), ("Editor", None));
}

#[test]
fn every_key_is_read() {
    let spec = Spec::parse(FULL).unwrap();
    let [full, _, ordinary] = &spec.firm_item().products[..] else { panic!("three products") };
    let time = |text| rfc3339::parse(text).unwrap();
    assert_eq!(full.feature_map, Some(255));
    assert_eq!(full.expiration_time, Some(time("2029-12-31T23:00:00Z")));
    assert_eq!(full.activation_time, Some(Wall(1_767_225_600)));
    let (start, end) = (time("2026-01-01T00:00:00Z"), time("2026-12-31T23:59:59Z"));
    assert_eq!(full.maintenance_period, Some(Period { start, end }));
    assert_eq!(full.usage_period, Some(86_400));
    assert_eq!(full.unit_counter, Some(100));
    assert_eq!(full.linger_time, Some(60));
    assert_eq!(full.minimum_runtime_version, Some(7 << 24 | 10 << 16 | 1));
    assert_eq!(full.denied_modes, [Mode::NoUserLimit, Mode::Exclusive]);
    assert_eq!((ordinary.tmr_id, ordinary.feature_map), (0, None));
    assert_eq!(ordinary.minimum_runtime_version, Some(7 << 24 | 10 << 16));
}

#[test]
fn a_mistake_in_the_json_is_found_where_it_is() {
    let missing_comma = error("{\"FirmCode\": 10\n  \"CmActId\": 1}");
    assert_eq!((missing_comma.line, missing_comma.column), (2, 3));
    assert!(missing_comma.message.starts_with("expected \",\" or \"}\", found"), "{missing_comma}");
    let trailing = error(&format!("{EXAMPLE} x"));
    assert!(trailing.message.contains("nothing more after the closing brace"), "{trailing}");
    let twice = error("{\"FirmCode\": 10, \"FirmCode\": 10}");
    assert_eq!(twice.message, "\"FirmCode\" stands here twice, expected it once");
    let cut = error(&EXAMPLE[..EXAMPLE.len() - 1]);
    assert!(cut.message.starts_with("the file ends too early"), "{cut}");
}

/// Found by fuzzing: a key could bring line breaks and any length into the log.
#[test]
fn what_an_error_repeats_is_plain_and_short() {
    let broken = error("{\"CmA\\nId\": 1}");
    assert!(broken.message.contains("\"CmA\\nId\""), "{broken}");
    assert!(!broken.to_string().contains('\n'), "{broken}");
    for letter in ["x", "\u{7f}"] {
        let long = error(&format!("{{\"{}\": 1}}", letter.repeat(10_000)));
        assert!(long.to_string().len() < 1_000, "{long}");
    }
}

/// Found by fuzzing: the column was 0.
#[test]
fn a_line_break_inside_a_text_stands_in_the_first_column() {
    let error = error("{\"FirmCode\n\": 10}");
    assert_eq!((error.line, error.column), (2, 1), "{error}");
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    let top = error("{\"FrimCode\": 10}");
    assert_eq!(top.message, "unknown key \"FrimCode\"; did you mean \"FirmCode\"?");
    let inner = error(&product("\"ProductCode\": 1, \"LicenceQuantity\": 1"));
    assert_eq!(inner.key.as_deref(), Some("Products[0]"));
    assert_eq!(inner.line, 2);
    assert!(inner.message.ends_with("did you mean \"LicenseQuantity\"?"), "{inner}");
    let odd = error("{\"`, expected `x`, expected\": 10}");
    assert!(odd.message.starts_with("unknown key"), "{odd}");
}

#[test]
fn a_missing_key_is_named() {
    let inner = error(&product("\"ProductCode\": 1"));
    assert_eq!(
        inner.to_string(),
        "line 2, column 1, Products[0]: \"LicenseQuantity\" is missing, expected it here"
    );
    assert_eq!(error("{}").message, "\"FirmCode\" is missing, expected it here");
    assert_eq!(error("{}").key, None);
}

#[test]
fn only_permitted_firm_codes_are_issued() {
    for code in [10, 6_000_010, 0xf000_0000, u32::MAX] {
        assert!(firm_code_permitted(code), "{code}");
        Spec::parse(&EXAMPLE.replace("6000010", &code.to_string())).unwrap();
    }
    for code in [0, 9, 11, 6_000_009, 6_000_011, 0xefff_ffff, 100_000] {
        assert!(!firm_code_permitted(code), "{code}");
        let refused = error(&EXAMPLE.replace("6000010", &code.to_string()));
        assert_eq!(refused.key.as_deref(), Some("FirmCode"));
        for part in [&code.to_string(), "6000010", "0xF0000000", "another vendor's licences"] {
            assert!(refused.message.contains(part), "{refused}");
        }
    }
}

#[test]
fn values_that_make_no_sense_are_refused_at_their_key() {
    let base = "\"ProductCode\": 1, \"LicenseQuantity\": 1";
    let over = QUANTITY_MAX + 1;
    let long = format!("\"Text\": \"{}\"", "𝄞".repeat(128));
    let cases = [
        ("LicenseQuantity", "\"ProductCode\": 1, \"LicenseQuantity\": 0", "between 1 and"),
        ("LicenseQuantity", &format!("\"LicenseQuantity\": {over}"), "between 1 and"),
        ("LicenseQuantity", "\"LicenseQuantity\": -1", "expected a whole number from 0"),
        ("TmrId", &format!("{base}, \"TmrId\": 0"), "leave the key out"),
        ("Text", &format!("{base}, {long}"), "256 UTF-16 units are too long, at most 255"),
        ("Text", &format!("{base}, \"Text\": \"a\\nb\""), "control characters"),
        ("ExpirationTime", &format!("{base}, \"ExpirationTime\": \"soon\""), "RFC 3339"),
        (
            "ActivationTime",
            &format!("{base}, \"ActivationTime\": 5"),
            "a time is written \"2030-01-01T00:00:00Z\"",
        ),
        (
            "MaintenancePeriod",
            &format!(
                "{base}, \"MaintenancePeriod\": {{\"Start\": \"2026-01-01T00:00:01Z\", \"End\": \
                 \"2026-01-01T00:00:00Z\"}}"
            ),
            "starts after its end",
        ),
        (
            "MaintenancePeriod",
            &format!("{base}, \"MaintenancePeriod\": {{}}"),
            "\"Start\" is missing",
        ),
        ("DeniedModes", &format!("{base}, \"DeniedModes\": [\"exclusiv\"]"), "`exclusive`"),
    ];
    for (key, keys, what) in cases {
        let error = error(&product(keys));
        assert_eq!(error.key, Some(format!("Products[0].{key}")), "{error}");
        assert_eq!(error.line, 2, "{error}");
        assert!(error.message.contains(what), "{error}");
    }
    assert_eq!(error(&EXAMPLE.replace("305419896", "0")).key.as_deref(), Some("CmActId"));
    let longest = format!("{base}, \"Text\": \"{}\"", "x".repeat(255));
    Spec::parse(&product(&longest)).unwrap();
}

#[test]
fn a_product_nobody_could_ever_use_is_refused() {
    let times = |from, until| {
        product(&format!(
            "\"ProductCode\": 1, \"LicenseQuantity\": 1, \"ActivationTime\": \"{from}\", \
             \"ExpirationTime\": \"{until}\""
        ))
    };
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
    Spec::parse(&times(early, late)).unwrap();
    assert!(error(&times(early, early)).message.contains("ActivationTime"));
    assert!(error(&times(late, early)).message.contains("ActivationTime"));
}

#[test]
fn only_versions_are_versions() {
    let with = |version: &str| {
        product(&format!(
            "\"ProductCode\": 1, \"LicenseQuantity\": 1, \"MinimumRuntimeVersion\": \"{version}\""
        ))
    };
    for bad in
        ["", "7", "7.", ".1", "7.1.", "7.1.2.3", "7.+1", "256.0", "0.256", "1.0.65536", "v7.1"]
    {
        let error = error(&with(bad));
        assert!(error.message.contains("\"7.10.1\""), "{bad}: {error}");
    }
    Spec::parse(&with("255.255.65535")).unwrap();
}

#[test]
fn a_product_stands_once_in_a_container_of_bounded_size() {
    let list = |products: &[String]| {
        format!("{{\"FirmCode\": 10, \"CmActId\": 1, \"Products\": [{}]}}", products.join(","))
    };
    let one = |code: usize, rest: &str| {
        format!("{{\"ProductCode\": {code}, \"LicenseQuantity\": 1{rest}}}")
    };
    let twice = error(&list(&[one(1, ", \"TmrId\": 3"), one(2, ""), one(1, ", \"TmrId\": 3")]));
    assert!(twice.message.contains("Product Code 1 with TmrId 3 stands here twice"), "{twice}");
    assert!(error(&list(&vec![one(1, ""); 2])).message.contains("no TmrId"));
    Spec::parse(&list(&[one(1, ""), one(1, ", \"TmrId\": 1"), one(1, ", \"TmrId\": 2")])).unwrap();

    let many: Vec<_> = (0..=PRODUCTS_MAX).map(|code| one(code, "")).collect();
    assert!(error(&list(&many)).message.contains("at most 4096 products"));
    Spec::parse(&list(&many[1..])).unwrap();

    let text = format!(", \"Text\": \"{}\"", "x".repeat(255));
    let large: Vec<_> = (0..3_000).map(|code| one(code, &text)).collect();
    assert!(error(&list(&large)).message.contains("the licence file would be longer"));
}

#[test]
fn containers_may_have_no_cm_act_id_and_serials_of_their_own() {
    let with = |keys: &str| EXAMPLE.replace("\"CmActId\": 305419896,", keys);
    let bare = Spec::parse(&with("")).unwrap();
    assert_eq!((bare.cm_act_id(), bare.serials()), (0, None));
    let said = Spec::parse(&with("\"Serials\": [3, 1, 2],")).unwrap();
    assert_eq!((said.cm_act_id(), said.serials()), (0, Some([3, 1, 2])));
    for bad in ["[1, 2]", "[1, 2, 3, 4]", "[1, 2, 1]", "[0, 1, 2]"] {
        let error = error(&with(&format!("\"Serials\": {bad},")));
        assert_eq!(error.key.as_deref(), Some("Serials"), "{error}");
        assert!(error.message.contains("three different serials"), "{error}");
    }
    let both = error(&with("\"Serials\": [1, 2, 3], \"CmActId\": 5,"));
    assert_eq!(both.key.as_deref(), Some("Serials"));
    assert!(both.message.contains("without a CmActId"), "{both}");
}

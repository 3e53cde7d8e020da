//! Parts that differ. A part that differs from the other two is excluded, and the operator is shown
//! the backend and the field. With three different parts the licence is not available. Other
//! licences are not affected.

use serde_json::{Value, json};
use tmr_tests::harness::{
    CM_ACT_ID, Cluster, FIRM_CODE, Runtime, TMR, give_back, licence_row, status_until, take,
};
use tmr_tests::independent_client::error::{
    ENTRY_NOT_FOUND, NO_LICENSE_AVAILABLE, NO_MORE_LICENSES,
};
use tmr_tests::independent_client::{AccessRequest, Client, box_contents, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    one_part_that_differs_in_any_property_is_out,
    three_different_parts_are_no_licence,
    a_part_that_is_missing_or_elsewhere_is_out,
);

const RUNTIME_TOO_OLD: u32 = 129;

/// A property of a product in which one part differs.
struct Property {
    field: &'static str,
    /// The value in two parts.
    most: Value,
    /// The value in the third part.
    other: Value,
    /// Both values as operators see them.
    texts: [&'static str; 2],
}

fn property(field: &'static str, most: Value, other: Value, texts: [&'static str; 2]) -> Property {
    Property { field, most, other, texts }
}

/// Returns every property of a product. For each property there is a product that differs in it
/// alone; their codes begin with [`FIRST`]. The part that differs is 1 in the first product, 2 in
/// the second, 3 in the third, then 1 again.
fn properties() -> [Property; 13] {
    let time = |year: u32| json!(format!("{year}-01-01T00:00:00Z"));
    let period = |year: u32| json!({ "Start": "2020-01-01T00:00:00Z", "End": time(year) });
    [
        property("Text", json!("Editor"), json!("Editer"), ["Editor", "Editer"]),
        property("LicenseQuantity", json!(4), json!(5), ["4", "5"]),
        property("FeatureMap", json!(6), json!(7), ["0x6", "0x7"]),
        property(
            "ExpirationTime",
            time(2098),
            time(2099),
            ["2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z"],
        ),
        property(
            "ActivationTime",
            time(2020),
            time(2099),
            ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"],
        ),
        property(
            "MaintenancePeriod",
            period(2098),
            period(2099),
            [
                "2020-01-01T00:00:00Z to 2098-01-01T00:00:00Z",
                "2020-01-01T00:00:00Z to 2099-01-01T00:00:00Z",
            ],
        ),
        property("UsagePeriod", json!(3_600), json!(3_601), ["3600 s", "3601 s"]),
        property("UnitCounter", json!(10), json!(20), ["10", "20"]),
        property("LingerTime", json!(0), json!(5), ["0 s", "5 s"]),
        property("MinimumRuntimeVersion", json!("7.10"), json!("7.10.1"), ["7.10", "7.10.1"]),
        property(
            "DeniedModes",
            json!(["exclusive"]),
            json!(["user-limit"]),
            ["exclusive", "user-limit"],
        ),
        // An option that is set in one part only, and one that is missing in one part only.
        property("FeatureMap", Value::Null, json!(0), ["not set", "0x0"]),
        property("UnitCounter", json!(10), Value::Null, ["10", "not set"]),
    ]
}

/// The Product Code of the first of these products.
const FIRST: u32 = 600;

/// A product in which one part differs.
struct Product {
    code: u32,
    /// The number of the part that differs.
    odd: usize,
    property: Property,
}

fn products() -> impl Iterator<Item = Product> {
    (FIRST..).zip(properties()).enumerate().map(|(at, (code, property))| Product {
        code,
        odd: at % 3 + 1,
        property,
    })
}

fn product(code: u32, field: &str, value: &Value) -> Value {
    let mut product = json!({ "ProductCode": code, "LicenseQuantity": 3, "TmrId": 1 });
    product[field] = value.clone();
    product
}

/// Adds these products to the specification of one part, with the value of that part.
fn odd_parts(part: usize, specification: &mut Value) {
    let listed = specification["Products"].as_array_mut().expect("a list");
    for Product { code, odd, property } in products() {
        let value = if part == odd { &property.other } else { &property.most };
        listed.push(product(code, property.field, value));
    }
}

#[track_caller]
fn access(client: &mut Client, code: u32) -> Result<u32, u32> {
    take(client, &AccessRequest::new(FIRM_CODE, code)).expect("the connection stays open")
}

/// Returns the result of an access to a product with two equal parts. The access states no client
/// version, so a licence that demands a version refuses it.
fn served(field: &str) -> Result<(), u32> {
    if field == "MinimumRuntimeVersion" { Err(RUNTIME_TOO_OLD) } else { Ok(()) }
}

fn one_part_that_differs_in_any_property_is_out(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).parts(odd_parts).start();
    let addresses: Vec<String> =
        cluster.backends.iter().map(|backend| backend.licence().to_string()).collect();
    let url = format!("http://{}", cluster.front().admin());
    let table = cluster.program().run(["status", "--admin", &url]).expect(0).out;
    let mut client = cluster.client();
    for Product { code, odd, property } in products() {
        let Property { field, texts: [most, other], .. } = property;
        let row = cluster.licence(code);
        let backend = &addresses[odd - 1];
        let differs =
            json!([{ "backend": backend, "field": field, "value": other, "expected": most }]);
        assert_eq!(row["differs"], differs, "{code}");
        assert_eq!((&row["matching"], &row["available"]), (&json!(2), &json!(true)), "{code}");
        let line = format!(
            "yellow: Licence {FIRM_CODE}:{code} has 2 of 3 parts. At {backend}, {field} is {other}; \
             the others have {most}."
        );
        assert!(table.lines().any(|shown| shown == line), "{line}\n{table}");
        let answer = access(&mut client, code);
        assert_eq!(answer.map(|_| ()), served(field), "{code}, {field}");
        if let Ok(handle) = answer {
            give_back(&mut client, handle).expect("the connection stays open").expect("it is held");
        }
    }
    let whole = cluster.licence(TMR);
    assert_eq!((&whole["matching"], &whole["differs"]), (&json!(3), &json!([])));

    // The values of the two equal parts are in force: for seats, the entry and the texts.
    let quantity = FIRST + 1;
    let seats: Vec<u32> = (0..4).map(|_| access(&mut client, quantity).expect("free")).collect();
    assert_eq!(access(&mut client, quantity), Err(NO_MORE_LICENSES), "four of two parts, not five");
    assert_eq!(cluster.licence(quantity)["quantity"], 4);
    assert_eq!(cluster.licence(FIRST + 3)["expires"], "2098-01-01T00:00:00Z");
    let text = access(&mut client, FIRST).expect("free");
    let reply = client.call(&get_info(text, 0x41, 64)).expect("the connection stays open");
    let wide: Vec<u8> = "Editor\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(reply.body[..wide.len()], wide);
    for handle in seats.into_iter().chain([text]) {
        give_back(&mut client, handle).expect("the connection stays open").expect("it is held");
    }

    // The part that differs is excluded, so without one of the two others there is no majority.
    for gone in 1..=3 {
        cluster.backends[gone - 1].kill();
        status_until(cluster.front().admin(), "two parts", |status| {
            (licence_row(status, TMR)?["matching"] == 2).then_some(())
        });
        for Product { code, odd, property: Property { field, .. } } in products() {
            let row = cluster.licence(code);
            let (matching, answer) =
                if odd == gone { (2, served(field)) } else { (1, Err(NO_LICENSE_AVAILABLE)) };
            assert_eq!(row["matching"], matching, "{code} without backend {gone}");
            assert_eq!(row["available"], matching == 2, "{code} without backend {gone}");
            let got = access(&mut client, code);
            assert_eq!(got.map(|_| ()), answer, "{code}, {field}, without backend {gone}");
            if let Ok(handle) = got {
                give_back(&mut client, handle).expect("an answer").expect("it is held");
            }
        }
        cluster.restart_backend(gone - 1);
        cluster.wait_up(0);
    }
}

/// A product whose three parts have different numbers of seats: two in part 1, three in part 2,
/// four in part 3.
const SPLIT: u32 = 700;
/// A product whose parts differ only in the text of its firm item.
const WHOLE: u32 = 701;

fn split_parts(part: usize, specification: &mut Value) {
    let listed = specification["Products"].as_array_mut().expect("a list");
    listed.push(product(SPLIT, "LicenseQuantity", &json!(part + 1)));
    listed.push(product(WHOLE, "LicenseQuantity", &json!(3)));
    if part == 2 {
        specification["FirmItemText"] = json!("Another example");
    }
}

fn three_different_parts_are_no_licence(runtime: Runtime) {
    let cluster = Cluster::of(runtime).parts(split_parts).start();
    let row = cluster.licence(SPLIT);
    assert_eq!((&row["matching"], &row["available"]), (&json!(1), &json!(false)));
    let differs = row["differs"].as_array().expect("a list").iter();
    let told: Vec<&Value> =
        differs.filter(|differs| differs["field"] == "LicenseQuantity").collect();
    let address = |index: usize| json!(cluster.backends[index].licence().to_string());
    let (second, third) = (address(1), address(2));
    let quantity = |backend: &Value, value: &str| json!({ "backend": backend, "field": "LicenseQuantity", "value": value, "expected": "2" });
    assert_eq!(told, [&quantity(&second, "3"), &quantity(&third, "4")]);

    let mut client = cluster.client();
    assert_eq!(access(&mut client, SPLIT), Err(NO_LICENSE_AVAILABLE));
    // The text of the firm item is a property of each of its licences.
    let row = cluster.licence(WHOLE);
    assert_eq!((&row["matching"], &row["available"]), (&json!(2), &json!(true)));
    let differs = json!([{
        "backend": second, "field": "FirmItemText", "value": "Another example",
        "expected": "Example",
    }]);
    assert_eq!(row["differs"], differs);
    let seat = access(&mut client, WHOLE).expect("two parts agree");
    // The product without two equal parts is not in the list of available products.
    let contents = client.call(&box_contents(seat, 0, FIRM_CODE, 8)).expect("an answer");
    let codes: Vec<u32> =
        (0..contents.result as usize).map(|at| contents.word(at * 588 + 536)).collect();
    assert_eq!(codes, [TMR, WHOLE]);
}

/// A product that part 2 does not have, and a product that has another TMR-Id in part 2.
const MISSING: u32 = 710;
const ELSEWHERE: u32 = 711;

fn parts_with_a_hole(part: usize, specification: &mut Value) {
    let listed = specification["Products"].as_array_mut().expect("a list");
    if part != 2 {
        listed.push(product(MISSING, "LicenseQuantity", &json!(3)));
    }
    listed.push(product(ELSEWHERE, "TmrId", &json!(if part == 2 { 9 } else { 1 })));
}

fn a_part_that_is_missing_or_elsewhere_is_out(runtime: Runtime) {
    let cluster = Cluster::of(runtime).parts(parts_with_a_hole).start();
    let mut client = cluster.client();
    let row = cluster.licence(MISSING);
    assert_eq!((&row["matching"], &row["available"]), (&json!(2), &json!(true)));
    access(&mut client, MISSING).expect("two parts are there");

    // The product with another TMR-Id is a licence of its own, with one part.
    let status = cluster.status();
    let rows = status["licenses"].as_array().expect("a list").iter();
    let mut rows: Vec<Value> = rows
        .filter(|row| row["product_code"] == ELSEWHERE)
        .map(|row| json!(["tmr_id", "matching", "available"].map(|key| &row[key])))
        .collect();
    rows.sort_unstable_by_key(|row| row[0].as_u64());
    assert_eq!(rows, [json!([1, 2, true]), json!([9, 1, false])]);
    access(&mut client, ELSEWHERE).expect("two parts are there");
    assert_eq!(access(&mut client, 999), Err(ENTRY_NOT_FOUND));
    let containers = &status["containers"];
    assert_eq!(containers.as_array().map(Vec::len), Some(1), "{containers}");
    assert_eq!(containers[0]["cm_act_id"], CM_ACT_ID);
}

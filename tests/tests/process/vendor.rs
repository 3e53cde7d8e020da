//! The vendor's desk, by its commands alone: what was issued to whom is never a person's memory.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use tmr_core::licence::{Bundle, Document, IssuerKey};
use tmr_tests::harness::{Finished, Runtime, Scratch, container, write_request};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_desk_numbers_what_it_issues,
    a_customer_s_licences_are_renewed_raised_and_revoked,
    one_part_is_issued_again_for_a_new_container,
    a_bundle_is_made_again_from_the_desk_byte_for_byte,
    what_would_mix_up_customers_is_refused,
    a_damaged_file_is_named_and_nothing_is_issued,
);

/// A folder with a vendor's desk in `desk`, two requests and a specification.
struct Place(Scratch);

impl std::ops::Deref for Place {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.0
    }
}

impl Place {
    fn new(runtime: Runtime) -> Self {
        let place = Self(Scratch::new(runtime));
        place.vendor("init").expect(0);
        write_request(&place.path("acme.request"), 5, [1, 2, 3]);
        write_request(&place.path("beta.request"), 6, [4, 5, 6]);
        place.spec("spec.json", &json!({}));
        place
    }

    /// Writes a specification of two products, with these further keys.
    fn spec(&self, name: &str, more: &Value) {
        let mut spec = json!({ "FirmCode": 6_000_010, "Products": [
            { "ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5 },
            { "ProductCode": 202, "LicenseQuantity": 20, "ExpirationTime": "2040-01-01T00:00:00Z" },
        ] });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.write(name, &spec.to_string());
    }

    /// Runs a command at the desk.
    fn vendor(&self, line: &str) -> Finished {
        let words = ["vendor"].into_iter().chain(line.split(' '));
        self.run(words.chain(["--desk", "./desk"]))
    }

    fn issue(&self, customer: &str, bundle: &str) -> Bundle {
        let line =
            format!("issue {customer} spec.json --request {customer}.request --out {bundle}");
        self.vendor(&line).expect(0);
        self.bundle(bundle)
    }

    fn bundle(&self, name: &str) -> Bundle {
        let key = fs::read_to_string(self.path("desk/issuer.pub")).unwrap();
        let key = IssuerKey::parse(&key).unwrap();
        match Document::read(&fs::read(self.path(name)).unwrap(), Some(&[key])).unwrap() {
            Document::Bundle(bundle) => bundle,
            other => panic!("{other:?}"),
        }
    }

    fn record(&self, name: &str) -> Value {
        let path = self.path("desk/issues").join(name);
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }
}

/// The numbers of a bundle's issue and sharing.
fn numbers(bundle: &Bundle) -> [u32; 2] {
    [bundle.numbers().issue, bundle.numbers().sharing]
}

fn ids(bundle: &Bundle) -> Vec<u32> {
    let products = &bundle.parts()[0].part.part.firm_items[0].products;
    products.iter().map(|product| product.tmr_id).collect()
}

fn a_desk_numbers_what_it_issues(runtime: Runtime) {
    let place = Place::new(runtime);
    let ignored = fs::read_to_string(place.path("desk/.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "issuer.key"));
    place.vendor("init").expect(2).one_clear_error(&["vendor.json", "already"]);
    assert_eq!(place.vendor("next").expect(0).out, "1\n");
    assert!(place.vendor("list").expect(0).err.contains("nothing was issued yet"));
    let acme = place.issue("acme", "acme-1.bundle");
    assert_eq!((ids(&acme), numbers(&acme)), (vec![1, 2], [1, 1]));
    assert_eq!(place.vendor("next").expect(0).out, "3\n");
    let beta = place.issue("beta", "beta-1.bundle");
    assert_eq!((ids(&beta), numbers(&beta)), (vec![3, 4], [1, 1]));
    let set = |bundle: &Bundle| bundle.parts()[0].part.part.cm_act_id;
    assert!(set(&acme) != 0 && set(&acme) != set(&beta), "each has a set of its own");
    // What replaces it has the same numbers, whatever the specification lacks.
    let again = place.issue("acme", "acme-2.bundle");
    assert_eq!((ids(&again), numbers(&again)), (vec![1, 2], [2, 2]));
    assert_eq!(set(&again), set(&acme));
    let list = place.vendor("list").expect(0).out;
    for text in ["acme", "beta", "201 (TMR-Id 1): 5 seats", "202 (TMR-Id 4): 20 seats, until 2040"]
    {
        assert!(list.contains(text), "{text}\n{list}");
    }
    let listed: Value = serde_json::from_str(&place.vendor("list --json").expect(0).out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!((&listed[0]["Customer"], &listed[0]["Issue"]), (&json!("acme"), &json!(2)));
}

fn a_customer_s_licences_are_renewed_raised_and_revoked(runtime: Runtime) {
    let place = Place::new(runtime);
    place.issue("acme", "one.bundle");
    let product = |bundle: &Bundle, place: usize| {
        bundle.parts()[0].part.part.firm_items[0].products[place].clone()
    };
    place.vendor("renew acme --until 2041-01-01 --out renew.bundle --note order-77").expect(0);
    let renewed = place.bundle("renew.bundle");
    assert_eq!(numbers(&renewed), [2, 2]);
    assert_eq!(product(&renewed, 0).expiration_time, None);
    let end = product(&renewed, 1).expiration_time.unwrap();
    assert_eq!(end.to_string(), "2041-01-01T00:00:00Z");
    let early = place.vendor("renew acme --until 2030-01-01 --out no.bundle");
    early.expect(2).one_clear_error(&["202 ends on 2041-01-01T00:00:00Z"]);
    place.vendor("raise acme --product 201 --quantity 9 --out raise.bundle").expect(0);
    assert_eq!(product(&place.bundle("raise.bundle"), 0).license_quantity, 9);
    let fewer = place.vendor("raise acme --product 201 --quantity 8 --out no.bundle");
    fewer.expect(2).one_clear_error(&["has 9 seats", "tmrd vendor issue"]);
    let none = place.vendor("raise acme --product 999 --quantity 8 --out no.bundle");
    none.expect(2).one_clear_error(&["no product 999", "201, 202"]);
    place.vendor("revoke acme --product 201 --out revoke.bundle").expect(0);
    let revoked = place.bundle("revoke.bundle");
    assert_eq!(numbers(&revoked), [4, 4]);
    let issued = revoked.parts()[0].part.issued;
    assert_eq!(product(&revoked, 0).expiration_time, Some(issued));
    assert_eq!(product(&revoked, 1).expiration_time, Some(end));
    let again = place.vendor("revoke acme --product 201 --out no.bundle");
    again.expect(2).one_clear_error(&["has ended already"]);
    let nobody = place.vendor("revoke beta --out no.bundle");
    nobody.expect(2).one_clear_error(&["nothing was issued to \"beta\"", "acme"]);
    assert!(!place.path("no.bundle").exists());
    let shown = place.vendor("show acme").expect(0).out;
    for text in ["renew", "order-77", "raise", "revoke", "backend-3.example", "9 seats"] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    let shown: Value =
        serde_json::from_str(&place.vendor("show acme --json").expect(0).out).unwrap();
    let what: Vec<_> = shown.as_array().unwrap().iter().map(|one| one["What"].clone()).collect();
    assert_eq!(what, ["issue", "renew", "raise", "revoke"]);
}

fn one_part_is_issued_again_for_a_new_container(runtime: Runtime) {
    let place = Place::new(runtime);
    let first = place.issue("acme", "one.bundle");
    write_request(&place.path("new.request"), 5, [1, 2, 9]);
    write_request(&place.path("wrong.request"), 5, [1, 8, 9]);
    let line =
        |request: &str| format!("reissue acme --only 3 --request {request} --out two.bundle");
    let wrong = place.vendor(&line("wrong.request")).expect(2);
    wrong.one_clear_error(&["wrong.request", "part 2 is for container 130-"]);
    place.vendor(&line("new.request")).expect(0);
    let second = place.bundle("two.bundle");
    assert_eq!(numbers(&second), [2, 1]);
    assert_eq!(second.parts().len(), 1);
    let part = &second.parts()[0].part;
    assert_eq!(*part.container(), container(9).keys());
    // It fits a part that is in use.
    let own = part.share(&container(9)).unwrap();
    let other = first.parts()[0].part.share(&container(1)).unwrap();
    assert!(part.unlock(&own, &other).is_ok());
    assert_eq!(place.record("acme-0002.json")["Part"], 3);
    // The next one is for the new container, and has shares of its own.
    place.vendor("raise acme --product 201 --quantity 9 --out three.bundle").expect(0);
    let third = place.bundle("three.bundle");
    assert_eq!(numbers(&third), [3, 3]);
    assert_eq!(third.parts()[2].part.container(), part.container());
}

fn a_bundle_is_made_again_from_the_desk_byte_for_byte(runtime: Runtime) {
    let place = Place::new(runtime);
    place.issue("acme", "one.bundle");
    place.vendor("raise acme --product 201 --quantity 9 --out two.bundle").expect(0);
    place.vendor("bundle acme --number 1 --out again.bundle").expect(0);
    place.vendor("bundle acme --out last.bundle").expect(0);
    let bytes = |name| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("again.bundle"), bytes("one.bundle"));
    assert_eq!(bytes("last.bundle"), bytes("two.bundle"));
    place
        .vendor("bundle acme --number 7 --out no.bundle")
        .expect(2)
        .one_clear_error(&["no issue 7"]);
    place.vendor("bundle acme --out one.bundle").expect(2).one_clear_error(&["not overwritten"]);
    // Nothing is numbered for a bundle that could not be made.
    let line = "raise acme --product 201 --quantity 10 --out one.bundle";
    place.vendor(line).expect(2).one_clear_error(&["one.bundle", "not overwritten"]);
    assert!(!place.path("desk/issues/acme-0003.json").exists());
}

fn what_would_mix_up_customers_is_refused(runtime: Runtime) {
    let place = Place::new(runtime);
    place.spec("spec.json", &json!({ "CmActId": 7 }));
    place.issue("acme", "one.bundle");
    let beta = "issue beta spec.json --request beta.request --out no.bundle";
    place.vendor(beta).expect(2).one_clear_error(&["CmActId 7 is that of acme"]);
    let products = json!([{ "ProductCode": 201, "LicenseQuantity": 5, "TmrId": 1 }]);
    place.spec("spec.json", &json!({ "Products": products }));
    place.vendor(beta).expect(2).one_clear_error(&["TmrId 1 is that of acme"]);
    place.spec("spec.json", &json!({ "CmActId": 8 }));
    let other = place.vendor("issue acme spec.json --out no.bundle").expect(2);
    other.one_clear_error(&["CmActId 8", "have 7"]);
    place.spec("spec.json", &json!({}));
    let unknown = place.vendor("issue gamma spec.json --out no.bundle").expect(2);
    unknown.one_clear_error(&["--request"]);
    let name = place.vendor("issue ../x spec.json --out no.bundle").expect(2);
    assert!(name.err.contains("a customer's name has"), "{}", name.err);
    // Another name for the same containers: their numbers only rise.
    place.vendor("issue acme-2 spec.json --request acme.request --out two.bundle").expect(0);
    assert_eq!(numbers(&place.bundle("two.bundle")), [2, 2]);
    // Another key than the desk's.
    fs::write(place.path("other.key"), "5a".repeat(32)).unwrap();
    let line = "raise acme --product 201 --quantity 9 --out no.bundle --key other.key";
    place.vendor(line).expect(2).one_clear_error(&["other.key", "not the secret key of the desk"]);
    fs::remove_file(place.path("desk/issuer.key")).unwrap();
    let line = "raise acme --product 201 --quantity 9 --out no.bundle";
    place.vendor(line).expect(2).one_clear_error(&["issuer.key", "--key says where it is"]);
    assert!(!place.path("no.bundle").exists() && !place.path("desk/issuer.key").exists());
}

fn a_damaged_file_is_named_and_nothing_is_issued(runtime: Runtime) {
    let place = Place::new(runtime);
    place.issue("acme", "one.bundle");
    let path = place.path("desk/issues/acme-0001.json");
    let good = fs::read_to_string(&path).unwrap();
    let raise = "raise acme --product 201 --quantity 9 --out no.bundle";
    for (text, said) in [
        (String::new(), "is empty"),
        (good[..good.len() / 2].to_owned(), "line"),
        (good.replace("\"Sharing\": 1", "\"Sharing\": 2"), "Sharing"),
        (good.replace("backend-2.example", "backend-9.example"), "was altered"),
        (good.replace("\"LicenseQuantity\": 5", "\"LicenseQuantity\": 0"), "between 1 and"),
        (good.replace("\"acme\"", "\"beta\""), "beta-0001.json"),
        (good.replace("\"Issue\": 1", "\"Isue\": 1"), "did you mean"),
    ] {
        assert_ne!(text, good);
        fs::write(&path, &text).unwrap();
        for line in [raise, "next", "list"] {
            let end = place.vendor(line).expect(2);
            end.one_clear_error(&["acme-0001.json", said]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, &good).unwrap();
    // Notes of a vendor's own are no issues.
    fs::write(place.path("desk/issues/README.md"), "Notes.").unwrap();
    place.vendor("next").expect(0);
    fs::write(place.path("desk/vendor.json"), "[]").unwrap();
    place.vendor("next").expect(2).one_clear_error(&["vendor.json"]);
    fs::remove_file(place.path("desk/vendor.json")).unwrap();
    place.vendor("next").expect(2).one_clear_error(&["vendor.json", "tmrd vendor init"]);
}

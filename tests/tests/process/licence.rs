//! Bundles: issued for the containers of a request, shown, checked and taken apart by commands alone.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tmr_core::licence::{Document, Issuer, IssuerKey};
use tmr_tests::harness::{Finished, Runtime, Scratch, container, write_request};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_bundle_opens_in_the_containers_of_its_request_alone,
    one_part_is_issued_again_and_fits_the_two_in_use,
    what_cannot_be_meant_is_refused_in_words,
    open_parts_are_issued_as_before_and_called_open,
    files_are_listed_shown_and_taken_apart,
    every_file_is_checked_for_what_it_is_and_for_whom,
);

const SECRET: [u8; 32] = [7; 32];

/// A folder with a vendor's keys, a specification and a request.
struct Desk(Scratch);

impl std::ops::Deref for Desk {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.0
    }
}

impl Desk {
    fn new(runtime: Runtime) -> Self {
        let desk = Self(Scratch::new(runtime));
        let issuer = Issuer::from_secret(SECRET);
        desk.write("vendor.key", &issuer.to_text());
        desk.write("vendor.pub", &issuer.public().to_text());
        desk.write("spec.json", &spec().to_string());
        write_request(&desk.path("acme.request"), 5, [1, 2, 3]);
        desk
    }

    fn run(&self, line: &str) -> Finished {
        self.0.run(line.split(' '))
    }

    fn document(&self, name: &str) -> Document {
        Document::read(&fs::read(self.path(name)).unwrap(), Some(&[public()])).unwrap()
    }
}

fn public() -> IssuerKey {
    Issuer::from_secret(SECRET).public()
}

fn spec() -> Value {
    json!({ "FirmCode": 6_000_010, "FirmItemText": "Example", "CmActId": 7, "Products": [
        { "ProductCode": 201, "Text": "Editor", "LicenseQuantity": 5, "TmrId": 1 },
        { "ProductCode": 202, "Text": "Render node", "LicenseQuantity": 20, "TmrId": 2,
          "ExpirationTime": "2040-01-01T00:00:00Z" } ] })
}

const ISSUE: &str = "issue spec.json --request acme.request --key vendor.key --out acme.bundle";

fn a_bundle_opens_in_the_containers_of_its_request_alone(runtime: Runtime) {
    let desk = Desk::new(runtime);
    let end = desk.run(ISSUE).expect(0);
    assert_eq!(end.out.trim_end(), desk.path("acme.bundle").display().to_string());
    for number in 1..=3 {
        let serial = container(number).keys().serial();
        let line = format!("part {number}: container 130-{serial} (backend-{number}.example)");
        assert!(end.err.contains(&line), "{}", end.err);
    }
    let document = desk.document("acme.bundle");
    let Document::Bundle(bundle) = &document else { panic!("{document:?}") };
    let shares = [1, 2].map(|number| document.share(&container(number)).unwrap());
    let part = &bundle.parts()[2].part;
    let opened = part.unlock(&shares[0], &shares[1]).unwrap();
    assert_eq!(opened.part.serial, container(3).keys().serial());
    assert!(part.unlock(&shares[0], &shares[0]).is_err(), "one part is of no use");
    assert!(document.share(&container(4)).is_err(), "nor is any to another container");
    // The same order by the other names of its options.
    let other = "issue spec.json --request acme.request --secret vendor.key --output other.bundle";
    desk.run(other).expect(0);
    assert!(matches!(desk.document("other.bundle"), Document::Bundle(_)));
    // No bundle takes the place of another file.
    let before = fs::read(desk.path("acme.bundle")).unwrap();
    desk.run(ISSUE).expect(2).one_clear_error(&["acme.bundle", "is not overwritten"]);
    assert_eq!(fs::read(desk.path("acme.bundle")).unwrap(), before);
    // A vendor without a key gets one, and its public key.
    let new = "issue spec.json --request acme.request --key new.key --out new.bundle";
    let end = desk.run(new).expect(0);
    assert!(end.out.contains("new.pub") && end.err.contains("a new issuer key"), "{end:?}");
    desk.run("licence verify new.bundle --issuer new.pub").expect(0);
    fs::remove_file(desk.path("new.key")).unwrap();
    desk.run(&new.replace("new.bundle", "newer.bundle")).expect(2).one_clear_error(&["new.pub"]);
}

fn one_part_is_issued_again_and_fits_the_two_in_use(runtime: Runtime) {
    let desk = Desk::new(runtime);
    desk.run(ISSUE).expect(0);
    let again = "issue spec.json --request acme.request --key vendor.key --out two.bundle --only 2";
    desk.run(again).expect(2).one_clear_error(&["--only 2 needs --sharing"]);
    desk.run(&format!("{again} --sharing 1")).expect(2).one_clear_error(&["--number"]);
    desk.run(&format!("{again} --number 2 --sharing 3")).expect(2).one_clear_error(&["at most 2"]);
    desk.run(&format!("{again} --number 2 --sharing 1")).expect(0);
    let (first, again) = (desk.document("acme.bundle"), desk.document("two.bundle"));
    let Document::Bundle(bundle) = &again else { panic!("{again:?}") };
    assert_eq!(bundle.parts().len(), 1);
    assert_eq!(bundle.numbers().issue, 2);
    let one = first.share(&container(1)).unwrap();
    let two = again.share(&container(2)).unwrap();
    assert!(bundle.parts()[0].part.unlock(&one, &two).is_ok());
}

fn what_cannot_be_meant_is_refused_in_words(runtime: Runtime) {
    let desk = Desk::new(runtime);
    let mut spec = spec();
    spec["Products"][1].as_object_mut().unwrap().remove("TmrId");
    desk.write("ordinary.json", &spec.to_string());
    spec["Products"][1]["TmrId"] = 2.into();
    spec["Products"][1]["ExpirationTime"] = "2020-01-01T00:00:00Z".into();
    desk.write("ended.json", &spec.to_string());
    spec.as_object_mut().unwrap().remove("CmActId");
    spec["Serials"] = json!([1, 2, 3]);
    desk.write("serials.json", &spec.to_string());
    let line = |spec: &str| ISSUE.replace("spec.json", spec);
    let ordinary = desk.run(&line("ordinary.json")).expect(2);
    ordinary.one_clear_error(&["ordinary.json", "product 202 has no TmrId", "60 in all"]);
    desk.run(&line("serials.json")).expect(2).one_clear_error(&["serials.json", "leave them out"]);
    desk.run(&line("acme.request")).expect(2).one_clear_error(&["this is a licence request"]);
    assert!(!desk.path("acme.bundle").exists());
    let said = desk.run(&format!("{} --ordinary", line("ordinary.json"))).expect(0);
    assert!(!said.err.contains("warning"), "{}", said.err);
    let ended = line("ended.json").replace("acme.bundle", "ended.bundle");
    let said = desk.run(&ended).expect(0).err;
    assert!(said.contains("product 202 ended on 2020-01-01T00:00:00Z"), "{said}");
    // Requests.
    let request = fs::read_to_string(desk.path("acme.request")).unwrap();
    let spec_text = fs::read_to_string(desk.path("spec.json")).unwrap();
    for (text, said) in [
        (request.replace("backend-2", "backend-9"), "was altered"),
        (request[..300].to_owned(), "ends too early"),
        (spec_text, "not a licence request"),
    ] {
        desk.write("wrong.request", &text);
        let line = ISSUE.replace("acme.request", "wrong.request");
        desk.run(&line).expect(2).one_clear_error(&["wrong.request", said]);
    }
    // Keys.
    desk.write("group.key", &format!("{}\n", "5a".repeat(32)));
    for (key, said) in [
        ("group.key", "a group key"),
        ("vendor.pub", "an issuer's public key"),
        ("spec.json", "64 hexadecimal digits"),
    ] {
        let line = ISSUE.replace("vendor.key", key).replace("acme.bundle", "no.bundle");
        desk.run(&line).expect(2).one_clear_error(&[key, said]);
        assert!(!desk.path("no.bundle").exists());
    }
    let only = "issue spec.json --request acme.request --key none.key --out no.bundle --only 1 \
                --number 2 --sharing 1";
    desk.run(only).expect(2).one_clear_error(&["none.key", "there is no such key"]);
    let both = format!("{} --unbound", ISSUE.replace("acme.bundle", "no.bundle"));
    assert!(desk.run(&both).expect(2).err.contains("--unbound"));
    let number = "issue spec.json --key vendor.key --out open/ --number 2";
    assert!(desk.run(number).expect(2).err.contains("--request"));
}

fn open_parts_are_issued_as_before_and_called_open(runtime: Runtime) {
    let desk = Desk::new(runtime);
    let plain = desk.run("issue spec.json --key vendor.key --out open/").expect(0);
    assert!(plain.err.contains("These parts are open"), "{}", plain.err);
    let meant = desk.run("issue spec.json --unbound --key vendor.key --out open/").expect(0);
    assert_eq!(meant.err, "");
    assert_eq!(plain.out, meant.out);
    assert!(matches!(desk.document("open/2.cmlic"), Document::Open(_)));
    let shown = desk.run("licence show open/2.cmlic").expect(0).out;
    assert!(shown.contains("open part"), "{shown}");
    let secret = fs::read_to_string(desk.path("open/2.cmlic")).unwrap();
    let secret = secret.lines().find(|line| line.contains("Secret")).unwrap().to_owned();
    let digits: String = secret.chars().filter(char::is_ascii_hexdigit).collect();
    assert!(!shown.contains(&digits[digits.len() - 64..]), "{shown}");
    let mut spec = spec();
    spec["Products"][0].as_object_mut().unwrap().remove("TmrId");
    desk.write("spec.json", &spec.to_string());
    let warned = desk.run("issue spec.json --unbound --key vendor.key --out open/").expect(0);
    assert!(warned.err.contains("15 in all"), "{}", warned.err);
}

fn files_are_listed_shown_and_taken_apart(runtime: Runtime) {
    let desk = Desk::new(runtime);
    desk.run(ISSUE).expect(0);
    desk.run("issue spec.json --unbound --key vendor.key --out open/").expect(0);
    let parts = desk.run("licence export acme.bundle --out parts/").expect(0);
    assert_eq!(parts.out.lines().count(), 3);
    desk.run("licence export acme.bundle --out parts/").expect(2).one_clear_error(&["1.cmlic"]);
    desk.run("licence export open/1.cmlic --out other/").expect(2).one_clear_error(&["no bundle"]);
    assert!(
        matches!(desk.document("parts/3.cmlic"), Document::Bound { part, .. } if part.number == 3)
    );
    // What is something else in a folder is left out: keys, the specification.
    let list = desk.run("licence list ./ open/ parts/").expect(0).out;
    assert_eq!(list.lines().count(), 1 + 2 + 3 + 3, "{list}");
    for kind in ["open part", "bound part", "bundle", "request", "2 of 6000010"] {
        assert!(list.contains(kind), "{list}");
    }
    let value: Value =
        serde_json::from_str(&desk.run("licence list ./ --json").expect(0).out).unwrap();
    assert_eq!(value.as_array().unwrap().len(), 2);
    let serials = [1, 2, 3].map(|number| format!("130-{}", container(number).keys().serial()));
    let line = "licence show acme.bundle --json";
    let value: Value = serde_json::from_str(&desk.run(line).expect(0).out).unwrap();
    assert_eq!(
        (&value["kind"], &value["issue"], &value["sharing"]),
        (&json!("bundle"), &json!(1), &json!(1))
    );
    assert_eq!(value["containers"], json!(serials));
    assert_eq!(value["issuer"], public().to_string());
    assert_eq!(value["firm_items"][0]["Products"][1]["LicenseQuantity"], 20);
    let shown = desk.run("licence show acme.bundle acme.request").expect(0).out;
    for text in ["backend-2.example", "Render node", "2040-01-01T00:00:00Z", &serials[0]] {
        assert!(shown.contains(text), "{text}\n{shown}");
    }
    desk.run("licence show spec.json").expect(2).one_clear_error(&["spec.json", "no licence file"]);
    desk.write("cut.bundle", &fs::read_to_string(desk.path("acme.bundle")).unwrap()[..999]);
    let end = desk.run("licence list acme.bundle cut.bundle").expect(1);
    assert!(end.err.contains("cut.bundle: ") && end.out.contains("acme.bundle"), "{end:?}");
}

fn every_file_is_checked_for_what_it_is_and_for_whom(runtime: Runtime) {
    let desk = Desk::new(runtime);
    desk.run(ISSUE).expect(0);
    desk.run("licence export acme.bundle --out parts/").expect(0);
    desk.run("issue spec.json --unbound --key vendor.key --out open/").expect(0);
    write_request(&desk.path("other.request"), 5, [1, 2, 4]);
    write_request(&desk.path("group.request"), 6, [1, 2, 3]);
    fs::create_dir(desk.path("box.1")).unwrap();
    desk.write("box.1/container.key", &container(1).to_text());
    desk.write("stranger.pub", &Issuer::from_secret([8; 32]).public().to_text());
    let good =
        desk.run("licence verify acme.bundle parts/1.cmlic open/1.cmlic --issuer vendor.pub");
    assert_eq!(good.expect(0).out.matches(": good: ").count(), 3);
    let by = |line: &str| desk.run(&format!("licence verify {line} --issuer vendor.pub"));
    by("acme.bundle --request acme.request").expect(0);
    by("parts/1.cmlic --request acme.request --container box.1").expect(0);
    by("acme.bundle --container box.1").expect(0);
    for (line, said) in [
        ("acme.bundle --request other.request", "other containers"),
        ("acme.bundle --request group.request", "another group"),
        ("parts/2.cmlic --container box.1", "issued for container 130-"),
        ("open/1.cmlic --container box.1", "bound to no container"),
        ("spec.json", "no licence file"),
    ] {
        assert!(by(line).expect(1).err.contains(said), "{line}");
    }
    let end = desk.run("licence verify acme.bundle --issuer stranger.pub").expect(1);
    assert!(end.err.contains("which is not trusted here"), "{}", end.err);
    let text = fs::read_to_string(desk.path("parts/1.cmlic")).unwrap();
    desk.write("parts/1.cmlic", &text.replace("\"LicenseQuantity\": 5", "\"LicenseQuantity\": 6"));
    let end = by("parts/1.cmlic parts/2.cmlic").expect(1);
    assert!(end.err.contains("altered") && end.err.contains("1 of 2 files"), "{end:?}");
    assert!(end.out.contains("2.cmlic: good"), "{end:?}");
    assert!(Path::new(&desk.path("parts/1.cmlic")).exists());
}

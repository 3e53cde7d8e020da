//! The command line: its options, its messages, and its exit codes.

use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Program, Runtime, SEATS, TMR, Workshop, specification, take,
};
use tmr_tests::independent_client::AccessRequest;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    every_command_has_help_with_an_example,
    wrong_use_ends_with_2,
    an_unreachable_server_ends_with_4,
    keygen_never_overwrites,
    issue_can_make_one_part_again,
    the_client_commands_work,
    a_list_shows_what_a_person_wants_to_know,
    status_is_a_table_or_one_json_value,
);

/// The commands of the contract that this program implements so far.
const COMMANDS: [&[&str]; 37] = [
    &["demo"],
    &["keygen"],
    &["issue"],
    &["backend"],
    &["container"],
    &["container", "show"],
    &["container", "export"],
    &["container", "import"],
    &["licence"],
    &["licence", "list"],
    &["licence", "show"],
    &["licence", "verify"],
    &["licence", "export"],
    &["vendor"],
    &["vendor", "init"],
    &["vendor", "next"],
    &["vendor", "issue"],
    &["vendor", "renew"],
    &["vendor", "raise"],
    &["vendor", "reissue"],
    &["vendor", "revoke"],
    &["vendor", "bundle"],
    &["vendor", "list"],
    &["serve"],
    &["check-config"],
    &["token"],
    &["status"],
    &["activate"],
    &["failover"],
    &["doctor"],
    &["client"],
    &["client", "version"],
    &["client", "servers"],
    &["client", "list"],
    &["client", "access"],
    &["client", "replay"],
    &["bench"],
];

fn name(path: &Path) -> &str {
    path.to_str().expect("the temporary folder has a plain name")
}

fn every_command_has_help_with_an_example(runtime: Runtime) {
    let program = Program::of(runtime);
    let help = program.run(["--help"]).expect(0);
    for command in COMMANDS {
        if let [first] = command {
            assert!(help.out.contains(first), "{first} is in the list of commands\n{}", help.out);
        }
        let help = program.run(command.iter().chain(&["--help"])).expect(0);
        let example = help.out.lines().any(|line| {
            let line = line.trim_start().trim_start_matches("$ ");
            line.contains("tmrd")
                && command.iter().all(|word| line.contains(word))
                && !line.starts_with("Usage:")
        });
        assert!(example, "{command:?} has no example:\n{}", help.out);
    }
}

fn wrong_use_ends_with_2(runtime: Runtime) {
    let program = Program::of(runtime);
    for arguments in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &["status", "--no-such-option"],
        &["backend"],
        &["serve", "--config"],
        &["client", "version"],
        &["client", "--server", "127.0.0.1:1", "access", "--firm-code", "many"],
        &["client", "--server", "no port", "version"],
    ] {
        let end = program.run(arguments).expect(2);
        assert_eq!(end.out, "", "words for people go to standard error: {end:?}");
        assert_ne!(end.err, "", "{arguments:?} says what is wrong");
        assert!(!end.err.contains("panicked"), "{}", end.err);
    }
}

fn an_unreachable_server_ends_with_4(runtime: Runtime) {
    let program = Program::of(runtime);
    // A port that was free a moment ago, at an address where no other program listens.
    let free = SocketAddr::from(([127, 255, 77, 77], 0));
    let listener = TcpListener::bind(free).expect("a port is free");
    let nobody = listener.local_addr().expect("a listener has an address").to_string();
    drop(listener);
    let url = format!("http://{nobody}");
    for arguments in [
        &["client", "--server", &nobody, "version"][..],
        &["client", "--server", &nobody, "list"],
        &["status", "--admin", &url],
        &["status", "--admin", &url, "--json"],
        &["activate", "--admin", &url],
        &["failover", "--admin", &url],
    ] {
        let end = program.run(arguments).expect(4);
        assert_eq!(end.out, "", "{end:?}");
        end.one_clear_error(&[&nobody]);
    }
}

fn keygen_never_overwrites(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let key = workshop.group_key();
    let mode = fs::metadata(&key).expect("the key is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read_to_string(&key).expect("a key is text");
    assert_eq!(hex::decode(before.trim_end()).expect("a key is hex").len(), 32);
    let end = workshop.program().run(["keygen", name(&key)]);
    assert!(!matches!(end.code, Some(0) | None), "{end:?}");
    end.one_clear_error(&[name(&key)]);
    assert_eq!(fs::read_to_string(&key).expect("a key is text"), before);

    // A key that others may read is no secret.
    let other = workshop.folder().join("other.key");
    workshop.program().run(["keygen", name(&other)]).expect(0);
    assert_ne!(fs::read_to_string(&other).expect("a key is text"), before, "a new one each time");
}

fn issue_can_make_one_part_again(runtime: Runtime) {
    let workshop = Workshop::new(runtime, &specification(&[(TMR, SEATS)]));
    let parts = || [1, 2, 3].map(|part| fs::read(workshop.licence(part)).expect("a licence"));
    let before = parts();
    assert!(before[0] != before[1] && before[1] != before[2], "each container is one of its own");
    fs::remove_file(workshop.licence(2)).expect("a licence can be removed");
    let folder = workshop.folder();
    let (specification, key) = (folder.join("licences.json"), folder.join("issuer.key"));
    let out = folder.join("licences");
    let arguments =
        ["issue", name(&specification), "--key", name(&key), "--out", name(&out), "--only", "2"];
    workshop.program().run(arguments).expect(0);
    let after = parts();
    assert_eq!((&after[0], &after[2]), (&before[0], &before[2]), "the others are untouched");
}

fn the_client_commands_work(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let server = cluster.front().licence().to_string();
    let client = |arguments: &[&str]| {
        cluster.program().run(["client", "--server", &server].iter().chain(arguments))
    };
    let (firm, product) = (FIRM_CODE.to_string(), TMR.to_string());
    let access = ["access", "--firm-code", &firm, "--product-code", &product];

    assert_ne!(client(&["version"]).expect(0).out.trim(), "");
    assert_ne!(client(&["servers"]).expect(0).out.trim(), "");
    let list = client(&["list"]).expect(0);
    assert!(list.out.contains(&firm) && list.out.contains(&product), "{}", list.out);
    let json = client(&["list", "--json"]).expect(0);
    let _: Value = serde_json::from_str(&json.out).expect("one JSON value");
    for mode in ["user-limit", "no-user-limit", "exclusive", "station-share"] {
        client(&[&access[..], &["--mode", mode]].concat()).expect(0);
    }
    assert_eq!(cluster.used(TMR), 0, "each gave back what it took");

    let conversation =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/frames/access_crypt2.json");
    let replay = client(&["replay", name(&conversation)]).expect(0);
    assert!(replay.out.lines().count() >= 3, "each reply is printed: {}", replay.out);

    // The first server that answers is used.
    let nobody = format!("{}:1", cluster.workshop().ip());
    let both = format!("{nobody},{server}");
    cluster.program().run(["client", "--server", &both, "version"]).expect(0);

    let mut held = cluster.client();
    for _ in 0..SEATS {
        let seat = take(&mut held, &AccessRequest::new(FIRM_CODE, TMR))
            .expect("the connection stays open");
        seat.expect("a seat is free");
    }
    let end = client(&access).expect(3);
    end.one_clear_error(&["212", "CMERROR_NO_MORE_LICENSES"]);
    let end = client(&["access", "--firm-code", &firm, "--product-code", "999"]).expect(3);
    end.one_clear_error(&["200", "CMERROR_ENTRY_NOT_FOUND"]);
}

fn a_list_shows_what_a_person_wants_to_know(runtime: Runtime) {
    let rich = json!({
        "ProductCode": 205, "Text": "Simulator", "LicenseQuantity": 4, "TmrId": 7,
        "FeatureMap": 6, "ExpirationTime": "2099-01-01T00:00:00Z",
        "ActivationTime": "2020-01-01T12:00:00Z", "LingerTime": 60, "UnitCounter": 37,
        "MaintenancePeriod": { "Start": "2020-01-01T00:00:00Z", "End": "9999-01-01T00:00:00Z" },
        "DeniedModes": ["exclusive", "station-share"], "MinimumRuntimeVersion": "7.10.1",
    });
    let period = json!({
        "ProductCode": 206, "Text": "Trial", "LicenseQuantity": 2, "TmrId": 1,
        "UsagePeriod": 864_000,
    });
    let cluster = Cluster::of(runtime).product(rich).product(period).start();
    let server = cluster.front().licence().to_string();
    let list = || cluster.program().run(["client", "--server", &server, "list"]).expect(0).out;
    let mut holder = cluster.client();
    let handle =
        take(&mut holder, &AccessRequest::new(FIRM_CODE, TMR)).expect("the connection stays open");
    handle.expect("a seat is free");
    let expected = "\
virtual container 131-59885682

Firm Item 6000010  Example
  product  TMR-Id  seats  used  free  text
  201      1       5      1     4     Product 201
           held: 1 user-limit
  205      7       4      0     4     Simulator
           units left 37; expires 2099-01-01; active from 2020-01-01T12:00:00Z;
           maintained 2020-01-01 to 9999-01-01; features 0x6; denied: exclusive, station-share;
           runtime from 7.10.1; lingers 60 s
  206      -       2      0     2     -
           usage period 10 days, not begun
";
    assert_eq!(list(), expected);
    // Repeated listing begins no usage period and leaves no handle.
    assert_eq!(list(), expected);
    assert_eq!(cluster.status()["allocations"].as_array().map(Vec::len), Some(1));

    take(&mut holder, &AccessRequest::new(FIRM_CODE, 206))
        .expect("an answer")
        .expect("a seat is free");
    let begun = list();
    assert!(begun.contains("206      1       2      1     1     Trial"), "{begun}");
    assert!(begun.contains("usage period 10 days, began 2"), "{begun}");

    let json = cluster.program().run(["client", "--server", &server, "list", "--json"]).expect(0);
    let rows: Value = serde_json::from_str(&json.out).expect("one JSON value");
    let row = &rows[1];
    for (key, value) in [
        ("container", json!("131-59885682")),
        ("firm_code", json!(FIRM_CODE)),
        ("firm_item_text", json!("Example")),
        ("product_code", json!(205)),
        ("text", json!("Simulator")),
        ("tmr_id", json!(7)),
        ("feature_map", json!(6)),
        ("quantity", json!(4)),
        ("used", json!(0)),
        ("free", json!(4)),
        ("available", json!(true)),
        ("held", json!({})),
        ("denied_modes", json!(["exclusive", "station-share"])),
        ("expires", json!("2099-01-01T00:00:00Z")),
        ("activates", json!("2020-01-01T12:00:00Z")),
        ("maintenance", json!({ "start": "2020-01-01T00:00:00Z", "end": "9999-01-01T00:00:00Z" })),
        ("usage_period_seconds", Value::Null),
        ("usage_began", Value::Null),
        ("units_left", json!(37)),
        ("linger_seconds", json!(60)),
        ("minimum_runtime_version", json!("7.10.1")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
}

fn status_is_a_table_or_one_json_value(runtime: Runtime) {
    let cluster = Cluster::start(runtime);
    let url = format!("http://{}", cluster.front().admin());
    let json = cluster.program().run(["status", "--admin", &url, "--json"]).expect(0);
    let value: Value = serde_json::from_str(&json.out).expect("one JSON value");
    assert_eq!(value["role"], "active");
    let table = cluster.program().run(["status", "--admin", &url]).expect(0);
    for word in [TMR.to_string(), "active".into(), cluster.backends[0].licence().to_string()] {
        assert!(table.out.contains(&word), "{word} is in the table\n{}", table.out);
    }
}

//! The command line: what it takes, what it says, and how it ends.

use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tmr_tests::foreign::Ask;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Program, Runtime, SEATS, TMR, Workshop, specification, take,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    every_command_has_help_with_an_example,
    wrong_use_ends_with_2,
    an_unreachable_server_ends_with_4,
    keygen_never_overwrites,
    issue_can_make_one_part_again,
    the_client_commands_work,
    status_is_a_table_or_one_json_value,
);

/// The commands of the contract that this program has so far.
const COMMANDS: [&[&str]; 15] = [
    &["demo"],
    &["keygen"],
    &["issue"],
    &["backend"],
    &["serve"],
    &["check-config"],
    &["status"],
    &["activate"],
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
    // A port that was free a moment ago, at an address where nobody else listens.
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

    // The first server that answers is taken.
    let nobody = format!("{}:1", cluster.workshop().ip());
    let both = format!("{nobody},{server}");
    cluster.program().run(["client", "--server", &both, "version"]).expect(0);

    let mut held = cluster.client();
    for _ in 0..SEATS {
        let seat = take(&mut held, &Ask::new(FIRM_CODE, TMR)).expect("the connection stays open");
        seat.expect("a seat is free");
    }
    let end = client(&access).expect(3);
    end.one_clear_error(&["212", "CMERROR_NO_MORE_LICENSES"]);
    let end = client(&["access", "--firm-code", &firm, "--product-code", "999"]).expect(3);
    end.one_clear_error(&["200", "CMERROR_ENTRY_NOT_FOUND"]);
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

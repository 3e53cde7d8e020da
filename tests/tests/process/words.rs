//! Messages for wrong input on the command line and in files: each input with its message, as one
//! list that a person can judge.

use std::fmt::Write;
use std::fs;
use tmr_tests::harness::{Runtime, SEATS, TMR, Workshop, specification};

/// The least number of inputs. Fewer inputs would not cover the kinds of mistakes.
const LEAST: usize = 100;

const OPTIONS: &[&[&str]] = &[
    &[],
    &["strat"],
    &["sevre"],
    &["serve"],
    &["serve", "--config"],
    &["serve", "--config", "DIR/nowhere.json", "--state", "DIR/front"],
    &["backend"],
    &["backend", "--listen", "22350"],
    &["backend", "--listen", "[::1", "--license", "DIR/licences/1.cmlic"],
    &["backend", "--listen", "127.0.0.1:99999"],
    &["backend", "--clients", "10.0.0.0/33"],
    &["backend", "--log-format", "xml"],
    &["keygen"],
    &["keygen", "DIR/group.key"],
    &["keygen", "DIR/nowhere/group.key"],
    &["issue", "DIR/nowhere.json", "--key", "DIR/issuer.key", "--out", "DIR/new"],
    &["issue", "DIR/licences.json", "--key", "DIR/group.txt", "--out", "DIR/new"],
    &["issue", "DIR/licences.json", "--key", "DIR/licences/issuer.pub", "--out", "DIR/new"],
    &["issue", "DIR/licences.json", "--key", "DIR/group.key", "--out", "DIR/new"],
    &["issue", "DIR/licences.json", "--key", "DIR/issuer.key", "--out", "DIR/new", "--only", "4"],
    &["issue", "DIR/licences.json", "--key", "DIR/issuer.key", "--out", "DIR/new", "--only", "one"],
    &["issue", "DIR/licences.json", "--request", "DIR/nowhere", "--key", "DIR/x", "--out", "DIR/x"],
    &[
        "issue",
        "DIR/licences.json",
        "--request",
        "DIR/group.txt",
        "--key",
        "DIR/x",
        "--out",
        "DIR/x",
    ],
    &[
        "issue",
        "DIR/licences.json",
        "--unbound",
        "--key",
        "DIR/x",
        "--out",
        "DIR/x",
        "--sharing",
        "1",
    ],
    &["container"],
    &["container", "show", "--container", "DIR/nowhere"],
    &["container", "export", "--container", "DIR/nowhere", "DIR/copy"],
    &["container", "import", "--container", "DIR/nowhere", "DIR/group.key"],
    &["container", "import", "--container", "DIR/nowhere", "DIR/licences.json"],
    &["licence", "list"],
    &["licence", "list", "DIR/nowhere"],
    &["licence", "show", "DIR/group.key"],
    &["licence", "verify", "DIR/licences/1.cmlic"],
    &["licence", "verify", "DIR/licences/1.cmlic", "--issuer", "DIR/group.key"],
    &["licence", "export", "DIR/licences/1.cmlic", "--out", "DIR/new"],
    &["vendor", "list", "--desk", "DIR"],
    &["vendor", "issue", "Acme & Co", "DIR/licences.json", "--out", "DIR/x"],
    &["vendor", "renew", "acme", "--until", "soon", "--out", "DIR/x"],
    &["vendor", "raise", "acme", "--product", "201", "--quantity", "0", "--out", "DIR/x"],
    &["vendor", "reissue", "acme", "--only", "4", "--out", "DIR/x"],
    &["check-config"],
    &["check-config", "DIR"],
    &["check-config", "--schema", "DIR/x"],
    &["password"],
    &["password", "--role", "admin", "DIR/passwords"],
    &["token"],
    &["token", "--name", "two words", "DIR/passwords"],
    &["token", "--name", "one", "--days", "0", "DIR/passwords"],
    &["token", "--name", "one", "--days", "a year", "DIR/passwords"],
    &["token", "--name", "one", "--role", "admin", "DIR/passwords"],
    &["token", "--name", "one", "--out", "DIR/group.txt", "DIR/passwords"],
    &["token", "--name", "one", "--list"],
    &["token", "--revoke", "one", "DIR/passwords"],
    &["token", "--list", "DIR/group.txt"],
    &["status", "--admin", "https://127.0.0.1:1"],
    &["status", "--admin", "DIR/admin.sock", "--ca", "DIR/nowhere.pem"],
    &["status", "--admin", "https://127.0.0.1:1", "--ca", "DIR/group.txt"],
    &["status", "--admin", "127.0.0.1:1", "--token-file", "DIR/nowhere.token"],
    &["status", "--admin", "127.0.0.1:1", "--password-file", "-"],
    &["status", "--admin", "http://127.0.0.1"],
    &["status", "--admin", "127.0.0.1:x"],
    &["track", "everything"],
    &["report", "--from", "yesterday"],
    &["report", "--from", "2026-13-01"],
    &["report", "--by", "month"],
    &["report", "--history", "DIR/nowhere"],
    &["client", "version"],
    &["client", "--server", "no port", "version"],
    &["client", "--server", "127.0.0.1:0x10", "version"],
    &["client", "--server", "127.0.0.1:1", "access", "--firm-code", "many"],
    &["client", "--server", "127.0.0.1:1", "access", "--firm-code", "-5"],
    &["client", "--server", "127.0.0.1:1", "access", "--firm-code", "10"],
    &["client", "--server", "127.0.0.1:1", "access", "--mode", "floating"],
    &["client", "--server", "127.0.0.1:1", "replay", "DIR/nowhere.json"],
    &["demo", "--port", "70000"],
    &["demo", "--port", "any"],
    &["release", "--handle", "all"],
    &["release", "--address", "host"],
    &["demo", "--ip", "localhost"],
    &["demo", "--json"],
    &["bench", "crypt", "--server", "127.0.0.1:1", "--clients", "0"],
];

const TWIN: &str = "\"TwinServer\": {\"Ip\": \"192.0.2.9\", \"Port\": 22354}";
const SERVERS: &str = "{\"Ip\": \"192.0.2.1\", \"Port\": 22350}, {\"Ip\": \"192.0.2.2\", \"Port\": 22350}, \
                       {\"Ip\": \"192.0.2.3\", \"Port\": 22350}";

/// Returns configurations: the contents of TmrServer and of CmServer, and the keys beside them.
fn configurations() -> Vec<String> {
    let whole = |tmr: &str, cm: &str, rest: &str| {
        format!("{{\"TmrServer\": {{{tmr}}},\n\"CmServer\": {{{cm}}}{rest}}}")
    };
    let servers = format!("\"Server\": [{SERVERS}]");
    let tmr = |more: &str| whole(&format!("{TWIN}, {more}"), &servers, "");
    let cm = |cm: &str| whole(TWIN, cm, "");
    let rest = |more: &str| whole(TWIN, &servers, &format!(",\n{more}"));
    let twin = |twin: &str| whole(&format!("\"TwinServer\": {twin}"), &servers, "");
    vec![
        String::new(),
        "{".into(),
        "[]".into(),
        "TmrServer".into(),
        "{}".into(),
        "{\"TmrServer\": {}}".into(),
        format!("\u{feff}{}", tmr("\"Port\": 22350")),
        format!("{} x", tmr("\"Port\": 22350")),
        tmr("\"Port\": 22350,"),
        tmr("'Port': 22350"),
        tmr("\"Port\" 22350"),
        tmr("\"Port\": \"22350\""),
        tmr("\"Port\": 223500"),
        tmr("\"Port\": 22350, \"Port\": 22351"),
        tmr("\"Prot\": 22350"),
        tmr("\"Ip\": \"300.1.1.1\""),
        tmr("\"Ip\": 5"),
        tmr("\"VirtualIp\": \"192.0.2.42\""),
        tmr("\"VirtualIp\": [\"licences.example\"]"),
        tmr("\"GroupKeyFile\": \"\""),
        tmr("\"CleanUpTimeInSeconds\": 1"),
        tmr("\"CleanUpTimeInSeconds\": \"two minutes\""),
        tmr("\"MinimumClientVersion\": 7"),
        tmr("\"MinimumClientVersion\": \"new\""),
        tmr("\"HandleBinding\": \"maybe\""),
        tmr("\"TwinListen\": {\"Port\": 22350}"),
        twin("\"192.0.2.9\""),
        twin("{\"Ip\": \"192.0.2.9\"}"),
        twin("{\"Ip\": \"0.0.0.0\", \"Port\": 22354}"),
        twin("{\"Ip\": \"192.0.2.9\", \"Port\": 0}"),
        cm("\"Server\": []"),
        cm("\"Server\": \"192.0.2.1\""),
        cm(&format!("\"Server\": [{SERVERS}, {SERVERS}]")),
        cm(&format!("\"Server\": [{}]", SERVERS.replace("192.0.2.3", "192.0.2.1"))),
        cm(&format!("\"Server\": [{}]", SERVERS.replace("192.0.2.3", "::"))),
        cm(&format!("\"Server\": [{}]", SERVERS.replace("192.0.2.3", "127.0.0.1"))),
        cm(&format!("{servers}, \"Unfenced\": true")),
        cm(&format!("{servers}, \"Unfenced\": \"yes\"")),
        cm(&format!("{servers}, \"NetworkRetryIntervalInSeconds\": 0.5")),
        rest("\"WebAdmin\": {\"Port\": 22350}"),
        rest("\"WebAdmin\": {\"CertificateChainFile\": \"chain.pem\"}"),
        rest("\"WebAdmin\": {\"HostNames\": [\"http://licences\"]}"),
        rest("\"WebAdmn\": {}"),
        rest("\"Log\": {\"Level\": \"loud\"}"),
        rest("\"Log\": {\"Format\": \"xml\"}"),
        rest("\"VirtualContainers\": [{\"CmActId\": 5}]"),
        rest("\"VirtualContainers\": [{\"Serials\": [1, 2]}]"),
        rest("\"AccessControl\": [{\"Action\": \"permit\", \"Networks\": [\"10.0.0.0/8\"]}]"),
        rest("\"AccessControl\": [{\"Action\": \"deny\", \"Networks\": [\"10.0.0.0/40\"]}]"),
        rest("\"LicenseTracking\": {\"KeepMonths\": -1}"),
        rest("\"LicenseTracking\": {\"Path\": \"/proc/history\"}"),
        rest("\"LicenseTracking\": {\"Path\": \"/dev/history\"}"),
        rest("\"Log\": {\"File\": \"/sys/tmrd.log\"}"),
        rest("\"Log\": {\"File\": \"/var/../dev/null\"}"),
    ]
}

/// Returns specifications: the keys beside Firm Code and products, or those of a product.
fn specifications() -> Vec<String> {
    let product = |more: &str| {
        format!(
            "{{\"FirmCode\": 6000010, \"Products\": [\n{{\"ProductCode\": 201, \"LicenseQuantity\": 5, \
             {more}}}]}}"
        )
    };
    let top = |more: &str| {
        format!("{{{more}, \"Products\": [{{\"ProductCode\": 201, \"LicenseQuantity\": 5}}]}}")
    };
    vec![
        String::new(),
        "{\"FirmCode\": 10".into(),
        "[]".into(),
        format!("\u{feff}{}", top("\"FirmCode\": 10")),
        format!("{}}}", top("\"FirmCode\": 10")),
        top("\"FirmCode\": 100001"),
        top("\"FirmCode\": \"6000010\""),
        top("\"FirmCode\": 10, \"FirmCode\": 10"),
        top("\"FrimCode\": 10"),
        top("\"CmActId\": 5"),
        top("\"FirmCode\": 10, \"CmActId\": 0"),
        top("\"FirmCode\": 10, \"CmActId\": 99999999999"),
        top("\"FirmCode\": 10, \"Serials\": [1, 2]"),
        top("\"FirmCode\": 10, \"Serials\": 7"),
        top("\"FirmCode\": 10, \"CmActId\": 5, \"Serials\": [1, 2, 3]"),
        "{\"FirmCode\": 10}".into(),
        "{\"FirmCode\": 10,\n \"Products\": []}".into(),
        "{\"FirmCode\": 10, \"Products\": {\"ProductCode\": 1}}".into(),
        "{\"FirmCode\": 10, \"Products\": [{\"ProductCode\": 1}]}".into(),
        "{\"FirmCode\": 10, \"Products\": [5]}".into(),
        "{\"FirmCode\": 10, \"Products\": [{\"ProductCode\": 1, \"LicenseQuantity\": 0}]}".into(),
        "{\"FirmCode\": 10, \"Products\": [{\"ProductCode\": 1, \"LicenseQuantity\": \"5\"}]}"
            .into(),
        "{\"FirmCode\": 10, \"Products\": [{\"ProductCode\": 1, \"LicenceQuantity\": 5}]}".into(),
        product("\"ProductCode\": 202"),
        product("\"Text\": 5"),
        product("\"Text\": \"two\\nlines\""),
        product("\"TmrId\": 0"),
        product("\"TmrId\": -1"),
        product("\"FeatureMap\": \"0x5\""),
        product("\"UsagePeriod\": \"30 days\""),
        product("\"UsagePeriod\": 1.5"),
        product("\"LingerTime\": \"1m\""),
        product("\"UnitCounter\": true"),
        product("\"ExpirationTime\": \"2030-01-01\""),
        product("\"ExpirationTime\": 2030"),
        product("\"ExpirationTime\": \"1960-01-01T00:00:00Z\""),
        product(
            "\"ActivationTime\": \"2031-01-01T00:00:00Z\", \"ExpirationTime\": \"2030-01-01T00:00:00Z\"",
        ),
        product("\"MaintenancePeriod\": \"2030\""),
        product("\"MaintenancePeriod\": {\"Start\": \"2030-01-01T00:00:00Z\"}"),
        product("\"MinimumRuntimeVersion\": 7.10"),
        product("\"MinimumRuntimeVersion\": \"7\""),
        product("\"DeniedModes\": \"exclusive\""),
        product("\"DeniedModes\": [\"exclusiv\"]"),
        // The licence is issued, with a warning.
        product("\"ExpirationTime\": \"2020-01-01T00:00:00Z\""),
    ]
}

/// Returns licence files: a description of each, and its bytes, made from a good file.
fn licences(good: &str) -> Vec<(&'static str, String)> {
    vec![
        ("empty", String::new()),
        ("a text", "licence".into()),
        ("cut off", good[..good.len() / 2].into()),
        ("with the line ends of Windows", good.replace('\n', "\r\n")),
        ("with a byte order mark", format!("\u{feff}{good}")),
        ("of a later version", good.replacen("tmr-license 1", "tmr-license 2", 1)),
        ("with a seat more", good.replacen("\"LicenseQuantity\": 5", "\"LicenseQuantity\": 6", 1)),
        ("with a line more", format!("{good}\n")),
    ]
}

#[test]
fn every_wrong_input_gets_a_message_for_people() {
    let workshop = Workshop::new(Runtime::Smol, &specification(&[(TMR, SEATS)]));
    let folder =
        workshop.folder().to_str().expect("the temporary folder has a plain name").to_owned();
    fs::write(workshop.folder().join("group.txt"), "no key").expect("a file can be written");
    let file = |name: &str, text: &str| {
        fs::write(workshop.folder().join(name), text).expect("a file can be written");
    };
    let (mut list, mut count) = (String::new(), 0);
    let mut play = |shown: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(|it| it.replace("DIR", &folder));
        let end = workshop.program().run(arguments);
        let said = end.err.replace(&folder, "DIR");
        for parser in [
            "u32",
            "u64",
            "invalid type",
            "invalid value: ",
            "invalid digit",
            "struct ",
            "panicked",
            "(os error",
        ] {
            assert!(!said.contains(parser), "{shown}: {said}");
        }
        assert!(!said.trim().is_empty(), "{shown}: it says nothing");
        let code = end.code.expect("no signal ends it");
        let _ = writeln!(list, "{shown}\n  -> {code}");
        // Empty lines are left out.
        for line in said.lines().filter(|line| !line.trim().is_empty()) {
            let _ = writeln!(list, "     {line}");
        }
        list.push('\n');
        count += 1;
    };
    for line in OPTIONS {
        play(&format!("tmrd {}", line.join(" ")), line);
    }
    for text in configurations() {
        file("tmrconf.json", &text);
        play(&format!("tmrconf.json {text:?}"), &["check-config", "DIR/tmrconf.json"]);
    }
    for text in specifications() {
        file("spec.json", &text);
        let line = ["issue", "DIR/spec.json", "--key", "DIR/issuer.key", "--out", "DIR/new"];
        play(&format!("spec.json {text:?}"), &line);
    }
    let good = fs::read_to_string(workshop.licence(1)).expect("a licence is text");
    for (what, text) in licences(&good) {
        file("one.cmlic", &text);
        let line = [
            "backend",
            "--listen",
            "127.0.0.1:0",
            "--license",
            "DIR/one.cmlic",
            "--issuer",
            "DIR/licences/issuer.pub",
            "--group-key",
            "DIR/group.key",
            "--state",
            "DIR/state",
        ];
        play(&format!("a licence file {what}"), &line);
    }
    let secret = fs::read_to_string(workshop.folder().join("issuer.key")).expect("a key is text");
    file("vendor.txt", &secret);
    file("vendor.pub", &secret);
    for (issuer, group) in [
        ("issuer.key", "group.key"),
        ("vendor.txt", "group.key"),
        ("vendor.pub", "group.key"),
        ("group.key", "group.key"),
        ("licences/issuer.pub", "licences/issuer.pub"),
        ("licences/issuer.pub", "issuer.key"),
    ] {
        let line = format!(
            "backend --listen 127.0.0.1:0 --license DIR/licences/1.cmlic --issuer DIR/{issuer} --group-key \
             DIR/{group} --state DIR/state"
        );
        play(&format!("tmrd {line}"), &line.split(' ').collect::<Vec<_>>());
    }
    for state in ["/proc/tmrd", "/sys/tmrd", "/dev/tmrd"] {
        let line = format!(
            "backend --listen 127.0.0.1:0 --license DIR/licences/1.cmlic --issuer DIR/licences/issuer.pub \
             --group-key DIR/group.key --state {state}"
        );
        play(&format!("tmrd {line}"), &line.split(' ').collect::<Vec<_>>());
    }
    assert!(count >= LEAST, "{count} inputs");
    insta::assert_snapshot!(list);
}

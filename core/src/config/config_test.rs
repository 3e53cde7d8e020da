//! What `tmrconf.json` may say, and what is said about everything else.

use super::*;
use crate::base::limits;
use crate::log::ContainerId;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;

pub(super) const MINIMAL: &str = r#"{
  "TmrServer": {
    "TwinServer": { "Ip": "192.0.2.17", "Port": 22354 }
  },
  "CmServer": {
    "Server": [
      { "Ip": "192.0.2.1", "Port": 22350 },
      { "Ip": "192.0.2.2", "Port": 22350 },
      { "Ip": "192.0.2.3", "Port": 22350 }
    ]
  }
}
"#;

/// The documented example (protocol facts 9), section for section as it is printed there.
pub(super) const DOCUMENTED_TMR_SERVER: &str = r#""TmrServer": {

 "TwinServer": {

         "Ip": "2001:db8:0:f::17",

         "Port": 22354

         "ConnectTimeoutInSeconds": 3

         "TransferTimeoutInSeconds": 10

         }

}"#;
pub(super) const DOCUMENTED_CM_SERVER: &str = r#""CmServer": {

 "NetworkRetryIntervalInSeconds": 30,

 "Server": [

         {

                 "Ip": "2001:db8:0:b::1",

                 "Port": 22350

         },

         {

                 "Ip": "2001:db8:0:b::2",

                 "Port": 22350

         },

         {

                 "Ip": "2001:db8:0:b::3",

                 "Port": 22350

         }

                 }

 ]
"#;

fn address(host: &str, port: u16) -> Address {
    Address { host: host.into(), port }
}

pub(super) fn error(text: &str) -> String {
    Config::parse(text).expect_err(text).to_string()
}

/// What is said about the minimal configuration with one piece changed.
fn changed(old: &str, new: &str) -> String {
    assert_eq!(MINIMAL.matches(old).count(), 1, "{old}");
    error(&MINIMAL.replace(old, new))
}

#[test]
fn the_minimal_one_has_the_documented_defaults() {
    let config = Config::parse(MINIMAL).unwrap();
    let expected = Config {
        listen: address("::", 22350),
        virtual_ips: vec![],
        revision: 0,
        twin: Twin {
            address: address("192.0.2.17", 22354),
            connect_timeout: Duration::from_secs(3),
            transfer_timeout: Duration::from_secs(10),
        },
        twin_listen: address("::", 22354),
        group_key_file: "/etc/wibu/CodeMeter/tmr-group.key".into(),
        cleanup: limits::CLEANUP_DEFAULT,
        policy: Policy::default(),
        backends: [1, 2, 3].map(|n| address(&format!("192.0.2.{n}"), 22350)),
        retry: Duration::from_secs(30),
        unfenced: false,
        admin: address("127.0.0.1", 22352),
        web: Web {
            password_file: "/etc/wibu/CodeMeter/tmr-admin.passwd".into(),
            certificate: None,
            host_names: vec![],
            trusted_proxies: vec![],
        },
        virtuals: vec![],
        log: Log { file: None, json: false, level: "info".into() },
        tracking: Tracking {
            enabled: true,
            path: None,
            file: 16 << 20,
            files: 512 << 20,
            months: 13,
        },
    };
    assert_eq!(config, expected);
}

#[test]
fn the_full_one_says_everything_itself() {
    let text = r#"{
      "VirtualContainers": [ { "CmActId": 305419896, "Serial": 59885682 }, { "Serial": 1, "CmActId": 4294967295 },
        { "Serials": [1000003, 1000001, 1000002], "Serial": 2 }, { "Serials": [4, 5, 6] } ],
      "WebAdmin": { "Ip": "::1", "Port": 0, "PasswordFile": "passwords", "HostNames": ["licences.example.org", "lic"], "TrustedProxies": ["192.0.2.9"],
        "CertificateChainFile": "chain.pem", "PrivateKeyFile": "key.pem" },
      "LicenseTracking": { "Enabled": false, "Path": "/srv/history", "MaxFileSizeInMegabytes": 1,
        "MaxTotalSizeInMegabytes": 4, "KeepMonths": 240 },
      "CmServer": {
        "NetworkRetryIntervalInSeconds": 5,
        "Unfenced": true,
        "Server": [ { "Ip": "2001:db8:0:b::1", "Port": 1 }, { "Ip": "B2.example.org", "Port": 65535 }, { "Ip": "2001:db8:0:b::1", "Port": 2 } ]
      },
      "TmrServer": {
        "Ip": "2001:db8::a", "Port": 22351,
        "VirtualIp": ["192.0.2.42", "2001:db8:0:f::2a"],
        "TwinServer": { "Ip": "twin", "Port": 22355, "ConnectTimeoutInSeconds": 4, "TransferTimeoutInSeconds": 11 },
        "TwinListen": { "Port": 22356 },
        "GroupKeyFile": "group.key", "Revision": 7,
        "CleanUpTimeInSeconds": 30
      },
      "Log": { "File": "tmrd.log", "Format": "json", "Level": "tmr_core::front=debug,warn" }
    }"#;
    let expected = Config {
        listen: address("2001:db8::a", 22351),
        revision: 7,
        virtual_ips: vec!["192.0.2.42".parse().unwrap(), "2001:db8:0:f::2a".parse().unwrap()],
        twin: Twin {
            address: address("twin", 22355),
            connect_timeout: Duration::from_secs(4),
            transfer_timeout: Duration::from_secs(11),
        },
        twin_listen: address("::", 22356),
        group_key_file: "group.key".into(),
        cleanup: Duration::from_secs(30),
        policy: Policy::default(),
        backends: [
            address("2001:db8:0:b::1", 1),
            address("b2.example.org", 65535),
            address("2001:db8:0:b::1", 2),
        ],
        retry: Duration::from_secs(5),
        unfenced: true,
        admin: address("::1", 0),
        web: Web {
            password_file: "passwords".into(),
            certificate: Some(("chain.pem".into(), "key.pem".into())),
            host_names: vec!["licences.example.org".into(), "lic".into()],
            trusted_proxies: vec!["192.0.2.9/32".parse().unwrap()],
        },
        virtuals: vec![
            (ContainerId::CmAct(305_419_896), Some(59_885_682)),
            (ContainerId::CmAct(u32::MAX), Some(1)),
            (ContainerId::Serials([1_000_001, 1_000_002, 1_000_003]), Some(2)),
            (ContainerId::Serials([4, 5, 6]), None),
        ],
        log: Log {
            file: Some("tmrd.log".into()),
            json: true,
            level: "tmr_core::front=debug,warn".into(),
        },
        tracking: Tracking {
            enabled: false,
            path: Some("/srv/history".into()),
            file: 1 << 20,
            files: 4 << 20,
            months: 240,
        },
    };
    assert_eq!(Config::parse(text).unwrap(), expected);
}

#[test]
fn a_certificate_and_its_key_stand_together() {
    let with = |web: &str| MINIMAL.replacen('{', &format!("{{ \"WebAdmin\": {web},"), 1);
    let said = error(&with(r#"{ "CertificateChainFile": "a" }"#));
    assert!(
        said.contains("WebAdmin.CertificateChainFile: found it alone, expected \"PrivateKeyFile\""),
        "{said}"
    );
    let said = error(&with(r#"{ "PrivateKeyFile": "a" }"#));
    assert!(said.contains("WebAdmin.PrivateKeyFile: found it alone"), "{said}");
}

#[test]
fn a_missing_comma_is_pointed_at() {
    let text = MINIMAL.replace("22354 }", "22354\n      \"ConnectTimeoutInSeconds\": 3 }");
    let expected = "line 4, column 7, TmrServer.TwinServer: expected \",\" or \"}\", \
                    found \"ConnectTimeoutInSeconds\"; is a comma missing at the end of line 3?";
    assert_eq!(error(&text), expected);
    assert_eq!(
        changed(
            "22350 },\n      { \"Ip\": \"192.0.2.3\"",
            "22350 }\n      { \"Ip\": \"192.0.2.3\""
        ),
        "line 9, column 7, CmServer.Server: expected \",\" or \"]\", found \"{\"; \
         is a comma missing at the end of line 8?"
    );
    assert_eq!(
        changed("  },\n  \"CmServer\"", "  }\n  \"CmServer\""),
        "line 5, column 3: expected \",\" or \"}\", found \"CmServer\"; \
         is a comma missing at the end of line 4?"
    );
}

#[test]
fn the_documented_example_is_led_to_a_working_file() {
    let copied = format!("{DOCUMENTED_TMR_SERVER}\n{DOCUMENTED_CM_SERVER}");
    assert_eq!(
        error(&copied),
        "line 1, column 1: expected \"{\" around the whole configuration, found \"TmrServer\""
    );
    let braced = format!("{{{copied}");
    assert_eq!(
        error(&braced),
        "line 9, column 10, TmrServer.TwinServer: expected \",\" or \"}\", \
         found \"ConnectTimeoutInSeconds\"; is a comma missing at the end of line 7?"
    );
    let one_comma = braced.replace("22354\n", "22354,\n");
    assert_eq!(
        error(&one_comma),
        "line 11, column 10, TmrServer.TwinServer: expected \",\" or \"}\", \
         found \"TransferTimeoutInSeconds\"; is a comma missing at the end of line 9?"
    );
    let two_commas = one_comma.replace("Seconds\": 3\n", "Seconds\": 3,\n");
    assert_eq!(
        error(&two_commas),
        "line 16, column 1: expected \",\" or \"}\", found \"CmServer\"; \
         is a comma missing at the end of line 15?"
    );
    let three_commas = two_commas.replace("}\n\"CmServer", "},\n\"CmServer");
    assert_eq!(
        error(&three_commas),
        "line 46, column 18, CmServer.Server: expected \",\" or \"]\", found \"}\""
    );
    let list_ended = three_commas.replace("                 }\n\n ]", " ]");
    assert_eq!(
        error(&list_ended),
        "line 47, column 1, CmServer: the file ends too early, expected \"}\" or a further key here"
    );
    let closed = list_ended + "}}";
    assert_eq!(Config::parse(&closed).unwrap().backends[2], address("2001:db8:0:b::3", 22350));
}

#[test]
fn an_unknown_key_is_named_with_the_nearest() {
    for (old, new, expected) in [
        (
            "\"Port\": 22354",
            "\"Prot\": 22354",
            "line 3, column 41, TmrServer.TwinServer: unknown key \"Prot\"; did you mean \"Port\"?",
        ),
        (
            "\"TmrServer\"",
            "\"TmrSever\"",
            "line 2, column 3: unknown key \"TmrSever\"; did you mean \"TmrServer\"?",
        ),
        (
            "{ \"Ip\": \"192.0.2.2\"",
            "{ \"ip\": \"192.0.2.2\"",
            "line 8, column 9, CmServer.Server[1]: unknown key \"ip\"; did you mean \"Ip\"?",
        ),
        (
            "\"Port\": 22354",
            "\"a\\n`Port`, expected `\": 1",
            "line 3, column 41, TmrServer.TwinServer: unknown key \"a\\n`Port`, expected `\"; \
             did you mean \"Port\"?",
        ),
    ] {
        assert_eq!(changed(old, new), expected);
    }
}

#[test]
fn exactly_three_different_servers() {
    let second = "      { \"Ip\": \"192.0.2.2\", \"Port\": 22350 },\n";
    assert_eq!(
        changed(second, ""),
        "line 6, column 5, CmServer.Server: found 2 servers, expected exactly three"
    );
    assert_eq!(
        changed(second, &(second.to_owned() + &second.replace("2.2", "2.4"))),
        "line 6, column 5, CmServer.Server: found 4 servers, expected exactly three"
    );
    assert_eq!(
        changed("\"192.0.2.3\"", "\"::ffff:192.0.2.1\""),
        "line 6, column 5, CmServer.Server: servers 1 and 3 are both 192.0.2.1:22350, \
         expected three different servers"
    );
    let empty = r#"{ "TmrServer": { "TwinServer": { "Ip": "a", "Port": 1 } }, "CmServer": { "Server": [] } }"#;
    assert!(error(empty).ends_with("found 0 servers, expected exactly three"));
}

#[test]
fn a_wrong_value_is_shown_with_what_would_be_right() {
    for (new, expected) in [
        (
            "\"Port\": \"22354\"",
            "Port: found the text \"22354\", expected a whole number from 1 to 65535; numbers stand \
             without quotes",
        ),
        ("\"Port\": 0", "Port: found the number 0, expected a whole number from 1 to 65535"),
        (
            "\"Port\": 65536",
            "Port: found the number 65536, expected a whole number from 1 to 65535",
        ),
        ("\"Port\": -1", "Port: found the number -1, expected a whole number from 1 to 65535"),
        ("\"Port\": 1.5", "Port: found the number 1.5, expected a whole number from 1 to 65535"),
        ("\"Port\": null", "Port: found null, expected a whole number from 1 to 65535"),
        ("\"Port\": [1]", "Port: found a list, expected a whole number from 1 to 65535"),
        ("\"Port\": {}", "Port: found an object, expected a whole number from 1 to 65535"),
    ] {
        let expected = format!("line 3, column 41, TmrServer.TwinServer.{expected}");
        assert_eq!(changed("\"Port\": 22354", new), expected);
    }
    assert_eq!(
        changed("\"192.0.2.17\"", "\"192.0.2.256\""),
        "line 3, column 21, TmrServer.TwinServer.Ip: found the text \"192.0.2.256\", expected an \
         IPv4 address, an IPv6 address without brackets, or a host name"
    );
    assert_eq!(
        changed("{ \"Ip\": \"192.0.2.2\", \"Port\": 22350 }", "\"192.0.2.2:22350\""),
        "line 8, column 7, CmServer.Server[1]: found the text \"192.0.2.2:22350\", expected an \
         object in braces"
    );
    assert_eq!(
        changed("{ \"Ip\": \"192.0.2.17\", \"Port\": 22354 }", "[ \"192.0.2.17\", 22354 ]"),
        "line 3, column 5, TmrServer.TwinServer: found a list, expected an object in braces"
    );
}

#[test]
fn every_optional_key_has_its_bounds() {
    let tmr = |key: &str, value: &str| {
        changed("\n    \"TwinServer\"", &format!(" {key}: {value},\n    \"TwinServer\""))
    };
    for (key, value, expected) in [
        ("Port", "65536", "found the number 65536, expected a whole number from 0 to 65535"),
        ("VirtualIp", "\"192.0.2.42\"", "found the text \"192.0.2.42\", expected a list"),
        (
            "TwinListen",
            "{ \"Port\": 1, \"Ip\": \"\" }",
            ".Ip: found the text \"\", expected an IPv4",
        ),
        ("GroupKeyFile", "\"\"", "found the text \"\", expected the path of a file"),
        ("GroupKeyFile", "\"/etc/\"", "found the text \"/etc/\", expected the path of a file"),
        ("CleanUpTimeInSeconds", "29", "found the number 29, expected a whole number from 30 to"),
        ("CleanUpTimeInSeconds", "86401", "expected a whole number from 30 to 86400"),
    ] {
        let said = tmr(&format!("\"{key}\""), value);
        assert!(said.contains(&format!("TmrServer.{key}")) && said.contains(expected), "{said}");
    }
    assert_eq!(
        tmr("\"VirtualIp\"", "[\"::1\", \"front.example.org\"]"),
        "line 2, column 39, TmrServer.VirtualIp[1]: found the text \"front.example.org\", expected \
         an IPv4 address or an IPv6 address without brackets"
    );
    let retry = changed(
        "\n    \"Server\"",
        "\n    \"NetworkRetryIntervalInSeconds\": 3601,\n    \"Server\"",
    );
    assert_eq!(
        retry,
        "line 6, column 5, CmServer.NetworkRetryIntervalInSeconds: found the number 3601, expected \
         a whole number from 1 to 3600"
    );
}

#[test]
fn a_log_is_described_in_words_that_there_are() {
    let log = |inside: &str| {
        changed("{\n  \"TmrServer\"", &format!("{{ \"Log\": {{ {inside} }},\n  \"TmrServer\""))
    };
    for (inside, expected) in [
        (
            "\"Format\": \"xml\"",
            "Log.Format: found the text \"xml\", expected \"text\" or \"json\"",
        ),
        (
            "\"Level\": \"loud\"",
            "Log.Level: found the text \"loud\", expected error, warn, info, debug, trace, off, or",
        ),
        ("\"Level\": \"=info\"", "Log.Level: found"),
        ("\"Level\": \"info,\"", "Log.Level: found"),
        ("\"File\": \"\"", "Log.File: found the text \"\", expected the path of a file"),
        ("\"Levle\": \"info\"", "Log: unknown key \"Levle\"; did you mean \"Level\"?"),
    ] {
        let said = log(inside);
        assert!(said.starts_with("line 1, column 12, ") && said.contains(expected), "{said}");
    }
}

#[test]
fn stock_servers_are_asked_for_by_name_and_need_their_ids() {
    let with = |key: &str| changed("\n    \"Server\"", &format!("\n    {key},\n    \"Server\""));
    assert_eq!(
        with("\"Unfenced\": 1"),
        "line 6, column 5, CmServer.Unfenced: found the number 1, expected true or false"
    );
    assert_eq!(
        with("\"Unfence\": true"),
        "line 6, column 5, CmServer: unknown key \"Unfence\"; did you mean \"Unfenced\"?"
    );
    assert_eq!(
        with("\"Unfenced\": true"),
        "line 6, column 5, CmServer.Unfenced: found true, expected an entry in \
         \"VirtualContainers\" for each CmActId beside it: a stock server does not tell it"
    );
    let no = MINIMAL.replace("\n    \"Server\"", "\n \"Unfenced\": false, \"Server\"");
    assert_eq!(Config::parse(&no).unwrap(), Config::parse(MINIMAL).unwrap());
}

#[test]
fn virtual_containers_are_not_zero_and_not_twice() {
    let with = |list: &str| {
        changed(
            "{\n  \"TmrServer\"",
            &format!("{{ \"VirtualContainers\": {list},\n  \"TmrServer\""),
        )
    };
    for (list, expected) in [
        (
            r#"[{"CmActId": 0, "Serial": 1}]"#,
            "line 1, column 26, VirtualContainers[0].CmActId: found the number 0, expected a whole \
             number from 1 to 4294967295",
        ),
        (
            r#"[{"CmActId": 1, "Serial": 4294967296}]"#,
            "line 1, column 40, VirtualContainers[0].Serial: found the number 4294967296, expected \
             a whole number from 1 to 4294967295",
        ),
        (
            r#"[{"CmActId": 1, "Serial": 1}, {"CmActId": 1, "Serial": 2}]"#,
            "line 1, column 3, VirtualContainers: CmActId 1 stands here twice, expected each only \
             once",
        ),
        (
            r#"[{"CmActId": 1, "Serial": 7}, {"CmActId": 2, "Serial": 7}]"#,
            "line 1, column 3, VirtualContainers: Serial 7 stands here twice, expected each only \
             once",
        ),
        (
            r#"[{"CmActId": 1}]"#,
            "line 1, column 25, VirtualContainers[0]: \"Serial\" is missing, expected it here",
        ),
        (
            r#"[{"Serials": [1, 2, 3]}, {"Serial": 1}]"#,
            "line 1, column 49, VirtualContainers[1]: \"CmActId\" is missing, expected it here, \
             or \"Serials\" for containers that have none",
        ),
        (
            r#"[{"CmActId": 1, "Serial": 4, "Serials": [1, 2, 3]}]"#,
            "line 1, column 25, VirtualContainers[0]: \"CmActId\" and \"Serials\" stand here \
             together, expected \"CmActId\" alone, or \"Serials\" for containers that have none",
        ),
        (
            r#"[{"Serials": [1, 2]}]"#,
            "line 1, column 25, VirtualContainers[0]: found 2 in \"Serials\", expected exactly \
             three",
        ),
        (
            r#"[{"Serials": [1, 2, 1]}]"#,
            "line 1, column 25, VirtualContainers[0]: a serial stands twice in \"Serials\", \
             expected three different ones",
        ),
        (
            r#"[{"Serials": [1, 2, 0]}]"#,
            "line 1, column 44, VirtualContainers[0].Serials[2]: found the number 0, expected a whole \
             number from 1 to 4294967295",
        ),
        (
            r#"[{"Serials": [1, 2, 3]}, {"Serials": [4, 5, 1]}]"#,
            "line 1, column 3, VirtualContainers: the serial 1 stands here twice in \"Serials\", \
             expected each only once",
        ),
        (
            r#"[{"CmActId": 1, "Serial": 7}, {"Serials": [1, 2, 3], "Serial": 7}]"#,
            "line 1, column 3, VirtualContainers: Serial 7 stands here twice, expected each only \
             once",
        ),
    ] {
        assert_eq!(with(list), expected);
    }
}

#[test]
fn missing_and_repeated_keys_are_named() {
    assert_eq!(
        changed(", \"Port\": 22354", ""),
        "line 3, column 5, TmrServer.TwinServer: \"Port\" is missing, expected it here"
    );
    assert_eq!(
        changed("\"Port\": 22354", "\"Port\": 22354, \"Port\": 22355"),
        "line 3, column 56, TmrServer.TwinServer: \"Port\" stands here twice, expected it once"
    );
    assert_eq!(error("{}"), "line 1, column 1: \"TmrServer\" is missing, expected it here");
}

#[test]
fn what_is_no_json_object_is_told_so() {
    for (text, expected) in [
        (
            "",
            "line 1, column 1: the file is empty, expected a configuration that begins with \"{\"",
        ),
        (
            "\n\n  \n",
            "line 4, column 1: the file is empty, expected a configuration that begins with \"{\"",
        ),
        (
            "\u{feff}{}",
            "line 1, column 1: the file begins with a byte order mark, expected plain UTF-8 \
             without one",
        ),
        ("[]", "line 1, column 1: expected \"{\" around the whole configuration, found \"[\""),
        ("17", "line 1, column 1: expected \"{\" around the whole configuration, found \"17\""),
        (
            "TmrServer = 1",
            "line 1, column 1: expected a value (a string in double quotes, a number, a list), \
             found \"TmrServer\"",
        ),
        (
            "{ TmrServer: 1 }",
            "line 1, column 3: expected a key in double quotes, found \"TmrServer\"",
        ),
        ("{ // comment", "line 1, column 3: expected a key in double quotes, found \"/\""),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
    assert_eq!(
        error(&format!("{MINIMAL}\n ä {{}}")),
        "line 14, column 2: expected nothing more after the closing brace of the configuration, \
         found \"ä\""
    );
    assert_eq!(
        changed("22354 }", "22354, }"),
        "line 3, column 56, TmrServer.TwinServer: expected another entry after the comma, \
         found \"}\"; take the comma away"
    );
    assert_eq!(
        changed("\"Port\": 22354", "\"Port\" 22354"),
        "line 3, column 48, TmrServer.TwinServer: expected \":\" after the key, found \"22354\""
    );
}

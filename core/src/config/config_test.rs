//! What `tmrconf.json` may say, and what is said about everything else.

mod bounds;

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
fn a_configuration_supersedes_those_with_lower_revisions_alone() {
    let with = |revision: u32| {
        let text = MINIMAL.replacen(
            "\"TmrServer\": {",
            &format!("\"TmrServer\": {{ \"Revision\": {revision},"),
            1,
        );
        Config::parse(&text).unwrap()
    };
    for (new, in_effect, expected) in
        [(1, 0, true), (18, 16, true), (16, 16, false), (16, 18, false)]
    {
        assert_eq!(with(new).supersedes(&with(in_effect)), expected, "{new} {in_effect}");
    }
}

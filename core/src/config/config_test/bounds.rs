//! Values out of their bounds, and keys that are missing or unknown.

use super::*;

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

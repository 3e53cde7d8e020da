//! What is said of files that are broken anywhere: one short line, and no panic.

use super::config_test::{DOCUMENTED_CM_SERVER, DOCUMENTED_TMR_SERVER, MINIMAL, error};
use super::*;
use alloc::format;

#[test]
fn a_message_stays_one_short_line_whatever_is_quoted() {
    let long = "x\\n\\u0007".repeat(10_000);
    for text in [
        format!("{{ \"{long}\": 1 }}"),
        format!("{{ \"TmrServer\": \"{long}\" }}"),
        MINIMAL.replace("192.0.2.17", &long),
        format!("{MINIMAL}{}", "y".repeat(10_000)),
        MINIMAL.replace("22354 }", &format!("22354 \"{}\" }}", "z".repeat(10_000))),
    ] {
        let said = error(&text);
        assert!(said.len() < 500 && !said.contains(char::is_control), "{said}");
    }
    let huge = " ".repeat(CONFIG_MAX + 1);
    assert_eq!(
        error(&huge),
        "line 1, column 1: the file has 1048577 bytes, expected a configuration of at most 1048576"
    );
    assert!(error(&"[".repeat(100_000)).len() < 500);
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_no_panic() {
    let full = format!("{{{DOCUMENTED_TMR_SERVER}\n{DOCUMENTED_CM_SERVER}");
    for text in [MINIMAL.trim_end(), full.as_str()] {
        for end in 0..text.len() {
            assert!(Config::parse(&text[..end]).is_err(), "{end}");
        }
    }
}

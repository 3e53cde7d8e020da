//! `tmrconf.json`: any text gives a configuration, or one short line that points into the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tmr_core::config::Config;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text) {
        assert!((1..=text.split('\n').count()).contains(&error.line), "{error}");
        assert!(error.column >= 1, "{error}");
        let said = error.to_string();
        assert!(!said.contains(char::is_control) && said.chars().count() < 1_000, "{said}");
    }
});

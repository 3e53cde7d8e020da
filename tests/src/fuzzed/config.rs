//! `tmrconf.json`: any text gives a configuration, or one short message that points into the text.
//! The shared keys of a text can be adopted by the same text without a change.

use tmr_core::base::limits::{CONFIG_MAX, CONFIG_TIMEOUT_MAX};
use tmr_core::config::{Config, adopt, differences, revised, shared};

pub(super) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text) {
        Ok(config) => {
            let [one, two, three] = &config.backends;
            assert!(one != two && two != three && one != three, "a backend stands there twice");
            let spans = [config.retry, config.twin.connect_timeout, config.twin.transfer_timeout];
            assert!(spans.iter().all(|span| !span.is_zero() && *span <= CONFIG_TIMEOUT_MAX));
            assert!(!config.unfenced || !config.virtuals.is_empty());
            let part = shared(text);
            assert_eq!(differences(text, &part), []);
            let expected = revised(text, 7).expect("there is an object for it");
            if expected.len() <= CONFIG_MAX {
                assert_eq!(adopt(text, &part, 7), Ok(expected));
            }
        }
        Err(error) => {
            assert!((1..=text.split('\n').count()).contains(&error.line), "{error}");
            assert!(error.column >= 1, "{error}");
            let said = error.to_string();
            assert!(!said.contains(char::is_control) && said.chars().count() < 1_000, "{said}");
        }
    }
}

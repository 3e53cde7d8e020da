//! The keys that two fronts of one group must have alike, and their way from one file into the
//! other.
//!
//! They are sent as one JSON object: each key that the file has, as a path like
//! `TmrServer.CleanUpTimeInSeconds`, with its value as it stands there. A key that is missing in the
//! object is missing in the file, so its default holds.

use super::{Config, ConfigError, edit};
use crate::base::limits::CONFIG_QUOTE;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

/// The keys that both must have alike.
const KEYS: [&[&str]; 7] = [
    &["CmServer"],
    &["VirtualContainers"],
    &["AccessControl"],
    &["TmrServer", "MinimumClientVersion"],
    &["TmrServer", "HandleBinding"],
    &["TmrServer", "VirtualIp"],
    &["TmrServer", "CleanUpTimeInSeconds"],
];

const REVISION: &[&str] = &["TmrServer", "Revision"];

/// A key in which two configurations differ: its name, and its value in the one and in the other.
pub type Difference = (String, String, String);

/// Returns the shared keys of a file's text.
#[must_use]
pub fn shared(text: &str) -> String {
    let there = KEYS.iter().filter_map(|key| Some((key.join("."), edit::get(text, key)?)));
    let each: Vec<String> = there.map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{ {} }}", each.join(",\n  "))
}

/// Returns the text of a file with the shared keys of another one, and with that one's revision.
/// Keys that this program does not know stay in the text.
///
/// # Errors
/// Returns the mistake if `shared` is no such object, or if the result would not be a valid
/// configuration.
pub fn adopt(own: &str, shared: &str, revision: u32) -> Result<String, ConfigError> {
    let text = KEYS.iter().try_fold(own.to_string(), |text, key| take(&text, shared, key));
    let text = read(shared).and(text).and_then(|text| revised(&text, revision));
    let text = text.ok_or_else(|| ConfigError {
        line: 1,
        column: 1,
        key: None,
        message: "the other front's part is no object of known keys".to_string(),
    })?;
    Config::parse(&text).map(|_| text)
}

/// Returns the text of a file with another revision.
#[must_use]
pub fn revised(text: &str, revision: u32) -> Option<String> {
    edit::set(text, REVISION, &revision.to_string())
}

/// Returns the shared keys in which two configurations differ. Another order, and a default that
/// one of them omits, are no differences.
#[must_use]
pub fn differences(own: &str, shared: &str) -> Vec<Difference> {
    let Ok(config) = Config::parse(own).map(sorted) else { return Vec::new() };
    let same = |key: &[&str]| {
        let other = take(own, shared, key).and_then(|text| Config::parse(&text).ok());
        other.is_some_and(|other| sorted(other) == config)
    };
    let shown = |value: Option<&str>| value.map_or_else(|| "the default".to_string(), short);
    let differs = KEYS.iter().filter(|key| !same(key));
    let row = |key: &&[&str]| {
        let name = key.join(".");
        let theirs = shown(edit::get(shared, &[&name]));
        (name, shown(edit::get(own, key)), theirs)
    };
    differs.map(row).collect()
}

fn read(shared: &str) -> Option<BTreeMap<String, Value>> {
    serde_json::from_str(shared).ok()
}

/// Returns the text of a file with another file's value of one key. A value with the same meaning
/// stays as it is.
fn take(own: &str, shared: &str, key: &[&str]) -> Option<String> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (edit::get(own, key), edit::get(shared, &[&key.join(".")])) {
        (_, None) => edit::remove(own, key),
        (Some(ours), Some(theirs)) if parsed(ours) == parsed(theirs) => Some(own.to_string()),
        (_, Some(theirs)) => edit::set(own, key, theirs),
    }
}

/// Returns the configuration with every unordered list sorted.
fn sorted(mut config: Config) -> Config {
    config.backends.sort();
    config.virtuals.sort_unstable();
    config.virtual_ips.sort_unstable();
    config
}

/// Returns a value on one line, shortened.
fn short(value: &str) -> String {
    let line = serde_json::from_str::<Value>(value).unwrap_or_default().to_string();
    match line.char_indices().nth(2 * CONFIG_QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"{
  "TmrServer": {
    "Ip": "192.0.2.1", "CleanUpTimeInSeconds": 60,
    "TwinServer": { "Ip": "192.0.2.2", "Port": 22354 }
  },
  "CmServer": { "Server": [
      { "Ip": "b1", "Port": 22350 }, { "Ip": "b2", "Port": 22350 }, { "Ip": "b3", "Port": 22350 }
  ] },
  "WebAdmin": { "Port": 1 }
}
"#;
    const THEIRS: &str = r#"{ "CmServer": { "Server": [ { "Port": 22350, "Ip": "b3" },
        { "Ip": "b2", "Port": 22350 }, { "Ip": "new", "Port": 22350 } ] },
        "VirtualContainers": [ { "CmActId": 7, "Serial": 8 } ], "Later": [ 1 ] }"#;

    #[test]
    fn what_is_alike_is_told_as_it_stands() {
        let told = shared(OWN);
        let value: BTreeMap<String, Value> = read(&told).unwrap();
        let keys: Vec<&str> = value.keys().map(String::as_str).collect();
        assert_eq!(keys, ["CmServer", "TmrServer.CleanUpTimeInSeconds"]);
        assert_eq!(adopt(OWN, &told, 3).unwrap(), revised(OWN, 3).unwrap());
        assert_eq!(differences(OWN, &told), []);
    }

    #[test]
    fn what_is_taken_over_leaves_the_rest_as_it_was() {
        let text = adopt(OWN, THEIRS, 9).unwrap();
        let expected = r#"{
  "VirtualContainers": [ { "CmActId": 7, "Serial": 8 } ],
  "TmrServer": {
    "Revision": 9,
    "Ip": "192.0.2.1", "TwinServer": { "Ip": "192.0.2.2", "Port": 22354 }
  },
  "CmServer": { "Server": [ { "Port": 22350, "Ip": "b3" },
        { "Ip": "b2", "Port": 22350 }, { "Ip": "new", "Port": 22350 } ] },
  "WebAdmin": { "Port": 1 }
}
"#;
        assert_eq!(text, expected);
        assert_eq!(differences(&text, THEIRS), []);
    }

    #[test]
    fn what_differs_is_named_and_what_only_looks_so_is_not() {
        let rows = differences(OWN, THEIRS);
        let names: Vec<&str> = rows.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["CmServer", "VirtualContainers", "TmrServer.CleanUpTimeInSeconds"]);
        assert_eq!(rows[2].1, "60");
        assert_eq!(rows[2].2, "the default");
        let other = OWN.replace("60", "7200");
        let turned = shared(OWN).replace("b1", "x").replace("b2", "b1").replace("\"x\"", "\"b2\"");
        let turned = turned.replace(": 60", ": 7200");
        assert_eq!(differences(&other, &turned), [], "in another order");
        assert_eq!(
            differences(
                &other,
                &edit::remove(&turned, &["TmrServer.CleanUpTimeInSeconds"]).unwrap()
            ),
            []
        );
    }

    #[test]
    fn what_no_front_would_take_is_not_taken() {
        for text in ["", "[]", "{", "{ \"CmServer\": 1 }", "{}", &THEIRS.replace("b3", "b2")] {
            assert!(adopt(OWN, text, 1).is_err(), "{text}");
        }
    }
}

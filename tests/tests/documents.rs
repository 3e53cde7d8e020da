//! What documents say is what the programs and files do: numbers, codes and names that stand in both.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tmr_core::verdict::states::Case;
use tmr_tests::harness::missing;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of these in a text that it has not in backquotes.
fn missing_in<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    words.into_iter().filter(|word| !text.contains(&format!("`{word}`"))).collect()
}

#[test]
fn the_manual_names_every_code_of_the_verdict_and_every_state_of_a_licence() {
    let status = read("runtime-std/docs/status.md");
    let (mut codes, mut states) = (BTreeSet::new(), BTreeSet::new());
    for (_, case) in Case::all() {
        codes.extend(case.verdict().iter().map(|trouble| trouble.code));
        let shown = case.shown();
        let rows = shown["licenses"].as_array().into_iter().flatten();
        states.extend(rows.filter_map(|row| Some(row["state"].as_str()?.to_owned())));
    }
    assert!(codes.len() >= 40 && states.len() >= 8, "{codes:?} {states:?}");
    assert_eq!(missing_in(&status, codes), [""; 0]);
    assert_eq!(missing_in(&status, states.iter().map(String::as_str)), [""; 0]);
}

/// The names of all fields of an object, and of the objects in its lists and fields that are named.
fn fields(shown: &Value, within: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |value: &Value| {
        names.extend(value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()));
    };
    add(shown);
    for key in within {
        match &shown[*key] {
            Value::Array(rows) => rows.iter().for_each(&mut add),
            one => add(one),
        }
    }
    names
}

#[test]
fn the_interfaces_document_has_every_field_of_the_status() {
    let document = read("core/docs/interfaces.md");
    let mut names = BTreeSet::new();
    for (_, case) in Case::all() {
        let shown = case.shown();
        names.extend(fields(&shown, &["verdict", "address", "twin", "backends", "licenses"]));
    }
    assert!(names.len() >= 60, "{names:?}");
    assert_eq!(missing_in(&document, names.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn the_history_document_has_every_field_and_kind_of_a_record() {
    let source = read("core/src/history/record.rs");
    let document = read("core/docs/history.md");
    let part = |from: &str| {
        let (_, behind) = source.split_once(from).expect("it is in the source");
        behind.split_once("\n}\n").expect("it ends").0.to_owned()
    };
    let record = part("pub struct Record {");
    let fields: Vec<&str> = record
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'))
        .map(|(name, _)| name)
        .collect();
    assert!(fields.len() > 20, "{fields:?}");
    assert_eq!(missing_in(&document, fields), [""; 0]);
    let kinds = part("pub enum Kind {");
    let kinds: Vec<String> = kinds
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|name| *name != "Other" && name.chars().all(char::is_alphabetic))
        .map(str::to_lowercase)
        .collect();
    assert!(kinds.len() > 8, "{kinds:?}");
    assert_eq!(missing_in(&document, kinds.iter().map(String::as_str)), [""; 0]);
}

#[test]
fn the_manual_has_the_exposure_that_systemd_finds() {
    let install = read("runtime-std/docs/install.md");
    for unit in ["tmrd-front.service", "tmrd-backend.service"] {
        let path = root().join("runtime-std/dist").join(unit);
        let done = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(path)
            .output();
        let said = done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned());
        let level = said.ok().and_then(|said| {
            let (_, behind) = said.split_once("Overall exposure level for ")?;
            Some(behind.split_once(": ")?.1.split(' ').next()?.to_owned())
        });
        if missing(level.is_some(), "systemd-analyze") {
            return;
        }
        let level = level.expect("it was just looked at");
        assert!(install.contains(&format!("({level} of 10)")), "{unit}: {level}");
    }
}

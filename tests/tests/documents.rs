//! Documents are true: the numbers, codes, names, links and functions in them exist in programs and
//! files.

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

/// Returns those of these words that a text has outside of backquotes.
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

/// Returns the names of all fields of an object, and of the objects in its lists and named fields.
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

/// Returns every document of the project: its path from the top, and its text.
fn documents() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("plain ASCII");
            let path = folder.join(&name);
            if root().join(&path).is_dir() {
                // Advisories are copies of foreign documents.
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let path = path.to_str().expect("plain ASCII").to_owned();
                let text = read(&path);
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// Returns the anchor that a heading has, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    let name = heading.trim_start_matches('#').trim().to_lowercase();
    name.chars().filter(kept).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let documents = documents();
    let mut broken = Vec::new();
    for (path, text) in &documents {
        let folder = Path::new(path).parent().expect("a file has a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.contains("::") || link.contains(' ') {
                continue;
            }
            let target =
                if file.is_empty() { root().join(path) } else { root().join(folder).join(file) };
            let led = target.exists()
                && (place.is_empty()
                    || fs::read_to_string(&target).is_ok_and(|text| {
                        text.lines().any(|line| line.starts_with('#') && anchor(line) == place)
                    }));
            if !led {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn every_bound_that_a_document_names_is_among_the_limits() {
    let folder =
        fs::read_dir(root().join("core/src/base/limits")).expect("the files of the limits");
    let files =
        folder.map(|file| fs::read_to_string(file.expect("a file").path()).expect("a text"));
    let limits = files.collect::<String>();
    let is_name = |word: &str| {
        word.len() > 3
            && !word.starts_with("CM")
            && !word.starts_with("TMR_")
            && word.starts_with(|letter: char| letter.is_ascii_uppercase())
            && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
    };
    let (mut named, mut missing) = (0, Vec::new());
    for path in ["core/docs/consistency.md", "core/docs/wire.md", "tests/bench/README.md"] {
        let text = read(path);
        for word in text.split('`').skip(1).step_by(2).filter(|word| is_name(word)) {
            named += 1;
            if !limits.contains(&format!("pub const {word}:")) {
                missing.push(format!("{path}: {word}"));
            }
        }
    }
    assert!(named > 20, "{named}");
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_readme_is_short_and_the_manual_has_every_document_in_its_list() {
    assert!(read("README.md").lines().count() <= 180);
    let list = read("runtime-std/docs/README.md");
    let records = read("core/docs/decisions/README.md");
    for (path, _) in documents() {
        for (folder, index) in [("runtime-std/docs/", &list), ("core/docs/decisions/", &records)] {
            if let Some(name) = path.strip_prefix(folder).filter(|name| *name != "README.md") {
                assert!(index.contains(&format!("({name})")), "{path}");
            }
        }
    }
}

#[test]
fn every_file_folder_and_function_of_the_architecture_is_there() {
    let document = read("core/docs/architecture.md");
    let quoted = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut missing = Vec::new();
    for name in document.lines().flat_map(quoted) {
        let is_path = ["core/", "runtime-std/", "runtime-smol/", "tests/", ".ci/"];
        if is_path.iter().any(|top| name.starts_with(top)) && !root().join(&name).exists() {
            missing.push(name);
        }
    }
    let mut stops = 0;
    for row in document.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [stop, file, functions, _] = cells[..] else { continue };
        if stop.parse::<u32>().is_err() {
            continue;
        }
        stops += 1;
        let source = read(file.trim_matches('`'));
        for function in quoted(functions) {
            if !source.contains(&format!("fn {function}(")) {
                missing.push(format!("{file}: {function}"));
            }
        }
    }
    assert!(stops >= 20, "{stops}");
    assert_eq!(missing, [""; 0]);
}

//! What the fuzz targets have grown holds: each input of every corpus in `fuzz/corpus` is run
//! through its target once more.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;
use tmr_tests::fuzzed::TARGETS;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fuzz"].iter().collect()
}

/// Names in a folder, without `ending`.
fn names(place: &str, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder().join(place)).unwrap_or_else(|e| panic!("{place}: {e}"));
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("a folder can be read").file_name();
        name.into_string().expect("a plain name").replace(ending, "")
    };
    files.map(name).collect()
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets", ".rs"), targets);
    assert_eq!(names("corpus", ""), targets);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is not built");
    }
}

#[test]
fn every_input_of_every_corpus_holds() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let place = format!("corpus/{name}");
        let files = names(&place, "");
        assert!(!files.is_empty(), "the corpus of {name} is empty");
        for file in files {
            let input = fs::read(folder().join(&place).join(&file)).unwrap();
            if catch_unwind(|| target(&input)).is_err() {
                broken.push(format!("fuzz/{place}/{file}"));
            }
        }
    }
    assert!(broken.is_empty(), "these inputs break their targets: {broken:#?}");
}

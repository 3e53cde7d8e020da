//! The corpora of the fuzz targets: each input in `fuzz/corpus` is run through its target again,
//! and so are inputs made from it, the same ones every time.
//!
//! `TMR_FIRST_INPUTS=write` puts the first inputs of the targets that have such into their corpora.
//!
//! `TMR_MUTANTS` sets the number of made inputs for each target (`backend=1000 channel=300`;
//! [`MUTANTS`] for the others), `TMR_MUTANTS_SEED` their seed.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::Instant;
use tmr_tests::fuzzed::mutate::mutant;
use tmr_tests::fuzzed::{TARGETS, first_inputs};
use tmr_tests::sim::rng::Rng;

/// The number of inputs that are made for a target.
const MUTANTS: u64 = 50;
/// The seed of these inputs.
const SEED: u64 = 13;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fuzz"].iter().collect()
}

/// Returns the names in a folder, without `ending`.
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
fn the_first_inputs_are_in_their_corpora() {
    let write = env::var("TMR_FIRST_INPUTS").is_ok_and(|it| it == "write");
    for (target, name, bytes) in first_inputs() {
        let path = folder().join("corpus").join(target).join(&name);
        if write {
            fs::create_dir_all(path.parent().expect("in a folder")).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let there = fs::read(&path).unwrap_or_default();
        assert!(there == bytes, "{}: TMR_FIRST_INPUTS=write makes it", path.display());
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

/// Returns every input of a target's corpus, in the same order on every machine.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let place = format!("corpus/{name}");
    names(&place, "")
        .iter()
        .map(|file| fs::read(folder().join(&place).join(file)).expect("an input"))
        .collect()
}

/// Returns the number of inputs for each target, by `TMR_MUTANTS`.
fn counts() -> BTreeMap<String, u64> {
    let text = env::var("TMR_MUTANTS").unwrap_or_default();
    let one = |pair: &str| {
        let (name, count) = pair.split_once('=').expect("TARGET=COUNT");
        assert!(TARGETS.iter().any(|(own, _)| *own == name), "TMR_MUTANTS: no target {name}");
        (name.to_owned(), count.parse().expect("TMR_MUTANTS: a number"))
    };
    text.split_whitespace().map(one).collect()
}

#[test]
fn inputs_made_from_every_corpus_hold() {
    let counts = counts();
    let seed = env::var("TMR_MUTANTS_SEED").map_or(SEED, |text| text.parse().expect("a seed"));
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        let mut rng = Rng::new(seed);
        let began = Instant::now();
        let count = counts.get(name).copied().unwrap_or(MUTANTS);
        for number in 0..count {
            let input = mutant(&mut rng, &corpus);
            if catch_unwind(|| target(&input)).is_err() {
                let file = folder().join(format!("artifacts/{name}/mutant-{seed}-{number}"));
                fs::create_dir_all(file.parent().expect("in a folder")).unwrap();
                fs::write(&file, &input).unwrap();
                broken.push(file);
                break;
            }
        }
        println!("{name}: {count} inputs in {:.1} s", began.elapsed().as_secs_f64());
    }
    assert!(broken.is_empty(), "these inputs break their targets: {broken:#?}");
}

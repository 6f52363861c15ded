//! Every input in `fuzz/corpus` keeps what is promised for inputs of its kind.
//!
//! Seen to fail with: a splitter that goes on searching where the line before ended; bytes behind a
//! binary message, or the hint of an error, ignored; a request's id dropped from its error; top-level
//! keys that stand there twice not told; control characters or half surrogates written raw; a merge
//! that begins with memory's order, or takes the disk's side where only memory changed; a living
//! holder judged as one who is not named; a heartbeat that is newer each time it is repeated.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use argus_properties::CHECKS;

/// An input is small: what is large is made by a test, not kept.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn every_input_of_the_corpus_keeps_what_is_promised() {
    let mut broken = Vec::new();
    for (kind, check) in CHECKS {
        let inputs = entries(&corpus().join(kind));
        assert!(!inputs.is_empty(), "no input of the kind {kind}");
        for path in inputs {
            let bytes = fs::read(&path).expect("readable");
            if catch_unwind(|| check(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "broken by {broken:#?}");
}

#[test]
fn the_corpus_has_a_folder_for_each_kind_and_only_small_inputs() {
    let kinds: BTreeSet<String> = CHECKS.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let folders: BTreeSet<String> = entries(&corpus()).iter().map(|path| name(path)).collect();
    assert_eq!(folders, kinds);
    let targets = entries(&corpus().join("../fuzz_targets"));
    let targets: BTreeSet<String> =
        targets.iter().map(|path| name(path).replace(".rs", "")).collect();
    assert_eq!(targets, kinds);
    for path in kinds.iter().flat_map(|kind| entries(&corpus().join(kind))) {
        let bytes = fs::metadata(&path).expect("there").len();
        assert!(bytes <= INPUT_BYTES_MAX, "{} has {bytes} bytes", path.display());
    }
}

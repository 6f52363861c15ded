//! Reading one task as a whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

use sha2::{Digest, Sha256};

use crate::ignore::Ignore;
use crate::problem::{PlaceProblem, Problem};
use crate::root::{Refused, Root};
use crate::walk::{
    Files, INPUT_SCHEMA, METADATA, OUTPUT_SCHEMA, SCRIPT, bytes_max, field, files, join,
};

/// How much of a file is in memory while its checksum is made.
const CHUNK_BYTES: usize = 64 * 1024;

/// A task as it is on the disk.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The files with a meaning of their own: those of them that are there and could be read.
    pub(crate) texts: BTreeMap<&'static str, Vec<u8>>,
    /// `None` where not all could be read.
    pub(crate) checksum: Option<String>,
    /// What it was read from.
    pub(crate) files: Files,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
    /// The same, by the path in the source.
    pub(crate) places: Vec<(String, PlaceProblem)>,
    /// Whether that may go by itself: the system said so.
    pub(crate) may_pass: bool,
}

impl Loaded {
    /// The content of a file.
    pub(crate) fn text(&self, name: &str) -> Option<&[u8]> {
        self.texts.get(name).map(Vec::as_slice)
    }
}

/// Why a task was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unloaded {
    /// It is no task any more.
    #[error("it is no task any more")]
    Gone,
    /// It changed meanwhile.
    #[error("it changed while it was read")]
    Unstable,
    /// Its folder cannot be read.
    #[error(transparent)]
    Refused(Refused),
}

impl From<Refused> for Unloaded {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Gone => Unloaded::Gone,
            refused => Unloaded::Refused(refused),
        }
    }
}

/// Reads the task in a folder.
///
/// # Errors
/// Where nothing can be said about it. What can be read of a task is in [`Loaded`], with what cannot.
pub(crate) fn load(root: &Root, ignore: &Ignore, task: &str) -> Result<Loaded, Unloaded> {
    load_between(root, ignore, task, || {})
}

/// As [`load`]; `between` is called when all is read, and before it is looked at once more.
fn load_between(
    root: &Root,
    ignore: &Ignore,
    task: &str,
    between: impl FnOnce(),
) -> Result<Loaded, Unloaded> {
    let (before, mut places) = files(root, ignore, task)?;
    let mut reading = Reading::default();
    for (name, stamp) in &before.stamps {
        let kept = [METADATA, SCRIPT, INPUT_SCHEMA, OUTPUT_SCHEMA].into_iter().find(|n| n == name);
        match reading.add(root, &join(task, name), name, stamp.bytes, kept) {
            Ok(()) => {}
            Err(Refused::Gone) => return Err(Unloaded::Unstable),
            Err(refused) => {
                reading.may_pass |= matches!(refused, Refused::Io(_));
                places.insert(join(task, name), PlaceProblem::from(&refused));
                let message = format!("`{name}`: {refused}");
                reading.problems.push(Problem::new(field(name), refused.code(), message));
            }
        }
    }
    between();
    if reading.is_torn || files(root, ignore, task)?.0 != before {
        return Err(Unloaded::Unstable);
    }
    let is_whole = reading.problems.is_empty() && before.problems.is_empty();
    let checksum = is_whole.then(|| hex(&reading.hash.finalize()));
    let mut problems = before.problems.clone();
    problems.append(&mut reading.problems);
    let places = places.into_iter().collect();
    let Reading { texts, may_pass, .. } = reading;
    Ok(Loaded { texts, checksum, files: before, problems, places, may_pass })
}

#[derive(Default)]
struct Reading {
    hash: Sha256,
    texts: BTreeMap<&'static str, Vec<u8>>,
    problems: Vec<Problem>,
    may_pass: bool,
    /// Whether a file was shorter or longer than it had been a moment before.
    is_torn: bool,
}

impl Reading {
    fn add(
        &mut self,
        root: &Root,
        relative: &str,
        name: &str,
        bytes: u64,
        kept: Option<&'static str>,
    ) -> Result<(), Refused> {
        let (file, stamp) = root.file(relative)?;
        self.hash.update(name.as_bytes());
        self.hash.update([0]);
        self.hash.update(stamp.bytes.to_string().as_bytes());
        self.hash.update([0]);
        let mut content = Vec::new();
        let mut file = file.take(bytes_max(name) + 1);
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut read = 0;
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            read += count as u64;
            self.hash.update(&chunk[..count]);
            if kept.is_some() {
                content.extend_from_slice(&chunk[..count]);
            }
        }
        self.is_torn |= read != bytes || stamp.bytes != bytes;
        if let Some(kept) = kept {
            self.texts.insert(kept, content);
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn task() -> (tempfile::TempDir, Root, Ignore) {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(home.path().join("a/lib")).expect("made");
        fs::write(home.path().join("a/metadata.json"), "{}").expect("written");
        fs::write(home.path().join("a/main.js"), "x").expect("written");
        fs::write(home.path().join("a/lib/b.js"), "yz").expect("written");
        let root = Root::open(home.path()).expect("opened");
        let (ignore, _) = Ignore::new(&[]);
        (home, root, ignore)
    }

    #[test]
    fn the_checksum_is_over_path_length_and_content_in_byte_order() {
        let (_home, root, ignore) = task();
        let loaded = load(&root, &ignore, "a").expect("loaded");
        let expected = Sha256::digest(b"lib/b.js\x002\0yzmain.js\x001\0xmetadata.json\x002\0{}");
        assert_eq!(loaded.checksum, Some(hex(&expected)));
        assert_eq!(loaded.text(SCRIPT), Some(&b"x"[..]));
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_taken() {
        let (home, root, ignore) = task();
        let changes: [fn(&std::path::Path); 3] = [
            |folder| fs::write(folder.join("main.js"), "longer").expect("written"),
            |folder| fs::write(folder.join("new.js"), "").expect("written"),
            |folder| fs::remove_file(folder.join("lib/b.js")).expect("removed"),
        ];
        for change in changes {
            let folder = home.path().join("a");
            let loaded = load_between(&root, &ignore, "a", || change(&folder));
            assert!(matches!(loaded, Err(Unloaded::Unstable)), "{loaded:?}");
        }
        let folder = home.path().join("a");
        let gone = load_between(&root, &ignore, "a", || {
            fs::remove_file(folder.join("metadata.json")).expect("removed");
        });
        assert!(matches!(gone, Err(Unloaded::Gone)), "{gone:?}");
    }
}

//! A task's contents, for whoever keeps them elsewhere.

use std::path::{Path, PathBuf};

use argus_config::Source;

use crate::ignore::Ignore;
use crate::load::{Unloaded, load};
use crate::root::Root;
use crate::walk::{INPUT_SCHEMA, METADATA, OUTPUT_SCHEMA, SCRIPT, relative_text};

/// How often a task is read again that changes while it is read.
const ATTEMPTS_MAX: usize = 3;

/// The files of a task that have a meaning of their own, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// `metadata.json`.
    pub metadata: String,
    /// `main.js`.
    pub script: Option<String>,
    /// `input.schema.json`.
    pub input_schema: Option<String>,
    /// `output.schema.json`.
    pub output_schema: Option<String>,
    /// The checksum of all of its files; whether it is that of a record is the caller's to compare.
    pub checksum: String,
}

/// Why a task's contents cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// It is no folder of the source.
    #[error("{} is no folder of the source {name:?}", path.display())]
    Elsewhere {
        /// The folder.
        path: PathBuf,
        /// The source.
        name: String,
    },
    /// There is no task (any more).
    #[error("{} is no task", .0.display())]
    Gone(PathBuf),
    /// It kept changing while it was read.
    #[error("{} kept changing while it was read", .0.display())]
    Unstable(PathBuf),
    /// Not all of it can be read.
    #[error("{} cannot be read: {problem}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system said, or what is wrong with it.
        problem: String,
    },
}

/// Reads a task once more from the disk. `folder` is the `path` of its record.
///
/// # Errors
/// Where the folder holds no task of the source, or not all of it can be read.
pub fn contents(source: &Source, folder: &Path) -> Result<Contents, ContentsError> {
    let path = || folder.to_owned();
    let unreadable = |problem: String| ContentsError::Unreadable { path: path(), problem };
    let relative = folder.strip_prefix(crate::follower::shown(&source.folder)).ok();
    let Some(relative) = relative.and_then(relative_text) else {
        return Err(ContentsError::Elsewhere { path: path(), name: source.name.clone() });
    };
    let root = Root::open(&source.folder).map_err(|error| unreadable(error.to_string()))?;
    let (ignore, _) = Ignore::new(&source.watch_options.ignore_patterns);
    for _ in 0..ATTEMPTS_MAX {
        let loaded = match load(&root, &ignore, &relative) {
            Ok(loaded) => loaded,
            Err(Unloaded::Unstable) => continue,
            Err(Unloaded::Gone) => return Err(ContentsError::Gone(path())),
            Err(Unloaded::Refused(refused)) => return Err(unreadable(refused.to_string())),
        };
        if let Some(problem) = loaded.problems.first() {
            return Err(unreadable(problem.message.clone()));
        }
        let text = |name: &str| {
            let text = loaded.text(name).map(|text| String::from_utf8(text.to_vec()));
            text.transpose().map_err(|_| unreadable(format!("`{name}` is no UTF-8")))
        };
        return Ok(Contents {
            metadata: text(METADATA)?.unwrap_or_default(),
            script: text(SCRIPT)?,
            input_schema: text(INPUT_SCHEMA)?,
            output_schema: text(OUTPUT_SCHEMA)?,
            checksum: loaded.checksum.clone().unwrap_or_default(),
        });
    }
    Err(ContentsError::Unstable(path()))
}

//! What takes the place of a file that cannot be used, and what is told about it.

use std::fmt;
use std::path::{Path, PathBuf};

use argus_proto::document::{Document, Unreadable};

use crate::error::StoreResult;
use crate::folder::Folder;
use crate::quarantine;

/// Where a document comes from when the file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What this process had read or written before.
    Memory,
    /// `last-good.json`, the file as it was before the last write.
    LastGood,
    /// Nothing was left.
    Empty,
}

impl Source {
    /// As it is said: "going on with …".
    pub fn name(self) -> &'static str {
        match self {
            Source::Memory => "what was in memory",
            Source::LastGood => "last-good.json",
            Source::Empty => "an empty registry",
        }
    }
}

/// A file that could not be kept as it was: it was set aside, and replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The file.
    pub path: PathBuf,
    /// What was wrong with it.
    pub problem: String,
    /// Where its bytes are now.
    pub set_aside: PathBuf,
    /// What it was replaced with; `None` where the rest of it was usable.
    pub source: Option<Source>,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, kept) = (self.path.display(), self.set_aside.display());
        write!(f, "{path} was damaged: {}; its bytes are kept in {kept}", self.problem)?;
        match self.source {
            Some(source) => write!(f, ", and it went on with {}", source.name()),
            None => Ok(()),
        }
    }
}

/// A reason to keep the bytes of a file before it is replaced.
#[derive(Debug)]
pub(crate) struct Damage {
    problem: String,
    source: Option<Source>,
}

impl Damage {
    /// The file could not be read, and `source` took its place.
    pub(crate) fn unreadable(problem: &Unreadable, source: Source) -> Self {
        Damage { problem: problem.to_string(), source: Some(source) }
    }

    /// Rendering a document keeps one of two records with the same id.
    pub(crate) fn duplicates(document: &Document) -> Option<Self> {
        let ids = document.duplicates();
        let problem = format!("`{}` stood there more than once", ids.join("`, `"));
        (!ids.is_empty()).then_some(Damage { problem, source: None })
    }

    /// Whether the file's content is worth being the last good one.
    pub(crate) fn is_readable(&self) -> bool {
        self.source.is_none()
    }

    /// Keeps the bytes of the file.
    pub(crate) fn set_aside(self, path: &Path, folder: &Folder) -> StoreResult<Recovery> {
        let set_aside = quarantine::set_aside(path, folder)?;
        Ok(Recovery {
            path: path.to_owned(),
            problem: self.problem,
            set_aside,
            source: self.source,
        })
    }
}

//! What takes the place of a file that cannot be used, and what is told about it.

use std::fmt;
use std::path::PathBuf;

use argus_proto::document::{Document, Unreadable};

use crate::error::StoreResult;
use crate::folder::Folder;
use crate::paths::Paths;
use crate::quarantine;

/// Where a document comes from when the file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What this process had read or written before.
    Memory,
    /// `last-good.json`, the file as it was before the last write.
    LastGood,
    /// The records' own files.
    Records,
    /// Nothing was left.
    Empty,
}

impl Source {
    /// As it is said: "going on with …".
    pub fn name(self) -> &'static str {
        match self {
            Source::Memory => "what was in memory",
            Source::LastGood => "last-good.json",
            Source::Records => "its records' own files",
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
    paths: Vec<PathBuf>,
    problem: String,
    source: Option<Source>,
}

impl Damage {
    /// Files could not be used, and `source` took their place.
    pub(crate) fn unreadable(paths: Vec<PathBuf>, problem: &Unreadable, source: Source) -> Self {
        Damage { paths, problem: problem.to_string(), source: Some(source) }
    }

    /// Rendering a document keeps one of two records with the same id.
    pub(crate) fn duplicates(paths: &Paths, document: &Document) -> Option<Self> {
        let ids = document.duplicates();
        let problem = format!("`{}` stood there more than once", ids.join("`, `"));
        let paths = vec![paths.registry().to_owned()];
        (!ids.is_empty()).then_some(Damage { paths, problem, source: None })
    }

    /// Whether the file's content is worth being the last good one.
    pub(crate) fn is_readable(&self) -> bool {
        self.source.is_none()
    }

    /// Keeps the bytes of the files.
    pub(crate) fn set_aside(self, folder: &Folder) -> StoreResult<Vec<Recovery>> {
        let recovery = |path: &PathBuf| {
            let set_aside = quarantine::set_aside(path, folder)?;
            let (problem, source) = (self.problem.clone(), self.source);
            Ok(Recovery { path: path.clone(), problem, set_aside, source })
        };
        self.paths.iter().map(recovery).collect()
    }
}

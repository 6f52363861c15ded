//! Unix: a file is told by its inode, and a change by its time.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A folder, for who needs an example.
pub(crate) const EXAMPLE_URI: &str = "file:///srv/tasks";

/// What tells a file from others, and from what it was, beside its size and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    inode: (u64, u64),
    changed: (i64, i64),
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Identity {
            inode: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The path that stands behind `file://`.
pub(crate) fn path_of(text: &str) -> PathBuf {
    PathBuf::from(text)
}

/// An absolute path as it stands behind `file://`; `None` for one that is no Unicode.
pub(crate) fn text_of(path: &Path) -> Option<String> {
    path.to_str().map(str::to_owned)
}

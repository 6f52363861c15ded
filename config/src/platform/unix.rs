//! Unix: a file is told by its inode, and a change by its time.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

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

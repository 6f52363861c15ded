//! Unix: a file is told by its inode.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// What tells a file or a folder from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(super) fn new(device: u64, inode: u64) -> Self {
        Identity { device, inode }
    }
}

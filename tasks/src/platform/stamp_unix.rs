//! Unix: a file is told by its inode.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells a file or a folder from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Of what is open.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(Identity::of_metadata(&file.metadata()?))
    }

    /// Of what a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Identity::of_metadata(&fs::metadata(path)?))
    }

    pub(super) fn of_metadata(metadata: &Metadata) -> Self {
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn new(device: u64, inode: u64) -> Self {
        Identity { device, inode }
    }
}

//! Windows: a file is told by its number on its volume, which only an opened one shows.

use std::fs::File;
use std::io;
use std::path::Path;

use argus_windows::file::{Info, info_at, info_of};

/// What tells a file or a folder from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    volume: u64,
    index: u64,
}

impl Identity {
    /// Of what is open.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        info_of(file).map(Identity::new)
    }

    /// Of what a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        info_at(path).map(Identity::new)
    }

    fn new(info: Info) -> Self {
        Identity { volume: info.volume, index: info.index }
    }
}

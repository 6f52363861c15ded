//! macOS: what is opened is resolved first, and then the kernel is told to follow no link at all.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{OFlags, Stat};

use super::unix::open;
use super::{Identity, checked};
use crate::root::Refused;

/// An opened folder of a source.
pub(crate) struct Handle(File);

impl Handle {
    pub(crate) fn open(path: &Path) -> io::Result<Handle> {
        open(path, OFlags::DIRECTORY).map(Handle)
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Identity::of(&self.0)
    }

    pub(crate) fn open_beneath(&self, root: &Path, relative: &str) -> Result<File, Refused> {
        // Also none on the way: so it cannot lead elsewhere by the time it is opened. Before macOS 11 only
        // the last part of the path was kept from being a link.
        let no_links = OFlags::NOFOLLOW | OFlags::NOFOLLOW_ANY;
        checked::open_beneath(root, relative, |path| open(path, no_links))
    }
}

pub(super) fn identity(stat: &Stat) -> Identity {
    // As std has it.
    Identity::new(stat.st_dev as u64, stat.st_ino)
}

/// Seconds and nanoseconds.
pub(super) fn modified_at(stat: &Stat) -> (i64, u64) {
    (stat.st_mtime, stat.st_mtime_nsec.unsigned_abs())
}

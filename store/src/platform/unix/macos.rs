//! macOS: each file is synced by itself, and nobody tells who holds a lock.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Lets two files exchange their names; `false` where the system cannot, or one is not there.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::OPNOTSUPP) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Nothing to do: the system could only begin it, and [`sync_later`] has done it for each file.
pub(super) fn sync_file_system(_folder: &File) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: the system begins by itself.
pub(crate) fn begin_to_sync(_file: &File, _from: u64, _bytes: usize) {}

/// Syncs a file now, since [`sync_file_system`] cannot do it for all of them.
pub(crate) fn sync_later(file: &File) -> io::Result<()> {
    file.sync_all()
}

/// Whether [`lock_holder`] finds who holds a lock.
pub(crate) const TELLS_LOCK_HOLDERS: bool = false;

/// The process that holds a kernel lock on this file, where the system tells: it does not.
pub(crate) fn lock_holder(_file: &File) -> Option<u32> {
    None
}

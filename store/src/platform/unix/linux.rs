//! Linux: a whole file system is synced at once, and the kernel tells who holds a lock.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Lets two files exchange their names; `false` where the system cannot, or one is not there.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes all that was written to the file system durable on which a folder is. Cheaper than to sync many
/// files one by one.
pub(super) fn sync_file_system(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

/// Lets the disk begin with a part of a file, and does not wait for it. What fails here fails again when the
/// file is synced.
pub(crate) fn begin_to_sync(file: &File, from: u64, bytes: usize) {
    let (from, bytes) = (from.cast_signed(), bytes as i64);
    #[expect(unsafe_code, reason = "it is told numbers only, and the file is open")]
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), from, bytes, libc::SYNC_FILE_RANGE_WRITE);
    }
}

/// Nothing to do: [`sync_file_system`] does it for all files.
pub(crate) fn sync_later(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Whether [`lock_holder`] finds who holds a lock.
pub(crate) const TELLS_LOCK_HOLDERS: bool = true;

/// The process that holds a kernel lock on this file, where the system tells.
pub(crate) fn lock_holder(file: &File) -> Option<u32> {
    let meta = file.metadata().ok()?;
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    // "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a line with `->` is one who waits.
    fs::read_to_string("/proc/locks").ok()?.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let holds = words.get(1) == Some(&"FLOCK") && words.get(5) == Some(&file.as_str());
        words.get(4).filter(|_| holds)?.parse().ok()
    })
}

//! What every Unix has: folders that are opened and listed by descriptor.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Stamp;
use super::{identity, modified_at};
use crate::root::{Entry, Kind};

/// Waits for nobody, and lets no terminal take this process over.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

pub(super) fn open(path: &Path, also: OFlags) -> io::Result<File> {
    Ok(File::from(rustix::fs::openat(CWD, path, READ | also, Mode::empty())?))
}

/// The entries of an opened folder, at most `most` and one more.
pub(crate) fn entries(folder: &File, _path: &Path, most: usize) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => kind(&stat),
            // It went in the meantime.
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let name = std::ffi::OsStr::from_bytes(name.to_bytes());
        let name = name.to_str().map(str::to_owned).ok_or_else(|| name.display().to_string());
        entries.push(Entry { name, kind });
        if entries.len() > most {
            break;
        }
    }
    Ok(entries)
}

fn kind(stat: &Stat) -> Kind {
    let identity = identity(stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File(Stamp::new(
            u64::try_from(stat.st_size).unwrap_or(0),
            modified(stat),
            identity,
        )),
        FileType::Directory => Kind::Folder(identity),
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

/// As the standard library tells it, so that both ways of asking give the same.
fn modified(stat: &Stat) -> Option<SystemTime> {
    let (seconds, nanoseconds) = modified_at(stat);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    whole?.checked_add(Duration::from_nanos(nanoseconds))
}

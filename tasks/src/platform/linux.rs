//! Linux: the kernel is told to stay below a folder.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{Identity, Stamp, checked};
use crate::root::{Entry, Kind, Refused};

/// How often an opening is tried again that a rename above it got in the way of.
const RACES_MAX: usize = 64;

const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// An opened folder of a source.
pub(crate) struct Handle(File);

impl Handle {
    pub(crate) fn open(path: &Path) -> io::Result<Handle> {
        let folder = rustix::fs::openat(CWD, path, READ | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Handle(File::from(folder)))
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Identity::of(&self.0)
    }

    pub(crate) fn open_beneath(&self, root: &Path, relative: &str) -> Result<File, Refused> {
        match self.open_strictly(relative) {
            Ok(file) => Ok(file),
            // Also said of an absolute link that leads to something below.
            Err(Errno::XDEV) => self.open_resolved(root, relative),
            // Not told apart from a file that may not be read; that is refused here again.
            Err(Errno::NOSYS | Errno::PERM) => open_checked(root, relative),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn open_resolved(&self, root: &Path, relative: &str) -> Result<File, Refused> {
        let resolved = root.join(relative).canonicalize()?;
        let below = resolved.strip_prefix(root).map_err(|_| Refused::Escapes)?;
        self.open_strictly(below).map_err(|error| match error {
            Errno::XDEV => Refused::Escapes,
            error => io::Error::from(error).into(),
        })
    }

    fn open_strictly(&self, relative: impl AsRef<Path>) -> Result<File, Errno> {
        let relative = relative.as_ref();
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        for _ in 0..RACES_MAX {
            match rustix::fs::openat2(&self.0, relative, READ, Mode::empty(), BENEATH) {
                Ok(file) => return Ok(File::from(file)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::AGAIN)
    }
}

/// For kernels and sandboxes that do not know how to stay below a folder.
pub(super) fn open_checked(root: &Path, relative: &str) -> Result<File, Refused> {
    checked::open_beneath(root, relative, |path| {
        let file = rustix::fs::openat(CWD, path, READ | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(File::from(file))
    })
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
    let identity = Identity::new(stat.st_dev, stat.st_ino);
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
    let part = Duration::from_nanos(stat.st_mtime_nsec);
    let seconds = Duration::from_secs(stat.st_mtime.unsigned_abs());
    let whole = if stat.st_mtime < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    whole?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn both_ways_of_opening_allow_and_refuse_the_same() {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().canonicalize().expect("there");
        let root = home.join("root");
        fs::create_dir_all(root.join("a")).expect("made");
        fs::write(root.join("a/file"), "").expect("written");
        fs::write(home.join("secret"), "").expect("written");
        let links = [
            ("in", Path::new("a/file").to_owned()),
            ("absolute", root.join("a/file")),
            ("up", Path::new("../secret").to_owned()),
            ("out", home.join("secret")),
            ("magic", Path::new("/proc/self/cwd").to_owned()),
            ("loop", Path::new("loop").to_owned()),
        ];
        for (name, target) in &links {
            symlink(target, root.join(name)).expect("linked");
        }
        let handle = Handle::open(&root).expect("opened");
        let rows = [
            ("a/file", "opened"),
            ("a", "opened"),
            ("", "opened"),
            ("in", "opened"),
            ("absolute", "opened"),
            ("up", "escapes"),
            ("out", "escapes"),
            ("magic", "escapes"),
            ("a/../../secret", "escapes"),
            ("nothing", "gone"),
            ("loop", "refused"),
        ];
        let told = |outcome: Result<File, Refused>| match outcome {
            Ok(_) => "opened",
            Err(Refused::Escapes) => "escapes",
            Err(Refused::Gone) => "gone",
            Err(_) => "refused",
        };
        for (relative, expected) in rows {
            assert_eq!(told(handle.open_beneath(&root, relative)), expected, "{relative:?}");
            assert_eq!(told(open_checked(&root, relative)), expected, "{relative:?}, checked");
        }
    }
}

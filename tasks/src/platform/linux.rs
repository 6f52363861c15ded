//! Linux: the kernel is told to stay below a folder.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::unix::{READ, open};
use super::{Identity, checked};
use crate::root::Refused;

/// How often an opening is tried again that a rename above it got in the way of.
const RACES_MAX: usize = 64;

const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

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
    checked::open_beneath(root, relative, |path| open(path, OFlags::NOFOLLOW))
}

pub(super) fn identity(stat: &Stat) -> Identity {
    Identity::new(stat.st_dev, stat.st_ino)
}

/// Seconds and nanoseconds.
pub(super) fn modified_at(stat: &Stat) -> (i64, u64) {
    (stat.st_mtime, stat.st_mtime_nsec)
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

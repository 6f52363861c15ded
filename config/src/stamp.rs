//! What tells that a file is not what it was, without reading it.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file that changed this recently may change again without showing it: its times are coarse.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// One state of a file; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Option<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        Stamp(fs::metadata(path).ok().map(|metadata| Seen::of(&metadata)))
    }

    /// Whether a further change would show.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let Some(seen) = &self.0 else { return true };
        let age = seen.modified.and_then(|modified| now.duration_since(modified).ok());
        // A time in the future comes from another clock, and says nothing.
        age.is_none_or(|age| age >= SETTLED_AFTER)
    }
}

impl Seen {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Seen {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            inode: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        Seen { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

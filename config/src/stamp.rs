//! What tells that a file is not what it was, without reading it.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::platform::Identity;

/// A file that changed this recently may change again without showing it: its times are coarse.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// One state of a file; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Option<Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
    identity: Identity,
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
    fn of(metadata: &Metadata) -> Self {
        Seen {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            identity: Identity::of(metadata),
        }
    }
}

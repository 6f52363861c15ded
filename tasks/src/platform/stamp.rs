//! What tells that a file is not what it was, without reading it.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use super::Identity;

/// A file that changed this recently may change again without showing it: its times are coarse.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// One state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    modified: Option<SystemTime>,
    identity: Identity,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata, identity: Identity) -> Self {
        Stamp { bytes: metadata.len(), modified: metadata.modified().ok(), identity }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn new(bytes: u64, modified: Option<SystemTime>, identity: Identity) -> Self {
        Stamp { bytes, modified, identity }
    }

    /// Whether a change after this moment would show.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let age = self.modified.and_then(|modified| now.duration_since(modified).ok());
        // A time in the future comes from another clock, and says nothing.
        age.is_none_or(|age| age >= SETTLED_AFTER)
    }
}

//! `last-good.json`: what the file held before the last write, for when it is damaged; beside records' own
//! files, what argus last wrote, for when others have written since.

use std::fs;
use std::path::{Path, PathBuf};

use crate::paths::Paths;
use crate::platform;

/// A content under a second name, on its way to be the last good one.
///
/// Made before the rename that makes or takes its first name, and named `last-good.json` only after it. Without a last good copy a damaged file costs more; that is no reason to refuse a write.
pub(crate) struct LastGood {
    fresh: PathBuf,
    path: PathBuf,
}

impl LastGood {
    /// Of the content that is now at `from`.
    pub(crate) fn link(from: &Path, paths: &Paths) -> Self {
        let last_good = LastGood::unmade(paths);
        let _ = platform::link_new(from, &last_good.fresh);
        last_good
    }

    /// Of a content that other programs may write into in place, where what they made of it is compared
    /// with this. Synced: with half of it, what was removed would come back.
    pub(crate) fn copy(from: &Path, paths: &Paths) -> Self {
        let last_good = LastGood::unmade(paths);
        let fresh = &last_good.fresh;
        let copied = fs::copy(from, fresh).and_then(|_| platform::sync_file(fresh));
        if copied.is_err() {
            let _ = fs::remove_file(fresh);
        }
        last_good
    }

    /// The name under which it is made, which is free.
    fn unmade(paths: &Paths) -> Self {
        let path = paths.last_good();
        let fresh = path.with_extension("json.new");
        let _ = fs::remove_file(&fresh);
        LastGood { fresh, path }
    }

    pub(crate) fn publish(&self) {
        let _ = platform::replace(&self.fresh, &self.path);
    }
}

impl Drop for LastGood {
    fn drop(&mut self) {
        // Where nothing was published; else it has no such name any more.
        let _ = fs::remove_file(&self.fresh);
    }
}

//! `aggregate.json`: what the whole file is worth beside the records' own files.
//!
//! It is replaced before the first record's file is touched, and again when the whole file shows all of
//! them. It is synced only where more hangs on it than time, and after a boot it is not believed that the
//! whole file shows them.

use std::path::Path;

use argus_presence::boot_id;
use serde::{Deserialize, Serialize};

use crate::atomic::{self, Mode};
use crate::error::StoreResult;
use crate::platform::Stamp;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    boot_id: Option<String>,
    /// The whole file of which the records' own files have all there is; `None` where that is not known.
    whole: Option<String>,
    /// The folder of the records' files, when that file showed all of them; `None` while it does not.
    folder: Option<String>,
}

impl Mark {
    /// Of a whole file that shows all that is in the folder; `None`: it does no more.
    pub(crate) fn new(whole: Option<Stamp>, folder: Option<Stamp>) -> Self {
        Mark {
            boot_id: boot_id().map(str::to_owned),
            whole: Some(content(whole)),
            folder: folder.map(|folder| folder.to_string()),
        }
    }

    /// Of a whole file of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Mark { boot_id: None, whole: None, folder: None }
    }

    /// The same, of a whole file that no longer shows all that is in the folder.
    pub(crate) fn behind(self) -> Self {
        Mark { folder: None, ..self }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.folder.is_some()
    }

    /// The mark at `path`, if there is one that can be read.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(crate) fn write(&self, path: &Path) -> StoreResult<()> {
        // Strings and nothing else: this cannot fail.
        atomic::replace_volatile(path, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// As [`Mark::write`], for good.
    pub(crate) fn write_durably(&self, path: &Path) -> StoreResult<()> {
        atomic::replace(path, &serde_json::to_vec(self).unwrap_or_default(), Mode::Kept)
    }

    /// Whether the whole file, which is now this, shows all that is in the folder, which is now this.
    pub(crate) fn is_whole_complete(&self, whole: Option<Stamp>, folder: Option<Stamp>) -> bool {
        self.boot_id.is_some()
            && self.boot_id.as_deref() == boot_id()
            && self.is_whole_untouched(whole)
            && self.folder == folder.map(|folder| folder.to_string())
            && folder.is_some()
    }

    /// Whether the records' own files have all that is in the whole file, which is now this.
    pub(crate) fn is_whole_untouched(&self, whole: Option<Stamp>) -> bool {
        self.whole.as_ref().is_some_and(|known| *known == content(whole))
    }
}

/// Empty, where there is no file.
fn content(stamp: Option<Stamp>) -> String {
    stamp.map_or_else(String::new, |stamp| stamp.content_text())
}

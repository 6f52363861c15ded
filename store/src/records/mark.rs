//! `aggregate.json`: what the whole file is worth beside the records' own files.
//!
//! It is replaced before the first record's file is touched, and again when the whole file shows all of
//! them. It is never synced, and so not believed after a boot.

use std::path::Path;

use argus_presence::boot_id;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::StoreResult;
use crate::platform::Stamp;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    boot_id: Option<String>,
    /// The whole file as argus last wrote it.
    whole: String,
    /// The folder of the records' files, when that file showed all of them; `None` while it does not.
    folder: Option<String>,
}

impl Mark {
    /// Of a whole file that shows all that is in the folder; `None`: it does no more.
    pub(crate) fn new(whole: Option<Stamp>, folder: Option<Stamp>) -> Self {
        Mark {
            boot_id: boot_id().map(str::to_owned),
            whole: text(whole),
            folder: folder.map(|folder| text(Some(folder))),
        }
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

    /// Whether the whole file, which is now this, shows all that is in the folder, which is now this.
    pub(crate) fn is_whole_complete(&self, whole: Option<Stamp>, folder: Option<Stamp>) -> bool {
        self.boot_id.is_some()
            && self.boot_id.as_deref() == boot_id()
            && self.is_whole_untouched(whole)
            && self.folder.as_ref().is_some_and(|known| *known == text(folder))
    }

    /// Whether the whole file, which is now this, is as argus last wrote it.
    pub(crate) fn is_whole_untouched(&self, whole: Option<Stamp>) -> bool {
        self.whole == text(whole)
    }
}

fn text(stamp: Option<Stamp>) -> String {
    stamp.map_or_else(String::new, |stamp| stamp.to_string())
}

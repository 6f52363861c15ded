//! The folder beside the registry, `registry.json.d/`: private to its owner, and known to be so.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{StoreError, StoreResult};
use crate::paths::Paths;
use crate::platform;

/// An open folder that was checked: this user's own, closed to all others, no link.
///
/// What is opened through it cannot be led elsewhere by renaming the folder meanwhile.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    open: File,
}

impl Folder {
    /// Opens the folder of a registry, and makes it first where it is missing.
    pub fn create(paths: &Paths) -> StoreResult<Self> {
        platform::create_private_folders(paths.parent())
            .map_err(StoreError::io("create the folder", paths.parent()))?;
        Folder::create_at(paths.folder())
    }

    /// Opens the folder at `path`, and makes it first where it is missing.
    pub fn create_at(path: PathBuf) -> StoreResult<Self> {
        platform::create_private_folders(&path)
            .map_err(StoreError::io("create the folder", &path))?;
        Folder::open(path)
    }

    /// Opens a folder that must exist, and closes it to others.
    pub fn open(path: PathBuf) -> StoreResult<Self> {
        let open = platform::open_private_folder(&path, true)?;
        Ok(Folder { path, open })
    }

    /// Opens a folder that must exist, for who only reads and must not change anything.
    pub fn open_as_it_is(path: PathBuf) -> StoreResult<Self> {
        let open = platform::open_private_folder(&path, false)?;
        Ok(Folder { path, open })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to this very folder.
    pub fn is_in_place(&self) -> bool {
        platform::is_same_file(&self.open, &self.path)
    }

    /// Opens a file in it for locking, and makes it where it is missing. Never follows a link.
    pub(crate) fn lock_file(&self, name: &str) -> StoreResult<File> {
        platform::open_in(&self.open, &self.path, name)
            .map_err(StoreError::io("open the lock", &self.path.join(name)))
    }
}

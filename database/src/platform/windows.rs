//! Windows: numbers on a volume, lists of who may use a file.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use argus_windows::file::info_at;
use argus_windows::security;

/// What tells a file from another of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    volume: u64,
    index: u64,
}

impl FileId {
    /// Which file has this name now; `None` where there is none.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match info_at(path) {
            Ok(info) => Ok(Some(FileId { volume: info.volume, index: info.index })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Makes an empty file that only its owner may use; one that is there is left alone.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => security::restrict(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a folder and its missing parents, closed to all but the owner.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match (security::create_private_folder(path), path.parent()) {
        (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound => {
            create_private_folder(above)?;
            security::create_private_folder(path)
        }
        (Err(error), _) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        (done, _) => done,
    }
}

/// Takes a file from all but its owner.
pub(crate) fn close_to_others(path: &Path) -> io::Result<()> {
    security::restrict(path)
}

/// Gives a file the permissions of another; one that is not there needs none.
pub(crate) fn copy_mode(from: &Path, to: &Path) -> io::Result<()> {
    match security::copy_access(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Takes from others what they may do with a file.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    security::restrict(path)
}

/// What to type to see what is wrong with a file.
pub(crate) fn look_at(path: &str) -> String {
    format!("icacls {path}")
}

/// What to type to see how full its disk is.
pub(crate) fn see_room(_path: &str) -> String {
    "Get-PSDrive -PSProvider FileSystem".to_owned()
}

/// What to type to see who has it open.
pub(crate) fn see_users(_path: &str) -> String {
    "resmon".to_owned()
}

//! Unix: devices and inodes, modes.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What tells a file from another of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Which file has this name now; `None` where there is none. Looks without opening: closing any
    /// descriptor of a file would drop the locks that SQLite holds on it in this process.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(meta) => Ok(Some(FileId { device: meta.dev(), inode: meta.ino() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Makes an empty file that only its owner may use; one that is there is left alone.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a folder and its missing parents, closed to all but the owner.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Takes a file from all but its owner.
pub(crate) fn close_to_others(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))
}

/// Gives a file the permissions of another; one that is not there needs none.
pub(crate) fn copy_mode(from: &Path, to: &Path) -> io::Result<()> {
    match fs::set_permissions(to, fs::metadata(from)?.permissions()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Takes from others what they may do with a file.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(mode & 0o700)),
    }
}

/// What to type to see what is wrong with a file.
pub(crate) fn look_at(path: &str) -> String {
    format!("ls -ld {path}")
}

/// What to type to see how full its disk is.
pub(crate) fn see_room(path: &str) -> String {
    format!("df -h {path}")
}

/// What to type to see who has it open.
pub(crate) fn see_users(path: &str) -> String {
    format!("fuser -v {path}")
}

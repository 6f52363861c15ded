//! Whether a registry's surroundings let anybody work: told by looking, without changing anything.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::folder::Folder;
use crate::paths::Paths;
use crate::platform;

/// Why a folder cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It belongs to another user, this one.
    Foreign(String),
    /// It is a link, or no folder.
    NoFolder,
    /// Its file system takes no changes.
    ReadOnly,
    /// This user may not look into it, or change it; `own` where he could allow himself to.
    Closed {
        /// Whether it is his.
        own: bool,
    },
    /// The system says something else.
    Other(String),
}

/// The folders of a registry that cannot be used as they are, each with the reason. One that is
/// still to be made is asked for in the folder in which that would happen.
pub fn obstacles(paths: &Paths) -> Vec<(PathBuf, Obstacle)> {
    let (folder, socket_folder) = (paths.folder(), paths.socket_folder());
    let mut found: Vec<(PathBuf, Obstacle)> = access_obstacle(paths.parent()).into_iter().collect();
    for private in [Some(&*folder), socket_folder.as_deref()].into_iter().flatten() {
        if is_hidden(private) {
            continue;
        }
        let obstacle = private_obstacle(private).map(|obstacle| (private.to_owned(), obstacle));
        let obstacle = obstacle.or_else(|| access_obstacle(private));
        // The same for both where neither is there yet, or where nothing takes changes.
        let is_told = |(path, obstacle): &(PathBuf, Obstacle)| {
            found.iter().any(|told| {
                told.1 == *obstacle && (told.0 == *path || *obstacle == Obstacle::ReadOnly)
            })
        };
        if let Some(obstacle) = obstacle.filter(|obstacle| !is_told(obstacle)) {
            found.push(obstacle);
        }
    }
    found
}

/// The mode of the file and `most`, where the file is open to more people than that.
pub fn too_open(paths: &Paths, most: Option<u32>) -> Option<(u32, u32)> {
    let mode = platform::mode(&std::fs::metadata(paths.registry()).ok()?)?;
    most.filter(|most| mode & !most != 0).map(|most| (mode, most))
}

/// How many bytes this user may still write where the registry is; `None` where nobody tells.
pub fn free_bytes(paths: &Paths) -> Option<u64> {
    platform::free_bytes(existing(paths.parent())).ok()
}

/// How many bytes the registry's file has; none where there is no file.
pub fn registry_bytes(paths: &Paths) -> u64 {
    std::fs::metadata(paths.registry()).map_or(0, |meta| meta.len())
}

/// What makes a folder unfit to be private.
fn private_obstacle(path: &Path) -> Option<Obstacle> {
    match Folder::open_as_it_is(path.to_owned()) {
        Err(StoreError::Foreign { owner, .. }) => Some(Obstacle::Foreign(owner)),
        // A folder that may not be read is told below.
        Err(StoreError::Permission { .. }) if platform::check_folder_access(path).is_ok() => {
            Some(Obstacle::NoFolder)
        }
        _ => None,
    }
}

fn access_obstacle(path: &Path) -> Option<(PathBuf, Obstacle)> {
    let path = existing(path);
    let error = platform::check_folder_access(path).err()?;
    let obstacle = match error.kind() {
        _ if platform::is_read_only(&error) => Obstacle::ReadOnly,
        io::ErrorKind::PermissionDenied => Obstacle::Closed { own: platform::is_own(path) },
        io::ErrorKind::NotADirectory => Obstacle::NoFolder,
        _ => Obstacle::Other(error.to_string()),
    };
    Some((path.to_owned(), obstacle))
}

/// Whether a folder above is closed, so that nothing can be said of this one.
fn is_hidden(path: &Path) -> bool {
    let meta = path.symlink_metadata();
    meta.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The path, or the nearest folder above it that is there.
fn existing(path: &Path) -> &Path {
    let is_there = |path: &&Path| match path.symlink_metadata() {
        Err(error) => error.kind() != io::ErrorKind::NotFound,
        Ok(_) => true,
    };
    path.ancestors().find(is_there).unwrap_or(path)
}

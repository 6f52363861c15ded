//! What cannot be read is set aside, never thrown away.
//!
//! The copies are named after their content, so the same damage is kept once however often it is
//! met. argus never deletes any.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::atomic;
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::paths::Paths;
use crate::platform;

const FOLDER: &str = "quarantine";

/// What is kept there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quarantine {
    /// How many files.
    pub files: usize,
    /// The one that was put there last.
    pub newest: Option<PathBuf>,
}

/// Where what cannot be read of a registry is kept.
pub fn folder(paths: &Paths) -> PathBuf {
    paths.folder().join(FOLDER)
}

/// Looks what is kept of a registry. Changes nothing; a folder that is not there is empty.
pub fn inspect(paths: &Paths) -> StoreResult<Quarantine> {
    let path = folder(paths);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Quarantine::default()),
        Err(error) => return Err(StoreError::io("look into", &path)(error)),
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("look into", &path))?;
        // One that begins with a point is a copy that was not finished.
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
            kept.push((modified, entry.path()));
        }
    }
    let files = kept.len();
    Ok(Quarantine { files, newest: kept.into_iter().max().map(|(_, path)| path) })
}

/// Copies the file at `path` into the quarantine, durably. Returns where the copy is. Only for who
/// holds the lock of that file.
pub(crate) fn set_aside(path: &Path, folder: &Folder) -> StoreResult<PathBuf> {
    let quarantine = folder.path().join(FOLDER);
    let copied = Folder::create_at(quarantine.clone())
        .map_err(io::Error::other)
        .and_then(|folder| copy(path, folder.path()));
    copied.map_err(|source| StoreError::NotSetAside { path: path.to_owned(), quarantine, source })
}

fn copy(path: &Path, quarantine: &Path) -> io::Result<PathBuf> {
    let mut source = platform::open_to_read(path)?;
    let unfinished = quarantine.join(path.file_name().unwrap_or_default());
    // Finding that there is something that cannot be removed is not worth an error.
    let _ = atomic::remove_debris(&unfinished);
    let mut temp = atomic::temporary(&unfinished)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = source.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
        temp.write_all(&chunk[..read])?;
    }
    let hash: String = hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let target = quarantine.join(format!("{stem}-{hash}.json"));
    if !fs::exists(&target)? {
        temp.as_file().sync_all()?;
        atomic::rename(temp, &target)?;
    }
    // Also where it was there: who put it there may have been killed before he came to this. And
    // the folder itself may be new.
    platform::sync_folder(quarantine)?;
    if let Some(parent) = quarantine.parent() {
        platform::sync_folder(parent)?;
    }
    Ok(target)
}

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
use crate::platform;

const FOLDER: &str = "quarantine";

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
        temp.persist(&target).map_err(|error| error.error)?;
    }
    // Also where it was there: who put it there may have been killed before he came to this. And
    // the folder itself may be new.
    platform::sync_folder(quarantine)?;
    if let Some(parent) = quarantine.parent() {
        platform::sync_folder(parent)?;
    }
    Ok(target)
}

//! Replacing a file as a whole: its old content or its new one, never a part, also after a crash.
//!
//! temp file → write → fsync → mode → (last check) → rename → fsync of the folder.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{StoreError, StoreResult};
use crate::platform::{self, Stamp};

/// What the names of temporary files end with; before it stand the file's name and a random part.
const TEMP_SUFFIX: &str = ".argus-tmp";

/// The new content of a file, durable under a temporary name.
#[derive(Debug)]
pub(crate) struct Prepared {
    temp: NamedTempFile,
    target: PathBuf,
    /// Opened before anything is visible: whoever has no descriptor left learns it in time.
    folder: File,
    parent: PathBuf,
}

/// Writes and syncs the new content of `target`, which gets the mode of the old (0600 if new), but
/// for what `mode_max` does not allow.
///
/// `replaced` is the file that is there now. Nothing is visible before [`Prepared::publish`];
/// dropping it instead removes the temporary file.
pub(crate) fn prepare(
    target: &Path,
    content: &[u8],
    replaced: Option<&Metadata>,
    mode_max: Option<u32>,
) -> StoreResult<Prepared> {
    let parent = target.parent().unwrap_or(Path::new("."));
    let mut temp =
        temporary(target).map_err(StoreError::io("create a temporary file in", parent))?;
    let path = temp.path().to_owned();
    temp.write_all(content).map_err(StoreError::io("write", &path))?;
    platform::set_mode(temp.as_file(), replaced, mode_max)
        .map_err(StoreError::io("set the mode of", &path))?;
    temp.as_file().sync_all().map_err(StoreError::io("fsync", &path))?;
    let folder = File::open(parent).map_err(StoreError::io("open the folder", parent))?;
    Ok(Prepared { temp, target: target.to_owned(), folder, parent: parent.to_owned() })
}

/// The new content in its place, and the old one under the temporary name.
#[derive(Debug)]
pub(crate) struct Exchanged(Prepared);

impl Prepared {
    /// Its temporary name.
    pub(crate) fn path(&self) -> &Path {
        self.temp.path()
    }

    /// What tells the new content, before anybody else can write into it.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.temp.as_file().metadata().ok().as_ref().map(Stamp::of)
    }

    /// Puts the new content in the place of the old, which is kept. The other way round where the system
    /// cannot do that, or nothing is there to be kept: then nothing has changed.
    pub(crate) fn exchange(self) -> StoreResult<Result<Exchanged, Self>> {
        match platform::exchange(self.temp.path(), &self.target) {
            Ok(true) => Ok(Ok(Exchanged(self))),
            Ok(false) => Ok(Err(self)),
            Err(error) => Err(StoreError::io("rename a temporary file to", &self.target)(error)),
        }
    }

    /// Puts the new content in the place of the old. Returns the open file.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where the rename was done but may not survive a crash; with
    /// any other error the old content stands.
    pub(crate) fn publish(self) -> StoreResult<File> {
        let file = self.temp.persist(&self.target).map_err(|error| {
            StoreError::io("rename a temporary file to", &self.target)(error.error)
        })?;
        sync_names(&self.folder, self.parent)?;
        Ok(file)
    }
}

impl Exchanged {
    /// What was in the place of the new content.
    pub(crate) fn old(&self) -> io::Result<Metadata> {
        fs::metadata(self.0.temp.path())
    }

    /// Puts the old content back.
    pub(crate) fn undo(self) -> StoreResult<()> {
        let Prepared { temp, target, .. } = self.0;
        match platform::exchange(temp.path(), &target) {
            Ok(true) => Ok(()),
            // It was removed meanwhile: then so is the new content.
            Ok(false) => {
                temp.persist(&target).map(drop).map_err(|error| StoreError::OutcomeUnknown {
                    operation: "rename back",
                    path: target,
                    source: error.error,
                })
            }
            Err(source) => {
                Err(StoreError::OutcomeUnknown { operation: "rename back", path: target, source })
            }
        }
    }

    /// Makes it last. The old content gets another name, or goes. Returns the open file.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where it may not survive a crash.
    pub(crate) fn finish(self, old: Option<&Path>) -> StoreResult<File> {
        let Prepared { temp, folder, parent, .. } = self.0;
        sync_names(&folder, parent)?;
        let (file, temp) = temp.into_parts();
        if let Some(old) = old {
            // Without it a damaged file costs more; that is no reason to call the write failed.
            let _ = temp.persist(old);
        }
        Ok(file)
    }
}

fn sync_names(folder: &File, path: PathBuf) -> StoreResult<()> {
    folder.sync_all().map_err(|source| StoreError::OutcomeUnknown {
        operation: "fsync the folder",
        path,
        source,
    })
}

/// Makes a file durable that somebody else may have put in place.
pub(crate) fn sync(target: &Path) -> StoreResult<()> {
    let parent = target.parent().unwrap_or(Path::new("."));
    File::open(target)
        .and_then(|file| file.sync_all())
        .and_then(|()| platform::sync_folder(parent))
        .map_err(StoreError::io("fsync", target))
}

/// Replaces a file, 0600, that need not survive a crash: what describes a running process. Only
/// for who is the one to write it: what others left unfinished is cleared away.
pub fn replace_volatile(target: &Path, content: &[u8]) -> StoreResult<()> {
    // Finding that there is something that cannot be removed is not worth an error.
    let _ = remove_debris(target);
    let failed = || StoreError::io("replace", target);
    let mut temp = temporary(target).map_err(failed())?;
    temp.write_all(content).map_err(failed())?;
    temp.persist(target).map_err(|error| failed()(error.error))?;
    Ok(())
}

/// A temporary file beside `target`, under a name by which [`remove_debris`] knows it.
pub(crate) fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&temp_prefix(target))
        .suffix(TEMP_SUFFIX)
        .tempfile_in(target.parent().unwrap_or(Path::new(".")))
}

/// Removes temporary files that killed writers of `target` left behind. Only for who holds the
/// lock under which they are made.
pub(crate) fn remove_debris(target: &Path) -> io::Result<()> {
    let parent = target.parent().unwrap_or(Path::new("."));
    let prefix = temp_prefix(target);
    for entry in fs::read_dir(parent)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let random = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(TEMP_SUFFIX));
        // Not those of `registry.json.bak`, which has a lock of its own.
        if random.is_some_and(|random| random.chars().all(char::is_alphanumeric)) {
            fs::remove_file(parent.join(&*name))?;
        }
    }
    Ok(())
}

fn temp_prefix(target: &Path) -> String {
    let name = target.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!(".{name}.")
}

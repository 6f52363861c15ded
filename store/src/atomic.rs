//! Replacing a file as a whole: its old content or its new one, never a part, also after a crash.
//!
//! temp file → write → mode → fsync → (last check) → rename → fsync of the folder.
//!
//! No lock is taken here. Where others may write the same file, [`update`](crate::update) reads and
//! replaces it under its locks.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use argus_proto::document::Unreadable;
use argus_proto::limits::FILE_BYTES_MAX;
use tempfile::{NamedTempFile, TempPath};

use crate::closer::close_later;
use crate::error::{StoreError, StoreResult};
use crate::paths::Paths;
use crate::platform::{self, OpenFolder, Pin, Stamp};

/// What the names of temporary files end with; before it stand the file's name and a random part.
const TEMP_SUFFIX: &str = ".argus-tmp";

/// How much of a content is written at a time: the disk works on one piece while the next is made. Much less
/// at once makes the file system work in small pieces, which costs more.
const WRITE_BYTES: usize = 1024 * 1024;

/// How often a file is put back that another program keeps replacing.
const UNDO_MAX: u32 = 8;

/// Who may use a file, once it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Whoever may use the one that is there; only its owner, where there is none.
    #[default]
    Kept,
    /// Whom these permission bits say, as in `0o644`.
    Set(u32),
}

/// Replaces a file by one with this content, durably, or leaves it as it is.
///
/// A temporary file in the same folder is written, given its mode and synced, then renamed, and the
/// folder is synced: at no moment, and after no crash, is there a part of it. A link is followed, so
/// that it is the file behind it that is replaced. A file that is not there is made; its folder is
/// not.
///
/// The temporary file is removed where that fails. Who is killed leaves it behind; it is removed by
/// the next who holds the file's [`Lock`](crate::Lock), since only there it is known to be nobody's.
///
/// ```
/// use argus_store::atomic::{self, Mode};
///
/// # fn main() -> argus_store::StoreResult<()> {
/// # let home = tempfile::tempdir().expect("a folder");
/// # let path = home.path().join("token");
/// atomic::replace(&path, b"secret", Mode::Kept)?;
/// assert_eq!(atomic::read(&path)?.as_deref(), Some(&b"secret"[..]));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`StoreError::OutcomeUnknown`] where the rename was done but may not survive a crash: read again
/// before going on. With any other the old content stands: [`StoreError::TooLarge`] above
/// [`FILE_BYTES_MAX`], [`StoreError::Denied`], [`StoreError::Io`].
pub fn replace(path: &Path, content: &[u8], mode: Mode) -> StoreResult<()> {
    prepare_as(Paths::new(path)?.registry(), content, mode)?.publish().map(drop)
}

/// What a file holds; `None` where there is none. Needs no lock: whoever replaces a file as argus
/// does leaves no moment in which it is half written.
///
/// # Errors
/// [`StoreError::Unreadable`] where it has more than [`FILE_BYTES_MAX`] bytes, so that no memory is
/// taken for it. [`StoreError::Denied`], and [`StoreError::Io`], also where it is no regular file.
pub fn read(path: &Path) -> StoreResult<Option<Vec<u8>>> {
    Ok(read_open(path)?.map(|(_, _, content)| content))
}

/// As [`read`], with the open file, and what it was when it was opened.
pub(crate) fn read_open(path: &Path) -> StoreResult<Option<(File, Stamp, Vec<u8>)>> {
    let file = match platform::open_to_read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("open", path)(error)),
    };
    let meta = file.metadata().map_err(StoreError::io("look at", path))?;
    let stamp = Stamp::of(&file).map_err(StoreError::io("look at", path))?;
    if !meta.is_file() {
        return Err(StoreError::Io {
            operation: "read",
            path: path.to_owned(),
            source: io::Error::other("it is not a regular file"),
        });
    }
    let too_large = |bytes| {
        let path = path.to_owned();
        Err(StoreError::Unreadable { path, source: Unreadable::TooLarge(bytes) })
    };
    if meta.len() > FILE_BYTES_MAX as u64 {
        return too_large(meta.len());
    }
    let mut content = Vec::with_capacity(meta.len() as usize);
    // It may grow meanwhile.
    (&file)
        .take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut content)
        .map_err(StoreError::io("read", path))?;
    if content.len() > FILE_BYTES_MAX {
        return too_large(content.len() as u64);
    }
    Ok(Some((file, stamp, content)))
}

/// As [`prepare`], for a file of which nothing else is known.
pub(crate) fn prepare_as(target: &Path, content: &[u8], mode: Mode) -> StoreResult<Prepared> {
    if content.len() > FILE_BYTES_MAX {
        return Err(StoreError::TooLarge { path: target.to_owned(), bytes: content.len() });
    }
    let write = |out: &mut dyn Write| out.write_all(content);
    match mode {
        Mode::Kept => prepare(target, write, fs::metadata(target).ok().as_ref(), None),
        Mode::Set(mode) => prepare(target, write, None, Some(mode)),
    }
}

/// The new content of a file, durable under a temporary name.
#[derive(Debug)]
pub(crate) struct Prepared {
    temp: NamedTempFile,
    target: PathBuf,
    /// Opened before anything is visible: whoever has no descriptor left learns it in time.
    folder: OpenFolder,
    parent: PathBuf,
}

/// Lets `write` write the new content of `target`, and syncs it. It gets the mode of the old (0600 if new), but
/// for what `mode_max` does not allow.
///
/// `replaced` is the file that is there now. Nothing is visible before [`Prepared::publish`];
/// dropping it instead removes the temporary file.
pub(crate) fn prepare(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    replaced: Option<&Metadata>,
    mode_max: Option<u32>,
) -> StoreResult<Prepared> {
    let parent = target.parent().unwrap_or(Path::new("."));
    let temp = temporary(target).map_err(StoreError::io("create a temporary file in", parent))?;
    let path = temp.path().to_owned();
    let pieces = Pieces { file: temp.as_file(), written: 0 };
    let mut out = BufWriter::with_capacity(WRITE_BYTES, pieces);
    write(&mut out).and_then(|()| out.flush()).map_err(StoreError::io("write", &path))?;
    drop(out);
    platform::set_access(&temp, target, replaced, mode_max)
        .map_err(StoreError::io("set the mode of", &path))?;
    temp.as_file().sync_all().map_err(StoreError::io("fsync", &path))?;
    let folder = OpenFolder::open(parent).map_err(StoreError::io("open the folder", parent))?;
    Ok(Prepared { temp, target: target.to_owned(), folder, parent: parent.to_owned() })
}

/// Writes a file, and lets the disk begin with what was written.
struct Pieces<'a> {
    file: &'a File,
    written: u64,
}

impl Write for Pieces<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let bytes = self.file.write(piece)?;
        // The last piece is synced in a moment anyway.
        if bytes >= WRITE_BYTES / 2 {
            platform::begin_to_sync(self.file, self.written, bytes);
        }
        self.written += bytes as u64;
        Ok(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        Stamp::of(self.temp.as_file()).ok()
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
        let file = rename(self.temp, &self.target).map_err(StoreError::replacing(&self.target))?;
        sync_name(&self.folder, &file, self.parent)?;
        Ok(file)
    }
}

impl Exchanged {
    /// What was in the place of the new content.
    pub(crate) fn old(&self) -> io::Result<Stamp> {
        Stamp::at(self.0.temp.path())
    }

    /// Puts the old content back, or what another program has written in its place since: of two that
    /// were not ours the later one stays.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where it stays taken away.
    pub(crate) fn undo(self) -> StoreResult<()> {
        let Prepared { temp, target, .. } = self.0;
        let unknown = |source| StoreError::OutcomeUnknown {
            operation: "rename back",
            path: target.clone(),
            source,
        };
        let stamp = || Stamp::at(temp.path()).map_err(unknown);
        let mut put_before: Option<Stamp> = None;
        for _ in 0..UNDO_MAX {
            let put = stamp()?;
            if !platform::exchange(temp.path(), &target).map_err(unknown)? {
                // It was removed meanwhile. So is ours then, and what was there before it comes back.
                return rename(temp, &target).map(drop).map_err(unknown);
            }
            // What comes out and is neither ours nor what was put there before is newer than what went in.
            let out = stamp()?;
            if platform::is_same_file(temp.as_file(), temp.path())
                || put_before.is_some_and(|before| before.is_same_file(&out))
            {
                return Ok(());
            }
            put_before = Some(put);
        }
        Err(unknown(io::Error::other("another program writes it without a lock, again and again")))
    }

    /// Makes it last. The old content gets another name, or goes. Returns the open file.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where it may not survive a crash.
    pub(crate) fn finish(self, old: Option<&Path>) -> StoreResult<File> {
        let Prepared { temp, folder, parent, .. } = self.0;
        sync_name(&folder, temp.as_file(), parent)?;
        let (file, temp) = temp.into_parts();
        if let Some(old) = old {
            // Open, so that what had the name is not given back by the renaming itself.
            let replaced = Pin::at(old);
            // Without it a damaged file costs more; that is no reason to call the write failed.
            let _ = rename_path(temp, old);
            replaced.into_iter().for_each(close_later);
        }
        Ok(file)
    }
}

fn sync_name(folder: &OpenFolder, file: &File, path: PathBuf) -> StoreResult<()> {
    folder.sync_name_of(file).map_err(|source| StoreError::OutcomeUnknown {
        operation: "fsync the folder",
        path,
        source,
    })
}

/// Makes a file durable that somebody else may have put in place.
pub(crate) fn sync(target: &Path) -> StoreResult<()> {
    let parent = target.parent().unwrap_or(Path::new("."));
    platform::sync_file(target)
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
    rename(temp, target).map(drop).map_err(failed())
}

/// A temporary file beside `target`, under a name by which [`remove_debris`] knows it.
pub(crate) fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&temp_prefix(target))
        .suffix(TEMP_SUFFIX)
        .make_in(target.parent().unwrap_or(Path::new(".")), platform::create_new)
}

/// Gives a temporary file the name of `target`; what had it goes. Where that fails, so does the
/// temporary file.
pub(crate) fn rename(temp: NamedTempFile, target: &Path) -> io::Result<File> {
    let (file, path) = temp.into_parts();
    rename_path(path, target)?;
    Ok(file)
}

fn rename_path(path: TempPath, target: &Path) -> io::Result<()> {
    platform::replace(&path, target)?;
    // There is nothing of that name any more that it could remove.
    let _ = path.keep();
    Ok(())
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

#[cfg(test)]
#[path = "platform/atomic_tests.rs"]
mod tests;

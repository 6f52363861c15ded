//! The records of a collection, each in a file of its own.
//!
//! 1. A record's file is complete at every moment: it is replaced, never written in place.
//! 2. The folder is complete from its first moment: it is filled under another name.
//! 3. A heartbeat writes no record's file: its time is in the whole file, and a crash may lose it.

mod mark;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argus_proto::collection::Collection;
use argus_proto::document::{Document, Unreadable};
use argus_proto::limits::FILE_BYTES_MAX;
use argus_proto::merge::is_refreshed;
use argus_proto::record_file::{ID_SUFFIX, SUFFIX, id_of, is_hashed, stem};
use tempfile::TempPath;

pub(crate) use self::mark::Mark;
use crate::error::{StoreError, StoreResult};
use crate::paths::Paths;
use crate::platform::{self, OpenFolder};

/// As many files are synced one by one; more of them all at once, where the system can.
const SYNCED_ONE_BY_ONE_MAX: usize = 32;

/// The folder of the records' own files.
#[derive(Debug, Clone)]
pub(crate) struct RecordFolder {
    path: PathBuf,
}

/// A record's file that holds no record.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) path: PathBuf,
    pub(crate) id: Arc<str>,
    pub(crate) problem: Unreadable,
}

impl RecordFolder {
    pub(crate) fn new(paths: &Paths) -> Self {
        RecordFolder { path: paths.records() }
    }

    pub(crate) fn exists(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes `document`'s records those that are in the files, and tells of the files that hold none.
    /// Of these the record stays what it was.
    pub(crate) fn read_into(
        &self,
        document: &mut Document,
        collection: &Collection,
    ) -> StoreResult<Vec<Broken>> {
        let look = |error| StoreError::io("look into", &self.path)(error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(look)? {
            let entry = entry.map_err(look)?;
            if let Some(id) = self.id(&entry.file_name().to_string_lossy())? {
                let meta = entry.metadata().ok();
                // No folder, and nothing that may never end, is a record's file; a link may lead to one.
                let is_other = meta.as_ref().is_some_and(|meta| !meta.is_file());
                if is_other && !fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file()) {
                    continue;
                }
                let modified = meta.and_then(|meta| meta.modified().ok());
                found.push((modified, Arc::<str>::from(id), entry.path()));
            }
        }
        // What the document does not have yet comes in the order in which it was written.
        found.sort();
        let mut broken = Vec::new();
        let mut there = std::collections::HashSet::with_capacity(found.len());
        for (_, id, path) in found {
            let text = match read_text(&path) {
                // Removed since the folder was looked into.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    broken.push(Broken { path, id: id.clone(), problem: Unreadable::NotText });
                    there.insert(id);
                    continue;
                }
                read => read.map_err(StoreError::io("read", &path))?,
            };
            if let Err(problem) = document.set_record_file(&id, &text, collection) {
                broken.push(Broken { path, id: id.clone(), problem: problem.into() });
            }
            there.insert(id);
        }
        let is_default = |id: &str| collection.defaults.iter().any(|(default, _)| default == id);
        let gone = document.records.iter().map(|(id, _)| id);
        let gone = gone.filter(|id| !there.contains(*id) && !is_default(id));
        for id in gone.cloned().collect::<Vec<_>>() {
            document.records.remove(&id);
        }
        Ok(broken)
    }

    /// Writes what is new in `next` under temporary names. `before` is what the files hold, `None`
    /// where there is no folder yet; the files of `rewritten` are not believed to hold anything.
    pub(crate) fn prepare(
        &self,
        before: Option<&Document>,
        next: &Document,
        rewritten: &[Arc<str>],
    ) -> StoreResult<PreparedRecords> {
        let Some(before) = before else { return self.prepare_folder(next) };
        let mut ids = before.records.differing(&next.records);
        ids.retain(|id| !is_refreshed(before.records.get(id), next.records.get(id)));
        ids.extend(rewritten.iter().filter(|id| !ids.contains(id)).cloned().collect::<Vec<_>>());
        let unfinished = self.unfinished();
        let mut prepared = PreparedRecords::new(&self.path)?;
        let is_one_by_one = ids.len() <= SYNCED_ONE_BY_ONE_MAX;
        prepared.ids = ids.clone();
        for id in ids {
            let stem = stem(&id);
            let target = self.path.join(format!("{stem}{SUFFIX}"));
            match next.record_file(&id) {
                Some(text) => {
                    if is_hashed(&stem) {
                        let id_file = self.path.join(format!("{stem}{ID_SUFFIX}"));
                        prepared.write(&unfinished, id_file, &id, is_one_by_one)?;
                    }
                    prepared.write(&unfinished, target, &text, is_one_by_one)?;
                }
                None => {
                    prepared.removed.push(target);
                    if is_hashed(&stem) {
                        prepared.removed.push(self.path.join(format!("{stem}{ID_SUFFIX}")));
                    }
                }
            }
        }
        if !is_one_by_one {
            prepared.folder.sync_file_system().map_err(StoreError::io("sync", &self.path))?;
        }
        Ok(prepared)
    }

    /// Removes the folder, once the whole file is all there is. It goes as a whole: of a part of it,
    /// it would look as if the rest had been removed.
    pub(crate) fn remove(&self) -> StoreResult<()> {
        let unfinished = self.unfinished();
        let failed = |operation| StoreError::io(operation, &self.path);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(StoreError::io("remove", &unfinished))?;
        }
        fs::rename(&self.path, &unfinished).map_err(failed("remove"))?;
        self.sync_parent()?;
        // What is left of it is nobody's.
        self.remove_debris();
        Ok(())
    }

    /// Makes it last that the folder is there, or is not.
    pub(crate) fn sync_parent(&self) -> StoreResult<()> {
        let parent = self.path.parent().unwrap_or(Path::new("."));
        platform::sync_folder(parent).map_err(StoreError::io("fsync", parent))
    }

    /// Removes what killed writers left. Only for who holds the lock.
    pub(crate) fn remove_debris(&self) {
        let _ = fs::remove_dir_all(self.unfinished());
    }

    /// All records in a folder of another name.
    fn prepare_folder(&self, next: &Document) -> StoreResult<PreparedRecords> {
        let unfinished = self.unfinished();
        let failed = |operation| StoreError::io(operation, &unfinished);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(failed("remove"))?;
        }
        let new_folder = NewFolder { unfinished: unfinished.clone(), target: self.path.clone() };
        platform::create_private_folders(&unfinished).map_err(failed("create the folder"))?;
        let is_one_by_one = next.records.len() <= SYNCED_ONE_BY_ONE_MAX;
        let write = |name: String, text: &str| {
            let path = unfinished.join(name);
            let mut file = platform::create_new(&path).map_err(StoreError::io("create", &path))?;
            let written = file.write_all(text.as_bytes());
            let synced = written.and_then(|()| {
                if is_one_by_one { file.sync_all() } else { platform::sync_later(&file) }
            });
            synced.map_err(StoreError::io("write", &path))
        };
        for (id, _) in next.records.iter() {
            let stem = stem(id);
            if is_hashed(&stem) {
                write(format!("{stem}{ID_SUFFIX}"), id)?;
            }
            // It is one of those that were just listed.
            let text = next.record_file(id).unwrap_or_default();
            write(format!("{stem}{SUFFIX}"), &text)?;
        }
        let folder = OpenFolder::open(&unfinished).map_err(failed("open"))?;
        let synced = if is_one_by_one { Ok(()) } else { folder.sync_file_system() };
        synced.and_then(|()| folder.sync()).map_err(failed("fsync"))?;
        let parent = self.path.parent().unwrap_or(Path::new("."));
        let mut prepared = PreparedRecords::new(parent)?;
        prepared.new_folder = Some(new_folder);
        Ok(prepared)
    }

    /// Where files are made: beside the folder, which is another whenever a file in it is.
    fn unfinished(&self) -> PathBuf {
        self.path.with_extension("new")
    }

    /// The id of the record that is in the file of this name, if one is.
    fn id(&self, name: &str) -> StoreResult<Option<String>> {
        let Some(name) = name.strip_suffix(SUFFIX) else { return Ok(None) };
        if !is_hashed(name) {
            return Ok(id_of(name));
        }
        let path = self.path.join(format!("{name}{ID_SUFFIX}"));
        match read_text(&path) {
            Ok(id) => Ok((stem(&id) == name).then_some(id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            // It would look as if the record had been removed.
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }
}

/// New records' files, durable under temporary names.
pub(crate) struct PreparedRecords {
    path: PathBuf,
    /// Opened before anything is visible: whoever has no descriptor left learns it in time.
    folder: OpenFolder,
    written: Vec<(TempPath, PathBuf)>,
    removed: Vec<PathBuf>,
    ids: Vec<Arc<str>>,
    new_folder: Option<NewFolder>,
}

/// A whole folder, and the name that it is to have. It is removed where it does not get it.
struct NewFolder {
    unfinished: PathBuf,
    target: PathBuf,
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.unfinished);
    }
}

impl PreparedRecords {
    fn new(folder: &Path) -> StoreResult<Self> {
        let open = OpenFolder::open(folder).map_err(StoreError::io("open the folder", folder))?;
        Ok(PreparedRecords {
            path: folder.to_owned(),
            folder: open,
            written: Vec::new(),
            removed: Vec::new(),
            ids: Vec::new(),
            new_folder: None,
        })
    }

    fn write(
        &mut self,
        unfinished: &Path,
        target: PathBuf,
        text: &str,
        is_synced: bool,
    ) -> StoreResult<()> {
        let make = || tempfile::Builder::new().make_in(unfinished, platform::create_new);
        let made = make().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                platform::create_private_folders(unfinished).and_then(|()| make())
            }
            _ => Err(error),
        });
        let mut temp = made.map_err(StoreError::io("create a temporary file in", unfinished))?;
        let failed = StoreError::io("write", &target);
        let written = temp.write_all(text.as_bytes());
        let file = temp.as_file();
        written
            .and_then(|()| if is_synced { file.sync_all() } else { platform::sync_later(file) })
            .map_err(failed)?;
        // Closed: there may be more of them than descriptors.
        self.written.push((temp.into_temp_path(), target));
        Ok(())
    }

    /// Whose records they are.
    pub(crate) fn ids(&self) -> &[Arc<str>] {
        &self.ids
    }

    /// Gives everything its name.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where some may have become visible; with any other error nothing
    /// was changed.
    pub(crate) fn publish(self) -> StoreResult<()> {
        let path = self.path;
        let mut is_begun = false;
        let failed = |operation, source, is_begun: bool| match is_begun {
            false => StoreError::Io { operation, path: path.clone(), source },
            true => StoreError::OutcomeUnknown { operation, path: path.clone(), source },
        };
        if let Some(NewFolder { unfinished, target }) = &self.new_folder {
            fs::rename(unfinished, target)
                .map_err(|source| failed("rename a folder in", source, false))?;
            is_begun = true;
        }
        for (temp, target) in self.written {
            platform::replace(&temp, &target)
                .map_err(|error| failed("rename a file in", error, is_begun))?;
            let _ = temp.keep();
            is_begun = true;
        }
        for target in self.removed {
            match platform::remove_file(&target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed.map_err(|source| failed("remove a file in", source, is_begun))?
                }
            }
            is_begun = true;
        }
        match is_begun {
            true => self.folder.sync().map_err(|source| failed("fsync", source, true)),
            false => Ok(()),
        }
    }
}

/// The text of a file that may not be endless.
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = platform::open_to_read(path)?;
    file.take(FILE_BYTES_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

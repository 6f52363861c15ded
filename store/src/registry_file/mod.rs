//! A collection's file: read without a lock, changed under both.

mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_proto::Code;
use argus_proto::collection::{Collection, Layout};
use argus_proto::document::{Document, Unreadable};

use crate::atomic;
use crate::contents::{Contents, Seen, read_file};
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::kernel_lock::{self, OWNER_LOCK};
use crate::lock::Locker;
use crate::lockfile::StaleAfter;
use crate::paths::Paths;
use crate::platform;
use crate::records::RecordFolder;
use crate::recovery::{Damage, Recovery, Source};
use crate::wait::Wait;

/// How often a reader looks again at a file that somebody may be writing in place.
const TORN_READS_MAX: u32 = 5;
/// How often a write begins anew because somebody wrote without a lock meanwhile.
const OVERTAKEN_MAX: u32 = 3;
const TORN_READ_PAUSE: Duration = Duration::from_millis(10);

/// One collection's file, and what was last seen of it.
#[derive(Debug)]
pub struct RegistryFile {
    paths: Paths,
    collection: Arc<Collection>,
    stale_after: StaleAfter,
    locker: Locker,
    /// The registry whose daemon serves this file.
    served_with: Paths,
    /// It is that daemon's, who holds the owner lock.
    is_owner: bool,
    known: Option<Contents>,
    /// The last write may not last: what is there is read, and written anew, whatever happens.
    is_uncertain: bool,
    /// The records whose own files are not believed to hold anything.
    doubted: Vec<Arc<str>>,
    /// What could not be read, and where, so that it is not read over and over.
    unreadable: Option<(Seen, PathBuf, Unreadable)>,
    recoveries: Vec<Recovery>,
}

/// How one attempt to write ended.
enum Attempt {
    Ended(Committed),
    /// Somebody wrote the file without a lock while the new one was being prepared.
    Overtaken,
}

/// What a lock-free read found.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The document: the file's, or where that cannot be used, the one to go on with.
    pub document: Document,
    /// Why the file cannot be used, and what is shown instead.
    pub problem: Option<(Unreadable, Source)>,
}

/// A change in the making. All functions are called under the locks.
pub trait Transaction {
    /// Makes the next document of the one on disk; `None` where nothing changes.
    fn apply(&mut self, document: &Document) -> Option<Document>;

    /// Asked when everything is on the disk but the rename: whether it shall still be done.
    fn is_wanted(&mut self) -> bool {
        true
    }

    /// Where records have files of their own: whether the whole file has to show them before this is over.
    fn wants_whole_file(&self) -> bool {
        true
    }
}

/// How a transaction ended without error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The new document is durable.
    Written,
    /// Nothing was to be changed.
    Unchanged,
    /// The transaction did not want it any more; nothing was changed.
    Withdrawn,
}

impl RegistryFile {
    /// The file at `paths`; nothing is touched yet.
    pub fn new(paths: Paths, collection: Arc<Collection>, stale_after: StaleAfter) -> Self {
        RegistryFile {
            served_with: paths.clone(),
            paths,
            collection,
            stale_after,
            locker: Locker::default(),
            is_owner: false,
            known: None,
            is_uncertain: false,
            doubted: Vec::new(),
            unreadable: None,
            recoveries: Vec::new(),
        }
    }

    /// The same for a file that the daemon of another registry serves.
    #[must_use]
    pub fn served_with(mut self, registry: &Paths) -> Self {
        self.served_with = registry.clone();
        self
    }

    /// The same for who holds the owner lock.
    #[must_use]
    pub fn for_owner(mut self) -> Self {
        self.is_owner = true;
        self
    }

    /// Where it is.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Reads the file without a lock, which its atomic replacement makes possible. Writes nothing.
    /// A file that cannot be used is never silently empty: what there is instead is told.
    pub fn read(&self) -> StoreResult<Reading> {
        let mut attempt = 0;
        loop {
            let problem = match Contents::read(&self.paths, &self.collection, None) {
                Ok(contents) => {
                    return Ok(Reading { document: contents.document, problem: None });
                }
                Err(StoreError::Unreadable { source, .. }) => source,
                Err(error) => return Err(error),
            };
            attempt += 1;
            let is_newer = matches!(problem, Unreadable::UnsupportedVersion { .. });
            // A program that writes in place leaves a moment in which the file is half written.
            if attempt < TORN_READS_MAX && !is_newer {
                std::thread::sleep(TORN_READ_PAUSE);
                continue;
            }
            let salvaged = Contents::salvage(&self.paths, &self.collection, self.known())?;
            let (document, source) = match salvaged {
                Some((contents, _)) => (contents.document, Source::Records),
                None => self.fallback(!is_newer),
            };
            return Ok(Reading { document, problem: Some((problem, source)) });
        }
    }

    /// The damage that this file was mended from, since this was last asked.
    pub fn take_recoveries(&mut self) -> Vec<Recovery> {
        std::mem::take(&mut self.recoveries)
    }

    /// Reads the file again if it is not what was last seen. Takes no lock and writes nothing.
    pub fn reload(&mut self) -> StoreResult<Document> {
        if let Some(known) = &self.known
            && !self.has_changed()
        {
            return Ok(known.document.clone());
        }
        let seen = self.seen();
        if let Some((known, path, problem)) = &self.unreadable
            && seen == *known
        {
            let (path, source) = (path.clone(), problem.clone());
            return Err(StoreError::Unreadable { path, source });
        }
        match Contents::read(&self.paths, &self.collection, self.known.as_ref()) {
            Ok(contents) => {
                self.unreadable = None;
                Ok(self.known.insert(contents).document.clone())
            }
            Err(error) => {
                if let StoreError::Unreadable { path, source } = &error {
                    self.unreadable = Some((seen, path.clone(), source.clone()));
                }
                Err(error)
            }
        }
    }

    /// The document as it was last read or written here, if it ever was.
    pub fn known(&self) -> Option<&Document> {
        self.known.as_ref().map(|known| &known.document)
    }

    /// Whether the file is not what was last seen.
    pub fn has_changed(&self) -> bool {
        match &self.known {
            Some(known) if !self.is_uncertain => self.seen() != known.seen,
            _ => true,
        }
    }

    /// Whether records that have files of their own are not all shown by the whole file.
    pub fn is_behind(&self) -> bool {
        let own_files = self.known.as_ref().and_then(|known| known.own_files.as_ref());
        own_files.is_some_and(|own_files| own_files.is_behind || own_files.is_whole_foreign)
    }

    /// Writes the whole file, if it is behind the records' own files.
    ///
    /// # Errors
    /// As [`RegistryFile::update`].
    pub fn catch_up(&mut self, wait: Duration) -> StoreResult<Committed> {
        self.update(wait, &mut Nothing)
    }

    /// Makes a change durable: under both locks, on top of what others wrote meanwhile.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] where the change may have become visible; with any other
    /// error nothing was changed.
    pub fn update(
        &mut self,
        wait: Duration,
        transaction: &mut impl Transaction,
    ) -> StoreResult<Committed> {
        let lock = self.locker.lock(&self.paths, self.stale_after, &mut Wait::new(wait))?;
        for _ in 0..OVERTAKEN_MAX {
            if let Attempt::Ended(committed) = self.attempt(&lock, transaction)? {
                return Ok(committed);
            }
        }
        Err(StoreError::Locked {
            path: self.paths.registry().to_owned(),
            holder: "a program that writes it without a lock".to_owned(),
            age: None,
        })
    }

    /// Writes the file anew as it is; where it cannot be used, what there is in its place.
    ///
    /// # Errors
    /// As [`RegistryFile::update`].
    pub fn mend(&mut self, wait: Duration) -> StoreResult<Committed> {
        self.mend_unless(wait, |_| false)
    }

    /// The same, for who was not asked to: a file in whose place there is nothing is left as it is. It may
    /// be another program's, which was described wrongly.
    ///
    /// # Errors
    /// As [`RegistryFile::update`], and what is wrong with the file.
    pub fn mend_if_anything_is_left(&mut self, wait: Duration) -> StoreResult<Committed> {
        self.mend_unless(wait, |source| source == Source::Empty)
    }

    fn mend_unless(
        &mut self,
        wait: Duration,
        is_useless: impl Fn(Source) -> bool,
    ) -> StoreResult<Committed> {
        if let Ok(Reading { problem: Some((problem, source)), .. }) = self.read()
            && is_useless(source)
        {
            let path = self.paths.registry().to_owned();
            return Err(StoreError::Unreadable { path, source: problem });
        }
        struct AsItWas;
        impl Transaction for AsItWas {
            fn apply(&mut self, document: &Document) -> Option<Document> {
                Some(document.clone())
            }
        }
        self.update(wait, &mut AsItWas)
    }

    /// Takes the locks as every change does, and lets them go without one: what the dead left of
    /// theirs is gone then.
    ///
    /// # Errors
    /// As [`RegistryFile::update`].
    pub fn clear_locks(&mut self, wait: Duration) -> StoreResult<()> {
        self.update(wait, &mut Nothing).map(drop)
    }

    /// What a transaction is to be applied to.
    fn current(&mut self) -> StoreResult<(Contents, Option<Damage>)> {
        let mut attempt = 1;
        loop {
            let error = match self.reload() {
                Ok(_) => match &self.known {
                    Some(known) => return Ok((known.clone(), None)),
                    None => continue,
                },
                Err(error) => error,
            };
            let StoreError::Unreadable { path, source } = error else { return Err(error) };
            if source.code() != Code::Corrupt {
                return Err(StoreError::Unreadable { path, source });
            }
            // Somebody may be writing in place, without a lock.
            if attempt < TORN_READS_MAX {
                attempt += 1;
                std::thread::sleep(TORN_READ_PAUSE);
                continue;
            }
            self.leave_to_owner(&source)?;
            return self.instead(path, &source);
        }
    }

    /// What a daemon has in memory is newer than any copy. Going on with an older one, it would look as if
    /// somebody had removed the rest, and the daemon would follow.
    fn leave_to_owner(&self, problem: &Unreadable) -> StoreResult<()> {
        match kernel_lock::holder(&self.served_with, OWNER_LOCK).filter(|_| !self.is_owner) {
            Some(owner) => {
                let (path, source) = (self.paths.registry().to_owned(), problem.clone());
                Err(StoreError::OwnersToMend { path, source, owner })
            }
            None => Ok(()),
        }
    }

    /// Whoever repeats a change is told that it is there already; then it has to last.
    fn make_durable(&mut self) -> StoreResult<()> {
        if let Some(known) = &mut self.known
            && !known.is_durable
        {
            // A record's own file was synced before it got its name.
            if known.own_files.is_some() {
                let folder = self.paths.records();
                platform::sync_folder(&folder).map_err(StoreError::io("fsync", &folder))?;
                RecordFolder::new(&self.paths).sync_parent()?;
            }
            if known.seen.whole.is_some() {
                atomic::sync(self.paths.registry())?;
            }
            known.is_durable = true;
        }
        Ok(())
    }

    /// What the files are now.
    fn seen(&self) -> Seen {
        let has_records = self.known.as_ref().is_some_and(|known| known.own_files.is_some());
        Seen::now(&self.paths, has_records || self.collection.layout == Layout::Directory)
    }

    /// What to go on with where some file cannot be used, and why that is kept.
    fn instead(
        &mut self,
        path: PathBuf,
        problem: &Unreadable,
    ) -> StoreResult<(Contents, Option<Damage>)> {
        let seen = self.seen();
        if let Some((contents, broken)) =
            Contents::salvage(&self.paths, &self.collection, self.known())?
        {
            self.doubted.extend(broken.iter().map(|broken| broken.id.clone()));
            let mut paths = vec![path];
            paths.extend(broken.into_iter().map(|broken| broken.path));
            paths.dedup();
            let damage = Damage::unreadable(paths, problem, Source::Records);
            return Ok((contents, Some(damage)));
        }
        let (document, from) = self.fallback(true);
        let damage = Damage::unreadable(vec![path], problem, from);
        let contents =
            Contents { seen, _whole_file: None, document, is_durable: false, own_files: None };
        Ok((contents, Some(damage)))
    }

    /// The newer of what is in memory and of the last good copy. Memory may be from before others wrote.
    fn fallback(&self, may_use_last_good: bool) -> (Document, Source) {
        let memory = self.known.as_ref().map(|known| (known.document.clone(), Source::Memory));
        let last_good = may_use_last_good
            .then(|| read_file(&self.paths.last_good(), &self.collection).ok())
            .flatten()
            .filter(|(file, _)| file.is_some())
            .map(|(_, document)| (document, Source::LastGood));
        // Where the file had been removed, that is the newest, and has no time.
        let was_removed = self.known.as_ref().is_some_and(|known| known.seen.whole.is_none());
        last_good
            .filter(|_| !was_removed)
            .into_iter()
            .chain(memory)
            .max_by_key(|(document, _)| document.updated_at())
            .unwrap_or_else(|| (Document::empty(&self.collection), Source::Empty))
    }

    fn set_aside(&self, damage: Damage) -> StoreResult<Vec<Recovery>> {
        damage.set_aside(&Folder::open(self.paths.folder())?)
    }
}

/// A transaction that changes nothing.
struct Nothing;

impl Transaction for Nothing {
    fn apply(&mut self, _document: &Document) -> Option<Document> {
        None
    }
}

//! A collection's file: read without a lock, changed under both.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argus_proto::Code;
use argus_proto::collection::Collection;
use argus_proto::document::{Document, Unreadable};
use argus_proto::limits::FILE_BYTES_MAX;

use crate::atomic;
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::kernel_lock::{self, OWNER_LOCK};
use crate::lock::{Lock, Locker};
use crate::lockfile::StaleAfter;
use crate::paths::Paths;
use crate::platform::{self, Stamp};
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
    known: Option<Known>,
    /// The last write may not last: what is there is read, and written anew, whatever happens.
    is_uncertain: bool,
    /// What could not be read, so that it is not read over and over.
    unreadable: Option<(Stamp, Unreadable)>,
    recoveries: Vec<Recovery>,
}

/// What the file was when it was last read or written.
#[derive(Debug, Clone)]
struct Known {
    /// `None`: there was no file.
    stamp: Option<Stamp>,
    /// Kept open, so that no later file can be given its inode: within one tick of the file system's
    /// clock such a one, of the same size, would have the same stamp.
    _file: Option<Arc<File>>,
    document: Document,
    /// Whether it was synced here. One that was only read may be another's who was killed
    /// between his rename and his fsync.
    is_durable: bool,
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
            let problem = match read_file(self.paths.registry(), &self.collection) {
                Ok((_, document)) => return Ok(Reading { document, problem: None }),
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
            let (document, source) = self.fallback(!is_newer);
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
        let path = self.paths.registry();
        let stamp = self.stamp();
        if let Some((seen, problem)) = &self.unreadable
            && stamp == Some(*seen)
        {
            let (path, source) = (path.to_owned(), problem.clone());
            return Err(StoreError::Unreadable { path, source });
        }
        match read_file(path, &self.collection) {
            Ok((file, document)) => {
                self.unreadable = None;
                let (file, stamp) = file.unzip();
                self.known = Some(Known {
                    stamp,
                    _file: file.map(Arc::new),
                    document: document.clone(),
                    is_durable: false,
                });
                Ok(document)
            }
            Err(error) => {
                if let StoreError::Unreadable { source, .. } = &error {
                    self.unreadable = stamp.map(|stamp| (stamp, source.clone()));
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
            Some(known) if !self.is_uncertain => self.stamp() != known.stamp,
            _ => true,
        }
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
        struct Nothing;
        impl Transaction for Nothing {
            fn apply(&mut self, _document: &Document) -> Option<Document> {
                None
            }
        }
        self.update(wait, &mut Nothing).map(drop)
    }

    /// Applies the transaction to what is there, and puts the result in its place.
    fn attempt(&mut self, lock: &Lock, transaction: &mut impl Transaction) -> StoreResult<Attempt> {
        let stamp = self.stamp();
        let (current, damage) = self.current()?;
        let next = match transaction.apply(&current) {
            Some(next) => next,
            None if self.is_uncertain => current.clone(),
            None => {
                self.make_durable()?;
                return Ok(Attempt::Ended(Committed::Unchanged));
            }
        };
        let damage = damage.or_else(|| Damage::duplicates(&current));
        let is_readable = damage.as_ref().is_none_or(Damage::is_readable);
        let recovery = damage.map(|damage| self.set_aside(damage)).transpose()?;
        let text = next.render();
        if text.len() > FILE_BYTES_MAX {
            let path = self.paths.registry().to_owned();
            return Err(StoreError::TooLarge { path, bytes: text.len() });
        }

        let replaced = fs::metadata(self.paths.registry()).ok();
        let path = self.paths.registry().to_owned();
        let mode_max = self.collection.mode;
        let prepared = atomic::prepare(&path, text.as_bytes(), replaced.as_ref(), mode_max)?;
        lock.check_own()?;
        if self.stamp() != stamp {
            return Ok(Attempt::Overtaken);
        }
        if !transaction.is_wanted() {
            return Ok(Attempt::Ended(Committed::Withdrawn));
        }
        let last_good = (replaced.is_some() && is_readable).then(|| LastGood::link(&self.paths));
        let file = prepared.publish().inspect_err(|error| {
            self.is_uncertain = matches!(error, StoreError::OutcomeUnknown { .. });
        })?;
        if let Some(last_good) = last_good {
            last_good.publish();
        }
        // Without a stamp it is read again; that it is durable is certain all the same.
        let stamp = file.metadata().ok().as_ref().map(Stamp::of);
        let _file = Some(Arc::new(file));
        self.known = Some(Known { stamp, _file, document: next, is_durable: true });
        self.is_uncertain = false;
        self.recoveries.extend(recovery);
        Ok(Attempt::Ended(Committed::Written))
    }

    /// What a transaction is to be applied to.
    fn current(&mut self) -> StoreResult<(Document, Option<Damage>)> {
        let mut attempt = 1;
        loop {
            match self.reload() {
                Ok(document) => return Ok((document, None)),
                Err(StoreError::Unreadable { source, .. }) if source.code() == Code::Corrupt => {
                    // Somebody may be writing in place, without a lock.
                    if attempt < TORN_READS_MAX {
                        attempt += 1;
                        std::thread::sleep(TORN_READ_PAUSE);
                        continue;
                    }
                    self.leave_to_owner(&source)?;
                    let (document, from) = self.fallback(true);
                    return Ok((document, Some(Damage::unreadable(&source, from))));
                }
                Err(error) => return Err(error),
            }
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
            && known.stamp.is_some()
        {
            atomic::sync(self.paths.registry())?;
            known.is_durable = true;
        }
        Ok(())
    }

    /// What the file is now; `None` where there is none.
    fn stamp(&self) -> Option<Stamp> {
        fs::metadata(self.paths.registry()).ok().as_ref().map(Stamp::of)
    }

    /// What to go on with where the file cannot be used: the newer of what is in memory and of
    /// the last good copy. Memory may be from before others wrote.
    fn fallback(&self, may_use_last_good: bool) -> (Document, Source) {
        let memory = self.known.as_ref().map(|known| (known.document.clone(), Source::Memory));
        let last_good = may_use_last_good
            .then(|| read_file(&self.paths.last_good(), &self.collection).ok())
            .flatten()
            .filter(|(file, _)| file.is_some())
            .map(|(_, document)| (document, Source::LastGood));
        // Where the file had been removed, that is the newest, and has no time.
        let was_removed = self.known.as_ref().is_some_and(|known| known.stamp.is_none());
        last_good
            .filter(|_| !was_removed)
            .into_iter()
            .chain(memory)
            .max_by_key(|(document, _)| document.updated_at())
            .unwrap_or_else(|| (Document::empty(&self.collection), Source::Empty))
    }

    fn set_aside(&self, damage: Damage) -> StoreResult<Recovery> {
        damage.set_aside(self.paths.registry(), &Folder::open(self.paths.folder())?)
    }
}

/// The old file under a second name, on its way to be the last good one.
///
/// Linked before the rename that takes its first name away, and named `last-good.json` only after
/// it: as long as both names lead to one file, who damages it in place damages both. Without a
/// last good copy a damaged file costs more; that is no reason to refuse a write.
struct LastGood {
    fresh: PathBuf,
    path: PathBuf,
}

impl LastGood {
    fn link(paths: &Paths) -> Self {
        let path = paths.last_good();
        let fresh = path.with_extension("json.new");
        let _ = fs::remove_file(&fresh);
        let _ = platform::link_new(paths.registry(), &fresh);
        LastGood { fresh, path }
    }

    fn publish(&self) {
        let _ = fs::rename(&self.fresh, &self.path);
    }
}

impl Drop for LastGood {
    fn drop(&mut self) {
        // Where nothing was published; else it has no such name any more.
        let _ = fs::remove_file(&self.fresh);
    }
}

/// Reads and parses; a missing file is an empty document.
fn read_file(
    path: &Path,
    collection: &Collection,
) -> StoreResult<(Option<(File, Stamp)>, Document)> {
    let Some((file, meta, bytes)) = atomic::read_open(path)? else {
        return Ok((None, Document::empty(collection)));
    };
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let document = Document::parse(&bytes, collection).map_err(unreadable)?;
    Ok((Some((file, Stamp::of(&meta))), document))
}

//! A collection's file: read without a lock, changed under both.

use std::fs::{self, File, Metadata};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_proto::Code;
use argus_proto::collection::{Collection, Layout};
use argus_proto::document::{Document, Unreadable};
use argus_proto::limits::FILE_BYTES_MAX;

use crate::atomic::{self, Prepared};
use crate::contents::{Contents, OwnFiles, Seen, read_file};
use crate::error::{StoreError, StoreResult};
use crate::folder::Folder;
use crate::kernel_lock::{self, OWNER_LOCK};
use crate::last_good::LastGood;
use crate::lock::{Lock, Locker};
use crate::lockfile::StaleAfter;
use crate::paths::Paths;
use crate::platform::{self, Stamp};
use crate::records::{Mark, PreparedRecords, RecordFolder};
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

/// What is on the disk already, but for its names.
enum New {
    Whole { prepared: Prepared, replaced: Option<Metadata> },
    Records(PreparedRecords),
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

    /// Applies the transaction to what is there, and puts the result in its place.
    fn attempt(&mut self, lock: &Lock, transaction: &mut impl Transaction) -> StoreResult<Attempt> {
        let seen = self.seen();
        let (current, damage) = self.current()?;
        let is_foreign = current.own_files.as_ref().is_some_and(|own| own.is_whole_foreign);
        let next = match transaction.apply(&current.document) {
            Some(next) => next,
            None if self.is_uncertain || is_foreign && transaction.wants_whole_file() => {
                current.document.clone()
            }
            None => {
                self.make_durable()?;
                if self.is_behind() && transaction.wants_whole_file() {
                    self.write_behind(lock)?;
                }
                return Ok(Attempt::Ended(Committed::Unchanged));
            }
        };
        let damage = damage.or_else(|| Damage::duplicates(&self.paths, &current.document));
        let is_readable = damage.as_ref().is_none_or(Damage::is_readable);
        let recoveries = damage.map_or(Ok(Vec::new()), |damage| self.set_aside(damage))?;
        let new = match self.collection.layout {
            Layout::File => self.prepare_whole(&next)?,
            Layout::Directory => self.prepare_records(&current, &next)?,
        };
        lock.check_own()?;
        if self.seen() != seen {
            return Ok(Attempt::Overtaken);
        }
        if !transaction.is_wanted() {
            return Ok(Attempt::Ended(Committed::Withdrawn));
        }
        match new {
            New::Whole { prepared, replaced } => {
                // Beside the records' own files it is what the whole file is compared with.
                let has_own_files = current.own_files.is_some();
                let keeps_old = is_readable && !has_own_files;
                let written = prepared.stamp();
                let Some(file) = self.replace_whole(prepared, replaced, seen, keeps_old)? else {
                    return Ok(Attempt::Overtaken);
                };
                self.note_whole(file, written, next);
                if has_own_files {
                    self.remove_own_files()?;
                }
            }
            New::Records(prepared) => {
                let is_top_new = !next.has_same_top(&current.document);
                // What it holds at the moment is no longer what there is, and never was written so.
                let is_first = current.own_files.is_none();
                let must_show = transaction.wants_whole_file()
                    || is_first
                    || is_foreign
                    || is_top_new
                    || !recoveries.is_empty();
                self.publish_records(prepared, current, next, seen)?;
                if must_show {
                    self.show(lock, is_top_new, is_first || is_foreign)?;
                }
            }
        }
        self.is_uncertain = false;
        self.recoveries.extend(recoveries);
        Ok(Attempt::Ended(Committed::Written))
    }

    /// The whole new file, under a temporary name.
    fn prepare_whole(&self, next: &Document) -> StoreResult<New> {
        let path = self.paths.registry();
        let bytes = next.file_bytes();
        if bytes > FILE_BYTES_MAX {
            return Err(StoreError::TooLarge { path: path.to_owned(), bytes });
        }
        let replaced = fs::metadata(path).ok();
        let mode_max = self.collection.mode;
        let write = |out: &mut dyn Write| next.render_to(|piece| out.write_all(piece.as_bytes()));
        let prepared = atomic::prepare(path, write, replaced.as_ref(), mode_max)?;
        Ok(New::Whole { prepared, replaced })
    }

    /// Puts the new file in the place of the old, which becomes the last good one, if it is kept. `None`
    /// where another program has replaced that in the last moment: then its file is back in its place.
    fn replace_whole(
        &mut self,
        prepared: Prepared,
        replaced: Option<Metadata>,
        seen: Seen,
        keeps_old: bool,
    ) -> StoreResult<Option<File>> {
        let keeps_old = keeps_old && replaced.is_some();
        let replaced = put_in_place(prepared, seen.whole, keeps_old.then_some(&self.paths));
        replaced.inspect_err(|error| {
            self.is_uncertain = matches!(error, StoreError::OutcomeUnknown { .. });
        })
    }

    /// Takes note of the whole file, which is all there is.
    fn note_whole(&mut self, file: File, written: Option<Stamp>, document: Document) {
        // Without a stamp it is read again; that it is durable is certain all the same.
        let whole = own_stamp(&file, written);
        self.known = Some(Contents {
            seen: Seen::only(whole),
            _whole_file: Some(Arc::new(file)),
            document,
            is_durable: true,
            own_files: None,
        });
    }

    /// They are all in the whole file now, which is how this collection is to be kept.
    fn remove_own_files(&mut self) -> StoreResult<()> {
        RecordFolder::new(&self.paths).remove().map_err(|error| {
            // As long as they are there, they are what counts.
            self.is_uncertain = true;
            self.unknown("remove", error)
        })
    }

    /// The files of the records that are new, under temporary names.
    fn prepare_records(&self, current: &Contents, next: &Document) -> StoreResult<New> {
        let bytes = next.file_bytes();
        if bytes > FILE_BYTES_MAX {
            let path = self.paths.registry().to_owned();
            return Err(StoreError::TooLarge { path, bytes });
        }
        let held = current.own_files.as_ref().map(|own_files| &own_files.held);
        let prepared = RecordFolder::new(&self.paths).prepare(held, next, &self.doubted)?;
        Ok(New::Records(prepared))
    }

    fn publish_records(
        &mut self,
        prepared: PreparedRecords,
        current: Contents,
        next: Document,
        seen: Seen,
    ) -> StoreResult<()> {
        let is_first = current.own_files.is_none();
        let (base, mark, was_behind, is_whole_foreign) = match current.own_files {
            Some(own) => (own.base, own.mark, own.is_behind, own.is_whole_foreign),
            None => (current.document, None, false, false),
        };
        let is_uncertain = self.is_uncertain;
        let mark = match mark {
            Some(mark) if was_behind && !mark.is_complete() && !is_uncertain => mark,
            mark => {
                let mark = match mark {
                    Some(mark) => mark.behind(),
                    None if is_first => Mark::new(seen.whole, None),
                    // What somebody else may have written there is in no record's file yet.
                    None => Mark::unknown(),
                };
                mark.write(&self.paths.aggregate())?;
                mark
            }
        };
        let ids = prepared.ids().to_vec();
        let published = prepared.publish().and_then(|()| match is_uncertain {
            // The folder itself may not have got its name for good.
            true => {
                RecordFolder::new(&self.paths).sync_parent().map_err(|e| self.unknown("fsync", e))
            }
            false => Ok(()),
        });
        if let Err(error) = published {
            if matches!(error, StoreError::OutcomeUnknown { .. }) {
                self.is_uncertain = true;
                self.doubted.extend(ids);
            }
            return Err(error);
        }
        self.doubted.clear();
        self.known = Some(Contents {
            seen: Seen::now(&self.paths, true).with_whole(seen.whole),
            _whole_file: current._whole_file,
            document: next.clone(),
            is_durable: true,
            own_files: Some(OwnFiles {
                held: next,
                base,
                mark: Some(mark),
                is_whole_foreign,
                is_behind: true,
            }),
        });
        Ok(())
    }

    /// Lets the whole file show the records. They are durable without it: where it cannot be written, it
    /// stays behind, and whoever writes next makes up for it.
    fn show(&mut self, lock: &Lock, is_top_new: bool, is_base_new: bool) -> StoreResult<()> {
        let Err(error) = self.write_behind(lock) else {
            if is_top_new && self.is_behind() {
                // Another program was first, and the keys beside the records are nowhere else.
                self.is_uncertain = true;
                let overtaken = std::io::Error::other("another program has just written it");
                return Err(StoreError::OutcomeUnknown {
                    operation: "show the records in",
                    path: self.paths.registry().to_owned(),
                    source: overtaken,
                });
            }
            return Ok(());
        };
        let is_unknown = matches!(error, StoreError::OutcomeUnknown { .. });
        let noted = match (is_top_new, is_base_new) {
            // The keys beside the records are nowhere else.
            (true, _) => Err(error),
            // Which of the two whole files there will be cannot be noted.
            (false, true) if is_unknown => Err(error),
            (false, true) => self.note_base(),
            (false, false) => Ok(()),
        };
        noted.map_err(|error| {
            self.is_uncertain = true;
            self.unknown("show the records in", error)
        })
    }

    /// Notes durably that all that is in the whole file is in the records' own files, or was removed from
    /// them. Else it would be merged in once more, and what was removed would be back.
    fn note_base(&mut self) -> StoreResult<()> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let Some(own_files) = &mut known.own_files else { return Ok(()) };
        let whole = match read_file(self.paths.registry(), &self.collection) {
            Ok((Some((_, stamp)), document)) => Some((stamp, document)),
            // Where it is gone or damaged it has nothing to say.
            Ok((None, _)) | Err(StoreError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some((stamp, document)) = whole else { return Ok(()) };
        if known.seen.whole.is_none_or(|seen| !seen.is_same_content(&stamp)) {
            // What another program has written meanwhile comes first.
            return Ok(());
        }
        let mark = Mark::new(Some(stamp), None);
        mark.write_durably(&self.paths.aggregate())?;
        let last_good = LastGood::copy(self.paths.registry(), &self.paths);
        last_good.publish();
        own_files.base = document;
        own_files.mark = Some(mark);
        own_files.is_whole_foreign = false;
        let now = Seen::now(&self.paths, true);
        known.seen = known.seen.with_whole(now.whole).with_mark_of(now);
        Ok(())
    }

    /// What has changed already may last or not.
    fn unknown(&self, operation: &'static str, error: StoreError) -> StoreError {
        match error {
            StoreError::OutcomeUnknown { .. } => error,
            error => StoreError::OutcomeUnknown {
                operation,
                path: self.paths.registry().to_owned(),
                source: std::io::Error::other(error),
            },
        }
    }

    /// Writes the whole file behind the records' own files.
    fn write_behind(&mut self, lock: &Lock) -> StoreResult<()> {
        let Some(known) = &self.known else { return Ok(()) };
        let New::Whole { prepared, .. } = self.prepare_whole(&known.document)? else {
            return Ok(());
        };
        lock.check_own()?;
        if self.seen() != known.seen {
            // What another program has written comes first.
            return Ok(());
        }
        let last_good = LastGood::copy(prepared.path(), &self.paths);
        let (seen, written) = (known.seen, prepared.stamp());
        let Some(file) = put_in_place(prepared, seen.whole, None)? else { return Ok(()) };
        last_good.publish();
        let whole = own_stamp(&file, written);
        // What is put into the folder from now on, it does not show.
        let mark = Mark::new(whole, known.seen.folder());
        // Without it the records' files are read the next time, one by one.
        let _ = mark.write(&self.paths.aggregate());
        let seen = known.seen.with_whole(whole).with_mark_of(self.seen());
        if let Some(known) = &mut self.known {
            let own_files = known.own_files.take();
            known.own_files = own_files.map(|own_files| OwnFiles {
                held: own_files.held,
                base: known.document.clone(),
                mark: Some(mark),
                is_whole_foreign: false,
                is_behind: false,
            });
            known._whole_file = Some(Arc::new(file));
            known.seen = seen;
        }
        Ok(())
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

/// Puts a new file in the place of the old one, which becomes the last good one of `keeps_old`. `None`
/// where what was there is not what was seen: another program has replaced it in the last moment, and its
/// file is back in its place.
fn put_in_place(
    prepared: Prepared,
    seen: Option<Stamp>,
    keeps_old: Option<&Paths>,
) -> StoreResult<Option<File>> {
    match prepared.exchange()? {
        Ok(exchanged) => {
            let old = exchanged.old().ok().as_ref().map(Stamp::of);
            if old.zip(seen).is_some_and(|(old, seen)| old.is_same_content(&seen)) {
                exchanged.finish(keeps_old.map(Paths::last_good).as_deref()).map(Some)
            } else {
                exchanged.undo().map(|()| None)
            }
        }
        Err(prepared) => {
            let last_good = keeps_old.map(|paths| LastGood::link(paths.registry(), paths));
            let file = prepared.publish()?;
            if let Some(last_good) = last_good {
                last_good.publish();
            }
            Ok(Some(file))
        }
    }
}

/// What the file is that was just put in its place; `None` where somebody has written into it by then, which is for
/// as long as it takes to sync the folder: then it is not known what it holds.
fn own_stamp(file: &File, written: Option<Stamp>) -> Option<Stamp> {
    let stamp = Stamp::of(&file.metadata().ok()?);
    written?.is_same_content(&stamp).then_some(stamp)
}

//! What the disk holds of a collection, and how to tell that it is no longer that.
//!
//! Where each record has a file of its own, those files are what counts. The whole file is written behind
//! them; what other programs have made of it since is merged in, against what argus wrote there last.

use std::fs::File;
use std::path::Path;

use argus_proto::collection::{Collection, Layout};
use argus_proto::document::Document;
use argus_proto::merge::merge;

use crate::atomic;
use crate::error::{StoreError, StoreResult};
use crate::paths::Paths;
use crate::platform::{Pin, Stamp};
use crate::records::{Broken, Mark, RecordFolder};

/// How often files are read again that a writer replaces meanwhile.
const MIXED_READS_MAX: u32 = 5;

/// What tells the files of a collection from what they were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// `None`: there was no file.
    pub(crate) whole: Option<Stamp>,
    /// Of the mark and the folder, where records have files of their own.
    records: Option<[Option<Stamp>; 2]>,
}

/// What the files were when they were last read or written.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    pub(crate) seen: Seen,
    /// Kept open, so that no later file can be given its inode: within one tick of the file system's
    /// clock such a one, of the same size, would have the same stamp.
    pub(crate) _whole_file: Option<Pin>,
    /// What all of them say together.
    pub(crate) document: Document,
    /// Whether it was synced here. One that was only read may be another's who was killed
    /// between his rename and his fsync.
    pub(crate) is_durable: bool,
    /// Where records have files of their own, and there are any yet.
    pub(crate) own_files: Option<OwnFiles>,
}

/// The records' own files, and the whole file behind them.
#[derive(Debug, Clone)]
pub(crate) struct OwnFiles {
    /// What they hold.
    pub(crate) held: Document,
    /// The whole file as both sides last knew it.
    pub(crate) base: Document,
    pub(crate) mark: Option<Mark>,
    /// Somebody else has written the whole file; what is new there is in no record's file.
    pub(crate) is_whole_foreign: bool,
    /// The whole file does not show all of them.
    pub(crate) is_behind: bool,
}

impl Seen {
    /// The files as they are now.
    pub(crate) fn now(paths: &Paths, with_records: bool) -> Self {
        let stamp = |path: &Path| Stamp::at(path).ok();
        Seen {
            whole: stamp(paths.registry()),
            records: with_records.then(|| [stamp(&paths.aggregate()), stamp(&paths.records())]),
        }
    }

    /// Of a whole file that is all there is.
    pub(crate) fn only(whole: Option<Stamp>) -> Self {
        Seen { whole, records: None }
    }

    /// The same with another whole file: one that was looked at while it was open.
    pub(crate) fn with_whole(self, whole: Option<Stamp>) -> Self {
        Seen { whole, ..self }
    }

    /// The same with the mark as it is now.
    pub(crate) fn with_mark_of(self, now: Self) -> Self {
        let records = self.records.zip(now.records);
        Seen { records: records.map(|([_, folder], [mark, _])| [mark, folder]), ..self }
    }

    pub(crate) fn folder(&self) -> Option<Stamp> {
        self.records.and_then(|[_, folder]| folder)
    }
}

impl Contents {
    /// Reads the files. `known` is what they were.
    pub(crate) fn read(
        paths: &Paths,
        collection: &Collection,
        known: Option<&Contents>,
    ) -> StoreResult<Self> {
        let mut attempt = 1;
        loop {
            let contents = Contents::read_once(paths, collection, known)?;
            let own_files = contents.own_files.as_ref();
            let is_compared = own_files.is_some_and(|own_files| own_files.is_whole_foreign);
            // What a writer has put in place of the one after another does not belong together.
            if !is_compared || attempt == MIXED_READS_MAX || contents.is_of_one_moment(paths) {
                return Ok(contents);
            }
            attempt += 1;
        }
    }

    fn read_once(
        paths: &Paths,
        collection: &Collection,
        known: Option<&Contents>,
    ) -> StoreResult<Self> {
        let folder = RecordFolder::new(paths);
        let has_records = folder.exists();
        // Looked at before it is read: what changes meanwhile is read again the next time.
        let with_records = has_records || collection.layout == Layout::Directory;
        let seen = Seen::now(paths, with_records);
        let (file, whole) = read_file(paths.registry(), collection)?;
        // One that is missing says nothing about records that have files of their own.
        let is_missing = file.is_none();
        let (file, stamp) = file.unzip();
        let seen = seen.with_whole(stamp);
        let mut contents = Contents {
            seen,
            _whole_file: file.map(Pin::new),
            document: whole.clone(),
            is_durable: false,
            own_files: None,
        };
        if !has_records {
            return Ok(contents);
        }
        let known = known.filter(|known| known.seen.records == seen.records);
        if let Some(known) = known.and_then(|known| known.own_files.as_ref()) {
            let whole = if is_missing { &known.base } else { &whole };
            contents.document = merge(&known.base, whole, &known.held);
            contents.own_files = Some(OwnFiles { is_whole_foreign: true, ..known.clone() });
            return Ok(contents);
        }
        let mark = Mark::read(&paths.aggregate());
        if mark.as_ref().is_some_and(|mark| mark.is_whole_complete(stamp, seen.folder())) {
            let (held, base) = (whole.clone(), whole);
            let own_files =
                OwnFiles { held, base, mark, is_whole_foreign: false, is_behind: false };
            contents.own_files = Some(own_files);
            return Ok(contents);
        }
        let (own_files, broken) = own_files(paths, collection, &whole, stamp, mark)?;
        if let Some(Broken { path, problem, .. }) = broken.into_iter().next() {
            return Err(StoreError::Unreadable { path, source: problem });
        }
        let whole = if is_missing { &own_files.base } else { &whole };
        contents.document = merge(&own_files.base, whole, &own_files.held);
        contents.own_files = Some(own_files);
        Ok(contents)
    }

    /// Whether the whole file and the mark are still those that were read.
    fn is_of_one_moment(&self, paths: &Paths) -> bool {
        let now = Seen::now(paths, self.seen.records.is_some());
        let mark = |seen: &Seen| seen.records.map(|[mark, _]| mark);
        now.whole == self.seen.whole && mark(&now) == mark(&self.seen)
    }

    /// What can be had where some of the files cannot be used, and which records' files these are; `None`
    /// where records have no files of their own. `known` is what they were.
    pub(crate) fn salvage(
        paths: &Paths,
        collection: &Collection,
        known: Option<&Document>,
    ) -> StoreResult<Option<(Self, Vec<Broken>)>> {
        if !RecordFolder::new(paths).exists() {
            return Ok(None);
        }
        let seen = Seen::now(paths, true);
        let whole = read_file(paths.registry(), collection);
        let whole = whole.ok().filter(|(file, _)| file.is_some()).map(|(_, whole)| whole);
        // The keys beside the records are in no record's file.
        let base = whole.clone().or_else(|| known.cloned());
        let base = base.unwrap_or_else(|| Document::empty(collection));
        let (mut own_files, broken) = own_files(paths, collection, &base, seen.whole, None)?;
        for broken in &broken {
            if let Some(record) = known.and_then(|known| known.records.get(&broken.id)) {
                own_files.held.records.insert(&broken.id, record.clone());
            }
        }
        // A whole file that cannot be used has nothing to say.
        let whole = whole.as_ref().unwrap_or(&own_files.base);
        let document = merge(&own_files.base, whole, &own_files.held);
        let (is_durable, own_files) = (false, Some(own_files));
        let contents = Contents { seen, _whole_file: None, document, is_durable, own_files };
        Ok(Some((contents, broken)))
    }
}

/// Reads the records' own files.
fn own_files(
    paths: &Paths,
    collection: &Collection,
    whole: &Document,
    stamp: Option<Stamp>,
    mark: Option<Mark>,
) -> StoreResult<(OwnFiles, Vec<Broken>)> {
    let is_untouched = mark.as_ref().is_some_and(|mark| mark.is_whole_untouched(stamp));
    let base = match is_untouched {
        true => Some(whole.clone()),
        false => last_written(paths, collection),
    };
    let mut held = base.as_ref().unwrap_or(whole).clone();
    let broken = RecordFolder::new(paths).read_into(&mut held, collection)?;
    // Without it, nothing that is on either side is taken for removed on the other.
    let base = base.unwrap_or_else(|| Document::empty(collection));
    Ok((OwnFiles { held, base, mark, is_whole_foreign: !is_untouched, is_behind: true }, broken))
}

/// The whole file as argus last wrote it, where another program has written it since: a copy, so that who
/// writes in place has not written it as well.
fn last_written(paths: &Paths, collection: &Collection) -> Option<Document> {
    let (file, document) = read_file(&paths.last_good(), collection).ok()?;
    file.map(|_| document)
}

/// Reads and parses a whole file; a missing one is an empty document.
pub(crate) fn read_file(
    path: &Path,
    collection: &Collection,
) -> StoreResult<(Option<(File, Stamp)>, Document)> {
    let Some((file, stamp, bytes)) = atomic::read_open(path)? else {
        return Ok((None, Document::empty(collection)));
    };
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let document = Document::parse(&bytes, collection).map_err(unreadable)?;
    Ok((Some((file, stamp)), document))
}

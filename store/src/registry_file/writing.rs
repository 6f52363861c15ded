//! One attempt to write: from the transaction to what is in its place, and what is noted of it.

use std::fs::{self, File, Metadata};
use std::io::Write;

use argus_proto::collection::Layout;
use argus_proto::document::Document;
use argus_proto::limits::FILE_BYTES_MAX;

use super::{Attempt, Committed, RegistryFile, Transaction};
use crate::atomic::{self, Prepared};
use crate::contents::{Contents, OwnFiles, Seen, read_file};
use crate::error::{StoreError, StoreResult};
use crate::last_good::LastGood;
use crate::lock::Lock;
use crate::paths::Paths;
use crate::platform::{Pin, Stamp};
use crate::records::{Mark, PreparedRecords, RecordFolder};
use crate::recovery::Damage;

/// What is on the disk already, but for its names.
enum New {
    Whole { prepared: Prepared, replaced: Option<Metadata> },
    Records(PreparedRecords),
}

impl RegistryFile {
    /// Applies the transaction to what is there, and puts the result in its place.
    pub(super) fn attempt(
        &mut self,
        lock: &Lock,
        transaction: &mut impl Transaction,
    ) -> StoreResult<Attempt> {
        let (current, damage) = self.current()?;
        let seen = current.seen;
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
            _whole_file: Some(Pin::new(file)),
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
            known._whole_file = Some(Pin::new(file));
            known.seen = seen;
        }
        Ok(())
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
            let old = exchanged.old().ok();
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
    let stamp = Stamp::of(file).ok()?;
    written?.is_same_content(&stamp).then_some(stamp)
}

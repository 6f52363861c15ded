//! What becomes of a document that two sides went on from: the file, which any program may
//! replace, and memory, which holds what is in no file yet.
//!
//! Both are compared with the last document that both sides knew, record by record and top-level
//! key by top-level key:
//!
//! | on one side | on the other | becomes |
//! |---|---|---|
//! | changed, added or removed | untouched | that |
//! | changed | changed | what has the newer `updatedAt`; memory's where they tie |
//! | changed | removed | the change: nothing acknowledged vanishes |
//! | refreshed | changed | the change, with the newer time where it is the same process's |
//! | refreshed | refreshed | the newer time |
//! | refreshed | removed | removed: a heartbeat is no change and revives nothing |
//!
//! 1. Pure, and symmetric but for ties.
//! 2. Merging twice is merging once.
//! 3. Order and style are the file's; what memory alone has comes after what is there.

use std::sync::Arc;

use crate::document::{Document, Slot};
use crate::engine::belongs_to;
use crate::json::key_text;
use crate::record::Record;

/// Merges what memory made of `base` into what the file became since. Costs what memory changed.
pub fn merge(base: &Document, disk: &Document, memory: &Document) -> Document {
    let mut merged = disk.clone();
    merged.touch(disk.updated_at().max(memory.updated_at()));
    for id in base.records.differing(&memory.records) {
        let [before, there, here] = [base, disk, memory].map(|side| side.records.get(&id));
        let record = merge_record(before, there, here);
        if record.as_ref() == there {
            continue;
        }
        match record {
            Some(record) => merged.records.insert_as_in(&memory.records, &id, record),
            None => drop(merged.records.remove(&id)),
        }
    }
    if !Arc::ptr_eq(base.top(), memory.top()) {
        merge_top(base, memory, &mut merged);
    }
    merged
}

/// One record, as each side has it.
pub fn merge_record(
    base: Option<&Arc<Record>>,
    disk: Option<&Arc<Record>>,
    memory: Option<&Arc<Record>>,
) -> Option<Arc<Record>> {
    let merged = match (disk, memory) {
        _ if memory == base || memory == disk => disk,
        _ if disk == base => memory,
        _ if is_refreshed(base, memory) => return with_time_of(disk?, memory),
        _ if is_refreshed(base, disk) => return with_time_of(memory?, disk),
        (Some(there), Some(here)) if there.updated_at() > here.updated_at() => disk,
        (_, Some(_)) => memory,
        (_, None) => disk,
    };
    merged.cloned()
}

/// Whether the only thing that is new is the time.
pub fn is_refreshed(base: Option<&Arc<Record>>, side: Option<&Arc<Record>>) -> bool {
    let (Some(base), Some(side)) = (base, side) else { return false };
    base.etag() == side.etag() && is_of_the_same_process(base, side)
}

/// A content with the time of the other side, if that is newer and its process's.
fn with_time_of(content: &Arc<Record>, other: Option<&Arc<Record>>) -> Option<Arc<Record>> {
    match other {
        Some(other)
            if other.updated_at() > content.updated_at()
                && is_of_the_same_process(content, other) =>
        {
            Some(Arc::new(content.refreshed(other.updated_at()?)))
        }
        _ => Some(content.clone()),
    }
}

fn is_of_the_same_process(one: &Record, other: &Record) -> bool {
    match (one.watcher(), other.watcher()) {
        (Some(one), Some(other)) => belongs_to(one, other.pid, other.process.as_ref()),
        _ => true,
    }
}

/// The top-level keys. They have no times, so memory's wins where both sides changed one.
fn merge_top(base: &Document, memory: &Document, merged: &mut Document) {
    let find = |document: &Document, key: &str| {
        let mut slots = document.top().iter();
        slots.find(|(quoted, _)| key_text(quoted) == key).map(|(_, slot)| slot.clone())
    };
    let mut top: Vec<(String, Slot)> = Vec::new();
    let is_only_here = |quoted: &str| find(merged, &key_text(quoted)).is_none();
    let here = memory.top().iter().map(|(quoted, _)| quoted).filter(|quoted| is_only_here(quoted));
    for quoted in merged.top().iter().map(|(quoted, _)| quoted).chain(here) {
        let [before, disk, ours] =
            [base, &*merged, memory].map(|side| find(side, &key_text(quoted)));
        let slot = match (disk, ours) {
            (disk, ours) if ours == before => disk,
            (disk, None) if disk != before => disk,
            (_, ours) => ours,
        };
        top.extend(slot.map(|slot| (quoted.clone(), slot)));
    }
    merged.set_top(top);
}

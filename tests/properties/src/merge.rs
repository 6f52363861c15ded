//! Merging, for any three files that are registries.

use crate::registry::BYTE_ORDER_MARK;
use argus_proto::collection::WATCHERS;
use argus_proto::document::Document;
use argus_proto::json::{Layout, Object, lay_out};
use argus_proto::merge::{merge, merge_record};

use crate::registry;

/// What stands between two files in an input. No JSON has it.
const BETWEEN: u8 = 0;

/// What holds for any three files: what both sides knew, the disk's and memory's.
pub fn check(bytes: &[u8]) {
    let mut files = bytes.split(|byte| *byte == BETWEEN);
    let mut next = || Document::parse(files.next()?, &WATCHERS).ok();
    let (Some(base), Some(disk), Some(memory)) = (next(), next(), next()) else { return };
    let merged = merge(&base, &disk, &memory);
    registry::stays_one(&merged);

    let everyone = [&base, &disk, &memory].into_iter().flat_map(|side| side.records.iter());
    for (id, _) in everyone {
        let [base, disk, memory] = [&base, &disk, &memory].map(|side| side.records.get(id));
        assert_eq!(merged.records.get(id).cloned(), merge_record(base, disk, memory), "{id}");
    }
    assert!(merged.updated_at() >= disk.updated_at().max(memory.updated_at()));

    let twice = merge(&base, &merged, &memory);
    assert_eq!(twice.render(), merged.render(), "merged once and twice");
    // Where one side did nothing, it is the other; so it is where both did the same.
    assert_eq!(contents(&merge(&base, &disk, &base)), contents(&disk));
    assert_eq!(contents(&merge(&base, &base, &memory)), contents(&memory));
    assert_eq!(contents(&merge(&base, &disk, &disk)), contents(&disk));

    let kept = disk.records.iter().map(|(id, _)| id).filter(|id| merged.records.get(id).is_some());
    let kept: Vec<_> = kept.collect();
    let order: Vec<_> = merged.records.iter().map(|(id, _)| id).collect();
    assert!(order.starts_with(&kept), "the file's order {kept:?} became {order:?}");
}

/// Keys and values of the whole file, at both levels, without their order and without its time.
fn contents(document: &Document) -> Vec<(String, String)> {
    let mut text = String::new();
    let rendered = document.render();
    lay_out(rendered.trim_start_matches(BYTE_ORDER_MARK), Layout::Compact, &mut text);
    let mut top = Object::parse_at_any_depth(&text).expect("an object");
    let records = top.get(&WATCHERS.records_key).map(str::to_owned).expect("a registry");
    let records = Object::parse_at_any_depth(&records).expect("an object");
    top.remove(&WATCHERS.records_key);
    top.remove(WATCHERS.updated_at_key.as_deref().expect("watchers have one"));
    let all = top.iter_quoted().chain(records.iter_quoted());
    let mut all: Vec<_> = all.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    all.sort();
    all
}

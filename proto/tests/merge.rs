//! Merging: a table of every case, and what holds for any three documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use argus_proto::collection::WATCHERS;
use argus_proto::document::Document;
use argus_proto::engine::{Reason, differences};
use argus_proto::merge::{merge, merge_record};
use argus_proto::record::Record;
use proptest::prelude::*;

/// A record of the process `pid`, with a content and a time.
fn record(pid: u32, port: u16, updated_at: u64) -> Arc<Record> {
    record_of("a", pid, port, updated_at)
}

fn record_of(id: &str, pid: u32, port: u16, updated_at: u64) -> Arc<Record> {
    let text = format!(
        r#"{{"id":"{id}","host":"h","port":{port},"pid":{pid},"startedAt":1,"updatedAt":{updated_at}}}"#
    );
    Arc::new(Record::read(id, &text, &WATCHERS))
}

fn document(top: &str, records: &[Arc<Record>]) -> Document {
    let members: Vec<String> = records
        .iter()
        .map(|record| {
            let id = &record.text()[7..8];
            format!("\"{id}\":{}", record.text())
        })
        .collect();
    let members = members.join(",");
    let text = format!("{{\n  \"version\":1,{top}\"updatedAt\":1,\"watchers\":{{{members}}}}}");
    Document::parse(text.as_bytes(), &WATCHERS).expect("a registry")
}

#[test]
fn every_case_of_one_record() {
    let old = || Some(record(1, 80, 10));
    let refreshed = |at| Some(record(1, 80, at));
    let changed = |port, at| Some(record(1, port, at));
    let anothers = |at| Some(record(2, 80, at));
    let damaged = |text: &str| Some(Arc::new(Record::read("a", text, &WATCHERS)));
    let rows = [
        // what, base, disk, memory, merged
        ("nowhere", None, None, None, None),
        ("untouched", old(), old(), old(), old()),
        ("added on disk", None, old(), None, old()),
        ("added in memory", None, None, old(), old()),
        ("changed on disk", old(), changed(81, 11), old(), changed(81, 11)),
        ("changed in memory", old(), old(), changed(82, 11), changed(82, 11)),
        ("removed on disk", old(), None, old(), None),
        ("removed in memory", old(), old(), None, None),
        ("removed on both", old(), None, None, None),
        ("both changed, disk newer", old(), changed(81, 12), changed(82, 11), changed(81, 12)),
        ("both changed, memory newer", old(), changed(81, 11), changed(82, 12), changed(82, 12)),
        ("both changed, a tie", old(), changed(81, 11), changed(82, 11), changed(82, 11)),
        ("both changed alike", old(), changed(81, 11), changed(81, 11), changed(81, 11)),
        ("both added, disk newer", None, changed(81, 12), changed(82, 11), changed(81, 12)),
        ("both added, memory newer", None, changed(81, 11), changed(82, 12), changed(82, 12)),
        ("removed on disk, changed in memory", old(), None, changed(82, 11), changed(82, 11)),
        ("changed on disk, removed in memory", old(), changed(81, 11), None, changed(81, 11)),
        ("refreshed on disk", old(), refreshed(11), old(), refreshed(11)),
        ("refreshed in memory", old(), old(), refreshed(11), refreshed(11)),
        ("both refreshed, disk newer", old(), refreshed(12), refreshed(11), refreshed(12)),
        ("both refreshed, memory newer", old(), refreshed(11), refreshed(12), refreshed(12)),
        ("a heartbeat revives nothing", old(), None, refreshed(11), None),
        ("a foreign heartbeat revives nothing", old(), refreshed(11), None, None),
        ("changed on disk, refreshed", old(), changed(81, 11), refreshed(12), changed(81, 12)),
        ("changed later, refreshed", old(), changed(81, 12), refreshed(11), changed(81, 12)),
        ("refreshed on disk, changed", old(), refreshed(12), changed(82, 11), changed(82, 12)),
        ("taken by another on disk, refreshed", old(), anothers(11), refreshed(12), anothers(11)),
        ("taken by another here, refreshed", old(), refreshed(12), anothers(11), anothers(11)),
        ("taken on disk, same content later", old(), anothers(12), changed(82, 11), anothers(12)),
        ("damaged on disk", old(), damaged("null"), old(), damaged("null")),
        ("damaged on disk, refreshed", old(), damaged("null"), refreshed(11), damaged("null")),
        ("damaged on disk, changed", old(), damaged("null"), changed(82, 11), changed(82, 11)),
        ("damaged and untouched", damaged("null"), damaged("null"), old(), old()),
    ];
    for (what, base, disk, memory, expected) in rows {
        let merged = merge_record(base.as_ref(), disk.as_ref(), memory.as_ref());
        assert_eq!(merged, expected, "{what}");
    }
}

#[test]
fn every_case_of_one_top_level_key() {
    let rows = [
        // base, disk, memory, merged
        ("", "", "", ""),
        ("1", "1", "1", "1"),
        ("", "2", "", "2"),
        ("", "", "3", "3"),
        ("1", "2", "1", "2"),
        ("1", "1", "3", "3"),
        ("1", "", "1", ""),
        ("1", "1", "", ""),
        ("1", "2", "3", "3"),
        ("1", "", "3", "3"),
        ("1", "2", "", "2"),
        ("", "2", "3", "3"),
    ];
    for (base, disk, memory, expected) in rows {
        let [base, disk, memory, expected] = [base, disk, memory, expected].map(|value| {
            let top = if value.is_empty() { String::new() } else { format!("\"owner\":{value},") };
            document(&top, &[record(1, 80, 10)])
        });
        let merged = merge(&base, &disk, &memory);
        let lines = |document: &Document| {
            let text = document.render().replace(',', "");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&merged), lines(&expected));
    }
}

#[test]
fn the_order_is_the_files_and_what_memory_alone_has_comes_last() {
    let of = |ids: &[&str]| -> Vec<_> { ids.iter().map(|id| record_of(id, 1, 80, 10)).collect() };
    let base = document("\"x\":1,", &of(&["a", "b", "c"]));
    let disk = document("\"y\":2,\"x\":1,", &of(&["9", "c", "a"]));
    let mut memory = base.clone();
    memory.records.insert("1", record_of("1", 1, 80, 10));
    memory.records.insert("a", record_of("a", 1, 81, 11));
    let merged = merge(&base, &disk, &memory);
    let ids: Vec<&str> = merged.records.iter().map(|(id, _)| &**id).collect();
    assert_eq!(ids, ["9", "c", "a", "1"]);
    assert!(merged.render().starts_with("{\n  \"version\": 1,\n  \"y\": 2,\n  \"x\": 1,"));
}

#[test]
fn the_style_is_the_files_whatever_memory_has() {
    let base = document("", &[record_of("a", 1, 80, 10)]);
    let mut memory = base.clone();
    memory.records.insert("b", record_of("b", 1, 80, 10));
    let text = "{\n\t\"version\": 1,\n\t\"updatedAt\": 1,\n\t\"watchers\": {}\n}\n";
    let disk = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
    let merged = merge(&base, &disk, &memory);
    let expected =
        "{\n\t\"version\": 1,\n\t\"updatedAt\": 1,\n\t\"watchers\": {\n\t\t\"b\": {\n\t\t\t\"id\"";
    assert!(merged.render().starts_with(expected), "{}", merged.render());
    assert_eq!(merged.style(), disk.style());
}

#[test]
fn a_key_that_is_no_unicode_is_kept_where_memory_alone_has_it() {
    let none = document("", &[]);
    let text = "{\n  \"version\":1,\"updatedAt\":1,\"watchers\":{\"\\ud800\":1}}";
    let memory = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
    let merged = merge(&none, &none, &memory);
    assert_eq!(merged.render(), memory.render());
}

/// What a side does to its document, one after the other.
#[derive(Debug, Clone)]
enum Step {
    Set(&'static str, u32, u16, u64),
    Refresh(&'static str, u64),
    Remove(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = prop::sample::select(&["a", "b", "c", "d"][..]);
    let step = prop_oneof![
        (id.clone(), 1..3u32, 80..83u16, 10..15u64).prop_map(|(a, b, c, d)| Step::Set(a, b, c, d)),
        (id.clone(), 10..15u64).prop_map(|(id, at)| Step::Refresh(id, at)),
        id.prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..6)
}

fn after(document: &Document, steps: &[Step]) -> Document {
    let mut document = document.clone();
    for step in steps {
        match step {
            Step::Set(id, pid, port, at) => {
                document.records.insert(id, record_of(id, *pid, *port, *at));
            }
            Step::Refresh(id, at) => {
                if let Some(record) = document.records.get(id).cloned() {
                    document.records.insert(id, Arc::new(record.refreshed(*at)));
                }
            }
            Step::Remove(id) => drop(document.records.remove(id)),
        }
    }
    document
}

/// The same as another program's: read from its text, sharing nothing.
fn reread(document: &Document) -> Document {
    Document::parse(document.render().as_bytes(), &WATCHERS).expect("a registry")
}

fn contents(document: &Document) -> BTreeMap<String, Arc<Record>> {
    document.records.iter().map(|(id, record)| (id.to_string(), record.clone())).collect()
}

proptest! {
    #[test]
    fn any_three_documents(
        common in steps(),
        theirs in steps(),
        ours in steps(),
        is_reread in any::<bool>(),
    ) {
        let base = after(&document("", &[]), &common);
        let disk = after(&base, &theirs);
        let disk = if is_reread { reread(&disk) } else { disk };
        let memory = after(&base, &ours);
        let merged = merge(&base, &disk, &memory);

        // Document by document is record by record.
        for id in ["a", "b", "c", "d"] {
            let [b, d, m] = [&base, &disk, &memory].map(|side| side.records.get(id));
            prop_assert_eq!(merged.records.get(id).cloned(), merge_record(b, d, m));
        }
        // Merging twice is merging once.
        let twice = merge(&base, &merged, &memory);
        prop_assert_eq!(twice.render(), merged.render());
        // Where one side did nothing, it is the other.
        prop_assert_eq!(contents(&merge(&base, &disk, &base)), contents(&disk));
        prop_assert_eq!(contents(&merge(&base, &base, &memory)), contents(&memory));
        // No acknowledged change vanishes but behind a later one of the other side.
        for change in differences(&base, &memory, Reason::Announced, None) {
            let now = merged.records.get(&change.id);
            let is_kept = match (&change.after, now) {
                (Some(ours), Some(now)) => ours.etag() == now.etag(),
                (None, None) => true,
                _ => false,
            };
            let base = base.records.get(&change.id);
            let theirs = disk.records.get(&change.id);
            let is_overtaken = theirs.is_some_and(|theirs| {
                let is_changed = Some(theirs) != base;
                is_changed && theirs.updated_at() >= change.after.as_ref().and_then(|a| a.updated_at())
            });
            prop_assert!(is_kept || is_overtaken, "{:?} became {:?}", change, now);
        }
        // The file's order is kept.
        let kept: Vec<_> = disk.records.iter().map(|(id, _)| id.clone())
            .filter(|id| merged.records.get(id).is_some()).collect();
        let order: Vec<_> = merged.records.iter().map(|(id, _)| id.clone()).collect();
        prop_assert!(order.starts_with(&kept), "{kept:?} {order:?}");
        // What was made from one another is compared like strangers.
        let strangers: Vec<_> = reread(&base).records.differing(&memory.records);
        prop_assert_eq!(sorted(strangers), sorted(base.records.differing(&memory.records)));
        let siblings = after(&base, &theirs).records.differing(&memory.records);
        prop_assert_eq!(sorted(siblings), sorted(reread(&disk).records.differing(&memory.records)));
    }
}

fn sorted(mut ids: Vec<Arc<str>>) -> Vec<Arc<str>> {
    ids.sort();
    ids
}

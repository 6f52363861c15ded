//! The registry file, which any program may have written.

use std::collections::BTreeSet;

use argus_proto::collection::WATCHERS;
use argus_proto::document::{Document, Unreadable};
use argus_proto::json::{JsonText, Layout, Object, key_text, lay_out, members};
use argus_proto::limits::{FILE_BYTES_MAX, INDENTATION_BYTES_MAX};
use serde_json::Value;

use crate::answers;

pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// What holds for any bytes.
pub fn check(bytes: &[u8]) {
    let document = match Document::parse(bytes, &WATCHERS) {
        Ok(document) => document,
        Err(problem) => return is_told(&problem, bytes),
    };
    let text = std::str::from_utf8(bytes).expect("it was taken for text");
    let rendered = document.render();
    assert!(rendered.len() <= laid_out_max(text.len()), "{} bytes", rendered.len());
    stays_one(&document);
    let is_marked = text.starts_with(BYTE_ORDER_MARK);
    assert_eq!(rendered.starts_with(BYTE_ORDER_MARK), is_marked, "the mark is kept as it is");
    let unmarked = |text| str::strip_prefix(text, BYTE_ORDER_MARK).unwrap_or(text);
    let [text, rendered] = [text, &*rendered].map(unmarked);
    duplicates_are_told(&document, text);
    nothing_is_lost(&document, text, rendered);
    nothing_is_lost_to_others(text, rendered);
}

/// What a document is written as is read as the same document, and written so again.
pub(crate) fn stays_one(document: &Document) {
    let rendered = document.render();
    let again = Document::parse(rendered.as_bytes(), &WATCHERS).expect("what argus wrote");
    assert_eq!(again.render(), rendered);
    assert_eq!(again.style(), document.style());
    assert_eq!(again.duplicates(), [""; 0]);
    assert_eq!(again.updated_at(), document.updated_at());
    assert!(again.records.iter().eq(document.records.iter()), "other records in {rendered}");
    assert_eq!(again.records.file_bytes(), document.records.file_bytes());
    for (_, record) in document.records.iter() {
        let is_deep = argus_proto::json::is_too_deep(record.text());
        assert!(is_deep || JsonText::parse(record.text()).as_ref() == Ok(&record.json()));
    }
}

/// A key that stands there more than once is told, and no other.
fn duplicates_are_told(document: &Document, text: &str) {
    let told: BTreeSet<&str> = document.duplicates().iter().map(String::as_str).collect();
    let records = Object::parse_at_any_depth(text).expect("it was taken");
    let records = records.get(&WATCHERS.records_key).expect("it was taken");
    let repeated: BTreeSet<String> = repeated(text).chain(repeated(records)).collect();
    assert_eq!(told, repeated.iter().map(String::as_str).collect());
}

fn repeated(text: &str) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    let keys = members(text).expect("it was taken").into_iter().map(|(key, _)| identity(key));
    keys.filter(move |key| !seen.insert(key.clone())).collect::<Vec<_>>().into_iter()
}

/// What a key is, however it is escaped.
fn identity(quoted: &str) -> String {
    let mut canonical = String::new();
    lay_out(quoted, Layout::Compact, &mut canonical);
    key_text(&canonical)
}

/// Without a key that stands there twice only the layout changes, and how a time is written.
fn nothing_is_lost(document: &Document, text: &str, rendered: &str) {
    if !document.duplicates().is_empty() {
        return;
    }
    let mut before = Object::parse_at_any_depth(text).expect("it was taken");
    let time = WATCHERS.updated_at_key.as_deref().expect("watchers have one");
    before.set(time, document.updated_at().to_string());
    let mut after = String::new();
    lay_out(rendered, Layout::Compact, &mut after);
    assert_eq!(before.to_text(), after);
}

/// The same, seen by a program that reads JSON with a parser of its own.
fn nothing_is_lost_to_others(text: &str, rendered: &str) {
    let read = |text: &str| serde_json::from_str::<Value>(text);
    let (Ok(mut before), Ok(mut after)) = (read(text), read(rendered)) else { return };
    for value in [&mut before, &mut after] {
        value["updatedAt"].take();
    }
    assert_eq!(before, after);
}

/// What is no registry says so, and what to do.
fn is_told(problem: &Unreadable, bytes: &[u8]) {
    let is_too_large = matches!(problem, Unreadable::TooLarge(_));
    assert_eq!(is_too_large, bytes.len() > FILE_BYTES_MAX);
    let error = problem.at("/registry.json");
    assert!(error.hint.is_some() && error.details.is_some(), "{error:?}");
    answers::error_is_told(&JsonText::from_canonical("null"), &error.into(), bytes);
}

/// What a text of so many bytes takes at most when it is laid out: each bracket and comma may get
/// a line of its own, with a line end of two bytes and indented as deep as argus indents.
fn laid_out_max(bytes: usize) -> usize {
    64 + bytes * (4 + INDENTATION_BYTES_MAX)
}

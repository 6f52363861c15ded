//! A whole collection file in memory, and its text.
//!
//! 1. What argus does not know survives: top-level keys, records, their order and their text.
//! 2. `render(parse(text))` differs from `text` only in layout, where no key stands there twice; and
//!    where the layout is of one style throughout, in nothing.
//! 3. A document is immutable to its readers: whoever changes one changes a copy.

use std::sync::Arc;

use crate::collection::Collection;
use crate::error::{Code, Error};
use crate::json::{JsonError, Object, key_text, members};
use crate::limits::FILE_BYTES_MAX;
use crate::record::{Record, etag_of};
use crate::records::Records;
use crate::style::{Style, without_mark};

/// The state of one collection.
#[derive(Debug, Clone)]
pub struct Document {
    /// The records.
    pub records: Records,
    /// The top-level keys in their order, as quoted and canonical text.
    top: Arc<Vec<(String, Slot)>>,
    /// How many bytes the file has around its records.
    bytes_around: usize,
    updated_at: u64,
    /// Ids and top-level keys that the text had more than once: all but the last of each are lost.
    duplicates: Arc<Vec<String>>,
}

/// What stands behind a top-level key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    Records,
    UpdatedAt,
    Other(String),
}

impl Slot {
    /// What stands behind a key, both given as they stand in the file.
    fn of(quoted: &str, value: &str, collection: &Collection) -> Self {
        let key = key_text(quoted);
        if key == collection.records_key {
            Slot::Records
        } else if collection.updated_at_key.as_ref() == Some(&key) {
            Slot::UpdatedAt
        } else {
            Slot::Other(value.to_owned())
        }
    }
}

/// Why a text is no document of this collection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No JSON, or nested too deep.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// More than [`FILE_BYTES_MAX`].
    #[error("it has {0} bytes; at most {FILE_BYTES_MAX} are read")]
    TooLarge(u64),
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// JSON, but without what makes it a registry.
    #[error("it is not a registry: {0}")]
    NotARegistry(String),
    /// A format from the future.
    #[error("its version is {found}; this argus understands up to {understood}")]
    UnsupportedVersion {
        /// The version in the file.
        found: String,
        /// The newest version this program understands.
        understood: u64,
    },
}

impl Unreadable {
    /// The code that a client sees.
    pub fn code(&self) -> Code {
        match self {
            Unreadable::UnsupportedVersion { .. } => Code::UnsupportedVersion,
            _ => Code::Corrupt,
        }
    }

    /// As an error about the file at `path`.
    pub fn at(&self, path: &str) -> Error {
        let error = Error::new(self.code(), format!("cannot use `{path}`: {self}"))
            .details(serde_json::json!({ "path": path }));
        match self {
            Unreadable::UnsupportedVersion { .. } => {
                error.hint("install the newer argus that wrote this file")
            }
            _ => error.hint(format!("mend or move it: mv {path} {path}.broken")),
        }
    }
}

impl Document {
    /// The document of a file that does not exist yet.
    pub fn empty(collection: &Collection) -> Self {
        let mut top = vec![("\"version\"".to_owned(), Slot::Other(collection.version.to_string()))];
        if let Some(key) = &collection.updated_at_key {
            top.push((crate::json::string(key), Slot::UpdatedAt));
        }
        let other = |(key, value): &(String, String)| {
            (crate::json::string(key), Slot::Other(value.clone()))
        };
        top.extend(collection.top.iter().map(other));
        top.push((crate::json::string(&collection.records_key), Slot::Records));
        let mut records = Records::new(Style::own(collection));
        add_defaults(&mut records, collection);
        Document::new(records, top, 0, Vec::new())
    }

    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8], collection: &Collection) -> Result<Self, Unreadable> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Unreadable::TooLarge(bytes.len() as u64));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotText)?;
        let marked = text;
        let text = without_mark(marked);
        // At any depth: one value that nests too deep must not cost the others.
        let object = Object::parse_at_any_depth(text)?;
        check_version(&object, collection)?;

        let records_text = match object.get(&collection.records_key) {
            Some(text) if text.starts_with('{') => text,
            None if !collection.is_strict => "{}",
            _ => {
                let key = &collection.records_key;
                return Err(Unreadable::NotARegistry(format!("`{key}` is not an object")));
            }
        };
        let mut records = Records::new(Style::of(marked, collection));
        let mut duplicates = repeated_keys(text)?;
        for (key, record) in members(records_text)? {
            if records.insert_from_file(key, record, collection) {
                duplicates.push(key_text(key));
            }
        }
        add_defaults(&mut records, collection);

        let mut updated_at = 0;
        let mut top = Vec::new();
        for (quoted, value) in object.iter_quoted() {
            let slot = Slot::of(quoted, value, collection);
            if slot == Slot::UpdatedAt {
                updated_at = parse_updated_at(value)?;
            }
            top.push((quoted.to_owned(), slot));
        }
        if !top.iter().any(|(_, slot)| *slot == Slot::Records) {
            top.push((crate::json::string(&collection.records_key), Slot::Records));
        }
        if collection.updated_at_key.is_some() && !top.iter().any(|(_, s)| *s == Slot::UpdatedAt) {
            return Err(Unreadable::NotARegistry("`updatedAt` is missing".into()));
        }
        Ok(Document::new(records, top, updated_at, duplicates))
    }

    fn new(
        records: Records,
        top: Vec<(String, Slot)>,
        updated_at: u64,
        duplicates: Vec<String>,
    ) -> Self {
        let duplicates = Arc::new(duplicates);
        let mut document =
            Document { records, top: Arc::default(), bytes_around: 0, updated_at, duplicates };
        document.set_top(top);
        document
    }

    /// The file's text, in the style of the text that it was read from.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(self.file_bytes());
        let rendered: Result<(), std::convert::Infallible> = self.render_to(|piece| {
            out.push_str(piece);
            Ok(())
        });
        match rendered {
            Ok(()) => out,
        }
    }

    /// The same piece by piece, for who does not want all of it in memory.
    ///
    /// # Errors
    /// The first of `take`.
    pub fn render_to<E>(&self, mut take: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut around = String::new();
        let mut place = 0;
        self.render_around(&mut around, |around| place = around.len());
        let (before, after) = around.split_at(place);
        take(before)?;
        self.render_records(&mut take)?;
        take(after)
    }

    fn render_around(&self, out: &mut String, mut render_records: impl FnMut(&mut String)) {
        let style = self.style();
        style.begin(out);
        out.push('{');
        for (at, (key, slot)) in self.top.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { style.comma() });
            style.break_line(1, out);
            out.push_str(key);
            out.push_str(style.colon());
            match slot {
                Slot::Records => render_records(out),
                Slot::UpdatedAt => out.push_str(&self.updated_at.to_string()),
                Slot::Other(text) => style.value(text, 1, out),
            }
        }
        style.break_line(0, out);
        out.push('}');
        style.end(out);
    }

    /// How many bytes the file has at most: two are counted between one record and the next, and some
    /// for a time that grows.
    pub fn file_bytes(&self) -> usize {
        self.records.file_bytes() + 2 * self.records.len() + self.bytes_around + 256
    }

    /// How the file is laid out.
    pub fn style(&self) -> &Style {
        self.records.style()
    }

    /// Notes that the file is changed at `now`. Its time never goes back: of two copies the one
    /// with the later time is the newer, also where the clock was set in between.
    pub fn touch(&mut self, now: u64) {
        self.updated_at = self.updated_at.max(now);
    }

    /// The ids and top-level keys that the text had more than once. Rendering keeps the last of
    /// each only.
    pub fn duplicates(&self) -> &[String] {
        &self.duplicates
    }

    /// When the file was last changed, in milliseconds since the epoch.
    pub fn updated_at(&self) -> u64 {
        self.updated_at
    }

    /// The top-level keys without the records.
    pub fn beside_records(&self) -> Object {
        let mut object = Object::default();
        for (quoted, slot) in self.top.iter().filter(|(_, slot)| *slot != Slot::Records) {
            object.set_quoted(quoted.clone(), self.slot_text(slot));
        }
        object
    }

    /// A hash of what stands beside the records, without the time of the last change: the same in
    /// every process, on every day, for the same content.
    pub fn etag_beside_records(&self) -> Box<str> {
        let slots = self.top.iter().filter_map(|(quoted, slot)| match slot {
            Slot::Other(text) => Some((key_text(quoted), text.as_str())),
            Slot::Records | Slot::UpdatedAt => None,
        });
        etag_of(slots)
    }

    /// Applies a merge patch that names neither the records nor the time of the last change.
    pub(crate) fn patch_beside_records(
        &mut self,
        patch: &Object,
        collection: &Collection,
    ) -> Result<(), JsonError> {
        let mut object = Object::default();
        for (quoted, slot) in self.top.iter() {
            object.set_quoted(quoted.clone(), self.slot_text(slot));
        }
        object.merge_patch(patch)?;
        let slot =
            |(quoted, text): (&str, &str)| (quoted.to_owned(), Slot::of(quoted, text, collection));
        let top: Vec<_> = object.iter_quoted().map(slot).collect();
        // Else it would be taken for another document, and written.
        if top != *self.top {
            self.set_top(top);
        }
        Ok(())
    }

    fn slot_text(&self, slot: &Slot) -> String {
        match slot {
            Slot::Records => "{}".to_owned(),
            Slot::UpdatedAt => self.updated_at.to_string(),
            Slot::Other(text) => text.clone(),
        }
    }

    /// Whether both are copies of which none was changed. What is equal without being a copy is
    /// not looked at.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.top, &other.top) && self.records.is_copy_of(&other.records)
    }

    /// Whether all keys but the records' and the time of the last change are the same.
    pub fn has_same_top(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.top, &other.top) || self.top == other.top
    }

    /// The top-level keys as they are quoted, with what stands behind them.
    pub(crate) fn top(&self) -> &Arc<Vec<(String, Slot)>> {
        &self.top
    }

    /// Puts other top-level keys in the place of the old ones.
    pub(crate) fn set_top(&mut self, top: Vec<(String, Slot)>) {
        self.top = Arc::new(top);
        let mut around = String::new();
        self.render_around(&mut around, |out| out.push_str("{}"));
        self.bytes_around = around.len();
    }

    fn render_records<E>(&self, take: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        if self.records.is_empty() {
            return take("{}");
        }
        take("{")?;
        for (at, text) in self.records.file_texts().enumerate() {
            if at > 0 {
                take(self.style().comma())?;
            }
            take(text)?;
        }
        let mut end = String::new();
        self.style().break_line(1, &mut end);
        end.push('}');
        take(&end)
    }
}

/// Puts the records that are always there where they are missing.
fn add_defaults(records: &mut Records, collection: &Collection) {
    for (id, text) in &collection.defaults {
        if records.get(id).is_none() {
            records.insert(id, Record::read(id, text, collection).into());
        }
    }
}

/// The top-level keys that stand there more than once: of each the last is kept only.
fn repeated_keys(text: &str) -> Result<Vec<String>, JsonError> {
    let mut keys: Vec<String> = members(text)?.iter().map(|(key, _)| key_text(key)).collect();
    keys.sort();
    let repeated = keys.windows(2).filter(|pair| pair[0] == pair[1]);
    Ok(repeated.map(|pair| pair[0].clone()).collect())
}

fn check_version(object: &Object, collection: &Collection) -> Result<(), Unreadable> {
    let text = object.get("version");
    let number = text.and_then(|text| serde_json::from_str::<serde_json::Number>(text).ok());
    match (number.and_then(|number| number.as_f64()), text) {
        (Some(version), _) if version == collection.version as f64 => Ok(()),
        (Some(version), Some(text)) if version > collection.version as f64 => {
            Err(Unreadable::UnsupportedVersion {
                found: text.to_owned(),
                understood: collection.version,
            })
        }
        // Another program's file, which says nothing of this, or something else by it.
        (None, _) if !collection.is_strict => Ok(()),
        (_, None) => Err(Unreadable::NotARegistry("`version` is missing".into())),
        (_, Some(text)) => Err(Unreadable::NotARegistry(format!("`version` is {text}"))),
    }
}

fn parse_updated_at(text: &str) -> Result<u64, Unreadable> {
    serde_json::from_str::<f64>(text)
        .map(|time| time.max(0.0) as u64)
        .map_err(|_| Unreadable::NotARegistry("`updatedAt` is not a number".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::WATCHERS;
    use crate::json::{Layout, lay_out};

    const FILE: &str = r#"{
  "version": 1,
  "updatedAt": 1760000000000,
  "owner": {
    "big": 9007199254740993,
    "odd": 1.0
  },
  "watchers": {
    "9": null,
    "app": {
      "id": "app",
      "host": "127.0.0.1",
      "port": 40123,
      "pid": 51234,
      "startedAt": 1760000000000,
      "updatedAt": 1760000000000,
      "later": [
        1,
        {}
      ]
    },
    "1": [],
    "\ud800": 7
  },
  "after": "x",
  "\udc00": 0
}"#;

    #[test]
    fn what_is_read_is_written_again_to_the_byte() {
        let document = Document::parse(FILE.as_bytes(), &WATCHERS).expect("a registry");
        assert_eq!(document.render(), FILE);
        assert_eq!(document.records.len(), 4);
    }

    #[test]
    fn one_value_that_nests_too_deep_does_not_cost_the_others() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let text = format!(
            r#"{{"version":1,"updatedAt":1,"top":{deep},"watchers":{{"deep":{{"id":"deep","x":{deep}}},"null":null}}}}"#
        );
        let document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
        let damage = document.records.get("deep").expect("there").damage().cloned();
        assert!(damage.expect("damaged").problem.contains("64 levels"));
        let mut compact = String::new();
        lay_out(&document.render(), Layout::Compact, &mut compact);
        assert_eq!(compact, text);
    }

    #[test]
    fn ids_that_stand_there_twice_are_told() {
        let text = r#"{"version":1,"updatedAt":1,"watchers":{"a":1,"b":2,"a":3}}"#;
        let document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
        assert_eq!(document.duplicates(), ["a"]);
        assert_eq!(document.records.get("a").expect("there").text(), "3");

        let text = r#"{"version":1,"updatedAt":1,"watchers":{"lost":1},"watchers":{}}"#;
        let document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
        assert_eq!(document.duplicates(), ["watchers"]);

        let text = r#"{"version":1,"updatedAt":1,"\ud800":1,"\uD800":2,"watchers":{}}"#;
        let document = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
        assert_eq!(document.duplicates(), [r#""\ud800""#]);
    }

    #[test]
    fn an_empty_document_is_what_the_older_tools_write() {
        let mut document = Document::empty(&WATCHERS);
        document.touch(1_760_000_000_000);
        let expected =
            "{\n  \"version\": 1,\n  \"updatedAt\": 1760000000000,\n  \"watchers\": {}\n}";
        assert_eq!(document.render(), expected);
    }

    #[test]
    fn the_size_in_the_file_is_known_without_rendering() {
        let mut document = Document::parse(FILE.as_bytes(), &WATCHERS).expect("a registry");
        document.records.remove("app");
        document.records.remove("9");
        let rendered = document.render().len();
        let known = document.records.file_bytes();
        assert!(rendered - known < 200, "{rendered} {known}");
    }

    #[test]
    fn a_file_of_another_program_may_have_no_records_yet() {
        let jobs = Collection { is_strict: false, ..Collection::new("jobs") };
        let rows = [
            ("{}", r#"{"jobs":{}}"#),
            (r#"{"name":"x","version":"1.0"}"#, r#"{"name":"x","version":"1.0","jobs":{}}"#),
            (r#"{"jobs":{"a":1},"z":2}"#, r#"{"jobs":{"a":1},"z":2}"#),
        ];
        for (text, expected) in rows {
            let document = Document::parse(text.as_bytes(), &jobs).expect("readable");
            assert_eq!(document.render(), expected);
        }
        for text in ["[]", r#"{"jobs":[]}"#, r#"{"jobs":null}"#, r#"{"version":2,"jobs":{}}"#] {
            assert!(Document::parse(text.as_bytes(), &jobs).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_registry_is_told_apart_from_a_newer_one() {
        let rows = [
            ("", Code::Corrupt),
            ("[]", Code::Corrupt),
            ("{}", Code::Corrupt),
            (r#"{"version":1,"updatedAt":1}"#, Code::Corrupt),
            (r#"{"version":1,"watchers":{}}"#, Code::Corrupt),
            (r#"{"version":1,"updatedAt":"x","watchers":{}}"#, Code::Corrupt),
            (r#"{"version":1,"updatedAt":1,"watchers":[]}"#, Code::Corrupt),
            (r#"{"version":"1","updatedAt":1,"watchers":{}}"#, Code::Corrupt),
            (r#"{"version":2,"anything":1}"#, Code::UnsupportedVersion),
        ];
        for (text, code) in rows {
            let error = Document::parse(text.as_bytes(), &WATCHERS).expect_err(text);
            assert_eq!(error.code(), code, "{text}");
        }
        assert_eq!(Document::parse(b"\xff", &WATCHERS).expect_err("bytes"), Unreadable::NotText);
    }
}

//! A record in a file of its own: what the file is called, and how its text becomes a record.
//!
//! 1. Every id has one name, and no two ids share one, also where the file system takes capital letters
//!    and small ones for the same, and on Windows.
//! 2. The id can be told from the name; where that would be too long, from a second file beside it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::collection::Collection;
use crate::document::Document;
use crate::json::{JsonError, Layout, check_syntax, lay_out};
use crate::record::Record;

/// What the name of each record's file ends with.
pub const SUFFIX: &str = ".json";
/// What the name of the file ends with that holds the id of a record whose own name cannot.
pub const ID_SUFFIX: &str = ".id";
/// The longest name that is made of an id itself. File systems take 255 bytes, of which a temporary
/// file's name needs some.
const STEM_BYTES_MAX: usize = 200;
/// What the name begins with that is made of the id's hash.
const HASHED: char = '~';

/// The name of the file of the record with this id, without its suffix.
pub fn stem(id: &str) -> String {
    let mut stem = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => stem.push(byte.into()),
            // One in front hides a file, one at the end is lost on Windows.
            b'.' if at > 0 && at + 1 < id.len() => stem.push('.'),
            byte => escape(byte, &mut stem),
        }
    }
    if is_reserved(&stem) {
        let rest = stem.split_off(1);
        let first = std::mem::take(&mut stem);
        first.bytes().for_each(|byte| escape(byte, &mut stem));
        stem.push_str(&rest);
    }
    if stem.len() > STEM_BYTES_MAX {
        stem = HASHED.to_string();
        Sha256::digest(id).iter().for_each(|byte| hex(*byte, &mut stem));
    }
    stem
}

/// The id of the record in the file with this name, without its suffix; `None` where it is another's, or
/// its id stands in the second file.
pub fn id_of(stem_given: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(stem_given.len());
    let mut rest = stem_given.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    let id = String::from_utf8(bytes).ok()?;
    // Else two names could be one id's.
    (stem(&id) == stem_given).then_some(id)
}

/// Whether the file's name alone does not tell the id.
pub fn is_hashed(stem: &str) -> bool {
    stem.starts_with(HASHED)
}

fn escape(byte: u8, out: &mut String) {
    out.push('%');
    hex(byte, out);
}

fn hex(byte: u8, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{byte:02x}");
}

/// Whether Windows takes a name for a device, whatever follows its first dot.
fn is_reserved(stem: &str) -> bool {
    let device = stem.split('.').next().unwrap_or_default();
    let numbered = device.strip_prefix("com").or_else(|| device.strip_prefix("lpt"));
    matches!(device, "con" | "prn" | "aux" | "nul")
        || numbered.is_some_and(|number| number.len() == 1 && number != "-" && number != "_")
}

impl Document {
    /// The text of a record's own file, in the style of the collection's.
    pub fn record_file(&self, id: &str) -> Option<String> {
        let record = self.records.get(id)?;
        let mut text = String::with_capacity(record.text().len() * 2);
        self.style().value(record.text(), 0, &mut text);
        text.push('\n');
        Some(text)
    }

    /// Sets a record to what stands in its own file.
    ///
    /// # Errors
    /// Why it is no JSON; then nothing has changed.
    pub fn set_record_file(
        &mut self,
        id: &str,
        text: &str,
        collection: &Collection,
    ) -> Result<(), JsonError> {
        check_syntax(text)?;
        let mut canonical = String::with_capacity(text.len());
        lay_out(text.trim(), Layout::Compact, &mut canonical);
        let record = Record::read(id, &canonical, collection);
        // What is the same stays shared with the copies of this document.
        if self.records.get(id).is_none_or(|known| **known != record) {
            self.records.insert(id, record.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::WATCHERS;

    #[test]
    fn names_are_plain_where_they_can_be_and_lead_back_to_the_id() {
        let long = "é".repeat(200);
        let rows = [
            ("app", "app"),
            ("app-2.v1_x", "app-2.v1_x"),
            ("App", "%41pp"),
            ("a/b", "a%2fb"),
            ("..", "%2e%2e"),
            (".x.", "%2ex%2e"),
            ("a b%", "a%20b%25"),
            ("é", "%c3%a9"),
            ("con", "%63on"),
            ("con.x", "%63on.x"),
            ("com1", "%63om1"),
            ("com10", "com10"),
            ("common", "common"),
        ];
        for (id, name) in rows {
            assert_eq!(stem(id), name, "{id}");
            assert_eq!(id_of(name).as_deref(), Some(id), "{name}");
        }
        assert!(stem(&long).starts_with('~') && stem(&long).len() < STEM_BYTES_MAX);
        assert_eq!(id_of(&stem(&long)), None);
        for other in ["App", "%61pp", "a%2Fb", "%4", "%zz", "%ff", ".app", "a b"] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_record_is_the_same_in_the_file_of_all_and_in_its_own() {
        let text = r#"{"version":1,"updatedAt":1,"watchers":{"a":{"id":"a","big":9007199254740993,"odd":1.0},"b":null}}"#;
        let whole = Document::parse(text.as_bytes(), &WATCHERS).expect("a registry");
        let mut other = Document::empty(&WATCHERS);
        for id in ["a", "b"] {
            let file = whole.record_file(id).expect("there");
            other.set_record_file(id, &file, &WATCHERS).expect("JSON");
            assert_eq!(other.records.get(id), whole.records.get(id));
        }
        let copy = other.clone();
        let file = other.record_file("a").expect("there");
        other.set_record_file("a", &file, &WATCHERS).expect("JSON");
        assert!(other.is_copy_of(&copy));
        assert!(other.set_record_file("a", "{", &WATCHERS).is_err());
        assert!(other.is_copy_of(&copy));
    }
}

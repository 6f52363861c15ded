//! How a file is laid out, which is its writers' choice: whoever shares it is not to see all of it
//! change because of one record.
//!
//! 1. A text of any style that can be told is written again to the byte.
//! 2. What cannot be told is the collection's own: indentation that is neither of spaces nor of
//!    tabs, or too wide, or none.
//! 3. A style is a property of the whole file. Where single values are laid out otherwise, they are
//!    laid out anew.

use crate::collection::Collection;
use crate::json::{Layout, lay_out, string_end};

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    lines: Lines,
    line_end: &'static str,
    final_newline: bool,
    byte_order_mark: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// A line for each member, with this indentation a level: `JSON.stringify(value, null, indent)`.
    Indented(&'static str),
    /// All in one line. JavaScript writes it without spaces, Python with them.
    One { is_spaced: bool },
}

const BYTE_ORDER_MARK: &str = "\u{feff}";
/// What one level of indentation is cut from, and so the widest that there is.
const SPACES: &str = "        ";
const TABS: &str = "\t\t\t\t\t\t\t\t";

impl Style {
    /// The style of a file that does not exist yet.
    pub fn own(collection: &Collection) -> Self {
        Style {
            lines: Lines::Indented(collection.indent),
            line_end: "\n",
            final_newline: collection.final_newline,
            byte_order_mark: false,
        }
    }

    /// The style of a text, which must be a JSON object.
    pub fn of(text: &str, collection: &Collection) -> Self {
        let unmarked = without_mark(text);
        let object = unmarked.trim_start();
        let is_crlf = object.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r'));
        let lines = Lines::of(object.trim_end(), collection);
        let final_newline = object.ends_with('\n');
        // What follows a single line that ends with none is no line either.
        let has_line_ends = final_newline || matches!(lines, Lines::Indented(_));
        Style {
            lines,
            line_end: if is_crlf && has_line_ends { "\r\n" } else { "\n" },
            final_newline,
            byte_order_mark: unmarked.len() < text.len(),
        }
    }

    /// What stands before the object.
    pub(crate) fn begin(&self, out: &mut String) {
        if self.byte_order_mark {
            out.push_str(BYTE_ORDER_MARK);
        }
    }

    /// What stands behind the object.
    pub(crate) fn end(&self, out: &mut String) {
        if self.final_newline {
            out.push_str(self.line_end);
        }
    }

    /// Goes to the next line and `depth` levels in, where there is more than one line.
    pub(crate) fn break_line(&self, depth: usize, out: &mut String) {
        if let Lines::Indented(indent) = self.lines {
            out.push_str(self.line_end);
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }

    /// What stands between two members, but for a line break.
    pub(crate) fn comma(&self) -> &'static str {
        match self.lines {
            Lines::One { is_spaced: true } => ", ",
            _ => ",",
        }
    }

    /// What stands between a key and its value.
    pub(crate) fn colon(&self) -> &'static str {
        match self.lines {
            Lines::One { is_spaced: false } => ":",
            _ => ": ",
        }
    }

    /// A valid JSON value that stands `depth` levels in.
    pub(crate) fn value(&self, text: &str, depth: usize, out: &mut String) {
        let layout = match self.lines {
            Lines::Indented(indent) => Layout::Pretty { indent, depth },
            Lines::One { is_spaced: true } => Layout::Spaced,
            Lines::One { is_spaced: false } => Layout::Compact,
        };
        let start = out.len();
        lay_out(text, layout, out);
        // No JSON string holds a line break, so these are all of the layout.
        if self.line_end != "\n" && out[start..].contains('\n') {
            let value = out.split_off(start).replace('\n', self.line_end);
            out.push_str(&value);
        }
    }
}

impl Lines {
    /// Of an object without white space around it.
    fn of(object: &str, collection: &Collection) -> Self {
        if !object.contains('\n') {
            return Lines::One { is_spaced: is_spaced(object) };
        }
        let mut lines = object.split('\n').skip(1);
        let indentation = lines.find_map(|line| {
            let content = line.trim_start_matches([' ', '\t']);
            let is_indented = content.len() < line.len() && !content.trim_end().is_empty();
            is_indented.then(|| &line[..line.len() - content.len()])
        });
        Lines::Indented(indentation.and_then(level).unwrap_or(collection.indent))
    }
}

/// A text without the mark that programs on Windows may put first.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Indentation as one level of it, if it may be one.
fn level(indentation: &str) -> Option<&'static str> {
    let levels = [SPACES, TABS].into_iter().filter_map(|widest| widest.get(..indentation.len()));
    levels.into_iter().find(|level| *level == indentation)
}

/// Whether a space stands behind the first colon.
fn is_spaced(object: &str) -> bool {
    let Some(key) = object.find('"') else { return false };
    let after_key = object[string_end(object.as_bytes(), key)..].trim_start();
    after_key.strip_prefix(':').is_some_and(|value| value.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::WATCHERS;
    use crate::document::Document;
    use crate::record::Record;

    const TWO: &str = "{\n  \"version\": 1,\n  \"updatedAt\": 7,\n  \"more\": [\n    1,\n    {\n      \"a:\\\": b\": {}\n    }\n  ],\n  \"watchers\": {\n    \"9\": null,\n    \"app\": {\n      \"id\": \"app\",\n      \"x\": [\n        \"a, b: c\"\n      ]\n    }\n  }\n}";
    const COMPACT: &str = r#"{"version":1,"updatedAt":7,"more":[1,{"a:\": b":{}}],"watchers":{"9":null,"app":{"id":"app","x":["a, b: c"]}}}"#;
    const SPACED: &str = r#"{"version": 1, "updatedAt": 7, "more": [1, {"a:\": b": {}}], "watchers": {"9": null, "app": {"id": "app", "x": ["a, b: c"]}}}"#;

    fn indented(indent: &str) -> String {
        let lines = TWO.lines().map(|line| {
            let content = line.trim_start();
            indent.repeat((line.len() - content.len()) / 2) + content
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn styles() -> Vec<String> {
        let indents = [" ", "  ", "   ", "    ", "        ", "\t", "\t\t"];
        let mut texts: Vec<String> = indents.into_iter().map(indented).collect();
        texts.extend([COMPACT.to_owned(), SPACED.to_owned()]);
        let texts = texts.into_iter().flat_map(|text| [text.clone() + "\n", text]);
        let texts = texts.flat_map(|text| [text.replace('\n', "\r\n"), text]);
        texts.flat_map(|text| [format!("{BYTE_ORDER_MARK}{text}"), text]).collect()
    }

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes(), &WATCHERS).expect("a registry")
    }

    #[test]
    fn a_file_of_any_style_is_written_again_to_the_byte() {
        let styles = styles();
        assert_eq!(styles.len(), 9 * 2 * 2 * 2);
        for text in styles {
            assert_eq!(document(&text).render(), text);
        }
    }

    #[test]
    fn what_is_new_is_written_in_the_style_of_the_file() {
        let new = r#"{"id":"new","x":[1,{}]}"#;
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        for text in styles() {
            let mut changed = document(&text);
            changed.records.remove("9");
            let record = Record::read("new", new, &WATCHERS);
            changed.records.insert("new", record.into());
            let rendered = changed.render();
            assert_eq!(document(&rendered).render(), rendered);
            let styles = [&text, &rendered].map(|text| Style::of(text, &WATCHERS));
            assert_eq!(styles[0], styles[1], "{text}\n{rendered}");
            let expected = bare(&text).replace(r#""9":null,"#, "");
            let expected = expected.replace("]}}}", &format!("]}},\"new\":{new}}}}}"));
            assert_eq!(bare(&rendered), expected);
            let known = changed.records.file_bytes() + changed.records.len();
            assert!((1..1024).contains(&(rendered.len() - known)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_the_collections_own() {
        let rows = [
            ("no indentation", "{\n\"version\":1,\n\"updatedAt\":7,\"watchers\":{}}", "  "),
            ("blank lines only", "{\n   \n\"version\":1,\"updatedAt\":7,\"watchers\":{}}", "  "),
            ("mixed", "{\n \t\"version\":1,\"updatedAt\":7,\"watchers\":{}}", "  "),
            ("too wide", "{\n         \"version\":1,\"updatedAt\":7,\"watchers\":{}}", "  "),
            ("the first counts", "{\"version\":1,\n \"updatedAt\":7,\n   \"watchers\":{}}", " "),
            (
                "not what stands before",
                "\n   {\n\t\"version\":1,\"updatedAt\":7,\"watchers\":{}}",
                "\t",
            ),
        ];
        for (what, text, indent) in rows {
            let expected = "{\n  \"version\": 1,\n  \"updatedAt\": 7,\n  \"watchers\": {}\n}";
            assert_eq!(document(text).render(), expected.replace("  ", indent), "{what}");
        }
    }

    #[test]
    fn a_new_file_is_of_its_collections_style() {
        let own = Collection { indent: "\t", final_newline: true, ..Collection::clone(&WATCHERS) };
        let expected = "{\n\t\"version\": 1,\n\t\"updatedAt\": 0,\n\t\"watchers\": {}\n}\n";
        assert_eq!(Document::empty(&own).render(), expected);
    }
}

//! JSON as text that keeps what it was given.
//!
//! A registry is shared with programs that argus has never heard of, so a value that argus does
//! not understand has to come out as it went in: key order, numbers beyond 2^53, `1.0`, lone
//! surrogates. `serde_json` checks the syntax; the values themselves stay text and are only laid
//! out anew.
//!
//! 1. The canonical form is compact and writes strings as JavaScript's `JSON.stringify` does;
//!    numbers keep their text and objects their order.
//! 2. Laying out is idempotent and never changes a value.
//! 3. No function recurses, so hostile nesting costs no stack.

mod layout;
mod object;
mod patch;
mod text;

pub(crate) use layout::string_end;
pub use layout::{Layout, lay_out};
pub use object::{Object, key_text, members};
pub use text::JsonText;

use serde_json::value::RawValue;

use crate::limits::JSON_DEPTH_MAX;

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON at all; the message tells line and column.
    #[error("not valid JSON: {0}")]
    Syntax(String),
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// JSON, but not an object where one is needed.
    #[error("not a JSON object")]
    NotAnObject,
}

/// Checks syntax and depth.
pub fn check(text: &str) -> Result<(), JsonError> {
    check_syntax(text)?;
    if is_too_deep(text) {
        return Err(JsonError::TooDeep);
    }
    Ok(())
}

/// Checks syntax, at any depth.
pub fn check_syntax(text: &str) -> Result<(), JsonError> {
    serde_json::from_str::<&RawValue>(text)
        .map(|_| ())
        .map_err(|error| JsonError::Syntax(error.to_string()))
}

/// Whether a valid text is nested deeper than argus works with.
pub fn is_too_deep(text: &str) -> bool {
    layout::depth(text) > JSON_DEPTH_MAX
}

/// The canonical form of a text that may come from anywhere.
pub fn canonical(text: &str) -> Result<String, JsonError> {
    check(text)?;
    let mut out = String::with_capacity(text.len());
    lay_out(text, Layout::Compact, &mut out);
    Ok(out)
}

/// The canonical form of a string.
pub fn string(value: &str) -> String {
    if value.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return serde_json::Value::String(value.to_owned()).to_string();
    }
    // Nothing in it is escaped, as in almost every key and most values.
    ["\"", value, "\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_is_what_json_stringify_writes_but_keeps_order_and_numbers() {
        let rows = [
            ("{ \"b\" : 1 , \"a\" : [ ] }", r#"{"b":1,"a":[]}"#),
            (r#"{"2":1,"1":2}"#, r#"{"2":1,"1":2}"#),
            ("9007199254740993", "9007199254740993"),
            ("1.0", "1.0"),
            ("-0.0e+10", "-0.0e+10"),
            (r#""a\/bé\u000a\u001F\u007f""#, "\"a/bé\\n\\u001f\u{7f}\""),
            (r#""\ud83d\ude00""#, "\"😀\""),
            (r#""\uD83D""#, r#""\ud83d""#),
            (r#""\ud83d\ud83d\ude00""#, "\"\\ud83d😀\""),
            (r#""\"\\""#, r#""\"\\""#),
            (r#"{"{":"}","[":","}"#, r#"{"{":"}","[":","}"#),
        ];
        for (given, expected) in rows {
            assert_eq!(canonical(given).expect(given), expected, "{given}");
        }
    }

    #[test]
    fn pretty_text_is_what_json_stringify_writes_with_an_indent_of_two() {
        let mut out = String::new();
        let text = r#"{"a":1,"b":{},"c":[],"d":[1,{"e":null}]}"#;
        lay_out(text, Layout::Pretty { indent: "  ", depth: 0 }, &mut out);
        let expected = "{\n  \"a\": 1,\n  \"b\": {},\n  \"c\": [],\n  \"d\": [\n    1,\n    {\n      \"e\": null\n    }\n  ]\n}";
        assert_eq!(out, expected);
    }

    #[test]
    fn hostile_nesting_is_refused_without_recursion() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(canonical(&deep), Err(JsonError::TooDeep));
        let allowed = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
        assert_eq!(canonical(&allowed).as_deref(), Ok(allowed.as_str()));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for text in ["", "{", "{'a':1}", "[1,]", "\"\u{1}\"", "01", "nul", "{} {}"] {
            assert!(matches!(canonical(text), Err(JsonError::Syntax(_))), "{text}");
        }
    }
}

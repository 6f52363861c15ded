//! One level of an object, read and edited without touching what its values contain.

use std::collections::HashMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{JsonError, Layout, lay_out, string};

/// The members of an object in their order: key and value as they stand in `text`, quotes included.
pub fn members(text: &str) -> Result<Vec<(&str, &str)>, JsonError> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(&'de str, &'de str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            // Keys are read raw as well: a lone surrogate in one is no reason to lose the object.
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                members.push((key.get(), value.get()));
            }
            Ok(members)
        }
    }

    if !text.trim_start().starts_with('{') {
        return match super::check_syntax(text) {
            Ok(()) => Err(JsonError::NotAnObject),
            Err(error) => Err(error),
        };
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer
        .deserialize_map(Members)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| JsonError::Syntax(error.to_string()))?;
    Ok(members)
}

/// The string behind a quoted key; where it is no Unicode (a lone surrogate), its canonical text,
/// quotes included, so that it is not taken for another key, and however it is escaped for itself.
pub fn key_text(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| compact(quoted))
}

/// An object being edited. Keys and values are canonical text; the order is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    members: Vec<(String, String)>,
    /// Where each key is, in an object of more than [`SEARCHED_MAX`] of them.
    places: HashMap<String, usize>,
}

/// Up to so many members a search is as fast as a table. Beyond, it would let a hostile object
/// cost the square of its size.
const SEARCHED_MAX: usize = 32;

impl Object {
    /// Reads an object of any layout. As in JavaScript, the last of two equal keys gives the
    /// value and the first the place.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let members = members(text);
        if !matches!(members, Err(JsonError::Syntax(_))) && super::is_too_deep(text) {
            return Err(JsonError::TooDeep);
        }
        Ok(Object::of(members?))
    }

    /// As [`Object::parse`], for a text whose values are only kept.
    pub fn parse_at_any_depth(text: &str) -> Result<Self, JsonError> {
        members(text).map(Object::of)
    }

    fn of(members: Vec<(&str, &str)>) -> Self {
        let mut object = Object::default();
        for (key, value) in members {
            object.set_quoted(compact(key), compact(value));
        }
        object
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of a key, as canonical text.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_quoted(&string(key))
    }

    pub(crate) fn get_quoted(&self, key: &str) -> Option<&str> {
        self.place(key).map(|place| self.members[place].1.as_str())
    }

    /// Sets a key to a value that is given as canonical text; a new key goes to the end.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.set_quoted(string(key), value.into());
    }

    /// Sets a key that is given quoted, as canonical text: it may be no Unicode.
    pub(crate) fn set_quoted(&mut self, key: String, value: String) {
        match self.place(&key) {
            Some(place) => self.members[place].1 = value,
            None => {
                let place = self.members.len();
                if !self.places.is_empty() {
                    self.places.insert(key.clone(), place);
                }
                self.members.push((key, value));
                if self.members.len() == SEARCHED_MAX + 1 {
                    self.index();
                }
            }
        }
    }

    /// Sets a key to a string.
    pub fn set_string(&mut self, key: &str, value: &str) {
        self.set(key, string(value));
    }

    /// Removes a key; tells whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.remove_quoted(&string(key))
    }

    pub(crate) fn remove_quoted(&mut self, key: &str) -> bool {
        let Some(place) = self.place(key) else { return false };
        self.members.remove(place);
        self.index();
        true
    }

    /// The members: keys decoded, values as canonical text.
    pub fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.members.iter().map(|(key, value)| (key_text(key), value.as_str()))
    }

    /// The members: keys quoted as they are written, values as canonical text.
    pub fn iter_quoted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Takes over every member of `other`.
    pub fn extend(&mut self, other: Object) {
        for (key, value) in other.members {
            self.set_quoted(key, value);
        }
    }

    /// The canonical text.
    pub fn to_text(&self) -> String {
        let mut out = String::from("{");
        for (at, (key, value)) in self.members.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(key);
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }

    fn place(&self, key: &str) -> Option<usize> {
        if self.places.is_empty() {
            return self.members.iter().position(|(k, _)| k == key);
        }
        self.places.get(key).copied()
    }

    fn index(&mut self) {
        self.places.clear();
        if self.members.len() > SEARCHED_MAX {
            let keys = self.members.iter().enumerate();
            self.places = keys.map(|(place, (key, _))| (key.clone(), place)).collect();
        }
    }
}

fn compact(text: &str) -> String {
    // Most are a number or a plain string, which is canonical as it stands.
    if !text.starts_with(['{', '[']) && !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    lay_out(text, Layout::Compact, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_keeps_order_and_everything_else() {
        let mut object =
            Object::parse(r#"{"b":1.0,"x":{"2":1,"1":2},"a":"\ud800"}"#).expect("valid");
        object.set("b", "2");
        object.set_string("new", "ü\n");
        assert!(object.remove("a"));
        assert!(!object.remove("a"));
        assert_eq!(object.to_text(), r#"{"b":2,"x":{"2":1,"1":2},"new":"ü\n"}"#);
    }

    #[test]
    fn of_two_equal_keys_the_last_gives_the_value_and_the_first_the_place() {
        let object = Object::parse(r#"{"a":1,"b":2,"\u0061":3}"#).expect("valid");
        assert_eq!(object.to_text(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn an_object_of_many_keys_is_as_one_of_few() {
        let many: Vec<String> = (0..50_000).map(|n| format!("\"k{n}\":{n}")).collect();
        let text = format!("{{{}}}", many.join(","));
        let mut object = Object::parse(&text).expect("valid");
        assert_eq!(object.to_text(), text);
        object.set("k49999", "0");
        object.set("new", "1");
        assert!(object.remove("k0") && !object.remove("k0"));
        assert_eq!(
            (object.get("k49999"), object.get("new"), object.get("k1")),
            (Some("0"), Some("1"), Some("1"))
        );
    }

    #[test]
    fn a_key_that_is_no_unicode_survives() {
        let object = Object::parse(r#"{"\ud800":1}"#).expect("valid");
        assert_eq!(object.to_text(), r#"{"\ud800":1}"#);
    }

    #[test]
    fn what_is_no_object_is_told_apart_from_what_is_no_json() {
        assert_eq!(members("[1]"), Err(JsonError::NotAnObject));
        assert!(matches!(members("[1"), Err(JsonError::Syntax(_))));
        assert!(matches!(members("{} x"), Err(JsonError::Syntax(_))));
    }
}

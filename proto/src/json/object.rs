//! One level of an object, read and edited without touching what its values contain.

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

/// The string behind a quoted key; where it is no Unicode (a lone surrogate), its escaped text.
pub fn key_text(quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.trim().trim_matches('"').to_owned())
}

/// An object being edited. Keys and values are canonical text; the order is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    members: Vec<(String, String)>,
}

impl Object {
    /// Reads an object of any layout. As in JavaScript, the last of two equal keys gives the
    /// value and the first the place.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        super::check(text)?;
        Object::parse_at_any_depth(text)
    }

    /// As [`Object::parse`], for a text whose values are only kept.
    pub fn parse_at_any_depth(text: &str) -> Result<Self, JsonError> {
        let mut object = Object::default();
        for (key, value) in members(text)? {
            object.put(compact(key), compact(value));
        }
        Ok(object)
    }

    /// The value of a key, as canonical text.
    pub fn get(&self, key: &str) -> Option<&str> {
        let key = string(key);
        self.members.iter().find(|(k, _)| *k == key).map(|(_, value)| value.as_str())
    }

    /// Sets a key to a value that is given as canonical text; a new key goes to the end.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.put(string(key), value.into());
    }

    /// Sets a key to a string.
    pub fn set_string(&mut self, key: &str, value: &str) {
        self.set(key, string(value));
    }

    /// Removes a key; tells whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let key = string(key);
        let before = self.members.len();
        self.members.retain(|(k, _)| *k != key);
        self.members.len() != before
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
            self.put(key, value);
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

    fn put(&mut self, key: String, value: String) {
        match self.members.iter_mut().find(|(k, _)| *k == key) {
            Some(member) => member.1 = value,
            None => self.members.push((key, value)),
        }
    }
}

fn compact(text: &str) -> String {
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

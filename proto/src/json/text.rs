//! A JSON value that travels as text: a string in a binary frame, itself inside JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{JsonError, canonical};

/// Valid, canonical JSON that nobody has to understand to pass it on.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct JsonText(String);

impl JsonText {
    /// Checks and canonicalises a text.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        canonical(text).map(JsonText)
    }

    /// Takes a text that is known to be canonical.
    pub fn from_canonical(text: impl Into<String>) -> Self {
        JsonText(text.into())
    }

    /// From a value in memory.
    pub fn from_value(value: &serde_json::Value) -> Self {
        JsonText(value.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, for a program that looks into it. Numbers beyond 2^53 may be rounded here.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A peer could send a frame whose text is no JSON; that must not end up inside a line.
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        JsonText::parse(raw.get()).map_err(serde::de::Error::custom)
    }
}

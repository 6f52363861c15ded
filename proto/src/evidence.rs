//! What shows why a record changed: kept with the change, for programs and for [`sentence`](crate::sentence).

use serde::{Deserialize, Serialize};

use crate::json::JsonText;

/// What is known about the cause of a change; what says nothing about it is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// The process that asked for it; or that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What that process was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// When it had begun, as the system counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<u64>,
    /// For how long nothing had been heard of it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    /// For how long that may be, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// The file in which another program did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The source of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The folder of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the source said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where the bytes of the damaged file are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// It was there already when changes were first recorded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first_seen: bool,
    /// It was found, not seen to happen: nobody recorded changes at that time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unrecorded: bool,
}

impl Evidence {
    /// As it is kept.
    pub fn to_json(&self) -> JsonText {
        // Strings and numbers under names: there is nothing in it that JSON cannot say.
        JsonText::from_canonical(serde_json::to_string(self).unwrap_or_default())
    }

    /// As it was kept; what is not understood says nothing.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

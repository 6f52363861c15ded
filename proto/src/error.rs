//! The one error that crosses a process boundary: a stable code, a sentence for people, a hint
//! that can be typed, and details for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::JsonText;

/// A result whose error can be sent to another process.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as programs see it. The names are fixed; codes are only ever added, at the end.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub enum Code {
    /// The call itself is malformed: a missing argument, a wrong type.
    #[serde(rename = "E_USAGE")]
    Usage,
    /// There is no such record.
    #[serde(rename = "E_NOT_FOUND")]
    NotFound,
    /// More than one record fits; the candidates are in the details.
    #[serde(rename = "E_AMBIGUOUS")]
    Ambiguous,
    /// The record belongs to somebody else, is protected, or is not the expected one.
    #[serde(rename = "E_CONFLICT")]
    Conflict,
    /// Somebody else holds the lock for longer than the wait.
    #[serde(rename = "E_LOCKED")]
    Locked,
    /// The file is not a registry.
    #[serde(rename = "E_CORRUPT")]
    Corrupt,
    /// The file's format is newer than this program.
    #[serde(rename = "E_UNSUPPORTED_VERSION")]
    UnsupportedVersion,
    /// No daemon, and falling back was forbidden.
    #[serde(rename = "E_UNREACHABLE")]
    Unreachable,
    /// The deadline passed; nothing was changed.
    #[serde(rename = "E_TIMEOUT")]
    Timeout,
    /// Over one of the [limits](crate::limits).
    #[serde(rename = "E_TOO_LARGE")]
    TooLarge,
    /// A value is not acceptable: an id, a port, a record.
    #[serde(rename = "E_INVALID")]
    Invalid,
    /// The file, folder or socket does not belong to this user, or may not be used.
    #[serde(rename = "E_PERMISSION")]
    Permission,
    /// The operating system reported an error; nothing was changed.
    #[serde(rename = "E_IO")]
    Io,
    /// The change may or may not have become durable: read again before going on.
    #[serde(rename = "E_OUTCOME_UNKNOWN")]
    OutcomeUnknown,
    /// The peer does not speak the protocol, or another version of it.
    #[serde(rename = "E_PROTOCOL")]
    Protocol,
    /// Too many connections, or the daemon is ending.
    #[serde(rename = "E_BUSY")]
    Busy,
}

impl Code {
    /// Every code, in the order of their declaration.
    pub const ALL: [Code; 16] = [
        Code::Usage,
        Code::NotFound,
        Code::Ambiguous,
        Code::Conflict,
        Code::Locked,
        Code::Corrupt,
        Code::UnsupportedVersion,
        Code::Unreachable,
        Code::Timeout,
        Code::TooLarge,
        Code::Invalid,
        Code::Permission,
        Code::Io,
        Code::OutcomeUnknown,
        Code::Protocol,
        Code::Busy,
    ];

    /// The stable name, `E_…`.
    pub fn name(self) -> &'static str {
        match self {
            Code::Usage => "E_USAGE",
            Code::NotFound => "E_NOT_FOUND",
            Code::Ambiguous => "E_AMBIGUOUS",
            Code::Conflict => "E_CONFLICT",
            Code::Locked => "E_LOCKED",
            Code::Corrupt => "E_CORRUPT",
            Code::UnsupportedVersion => "E_UNSUPPORTED_VERSION",
            Code::Unreachable => "E_UNREACHABLE",
            Code::Timeout => "E_TIMEOUT",
            Code::TooLarge => "E_TOO_LARGE",
            Code::Invalid => "E_INVALID",
            Code::Permission => "E_PERMISSION",
            Code::Io => "E_IO",
            Code::OutcomeUnknown => "E_OUTCOME_UNKNOWN",
            Code::Protocol => "E_PROTOCOL",
            Code::Busy => "E_BUSY",
        }
    }

    /// The exit code of `argus` for this error.
    pub fn exit_code(self) -> u8 {
        match self {
            Code::Io | Code::Protocol => 1,
            Code::Usage | Code::Ambiguous | Code::Invalid | Code::TooLarge => 2,
            Code::OutcomeUnknown => 3,
            Code::NotFound => 4,
            Code::Conflict => 5,
            Code::Locked | Code::Busy => 6,
            Code::Corrupt | Code::UnsupportedVersion => 7,
            Code::Permission => 8,
            Code::Unreachable => 9,
            Code::Timeout => 10,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error as it is sent, printed and logged.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
    thiserror::Error,
)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, for programs.
    pub code: Code,
    /// What happened, to which path or id: one sentence without a full stop.
    pub message: String,
    /// What to do about it; a command that can be typed, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// A JSON object with the facts behind the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<JsonText>,
}

impl Error {
    /// An error without hint and details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error { code, message: message.into(), hint: None, details: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the facts, as a JSON object.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(JsonText::from_value(&details));
        self
    }

    /// `E_NOT_FOUND` for one id of a collection.
    pub fn not_found(collection: &str, id: &str) -> Self {
        Error::new(Code::NotFound, format!("no record `{id}` in {collection}"))
            .hint("argus ls")
            .details(serde_json::json!({ "id": id, "collection": collection }))
    }
}

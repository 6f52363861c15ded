//! `history`: what became of the records of a collection, and why.

use serde::{Deserialize, Serialize};

use crate::engine::Reason;
use crate::event::EventKind;
use crate::json::JsonText;

/// How many changes are answered where no limit is given.
pub const CHANGES_DEFAULT: u64 = 100;
/// The most that are answered at once: they have to fit into an answer.
pub const CHANGES_MAX: u64 = 400;

/// Asks for changes, the last ones first.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(default)]
pub struct History {
    /// Of which record; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Only those after this: a cursor, or an age like `2h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// At most so many of them: the last ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The changes that were asked for.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Changes {
    /// In the order in which they happened.
    pub changes: Vec<Recorded>,
    /// There are more before these: the limit left them out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Why the last of them may be missing: the database cannot be written at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// A change as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Recorded {
    /// Where the collection stood after it.
    pub cursor: String,
    /// When it was made: milliseconds since the epoch.
    pub at: u64,
    /// In which collection.
    pub collection: String,
    /// Of which record.
    pub id: String,
    /// What became of it: added, updated or removed.
    pub kind: EventKind,
    /// Why.
    pub reason: Reason,
    /// What it was; `None` for a new one. Of a secret collection every value is a hash.
    pub before: Option<JsonText>,
    /// What it is; `None` for one that is gone.
    pub after: Option<JsonText>,
    /// What shows that this is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<JsonText>,
}

//! What subscribers are told.

use serde::{Deserialize, Serialize};

use crate::engine::{Change, Reason};
use crate::json::JsonText;
use crate::method::Listed;

/// One thing that happened to a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Event {
    /// Whose it is, as [`Subscribed`](crate::method::Subscribed) told.
    pub subscription: u64,
    /// Where the collection stands after it: whoever comes back with this misses nothing. Empty
    /// where the file is followed without a daemon.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cursor: String,
    /// The number of the change: one higher than the last.
    pub revision: u64,
    /// What happened.
    pub kind: EventKind,
    /// Where.
    pub collection: String,
    /// To which record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is now; what it was last, where it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<JsonText>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How many changes it stands for, if more than one: the subscriber was slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coalesced: Option<u64>,
    /// All there is, after a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<Listed>>,
}

impl Event {
    /// One that says no more than where the collection stands.
    pub fn new(kind: EventKind, collection: &str, cursor: String, revision: u64) -> Self {
        Event {
            subscription: 0,
            cursor,
            revision,
            kind,
            collection: collection.to_owned(),
            id: None,
            record: None,
            reason: None,
            coalesced: None,
            records: None,
        }
    }
}

/// What an event tells of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A record is there that was not.
    Added,
    /// A record has another content.
    Updated,
    /// A record is gone.
    Removed,
    /// A record is as it was, at a later time. Only for who has asked for it.
    Heartbeat,
    /// Nothing happened, and the cursor has moved on all the same.
    Bookmark,
    /// More happened than is kept; the event has all records.
    Resync,
    /// The subscription has ended. Its cursor resumes it.
    Closed,
}

impl EventKind {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Added => "added",
            EventKind::Updated => "updated",
            EventKind::Removed => "removed",
            EventKind::Heartbeat => "heartbeat",
            EventKind::Bookmark => "bookmark",
            EventKind::Resync => "resync",
            EventKind::Closed => "closed",
        }
    }

    /// What became of a record by a change, or by several.
    pub fn of(change: &Change) -> Self {
        match (&change.before, &change.after) {
            (_, None) => EventKind::Removed,
            (None, Some(_)) => EventKind::Added,
            (Some(_), Some(_)) => EventKind::Updated,
        }
    }
}

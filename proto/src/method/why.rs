//! `why`: why a record is there, stale or gone, in one sentence.

use serde::{Deserialize, Serialize};

use crate::method::Recorded;

/// Asks why a record is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Why {
    /// Which record.
    pub id: String,
}

/// Why it is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Explanation {
    /// For people.
    pub sentence: String,
    /// The last change of the record, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Box<Recorded>>,
    /// Why that may not be the last one: the database cannot be written at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

//! `get`: one record, or what stands beside the records.

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::engine::Context;
use crate::error::{Error, Result};
use crate::json::JsonText;
use crate::presence::{State, state};

/// Asks for one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Get {
    /// Which record.
    pub id: String,
}

/// The record that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Found {
    /// As it is.
    pub record: JsonText,
    /// Whether its process is there; absent where no process stands behind the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The hash of its content.
    pub etag: String,
}

/// Asks for the document: the top-level keys beside the records. In JSON, `get` with
/// `document: true` in the place of an id.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct GetDocument {}

/// What stands beside the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct FoundDocument {
    /// An object of the top-level keys, without the records.
    pub document: JsonText,
    /// The hash of its content, without the time of the last change.
    pub etag: String,
}

impl GetDocument {
    /// Looks it up.
    pub fn answer(&self, document: &Document) -> FoundDocument {
        FoundDocument {
            document: JsonText::from_canonical(document.beside_records().to_text()),
            etag: document.etag_beside_records().into(),
        }
    }
}

impl Get {
    /// Looks it up.
    pub fn answer(&self, document: &Document, context: Context<'_>) -> Result<Found> {
        let Some(record) = document.records.get(&self.id) else {
            crate::id::check(&self.id)?;
            return Err(Error::not_found(&context.collection.name, &self.id));
        };
        Ok(Found {
            record: record.json(),
            state: state(record, context.collection.ttl, context.now, context.machine),
            etag: record.etag().to_owned(),
        })
    }
}

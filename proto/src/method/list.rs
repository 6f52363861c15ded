//! `list`: the records of a collection.

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::engine::Context;
use crate::error::Code;
use crate::json::JsonText;
use crate::presence::{State, state};
use crate::record::Record;

/// Asks for records.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// Only those that work in this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Only those whose folder contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_cwd: Option<String>,
}

/// The records that were asked for, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Listing {
    /// The records.
    pub records: Vec<Listed>,
    /// Where the collection stands; only a daemon can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What is wrong with the file.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// One record of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// As it is; a damaged one may be any JSON value.
    pub record: JsonText,
    /// Whether its process is there; absent where no process stands behind the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The hash of its content.
    pub etag: String,
}

/// Something that is wrong, and not the reason to refuse the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Warning {
    /// What is wrong, for programs.
    pub code: Code,
    /// What is wrong, and where.
    pub message: String,
}

impl Listed {
    /// A record as it is listed.
    pub fn new(id: &str, record: &Record, context: Context<'_>) -> Self {
        Listed {
            id: id.to_owned(),
            record: record.json(),
            state: state(record, context.collection.ttl, context.now, context.machine),
            etag: record.etag().to_owned(),
        }
    }
}

impl List {
    /// Whether a record is among those that are asked for.
    pub fn includes(&self, record: &Record) -> bool {
        has_cwd(record, self.cwd.as_deref()) && in_cwd(record, self.by_cwd.as_deref())
    }

    /// Looks them up. The cursor and the warnings are for the caller to add.
    pub fn answer(&self, document: &Document, context: Context<'_>) -> Listing {
        let records = document
            .records
            .iter()
            .filter(|(_, record)| self.includes(record))
            .map(|(id, record)| Listed::new(id, record, context))
            .collect();
        Listing { records, cursor: None, warnings: Vec::new() }
    }
}

/// Whether the record works in exactly this folder.
pub(crate) fn has_cwd(record: &Record, cwd: Option<&str>) -> bool {
    cwd.is_none_or(|wanted| record_cwd(record) == Some(wanted))
}

/// Whether the path of the record's folder contains this text.
pub(crate) fn in_cwd(record: &Record, text: Option<&str>) -> bool {
    text.is_none_or(|wanted| record_cwd(record).is_some_and(|cwd| cwd.contains(wanted)))
}

fn record_cwd(record: &Record) -> Option<&str> {
    record.watcher().and_then(|watcher| watcher.cwd.as_deref())
}

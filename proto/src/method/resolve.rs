//! `resolve`: which watcher is meant.
//!
//! By id; else the only one with this folder; else, if none has it, the only one that answers.
//! Whether one answers is found out by the caller, between [`Resolve::start`] and [`finish`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::engine::Context;
use crate::error::{Code, Error, Result};
use crate::json::JsonText;
use crate::presence::{State, state};
use crate::record::Record;

/// Asks which watcher is meant.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Resolve {
    /// The one with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The one that works in this folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// The watcher that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Resolved {
    /// Its record.
    pub record: JsonText,
    /// Why this one.
    pub by: ResolvedBy,
}

/// Why a watcher was chosen.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum ResolvedBy {
    /// It has the id.
    Id,
    /// It is the only one that works in the folder.
    Cwd,
    /// It is the only one that answers.
    Reachable,
}

/// How far the document alone leads.
#[derive(Debug)]
pub enum Resolution {
    /// To the one that is meant.
    Done(Resolved),
    /// To those that have to be asked whether they answer; at least one.
    Probe(Vec<Arc<Record>>),
}

impl Resolve {
    /// Goes as far as the document leads.
    pub fn start(&self, document: &Document, context: Context<'_>) -> Result<Resolution> {
        let collection = &context.collection.name;
        if context.collection.ttl.is_none() {
            let message = format!("no process stands behind a record of {collection}");
            return Err(Error::new(Code::Usage, message).hint("argus get ID"));
        }
        if let Some(id) = &self.id {
            let Some(record) = document.records.get(id) else {
                crate::id::check(id)?;
                return Err(Error::not_found(collection, id));
            };
            return Ok(Resolution::Done(resolved(record, ResolvedBy::Id)));
        }
        // A dead watcher answers nobody, and a damaged record does not tell where to ask.
        let there: Vec<Arc<Record>> = document
            .records
            .iter()
            .filter(|(_, record)| {
                let state = state(record, context.collection.ttl, context.now, context.machine);
                record.watcher().is_some() && state != Some(State::Dead)
            })
            .map(|(_, record)| record.clone())
            .collect();
        if let Some(cwd) = &self.cwd {
            let here: Vec<_> = there
                .iter()
                .filter(|record| crate::method::list::has_cwd(record, Some(cwd)))
                .cloned()
                .collect();
            match here.as_slice() {
                [] => {}
                [one] => return Ok(Resolution::Done(resolved(one, ResolvedBy::Cwd))),
                several => {
                    return Err(ambiguous(
                        &format!("{} watchers work in {cwd}", here.len()),
                        several,
                    ));
                }
            }
        }
        if there.is_empty() {
            return Err(Error::new(Code::NotFound, format!("no watcher is there in {collection}"))
                .hint("argus announce --id ID --port PORT"));
        }
        Ok(Resolution::Probe(there))
    }
}

/// Chooses among those that answered, out of `probed`.
pub fn finish(probed: usize, reachable: &[Arc<Record>]) -> Result<Resolved> {
    match reachable {
        [] => Err(Error::new(
            Code::NotFound,
            format!("none of {probed} watchers answers at its port"),
        )
        .hint("argus ls")),
        [one] => Ok(resolved(one, ResolvedBy::Reachable)),
        several => Err(ambiguous(&format!("{} watchers answer", several.len()), several)),
    }
}

fn resolved(record: &Record, by: ResolvedBy) -> Resolved {
    Resolved { record: record.json(), by }
}

fn ambiguous(what: &str, candidates: &[Arc<Record>]) -> Error {
    let candidates: Vec<serde_json::Value> = candidates
        .iter()
        .map(|record| {
            let mut value = record.json().to_value();
            if let Some(object) = value.as_object_mut() {
                object
                    .retain(|key, _| ["id", "host", "port", "pid", "cwd"].contains(&key.as_str()));
            }
            value
        })
        .collect();
    let ids: Vec<&str> =
        candidates.iter().filter_map(|candidate| candidate["id"].as_str()).take(10).collect();
    Error::new(Code::Ambiguous, format!("{what}: {}", ids.join(", ")))
        .hint("name one: argus resolve ID")
        .details(serde_json::json!({ "candidates": candidates }))
}

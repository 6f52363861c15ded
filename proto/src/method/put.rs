//! `put`: a record becomes what is given.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{Reason, Step};
use crate::error::{Code, Error, Result};
use crate::id;
use crate::json::{JsonText, Object, string};
use crate::precondition::Precondition;
use crate::process::{Process, believed};
use crate::record::{Damage, PROCESS, Record, STARTED_AT, UPDATED_AT, check_size};

/// Replaces a record, or adds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Put {
    /// Which record.
    pub id: String,
    /// What it shall be: an object. The key that repeats the id may be left out, and so may the
    /// times where processes stand behind the records.
    pub value: JsonText,
    /// Only if its content is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Only if there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_absent: bool,
    /// Answer only when the JSON file shows the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
}

impl Put {
    /// Sets a record whatever it was before.
    pub fn new(id: &str, value: JsonText) -> Self {
        Put { id: id.to_owned(), value, if_match: None, if_absent: false, flush: false }
    }
}

/// What became of a `put` or a `patch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Written {
    /// The hash of its content.
    pub etag: String,
    /// Whether there was no such record before.
    pub created: bool,
}

impl Put {
    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Written> {
        let precondition = Precondition::of(self.if_match.as_deref(), self.if_absent)?;
        let existing = found(step, &self.id, &self.value, precondition)?;
        if existing.is_some() {
            step.context.collection.check_not_protected(&self.id)?;
        }
        let object = object(&self.value)?;
        write(step, &self.id, object, existing.as_deref(), Reason::Put)
    }
}

/// The record that is to become another, if it is there and what its caller expects.
pub(crate) fn found(
    step: &Step<'_>,
    id: &str,
    given: &JsonText,
    precondition: Precondition<'_>,
) -> Result<Option<Arc<Record>>> {
    id::check(id)?;
    // Before anything is done with it that costs more the larger it is.
    check_size("the record", given.as_str())?;
    let existing = step.document.records.get(id).cloned();
    precondition.check(id, existing.as_deref().map(Record::etag))?;
    Ok(existing)
}

/// What is given, which has to be an object.
pub(crate) fn object(text: &JsonText) -> Result<Object> {
    Object::parse(text.as_str())
        .map_err(|_| Damage { path: "".into(), problem: "is not a JSON object".into() }.into())
}

/// Puts a record in its place, completed with what its collection wants of every record.
pub(crate) fn write(
    step: &mut Step<'_>,
    id: &str,
    mut object: Object,
    existing: Option<&Record>,
    reason: Reason,
) -> Result<Written> {
    let collection = step.context.collection;
    if let Some(key) = &collection.name_key {
        match object.get(key) {
            None => object.set_string(key, id),
            Some(text) if text == string(id) => {}
            Some(_) => {
                let problem = format!("must repeat the record's id, `{id}`");
                return Err(Damage { path: key.as_str().into(), problem: problem.into() }.into());
            }
        }
    }
    if collection.ttl.is_some() {
        let now = step.context.now.to_string();
        let started = existing.and_then(Record::watcher).map(|watcher| watcher.started_at);
        if object.get(STARTED_AT).is_none() {
            object.set(STARTED_AT, started.map_or_else(|| now.clone(), |time| time.to_string()));
        }
        object.set(UPDATED_AT, now);
        identify(step, &mut object)?;
    }
    let record = Record::create(id, &object, collection)?;
    let written = Written { etag: record.etag().to_owned(), created: existing.is_none() };
    step.insert(id, record, reason)?;
    Ok(written)
}

/// Notes who the process is that the record names. What tells that already stays as it is.
fn identify(step: &Step<'_>, object: &mut Object) -> Result<()> {
    let pid: Option<u32> = object.get("pid").and_then(|text| text.parse().ok());
    let told: Option<Process> =
        object.get(PROCESS).and_then(|text| serde_json::from_str(text).ok());
    let seen = pid.and_then(|pid| step.context.machine.identify(pid));
    if let Some(process) = believed(told.clone(), seen)
        && !told.is_some_and(|told| told.is(&process))
    {
        let text = serde_json::to_string(&process)
            .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
        object.set(PROCESS, text);
    }
    Ok(())
}

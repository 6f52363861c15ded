//! `patch`: some keys of a record, or of what stands beside the records, become others.

use serde::{Deserialize, Serialize};

use super::put::{Written, found, object, write};
use crate::collection::Collection;
use crate::engine::{Reason, Step};
use crate::error::{Code, Error, Result};
use crate::json::{JsonText, Object};
use crate::precondition::{Precondition, check_document};
use crate::record::check_size;
use crate::shell::quoted;

/// Changes a record by a merge patch (RFC 7396).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Patch {
    /// Which record.
    pub id: String,
    /// An object of what is to be another; `null` for a key that is to go.
    pub patch: JsonText,
    /// Only if its content is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Only if there is none: then the patch is the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_absent: bool,
    /// Answer only when the JSON file shows the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
}

impl Patch {
    /// Changes a record whatever it was before.
    pub fn new(id: &str, patch: JsonText) -> Self {
        Patch { id: id.to_owned(), patch, if_match: None, if_absent: false, flush: false }
    }

    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Written> {
        let precondition = Precondition::of(self.if_match.as_deref(), self.if_absent)?;
        let existing = found(step, &self.id, &self.patch, precondition)?;
        let patch = object(&self.patch)?;
        let mut record = match &existing {
            Some(record) => Object::parse(record.text()).map_err(|_| {
                let message = format!("`{}` is damaged: there is no object to patch", self.id);
                Error::new(Code::Conflict, message)
                    .hint(format!("argus put {} JSON", quoted(&self.id)))
            })?,
            None if self.if_absent => Object::default(),
            None => {
                let name = &step.context.collection.name;
                return Err(Error::not_found(name, &self.id)
                    .hint(format!("argus put {} JSON", quoted(&self.id))));
            }
        };
        record
            .merge_patch(&patch)
            .map_err(|error| Error::new(Code::Invalid, format!("the patch is {error}")))?;
        write(step, &self.id, record, existing.as_deref(), Reason::Patched)
    }
}

/// Changes the document, the top-level keys beside the records, by a merge patch (RFC 7396). In
/// JSON, `patch` with `document: true` in the place of an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct PatchDocument {
    /// An object of what is to be another; `null` for a key that is to go.
    pub patch: JsonText,
    /// Only if its content is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Answer only when the JSON file shows the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
}

impl PatchDocument {
    /// Changes the document whatever it was before.
    pub fn new(patch: JsonText) -> Self {
        PatchDocument { patch, if_match: None, flush: false }
    }

    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Written> {
        // Before anything is done with it that costs more the larger it is.
        check_size("the patch", self.patch.as_str())?;
        let collection = step.context.collection;
        let etag = step.document.etag_beside_records();
        check_document(self.if_match.as_deref(), &etag, collection)?;
        let patch = Object::parse(self.patch.as_str())
            .map_err(|error| Error::new(Code::Invalid, format!("the patch is {error}")))?;
        for (key, _) in patch.iter() {
            check_free(&key, collection)?;
        }
        step.patch_beside_records(&patch)?;
        check_size("the document", &step.document.beside_records().to_text())?;
        Ok(Written { etag: step.document.etag_beside_records().into(), created: false })
    }
}

/// Refuses a key that is not its caller's to set.
fn check_free(key: &str, collection: &Collection) -> Result<()> {
    let name = &collection.name;
    let (problem, hint) = if key == collection.records_key {
        ("holds the records", "argus patch ID JSON".to_owned())
    } else if key == "version" || collection.updated_at_key.as_deref() == Some(key) {
        ("is kept by argus itself", format!("leave `{key}` out"))
    } else {
        return Ok(());
    };
    Err(Error::new(Code::Invalid, format!("`{key}` of {name} cannot be patched: it {problem}"))
        .hint(hint)
        .details(serde_json::json!({ "path": key, "problem": problem })))
}

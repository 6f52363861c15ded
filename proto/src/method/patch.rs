//! `patch`: some keys of a record become others.

use serde::{Deserialize, Serialize};

use super::put::{Written, found, object, write};
use crate::engine::{Reason, Step};
use crate::error::{Code, Error, Result};
use crate::json::{JsonText, Object};
use crate::precondition::Precondition;

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
                Error::new(Code::Conflict, message).hint(format!("argus put {} JSON", self.id))
            })?,
            None if self.if_absent => Object::default(),
            None => {
                let name = &step.context.collection.name;
                return Err(
                    Error::not_found(name, &self.id).hint(format!("argus put {} JSON", self.id))
                );
            }
        };
        record
            .merge_patch(&patch)
            .map_err(|error| Error::new(Code::Invalid, format!("the patch is {error}")))?;
        write(step, &self.id, record, existing.as_deref(), Reason::Patched)
    }
}

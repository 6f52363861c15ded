//! `remove`: a record goes.

use serde::{Deserialize, Serialize};

use crate::engine::{Reason, Step, belongs_to, belongs_to_another};
use crate::error::{Code, Error, Result};
use crate::precondition::Precondition;
use crate::shell::quoted;

/// Removes a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// Which record.
    pub id: String,
    /// Only if it belongs to this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Only if its content is this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// Answer only when the JSON file shows the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
}

/// What became of a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Removed {
    /// Whether there was such a record.
    pub removed: bool,
}

impl Remove {
    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Removed> {
        let Some(record) = step.document.records.get(&self.id).cloned() else {
            crate::id::check(&self.id)?;
            return Ok(Removed { removed: false });
        };
        step.context.collection.check_not_protected(&self.id)?;
        step.context.collection.check_not_default(&self.id)?;
        match (self.pid, record.watcher()) {
            (Some(pid), Some(watcher)) => {
                let process = step.context.machine.identify(pid);
                if !belongs_to(watcher, pid, process.as_ref()) {
                    return Err(belongs_to_another(&self.id, watcher));
                }
            }
            (Some(pid), None) => {
                let id = &self.id;
                return Err(Error::new(
                    Code::Conflict,
                    format!("`{id}` does not tell whose it is, so not that it is process {pid}'s"),
                )
                .hint(format!("argus rm {}", quoted(id))));
            }
            (None, _) => {}
        }
        Precondition::of(self.if_match.as_deref(), false)?.check(&self.id, Some(record.etag()))?;
        Ok(Removed { removed: step.remove(&self.id, Reason::Removed) })
    }
}

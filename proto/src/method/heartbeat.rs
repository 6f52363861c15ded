//! `heartbeat`: a process says that it is still there.

use serde::{Deserialize, Serialize};

use crate::engine::{Reason, Step, belongs_to, belongs_to_another};
use crate::error::{Code, Error, Result};

/// Makes a record fresh. It never creates one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Heartbeat {
    /// Which record.
    pub id: String,
    /// Only if it belongs to this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The record is fresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Refreshed {
    /// Which record.
    pub id: String,
    /// Its new time, in milliseconds since the epoch.
    pub updated_at: u64,
}

impl Heartbeat {
    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Refreshed> {
        let context = step.context;
        let Some(record) = step.document.records.get(&self.id).cloned() else {
            crate::id::check(&self.id)?;
            return Err(Error::not_found(&context.collection.name, &self.id)
                .hint("announce it again: argus announce --id ID"));
        };
        let Some(watcher) = record.watcher() else {
            return Err(Error::new(
                Code::Invalid,
                format!("`{}` has no time that a heartbeat could renew", self.id),
            ));
        };
        if let Some(pid) = self.pid {
            let process = context.machine.identify(pid);
            if !belongs_to(watcher, pid, process.as_ref()) {
                return Err(belongs_to_another(&self.id, watcher));
            }
        }
        // Never back: somebody's clock was ahead, or ours was set.
        let updated_at = context.now.max(watcher.updated_at);
        step.insert(&self.id, record.refreshed(updated_at), Reason::Announced)?;
        Ok(Refreshed { id: self.id.clone(), updated_at })
    }
}

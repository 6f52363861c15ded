//! `prune`: what is dead or too old goes.

use serde::{Deserialize, Serialize};

use crate::engine::{Reason, Step};
use crate::error::{Code, Error, Result};
use crate::method::list::in_cwd;
use crate::presence::{State, state};

/// Removes records that are dead or have not been heard of for longer than the TTL.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase")]
pub struct Prune {
    /// How old a record may be, in milliseconds; without it, the collection's TTL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Only those whose folder contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_cwd: Option<String>,
    /// Only tell what would go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What became of a prune, among the records that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// The records that stay.
    pub kept_ids: Vec<String>,
    /// The records that went, or would go.
    pub removed_ids: Vec<String>,
    /// Whether nothing was really removed.
    pub dry_run: bool,
}

impl Prune {
    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Pruned> {
        let context = step.context;
        let Some(own_ttl) = context.collection.ttl else {
            return Err(Error::new(
                Code::Usage,
                format!("the records of {} do not grow old", context.collection.name),
            ));
        };
        let ttl = self.ttl_ms.map_or(own_ttl, std::time::Duration::from_millis);
        let mut pruned =
            Pruned { kept_ids: Vec::new(), removed_ids: Vec::new(), dry_run: self.dry_run };
        for (id, record) in step.document.records.iter() {
            if !in_cwd(record, self.by_cwd.as_deref()) {
                continue;
            }
            let goes = matches!(
                state(record, Some(ttl), context.now, context.machine),
                Some(State::Dead | State::Stale)
            );
            let ids = if goes { &mut pruned.removed_ids } else { &mut pruned.kept_ids };
            ids.push(id.to_string());
        }
        if !self.dry_run {
            for id in &pruned.removed_ids {
                step.remove(id, Reason::Pruned);
            }
        }
        Ok(pruned)
    }
}

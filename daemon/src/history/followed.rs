//! What the database follows: the registries of this daemon, as readers are shown them.
//!
//! It is asked on the database's thread. No registry waits for it, and none knows of it.

use std::sync::Arc;

use argus_database::{Contents, Entry, Following, Gap, Registry as Followable, State, Version};
use argus_proto::Record;
use argus_proto::collection::TASKS;
use argus_proto::cursor::Cursor;
use argus_proto::engine::Reason;
use argus_proto::evidence::Evidence;

use crate::registries::Registries;
use crate::registry::Registry;
use crate::snapshot::{Kept, Snapshot};
use crate::sources::Sources;

/// Permissions of which none may be there for a collection to be a secret.
const OTHERS: u32 = 0o077;

/// The registries, and the folders that the tasks of one of them stand for.
pub(super) struct Followed {
    pub(super) registries: Arc<Registries>,
    pub(super) sources: Arc<Sources>,
}

impl Followed {
    /// A collection whose state can be relied on: what is only shown in the place of a damaged file says
    /// nothing about what became of the records.
    fn reliable(&self, name: &str) -> Option<(Registry, Arc<Snapshot>)> {
        let registry = self.registries.opened(name)?;
        let snapshot = registry.snapshot();
        snapshot.problem.is_none().then_some((registry, snapshot))
    }
}

impl Followable for Followed {
    fn collections(&self) -> Vec<String> {
        self.registries.open().iter().map(|registry| registry.name.to_string()).collect()
    }

    fn changes(&self, collection: &str, after: Option<&Cursor>) -> Option<Following> {
        let (registry, snapshot) = self.reliable(collection)?;
        let place = |revision| Cursor { epoch: registry.epoch.to_string(), revision };
        let known = after.filter(|after| after.epoch == *registry.epoch);
        let from = known.map_or(snapshot.kept_from(), |after| after.revision);
        let is_complete = known.is_some() && from >= snapshot.kept_from();
        let entry = |kept: &Kept| Entry {
            cursor: place(kept.revision),
            at: kept.at,
            id: kept.change.id.clone(),
            reason: kept.change.reason,
            before: kept.change.before.as_deref().map(version),
            after: kept.change.after.as_deref().map(version),
            evidence: kept.change.evidence.as_ref().map(|evidence| text(evidence)),
        };
        Some(Following {
            is_secret: is_secret(&snapshot),
            cursor: place(snapshot.revision),
            entries: snapshot.changes_after(from.max(snapshot.kept_from())).map(entry).collect(),
            is_complete,
            gap: gap(&snapshot),
        })
    }

    fn state(&self, collection: &str) -> Option<State> {
        let (registry, snapshot) = self.reliable(collection)?;
        let records = snapshot.document.records.iter();
        Some(State {
            cursor: Cursor { epoch: registry.epoch.to_string(), revision: snapshot.revision },
            is_secret: is_secret(&snapshot),
            records: records.map(|(id, record)| (id.clone(), version(record))).collect(),
        })
    }

    fn contents(&self, id: &str, record: &str) -> Option<Contents> {
        self.sources.contents(id, record)
    }
}

fn is_secret(snapshot: &Snapshot) -> bool {
    snapshot.collection.mode.is_some_and(|mode| mode & OTHERS == 0)
}

fn version(record: &Record) -> Version {
    Version { etag: record.etag().into(), text: record.text().into() }
}

fn text(evidence: &Evidence) -> Arc<str> {
    evidence.to_json().as_str().into()
}

/// Who has changed what was changed while nobody recorded it.
fn gap(snapshot: &Snapshot) -> Gap {
    let (reason, evidence) = match &snapshot.recovered {
        Some(recovered) => (Reason::Recovered, Evidence::clone(recovered)),
        // Nobody else writes these.
        None if snapshot.collection.name == TASKS.name => (Reason::Source, Evidence::default()),
        None => {
            let file = Some(snapshot.path.to_string());
            (Reason::External, Evidence { file, ..Evidence::default() })
        }
    };
    Gap { reason, evidence: Some(text(&Evidence { unrecorded: true, ..evidence })) }
}

//! What one transaction writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use argus_proto::cursor::Cursor;

use crate::registry::{Entry, Gap, Version};

/// What one transaction writes: first what comparing shows, then what happened after it.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) compares: Vec<Compare>,
    pub(crate) entries: Vec<Named>,
    /// Up to where each collection that it is about is written then.
    pub(crate) places: BTreeMap<Arc<str>, Cursor>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.compares.is_empty() && self.entries.is_empty() && self.places.is_empty()
    }
}

/// A change, and of which collection.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) collection: Arc<str>,
    pub(crate) is_secret: bool,
    pub(crate) entry: Entry,
}

/// A state that what is known last is compared with.
#[derive(Debug)]
pub(crate) struct Compare {
    pub(crate) collection: Arc<str>,
    pub(crate) is_secret: bool,
    pub(crate) gap: Gap,
    /// When it is that what differs was there at the latest, if that is known.
    pub(crate) at_most: Option<u64>,
    pub(crate) cursor: Cursor,
    pub(crate) records: HashMap<Arc<str>, Version>,
}

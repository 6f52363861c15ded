//! What has happened and is not written yet, by collection.
//!
//! 1. It follows the registry also while the disk fails, so that what the registry forgets meanwhile is not
//!    lost.
//! 2. Bounded: beyond [`QUEUE_CHANGES_MAX`] or [`QUEUE_BYTES_MAX`] the oldest are dropped and counted.
//! 3. Whether something is missing shows in the revisions alone, which are one higher each: what does not
//!    follow what is in the file is preceded by a comparison with the state. So whatever was lost,
//!    wherever, the file catches up.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use argus_proto::cursor::Cursor;
use argus_proto::engine::Reason;

use crate::batch::{Batch, Compare, Named};
use crate::registry::{Entry, Following, Gap, Registry, Version};

/// The most changes that wait.
pub const QUEUE_CHANGES_MAX: usize = 100_000;
/// The most bytes of records that wait.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The most changes of one transaction.
const BATCH_CHANGES_MAX: usize = 2_000;
/// The most bytes of records of one transaction.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a state is asked for until it fits to the changes that are known.
const STATES_MAX: usize = 3;

/// What is said of changes that were dropped.
const DROPPED: &str = r#"{"unseen":"the database could not be written for too long"}"#;

/// The changes that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    followed: BTreeMap<Arc<str>, Followed>,
    count: usize,
    bytes: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Followed {
    is_secret: bool,
    /// Up to where the registry was asked.
    place: Option<Cursor>,
    /// Up to where it is in the file.
    written: Option<Cursor>,
    gap: Gap,
    /// Some were dropped since the last comparison.
    is_dropped: bool,
    entries: VecDeque<Entry>,
}

impl Default for Followed {
    fn default() -> Self {
        Followed {
            is_secret: true,
            place: None,
            written: None,
            gap: Gap { reason: Reason::External, evidence: None },
            is_dropped: false,
            entries: VecDeque::new(),
        }
    }
}

/// Whether the one comes right after the other.
fn follows(entry: &Cursor, place: Option<&Cursor>) -> bool {
    place.is_some_and(|place| {
        place.epoch == entry.epoch && entry.revision == place.revision.saturating_add(1)
    })
}

/// Whether a place is known to be at or after an entry's.
fn includes(place: Option<&Cursor>, entry: &Cursor) -> bool {
    place.is_some_and(|place| place.epoch == entry.epoch && entry.revision <= place.revision)
}

impl Queue {
    /// How many changes wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// How many were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// When the oldest was made.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.followed.values().filter_map(|followed| Some(followed.entries.front()?.at)).min()
    }

    /// Takes over what has happened since it was last asked.
    pub(crate) fn pull(&mut self, registry: &impl Registry) {
        for collection in registry.collections() {
            let collection: Arc<str> = collection.into();
            self.pull_one(registry, &collection);
        }
        self.shrink();
    }

    fn pull_one(&mut self, registry: &impl Registry, collection: &Arc<str>) {
        let followed = self.followed.entry(collection.clone()).or_default();
        let after = followed.place.as_ref().or(followed.written.as_ref());
        let Some(following) = registry.changes(collection, after) else { return };
        let Following { is_secret, cursor, entries, is_complete, gap } = following;
        if !is_complete || after.is_none() {
            followed.gap = gap;
        }
        followed.is_secret = is_secret;
        for entry in entries {
            if !includes(followed.place.as_ref(), &entry.cursor) {
                self.count += 1;
                self.bytes += entry.bytes();
                followed.entries.push_back(entry);
            }
        }
        followed.place = Some(cursor);
    }

    fn shrink(&mut self) {
        while self.count > QUEUE_CHANGES_MAX || self.bytes > QUEUE_BYTES_MAX {
            let oldest = self
                .followed
                .values_mut()
                .filter(|followed| !followed.entries.is_empty())
                .min_by_key(|followed| followed.entries.front().map(|entry| entry.at));
            let Some(followed) = oldest else { return };
            if let Some(entry) = followed.entries.pop_front() {
                followed.is_dropped = true;
                self.count -= 1;
                self.bytes -= entry.bytes();
                self.dropped += 1;
            }
        }
    }

    /// Takes over up to where a file that was just opened is written, and what the registry still has
    /// between there and what waits.
    pub(crate) fn resume(&mut self, registry: &impl Registry, written: &HashMap<String, Cursor>) {
        // Also those that are not open yet: what became of them unseen is compared when they are.
        for collection in registry.collections().into_iter().chain(written.keys().cloned()) {
            self.followed.entry(collection.into()).or_default();
        }
        let collections: Vec<_> = self.followed.keys().cloned().collect();
        for collection in collections {
            let place = written.get(&*collection).cloned();
            self.resume_one(registry, &collection, place);
        }
        self.shrink();
    }

    fn resume_one(
        &mut self,
        registry: &impl Registry,
        collection: &Arc<str>,
        written: Option<Cursor>,
    ) {
        let Some(followed) = self.followed.get_mut(collection) else { return };
        if followed.place.is_none() || followed.written == written {
            followed.written = written;
            return self.pull_one(registry, collection);
        }
        followed.written = written;
        // It is another file, or an older one: what it misses may be older than what waits.
        let Some(following) = registry.changes(collection, followed.written.as_ref()) else {
            return;
        };
        let first = followed.entries.front().map(|entry| entry.cursor.clone()).or_else(|| {
            let place = followed.place.clone()?;
            Some(Cursor { revision: place.revision.saturating_add(1), ..place })
        });
        let is_before = |entry: &Entry| {
            first.as_ref().is_some_and(|first| {
                first.epoch == entry.cursor.epoch && entry.cursor.revision < first.revision
            })
        };
        let before: Vec<Entry> = following.entries.into_iter().filter(is_before).collect();
        for entry in before.into_iter().rev() {
            self.count += 1;
            self.bytes += entry.bytes();
            followed.entries.push_front(entry);
        }
        if !following.is_complete {
            followed.gap = following.gap;
        }
        self.pull_one(registry, collection);
    }

    /// What is to be written next, in the order in which it happened; at most so much as one transaction
    /// takes.
    pub(crate) fn batch(&mut self, registry: &impl Registry) -> Batch {
        let mut batch = Batch::default();
        let collections: Vec<_> = self.followed.keys().cloned().collect();
        let mut places: BTreeMap<Arc<str>, Cursor> = BTreeMap::new();
        for collection in collections {
            self.forget_written(&collection);
            if self.needs_comparison(&collection) {
                batch.compares.extend(self.compare(registry, &collection, &mut places));
            } else if let Some(written) = &self.followed[&collection].written {
                places.insert(collection, written.clone());
            }
        }
        let mut bytes = 0;
        while batch.entries.len() < BATCH_CHANGES_MAX && bytes < BATCH_BYTES_MAX {
            let Some((collection, followed)) = self
                .followed
                .iter_mut()
                .filter(|(name, followed)| {
                    let front = followed.entries.front();
                    front.is_some_and(|entry| follows(&entry.cursor, places.get(*name)))
                })
                .min_by_key(|(_, followed)| followed.entries.front().map(|entry| entry.at))
            else {
                break;
            };
            let Some(entry) = followed.entries.pop_front() else { break };
            self.count -= 1;
            self.bytes -= entry.bytes();
            bytes += entry.bytes();
            places.insert(collection.clone(), entry.cursor.clone());
            let is_secret = followed.is_secret;
            batch.entries.push(Named { collection: collection.clone(), is_secret, entry });
        }
        places.retain(|name, place| self.followed[name].written.as_ref() != Some(place));
        batch.places = places;
        batch
    }

    fn forget_written(&mut self, collection: &Arc<str>) {
        let Some(followed) = self.followed.get_mut(collection) else { return };
        while let Some(entry) = followed.entries.front()
            && includes(followed.written.as_ref(), &entry.cursor)
        {
            self.count -= 1;
            self.bytes -= entry.bytes();
            followed.entries.pop_front();
        }
    }

    fn needs_comparison(&self, collection: &Arc<str>) -> bool {
        let followed = &self.followed[collection];
        match followed.entries.front() {
            Some(entry) => !follows(&entry.cursor, followed.written.as_ref()),
            None => followed.place.is_some() && followed.place != followed.written,
        }
    }

    /// The state of the collection as it was before what waits. Sets the place that is reached by it.
    fn compare(
        &mut self,
        registry: &impl Registry,
        collection: &Arc<str>,
        places: &mut BTreeMap<Arc<str>, Cursor>,
    ) -> Option<Compare> {
        for attempt in 1.. {
            let state = registry.state(collection);
            // What happened before the state was taken is known after this.
            self.pull_one(registry, collection);
            let followed = self.followed.get_mut(collection)?;
            let first = followed.entries.front().map(|entry| entry.cursor.clone());
            let before_first =
                first.map(|first| Cursor { revision: first.revision.saturating_sub(1), ..first });
            let Some(state) = state else {
                // It is not open any more, so all that can be told is what waits.
                places.insert(collection.clone(), before_first.or_else(|| followed.place.clone())?);
                return None;
            };
            let fits = before_first.as_ref().is_none_or(|place| {
                place.epoch == state.cursor.epoch && place.revision <= state.cursor.revision
            });
            if !fits && attempt < STATES_MAX {
                continue;
            }
            let mut records: HashMap<Arc<str>, Version> = state.records.into_iter().collect();
            // Undone from the last to the first, so that the oldest of each record remains.
            for entry in followed.entries.iter().rev() {
                if fits && includes(Some(&state.cursor), &entry.cursor) {
                    match &entry.before {
                        Some(before) => records.insert(entry.id.clone(), before.clone()),
                        None => records.remove(&entry.id),
                    };
                }
            }
            let cursor = match before_first {
                Some(place) if fits => place,
                _ => state.cursor,
            };
            let evidence = match (&followed.written, followed.is_dropped) {
                (None, _) => Some(r#"{"firstSeen":true}"#.into()),
                (Some(_), true) => Some(DROPPED.into()),
                (Some(_), false) => followed.gap.evidence.clone(),
            };
            places.insert(collection.clone(), cursor.clone());
            return Some(Compare {
                collection: collection.clone(),
                is_secret: state.is_secret,
                gap: Gap { reason: followed.gap.reason, evidence },
                at_most: followed.entries.front().map(|entry| entry.at),
                cursor,
                records,
            });
        }
        None
    }

    /// The batch is in the file.
    pub(crate) fn written(&mut self, batch: &Batch) {
        for (collection, place) in &batch.places {
            if let Some(followed) = self.followed.get_mut(collection) {
                followed.written = Some(place.clone());
            }
        }
        for compare in &batch.compares {
            if let Some(followed) = self.followed.get_mut(&compare.collection) {
                followed.is_dropped = false;
            }
        }
    }

    /// The batch could not be written, and waits again.
    pub(crate) fn put_back(&mut self, batch: Batch) {
        for named in batch.entries.into_iter().rev() {
            if let Some(followed) = self.followed.get_mut(&named.collection) {
                self.count += 1;
                self.bytes += named.entry.bytes();
                followed.entries.push_front(named.entry);
            }
        }
        self.shrink();
    }
}

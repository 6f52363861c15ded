//! A registry in memory: what a daemon is to the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use argus_proto::cursor::Cursor;
use argus_proto::engine::Reason;

use crate::follower::now_ms;
use crate::registry::{Contents, Entry, Following, Gap, Registry, State, Version};

#[derive(Clone)]
pub(super) struct Memory(Arc<Mutex<Inner>>);

struct Inner {
    epoch: u64,
    kept_max: usize,
    collections: BTreeMap<String, Collection>,
    contents: HashMap<String, Contents>,
    contents_asked: usize,
    clock: u64,
}

#[derive(Default)]
struct Collection {
    is_secret: bool,
    revision: u64,
    records: BTreeMap<Arc<str>, Version>,
    entries: Vec<Entry>,
}

impl Memory {
    pub(super) fn new(collections: &[&str]) -> Self {
        let collections =
            collections.iter().map(|name| ((*name).to_owned(), Collection::default())).collect();
        Memory(Arc::new(Mutex::new(Inner {
            epoch: 1,
            kept_max: 4096,
            collections,
            contents: HashMap::new(),
            contents_asked: 0,
            clock: now_ms(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test panics here")
    }

    pub(super) fn open_secret(&self, collection: &str) {
        let secret = Collection { is_secret: true, ..Collection::default() };
        self.lock().collections.insert(collection.to_owned(), secret);
    }

    pub(super) fn keep(&self, kept_max: usize) {
        self.lock().kept_max = kept_max;
    }

    /// Puts a record whose content is `value`; a heartbeat where that is what it is.
    pub(super) fn put(&self, collection: &str, id: &str, value: &str) {
        let text = format!(r#"{{"id":"{id}","value":"{value}","updatedAt":{}}}"#, now_ms());
        self.change(collection, id, Some((value, &text)));
    }

    pub(super) fn remove(&self, collection: &str, id: &str) {
        self.change(collection, id, None);
    }

    pub(super) fn change(&self, collection: &str, id: &str, after: Option<(&str, &str)>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.clock += 1;
        let collection = inner.collections.get_mut(collection).expect("open");
        let before = collection.records.get(id).cloned();
        let after = after.map(|(etag, text)| Version { etag: etag.into(), text: text.into() });
        match &after {
            Some(after) => collection.records.insert(id.into(), after.clone()),
            None => collection.records.remove(id),
        };
        if before.as_ref().map(|version| &version.etag)
            == after.as_ref().map(|version| &version.etag)
        {
            return;
        }
        collection.revision += 1;
        collection.entries.push(Entry {
            cursor: Cursor { epoch: format!("e{}", inner.epoch), revision: collection.revision },
            at: inner.clock,
            id: id.into(),
            reason: if after.is_some() { Reason::Put } else { Reason::Removed },
            before,
            after,
            evidence: Some(r#"{"by":"test"}"#.into()),
        });
        let surplus = collection.entries.len().saturating_sub(inner.kept_max);
        collection.entries.drain(..surplus);
    }

    /// As after another start of the daemon: nothing of what happened is known, only what is.
    pub(super) fn restart(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        for collection in inner.collections.values_mut() {
            collection.revision = 0;
            collection.entries.clear();
        }
    }

    pub(super) fn records(&self, collection: &str) -> BTreeMap<String, String> {
        let inner = self.lock();
        let records = &inner.collections[collection].records;
        records.iter().map(|(id, version)| (id.to_string(), version.etag.to_string())).collect()
    }

    pub(super) fn set_contents(&self, id: &str, contents: Option<Contents>) {
        let mut inner = self.lock();
        match contents {
            Some(contents) => inner.contents.insert(id.to_owned(), contents),
            None => inner.contents.remove(id),
        };
    }

    pub(super) fn contents_asked(&self) -> usize {
        self.lock().contents_asked
    }
}

impl Registry for Memory {
    fn collections(&self) -> Vec<String> {
        self.lock().collections.keys().cloned().collect()
    }

    fn changes(&self, collection: &str, after: Option<&Cursor>) -> Option<Following> {
        let inner = self.lock();
        let epoch = format!("e{}", inner.epoch);
        let collection = inner.collections.get(collection)?;
        let first = collection.revision + 1 - collection.entries.len() as u64;
        let (after, is_complete) = match after {
            Some(after) if after.epoch == epoch => (
                after.revision,
                after.revision + 1 >= first && after.revision <= collection.revision,
            ),
            Some(_) => (0, false),
            None => (0, first == 1),
        };
        let entries = collection.entries.iter().filter(|entry| entry.cursor.revision > after);
        Some(Following {
            is_secret: collection.is_secret,
            cursor: Cursor { epoch, revision: collection.revision },
            entries: entries.cloned().collect(),
            is_complete,
            gap: Gap {
                reason: Reason::External,
                evidence: Some(r#"{"unseen":"no daemon ran"}"#.into()),
            },
        })
    }

    fn state(&self, collection: &str) -> Option<State> {
        let inner = self.lock();
        let epoch = format!("e{}", inner.epoch);
        let collection = inner.collections.get(collection)?;
        Some(State {
            cursor: Cursor { epoch, revision: collection.revision },
            is_secret: collection.is_secret,
            records: collection.records.clone().into_iter().collect(),
        })
    }

    fn contents(&self, id: &str, _record: &str) -> Option<Contents> {
        let mut inner = self.lock();
        inner.contents_asked += 1;
        inner.contents.get(id).cloned()
    }
}

//! The map of a collection: ordered as in the file, and cheap to copy.
//!
//! A copy shares everything with the original. So a change can be tried on a copy and thrown away
//! when it does not reach the disk, and readers keep a whole snapshot while the writer goes on.

use std::sync::Arc;

use imbl::{HashMap, OrdMap};

use crate::collection::Collection;
use crate::json::{self, key_text};
use crate::record::{Record, file_bytes};

/// Records by id, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Records {
    by_place: OrdMap<u64, Entry>,
    places: HashMap<Arc<str>, u64>,
    next_place: u64,
    file_bytes: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    id: Arc<str>,
    /// The key in the file, where it is not simply the id in quotes.
    odd_key: Option<Arc<str>>,
    record: Arc<Record>,
    file_bytes: usize,
}

impl Records {
    /// The record with this id.
    pub fn get(&self, id: &str) -> Option<&Arc<Record>> {
        self.places.get(id).and_then(|place| self.by_place.get(place)).map(|entry| &entry.record)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_place.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// Ids and records in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Record>)> {
        self.by_place.values().map(|entry| (&entry.id, &entry.record))
    }

    /// How many bytes the records take in the file.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// Sets a record: in its old place, or at the end.
    pub fn insert(&mut self, id: &str, record: Arc<Record>, collection: &Collection) {
        self.insert_key(id, None, record, collection);
    }

    /// Removes a record.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Record>> {
        let place = self.places.remove(id)?;
        let entry = self.by_place.remove(&place)?;
        self.file_bytes -= entry.file_bytes;
        Some(entry.record)
    }

    /// Sets a record under the key that it has in a file, given in quotes. Tells whether there was
    /// one before.
    pub(crate) fn insert_from_file(
        &mut self,
        quoted_key: &str,
        text: &str,
        collection: &Collection,
    ) -> bool {
        let id = key_text(quoted_key);
        let odd_key = (json::string(&id) != quoted_key).then(|| Arc::from(quoted_key));
        let record = Arc::new(Record::read(&id, text, collection));
        let is_duplicate = self.get(&id).is_some();
        self.insert_key(&id, odd_key, record, collection);
        is_duplicate
    }

    /// Keys as they are written to the file, in quotes, with their records.
    pub(crate) fn iter_for_file(&self) -> impl Iterator<Item = (String, &Arc<Record>)> {
        self.by_place.values().map(|entry| {
            let key = match &entry.odd_key {
                Some(key) => key.to_string(),
                None => json::string(&entry.id),
            };
            (key, &entry.record)
        })
    }

    fn insert_key(
        &mut self,
        id: &str,
        odd_key: Option<Arc<str>>,
        record: Arc<Record>,
        collection: &Collection,
    ) {
        let bytes = file_bytes(id, record.text(), collection);
        let (place, id, odd_key) = match self.places.get_key_value(id) {
            Some((id, place)) => {
                let old = self.by_place.get(place);
                self.file_bytes -= old.map_or(0, |entry| entry.file_bytes);
                (*place, id.clone(), old.and_then(|entry| entry.odd_key.clone()).or(odd_key))
            }
            None => {
                let id: Arc<str> = id.into();
                let place = self.next_place;
                self.next_place += 1;
                self.places.insert(id.clone(), place);
                (place, id, odd_key)
            }
        };
        self.file_bytes += bytes;
        self.by_place.insert(place, Entry { id, odd_key, record, file_bytes: bytes });
    }
}

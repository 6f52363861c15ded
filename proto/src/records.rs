//! The map of a collection: ordered as in the file, and cheap to copy.
//!
//! A copy shares everything with the original. So a change can be tried on a copy and thrown away
//! when it does not reach the disk, and readers keep a whole snapshot while the writer goes on.

use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{HashMap, OrdMap};

use crate::collection::Collection;
use crate::json::{self, key_text};
use crate::record::Record;
use crate::style::Style;

/// Records by id, in the order of the file.
#[derive(Debug, Clone)]
pub struct Records {
    style: Style,
    by_place: OrdMap<u64, Entry>,
    places: HashMap<Arc<str>, u64>,
    next_place: u64,
    file_bytes: usize,
    /// Shared by all copies, which count their places from the same start.
    lineage: Arc<()>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: Arc<str>,
    /// The key in the file, where it is not simply the id in quotes.
    odd_key: Option<Arc<str>>,
    record: Arc<Record>,
    /// Key and record as they stand in the file, with the line break before them. Laid out once: a
    /// commit writes all of them.
    file_text: Arc<str>,
}

impl Records {
    /// None yet, for a file of this style.
    pub(crate) fn new(style: Style) -> Self {
        Records {
            style,
            by_place: OrdMap::default(),
            places: HashMap::default(),
            next_place: 0,
            file_bytes: 0,
            lineage: Arc::default(),
        }
    }

    /// The style of the file that they stand in.
    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

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

    /// How many bytes the records take in the file, with their line breaks and without the commas.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// The ids whose record is not the same in both: first those that are gone in `later`, then
    /// those that are new or another there, each in the order of the file. What copies share is
    /// not looked at, so that it costs what differs.
    pub fn differing(&self, later: &Self) -> Vec<Arc<str>> {
        let is_gone = |id: &str| later.get(id).is_none();
        let is_other = |id: &str, record| self.get(id) != Some(record);
        let (mut gone, mut there) = (Vec::new(), Vec::new());
        if Arc::ptr_eq(&self.lineage, &later.lineage) {
            for item in self.by_place.diff(&later.by_place) {
                let (old, new) = match item {
                    DiffItem::Remove(_, old) => (Some(old), None),
                    DiffItem::Add(_, new) => (None, Some(new)),
                    DiffItem::Update { old, new } => (Some(old.1), Some(new.1)),
                };
                // One place may be two records': both copies went on counting from the same one.
                gone.extend(old.filter(|old| is_gone(&old.id)).map(|old| old.id.clone()));
                let new = new.filter(|new| is_other(&new.id, &new.record));
                there.extend(new.map(|new| new.id.clone()));
            }
        } else {
            gone.extend(self.iter().filter(|(id, _)| is_gone(id)).map(|(id, _)| id.clone()));
            let others = later.iter().filter(|(id, record)| is_other(id, record));
            there.extend(others.map(|(id, _)| id.clone()));
        }
        gone.append(&mut there);
        gone
    }

    /// Whether both are copies of which none was changed.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.by_place.ptr_eq(&other.by_place)
    }

    /// Sets a record: in its old place, or at the end.
    pub fn insert(&mut self, id: &str, record: Arc<Record>) {
        self.insert_key(id, None, record);
    }

    /// Sets a record as [`insert`](Self::insert) does; a new one under the key that `other` has
    /// for it, which may be no Unicode.
    pub(crate) fn insert_as_in(&mut self, other: &Self, id: &str, record: Arc<Record>) {
        let entry = other.places.get(id).and_then(|place| other.by_place.get(place));
        let odd_key = entry.and_then(|entry| entry.odd_key.clone());
        self.insert_key(id, odd_key, record);
    }

    /// Removes a record.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Record>> {
        let place = self.places.remove(id)?;
        let entry = self.by_place.remove(&place)?;
        self.file_bytes -= entry.file_text.len();
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
        self.insert_key(&id, odd_key, record);
        is_duplicate
    }

    /// Each record as it stands in the file, with its key.
    pub(crate) fn file_texts(&self) -> impl Iterator<Item = &str> {
        self.by_place.values().map(|entry| &*entry.file_text)
    }

    fn insert_key(&mut self, id: &str, odd_key: Option<Arc<str>>, record: Arc<Record>) {
        let (place, id, odd_key) = match self.places.get_key_value(id) {
            Some((id, place)) => {
                let old = self.by_place.get(place);
                self.file_bytes -= old.map_or(0, |entry| entry.file_text.len());
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
        let key = odd_key.as_deref().map_or_else(|| json::string(&id), str::to_owned);
        let file_text = file_text(&key, &record, &self.style);
        self.file_bytes += file_text.len();
        self.by_place.insert(place, Entry { id, odd_key, record, file_text });
    }
}

/// A record and its quoted key, as they stand in the map of a file one level down.
fn file_text(key: &str, record: &Record, style: &Style) -> Arc<str> {
    let mut text = String::with_capacity(record.text().len() * 2);
    style.break_line(2, &mut text);
    text.push_str(key);
    text.push_str(style.colon());
    style.value(record.text(), 2, &mut text);
    text.into()
}

//! What the database follows, and what it is told.

use std::sync::Arc;

use argus_proto::cursor::Cursor;
use argus_proto::engine::Reason;
use argus_proto::event::EventKind;

/// What the database follows. It is asked on the database's own thread, and has to answer from memory,
/// but for [`Registry::contents`].
pub trait Registry: Send + 'static {
    /// The collections that are open now.
    fn collections(&self) -> Vec<String>;

    /// The changes of a collection after a place; without one all that are kept. `None` where the
    /// collection is not open any more.
    fn changes(&self, collection: &str, after: Option<&Cursor>) -> Option<Following>;

    /// Every record of a collection now; `None` where it is not open any more.
    fn state(&self, collection: &str) -> Option<State>;

    /// Script and schemas of a task, from the disk. `None` where they are not, or not any more, what the
    /// record's checksum says.
    fn contents(&self, id: &str, record: &str) -> Option<Contents>;
}

/// What happened to a collection after a place.
#[derive(Debug, Clone)]
pub struct Following {
    /// Nothing of its values may be written.
    pub is_secret: bool,
    /// Where the collection stands after the last of the entries.
    pub cursor: Cursor,
    /// In the order in which they happened, of one epoch. Each has a revision that is one higher than
    /// the last.
    pub entries: Vec<Entry>,
    /// Whether these are all changes after the place that was given. If not, they are those that are
    /// kept, and what is missing before them is found by comparing.
    pub is_complete: bool,
    /// Why what changed unseen has changed.
    pub gap: Gap,
}

/// What is said of a change that nobody saw happen.
#[derive(Debug, Clone)]
pub struct Gap {
    /// Why it changed, as far as that can be told.
    pub reason: Reason,
    /// A JSON object with what shows it. Without a value of a record.
    pub evidence: Option<Arc<str>>,
}

/// One change of one record.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where the collection stood after it.
    pub cursor: Cursor,
    /// When it was made: milliseconds since the epoch.
    pub at: u64,
    /// Of which record.
    pub id: Arc<str>,
    /// Why.
    pub reason: Reason,
    /// What it was; `None` for a new one.
    pub before: Option<Version>,
    /// What it is; `None` for one that is gone.
    pub after: Option<Version>,
    /// A JSON object with what shows that this is why. Without a value of the record: it is kept as it
    /// is, also of a secret collection.
    pub evidence: Option<Arc<str>>,
}

/// A record as it was at some time.
#[derive(Debug, Clone)]
pub struct Version {
    /// What tells its content: two with the same are no change.
    pub etag: Arc<str>,
    /// The record, as JSON.
    pub text: Arc<str>,
}

/// A whole collection at some time.
#[derive(Debug, Clone)]
pub struct State {
    /// Where the collection stood.
    pub cursor: Cursor,
    /// Nothing of its values may be written.
    pub is_secret: bool,
    /// Its records, by id.
    pub records: Vec<(Arc<str>, Version)>,
}

/// What a task consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The checksum of exactly this.
    pub checksum: String,
    /// The text of `metadata.json`.
    pub metadata: Option<String>,
    /// The text of `main.js`.
    pub script: Option<String>,
    /// The text of `input.schema.json`.
    pub input_schema: Option<String>,
    /// The text of `output.schema.json`.
    pub output_schema: Option<String>,
}

impl Entry {
    /// What became of the record.
    pub fn kind(&self) -> EventKind {
        kind(self.before.is_some(), self.after.is_some())
    }

    pub(crate) fn bytes(&self) -> usize {
        /// What an entry takes beside its texts.
        const ENTRY_BYTES: usize = 256;
        let version = |version: &Option<Version>| {
            version.as_ref().map_or(0, |version| version.etag.len() + version.text.len())
        };
        let evidence = self.evidence.as_ref().map_or(0, |evidence| evidence.len());
        ENTRY_BYTES + self.id.len() + version(&self.before) + version(&self.after) + evidence
    }
}

pub(crate) fn kind(was_there: bool, is_there: bool) -> EventKind {
    match (was_there, is_there) {
        (_, false) => EventKind::Removed,
        (false, true) => EventKind::Added,
        (true, true) => EventKind::Updated,
    }
}

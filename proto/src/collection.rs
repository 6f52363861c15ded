//! What distinguishes one collection from another, as data.

use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::limits::WATCHER_TTL;

/// The description of a collection: a named map of JSON records in one JSON file.
///
/// The engine knows no collection by name; everything that differs stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Its name, as in `-c NAME`.
    pub name: &'static str,
    /// The newest file format that is understood.
    pub version: u64,
    /// The key of the map in the file.
    pub records_key: &'static str,
    /// Where processes stand behind the records, how long one counts as live after a heartbeat.
    pub ttl: Option<Duration>,
    /// The file's own key that tells when it was last changed, in milliseconds since the epoch.
    pub updated_at_key: Option<&'static str>,
    /// One level of indentation in a new file; one that is there keeps its own style.
    pub indent: &'static str,
    /// Whether a new file ends with a line break.
    pub final_newline: bool,
    /// What its file may be opened to at most, as permission bits; `None`: whatever it is opened to.
    pub mode: Option<u32>,
}

/// The watchers' registry, version 1: the default everywhere.
pub static WATCHERS: Collection = Collection {
    name: "watchers",
    version: 1,
    records_key: "watchers",
    ttl: Some(WATCHER_TTL),
    updated_at_key: Some("updatedAt"),
    indent: "  ",
    final_newline: false,
    mode: None,
};

impl Collection {
    /// The collection that a call is about: the one of this name, or without a name the watchers.
    pub fn named(name: Option<&str>) -> Result<&'static Collection> {
        match name {
            None => Ok(&WATCHERS),
            Some(name) if name == WATCHERS.name => Ok(&WATCHERS),
            Some(name) => Err(Error::new(Code::Usage, format!("there is no collection `{name}`"))
                .hint(format!("one of: {}", WATCHERS.name))),
        }
    }
}

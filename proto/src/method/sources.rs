//! `sources.*`: the folders of tasks that the collection `tasks` follows.

use serde::{Deserialize, Serialize};

/// Asks for all sources.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct ListSources {}

/// Adds a source, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct AddSource {
    /// The folder, as `file:///srv/tasks`.
    pub uri: String,
    /// What it is called; else as the folder is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether changes are followed: yes, unless it says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<bool>,
}

/// Takes an added source out again, and its tasks with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct RemoveSource {
    /// Which.
    pub name: String,
}

/// Leaves the tasks of a source as they are, whatever becomes of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct PauseSource {
    /// Which.
    pub name: String,
}

/// Goes on following a source, after a look at all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct ResumeSource {
    /// Which.
    pub name: String,
}

/// Looks at all of a source now, and answers when the registry shows it.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct SyncSources {
    /// Which; `None` for all that are not paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Sources, as they are now.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Sources {
    /// In the order of their names.
    pub sources: Vec<SourceStatus>,
}

/// How a source is followed.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum Watching {
    /// The system tells of changes.
    Notify,
    /// The folder is looked at again and again.
    Polling,
    /// Somebody paused it.
    Paused,
    /// It is looked at when somebody asks, and every few minutes; or no daemon runs.
    #[default]
    Off,
}

impl Watching {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Watching::Notify => "notify",
            Watching::Polling => "polling",
            Watching::Paused => "paused",
            Watching::Off => "off",
        }
    }
}

/// A source, as it is now.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceStatus {
    /// What it is called.
    pub name: String,
    /// The folder.
    pub uri: String,
    /// How it is followed.
    pub watching: Watching,
    /// Why it is polled, though it is to be watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_polling: Option<String>,
    /// How many tasks it has, the invalid ones among them.
    pub tasks: u64,
    /// How many of those are not as they should be.
    pub invalid: u64,
    /// What could not be read, or is no task and should be: the first of them.
    pub errors: Vec<SourceError>,
    /// When all of it was looked at last: milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<u64>,
    /// How far the look at all of it is that is under way: folders looked at, of so many found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<[u64; 2]>,
    /// What happened since it is followed.
    pub metrics: SourceMetrics,
}

/// What is wrong with a place in a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct SourceError {
    /// Where.
    pub path: String,
    /// What, for programs.
    pub code: String,
    /// What, for people.
    pub message: String,
}

/// What happened to a source since this daemon follows it.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceMetrics {
    /// What the system told.
    pub events: u64,
    /// How much of that was about a task that was to be loaded already.
    pub coalesced: u64,
    /// Tasks loaded.
    pub reloads: u64,
    /// Loads that failed.
    pub failures: u64,
    /// Tasks that wait to be loaded.
    pub waiting: u64,
    /// Looks at all of it.
    pub reconciliations: u64,
    /// How often the system could not tell all, so that all of it was looked at.
    pub overflows: u64,
}

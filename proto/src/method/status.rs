//! `status`: how the daemon is.

use serde::{Deserialize, Serialize};

use crate::method::{SourceStatus, Warning};

/// Asks how the daemon is.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Status {}

/// How the daemon is.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusReport {
    /// Its version.
    pub version: String,
    /// The protocols that it speaks, from and to.
    pub protocol: [u32; 2],
    /// Tells this life of the daemon from every other.
    pub instance: String,
    /// Its process.
    pub pid: u32,
    /// The canonical path of the registry that it serves.
    pub registry: String,
    /// How long it has been running.
    pub uptime_ms: u64,
    /// Open connections.
    pub sessions: u64,
    /// Open subscriptions.
    pub subscribers: u64,
    /// What it serves.
    pub collections: Vec<CollectionStatus>,
    /// How often it has written a file.
    pub commits: u64,
    /// How long the last of those took, from the lock to the last fsync.
    pub commit_latency: CommitLatency,
    /// What is wrong.
    pub warnings: Vec<Warning>,
    /// The folders of tasks that it follows.
    pub sources: Vec<SourceStatus>,
    /// The database that it keeps, if it keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Box<DatabaseStatus>>,
}

/// The database of a daemon. The numbers are of this life of it.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseStatus {
    /// Its file.
    pub file: String,
    /// Why it cannot be written at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How many changes wait to be written.
    pub queued: u64,
    /// How long ago the oldest of those was made, in milliseconds.
    pub lag_ms: u64,
    /// How many changes could not wait any longer, and are not in it.
    pub dropped: u64,
    /// How many changes were written.
    pub rows: u64,
    /// In how many transactions.
    pub batches: u64,
    /// How often it could not be written.
    pub failures: u64,
    /// How many tasks are in it as somebody else made them, and not as their folders are.
    pub kept: u64,
    /// How many damaged files were set aside.
    pub set_aside: u64,
}

/// One collection of a daemon.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct CollectionStatus {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// How many records it has.
    pub records: u64,
    /// How many bytes they take in the file.
    pub bytes: u64,
}

/// How long commits took, in microseconds, over the last 1024 of them.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(rename_all = "camelCase", default)]
pub struct CommitLatency {
    /// Half of them were faster.
    pub p50_us: u64,
    /// Ninety-nine of a hundred were faster.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

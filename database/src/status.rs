//! How the database is doing: what a person is told without asking the disk.

use argus_proto::error::Error;

/// How the database is doing. The numbers are of this life of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// What it is about.
    pub activity: Activity,
    /// How many changes wait to be written: how far it is behind.
    pub queued: u64,
    /// How long ago the oldest of them was made, in milliseconds; 0 where none waits.
    pub lag_ms: u64,
    /// How many changes could not be kept waiting and were dropped. What became of the records is
    /// found by comparing; the steps in between are lost.
    pub dropped: u64,
    /// How many changes were written.
    pub rows_written: u64,
    /// In how many transactions.
    pub batches: u64,
    /// How often it failed.
    pub failures: u64,
    /// Why, the last time.
    pub last_error: Option<Error>,
    /// How many rows of `tasks` are as somebody else has made them, and not as the registry has it.
    pub kept: u64,
    /// How many damaged files were set aside.
    pub set_aside: u64,
}

/// What it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Activity {
    /// It was not open yet.
    #[default]
    Opening,
    /// It writes what comes.
    Working,
    /// It cannot be written, and is tried again and again.
    Waiting {
        /// Why.
        error: Error,
        /// Since when: milliseconds since the epoch.
        since: u64,
    },
}

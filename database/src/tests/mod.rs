//! The database as a whole, with real files and a registry in memory.

mod following;
mod memory;
mod outages;
mod platform;
mod property;
mod reading;
mod secrets;
mod tasks;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use argus_config::OnConflict;
use argus_proto::error::Error;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::database::{Database, Options};
use crate::status::Status;
use memory::Memory;

/// How long anything is waited for.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder of its own, and a registry.
struct TestContext {
    home: TempDir,
    registry: Memory,
    on_conflict: OnConflict,
}

/// A row of `changes`, but for texts and times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    cursor: String,
    what: String,
}

impl TestContext {
    fn new() -> Self {
        TestContext {
            home: tempfile::tempdir().expect("a folder"),
            registry: Memory::new(&["watchers"]),
            on_conflict: OnConflict::PreferRegistry,
        }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("argus.db")
    }

    fn quarantine(&self) -> PathBuf {
        self.home.path().join("quarantine")
    }

    fn options(&self) -> Options {
        Options {
            path: self.path(),
            quarantine_folder: self.quarantine(),
            on_conflict: self.on_conflict,
        }
    }

    fn start(&self) -> Database {
        Database::start(self.options(), self.registry.clone()).expect("a thread")
    }

    /// Another program that has the file open.
    fn other(&self) -> Connection {
        let connection = Connection::open(self.path()).expect("there");
        connection.busy_timeout(Duration::from_secs(5)).expect("set");
        connection
    }

    /// What `changes` holds, in order: `collection/id kind reason`.
    fn told(&self) -> Vec<Told> {
        let connection = self.other();
        let mut statement = connection
            .prepare("SELECT cursor, collection || '/' || id || ' ' || kind || ' ' || reason FROM changes ORDER BY seq")
            .expect("ours");
        let rows = statement
            .query_map([], |row| Ok(Told { cursor: row.get(0)?, what: row.get(1)? }))
            .expect("ours");
        rows.collect::<Result<_, _>>().expect("texts")
    }

    fn what(&self) -> Vec<String> {
        self.told().into_iter().map(|told| told.what).collect()
    }

    fn quarantined(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.quarantine()) else { return Vec::new() };
        entries.map(|entry| entry.expect("readable").path()).collect()
    }
}

fn flush(database: &Database) -> Result<(), Error> {
    database.flush().recv_timeout(DEADLINE).expect("an answer in time")
}

fn wait_for(database: &Database, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let began = Instant::now();
    loop {
        let status = database.status();
        if is_so(&status) {
            return status;
        }
        assert!(began.elapsed() < DEADLINE, "not {what}: {status:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

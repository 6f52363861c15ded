//! The handle: starting the thread, telling it, asking how it does, ending it.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use argus_config::OnConflict;
use argus_proto::error::Error;

use crate::follower::{Follower, now_ms};
use crate::registry::Registry;
use crate::signals::Signals;
use crate::status::Status;

/// Where the database is, and what is done where it and the registry disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// Where a damaged one is put.
    pub quarantine_folder: PathBuf,
    /// What is done where somebody else has changed a row of `tasks`.
    pub on_conflict: OnConflict,
}

/// Is told once when everything that had happened is in, or why it is not.
pub type Flushed = Receiver<Result<(), Error>>;

/// A database that follows a registry on its own thread. Dropped, it ends by itself;
/// [`Database::stop`] waits for that.
#[derive(Debug)]
pub struct Database {
    signals: Arc<Signals>,
    status: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

/// How it does, and since when the oldest waits.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) status: Status,
    pub(crate) oldest: Option<u64>,
}

impl Database {
    /// Starts to follow. The file is opened on the thread: one that cannot be used is told by
    /// [`Database::status`], and tried again.
    ///
    /// # Errors
    /// Where there can be no more threads.
    pub fn start(options: Options, registry: impl Registry) -> io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let status = Arc::new(Mutex::new(Shared::default()));
        let follower = Follower::new(options, registry, signals.clone(), status.clone());
        let thread =
            thread::Builder::new().name("database".to_owned()).spawn(move || follower.run())?;
        Ok(Database { signals, status, thread: Some(thread) })
    }

    /// Something has changed. Never waits; often is as good as once.
    pub fn wake(&self) {
        self.signals.tell(|told| told.woken = true);
    }

    /// Has everything written that has happened, at once also while it waits for better times. Who asks
    /// sets the bound of the wait.
    pub fn flush(&self) -> Flushed {
        let (sender, receiver) = channel();
        self.signals.tell(|told| told.flushes.push(sender));
        receiver
    }

    /// How it does. Never waits for the disk.
    pub fn status(&self) -> Status {
        let shared = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let lag_ms = shared.oldest.map_or(0, |oldest| now_ms().saturating_sub(oldest));
        Status { lag_ms, ..shared.status.clone() }
    }

    /// Writes what waits, if that is quick, closes the file and waits until that is done: about two
    /// seconds at most, unless the disk hangs.
    pub fn stop(mut self) {
        self.signals.tell(|told| told.stop = true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the database had panicked");
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.signals.tell(|told| told.stop = true);
    }
}

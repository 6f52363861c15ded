//! The thread: it takes over what happens, writes it batch by batch, and waits longer each time it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use argus_proto::error::{Code, Error};
use rusqlite::TransactionBehavior;

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::change;
use crate::database::{Options, Shared};
use crate::error::{DatabaseError, DatabaseResult};
use crate::file::{self, DatabaseFile};
use crate::mirror::Mirror;
use crate::queue::Queue;
use crate::registry::Registry;
use crate::retention::{self, Limits};
use crate::signals::Signals;
use crate::status::Activity;

/// How often it looks while nobody tells it anything.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it lets changes gather after a batch: many changes are a few transactions.
const GATHER: Duration = Duration::from_millis(20);
/// How often it looks whether anything is too old, while there is something to write and else.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const SWEEP_IDLE_EVERY: Duration = Duration::from_secs(600);
/// How often in a row it opens the file again at once; beyond that it waits first.
const MENDED_MAX: u32 = 3;
/// How long it goes on writing once it has to end.
const STOP_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Follower<R> {
    options: Options,
    registry: R,
    signals: Arc<Signals>,
    shared: Arc<Mutex<Shared>>,
    pub(crate) queue: Queue,
    pub(crate) file: Option<DatabaseFile>,
    mirror: Mirror,
    pub(crate) limits: Limits,
    sweep_at: Instant,
    sweep_idle_at: Instant,
    stop_by: Option<Instant>,
}

/// Milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn left_off(left: usize) -> Error {
    let message = format!("{left} changes are not in the database yet");
    Error::new(Code::Busy, message).hint("try again")
}

impl<R: Registry> Follower<R> {
    pub(crate) fn new(
        options: Options,
        registry: R,
        signals: Arc<Signals>,
        shared: Arc<Mutex<Shared>>,
    ) -> Self {
        let mirror = Mirror::new(options.on_conflict);
        Follower {
            options,
            registry,
            signals,
            shared,
            queue: Queue::default(),
            file: None,
            mirror,
            limits: Limits::default(),
            sweep_at: Instant::now(),
            sweep_idle_at: Instant::now(),
            stop_by: None,
        }
    }

    pub(crate) fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut retry_at: Option<Instant> = None;
        let mut look_at = Instant::now();
        loop {
            let told = self.signals.wait(look_at);
            if told.stop {
                self.stop_by = Some(Instant::now() + STOP_WITHIN);
            }
            self.queue.pull(&self.registry);
            let has_to = told.stop || !told.flushes.is_empty();
            let now = Instant::now();
            if has_to || retry_at.is_none_or(|at| at <= now) {
                let outcome = self.write_all();
                let wait = match &outcome {
                    Ok(()) => {
                        backoff.succeeded();
                        None
                    }
                    Err(_) => Some(backoff.failed()),
                };
                retry_at = wait.map(|wait| Instant::now() + wait);
                let outcome = outcome.map_err(Error::from);
                self.tell(&outcome);
                // It leaves off where it has to end.
                let flushed = match self.queue.len() {
                    0 => outcome,
                    left => outcome.and_then(|()| Err(left_off(left))),
                };
                for flush in told.flushes {
                    // Who does not wait any more needs no answer.
                    let _ = flush.send(flushed.clone());
                }
            }
            self.tell_queue();
            if told.stop {
                return self.end();
            }
            // A wake during this is not lost: it ends the next wait at once.
            self.signals.pause(Instant::now() + GATHER);
            let now = Instant::now();
            look_at = retry_at.map_or(now + LOOK_EVERY, |at| at.min(now + LOOK_EVERY));
        }
    }

    /// Writes until nothing waits.
    pub(crate) fn write_all(&mut self) -> DatabaseResult<()> {
        let mut mended = 0;
        loop {
            match self.write_once() {
                Ok(true) => {
                    self.tell_queue();
                    let is_late = self.stop_by.is_some_and(|by| by <= Instant::now());
                    if is_late || (self.stop_by.is_none() && self.signals.is_stopping()) {
                        return Ok(());
                    }
                    self.queue.pull(&self.registry);
                }
                Ok(false) => return Ok(()),
                Err(error) if mended < MENDED_MAX => {
                    mended += 1;
                    self.mend(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes one batch. Tells whether there was anything to write.
    fn write_once(&mut self) -> DatabaseResult<bool> {
        if let Some(file) = &self.file {
            file.check_in_place()?;
        } else {
            self.open()?;
        }
        let batch = self.queue.batch(&self.registry);
        let written = self.write(&batch);
        match written {
            Ok(rows) => {
                self.queue.written(&batch);
                self.mirror.written();
                let has_moved = !batch.places.is_empty();
                let mut shared = self.lock();
                shared.status.rows_written += rows;
                shared.status.batches += u64::from(!batch.is_empty());
                Ok(has_moved)
            }
            Err(error) => {
                self.queue.put_back(batch);
                Err(error)
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> DatabaseResult<u64> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let failed = DatabaseError::sqlite(&self.options.path);
        let now = now_ms();
        let tasks =
            self.mirror.prepare(&file.connection, batch, &self.registry).map_err(&failed)?;
        let sweep_at = if batch.is_empty() { self.sweep_idle_at } else { self.sweep_at };
        let is_sweep_due = sweep_at <= Instant::now();
        if batch.is_empty() && tasks.is_empty() && !is_sweep_due {
            return Ok(0);
        }
        let transaction = file
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let rows = change::record(&transaction, batch, &file.salt, now).map_err(&failed)?;
        self.mirror.apply(&transaction, tasks, now).map_err(&failed)?;
        let has_more =
            is_sweep_due && retention::sweep(&transaction, self.limits, now).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        if is_sweep_due && !has_more {
            self.sweep_at = Instant::now() + SWEEP_EVERY;
            self.sweep_idle_at = Instant::now() + SWEEP_IDLE_EVERY;
        } else if has_more {
            self.sweep_idle_at = Instant::now();
        }
        Ok(rows)
    }

    fn open(&mut self) -> DatabaseResult<()> {
        let path = &self.options.path;
        let file = DatabaseFile::open(path)?;
        let progress = change::progress(&file.connection).map_err(DatabaseError::sqlite(path))?;
        self.queue.resume(&self.registry, &progress);
        self.mirror.opened();
        self.file = Some(file);
        Ok(())
    }

    /// Does what can be done about a failure; what cannot be mended is waited for.
    fn mend(&mut self, error: DatabaseError) -> DatabaseResult<()> {
        if error.spares_connection() {
            return Err(error);
        }
        match (self.file.take(), &error) {
            (Some(file), DatabaseError::Damaged { .. }) => file.close_as_it_is(),
            (Some(file), _) => file.close(),
            (None, _) => {}
        }
        match error {
            DatabaseError::Moved { .. } => {
                tracing::warn!("{error}; it is opened again");
                self.lock().status.last_error = Some(Error::from(error));
                Ok(())
            }
            DatabaseError::Damaged { .. } => {
                let Options { path, quarantine_folder, .. } = &self.options;
                let aside = file::set_aside(path, quarantine_folder, now_ms())?;
                if let Some(aside) = aside {
                    tracing::warn!("{error}; it is kept as {}", aside.display());
                }
                let mut shared = self.lock();
                shared.status.set_aside += 1;
                shared.status.last_error = Some(Error::from(error));
                Ok(())
            }
            error => Err(error),
        }
    }

    fn end(mut self) {
        let Some(file) = self.file.take() else { return };
        if let Err(error) = file.checkpoint() {
            tracing::info!("{error}; what is in its journal is read from there");
        }
        file.close();
    }

    fn tell(&self, outcome: &Result<(), Error>) {
        let mut shared = self.lock();
        let status = &mut shared.status;
        status.kept = self.mirror.kept();
        match outcome {
            Ok(()) => {
                if let Activity::Waiting { since, .. } = status.activity {
                    let seconds = now_ms().saturating_sub(since) / 1000;
                    tracing::info!("the database is written again, after {seconds} s");
                }
                status.activity = Activity::Working;
            }
            Err(error) => {
                let since = match status.activity {
                    Activity::Waiting { since, .. } => since,
                    _ => {
                        tracing::warn!("{error}; it is tried again until it can be written");
                        now_ms()
                    }
                };
                status.failures += 1;
                status.last_error = Some(error.clone());
                status.activity = Activity::Waiting { error: error.clone(), since };
            }
        }
    }

    fn tell_queue(&self) {
        let mut shared = self.lock();
        shared.status.queued = self.queue.len() as u64;
        shared.status.dropped = self.queue.dropped();
        shared.oldest = self.queue.oldest();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Numbers cannot be left half set.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

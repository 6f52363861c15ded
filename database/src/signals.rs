//! What others tell the thread of the database: flags behind one short lock.

use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use argus_proto::error::Error;

/// Who waits until everything is in.
pub(crate) type Flush = Sender<Result<(), Error>>;

/// What has been told since the thread last looked.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Something changed, however often.
    pub(crate) woken: bool,
    /// It has to end.
    pub(crate) stop: bool,
    /// Who waits.
    pub(crate) flushes: Vec<Flush>,
}

impl Told {
    fn is_urgent(&self) -> bool {
        self.stop || !self.flushes.is_empty()
    }
}

/// Where it is left for the thread.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    told: Mutex<Told>,
    changed: Condvar,
}

impl Signals {
    /// Leaves something for the thread, and wakes it.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Waits until something was told, at most until then, and takes it.
    pub(crate) fn wait(&self, until: Instant) -> Told {
        let mut told = self.wait_for(until, |told| told.woken || told.is_urgent());
        let stop = told.stop;
        std::mem::replace(&mut *told, Told { stop, ..Told::default() })
    }

    /// Waits until then, unless somebody waits for the thread; takes nothing.
    pub(crate) fn pause(&self, until: Instant) {
        drop(self.wait_for(until, Told::is_urgent));
    }

    fn wait_for(&self, until: Instant, is_told: fn(&Told) -> bool) -> MutexGuard<'_, Told> {
        let mut told = self.lock();
        while !is_told(&told) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(told, left);
            told = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        told
    }

    /// Whether it has to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stop
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Flags cannot be left half set.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What comes of it: changes that are delivered, and a status for whoever asks.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use argus_proto::method::{SourceError, SourceStatus, Watching};

use crate::limits::PROBLEMS_MAX;
use crate::outbox::BATCH_MAX;
use crate::problem::PlaceProblem;

use super::{Following, REST, Wait, milliseconds, tell};

/// How often the status is told anew while it changes.
const SHOW_EVERY: Duration = Duration::from_millis(20);
/// Most errors in a status.
const STATUS_ERRORS_MAX: usize = 100;

impl Following {
    pub(super) fn take_changes(&mut self) {
        for change in self.catalog.take_changes(milliseconds()) {
            self.outbox.push(change);
        }
    }

    pub(super) fn deliver(&mut self) {
        // What belongs together, as a task that moved, is told together.
        if self.loading.is_empty() || self.catalog.dirty() >= BATCH_MAX {
            self.take_changes();
        }
        while let Some(batch) = self.outbox.batch(Instant::now()) {
            if self.inbox.is_stopped() {
                return;
            }
            let count = batch.len();
            match self.sink.deliver(batch) {
                Ok(()) => self.outbox.taken(count),
                Err(undelivered) => {
                    self.outbox.refused(Instant::now());
                    tracing::warn!(source = self.source.name, %undelivered, "changes of tasks wait");
                    self.tell_undelivered(&undelivered.to_string());
                    return;
                }
            }
        }
        if self.outbox.is_empty() && self.waits.iter().any(|wait| wait.loading.is_empty()) {
            self.complete();
        }
    }

    /// All that was read is delivered.
    pub(super) fn complete(&mut self) {
        // What was read is in the catalog, but perhaps not delivered yet.
        if self.catalog.dirty() > 0 {
            return;
        }
        let is_read = |wait: &mut Wait| wait.loading.is_empty();
        let waits: Vec<Wait> = self.waits.extract_if(.., is_read).collect();
        self.last_sync = waits.iter().map(|wait| wait.at).chain(self.last_sync).max();
        // Who is answered finds it in the status.
        self.show();
        for wait in waits {
            tell(wait.askers, &Ok(()));
        }
    }

    /// What was read could not be delivered yet.
    pub(super) fn tell_undelivered(&mut self, problem: &str) {
        for wait in self.waits.iter_mut().filter(|wait| wait.loading.is_empty()) {
            tell(std::mem::take(&mut wait.askers), &Err(problem.to_owned()));
        }
    }

    pub(super) fn show(&mut self) {
        let began = Instant::now();
        self.metrics.coalesced = self.quiet.coalesced();
        self.metrics.waiting = (self.quiet.len() + self.loading.len()) as u64;
        let (tasks, invalid) = self.catalog.counts();
        let watching = match (self.source.watch, &self.watch) {
            (false, _) => Watching::Off,
            (true, Some(_)) => Watching::Notify,
            (true, None) => Watching::Polling,
        };
        let new = SourceStatus {
            name: self.source.name.clone(),
            uri: self.source.uri.clone(),
            watching,
            tasks,
            invalid,
            errors: self.errors(),
            last_sync: self.last_sync,
            progress: self.progress(),
            why_polling: self.why_polling.clone().filter(|_| watching == Watching::Polling),
            metrics: self.metrics.clone(),
        };
        self.status(|status| *status = new);
        // Of a large source this takes a while: it is not done for each of many changes.
        let now = Instant::now();
        self.is_shown = true;
        self.show_due = now + SHOW_EVERY.max((now - began) * REST);
    }

    pub(super) fn status(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.shown.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn errors(&mut self) -> Vec<SourceError> {
        while self.places.len() > PROBLEMS_MAX {
            self.places.pop_last();
        }
        let folder = self.source.folder.display().to_string();
        let wrong =
            self.patterns.iter().map(|pattern| PlaceProblem::new("INVALID_PATTERN", pattern));
        let of_source =
            self.fault.iter().cloned().chain(wrong).map(|problem| (folder.clone(), problem));
        let duplicates = self.catalog.duplicates();
        let below = self.places.iter().chain(&duplicates).map(|(relative, problem)| {
            (self.catalog.absolute(relative).display().to_string(), problem.clone())
        });
        let as_error = |(path, problem): (String, PlaceProblem)| SourceError {
            path,
            code: problem.code.to_owned(),
            message: problem.message,
        };
        of_source.chain(below).take(STATUS_ERRORS_MAX).map(as_error).collect()
    }
}

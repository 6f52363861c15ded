//! Reading tasks, and what becomes of each that was read.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Instant, SystemTime};

use crate::inbox::Done;
use crate::load::{Loaded, Unloaded, load};
use crate::loads::Read;
use crate::problem::PlaceProblem;
use crate::root::Refused;
use crate::summary::Summary;
use crate::validate::validate;
use crate::walk::parent;

use super::Following;

/// How often a task that the system did not let be read is tried again.
const RETRIES_MAX: u32 = 3;

impl Following {
    pub(super) fn load(&mut self, task: &str) {
        if let Some(again) = self.loading.get_mut(task) {
            *again = true;
            return;
        }
        let Some(root) = self.root.clone() else { return self.waited_for(task) };
        self.loading.insert(task.to_owned(), false);
        let (ignore, inbox, relative) = (self.ignore.clone(), self.inbox.clone(), task.to_owned());
        self.loads.push(move || {
            if inbox.is_stopped() {
                return;
            }
            let read = || load(&root, &ignore, &relative).map(|loaded| summarised(&loaded));
            // What chokes on one task is no reason to lose the others.
            let outcome = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
                let fault = io::Error::other("argus could not judge it; its log says more");
                Err(Unloaded::Refused(Refused::Io(fault)))
            });
            inbox.put(|post| post.done.push(Done { relative, outcome }));
        });
    }

    pub(super) fn done(&mut self, done: Done) {
        let Done { relative, outcome } = done;
        let again = self.loading.remove(&relative) == Some(true);
        match outcome {
            Ok((_, read)) if read.may_pass && self.retries(&relative) => {}
            Ok((summary, read)) => {
                self.failed.remove(&relative);
                self.metrics.reloads += 1;
                self.metrics.failures += u64::from(!summary.is_valid());
                self.replace_places(&relative, read.places);
                if read.files.is_linked {
                    self.linked.insert(relative.clone());
                } else {
                    self.linked.remove(&relative);
                }
                self.read.insert(relative.clone(), (read.files, read.is_settled));
                self.catalog.found(&relative, summary);
            }
            Err(Unloaded::Gone) => self.gone(&relative),
            Err(Unloaded::Unstable) => self.quiet.note(&relative, Instant::now()),
            Err(Unloaded::Refused(_)) if self.retries(&relative) => {}
            Err(Unloaded::Refused(refused)) => {
                self.failed.remove(&relative);
                self.places.insert(relative.clone(), PlaceProblem::from(&refused));
            }
        }
        if again {
            self.load(&relative);
            return;
        }
        self.waited_for(&relative);
    }

    pub(super) fn waited_for(&mut self, task: &str) {
        for wait in &mut self.waits {
            wait.loading.remove(task);
        }
    }

    /// Whether a task is tried again that could not be read; until then it stays as it was.
    pub(super) fn retries(&mut self, relative: &str) -> bool {
        self.metrics.failures += 1;
        let failed = self.failed.entry(relative.to_owned()).or_default();
        if !self.source.watch_options.retry_on_error || *failed >= RETRIES_MAX {
            return false;
        }
        *failed += 1;
        let after = self.source.watch_options.retry_delay;
        self.quiet.note_after(relative, Instant::now(), after);
        true
    }

    pub(super) fn replace_places(&mut self, task: &str, places: Vec<(String, PlaceProblem)>) {
        let catalog = &self.catalog;
        let is_of_task = |place: &str| {
            let mut at = Some(place);
            while let Some(folder) = at.filter(|folder| *folder != task) {
                if catalog.contains(folder) {
                    return false;
                }
                at = parent(folder);
            }
            at.is_some()
        };
        self.places.retain(|place, _| !is_of_task(place));
        self.places.extend(places);
    }

    pub(super) fn gone(&mut self, relative: &str) {
        self.catalog.gone(relative);
        self.quiet.forget(relative);
        self.read.remove(relative);
        self.failed.remove(relative);
        self.linked.remove(relative);
    }
}

fn summarised(loaded: &Loaded) -> (Summary, Read) {
    let now = SystemTime::now();
    let read = Read {
        is_settled: loaded.files.stamps.values().all(|stamp| stamp.is_settled(now)),
        files: loaded.files.clone(),
        may_pass: loaded.may_pass,
        places: loaded.places.clone(),
    };
    (validate(loaded), read)
}

//! A look at all of the source.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::follower::Shown;
use crate::inbox::Asker;
use crate::platform::Watch;
use crate::problem::PlaceProblem;
use crate::root::Root;
use crate::walk::{Guide, Survey, survey};

use super::{Following, REST, Wait, milliseconds, tell};

/// How often all is looked at, whatever was told.
const RECONCILE_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often it is looked at where the system does not tell, and whether the folder is still that one.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked at where something could not be read: that it can be is told by nobody.
const UNREADABLE_EVERY: Duration = Duration::from_secs(15);

/// What a look at all of a source does with the tasks that are not as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// They are read now: at the start, and when somebody asks.
    Now,
    /// They are read when nothing changes in them any more.
    WhenQuiet,
}

impl Following {
    pub(super) fn look_where_it_is_time(&mut self) {
        let now = Instant::now();
        if now >= self.next_reconcile || (self.overflowed && now >= self.overflow_due()) {
            self.reconcile(Haste::WhenQuiet, Vec::new());
            return;
        }
        if !self.source.watch || now < self.next_poll {
            return;
        }
        self.next_poll = now + POLL_EVERY;
        let is_still = self.root.as_ref().is_some_and(|root| root.is_still(&self.source.folder));
        let is_again_due = self.last_ended.elapsed() >= UNREADABLE_EVERY.max(self.last_took * REST);
        let is_unreadable = || self.places.values().any(|place| place.code == "UNREADABLE");
        if !is_still || self.watch.is_none() || is_again_due && is_unreadable() {
            self.reconcile(Haste::WhenQuiet, Vec::new());
        }
    }

    /// Looks at all of it. Who asks for that is told when what was found is delivered, or why nothing was;
    /// that is in the status too.
    pub(super) fn reconcile(&mut self, haste: Haste, askers: Vec<Asker>) {
        let began = Instant::now();
        self.overflowed = false;
        let found = self.reconcile_now(haste);
        let now = Instant::now();
        self.last_took = now - began;
        self.last_ended = now;
        self.next_poll = now + POLL_EVERY.max(self.last_took * REST);
        if now >= self.next_reconcile || haste == Haste::Now {
            self.next_reconcile = now + RECONCILE_EVERY;
        }
        match found {
            Ok(loading) => {
                let total = loading.len() as u64;
                self.waits.push(Wait { askers, loading, total, at: milliseconds() });
            }
            Err(problem) => tell(askers, &Err(problem)),
        }
        let progress = self.progress();
        self.status(|status| status.progress = progress);
    }

    /// How far the look at all of it is, while there is one.
    pub(super) fn progress(&self) -> Option<[u64; 2]> {
        match self.waits.iter().max_by_key(|wait| wait.loading.len()) {
            Some(wait) => Some([wait.total - wait.loading.len() as u64, wait.total]),
            None if !self.has_begun || self.inbox.is_asked() => Some([0, 0]),
            None => None,
        }
    }

    pub(super) fn reconcile_now(&mut self, haste: Haste) -> Result<HashSet<String>, String> {
        let Some(root) = self.open_root() else {
            let fault = self.fault.as_ref().map(|fault| fault.message.clone());
            return Err(fault.unwrap_or_default());
        };
        self.establish_watch(&root);
        let Some(found) = self.survey(&root, "", true) else {
            return Err("it was stopped".to_owned());
        };
        self.metrics.reconciliations += 1;
        self.places = found.problems.clone();
        Ok(self.compare(found, haste))
    }

    /// Opens the folder, where it is not open or is another one by now.
    pub(super) fn open_root(&mut self) -> Option<Arc<Root>> {
        if let Some(root) = self.root.as_ref().filter(|root| root.is_still(&self.source.folder)) {
            return Some(root.clone());
        }
        self.root = None;
        self.watch = None;
        self.next_watch = Instant::now();
        self.folders.clear();
        let folder = self.source.folder.display();
        match Root::open(&self.source.folder) {
            Ok(root) => {
                self.fault = None;
                self.root = Some(Arc::new(root));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message =
                    format!("the folder {folder} is not there; it is followed when it is");
                self.fault = Some(PlaceProblem::new("UNREADABLE", message));
                self.places.clear();
                for task in self.catalog.at_or_below("") {
                    self.gone(&task);
                }
                self.take_changes();
            }
            Err(error) => {
                let message =
                    format!("the folder {folder} cannot be read: {error}; its tasks stay");
                self.fault = Some(PlaceProblem::new("UNREADABLE", message));
            }
        }
        self.root.clone()
    }

    pub(super) fn establish_watch(&mut self, root: &Root) {
        let now = Instant::now();
        if !self.source.watch || self.watch.is_some() || now < self.next_watch {
            return;
        }
        self.next_watch = now + RECONCILE_EVERY;
        let inbox = self.inbox.clone();
        let tell = Box::new(move |notice| inbox.notice(notice));
        match (self.establish)(root.path(), tell) {
            Ok(watch) => {
                self.watch = Some(watch);
                self.why_polling = None;
            }
            Err(reason) => self.poll_because(reason),
        }
    }

    pub(super) fn poll_because(&mut self, reason: String) {
        tracing::warn!(source = self.source.name, reason, "the folder is polled");
        self.watch = None;
        self.why_polling = Some(reason);
    }

    pub(super) fn survey(&mut self, root: &Root, under: &str, is_shown: bool) -> Option<Survey> {
        let mut scout = Scout {
            watch: self.watch.as_mut(),
            fault: None,
            shown: is_shown.then_some(&self.shown),
        };
        let found = survey(root, &self.ignore, under, &mut scout, &self.inbox.stop);
        if let Some(reason) = scout.fault {
            self.poll_because(reason);
        }
        found
    }

    pub(super) fn compare(&mut self, found: Survey, haste: Haste) -> HashSet<String> {
        let now = Instant::now();
        let mut loading = HashSet::new();
        for task in self.catalog.at_or_below("") {
            if found.tasks.contains_key(&task) || found.is_unknown(&task) {
                continue;
            }
            match haste {
                Haste::Now => self.gone(&task),
                Haste::WhenQuiet => self.quiet.note(&task, now),
            }
        }
        for (task, files) in &found.tasks {
            let is_same =
                self.read.get(task).is_some_and(|(read, settled)| *settled && read == files);
            let is_noted = self.quiet.contains(task) || self.loading.contains_key(task);
            match haste {
                Haste::Now if is_same && !is_noted => {}
                Haste::Now => {
                    self.quiet.forget(task);
                    self.load(task);
                    loading.insert(task.clone());
                }
                Haste::WhenQuiet if is_same => {}
                // One that waits already does not wait longer because it is looked at.
                Haste::WhenQuiet if is_noted && self.watch.is_some() => {}
                Haste::WhenQuiet => self.quiet.note(task, now),
            }
        }
        for folder in self.folders.difference(&found.folders) {
            if let Some(watch) = &mut self.watch {
                watch.forget(folder);
            }
        }
        self.folders = found.folders;
        self.take_changes();
        loading
    }
}

/// Watches the folders that a walk comes to, before they are read, and shows how far it is.
struct Scout<'a> {
    watch: Option<&'a mut Watch>,
    fault: Option<String>,
    shown: Option<&'a Arc<Shown>>,
}

impl Guide for Scout<'_> {
    fn enter(&mut self, relative: &str, folder: &File) {
        if let Some(watch) = self.watch.as_mut().filter(|_| self.fault.is_none()) {
            self.fault = watch.add(relative, folder).err();
        }
    }

    fn progress(&mut self, read: u64, known: u64) {
        if let Some(shown) = self.shown {
            let mut status = shown.status.lock().unwrap_or_else(PoisonError::into_inner);
            status.progress = Some([read, known]);
        }
    }
}

//! The thread that follows one source: it alone knows how the source stands.
//!
//! notices → quiet → loads → catalog → outbox → sink. A look at all of the source comes in between at the
//! start, when the system could not tell all, when somebody asks, and every few minutes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use argus_config::Source;
use argus_proto::method::{SourceError, SourceMetrics, SourceStatus, Watching};

use crate::catalog::{Catalog, TaskChange};
use crate::follower::{Shown, shown};
use crate::ignore::Ignore;
use crate::inbox::{Asker, Done, Inbox, Post};
use crate::limits::PROBLEMS_MAX;
use crate::load::{Loaded, Unloaded, load};
use crate::loads::{Loads, Read};
use crate::outbox::Outbox;
use crate::platform::Watch;
use crate::problem::PlaceProblem;
use crate::quiet::Quiet;
use crate::root::{Kind, Refused, Root};
use crate::sink::Sink;
use crate::validate::validate;
use crate::walk::{Files, Guide, METADATA, Survey, at_or_below, is_at_or_below, parent, survey};
use crate::watch::{Establish, Notice, What};

/// How often all is looked at, whatever was told.
const RECONCILE_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often it is looked at where the system does not tell, and whether the folder is still that one.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked at where something could not be read: that it can be is told by nobody.
const UNREADABLE_EVERY: Duration = Duration::from_secs(15);
/// Where one look at all follows the other, there are so many times what the last one took in between.
const REST: u32 = 4;
/// How often a task that the system did not let be read is tried again.
const RETRIES_MAX: u32 = 3;
/// How often the status is told anew while it changes.
const SHOW_EVERY: Duration = Duration::from_millis(20);
/// Most errors in a status.
const STATUS_ERRORS_MAX: usize = 100;

/// What a look at all of a source does with the tasks that are not as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// They are read now: at the start, and when somebody asks.
    Now,
    /// They are read when nothing changes in them any more.
    WhenQuiet,
}

/// A look at all of the source, of which not everything is delivered yet.
struct Wait {
    /// Who is told when it is.
    askers: Vec<Asker>,
    /// The tasks that are still being read because of it, of so many.
    loading: HashSet<String>,
    total: u64,
    /// When all was looked at: milliseconds since the epoch.
    at: u64,
}

pub(crate) struct Following {
    source: Source,
    sink: Box<dyn Sink>,
    establish: Establish,
    inbox: Arc<Inbox>,
    shown: Arc<Shown>,

    ignore: Arc<Ignore>,
    root: Option<Arc<Root>>,
    watch: Option<Watch>,
    why_polling: Option<String>,
    catalog: Catalog,
    quiet: Quiet,
    loads: Loads,
    outbox: Outbox,

    folders: BTreeSet<String>,
    /// What each task was read from, and whether a change since would show in that.
    read: HashMap<String, (Files, bool)>,
    /// Tasks that are being read, and whether they are to be read again then.
    loading: HashMap<String, bool>,
    failed: HashMap<String, u32>,
    /// Tasks with files that lie elsewhere: anything may concern them.
    linked: BTreeSet<String>,
    waits: Vec<Wait>,

    places: BTreeMap<String, PlaceProblem>,
    patterns: Vec<String>,
    fault: Option<PlaceProblem>,
    last_sync: Option<u64>,
    /// It was looked at all of it once, or that was tried.
    has_begun: bool,
    metrics: SourceMetrics,

    next_reconcile: Instant,
    next_poll: Instant,
    next_watch: Instant,
    last_took: Duration,
    last_ended: Instant,
    overflowed: bool,
    is_shown: bool,
    show_due: Instant,
}

impl Following {
    pub(crate) fn new(
        source: Source,
        known: Vec<(String, String)>,
        sink: Box<dyn Sink>,
        establish: Establish,
        inbox: Arc<Inbox>,
        shown_to_all: Arc<Shown>,
    ) -> Self {
        let now = Instant::now();
        let options = &source.watch_options;
        let (ignore, patterns) = Ignore::new(&options.ignore_patterns);
        let mut following = Following {
            ignore: Arc::new(ignore),
            root: None,
            watch: None,
            why_polling: None,
            catalog: Catalog::new(&source.name, &shown(&source.folder), known),
            quiet: Quiet::new(options.debounce),
            loads: Loads::new(options.max_concurrent_reloads),
            outbox: Outbox::default(),
            folders: BTreeSet::new(),
            read: HashMap::new(),
            loading: HashMap::new(),
            failed: HashMap::new(),
            linked: BTreeSet::new(),
            waits: Vec::new(),
            places: BTreeMap::new(),
            patterns,
            fault: None,
            last_sync: None,
            has_begun: false,
            metrics: SourceMetrics::default(),
            next_reconcile: now,
            next_poll: now,
            next_watch: now,
            last_took: Duration::ZERO,
            last_ended: now,
            overflowed: false,
            is_shown: false,
            show_due: now,
            source,
            sink,
            establish,
            inbox,
            shown: shown_to_all,
        };
        following.show();
        following
    }

    /// Until it is stopped.
    pub(crate) fn run(&mut self) {
        self.reconcile(Haste::Now, Vec::new());
        self.has_begun = true;
        self.show();
        loop {
            if Instant::now() >= self.show_due {
                self.show();
            }
            let Some(post) = self.inbox.take(self.next_deadline()) else { return };
            self.is_shown = false;
            self.take(post);
            self.look_where_it_is_time();
            for task in self.quiet.due(Instant::now()) {
                self.load(&task);
            }
            self.deliver();
        }
    }

    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let mut deadline = self.next_reconcile;
        if self.source.watch {
            deadline = deadline.min(self.next_poll);
        }
        if self.overflowed {
            deadline = deadline.min(self.overflow_due());
        }
        if !self.is_shown {
            deadline = deadline.min(self.show_due);
        }
        for other in [self.quiet.next_deadline(), self.outbox.next_deadline(now)] {
            deadline = other.map_or(deadline, |other| deadline.min(other));
        }
        deadline
    }

    fn overflow_due(&self) -> Instant {
        self.last_ended + self.last_took * REST
    }

    fn take(&mut self, post: Post) {
        self.notices(post.notices);
        for done in post.done {
            self.done(done);
        }
        for (id, now) in post.reasserted {
            self.reassert(id, now.as_deref());
        }
        if !post.askers.is_empty() {
            self.reconcile(Haste::Now, post.askers);
        }
    }

    /// Deletes nothing: a record that is wanted is put again, and another is taken away.
    fn reassert(&mut self, id: String, now: Option<&str>) {
        let is_ours = id.strip_prefix(&self.source.name).is_some_and(|rest| rest.starts_with('/'));
        match self.catalog.wanted(&id) {
            Some(TaskChange::Put { record, .. }) if Some(record.as_str()) == now => {}
            Some(put) => self.outbox.push(put),
            None if is_ours && now.is_some() => {
                self.outbox.push(TaskChange::Remove { id, path: PathBuf::new() });
            }
            None => {}
        }
    }

    // What the system tells.

    fn notices(&mut self, notices: Vec<Notice>) {
        let now = Instant::now();
        let mut appeared = BTreeSet::new();
        let mut is_any = false;
        for notice in notices {
            self.metrics.events += 1;
            match notice {
                Notice::All => {
                    self.metrics.overflows += 1;
                    self.overflowed = true;
                }
                // The source's own folder went, or came.
                Notice::At { relative, .. } if relative.is_empty() => self.next_poll = now,
                Notice::At { relative, .. } if self.ignore.path(&relative) => {}
                Notice::At { relative, what } => {
                    is_any = true;
                    if what == What::Vanished {
                        self.vanished(&relative, now);
                    }
                    if what == What::Appeared && self.is_folder(&relative) {
                        appeared.insert(relative.clone());
                    }
                    self.note_owners(&relative, now);
                }
            }
        }
        if is_any {
            for task in self.linked.clone() {
                self.quiet.note(&task, now);
            }
        }
        self.look_into(appeared);
    }

    fn is_folder(&mut self, relative: &str) -> bool {
        let Some(root) = &self.root else { return false };
        match root.behind_link(relative) {
            Ok(Kind::Folder(_)) => !self.ignore.folder(relative),
            Err(refused @ Refused::Escapes) => {
                self.places.insert(relative.to_owned(), PlaceProblem::from(&refused));
                false
            }
            _ => false,
        }
    }

    fn vanished(&mut self, relative: &str, now: Instant) {
        self.places.retain(|place, _| !is_at_or_below(place, relative));
        if !self.folders.contains(relative) {
            return;
        }
        if let Some(watch) = &mut self.watch {
            watch.forget(relative);
        }
        for folder in at_or_below(&self.folders, relative) {
            self.folders.remove(&folder);
        }
        for task in self.catalog.at_or_below(relative) {
            self.quiet.note(&task, now);
        }
    }

    /// Notes the task to which a file belongs. `metadata.json` decides to which one the files below belong:
    /// so it concerns the one above as well.
    fn note_owners(&mut self, relative: &str, now: Instant) {
        let folder = parent(relative).unwrap_or("");
        let is_metadata = relative.rsplit('/').next() == Some(METADATA);
        let mut above = Some(folder);
        if is_metadata {
            self.quiet.note(folder, now);
            above = parent(folder);
        }
        while let Some(folder) = above {
            if self.is_task(folder) {
                return self.quiet.note(folder, now);
            }
            above = parent(folder);
        }
    }

    fn is_task(&self, relative: &str) -> bool {
        self.catalog.contains(relative)
            || self.loading.contains_key(relative)
            || self.quiet.contains(relative)
    }

    /// Looks into folders that are new: for their own folders, that were there before they were watched.
    fn look_into(&mut self, appeared: BTreeSet<String>) {
        let Some(root) = self.root.clone() else { return };
        let mut last: Option<String> = None;
        for folder in appeared {
            if last.as_deref().is_some_and(|last| is_at_or_below(&folder, last)) {
                continue;
            }
            let Some(found) = self.survey(&root, &folder, false) else { return };
            let now = Instant::now();
            self.folders.extend(found.folders);
            self.places.extend(found.problems);
            for task in found.tasks.into_keys() {
                self.quiet.note(&task, now);
            }
            self.note_owners(&folder, now);
            last = Some(folder);
        }
    }

    // A look at all of it.

    fn look_where_it_is_time(&mut self) {
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
    fn reconcile(&mut self, haste: Haste, askers: Vec<Asker>) {
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
    fn progress(&self) -> Option<[u64; 2]> {
        match self.waits.iter().max_by_key(|wait| wait.loading.len()) {
            Some(wait) => Some([wait.total - wait.loading.len() as u64, wait.total]),
            None if !self.has_begun || self.inbox.is_asked() => Some([0, 0]),
            None => None,
        }
    }

    fn reconcile_now(&mut self, haste: Haste) -> Result<HashSet<String>, String> {
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
    fn open_root(&mut self) -> Option<Arc<Root>> {
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

    fn establish_watch(&mut self, root: &Root) {
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

    fn poll_because(&mut self, reason: String) {
        tracing::warn!(source = self.source.name, reason, "the folder is polled");
        self.watch = None;
        self.why_polling = Some(reason);
    }

    fn survey(&mut self, root: &Root, under: &str, is_shown: bool) -> Option<Survey> {
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

    fn compare(&mut self, found: Survey, haste: Haste) -> HashSet<String> {
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

    // Reading tasks.

    fn load(&mut self, task: &str) {
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

    fn done(&mut self, done: Done) {
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

    fn waited_for(&mut self, task: &str) {
        for wait in &mut self.waits {
            wait.loading.remove(task);
        }
    }

    /// Whether a task is tried again that could not be read; until then it stays as it was.
    fn retries(&mut self, relative: &str) -> bool {
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

    fn replace_places(&mut self, task: &str, places: Vec<(String, PlaceProblem)>) {
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

    fn gone(&mut self, relative: &str) {
        self.catalog.gone(relative);
        self.quiet.forget(relative);
        self.read.remove(relative);
        self.failed.remove(relative);
        self.linked.remove(relative);
    }

    // What comes of it.

    fn take_changes(&mut self) {
        for change in self.catalog.take_changes(milliseconds()) {
            self.outbox.push(change);
        }
    }

    fn deliver(&mut self) {
        // What belongs together, as a task that moved, is told together.
        if self.loading.is_empty() || self.catalog.dirty() >= crate::outbox::BATCH_MAX {
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
    fn complete(&mut self) {
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
    fn tell_undelivered(&mut self, problem: &str) {
        for wait in self.waits.iter_mut().filter(|wait| wait.loading.is_empty()) {
            tell(std::mem::take(&mut wait.askers), &Err(problem.to_owned()));
        }
    }

    fn show(&mut self) {
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

    fn status(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.shown.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    fn errors(&mut self) -> Vec<SourceError> {
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
            let mut status = shown.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            status.progress = Some([read, known]);
        }
    }
}

fn summarised(loaded: &Loaded) -> (crate::summary::Summary, Read) {
    let now = SystemTime::now();
    let read = Read {
        is_settled: loaded.files.stamps.values().all(|stamp| stamp.is_settled(now)),
        files: loaded.files.clone(),
        may_pass: loaded.may_pass,
        places: loaded.places.clone(),
    };
    (validate(loaded), read)
}

fn tell(askers: Vec<Asker>, answer: &Result<(), String>) {
    for asker in askers {
        // Who does not wait any more does not want to know.
        let _ = asker.send(answer.clone());
    }
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! The thread that follows one source: it alone knows how the source stands.
//!
//! notices → quiet → loads → catalog → outbox → sink. A look at all of the source comes in between at the
//! start, when the system could not tell all, when somebody asks, and every few minutes.

mod notices;
mod outcome;
mod reading;
mod reconcile;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use argus_config::Source;
use argus_proto::method::SourceMetrics;

use crate::catalog::{Catalog, TaskChange};
use crate::follower::{Shown, shown};
use crate::ignore::Ignore;
use crate::inbox::{Asker, Inbox, Post};
use crate::loads::Loads;
use crate::outbox::Outbox;
use crate::platform::Watch;
use crate::problem::PlaceProblem;
use crate::quiet::Quiet;
use crate::root::Root;
use crate::sink::Sink;
use crate::walk::Files;
use crate::watch::Establish;
use reconcile::Haste;

/// Where one look at all follows the other, there are so many times what the last one took in between.
const REST: u32 = 4;
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

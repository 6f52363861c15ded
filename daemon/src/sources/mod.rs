//! The folders of tasks that this daemon follows: which, and how far.
//!
//! 1. What there is to follow stands in `config.yaml` and in the collection `sources`; this only carries it
//!    out. Settings that are wrong change nothing.
//! 2. Each source has a thread of its own, which reads folders and waits for the registry. It is stopped on
//!    a thread as well: it may be waiting for this one.
//! 3. The collection `tasks` is what the folders say: what others write into it is written over.

mod asked;
mod sink;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argus_config::{Config, KnownSource, is_invalid, known_sources};
use argus_proto::adoption::{Adopted, Adoption};
use argus_proto::collection::{SOURCES, TASKS};
use argus_proto::engine::Reason;
use argus_proto::error::Result;
use argus_proto::evidence::Evidence;
use argus_proto::method::{SourceError, SourceStatus, Watching};
use argus_tasks::Follower;
use tokio::sync::watch;

use crate::daemon::Daemon;
use crate::owner::until;
use crate::registry::Registry;
use crate::serve::beside_the_others;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
pub(crate) use asked::serve;
use sink::TaskSink;

/// How long after a failure it is tried again to do what is to be done.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The sources of one daemon.
#[derive(Default)]
pub(crate) struct Sources {
    /// Whoever changes which there are holds this: it takes several steps.
    changing: tokio::sync::Mutex<Seen>,
    /// Nobody waits in here.
    running: Mutex<BTreeMap<String, Running>>,
}

/// What was seen when it was last looked.
#[derive(Default)]
struct Seen {
    /// Up to which change of the tasks it was looked whether others made it.
    tasks: u64,
    /// What everything follows from, as it was when nothing was left to do. Of all that happens to all
    /// collections little concerns the sources.
    settled: Option<Grounds>,
}

/// What there is to do follows from these.
struct Grounds {
    /// Replaced as a whole.
    settings: Arc<Config>,
    /// Where the collection of sources stands, and that of tasks, if it is open.
    sources: u64,
    tasks: Option<u64>,
}

struct Running {
    known: KnownSource,
    /// `None`: it is paused, or could not be followed.
    follower: Option<Follower>,
    problem: Option<String>,
}

/// Follows the sources until the daemon ends.
pub(crate) async fn follow(daemon: Arc<Daemon>, mut settings: watch::Receiver<Settings>) {
    let mut changes = daemon.pulse.changes.subscribe();
    loop {
        let again = match daemon.sources.look(&daemon).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!("cannot follow the sources: {}", error.message);
                Some(Instant::now() + TRY_AGAIN_AFTER)
            }
        };
        tokio::select! {
            changed = settings.changed() => if changed.is_err() { return },
            changed = changes.changed() => if changed.is_err() { return },
            () = until(again) => {}
            _ = daemon.stop.requested() => return,
        }
    }
}

/// The sources that there are to follow, and whether that can be relied on: what is only shown in the
/// place of settings that cannot be read says nothing about what is gone.
async fn known_now(daemon: &Daemon) -> Result<(Vec<KnownSource>, bool)> {
    let settings = daemon.settings();
    let added = daemon.registries.registry(Some(&SOURCES.name)).await?.snapshot();
    let is_reliable = settings.was_right && added.unknown_document().is_none();
    Ok((known_sources(&settings.config.sources, &added.document), is_reliable))
}

impl Grounds {
    async fn now(daemon: &Daemon) -> Result<Self> {
        let revision = |registry: &Registry| registry.snapshot().revision;
        Ok(Grounds {
            settings: daemon.config(),
            sources: revision(&daemon.registries.registry(Some(&SOURCES.name)).await?),
            tasks: daemon.registries.opened(&TASKS.name).as_ref().map(revision),
        })
    }

    fn are(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings)
            && (self.sources, self.tasks) == (other.sources, other.tasks)
    }
}

impl Sources {
    /// Whether any folder is followed: then the daemon is of use though nobody is connected.
    pub(crate) fn is_any_followed(&self) -> bool {
        self.running().values().any(|running| running.follower.is_some())
    }

    /// How each source is, by name. `tasks` is the collection, if it is open.
    pub(crate) fn list(&self, tasks: Option<&Registry>) -> Vec<SourceStatus> {
        let tasks = tasks.map(Registry::snapshot);
        self.running().values().map(|running| running.status(tasks.as_deref())).collect()
    }

    /// Script and schemas of a task, if they are on the disk still what its record says.
    pub(crate) fn contents(&self, id: &str, record: &str) -> Option<argus_database::Contents> {
        #[derive(serde::Deserialize)]
        struct Task {
            path: PathBuf,
            checksum: String,
        }
        let task: Task = serde_json::from_str(record).ok()?;
        let source = self.running().get(source_of(id)?)?.known.source.clone();
        let contents = argus_tasks::contents(&source, &task.path).ok()?;
        (contents.checksum == task.checksum).then_some(argus_database::Contents {
            checksum: contents.checksum,
            metadata: Some(contents.metadata),
            script: contents.script,
            input_schema: contents.input_schema,
            output_schema: contents.output_schema,
        })
    }

    /// Goes on with the sources that there are now.
    async fn look(self: &Arc<Self>, daemon: &Arc<Daemon>) -> Result<()> {
        let mut seen = self.changing.lock().await;
        let grounds = Grounds::now(daemon).await?;
        let is_settled = seen.settled.as_ref().is_some_and(|settled| settled.are(&grounds));
        if daemon.stop.is_requested() || is_settled {
            return Ok(());
        }
        seen.settled = None;
        let (known, is_reliable) = known_now(daemon).await?;
        if is_reliable {
            self.end_all_but(&known).await;
        }
        let is_of_use = !known.is_empty() || daemon.registries.has_file(&TASKS);
        if is_of_use {
            let tasks = daemon.registries.registry(Some(&TASKS.name)).await?;
            let (sources, registry) = (self.clone(), tasks.clone());
            // Of a large source all records are read first.
            beside_the_others(true, move || sources.begin(known, &registry)).await?;
            self.reassert(&mut seen, &tasks.snapshot());
            if is_reliable {
                self.remove_orphans(&tasks).await?;
            }
        }
        // What it has itself changed meanwhile is looked at once more; and what cannot be relied on until it
        // can be.
        seen.settled = is_reliable.then_some(grounds);
        Ok(())
    }

    /// Ends what is not to be followed any more, or not in this way.
    async fn end_all_but(&self, known: &[KnownSource]) {
        let ended: Vec<Running> = {
            let mut running = self.running();
            let names: Vec<String> = running
                .iter()
                .filter(|(_, running)| !known.contains(&running.known))
                .map(|(name, _)| name.clone())
                .collect();
            names.iter().filter_map(|name| running.remove(name)).collect()
        };
        if !ended.is_empty() {
            // What cannot be ended ends with the daemon.
            let _ = beside_the_others(true, move || drop(ended)).await;
        }
    }

    /// Begins what is not followed yet.
    fn begin(&self, known: Vec<KnownSource>, tasks: &Registry) {
        for known in known {
            let name = known.source.name.clone();
            if self.running().contains_key(&name) {
                continue;
            }
            let started = match known.is_paused {
                true => Ok(None),
                false => {
                    let sink = TaskSink::new(tasks.clone(), &name);
                    let records = records_of(&name, &tasks.snapshot());
                    Follower::start(known.source.clone(), records, sink).map(Some)
                }
            };
            let (follower, problem) = match started {
                Ok(follower) => (follower, None),
                Err(error) => (None, Some(format!("cannot be followed: {error}"))),
            };
            self.running().insert(name, Running { known, follower, problem });
        }
    }

    /// Has the records written again that others have changed.
    fn reassert(&self, seen: &mut Seen, tasks: &Snapshot) {
        let is_gap = seen.tasks < tasks.kept_from();
        let foreign: BTreeSet<&str> = tasks
            .changes_after(seen.tasks)
            .filter(|kept| is_gap || kept.change.reason != Reason::Source)
            .map(|kept| &*kept.change.id)
            .collect();
        seen.tasks = tasks.revision;
        for (name, running) in self.running().iter() {
            let Some(follower) = &running.follower else { continue };
            let own = foreign.iter().filter(|id| source_of(id) == Some(name));
            let records = own.map(|id| {
                let record = tasks.document.records.get(id);
                ((*id).to_owned(), record.map(|record| record.text().to_owned()))
            });
            let records: Vec<(String, Option<String>)> = records.collect();
            if is_gap {
                // Whoever waits for it waits elsewhere.
                drop(follower.sync());
            } else if !records.is_empty() {
                follower.reassert(records);
            }
        }
    }

    /// Removes the tasks of sources that there are no more.
    async fn remove_orphans(&self, tasks: &Registry) -> Result<()> {
        let snapshot = tasks.snapshot();
        let records: Vec<Adopted> = {
            let running = self.running();
            let is_orphan =
                |id: &str| !source_of(id).is_some_and(|name| running.contains_key(name));
            let orphans = snapshot.document.records.iter().filter(|(id, _)| is_orphan(id));
            orphans.map(|(id, _)| orphan(id)).collect()
        };
        if records.is_empty() {
            return Ok(());
        }
        let adoption = Adoption { reason: Reason::Source, records };
        tasks.adopt(adoption, sink::limits()).await
    }

    /// Looks at all of one source, or of every one, and waits for that as long as there is time.
    async fn sync(&self, name: Option<&str>, time: Duration) -> Result<()> {
        let waits: Vec<_> = self
            .running()
            .iter()
            .filter(|(other, _)| name.is_none_or(|name| name == *other))
            .filter_map(|(_, running)| Some(running.follower.as_ref()?.sync()))
            .collect();
        let until = Instant::now() + time;
        beside_the_others(true, move || {
            for wait in waits {
                // Who is asked again says how far it is, and what was wrong.
                let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
            }
        })
        .await
    }

    /// Ends all of them. Nothing is begun any more.
    pub(crate) async fn stop(&self) {
        let _changing = self.changing.lock().await;
        let ended = std::mem::take(&mut *self.running());
        let _ = beside_the_others(true, move || drop(ended)).await;
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        // What is changed in there is whole at every step.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn status(&self, tasks: Option<&Snapshot>) -> SourceStatus {
        let source = &self.known.source;
        let status = match (&self.follower, tasks) {
            (Some(follower), _) => follower.status(),
            // Its tasks are there still.
            (None, Some(tasks)) => {
                let own = records_of(&source.name, tasks);
                let invalid = own.iter().filter(|(_, record)| is_invalid(record)).count() as u64;
                SourceStatus { tasks: own.len() as u64, invalid, ..SourceStatus::default() }
            }
            (None, None) => SourceStatus::default(),
        };
        let mut errors = status.errors;
        errors.extend(self.problem.iter().map(|problem| SourceError {
            path: source.folder.to_string_lossy().into_owned(),
            code: "UNREADABLE".to_owned(),
            message: problem.clone(),
        }));
        errors.extend(self.known.hides.iter().map(|uri| {
            SourceError {
                path: uri.clone(),
                code: "DUPLICATE_NAME".to_owned(),
                message:
                    "was added by command under the name that config.yaml gives another folder"
                        .to_owned(),
            }
        }));
        let watching = match self.known.is_paused {
            true => Watching::Paused,
            false => status.watching,
        };
        let (name, uri) = (source.name.clone(), source.uri.clone());
        SourceStatus { name, uri, watching, errors, ..status }
    }
}

/// The source that a task's id names.
fn source_of(id: &str) -> Option<&str> {
    id.split_once('/').map(|(source, _)| source)
}

/// The records of one source.
fn records_of(source: &str, tasks: &Snapshot) -> Vec<(String, String)> {
    let own = tasks.document.records.iter().filter(|(id, _)| source_of(id) == Some(source));
    own.map(|(id, record)| (id.to_string(), record.text().to_owned())).collect()
}

fn orphan(id: &str) -> Adopted {
    let (source, detail) = match source_of(id) {
        Some(source) => (Some(source.to_owned()), format!("the source `{source}` was removed")),
        None => (None, "it belongs to no source".to_owned()),
    };
    let evidence = Evidence { source, detail: Some(detail), ..Evidence::default() };
    Adopted { id: id.to_owned(), record: None, evidence }
}

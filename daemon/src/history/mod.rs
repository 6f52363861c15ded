//! The past of this daemon's collections: the database that keeps it, and what is answered from it.

mod followed;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argus_config::Config;
use argus_database::{Activity, Database, History, Options, explain, keeps_none};
use argus_presence::clock;
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::{Changes, DatabaseStatus, Explanation, Get, Warning};
use argus_proto::{Answer, Call, Request};
use argus_store::quarantine;

use crate::daemon::Daemon;
use crate::serve::{Peer, answer_in, beside_the_others, from_memory};
use followed::Followed;

/// How long an answer waits for what happened a moment ago to be in the database.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether a record is there that comes and goes while its past is read.
const LOOKS_MAX: u32 = 4;

/// The database of one daemon.
#[derive(Default)]
pub(crate) struct Historian(Mutex<Option<Running>>);

struct Running {
    options: Options,
    /// Why there is none.
    database: Result<Database>,
}

/// Wakes the database after each change, until the daemon ends.
pub(crate) async fn follow(daemon: Arc<Daemon>) {
    let mut changes = daemon.pulse.changes.subscribe();
    while changes.changed().await.is_ok() {
        daemon.history.wake();
    }
}

/// Answers what is asked about the past.
pub(crate) async fn serve(daemon: &Arc<Daemon>, peer: &Peer, call: Call) -> Result<Answer> {
    let registry = daemon.registries.registry(call.collection.as_deref()).await?;
    let collection = registry.name.clone();
    let deadline = call.deadline;
    let is_kept = daemon.history.path().is_some();
    // What happened up to here is in it, if the disk is quick enough: `status` tells how far it is behind.
    let flush = || {
        let (path, flushed) = (daemon.history.path(), daemon.history.flush());
        let wait = FLUSH_WAIT.min(answer_in(deadline));
        move || -> Result<Option<History>> {
            let _ = flushed.map(|flushed| flushed.recv_timeout(wait));
            Ok(path.map(|path| History::open(&path)).transpose()?.flatten())
        }
    };
    match call.request {
        Request::Why(ref why) => {
            let get = Call { request: Get { id: why.id.clone() }.into(), ..call.clone() };
            let found = async || match from_memory(&registry, peer.pid, &get).await {
                Ok(Answer::Get(found)) => Ok(Some(found)),
                Err(error) if error.code != Code::NotFound => Err(error),
                _ => Ok(None),
            };
            let mut now = found().await?;
            let mut looks = 1;
            loop {
                let (open, collection) = (flush(), collection.clone());
                let (why, before) = (why.clone(), now);
                let had_it = before.is_some();
                let explained = move || {
                    explain(open()?.as_ref(), &collection, &why, before.as_ref(), clock::wall_ms())
                };
                let explanation = beside_the_others(true, explained).await?;
                now = found().await?;
                looks += 1;
                // What came or went meanwhile would be told as the work of somebody unseen.
                if now.is_some() == had_it || looks > LOOKS_MAX {
                    let behind = daemon.history.behind();
                    return explanation
                        .map(|explanation| Answer::Why(Explanation { behind, ..explanation }));
                }
            }
        }
        Request::History(history) => {
            let open = flush();
            let changes = move || {
                let Some(open) = open()? else {
                    return if is_kept { Ok(Changes::default()) } else { Err(keeps_none()) };
                };
                Ok(open.changes(Some(&collection), &history, clock::wall_ms())?)
            };
            let changes = beside_the_others(true, changes).await?;
            let behind = daemon.history.behind();
            changes.map(|changes| Answer::History(Changes { behind, ..changes }))
        }
        other => Err(Error::new(Code::Protocol, format!("`{}` is not served", other.method()))),
    }
}

impl Historian {
    /// Goes on as the settings say. Ends the database that is not as they say: on a thread, since that
    /// waits for a disk.
    pub(crate) async fn describe(&self, daemon: &Daemon, config: &Config) {
        let wanted = config.database.file(&daemon.paths.folder()).map(|path| Options {
            path,
            quarantine_folder: quarantine::folder(&daemon.paths),
            on_conflict: config.database.on_conflict,
        });
        if self.running().as_ref().map(|running| &running.options) == wanted.as_ref() {
            return;
        }
        self.stop().await;
        let Some(options) = wanted else { return };
        let (registries, sources) = (daemon.registries.clone(), daemon.sources.clone());
        let database = Database::start(options.clone(), Followed { registries, sources });
        let database = database.map_err(|error| {
            Error::new(Code::Io, format!("the database cannot be started: {error}"))
        });
        *self.running() = Some(Running { options, database });
    }

    /// Has everything written that can be written quickly, and ends it.
    pub(crate) async fn stop(&self) {
        let running = self.running().take();
        if let Some(Running { database: Ok(database), .. }) = running {
            // What it could not write is found again by comparing, at the next start.
            let _ = beside_the_others(true, move || database.stop()).await;
        }
    }

    fn wake(&self) {
        if let Some(Running { database: Ok(database), .. }) = &*self.running() {
            database.wake();
        }
    }

    fn flush(&self) -> Option<argus_database::Flushed> {
        match &*self.running() {
            Some(Running { database: Ok(database), .. }) => Some(database.flush()),
            _ => None,
        }
    }

    fn path(&self) -> Option<PathBuf> {
        self.running().as_ref().map(|running| running.options.path.clone())
    }

    /// How the database is; `None` where there is none.
    pub(crate) fn status(&self) -> Option<DatabaseStatus> {
        let running = self.running();
        let Running { options, database } = running.as_ref()?;
        let file = options.path.to_string_lossy().into_owned();
        let status = match database {
            Ok(database) => database.status(),
            Err(error) => {
                let problem = Some(error.message.clone());
                return Some(DatabaseStatus { file, problem, ..DatabaseStatus::default() });
            }
        };
        let problem = match status.activity {
            Activity::Waiting { error, .. } => Some(error.message),
            Activity::Opening | Activity::Working => None,
        };
        Some(DatabaseStatus {
            file,
            problem,
            queued: status.queued,
            lag_ms: status.lag_ms,
            dropped: status.dropped,
            rows: status.rows_written,
            batches: status.batches,
            failures: status.failures,
            kept: status.kept,
            set_aside: status.set_aside,
        })
    }

    /// Why what happened last may not be in it.
    fn behind(&self) -> Option<String> {
        let status = self.status()?;
        let problem = status.problem.filter(|_| status.queued > 0)?;
        Some(format!("{} changes wait to be written: {problem}", status.queued))
    }

    /// What is wrong with it, for people.
    pub(crate) fn warning(&self) -> Option<Warning> {
        let status = self.status()?;
        let problem = status.problem?;
        let message = format!("{problem}; history and tasks are written to it when it can be");
        Some(Warning { code: Code::Io, message })
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // What is changed in there is whole at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The same work on the file, by this process: with the same rules, under the same locks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argus_presence::reachable::{RESOLVE_TIMEOUT, reachable};
use argus_presence::{ThisMachine, clock};
use argus_proto::collection::Collection;
use argus_proto::document::{Document, Unreadable};
use argus_proto::engine::{self, Context};
use argus_proto::error::{Code, Error, Result};
use argus_proto::method::resolve::{self, Resolution};
use argus_proto::method::{Resolve, Warning};
use argus_proto::{Answer, Request};
use argus_store::lockfile::StaleAfter;
use argus_store::{Paths, Reading, RegistryFile, Source, Transaction};

use crate::description::Described;

/// How many files are kept for the next call, with what was last seen of them.
const IDLE_FILES_MAX: usize = 4;

/// The file of one collection. Calls block; who must not calls on a thread.
#[derive(Clone)]
pub(crate) struct Direct {
    collection: Arc<Collection>,
    registry: Paths,
    paths: Paths,
    stale_after: StaleAfter,
    lock_wait: Duration,
    /// Nobody waits for one: who finds none opens another, and the store puts them in order.
    idle: Arc<Mutex<Vec<RegistryFile>>>,
    notices: Arc<Mutex<Vec<Warning>>>,
}

impl Direct {
    /// The file of the collection that is described.
    pub(crate) fn new(registry: &Paths, described: &Described) -> Result<Self> {
        Ok(Direct {
            paths: described.paths.clone()?,
            collection: described.collection.clone(),
            registry: registry.clone(),
            stale_after: described.stale_after,
            lock_wait: described.lock_wait,
            idle: Arc::default(),
            notices: Arc::default(),
        })
    }

    /// Carries out a request. Waits for the locks until `until` at the longest.
    pub(crate) fn call(&self, request: &Request, until: Instant) -> Result<Answer> {
        match request {
            Request::Get(get) => {
                let reading = self.read()?;
                let found = get.answer(&reading.document, self.context());
                found.map(Answer::Get).map_err(|error| self.not_in_a_damaged_file(error, &reading))
            }
            Request::GetDocument(get) => {
                let reading = self.read()?;
                match &reading.problem {
                    // What is shown instead would be taken for what stands there.
                    Some((problem, instead))
                        if problem.code() == Code::UnsupportedVersion
                            || *instead == Source::Empty =>
                    {
                        Err(self.problem(problem))
                    }
                    _ => Ok(Answer::GetDocument(get.answer(&reading.document))),
                }
            }
            Request::List(list) => {
                let reading = self.read()?;
                let mut listing = list.answer(&reading.document, self.context());
                listing.warnings = self.warnings(&reading);
                Ok(Answer::List(listing))
            }
            Request::Resolve(resolve) => self.resolve(resolve, until).map(Answer::Resolve),
            Request::Hello(_)
            | Request::Status(_)
            | Request::Shutdown(_)
            | Request::Subscribe(_)
            | Request::Unsubscribe(_) => {
                Err(Error::new(Code::Unreachable, "no argusd is running")
                    .hint("argus daemon start"))
            }
            change => self.change(change, until),
        }
    }

    /// All of the collection, as it can be read.
    #[cfg(feature = "config")]
    pub(crate) fn document(&self) -> Result<Document> {
        Ok(self.read()?.document)
    }

    /// What is wrong with the file.
    pub(crate) fn look(&self) -> Result<Vec<Warning>> {
        Ok(self.warnings(&self.read()?))
    }

    pub(crate) fn collection(&self) -> &Arc<Collection> {
        &self.collection
    }

    /// A file of its own, to be looked at again and again.
    pub(crate) fn file(&self) -> RegistryFile {
        RegistryFile::new(self.paths.clone(), self.collection.clone(), self.stale_after)
            .served_with(&self.registry)
    }

    fn read(&self) -> Result<Reading> {
        let file = self.take_file();
        let reading = file.read();
        self.put_file(file);
        Ok(reading?)
    }

    fn warnings(&self, reading: &Reading) -> Vec<Warning> {
        let Some((problem, source)) = &reading.problem else { return Vec::new() };
        let error = self.problem(problem);
        let message = match error.code {
            Code::Corrupt => format!("{}; showing {}", error.message, source.name()),
            _ => error.message,
        };
        vec![Warning { code: error.code, message }]
    }

    /// That a record is not in what is left of a damaged file says nothing.
    fn not_in_a_damaged_file(&self, error: Error, reading: &Reading) -> Error {
        match &reading.problem {
            Some((problem, _)) if error.code == Code::NotFound => self.problem(problem),
            _ => error,
        }
    }

    fn problem(&self, problem: &Unreadable) -> Error {
        problem.at(&self.paths.registry().to_string_lossy())
    }

    fn resolve(&self, request: &Resolve, until: Instant) -> Result<resolve::Resolved> {
        let reading = self.read()?;
        let started = request
            .start(&reading.document, self.context())
            .map_err(|error| self.not_in_a_damaged_file(error, &reading))?;
        match started {
            Resolution::Done(resolved) => Ok(resolved),
            Resolution::Probe(candidates) => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Error::new(
                        Code::Timeout,
                        "there was no time left to ask the watchers whether they answer",
                    )
                    .hint("argus resolve ID, or a longer --request-timeout"));
                }
                let answering = reachable(&candidates, RESOLVE_TIMEOUT.min(left));
                resolve::finish(candidates.len(), &answering)
            }
        }
    }

    fn change(&self, request: &Request, until: Instant) -> Result<Answer> {
        let mut file = self.take_file();
        let wait = self.lock_wait.min(until.saturating_duration_since(Instant::now()));
        let mut change = Change { request, context: self.context(), outcome: None };
        let updated = file.update(wait, &mut change);
        let recoveries = file.take_recoveries().into_iter();
        let is_behind = file.is_behind();
        self.put_file(file);
        updated?;
        if is_behind {
            let path = self.paths.registry().display();
            let message =
                format!("the change is durable, but {path} could not be written to show it");
            self.notice(Warning { code: Code::Io, message });
        }
        self.notices().extend(
            recoveries
                .map(|recovery| Warning { code: Code::Corrupt, message: recovery.to_string() }),
        );
        change.outcome.unwrap_or_else(|| Err(Error::new(Code::Io, "the change was not applied")))
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            collection: &self.collection,
            now: clock::wall_ms(),
            machine: &ThisMachine,
            caller: std::process::id(),
        }
    }

    /// Notes what happened on the way.
    pub(crate) fn notice(&self, notice: Warning) {
        self.notices().push(notice);
    }

    /// What happened on the way that is no part of an answer, since this was last asked.
    pub(crate) fn take_notices(&self) -> Vec<Warning> {
        std::mem::take(&mut *self.notices())
    }

    fn notices(&self) -> std::sync::MutexGuard<'_, Vec<Warning>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_file(&self) -> RegistryFile {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| self.file())
    }

    fn put_file(&self, file: RegistryFile) {
        let mut idle = self.idle();
        if idle.len() < IDLE_FILES_MAX {
            idle.push(file);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<RegistryFile>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Change<'a> {
    request: &'a Request,
    context: Context<'a>,
    outcome: Option<Result<Answer>>,
}

impl Transaction for Change<'_> {
    fn apply(&mut self, document: &Document) -> Option<Document> {
        // The time of the change, not that of the call: there was a wait for locks in between.
        self.context.now = clock::wall_ms();
        match engine::apply(document, self.request, self.context) {
            Err(error) => {
                self.outcome = Some(Err(error));
                None
            }
            Ok(outcome) => {
                self.outcome = Some(Ok(outcome.answer));
                outcome.differs.then(|| {
                    let mut next = outcome.document;
                    next.touch(self.context.now);
                    next
                })
            }
        }
    }
}

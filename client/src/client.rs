//! The client: one method a verb, and the rules by which a call finds its way.
//!
//! 1. A call is answered once, and within its time.
//! 2. It goes to the file only when the daemon can no longer carry it out: its deadline has
//!    passed, or the connection has ended and could not be made again.
//! 3. Reading starts no daemon and writes nothing.

use std::sync::Arc;
use std::time::Duration;

use argus_proto::call::{Call, Kind, Method};
use argus_proto::collection::Collection as Description;
use argus_proto::error::{Code, Error, Result};
use argus_proto::limits::{CALL_TIMEOUT, REQUEST_DEADLINE};
use argus_proto::method::*;
use argus_proto::{Answer, Request};
use argus_store::kernel_lock::OWNER_LOCK;
use argus_store::lockfile::StaleAfter;
use argus_store::{Folder, KernelLock, Paths, RegistryFile, Wait};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::connection::{Connection, Unanswered, is_change};
use crate::direct::Direct;
use crate::direct_history;
use crate::direct_sources;
use crate::fallback::Fallback;
use crate::link::Link;
use crate::options::{Mode, Options};
use crate::probe::{Probe, probe};
use crate::route::Route;
use crate::spawn;
use crate::status::Overview;
use crate::subscription::Subscription;
use crate::typed::Collection;

/// A way to one registry. Cheap to clone; clones share their connection.
///
/// Needs a tokio runtime with time and I/O enabled. See [`blocking::Client`](crate::blocking::Client)
/// for programs without one.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    paths: Paths,
    link: Arc<Link>,
    fallback: Arc<Fallback>,
    route: watch::Sender<Route>,
}

/// A longer time than this for one call is taken for this.
const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// What the daemon made of a request.
enum Reached {
    Answered(Result<Answer>),
    /// It was not to be had. `sent`: it may have carried the request out all the same.
    Not {
        sent: bool,
        reason: Error,
    },
}

impl Client {
    /// A client that has not connected yet. Nothing is touched before the first call; only the settings
    /// are read.
    ///
    /// # Errors
    /// `E_IO` where the registry's path cannot be one.
    pub fn new(options: Options) -> Result<Self> {
        let paths = Paths::new(&options.registry)?;
        let fallback = Arc::new(Fallback::new(paths.clone(), &options));
        let link = Arc::new(Link::new(paths.clone(), &options));
        let route = watch::Sender::new(Route::direct(None));
        Ok(Client { inner: Arc::new(Inner { options, paths, link, fallback, route }) })
    }

    /// A client as the environment says, see [`Options::from_env`].
    ///
    /// # Errors
    /// As [`Options::from_env`] and [`Client::new`].
    pub fn from_env() -> Result<Self> {
        Client::new(Options::from_env()?)
    }

    /// One collection of the registry, whose records are read and written as values of a type. Shares
    /// the connection of this client, whichever collection that works with itself. That there is none of
    /// this name is told by the first call.
    pub fn collection<T>(&self, name: &str) -> Collection<T> {
        Collection::new(self.for_collection(name))
    }

    fn for_collection(&self, name: &str) -> Self {
        let inner = &self.inner;
        let options = Options { collection: Some(name.to_owned()), ..inner.options.clone() };
        let fallback = Arc::new(Fallback::new(inner.paths.clone(), &options));
        let (paths, link) = (inner.paths.clone(), inner.link.clone());
        let route = inner.route.clone();
        Client { inner: Arc::new(Inner { options, paths, link, fallback, route }) }
    }

    /// Which way the last call went. Before the first it says `Direct`.
    pub fn route(&self) -> Route {
        self.inner.route.borrow().clone()
    }

    /// Tells of every change of [`Client::route`].
    pub fn route_changes(&self) -> watch::Receiver<Route> {
        self.inner.route.subscribe()
    }

    /// What happened on the way of the last calls that is no part of an answer: a damaged file
    /// that was set aside. Each is told once.
    pub fn take_notices(&self) -> Vec<Warning> {
        self.inner.fallback.take_notices()
    }

    /// Where the files of the registry are.
    pub fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    /// How this client works.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Adds a record, or updates one's own.
    ///
    /// # Errors
    /// `E_CONFLICT` where another live process has the name; `E_INVALID` for a record that cannot
    /// be; and what every change can meet: `E_LOCKED`, `E_CORRUPT`, `E_UNSUPPORTED_VERSION`,
    /// `E_PERMISSION`, `E_IO`, `E_TOO_LARGE`, `E_TIMEOUT`, `E_UNREACHABLE`, `E_OUTCOME_UNKNOWN`.
    pub async fn announce(&self, announce: Announce) -> Result<Announced> {
        self.call(announce).await
    }

    /// Makes a record fresh.
    ///
    /// # Errors
    /// `E_NOT_FOUND` where there is none; `E_CONFLICT` where it belongs to another process.
    pub async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<Refreshed> {
        self.call(heartbeat).await
    }

    /// Removes a record.
    ///
    /// # Errors
    /// `E_CONFLICT` where it belongs to another process, or is not the expected one.
    pub async fn remove(&self, remove: Remove) -> Result<Removed> {
        self.call(remove).await
    }

    /// Sets a record to what is given, or adds it.
    ///
    /// # Errors
    /// `E_CONFLICT` where it is not what `if_match` or `if_absent` say; `E_INVALID` for a value that
    /// cannot be such a record.
    pub async fn put(&self, put: Put) -> Result<Written> {
        self.call(put).await
    }

    /// Changes some keys of a record.
    ///
    /// # Errors
    /// `E_NOT_FOUND`, and as [`Client::put`].
    pub async fn patch(&self, patch: Patch) -> Result<Written> {
        self.call(patch).await
    }

    /// One record.
    ///
    /// # Errors
    /// `E_NOT_FOUND` where there is none.
    pub async fn get(&self, id: &str) -> Result<Found> {
        self.call(Get { id: id.to_owned() }).await
    }

    /// What stands beside the records: the other top-level keys of the file.
    ///
    /// # Errors
    /// `E_CORRUPT` and `E_UNSUPPORTED_VERSION` where that cannot be told.
    pub async fn get_document(&self) -> Result<FoundDocument> {
        self.call(GetDocument {}).await
    }

    /// Changes some of the keys beside the records.
    ///
    /// # Errors
    /// `E_CONFLICT` where the document is not what `if_match` says; `E_INVALID` for a key that holds
    /// the records or that argus keeps itself; and what every change can meet.
    pub async fn patch_document(&self, patch: PatchDocument) -> Result<Written> {
        self.call(patch).await
    }

    /// The records of the collection.
    ///
    /// # Errors
    /// What every read can meet: `E_IO`, `E_PERMISSION`, `E_UNREACHABLE`.
    pub async fn list(&self, list: List) -> Result<Listing> {
        self.call(list).await
    }

    /// Removes what is dead or too old.
    ///
    /// # Errors
    /// As [`Client::announce`], but for conflicts.
    pub async fn prune(&self, prune: Prune) -> Result<Pruned> {
        self.call(prune).await
    }

    /// Finds out which watcher is meant.
    ///
    /// # Errors
    /// `E_NOT_FOUND` where none fits, `E_AMBIGUOUS` where several do.
    pub async fn resolve(&self, resolve: Resolve) -> Result<Resolved> {
        self.call(resolve).await
    }

    /// What became of the records of the collection, and why.
    ///
    /// # Errors
    /// `E_USAGE` for a `since` that is neither a cursor that is still kept nor an age; `E_NOT_FOUND`
    /// where no history is kept.
    pub async fn history(&self, history: History) -> Result<Changes> {
        self.call(history).await
    }

    /// Why a record is there, stale or gone, in one sentence.
    ///
    /// # Errors
    /// `E_NOT_FOUND` where nothing is known of it.
    pub async fn why(&self, id: &str) -> Result<Explanation> {
        self.call(Why { id: id.to_owned() }).await
    }

    /// The folders of tasks that are followed.
    ///
    /// # Errors
    /// What every read can meet: `E_IO`, `E_PERMISSION`, `E_UNREACHABLE`.
    pub async fn sources(&self) -> Result<Sources> {
        self.call(ListSources {}).await
    }

    /// How the registry is. Answers without a daemon too.
    ///
    /// # Errors
    /// `E_UNREACHABLE` or `E_TIMEOUT` where only the daemon may be asked and does not answer.
    pub async fn status(&self) -> Result<Overview> {
        let registry = self.inner.paths.registry().to_string_lossy().into_owned();
        let is_direct = self.inner.options.mode == Mode::Direct;
        match self.call(Status {}).await {
            Ok(report) => Ok(Overview {
                registry,
                mode: if is_direct { "direct" } else { "daemon" }.to_owned(),
                warnings: report.warnings.clone(),
                daemon: Some(report),
            }),
            Err(error) if self.inner.options.mode == Mode::DaemonOnly => Err(error),
            Err(error) => {
                let mut warnings = self.look().await?;
                warnings.extend(self.take_notices());
                // That none is running is no warning; that one does not answer is.
                if error.code != Code::Unreachable {
                    warnings.push(Warning { code: error.code, message: error.message });
                }
                Ok(Overview { registry, mode: "direct".to_owned(), daemon: None, warnings })
            }
        }
    }

    /// Looks what there is at the daemon's socket, whichever way calls go. Starts nothing.
    pub async fn probe(&self) -> Probe {
        probe(&self.inner.paths, &self.inner.options.name).await
    }

    /// For how long no daemon is started, since that has failed too often of late; `None` where
    /// nothing forbids it.
    pub fn spawn_rest(&self) -> Option<Duration> {
        spawn::rest(&self.inner.paths)
    }

    /// Asks the daemon to end.
    ///
    /// # Errors
    /// `E_UNREACHABLE` where none is running.
    pub async fn shutdown(&self) -> Result<Stopping> {
        self.call(Shutdown::default()).await
    }

    /// Asks the daemon to end, and waits until it has.
    ///
    /// # Errors
    /// `E_UNREACHABLE` where none is running; `E_TIMEOUT` where it takes too long.
    pub async fn stop_daemon(&self) -> Result<Stopping> {
        let stopping = self.shutdown().await?;
        let folder = Folder::open_as_it_is(self.inner.paths.folder())?;
        let mut wait = Wait::new(CALL_TIMEOUT);
        let until = Instant::now() + self.options().request_timeout.min(CALL_TIMEOUT_MAX);
        while KernelLock::try_acquire(&folder, OWNER_LOCK)?.is_none() {
            if Instant::now() >= until {
                return Err(Error::new(Code::Timeout, "argusd was asked to end and still runs")
                    .hint("see its log: argus daemon logs"));
            }
            tokio::time::sleep(wait.next_pause()).await;
        }
        Ok(stopping)
    }

    /// Makes sure that a daemon is there, and starts one if not.
    ///
    /// # Errors
    /// Why none could be started: `E_UNREACHABLE`, `E_TIMEOUT`, `E_PERMISSION`; `E_USAGE` in direct
    /// mode.
    pub async fn start_daemon(&self) -> Result<StatusReport> {
        if self.inner.options.mode == Mode::Direct {
            return Err(Error::new(Code::Usage, "in direct mode no daemon is started")
                .hint("leave out --direct, and unset ARGUS_DAEMON"));
        }
        let connection = self.inner.link.connection(true, true).await?;
        let deadline = Instant::now() + REQUEST_DEADLINE;
        let answer = connection.call(self.envelope(Status {}.into(), deadline), deadline).await;
        let answer = answer
            .map_err(|_| Error::new(Code::Timeout, "argusd was started and does not answer"))??;
        Status::result(answer)
    }

    /// Follows the collection. Nothing is asked before the first event is waited for.
    pub fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        Subscription::new(self.clone(), subscribe)
    }

    /// Makes sure that there is a daemon.
    pub(crate) async fn connect(&self, may_spawn: bool) -> Result<()> {
        let insist = self.inner.options.mode == Mode::DaemonOnly;
        self.inner.link.connection(may_spawn, insist).await.map(drop)
    }

    /// The way on the file.
    ///
    /// # Errors
    /// `E_USAGE` where the settings know no such collection.
    pub(crate) fn direct(&self) -> Result<Direct> {
        self.inner.fallback.direct()
    }

    /// What the collection is that this client works with. Where `config.yaml` does not know it, one with
    /// nothing special: a daemon that runs may know it still.
    pub fn description(&self) -> Arc<Description> {
        self.inner.fallback.collection()
    }

    /// How long this client waits for locks.
    pub fn lock_wait(&self) -> Duration {
        self.inner.fallback.described().lock_wait
    }

    /// When the lockfile of another program counts as left behind to this client.
    pub fn stale_after(&self) -> StaleAfter {
        self.inner.fallback.described().stale_after
    }

    /// The file of that collection, to be looked at or mended without a daemon.
    ///
    /// # Errors
    /// `E_USAGE` where the settings know no such collection.
    pub fn collection_file(&self) -> Result<RegistryFile> {
        Ok(self.direct()?.file())
    }

    /// Any method, by its parameters.
    ///
    /// # Errors
    /// As the method's own.
    pub async fn call<M: Method>(&self, params: M) -> Result<M::Result> {
        M::result(self.request(params.into()).await?)
    }

    async fn request(&self, request: Request) -> Result<Answer> {
        let options = &self.inner.options;
        let until = Instant::now() + options.request_timeout.min(CALL_TIMEOUT_MAX);
        // What is about the daemon itself is asked of the daemon, whichever way the others go.
        let is_about_daemon = request.kind() == Kind::Control;
        let (sent, reason) = if options.mode == Mode::Direct && !is_about_daemon {
            (false, None)
        } else {
            match self.through_daemon(&request, until).await {
                Reached::Answered(result) => {
                    if options.mode != Mode::Direct {
                        self.note_route(Route::daemon());
                    }
                    return result;
                }
                Reached::Not { sent, reason } => (sent, Some(reason)),
            }
        };
        if options.mode == Mode::DaemonOnly || is_about_daemon {
            return Err(without_fallback(&request, sent, reason));
        }
        self.note_route(Route::direct(reason.clone()));
        let result = self.on_the_file(&request, until).await;
        match (result, reason) {
            (Err(error), Some(reason)) if sent && is_change(&request) => {
                Err(after_no_answer(&request, error, &reason))
            }
            (result, _) => result,
        }
    }

    async fn through_daemon(&self, request: &Request, until: Instant) -> Reached {
        let link = &self.inner.link;
        // Reads must not change anything, and whoever stops a daemon does not want a new one.
        let may_spawn = is_change(request);
        let insist = self.inner.options.mode == Mode::DaemonOnly || request.kind() == Kind::Control;
        let mut sent = false;
        let mut ended = None;
        for _ in 0..2 {
            let connected =
                tokio::time::timeout_at(until, link.connection(may_spawn, insist)).await;
            let connection = match connected {
                Ok(Ok(connection)) => connection,
                Ok(Err(reason)) => return Reached::Not { sent, reason },
                Err(_) => {
                    return Reached::Not { sent, reason: late(self.options().request_timeout) };
                }
            };
            match self.ask(&connection, request, until).await {
                // It has said itself that it will not: the next one, or the file, may.
                Ok(Err(error)) if error.code == Code::Busy => {
                    link.forget(&connection).await;
                    ended = Some(error);
                }
                Ok(Err(error))
                    if error.code == Code::Timeout && request.kind() != Kind::Control =>
                {
                    return Reached::Not { sent, reason: error };
                }
                // A daemon before this one may have carried it out all the same.
                Ok(Err(error)) if sent && is_change(request) => {
                    let error = match &ended {
                        Some(reason) => after_no_answer(request, error, reason),
                        None => error,
                    };
                    return Reached::Answered(Err(error));
                }
                Ok(result) => return Reached::Answered(result),
                Err(Unanswered::Gone) => {
                    link.forget(&connection).await;
                    sent = true;
                    ended = Some(Error::new(Code::Unreachable, "argusd ended in the middle"));
                }
                Err(Unanswered::Late) => {
                    let reason = late(REQUEST_DEADLINE.min(self.options().request_timeout));
                    link.rest(&connection, reason.clone()).await;
                    return Reached::Not { sent: true, reason };
                }
            }
        }
        let reason = ended.unwrap_or_else(|| Error::new(Code::Unreachable, "no argusd answers"));
        Reached::Not { sent, reason }
    }

    async fn ask(
        &self,
        connection: &Connection,
        request: &Request,
        until: Instant,
    ) -> std::result::Result<Result<Answer>, Unanswered> {
        let deadline = until.min(Instant::now() + REQUEST_DEADLINE);
        connection.call(self.envelope(request.clone(), deadline), deadline).await
    }

    fn envelope(&self, request: Request, deadline: Instant) -> Call {
        // The clock that is sent is read first: if this process is stopped in between, the
        // daemon's deadline is the earlier one. It must never apply what was given up here.
        let now = argus_presence::clock::monotonic_ms();
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
        Call {
            collection: self.inner.options.collection.clone(),
            deadline: Some(now + left),
            request,
        }
    }

    async fn on_the_file(&self, request: &Request, until: Instant) -> Result<Answer> {
        let (request, until) = (request.clone(), until.into_std());
        let fallback = self.inner.fallback.clone();
        on_a_thread(move || match request.kind() {
            Kind::Sources => direct_sources::answer(&fallback, &request, until),
            Kind::History => direct_history::answer(&fallback, &request),
            _ => fallback.direct()?.call(&request, until),
        })
        .await
    }

    async fn look(&self) -> Result<Vec<Warning>> {
        let direct = self.direct()?;
        on_a_thread(move || direct.look()).await
    }

    fn note_route(&self, route: Route) {
        self.inner.route.send_if_modified(|current| {
            let differs = *current != route;
            *current = route;
            differs
        });
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::new(Code::Io, format!("the work was given up: {error}")))
    })
}

fn late(after: Duration) -> Error {
    Error::new(Code::Timeout, format!("argusd did not answer within {:.1} s", after.as_secs_f32()))
        .hint("argus daemon status")
}

fn without_fallback(request: &Request, sent: bool, reason: Option<Error>) -> Error {
    let reason = reason.unwrap_or_else(|| Error::new(Code::Unreachable, "no argusd answers"));
    if sent && is_change(request) {
        return unknown(&reason.message);
    }
    match reason.code {
        // These say themselves what is to be done.
        Code::Timeout | Code::Unreachable | Code::Busy | Code::Permission => reason,
        _ => Error { code: Code::Unreachable, ..reason },
    }
}

/// The daemon may have carried the change out before it went silent, and it could not be repeated, by
/// the next daemon or on the file, which would have settled it.
fn after_no_answer(request: &Request, error: Error, reason: &Error) -> Error {
    match error.code {
        // What is in the way may be what the first attempt has made.
        Code::Conflict if is_fenced(request) => unknown_after(error, reason),
        Code::Locked
        | Code::Io
        | Code::Permission
        | Code::Corrupt
        | Code::UnsupportedVersion
        | Code::TooLarge => unknown_after(error, reason),
        _ => error,
    }
}

fn unknown_after(error: Error, reason: &Error) -> Error {
    let unknown = unknown(&format!("{}; then: {}", reason.message, error.message));
    Error { details: error.details, ..unknown }
}

/// Whether a change says what it expects to find.
fn is_fenced(request: &Request) -> bool {
    match request {
        Request::Put(put) => put.if_match.is_some() || put.if_absent,
        Request::Patch(patch) => patch.if_match.is_some() || patch.if_absent,
        Request::Remove(remove) => remove.if_match.is_some(),
        Request::AddSource(_) => true,
        _ => false,
    }
}

fn unknown(what: &str) -> Error {
    Error::new(Code::OutcomeUnknown, format!("whether the change was made is not known: {what}"))
        .hint("read again before going on: argus ls")
}

//! What each method does in the daemon: the way from a decoded call to its answer.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use argus_presence::reachable::{RESOLVE_TIMEOUT, reachable};
use argus_presence::{clock, command_of};
use argus_proto::call::Kind;
use argus_proto::error::{Code, Error, Result};
use argus_proto::evidence::Evidence;
use argus_proto::limits::REQUEST_DEADLINE;
use argus_proto::method::hello::{CAPABILITIES, PROTOCOLS, negotiate};
use argus_proto::method::resolve::{self, Resolution, Resolve};
use argus_proto::method::{Hello, Stopping, Welcome};
use argus_proto::{Answer, Call, Request};

use crate::daemon::{Daemon, VERSION};
use crate::history;
use crate::pending::{Caller, Limits};
use crate::platform;
use crate::registry::Registry;
use crate::sources;

/// How long before its deadline a request is told that the lock was not to be had, so that the
/// answer arrives in time.
const ANSWER_MARGIN: Duration = Duration::from_millis(200);

/// A deadline further away is not believed: somebody has another clock in mind.
const DEADLINE_MAX: Duration = Duration::from_secs(3600);

/// A listing of more records than this is made on a thread: all sessions share one, and looking
/// at ten thousand processes would hold the others up.
pub(crate) const RECORDS_INLINE_MAX: usize = 128;

/// Does work here, or where there is `much` of it, on a thread.
pub(crate) async fn beside_the_others<T: Send + 'static>(
    much: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    if !much {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Io, format!("the request was given up: {error}")))
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) pid: u32,
    pub(crate) stream: Arc<platform::Stream>,
    /// Found out when it first changes anything.
    evidence: Arc<OnceLock<Arc<Evidence>>>,
}

impl Peer {
    pub(crate) fn new(pid: u32, stream: Arc<platform::Stream>) -> Self {
        Peer { pid, stream, evidence: Arc::default() }
    }

    pub(crate) fn caller(&self) -> Caller {
        let evidence = self.evidence.get_or_init(|| {
            let (pid, command) = (Some(self.pid), command_of(self.pid));
            Arc::new(Evidence { pid, command, ..Evidence::default() })
        });
        // A system that does not tell who is at the other end says 0.
        let evidence = (self.pid != 0).then(|| evidence.clone());
        Caller { pid: self.pid, evidence }
    }
}

/// Answers a call.
pub(crate) async fn serve(daemon: Arc<Daemon>, peer: Peer, call: Call) -> Result<Answer> {
    match &call.request {
        Request::Hello(hello) => return welcome(&daemon, hello).map(Answer::Hello),
        Request::Status(_) => return Ok(Answer::Status(daemon.status())),
        Request::Shutdown(shutdown) => {
            if shutdown.handover && daemon.has_lent_socket {
                return Err(is_a_service());
            }
            let handover = shutdown.handover && daemon.succeed(peer.stream);
            daemon.stop.request(if handover { "another takes over" } else { "it was asked to" });
            return Ok(Answer::Shutdown(Stopping { stopping: true, handover }));
        }
        _ => {}
    }
    if daemon.stop.is_requested() {
        return Err(Error::new(Code::Busy, "argusd is ending").hint("try again"));
    }
    if call.deadline.is_some_and(|deadline| clock::monotonic_ms() >= deadline) {
        return Err(Error::new(Code::Timeout, "the deadline passed before the request was read"));
    }
    match call.request.kind() {
        Kind::Sources => return sources::serve(&daemon, &peer, call).await,
        Kind::History => return history::serve(&daemon, &peer, call).await,
        _ => {}
    }
    let registry = &daemon.registries.registry(call.collection.as_deref()).await?;
    if call.request.kind() == Kind::Change {
        let limits = limits(&daemon, call.deadline, &peer);
        return registry.change(call.request, peer.caller(), limits).await;
    }
    match from_memory(registry, peer.pid, &call).await {
        // Somebody may have announced it in direct mode a moment ago. Whoever was not found by
        // asking all who are there is not asked for again.
        Err(error) if error.code == Code::NotFound && names_an_id(&call.request) => {
            registry.look(answer_in(call.deadline)).await?;
            from_memory(registry, peer.pid, &call).await
        }
        answer => answer,
    }
}

/// Nobody else can own what its service manager lends, and starts it for.
fn is_a_service() -> Error {
    let message = format!("argusd {VERSION} is run as a service, and is not replaced by another");
    Error::new(Code::Busy, message).hint("argus daemon install")
}

fn names_an_id(request: &Request) -> bool {
    !matches!(request, Request::Resolve(Resolve { id: None, .. }))
}

/// Answers what needs neither lock nor disk.
pub(crate) async fn from_memory(registry: &Registry, caller: u32, call: &Call) -> Result<Answer> {
    let snapshot = registry.snapshot();
    let newer_format = snapshot.newer_format().cloned();
    let answer = match &call.request {
        Request::Get(get) => {
            get.answer(&snapshot.document, snapshot.context(caller)).map(Answer::Get)
        }
        Request::GetDocument(get) => match snapshot.unknown_document() {
            Some(problem) => Err(problem.clone()),
            None => Ok(Answer::GetDocument(get.answer(&snapshot.document))),
        },
        Request::List(list) => {
            let (registry, list) = (registry.clone(), list.clone());
            let is_long = snapshot.document.records.len() > RECORDS_INLINE_MAX;
            let answer = move || Answer::List(registry.list(&list, &snapshot, caller));
            beside_the_others(is_long, answer).await
        }
        Request::Resolve(resolve) => {
            resolve_watcher(registry, caller, resolve, call.deadline).await
        }
        Request::Heartbeat(heartbeat) => registry.heartbeat(heartbeat.clone()).await,
        other => Err(Error::new(Code::Protocol, format!("`{}` is not served", other.method()))),
    };
    // That it was not found in what was there before says nothing about the file.
    match (answer, newer_format) {
        (Err(error), Some(problem)) if error.code == Code::NotFound => Err(problem),
        (answer, _) => answer,
    }
}

/// How long may be worked on an answer that is to arrive in time.
pub(crate) fn answer_in(deadline: Option<u64>) -> Duration {
    time_left(deadline).saturating_sub(ANSWER_MARGIN)
}

/// A request without deadline is bounded as well: its caller may have one all the same.
fn time_left(deadline: Option<u64>) -> Duration {
    deadline.map_or(REQUEST_DEADLINE, |deadline| {
        let left = Duration::from_millis(deadline.saturating_sub(clock::monotonic_ms()));
        left.min(DEADLINE_MAX)
    })
}

pub(crate) fn limits(daemon: &Daemon, deadline: Option<u64>, peer: &Peer) -> Limits {
    let lock_wait = daemon.config().lock.wait;
    let lock_wait = lock_wait.min(answer_in(deadline));
    let stream = peer.stream.clone();
    Limits {
        deadline,
        lock_wait_until: Instant::now() + lock_wait,
        is_gone: Box::new(move || platform::is_gone(&stream)),
    }
}

fn welcome(daemon: &Daemon, hello: &Hello) -> Result<Welcome> {
    Ok(Welcome {
        server: "argusd".to_owned(),
        version: VERSION.to_owned(),
        protocol: negotiate(hello, VERSION, PROTOCOLS)?,
        capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
        instance: daemon.instance.to_string(),
        pid: std::process::id(),
        registry: daemon.paths.registry().to_string_lossy().into_owned(),
    })
}

async fn resolve_watcher(
    registry: &Registry,
    caller: u32,
    request: &Resolve,
    deadline: Option<u64>,
) -> Result<Answer> {
    let snapshot = registry.snapshot();
    let candidates = match request.start(&snapshot.document, snapshot.context(caller))? {
        Resolution::Done(resolved) => return Ok(Answer::Resolve(resolved)),
        Resolution::Probe(candidates) => candidates,
    };
    let probed = candidates.len();
    let timeout = RESOLVE_TIMEOUT.min(answer_in(deadline));
    let ask = move || reachable(&candidates, timeout);
    let answering = beside_the_others(true, ask).await?;
    resolve::finish(probed, &answering).map(Answer::Resolve)
}

//! From the owner lock to the last commit: how a daemon begins, what it watches, how it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use argus_presence::ThisMachine;
use argus_proto::error::{Code, Error};
use argus_proto::limits::CONNECTIONS_MAX;
use argus_proto::method::hello::PROTOCOLS;
use argus_proto::process::Machine;
use argus_store::kernel_lock::OWNER_LOCK;
use argus_store::{Endpoint, Folder, KernelLock, Paths, StoreResult, Wait};
use tokio::sync::watch;

use crate::daemon::{Daemon, Sessions, VERSION};
use crate::history;
use crate::log::LogHandle;
use crate::platform::{self, Binding};
use crate::pulse::Pulse;
use crate::registries::Registries;
use crate::registry::Shared;
use crate::session;
use crate::settings::{self, Settings};
use crate::sources;
use crate::takeover;

/// How long a daemon that is being started waits for one that is ending.
const OWNER_WAIT: Duration = Duration::from_millis(2500);
/// How often the daemon looks whether its socket, lock and folder are still in place.
const SELF_CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the ending may take; what is still open then is cut off.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1700);
/// How long to pause when there is no descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The shortest idle timeout: a daemon has to live long enough for who started it to connect.
pub(crate) const IDLE_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Descriptors that are kept for the file, its locks and the log, however many connections come.
const DESCRIPTORS_RESERVED: usize = 32;
/// How long connections may take to get their last answers. What is in memory is written after
/// that in any case.
const SESSIONS_DRAIN_TIMEOUT: Duration = Duration::from_millis(900);

/// How a daemon is run.
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) settings: watch::Receiver<Settings>,
    pub(crate) log: LogHandle,
    /// What it was started with, whatever the settings say.
    pub(crate) idle_timeout: Option<Duration>,
}

/// What the descriptors are enough for.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    /// How many processes may be watched by descriptor; the others are looked at.
    pub(crate) process_descriptors: usize,
}

impl Limits {
    /// Of a process that may have so many descriptors.
    pub(crate) fn for_descriptors(descriptors: Option<u64>) -> Self {
        let descriptors = descriptors.map_or(usize::MAX, |limit| limit as usize);
        let descriptors = descriptors.saturating_sub(DESCRIPTORS_RESERVED);
        let connections_max = CONNECTIONS_MAX.min(descriptors).max(1);
        Limits { connections_max, process_descriptors: descriptors.saturating_sub(connections_max) }
    }
}

/// Who has opened the socket, if not this daemon.
enum Inherited {
    /// The daemon before: it is this one's from now on.
    HandedOver(platform::Socket),
    /// The service manager, which listens on it again when this daemon has ended.
    Lent(platform::Socket),
}

/// What a daemon owns before it serves anybody.
pub(crate) struct Ownership {
    paths: Paths,
    folder: Folder,
    lock: KernelLock,
    /// Where the socket is; the registry's folder, unless that path is too long.
    socket_folder: Option<Folder>,
    /// A socket that others have opened.
    socket: Option<Inherited>,
}

impl Ownership {
    /// Takes the owner lock. A daemon that is ending is waited for; one that serves is not, but
    /// where this one is to `replace` an older one, that is asked to hand over lock and socket.
    /// `lent` is the socket that the service manager has opened for it.
    pub(crate) fn take(
        paths: Paths,
        replace: bool,
        lent: Option<platform::Socket>,
    ) -> Result<Self, Error> {
        let folder = Folder::create(&paths)?;
        let inherited = if replace { takeover::take_over(&paths)? } else { None };
        let (lock, inherited) = match inherited {
            Some((lock, socket)) => (
                match lock {
                    Some(lock) => KernelLock::inherit(&folder, OWNER_LOCK, lock)?,
                    None => None,
                },
                Some(Inherited::HandedOver(socket)),
            ),
            None => (None, lent.map(Inherited::Lent)),
        };
        let lock = match lock {
            Some(lock) => lock,
            None => owner_lock(&paths, &folder, inherited.is_some())?,
        };
        let socket_folder = paths.socket_folder().map(Folder::create_at).transpose()?;
        Ok(Ownership { paths, folder, lock, socket_folder, socket: inherited })
    }

    fn is_in_place(&self) -> bool {
        self.folder.is_in_place()
            && self.lock.is_in_place()
            && self.socket_folder.as_ref().is_none_or(Folder::is_in_place)
    }
}

/// A daemon that is ending listens no more, unless its socket is lent. One that was killed may keep the lock until
/// the last of its threads has come back from the disk.
fn owner_lock(paths: &Paths, folder: &Folder, is_lent: bool) -> Result<KernelLock, Error> {
    let mut wait = Wait::new(OWNER_WAIT);
    loop {
        if let Some(lock) = KernelLock::try_acquire(folder, OWNER_LOCK)? {
            return Ok(lock);
        }
        if !is_lent && platform::is_listened_at(&paths.socket()) || !wait.pause() {
            return Err(Error::new(
                Code::Busy,
                format!("another argusd already serves {}", paths.registry().display()),
            )
            .hint("argus daemon status"));
        }
    }
}

/// Serves until somebody or something asks for the end. `ready` is called once clients can connect.
pub(crate) async fn run(
    mut ownership: Ownership,
    plan: Plan,
    ready: impl FnOnce(&Daemon) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let paths = ownership.paths.clone();
    let instance: Arc<str> = format!("{:016x}", fastrand::u64(..)).into();
    let pulse = Arc::new(Pulse::default());
    let shared = Shared {
        epoch: instance.clone(),
        pulse: pulse.clone(),
        latencies: Arc::default(),
        process_descriptors: plan.limits.process_descriptors,
    };
    let mut settings = plan.settings;
    let now = settings.borrow_and_update().clone();
    settings::tell(&now);
    let registries = Registries::start(&now.config, paths.clone(), shared)?;
    let is_lent = matches!(ownership.socket, Some(Inherited::Lent(_)));
    let daemon = Daemon::new(instance, paths.clone(), registries, settings.clone(), pulse, is_lent);
    let daemon = Arc::new(daemon);
    let socket = paths.socket();
    let binding = match ownership.socket.take() {
        Some(Inherited::HandedOver(inherited)) => Binding::inherit(&socket, inherited),
        Some(Inherited::Lent(lent)) => Binding::borrow(&socket, lent),
        None => Binding::new(&socket),
    };
    let binding = binding.with_context(|| format!("cannot listen at {}", socket.display()))?;
    write_endpoint(&daemon)?;
    tracing::info!(
        pid = std::process::id(),
        version = VERSION,
        "serving {}",
        paths.registry().display()
    );
    ready(&daemon)?;

    tokio::spawn(stop_on_signal(daemon.clone()));
    daemon.history.describe(&daemon, &now.config).await;
    tokio::spawn(history::follow(daemon.clone()));
    tokio::spawn(sources::follow(daemon.clone(), settings.clone()));
    tokio::spawn(settings::follow(daemon.clone(), settings, plan.log));
    let mut binding = listen(&daemon, binding, &ownership, &plan.limits, plan.idle_timeout).await;
    tracing::info!("ending: {}", daemon.stop.requested().await);

    // A successor goes on with the socket; else it has to be closed at once, or those who connect
    // now would wait for nobody.
    let binding = match daemon.successor() {
        Some(_) => {
            binding.leave_to_successor();
            Some(binding)
        }
        None => {
            give_up_name(&daemon, &binding);
            None
        }
    };
    let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
        if tokio::time::timeout(SESSIONS_DRAIN_TIMEOUT, daemon.sessions.all_gone()).await.is_err() {
            tracing::warn!("ended before everyone had read his answers");
        }
        daemon.sources.stop().await;
        daemon.registries.finish().await;
        daemon.history.stop().await;
    })
    .await;
    if drained.is_err() {
        tracing::warn!("ended before everything was written");
    }
    if let (Some(successor), Some(binding)) = (daemon.successor(), binding)
        && let Err(error) = platform::hand_over(successor, ownership.lock.file(), &binding)
    {
        tracing::warn!("who wanted to take over is gone: {error}");
        give_up_name(&daemon, &binding);
    }
    Ok(())
}

/// Whoever comes now starts the next daemon, which waits for the owner lock.
fn give_up_name(daemon: &Daemon, binding: &Binding) {
    binding.unlink();
    Endpoint::remove(&daemon.paths, &daemon.instance);
}

/// Accepts connections until the end is asked for. Returns the socket in use at that moment.
async fn listen(
    daemon: &Arc<Daemon>,
    mut binding: Binding,
    ownership: &Ownership,
    limits: &Limits,
    asked_idle_timeout: Option<Duration>,
) -> Binding {
    let idle_timeout = || asked_idle_timeout.unwrap_or_else(|| daemon.config().daemon.idle_timeout);
    let mut check = tokio::time::interval(SELF_CHECK_EVERY.min(idle_timeout()));
    check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Before anything else: whose connection has just ended because of this must find the
            // successor now. Accepted here once more, its change would go unanswered twice.
            biased;
            _ = daemon.stop.requested() => return binding,
            _ = check.tick() => {
                look_after(daemon, &mut binding, ownership, idle_timeout());
            }
            accepted = binding.accept() => match accepted {
                Ok(stream) => welcome(daemon, stream, limits.connections_max),
                Err(error) => {
                    // No descriptor is left, most likely: those who are served go on being so.
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn look_after(
    daemon: &Daemon,
    binding: &mut Binding,
    ownership: &Ownership,
    idle_timeout: Duration,
) {
    if !ownership.is_in_place() {
        daemon.stop.request("its folder or its owner lock is gone");
        return;
    }
    if !binding.is_in_place() {
        match Binding::new(&daemon.paths.socket()) {
            Ok(again) => {
                tracing::warn!("the socket had vanished; listening again");
                *binding = again;
            }
            Err(error) => tracing::error!("the socket has vanished, and cannot be made: {error}"),
        }
    }
    let is_idle = !daemon.sources.is_any_followed();
    let idle = daemon
        .sessions
        .idle_since()
        .filter(|_| is_idle)
        .map(|since| Instant::now().duration_since(since));
    if idle.is_some_and(|idle| idle >= idle_timeout) {
        daemon.stop.request("nobody has been connected for the idle timeout");
    }
}

fn welcome(daemon: &Arc<Daemon>, stream: platform::Stream, connections_max: usize) {
    if !platform::is_own_user(&stream) {
        tracing::warn!("refused a connection of another user");
        return;
    }
    let is_full = daemon.sessions.count() >= connections_max;
    let entered = Sessions::enter(daemon);
    let daemon = daemon.clone();
    tokio::spawn(async move {
        let ended = if is_full {
            let error = Error::new(
                Code::Busy,
                format!("argusd has {connections_max} connections, the most it takes"),
            );
            session::refuse(stream, error).await
        } else {
            session::run(daemon, stream).await
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
        drop(entered);
    });
}

async fn stop_on_signal(daemon: Arc<Daemon>) {
    match platform::stop_signal().await {
        Ok(name) => daemon.stop.request(name),
        Err(error) => tracing::error!("cannot listen for signals: {error}"),
    }
}

/// Says for programs, and for people who look, where this daemon listens.
fn write_endpoint(daemon: &Daemon) -> StoreResult<()> {
    let process = ThisMachine.identify(std::process::id());
    let endpoint = Endpoint {
        path: daemon.paths.socket().to_string_lossy().into_owned(),
        pid: std::process::id(),
        start_time: process.map(|process| process.start_time),
        instance: daemon.instance.to_string(),
        version: VERSION.to_owned(),
        protocol: PROTOCOLS,
    };
    endpoint.write(&daemon.paths)
}

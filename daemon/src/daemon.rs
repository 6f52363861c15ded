//! What every session shares: who this daemon is, and what it serves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use argus_config::Config;
use argus_proto::collection::TASKS;
use argus_proto::method::StatusReport;
use argus_proto::method::hello::PROTOCOLS;
use argus_store::Paths;
use tokio::sync::watch;

use crate::history::Historian;
use crate::platform::Stream;
use crate::pulse::Pulse;
use crate::registries::Registries;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::sources::Sources;

/// This program's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One daemon: shared by its sessions, owned by `main`.
pub(crate) struct Daemon {
    pub(crate) instance: Arc<str>,
    pub(crate) paths: Paths,
    pub(crate) registries: Arc<Registries>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) history: Historian,
    settings: watch::Receiver<Settings>,
    pub(crate) sessions: Sessions,
    pub(crate) subscribers: AtomicUsize,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) stop: Stop,
    successor: OnceLock<Arc<Stream>>,
    /// The socket is the service manager's, who lends it to the daemon that it starts.
    pub(crate) has_lent_socket: bool,
    started: Instant,
}

impl Daemon {
    pub(crate) fn new(
        instance: Arc<str>,
        paths: Paths,
        registries: Registries,
        settings: watch::Receiver<Settings>,
        pulse: Arc<Pulse>,
        has_lent_socket: bool,
    ) -> Self {
        Daemon {
            instance,
            paths,
            registries: Arc::new(registries),
            sources: Arc::default(),
            history: Historian::default(),
            settings,
            sessions: Sessions::default(),
            subscribers: AtomicUsize::new(0),
            pulse,
            stop: Stop::default(),
            successor: OnceLock::new(),
            has_lent_socket,
            started: Instant::now(),
        }
    }

    /// What `config.yaml` says at this moment.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.settings.borrow().config.clone()
    }

    /// The same, with whether it can be relied on.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }

    /// Takes who is at the other end for the successor. There can be one only, and none once this
    /// daemon is ending without one.
    pub(crate) fn succeed(&self, successor: Arc<Stream>) -> bool {
        !self.stop.is_requested() && self.successor.set(successor).is_ok()
    }

    /// Who takes over at the end, if anyone.
    pub(crate) fn successor(&self) -> Option<&Stream> {
        self.successor.get().map(|stream| &**stream)
    }

    pub(crate) fn status(&self) -> StatusReport {
        let open = self.registries.open();
        let (commits, commit_latency) = self.registries.commits();
        let of_settings = self.settings.borrow().warning();
        let of_files = open.iter().flat_map(|registry| registry.warnings());
        let of_database = self.history.warning();
        let warnings = of_settings.into_iter().chain(of_files).chain(of_database).collect();
        StatusReport {
            version: VERSION.to_owned(),
            protocol: PROTOCOLS,
            instance: self.instance.to_string(),
            pid: std::process::id(),
            registry: self.paths.registry().to_string_lossy().into_owned(),
            uptime_ms: self.started.elapsed().as_millis() as u64,
            sessions: self.sessions.count() as u64,
            subscribers: self.subscribers.load(Ordering::Relaxed) as u64,
            collections: open.iter().map(Registry::status).collect(),
            commits,
            commit_latency,
            warnings,
            sources: self.sources.list(self.registries.opened(&TASKS.name).as_ref()),
            database: self.history.status().map(Box::new),
        }
    }
}

/// How many connections there are, and since when there is none.
pub(crate) struct Sessions {
    count: AtomicUsize,
    changed: watch::Sender<Instant>,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions { count: AtomicUsize::new(0), changed: watch::Sender::new(Instant::now()) }
    }
}

impl Sessions {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts a connection for as long as the result lives.
    pub(crate) fn enter(daemon: &Arc<Daemon>) -> Entered {
        daemon.sessions.count.fetch_add(1, Ordering::Relaxed);
        Entered(daemon.clone())
    }

    /// Since when there has been no connection; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.count() == 0).then(|| *self.changed.borrow())
    }

    /// Returns when there is no connection any more.
    pub(crate) async fn all_gone(&self) {
        let mut changed = self.changed.subscribe();
        while self.count() > 0 && changed.changed().await.is_ok() {}
    }
}

/// A connection that is counted.
pub(crate) struct Entered(Arc<Daemon>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.sessions.count.fetch_sub(1, Ordering::Relaxed);
        self.0.sessions.changed.send_replace(Instant::now());
    }
}

/// Whether the daemon shall end, and why.
pub(crate) struct Stop(watch::Sender<Option<&'static str>>);

impl Default for Stop {
    fn default() -> Self {
        Stop(watch::Sender::new(None))
    }
}

impl Stop {
    /// Asks the daemon to end. The first reason stands.
    pub(crate) fn request(&self, reason: &'static str) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns when the daemon shall end.
    pub(crate) async fn requested(&self) -> &'static str {
        let mut stop = self.0.subscribe();
        loop {
            if let Some(reason) = *stop.borrow_and_update() {
                return reason;
            }
            if stop.changed().await.is_err() {
                return "the daemon is gone";
            }
        }
    }
}

//! The way to the daemon: a connection while there is one, and when to look for one again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_proto::error::{Code, Error, Result};
use argus_proto::method::hello::{is_newer, refusing_version};
use argus_store::{Folder, Paths};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::handshake::{Failure, VERSION};
use crate::options::Options;
use crate::spawn;

/// How long to go without asking for a daemon after it could not be had: doubled each time.
const BACKOFF: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What a client knows of its daemon.
pub(crate) struct Link {
    paths: Paths,
    socket: PathBuf,
    name: String,
    executable: Option<PathBuf>,
    replaces_older: bool,
    state: Mutex<LinkState>,
}

#[derive(Default)]
struct LinkState {
    connection: Option<Arc<Connection>>,
    /// There was a connection before: from then on this client is one that goes on running.
    has_connected: bool,
    /// Until when nobody asks, and why.
    rest: Option<Rest>,
    backoff: Duration,
}

#[derive(Clone)]
struct Rest {
    until: Instant,
    reason: Error,
}

impl Link {
    pub(crate) fn new(paths: Paths, options: &Options) -> Self {
        Link {
            socket: paths.socket(),
            paths,
            name: options.name.clone(),
            executable: options.daemon_executable.clone(),
            replaces_older: options.replaces_older,
            state: Mutex::default(),
        }
    }

    /// A connection: the one that is open, a new one, or one to a daemon that was started for it.
    /// `insist` asks also while resting.
    pub(crate) async fn connection(
        &self,
        may_spawn: bool,
        insist: bool,
    ) -> Result<Arc<Connection>> {
        // Held while connecting, so that the calls of one program do not race each other.
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection
            && !connection.has_ended()
        {
            return Ok(connection.clone());
        }
        state.connection = None;
        if let Some(rest) = &state.rest
            && !insist
            && Instant::now() < rest.until
        {
            return Err(rest.reason.clone());
        }
        let may_replace = may_spawn && self.replaces_older && !state.has_connected;
        match self.open(may_spawn, may_replace).await {
            Ok(connection) => {
                state.has_connected = true;
                let connection = Arc::new(connection);
                state.connection = Some(connection.clone());
                state.rest = None;
                state.backoff = Duration::ZERO;
                Ok(connection)
            }
            Err(error) => {
                // That nobody is there costs nothing to find out again.
                if may_spawn || error.code != Code::Unreachable {
                    state.rest(error.clone());
                }
                Err(error)
            }
        }
    }

    /// Drops a connection that ended.
    pub(crate) async fn forget(&self, connection: &Arc<Connection>) {
        let mut state = self.state.lock().await;
        if state.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            state.connection = None;
        }
    }

    /// Drops a connection over which no answer came in time, and asks nobody for a while.
    pub(crate) async fn rest(&self, connection: &Arc<Connection>, reason: Error) {
        self.forget(connection).await;
        self.state.lock().await.rest(reason);
    }

    async fn open(&self, may_spawn: bool, may_replace: bool) -> Result<Connection> {
        match Folder::open_as_it_is(self.paths.folder()) {
            Ok(_) => {}
            Err(error) if error.code() == Code::Permission => return Err(error.into()),
            // No folder yet: nobody listens in it.
            Err(_) if may_spawn => {}
            Err(_) => return Err(absent()),
        }
        let opened = Connection::open(&self.socket, &self.name).await;
        let executable = self.executable.as_deref();
        if may_replace && is_older(&opened) {
            // Where that fails, the older one serves as well as it can.
            if let Ok(newer) = spawn::replace(&self.paths, &self.name, executable).await {
                return Ok(newer);
            }
        }
        match opened {
            Ok(connection) => Ok(connection),
            Err(Failure::Absent(_)) if may_spawn => {
                spawn::connect_or_spawn(&self.paths, &self.name, executable).await
            }
            Err(Failure::Absent(_)) => Err(absent()),
            Err(Failure::Unusable(error)) => Err(error),
        }
    }
}

impl LinkState {
    fn rest(&mut self, reason: Error) {
        self.backoff = (self.backoff * 2).clamp(BACKOFF, BACKOFF_MAX);
        self.rest = Some(Rest { until: Instant::now() + self.backoff, reason });
    }
}

/// Whether the daemon is there, and older than this library.
fn is_older(opened: &std::result::Result<Connection, Failure>) -> bool {
    let version = match opened {
        Ok(connection) => Some(connection.version.clone()),
        Err(Failure::Unusable(error)) => refusing_version(error),
        Err(Failure::Absent(_)) => None,
    };
    version.is_some_and(|version| is_newer(VERSION, &version))
}

fn absent() -> Error {
    Error::new(Code::Unreachable, "no argusd is running").hint("argus daemon start")
}

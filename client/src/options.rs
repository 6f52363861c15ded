//! What a client is told before its first call.

use std::path::PathBuf;
use std::time::Duration;

use argus_proto::error::{Code, Error, Result};
use argus_proto::limits::{CALL_TIMEOUT, HEARTBEAT_INTERVAL};
use argus_store::lockfile::StaleAfter;

/// Which way calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Through the daemon, which is started if need be; else on the file.
    #[default]
    Auto,
    /// On the file only. No daemon is asked or started.
    Direct,
    /// Through the daemon only; without one, calls fail with `E_UNREACHABLE`.
    DaemonOnly,
}

/// How a client works. Everything has a default.
#[derive(Debug, Clone)]
pub struct Options {
    /// The registry's file.
    pub registry: PathBuf,
    /// Which way calls may go.
    pub mode: Mode,
    /// The collection that calls are about; `None` for the watchers.
    pub collection: Option<String>,
    /// How long a whole call may take, daemon and fallback together.
    pub request_timeout: Duration,
    /// How long to wait for the locks when working on the file; `None`: as `config.yaml` says.
    pub lock_wait: Option<Duration>,
    /// When the lockfile of another program counts as left behind; `None`: as `config.yaml` says.
    pub stale_after: Option<StaleAfter>,
    /// How often a [`Watcher`](crate::Watcher) says that it is there.
    pub heartbeat_interval: Duration,
    /// What the daemon's log calls this program.
    pub name: String,
    /// Whether the first change of this client replaces a daemon of an older version. For programs
    /// that a person has just called; those that go on running would fight each other.
    pub replaces_older: bool,
    /// The daemon's executable; `None` looks for it beside this program's, in `ARGUSD` and on the
    /// PATH.
    pub daemon_executable: Option<PathBuf>,
}

impl Options {
    /// For one registry file, whatever the environment says.
    pub fn new(registry: impl Into<PathBuf>) -> Self {
        Options {
            registry: registry.into(),
            mode: Mode::Auto,
            collection: None,
            request_timeout: CALL_TIMEOUT,
            lock_wait: None,
            stale_after: None,
            heartbeat_interval: HEARTBEAT_INTERVAL,
            name: "argus-client".to_owned(),
            replaces_older: false,
            daemon_executable: None,
        }
    }

    /// As the environment says: `ARGUS_REGISTRY_PATH` or `ARGUS_HOME` for the file, and
    /// `ARGUS_DAEMON` (`0`: direct mode; `require`: the daemon only) for the mode.
    ///
    /// # Errors
    /// `E_USAGE` for another value of `ARGUS_DAEMON`; `E_PERMISSION` where there is no home.
    pub fn from_env() -> Result<Self> {
        let mut options = Options::new(argus_store::locate_registry(None)?);
        options.mode = Mode::from_env()?;
        Ok(options)
    }
}

impl Mode {
    /// The mode that `ARGUS_DAEMON` asks for.
    ///
    /// # Errors
    /// `E_USAGE` for a value that it does not have.
    pub fn from_env() -> Result<Self> {
        match std::env::var("ARGUS_DAEMON").as_deref() {
            Err(_) | Ok("" | "1" | "auto") => Ok(Mode::Auto),
            Ok("0") => Ok(Mode::Direct),
            Ok("require") => Ok(Mode::DaemonOnly),
            Ok(other) => Err(Error::new(Code::Usage, format!("ARGUS_DAEMON is `{other}`"))
                .hint("ARGUS_DAEMON=0 works on the file, ARGUS_DAEMON=require needs the daemon")),
        }
    }
}

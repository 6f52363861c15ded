//! What was found of a registry, its daemon and its surroundings. Only data: judged elsewhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use argus_client::{Error, Probe, State};
use argus_proto::Record;
use argus_store::Source;
use argus_store::quarantine::Quarantine;
use argus_store::survey::Obstacle;

/// Everything that was looked at, at one time.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) settings: Settings,
    /// The files of any collection that are open to more people than they may be, each with its mode and
    /// with the most that it may have.
    pub(crate) too_open: Vec<(PathBuf, u32, u32)>,
    /// The registry's file.
    pub(crate) registry: PathBuf,
    /// How a verb for this registry is begun: `argus`, with `--registry` where that is needed.
    pub(crate) argus: String,
    /// The version of this program.
    pub(crate) version: String,
    /// No daemon is wanted.
    pub(crate) is_direct: bool,
    /// When this was, in milliseconds since the epoch.
    pub(crate) now: u64,
    pub(crate) socket: PathBuf,
    pub(crate) daemon: Probe,
    /// The process of a daemon that does not answer, where it could be made out.
    pub(crate) silent: Option<Silent>,
    /// For how long no daemon is started, since that has failed too often of late.
    pub(crate) spawn_rest: Option<Duration>,
    pub(crate) obstacles: Vec<(PathBuf, Obstacle)>,
    pub(crate) lock: Option<Lock>,
    pub(crate) quarantine_folder: PathBuf,
    pub(crate) quarantine: Quarantine,
    pub(crate) file: File,
    /// The records of the file, or of what is shown instead.
    pub(crate) records: Vec<Seen>,
    /// The keys that the file has more than once.
    pub(crate) duplicates: Vec<String>,
    pub(crate) registry_bytes: u64,
    /// How many more bytes may be written.
    pub(crate) free_bytes: Option<u64>,
}

/// How `config.yaml` is.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    /// Why it cannot be used.
    pub(crate) problem: Option<argus_config::ConfigError>,
}

/// A daemon that does not answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silent {
    pub(crate) pid: u32,
    /// By a signal: it goes on as soon as somebody lets it.
    pub(crate) is_stopped: bool,
}

/// A lock that stands in the way of writers, or soon will.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) state: LockState,
}

#[derive(Debug, Clone)]
pub(crate) enum LockState {
    /// Nobody can be holding it any more.
    Stale { holder: String, held_for: Option<Duration> },
    /// Somebody holds it, and has for longer than a write takes.
    Held { pid: Option<u32>, is_stopped: bool, held_for: Option<Duration> },
    /// Nobody can tell.
    Unreadable(Error),
}

/// How the registry's file is.
#[derive(Debug, Clone)]
pub(crate) enum File {
    /// It can be used, or is not there yet.
    Sound,
    /// It is no registry.
    Damaged { problem: String, instead: Source },
    /// It is one of a newer argus.
    Newer(String),
    /// It could not be read at all.
    Unreadable(Error),
}

/// A record, and what is known of its process.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: Arc<str>,
    pub(crate) record: Arc<Record>,
    pub(crate) state: Option<State>,
}

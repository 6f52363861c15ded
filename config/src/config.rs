//! The settings, their defaults, and how they are read.

use std::env;
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argus_proto::collection::{Catalog, Collection, WATCHERS};
use argus_proto::error::Code;

use crate::collections;
use crate::error::ConfigError;
use crate::files::{self, Unread};
use crate::setting::{Problems, Setting};
use crate::sources::{self, Source};
use crate::stamp::Stamp;
use crate::yaml;

/// Shortest idle timeout.
pub const IDLE_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// Longest idle timeout.
pub const IDLE_TIMEOUT_MAX: Duration = DAY.saturating_mul(365);
/// Longest of the times that are about locks.
pub const LOCK_TIME_MAX: Duration = Duration::from_secs(3600);
/// Shortest time after which a lock counts as left behind.
pub const STALE_MIN: Duration = Duration::from_secs(1);
/// Shortest time that a record counts as live after a heartbeat.
pub const TTL_MIN: Duration = Duration::from_secs(1);
/// Longest such time.
pub const TTL_MAX: Duration = DAY.saturating_mul(365);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The bounds of every `ttl`.
pub(crate) const TTL: RangeInclusive<Duration> = TTL_MIN..=TTL_MAX;

pub(crate) const LOG_LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

pub(crate) const ON_CONFLICT: [(&str, OnConflict); 4] = [
    ("prefer_registry", OnConflict::PreferRegistry),
    ("prefer_database", OnConflict::PreferDatabase),
    ("prefer_newer", OnConflict::PreferNewer),
    ("merge", OnConflict::Merge),
];

/// Everything that `config.yaml` can say.
#[derive(Debug, Clone)]
pub struct Config {
    /// How the daemon runs.
    pub daemon: Daemon,
    /// How long locks are waited for and believed.
    pub lock: Lock,
    /// The database that mirrors tasks and changes.
    pub database: Database,
    /// The folders of tasks, by name.
    pub sources: Vec<Source>,
    /// All collections, the watchers first, the built-in ones among them.
    pub collections: Catalog,
    /// Where each collection that names a schema has it from, as it was written.
    pub(crate) schemas: Vec<(String, String)>,
}

/// How the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// How long it stays when nobody is connected and nothing is watched.
    pub idle_timeout: Duration,
    /// What it writes into its log.
    pub log_level: LogLevel,
}

/// How much is written into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may fail.
    Warn,
    /// And what happened.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// How long locks are waited for and believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// How long a writer waits for the others.
    pub wait: Duration,
    /// How old a lockfile is left behind that does not name its process.
    pub stale_unnamed: Duration,
    /// How old one is left behind whose process cannot be asked after.
    pub stale_named: Duration,
}

/// The database that mirrors tasks and changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Whether there is one.
    pub enabled: bool,
    /// The name of its file, in the folder `REGISTRY.d`.
    pub path: PathBuf,
    /// What is done where registry and database disagree.
    pub on_conflict: OnConflict,
}

impl Database {
    /// Where its file is, beside the other files of a registry in `folder`; `None`: there is to be none.
    pub fn file(&self, folder: &Path) -> Option<PathBuf> {
        self.enabled.then(|| folder.join(&self.path))
    }
}

/// What is done where registry and database disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// The registry is right.
    PreferRegistry,
    /// The database is right.
    PreferDatabase,
    /// The one that was changed last is right.
    PreferNewer,
    /// What only one of them changed is taken from it.
    Merge,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            daemon: Daemon { idle_timeout: Duration::from_secs(600), log_level: LogLevel::Info },
            lock: Lock {
                wait: Duration::from_secs(2),
                stale_unnamed: Duration::from_secs(10),
                stale_named: Duration::from_secs(30),
            },
            database: Database {
                enabled: true,
                path: "argus.db".into(),
                on_conflict: OnConflict::PreferRegistry,
            },
            sources: Vec::new(),
            collections: Catalog::built_in(),
            schemas: Vec::new(),
        }
    }
}

/// Where the `config.yaml` of a registry is: `$ARGUS_CONFIG`, else in the registry's folder. An
/// empty variable counts as none. The registry's path is the canonical one, so that every
/// process finds the same file.
pub fn locate(registry: &Path) -> PathBuf {
    let path = located(env::var_os("ARGUS_CONFIG").as_deref(), registry);
    // A daemon leaves the folder that it was started in.
    std::path::absolute(&path).unwrap_or(path)
}

fn located(variable: Option<&OsStr>, registry: &Path) -> PathBuf {
    match variable {
        Some(path) if !path.is_empty() => path.into(),
        _ => registry.with_file_name("config.yaml"),
    }
}

impl Config {
    /// Reads settings from a text. `path` is where it comes from, for messages and for what is
    /// relative to it; `registry` is the canonical path of the registry's file. The schemas that
    /// collections name are read from the disk.
    ///
    /// # Errors
    /// Where anything in it is wrong.
    pub fn parse(text: &str, path: &Path, registry: &Path) -> Result<Config, ConfigError> {
        Reading::new(path, registry).parse(text)
    }

    /// Reads settings from a file. One that is not there is the defaults.
    ///
    /// # Errors
    /// Where it cannot be read, or anything in it is wrong.
    pub fn read(path: &Path, registry: &Path) -> Result<Config, ConfigError> {
        Reading::new(path, registry).read()
    }

    /// Everything as a `config.yaml`, defaults included: what it says is what this says, beside
    /// the file with the same `path` and `registry`.
    pub fn to_yaml(&self) -> String {
        crate::print::print(self)
    }

    /// The same as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        // It was printed by this program as YAML that it reads itself.
        serde_saphyr::from_str(&self.to_yaml()).unwrap_or_default()
    }
}

/// A `config.yaml` on its way to settings.
pub(crate) struct Reading<'a> {
    pub(crate) path: &'a Path,
    pub(crate) registry: &'a Path,
    /// The files that it names, as they were before they were read.
    pub(crate) schemas: Vec<(PathBuf, Stamp)>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(path: &'a Path, registry: &'a Path) -> Self {
        Reading { path, registry, schemas: Vec::new() }
    }

    pub(crate) fn read(&mut self) -> Result<Config, ConfigError> {
        match files::read(self.path) {
            Ok(text) => self.parse(&text),
            Err(Unread::Missing) => Ok(Config::default()),
            Err(unread) => Err(self.unread(&unread)),
        }
    }

    fn unread(&self, unread: &Unread) -> ConfigError {
        ConfigError::whole(self.path, unread.code(), format!("cannot be used: {unread}"))
    }

    pub(crate) fn parse(&mut self, text: &str) -> Result<Config, ConfigError> {
        let path = self.path.to_owned();
        let error = |problems| ConfigError { path, code: Code::Invalid, problems };
        if text.len() as u64 > files::CONFIG_BYTES_MAX {
            return Err(self.unread(&Unread::TooLarge));
        }
        let document = match yaml::parse(text) {
            Ok(document) => document,
            Err(problem) => return Err(error(vec![problem])),
        };
        let problems = Problems::default();
        let config = self.config(&Setting::document(&document, &problems));
        let problems = problems.into_sorted();
        if problems.is_empty() { Ok(config) } else { Err(error(problems)) }
    }

    fn config(&mut self, document: &Setting<'_>) -> Config {
        let mut config = Config::default();
        let sections = ["daemon", "lock", "watchers", "database", "collections", "registry"];
        let document = document.section(&sections);
        if let Some(daemon) = document.get("daemon") {
            config.daemon.read(daemon);
        }
        if let Some(lock) = document.get("lock") {
            config.lock.read(lock);
        }
        if let Some(database) = document.get("database") {
            config.database.read(database);
        }
        if let Some(registry) = document.get("registry") {
            config.sources = sources::read(registry, self.path);
        }
        let mut all: Vec<Arc<Collection>> = config.collections.iter().cloned().collect();
        if let Some(watchers) = document.get("watchers") {
            all[0] = read_watchers(watchers).into();
        }
        if let Some(given) = document.get("collections") {
            config.schemas = collections::read(given, &mut all, self);
        }
        config.collections = Catalog::new(all);
        config
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Daemon {
    fn read(&mut self, setting: &Setting<'_>) {
        let section = setting.section(&["idle_timeout", "log_level"]);
        let bounds = IDLE_TIMEOUT_MIN..=IDLE_TIMEOUT_MAX;
        set(&mut self.idle_timeout, section.get("idle_timeout").and_then(|s| s.duration(bounds)));
        set(&mut self.log_level, section.get("log_level").and_then(|s| s.choice(&LOG_LEVELS)));
    }
}

impl Lock {
    fn read(&mut self, setting: &Setting<'_>) {
        let section = setting.section(&["wait", "stale_unnamed", "stale_named"]);
        let time = |name, least| section.get(name).and_then(|s| s.duration(least..=LOCK_TIME_MAX));
        set(&mut self.wait, time("wait", Duration::ZERO));
        set(&mut self.stale_unnamed, time("stale_unnamed", STALE_MIN));
        set(&mut self.stale_named, time("stale_named", STALE_MIN));
    }
}

impl Database {
    fn read(&mut self, setting: &Setting<'_>) {
        let section = setting.section(&["enabled", "path", "on_conflict"]);
        set(&mut self.enabled, section.get("enabled").and_then(Setting::boolean));
        set(&mut self.path, section.get("path").and_then(read_database_name));
        set(&mut self.on_conflict, section.get("on_conflict").and_then(|s| s.choice(&ON_CONFLICT)));
    }
}

/// Anything else could be the file of somebody who needs it.
fn read_database_name(setting: &Setting<'_>) -> Option<PathBuf> {
    let name = setting.text()?;
    let is_plain = |c: char| !c.is_control() && !"/\\".contains(c);
    if name.ends_with(".db") && !name.starts_with('.') && name.chars().all(is_plain) {
        return Some(PathBuf::from(name));
    }
    let message = format!("must be the name of a file that ends with `.db`, and is {name:?}");
    setting
        .refuse_with(message, "it stands in the folder REGISTRY.d; a link there leads elsewhere");
    None
}

fn read_watchers(setting: &Setting<'_>) -> Collection {
    let mut watchers = Collection::clone(&WATCHERS);
    let section = setting.section(&["ttl", "auto_prune"]);
    if let Some(ttl) = section.get("ttl").and_then(|s| s.duration(TTL)) {
        watchers.ttl = Some(ttl);
    }
    set(&mut watchers.auto_prune, section.get("auto_prune").and_then(Setting::boolean));
    watchers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_beside_the_registry_unless_the_variable_says_otherwise() {
        let located =
            |variable: Option<&str>| located(variable.map(OsStr::new), Path::new("/a/r.json"));
        assert_eq!(located(None), Path::new("/a/config.yaml"));
        assert_eq!(located(Some("")), Path::new("/a/config.yaml"));
        assert_eq!(located(Some("/b/c.yaml")), Path::new("/b/c.yaml"));
    }
}

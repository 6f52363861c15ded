//! The settings that this daemon runs on, and what follows when they change.
//!
//! A thread looks at `config.yaml`: its disk may hang, and then nothing else does.

use std::sync::Arc;
use std::time::Duration;

use argus_config::{Config, ConfigError, Loader, LogLevel};
use argus_proto::method::Warning;
use argus_store::Paths;
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;

use crate::daemon::Daemon;
use crate::log::LogHandle;

/// How often the file is looked at. The promise is 1 s.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The settings at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    /// What is wrong with the file, which then says something else.
    problem: Option<ConfigError>,
    /// Whether it has been right since this daemon started.
    pub(crate) was_right: bool,
}

impl Settings {
    /// As a warning for people.
    pub(crate) fn warning(&self) -> Option<Warning> {
        let problem = self.problem.as_ref()?;
        let instead = match self.was_right {
            true => "going on with the last settings that were right; see: argus config check",
            false => "going on with the defaults; see: argus config check",
        };
        Some(Warning { code: problem.code, message: format!("{}; {instead}", problem.brief()) })
    }

    fn of(loader: &Loader, was_right: bool) -> Self {
        Settings {
            config: loader.current().clone(),
            problem: loader.problem().cloned(),
            was_right: was_right || loader.problem().is_none(),
        }
    }
}

/// Reads the settings, and goes on looking whether they change.
pub(crate) fn start(paths: &Paths) -> std::io::Result<watch::Receiver<Settings>> {
    let registry = paths.registry();
    let mut loader = Loader::new(argus_config::locate(registry), registry.to_owned());
    let (publisher, settings) = watch::channel(Settings::of(&loader, false));
    std::thread::Builder::new().name("settings".into()).spawn(move || {
        while !publisher.is_closed() {
            std::thread::sleep(LOOK_EVERY);
            if loader.look() {
                let was_right = publisher.borrow().was_right;
                publisher.send_replace(Settings::of(&loader, was_right));
            }
        }
    })?;
    Ok(settings)
}

/// Carries out each change of the settings.
pub(crate) async fn follow(
    daemon: Arc<Daemon>,
    mut settings: watch::Receiver<Settings>,
    log: LogHandle,
) {
    while settings.changed().await.is_ok() {
        let now = settings.borrow_and_update().clone();
        log.set_level(level(&now.config));
        if now.problem.is_none() {
            tracing::info!("going on with other settings");
        }
        tell(&now);
        daemon.registries.follow(&now.config).await;
        daemon.history.describe(&daemon, &now.config).await;
    }
}

/// Says what is wrong with the settings.
pub(crate) fn tell(settings: &Settings) {
    if let Some(warning) = settings.warning() {
        tracing::warn!("{}", warning.message);
    }
}

/// How much is logged.
pub(crate) fn level(config: &Config) -> LevelFilter {
    match config.daemon.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use argus_store::lockfile::StaleAfter;
    use argus_store::wait::LOCK_WAIT;

    use super::*;

    /// Who reads no file works by the others.
    #[test]
    fn without_a_file_the_times_of_locks_are_the_stores_own() {
        let lock = Config::default().lock;
        let stale_after = StaleAfter { unnamed: lock.stale_unnamed, named: lock.stale_named };
        assert_eq!((lock.wait, stale_after), (LOCK_WAIT, StaleAfter::default()));
    }
}

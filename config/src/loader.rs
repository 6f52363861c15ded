//! The settings of a process that goes on running while somebody edits them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{Config, Reading};
use crate::error::ConfigError;
use crate::stamp::Stamp;

/// The settings as they were last read, and what is wrong with them since.
#[derive(Debug)]
pub struct Loader {
    path: PathBuf,
    registry: PathBuf,
    current: Arc<Config>,
    problem: Option<ConfigError>,
    /// What was read, the file itself first, then the schemas that it names.
    seen: Vec<(PathBuf, Stamp)>,
}

impl Loader {
    /// Reads `path`. Where that is wrong the defaults stand in.
    pub fn new(path: PathBuf, registry: PathBuf) -> Self {
        let current = Arc::new(Config::default());
        let mut loader = Loader { path, registry, current, problem: None, seen: Vec::new() };
        loader.load();
        loader
    }

    /// Reads again what may have changed. Tells whether the settings or the problem did.
    ///
    /// Settings that are wrong change the problem only. A file that is gone is the defaults.
    /// Where no file was touched this costs a few `stat`s.
    pub fn look(&mut self) -> bool {
        let now = SystemTime::now();
        let is_unchanged =
            |(path, stamp): &(PathBuf, Stamp)| stamp.is_settled(now) && Stamp::of(path) == *stamp;
        if self.seen.iter().all(is_unchanged) {
            return false;
        }
        self.load()
    }

    /// The settings to run on: the last that were right.
    pub fn current(&self) -> &Arc<Config> {
        &self.current
    }

    /// What is wrong with the file as it is now.
    pub fn problem(&self) -> Option<&ConfigError> {
        self.problem.as_ref()
    }

    fn load(&mut self) -> bool {
        // Before reading: what is written meanwhile is then seen at the next look.
        let stamp = Stamp::of(&self.path);
        let mut reading = Reading::new(&self.path, &self.registry);
        let result = reading.read();
        let schemas = std::mem::take(&mut reading.schemas);
        self.seen = vec![(self.path.clone(), stamp)];
        self.seen.extend(schemas);
        match result {
            Ok(config) => {
                let had_problem = self.problem.take().is_some();
                let differs = !is_same(&config, &self.current);
                if differs {
                    self.current = Arc::new(config);
                }
                differs || had_problem
            }
            Err(problem) => {
                let differs = self.problem.as_ref() != Some(&problem);
                self.problem = Some(problem);
                differs
            }
        }
    }
}

/// Compared as they are printed: a compiled schema knows no other equality.
fn is_same(one: &Config, other: &Config) -> bool {
    format!("{one:?}") == format!("{other:?}")
}

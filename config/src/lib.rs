//! The settings of argus: `config.yaml`, read, checked and typed.
//!
//! 1. Every setting has a default, so no file is a configuration too.
//! 2. What is wrong is told with its line, its column and its key, and all of it at once; only
//!    what YAML itself cannot read is told by itself.
//! 3. A wrong file changes nothing: [`Loader`] keeps what it read before.
//!
//! It knows no daemon: who reads the settings decides what to do with them.

mod added_sources;
mod collections;
mod config;
pub mod duration;
mod error;
mod files;
mod loader;
mod platform;
mod print;
mod setting;
mod shared_files;
mod sources;
mod stamp;
mod yaml;

pub use added_sources::{
    KnownSource, add_source, is_invalid, known_sources, named_source, no_folder, pause_source,
    remove_source, resume_source,
};
pub use config::{
    Config, Daemon, Database, IDLE_TIMEOUT_MAX, IDLE_TIMEOUT_MIN, LOCK_TIME_MAX, Lock, LogLevel,
    OnConflict, STALE_MIN, TTL_MAX, TTL_MIN, locate,
};
pub use error::{ConfigError, PROBLEMS_MAX, Problem};
pub use files::CONFIG_BYTES_MAX;
pub use loader::Loader;
pub use sources::{Source, WatchOptions, path_in_uri, uri_of};

/// The JSON Schema (draft 2020-12) of `config.yaml`, for editors and for who writes one.
pub const JSON_SCHEMA: &str = include_str!("config.schema.json");

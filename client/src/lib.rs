//! The thin library in every watcher.
//!
//! A [`Client`] reaches the daemon of a registry over its socket, starts it where there is none,
//! and does the same work on the file where there can be none. Whoever calls sees one result.
//!
//! ```no_run
//! use argus_client::{Options, Watcher, announcement};
//!
//! # fn main() -> argus_client::Result<()> {
//! // Announces `shop`, sends heartbeats from a thread of its own, and removes the record when it
//! // is dropped. No failure of the registry ends or blocks the program.
//! let watcher = Watcher::start(Options::from_env()?, announcement("shop").port(3000).build())?;
//! println!("known as {}", watcher.id());
//! # Ok(())
//! # }
//! ```
//!
//! A [`Collection`] reads and writes the records of one collection as values of a type of the
//! program's own, and a [`Mirror`] keeps them in memory for readers that must never wait.
//!
//! [`Client`] is asynchronous and needs a tokio runtime; [`blocking::Client`] is the same for
//! programs without one.

mod announcement;
pub mod blocking;
mod client;
mod connection;
mod description;
mod direct;
mod direct_history;
mod direct_sources;
mod fallback;
mod handshake;
mod link;
mod mirror;
mod options;
mod platform;
mod polling;
mod probe;
mod route;
mod settings;
mod spawn;
mod status;
mod subscription;
mod typed;
mod watcher;

pub use announcement::{Announcement, announcement};
pub use argus_proto::engine::Reason;
pub use argus_proto::error::{Code, Error, Result};
pub use argus_proto::event::{Event, EventKind};
pub use argus_proto::method;
pub use argus_proto::presence::State;
pub use client::Client;
pub use mirror::{Mirror, Snapshot};
pub use options::{Mode, Options};
pub use probe::Probe;
pub use route::{Route, Way};
pub use spawn::daemon_executable;
pub use status::Overview;
pub use subscription::Subscription;
pub use typed::{Collection, Entry, Invalid, Listing};
pub use watcher::{Standing, Watcher};

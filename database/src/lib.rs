//! The database of argus: an SQLite file that mirrors the collection `tasks` and keeps every change of
//! every collection.
//!
//! 1. The registry never waits for it. A thread of its own follows the registry by cursor, whatever
//!    the disk does meanwhile.
//! 2. The JSON files are the truth. Whatever becomes of the database, it is filled again from them;
//!    nothing flows back.
//! 3. A batch is one transaction: changes, tasks, and up to where they have been written. So after any crash every
//!    change is there once, in its order.
//! 4. A file that is damaged is set aside, never deleted. One of a newer argus or of another program
//!    is not touched.
//! 5. No value of a secret collection is written, only its keyed hash.
//!
//! It knows no daemon: what it follows is a [`Registry`].

mod backoff;
mod batch;
mod change;
mod conflict;
mod database;
mod error;
mod explain;
mod file;
mod follower;
mod history;
mod mirror;
mod number;
mod platform;
mod queue;
mod registry;
mod retention;
mod row;
mod schema;
mod secret;
mod signals;
mod status;
mod task;

pub use database::{Database, Flushed, Options};
pub use error::{DatabaseError, DatabaseResult};
pub use explain::{explain, keeps_none, local_time};
pub use history::{ANSWER_BYTES_MAX, History};
pub use queue::{QUEUE_BYTES_MAX, QUEUE_CHANGES_MAX};
pub use registry::{Contents, Entry, Following, Gap, Registry, State, Version};
pub use retention::{KEPT_AGE, KEPT_ROWS_MAX};
pub use status::{Activity, Status};

#[cfg(test)]
mod tests;

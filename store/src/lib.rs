//! The durable file of an argus registry: the only code that writes state.
//!
//! The daemon and the direct mode of the client both go through here, so a change is made the
//! same way whoever makes it. Everything is synchronous; who must not wait calls it on a thread.
//!
//! 1. A write happens under `write.lock` and the lockfile, taken in this order.
//! 2. What others wrote meanwhile is read under the locks, before anything is applied to it.
//! 3. The file is replaced whole, or not at all; a reader needs no lock.
//! 4. An error other than [`StoreError::OutcomeUnknown`] means: nothing was changed.

pub mod atomic;
mod closer;
mod contents;
mod endpoint;
mod error;
pub mod folder;
pub mod holder;
mod keeper;
pub mod kernel_lock;
mod last_good;
mod lock;
pub mod lockfile;
mod paths;
mod platform;
pub mod quarantine;
mod records;
mod recovery;
mod registry_file;
pub mod survey;
mod sync;
mod turn;
pub mod wait;

pub use endpoint::Endpoint;
pub use error::{StoreError, StoreResult};
pub use folder::Folder;
pub use kernel_lock::KernelLock;
pub use lock::{Lock, LockOptions, update};
pub use paths::{Paths, locate_registry};
pub use recovery::{Recovery, Source};
pub use registry_file::{Committed, Reading, RegistryFile, Transaction};
pub use wait::Wait;

//! What threads share. Under another name, so that a test can put a scheduler of its own in its place
//! (`tests/turn.rs`).

pub(crate) use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

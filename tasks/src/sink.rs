//! Where changes go.

use crate::catalog::TaskChange;

/// Takes the changes of a source.
pub trait Sink: Send + 'static {
    /// Makes the changes durable, and returns when they are. It may be offered the same ones again.
    ///
    /// # Errors
    /// Where they were not taken: they are offered again later, with what changed meanwhile.
    fn deliver(&mut self, changes: Vec<TaskChange>) -> Result<(), Undelivered>;
}

/// Why changes were not taken, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub String);

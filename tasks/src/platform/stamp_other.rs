//! Elsewhere: a file or a folder is told by when it was made.

use std::fs::Metadata;
use std::time::SystemTime;

/// What tells a file or a folder from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity(Option<SystemTime>);

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Identity(metadata.created().ok())
    }
}

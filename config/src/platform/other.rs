//! Elsewhere: size and time are all that is asked.

use std::fs::Metadata;

/// What tells a file from others, and from what it was, beside its size and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) fn of(_metadata: &Metadata) -> Self {
        Identity
    }
}

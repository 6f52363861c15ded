//! `shutdown`: the daemon ends, with nothing left undone.

use serde::{Deserialize, Serialize};

/// Asks the daemon to commit what waits and to end.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
#[serde(default)]
pub struct Shutdown {
    /// The caller is its successor, and takes over its owner lock and its socket: once everything
    /// is written they are sent over this connection, where the system can do that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handover: bool,
}

/// The daemon is ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Stopping {
    /// Always true.
    pub stopping: bool,
    /// Lock and socket will be handed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handover: bool,
}

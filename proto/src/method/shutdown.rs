//! `shutdown`: the daemon ends, with nothing left undone.

use serde::{Deserialize, Serialize};

/// Asks the daemon to commit what waits and to end.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub struct Shutdown {}

/// The daemon is ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Stopping {
    /// Always true.
    pub stopping: bool,
}

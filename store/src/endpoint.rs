//! `endpoint.json`: where a running daemon says who it is and where it listens.

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::StoreResult;
use crate::paths::Paths;

/// What a daemon says of itself, for programs and for people who look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The socket on which it listens.
    pub path: String,
    /// Its process.
    pub pid: u32,
    /// What tells that process from a later one with the same pid.
    pub start_time: Option<u64>,
    /// Tells this life of the daemon from every other.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// The protocols that it speaks, from and to.
    pub protocol: [u32; 2],
}

impl Endpoint {
    /// What stands there, if anything. A daemon that was killed leaves it behind.
    pub fn read(paths: &Paths) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(paths.endpoint()).ok()?).ok()
    }

    /// Replaces what stands there. Only for who holds the owner lock.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, paths: &Paths) -> StoreResult<()> {
        atomic::replace_volatile(
            &paths.endpoint(),
            &serde_json::to_vec_pretty(self).unwrap_or_default(),
        )
    }

    /// Removes what `instance` wrote. If the folder was replaced meanwhile, the file in it is the
    /// next daemon's.
    pub fn remove(paths: &Paths, instance: &str) {
        if Endpoint::read(paths).is_some_and(|endpoint| endpoint.instance == instance) {
            let _ = std::fs::remove_file(paths.endpoint());
        }
    }
}

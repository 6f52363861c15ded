//! How a registry is, with and without a daemon.

use serde::{Deserialize, Serialize};

use argus_proto::method::{StatusReport, Warning};

/// What `argus status` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The registry's file.
    pub registry: String,
    /// `daemon` where one answers, else `direct`.
    pub mode: String,
    /// What the daemon says of itself.
    pub daemon: Option<StatusReport>,
    /// What is wrong.
    pub warnings: Vec<Warning>,
}

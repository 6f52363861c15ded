//! Who a process is, and what can be said about whether it still runs.

use serde::{Deserialize, Serialize};

/// What tells a process from a later one with the same pid.
///
/// This is the record's `process` key. `start_time` is what the kernel counts in (Linux: clock
/// ticks since boot, field 22 of `/proc/PID/stat`), never wall-clock time, which can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// The boot in which the process was started.
    pub boot_id: String,
    /// When it was started, in the kernel's own unit.
    pub start_time: u64,
    /// The inode of the pid namespace in which its pid counts; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
    /// The daemon keeps this record fresh for as long as the process lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched: Option<bool>,
}

impl Process {
    /// Whether both name the same process, given the same pid.
    pub fn is(&self, other: &Process) -> bool {
        self.boot_id == other.boot_id
            && self.start_time == other.start_time
            && self.pid_namespace == other.pid_namespace
    }
}

/// Who a process is, by what a record tells of it and by what is seen here. In another pid
/// namespace whoever wrote the record knows better.
pub(crate) fn believed(told: Option<Process>, seen: Option<Process>) -> Option<Process> {
    match (told, seen) {
        (Some(told), Some(seen)) if told.pid_namespace == seen.pid_namespace => Some(seen),
        (Some(told), _) => Some(told),
        (None, seen) => seen,
    }
}

/// What is known about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It runs, and it is the one that was named.
    Alive,
    /// It is proven gone.
    Dead,
    /// Nothing is proven: another pid namespace, or the system does not tell.
    Unknown,
}

/// What this machine tells about processes. The rules ask through this, so that a test can
/// answer from a table.
pub trait Machine {
    /// The identity of a running process; `None` where there is no such pid, or no way to tell.
    fn identify(&self, pid: u32) -> Option<Process>;

    /// Whether the process that a record names still runs. Without an identity only the pid is
    /// looked at.
    fn verdict(&self, pid: u32, process: Option<&Process>) -> Verdict;
}

//! What every Unix has: signal 0, and clocks.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process's number as the system takes it; `None` for what cannot be one.
pub(super) fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether there is a process of which the system shows nothing, as of other users': it is alive.
pub(super) fn is_hidden(pid: u32) -> bool {
    pid_of(pid).is_some_and(|pid| !matches!(test_kill_process(pid), Err(Errno::SRCH)))
}

/// What a clock tells in seconds and nanoseconds.
pub(super) fn duration(seconds: i64, nanoseconds: i64) -> Duration {
    Duration::new(seconds.max(0) as u64, nanoseconds.clamp(0, 999_999_999) as u32)
}

//! The two clocks: one that people set, and one that only goes forward.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch. People and time servers set this clock back and forth.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds on the clock that every process of this boot shares and nobody sets.
///
/// Deadlines are sent in these, so that a request means the same moment on both sides.
pub fn monotonic_ms() -> u64 {
    crate::platform::monotonic().as_millis() as u64
}

/// How long ago this machine was started, time asleep included.
pub fn since_boot() -> Option<Duration> {
    crate::platform::since_boot()
}

//! A bounded wait for a lock.

use std::time::{Duration, Instant};

/// How long a writer waits for both locks together, unless it is told otherwise.
pub const LOCK_WAIT: Duration = Duration::from_secs(2);

const STEP_MS: u64 = 25;
const STEP_MS_MAX: u64 = 200;

/// The time that is left for taking the locks.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    deadline: Instant,
    attempt: u64,
}

impl Wait {
    /// A wait that runs out after `total`.
    pub fn new(total: Duration) -> Self {
        Wait { deadline: Instant::now() + total, attempt: 0 }
    }

    /// Sleeps until the next attempt: a little longer each time, and never in step with others.
    /// Tells whether there is time for one.
    pub fn pause(&mut self) -> bool {
        let left = self.left();
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.next_pause().min(left));
        true
    }

    /// How much of the time is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// How long to pause before the next attempt, for those who must not sleep here.
    pub fn next_pause(&mut self) -> Duration {
        self.attempt += 1;
        let step = (STEP_MS * self.attempt).min(STEP_MS_MAX);
        Duration::from_millis(step + fastrand::u64(0..=STEP_MS))
    }
}

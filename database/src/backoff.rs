//! How long is waited after a failure: longer each time.

use std::time::Duration;

/// The first wait.
pub(crate) const WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(5);

/// How often it has failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to wait after one more failure.
    pub(crate) fn failed(&mut self) -> Duration {
        let wait = WAIT_MIN.saturating_mul(1 << self.failures.min(16)).min(WAIT_MAX);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// It works again.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_from_100_ms_to_5_s_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.failed().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.failed(), WAIT_MAX);
        backoff.succeeded();
        assert_eq!(backoff.failed(), WAIT_MIN);
    }
}

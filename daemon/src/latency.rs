//! How long the last commits took.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use argus_proto::method::CommitLatency;

/// How many commits are remembered.
const COMMITS_MAX: usize = 1024;

/// The durations of the last commits, in microseconds, and how many there were in all.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Mutex<(u64, VecDeque<u64>)>);

impl Latencies {
    pub(crate) fn note(&self, latency: Duration) {
        let mut guard = self.lock();
        let (commits, last) = &mut *guard;
        *commits += 1;
        if last.len() == COMMITS_MAX {
            last.pop_front();
        }
        last.push_back(latency.as_micros() as u64);
    }

    /// How many commits there were, and how long the last of them took.
    pub(crate) fn summary(&self) -> (u64, CommitLatency) {
        let (commits, mut sorted) = {
            let guard = self.lock();
            (guard.0, Vec::from_iter(guard.1.iter().copied()))
        };
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else {
            return (commits, CommitLatency::default());
        };
        let at = |hundredths: usize| sorted[last * hundredths / 100];
        (commits, CommitLatency { p50_us: at(50), p99_us: at(99), max_us: at(100) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, VecDeque<u64>)> {
        // Nobody panics between lock and unlock: there is nothing but arithmetic.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_of_the_last_commits_only() {
        let latencies = Latencies::default();
        assert_eq!(latencies.summary(), (0, CommitLatency::default()));
        latencies.note(Duration::from_secs(9));
        for micros in 1..=COMMITS_MAX as u64 {
            latencies.note(Duration::from_micros(micros));
        }
        let (commits, summary) = latencies.summary();
        assert_eq!(commits, COMMITS_MAX as u64 + 1);
        assert_eq!((summary.p50_us, summary.max_us), (512, 1024));
    }
}

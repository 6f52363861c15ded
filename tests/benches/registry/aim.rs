//! What a figure ought to be, from the contract's section on speed, and whether it is.

use std::time::Duration;

/// A latency, as a multiple of the disk's.
pub(crate) const ANNOUNCE_TO_APPEND: f64 = 1.3;
/// A throughput: announcements a second, of all clients together.
pub(crate) const ANNOUNCES_PER_SECOND: f64 = 25_000.0;
/// A latency, as a multiple of the socket's.
pub(crate) const CALL_TO_ROUND_TRIP: f64 = 1.7;
/// A commit, as a multiple of its bare writes.
pub(crate) const COMMIT_TO_WRITES: f64 = 1.2;
/// A change on its way to all subscribers, as a multiple of the commit.
pub(crate) const EVENT_TO_COMMIT: f64 = 1.8;
/// An announcement beside a subscriber that never reads, as a multiple of one without it.
pub(crate) const BESIDE_DEAF_SUBSCRIBER: f64 = 1.1;
/// How long 10 000 records may take to arrive.
pub(crate) const LISTING: Duration = Duration::from_millis(1);
/// What the most records may cost, as a multiple of the fewest.
pub(crate) const GROWTH: f64 = 1.3;
/// `argus announce` in an empty home, as a multiple of a program that does nothing.
pub(crate) const COLD_START: f64 = 5.0;
/// The idle daemon with 1 000 records.
pub(crate) const RESIDENT_BYTES: u64 = 6_000_000;

/// An aim and a verdict: two cells of a table.
#[derive(Debug)]
pub(crate) struct Aim {
    /// What was aimed at.
    pub(crate) text: String,
    /// Whether it was met.
    pub(crate) verdict: &'static str,
}

impl Aim {
    /// Nothing was promised here.
    pub(crate) fn none() -> Self {
        Aim { text: String::new(), verdict: "" }
    }

    /// Nothing measured, nothing met.
    pub(crate) fn at_most(value: Option<f64>, limit: f64, text: impl Into<String>) -> Self {
        Aim::judge(value.is_some_and(|value| value <= limit), format!("≤ {}", text.into()))
    }

    /// At least so much.
    pub(crate) fn at_least(value: f64, limit: f64, text: impl Into<String>) -> Self {
        Aim::judge(value >= limit, format!("≥ {}", text.into()))
    }

    fn judge(is_met: bool, text: String) -> Self {
        Aim { text, verdict: if is_met { "met" } else { "not yet" } }
    }
}

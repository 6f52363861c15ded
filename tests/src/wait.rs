//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for anything. Far longer than it should take: a timing is no assertion.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `condition` gives a value; fails the test after [`DEADLINE`].
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

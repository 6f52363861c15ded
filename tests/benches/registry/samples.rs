//! How long things took, and what is said about it.

use std::time::{Duration, Instant};

/// What one process measured, or several.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    nanoseconds: Vec<u64>,
    is_sorted: bool,
    elapsed: Duration,
    per_second: f64,
    failures: usize,
    first_failure: Option<String>,
}

/// Something that is done again and again.
pub(crate) type Operation = Box<dyn FnMut() -> Result<(), String>>;

impl Samples {
    /// Does something for a time, at least once.
    pub(crate) fn take(duration: Duration, operation: &mut Operation) -> Self {
        let mut samples = Samples::default();
        let start = Instant::now();
        let mut before = start;
        loop {
            let result = operation();
            let after = Instant::now();
            match result {
                Ok(()) => samples.nanoseconds.push((after - before).as_nanos() as u64),
                Err(failure) => samples.fail(failure),
            }
            samples.elapsed = after - start;
            if samples.elapsed >= duration {
                let done = samples.nanoseconds.len() as f64;
                samples.per_second = done / samples.elapsed.as_secs_f64();
                return samples;
            }
            before = after;
        }
    }

    /// Adds what another process measured at the same time.
    pub(crate) fn join(&mut self, other: Samples) {
        self.elapsed = self.elapsed.max(other.elapsed);
        self.per_second += other.per_second;
        self.take_in(other);
    }

    /// Adds what was measured afterwards.
    pub(crate) fn append(&mut self, other: Samples) {
        let done = |samples: &Samples| samples.per_second * samples.elapsed.as_secs_f64();
        let done = done(self) + done(&other);
        self.elapsed += other.elapsed;
        self.per_second = done / self.elapsed.as_secs_f64();
        self.take_in(other);
    }

    /// The time within which half of the calls were done.
    pub(crate) fn p50(&mut self) -> Option<Duration> {
        self.percentile(50)
    }

    /// The time within which all but one call in a hundred were done.
    pub(crate) fn p99(&mut self) -> Option<Duration> {
        self.percentile(99)
    }

    /// The time within which so many of a hundred calls were done; `None` where none succeeded.
    pub(crate) fn percentile(&mut self, percent: usize) -> Option<Duration> {
        if !self.is_sorted {
            self.nanoseconds.sort_unstable();
            self.is_sorted = true;
        }
        let last = self.nanoseconds.len().checked_sub(1)?;
        Some(Duration::from_nanos(self.nanoseconds[last * percent / 100]))
    }

    /// How long one took on average. With many clients this says more than the median, to which a
    /// process that is seldom interrupted adds more than its share.
    pub(crate) fn mean(&self) -> Option<Duration> {
        let count = self.nanoseconds.len() as u64;
        self.nanoseconds.iter().sum::<u64>().checked_div(count).map(Duration::from_nanos)
    }

    /// How many were done a second, by all processes together.
    pub(crate) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// How many failed, and why the first one did.
    pub(crate) fn failures(&self) -> Option<String> {
        let why = self.first_failure.as_ref()?;
        Some(format!("{} failed: {why}", self.failures))
    }

    /// As one line of text, from one process to another.
    pub(crate) fn to_line(&self) -> String {
        serde_json::json!([
            self.nanoseconds,
            self.elapsed.as_nanos() as u64,
            self.per_second,
            self.failures,
            self.first_failure,
        ])
        .to_string()
    }

    /// Reads [`Samples::to_line`].
    pub(crate) fn from_line(line: &str) -> Self {
        let (nanoseconds, elapsed, per_second, failures, first_failure) =
            serde_json::from_str(line).expect("a worker reports in one line");
        let elapsed = Duration::from_nanos(elapsed);
        Samples { nanoseconds, is_sorted: false, elapsed, per_second, failures, first_failure }
    }

    fn take_in(&mut self, other: Samples) {
        self.nanoseconds.extend(other.nanoseconds);
        self.is_sorted = false;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn fail(&mut self, failure: String) {
        self.failures += 1;
        self.first_failure.get_or_insert(failure);
    }
}

//! Changes that are not delivered yet: the latest of each record.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::catalog::TaskChange;

/// Most changes that are delivered together.
pub(crate) const BATCH_MAX: usize = 500;
/// How soon what was not taken is offered again: at first, and at most.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Changes in the order in which they came.
#[derive(Default)]
pub(crate) struct Outbox {
    changes: BTreeMap<u64, TaskChange>,
    places: HashMap<String, u64>,
    next: u64,
    failed: u32,
    not_before: Option<Instant>,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Takes a change; one of the same record that waits is of no interest any more.
    pub(crate) fn push(&mut self, change: TaskChange) {
        if let Some(place) = self.places.insert(change.id().to_owned(), self.next) {
            self.changes.remove(&place);
        }
        self.changes.insert(self.next, change);
        self.next += 1;
    }

    /// What is to be delivered now.
    pub(crate) fn batch(&self, now: Instant) -> Option<Vec<TaskChange>> {
        if self.is_empty() || self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        Some(self.changes.values().take(BATCH_MAX).cloned().collect())
    }

    /// When there is something to deliver.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        (!self.is_empty()).then(|| self.not_before.unwrap_or(now))
    }

    /// The first `count` were taken.
    pub(crate) fn taken(&mut self, count: usize) {
        for _ in 0..count {
            if let Some((_, change)) = self.changes.pop_first() {
                self.places.remove(change.id());
            }
        }
        (self.failed, self.not_before) = (0, None);
    }

    /// None was taken.
    pub(crate) fn refused(&mut self, now: Instant) {
        let after = RETRY_AFTER[0] * 2_u32.saturating_pow(self.failed.min(10));
        self.failed += 1;
        self.not_before = Some(now + after.min(RETRY_AFTER[1]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remove(id: usize) -> TaskChange {
        TaskChange::Remove { id: id.to_string(), path: "/".into() }
    }

    #[test]
    fn what_is_refused_is_offered_again_later_and_later_with_what_came_meanwhile() {
        let mut outbox = Outbox::default();
        let mut now = Instant::now();
        outbox.push(remove(1));
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(outbox.batch(now).is_some());
            outbox.refused(now);
            let next = outbox.next_deadline(now).expect("waiting");
            waits.push((next - now).as_millis());
            assert!(outbox.batch(next - Duration::from_millis(1)).is_none());
            now = next;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        outbox.push(remove(2));
        outbox.push(remove(1));
        assert_eq!(outbox.batch(now), Some(vec![remove(2), remove(1)]));
        outbox.taken(2);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut outbox = Outbox::default();
        (0..BATCH_MAX + 1).for_each(|id| outbox.push(remove(id)));
        let batch = outbox.batch(Instant::now()).expect("a batch");
        assert_eq!(batch.len(), BATCH_MAX);
        outbox.taken(batch.len());
        assert_eq!(outbox.batch(Instant::now()), Some(vec![remove(BATCH_MAX)]));
    }
}

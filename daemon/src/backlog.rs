//! What one subscriber has not been sent yet, of the changes that are kept for nobody else.
//!
//! 1. Bounded: beyond [`CHANGES_MAX`] the changes of a record are merged into one, and beyond
//!    [`BYTES_MAX`] there is nothing left but to end the subscription.
//! 2. In the order of their revisions, the last where several are merged: whoever resumes after any
//!    of them has been told all that came before.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use argus_proto::Record;
use argus_proto::engine::Reason;
use argus_proto::event::EventKind;

use crate::snapshot::Kept;

/// The most changes that wait one by one, unless as many records have changed. Then those of each
/// record are merged.
const CHANGES_MAX: usize = 1024;
/// The most bytes of records that wait.
pub(crate) const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a change takes beside its record.
const CHANGE_BYTES: usize = 128;

/// Changes of records, in order.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// How many are left of the last merging: it is not done again for each one more.
    merged: usize,
}

/// A change that waits, or several of one record that were merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: Arc<str>,
    pub(crate) revision: u64,
    pub(crate) kind: EventKind,
    pub(crate) reason: Option<Reason>,
    pub(crate) record: Option<Arc<Record>>,
    /// How many changes it stands for.
    pub(crate) count: u64,
}

/// The subscriber takes too little: more than [`BYTES_MAX`] would wait for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Waiting {
    pub(crate) fn change(Kept { revision, change, .. }: &Kept) -> Self {
        Waiting {
            id: change.id.clone(),
            revision: *revision,
            kind: EventKind::of(change),
            reason: Some(change.reason),
            record: change.after.clone().or_else(|| change.before.clone()),
            count: 1,
        }
    }

    pub(crate) fn heartbeat(id: Arc<str>, record: Arc<Record>, revision: u64) -> Self {
        let kind = EventKind::Heartbeat;
        Waiting { id, revision, kind, reason: None, record: Some(record), count: 1 }
    }

    pub(crate) fn bytes(&self) -> usize {
        CHANGE_BYTES + self.id.len() + self.record.as_ref().map_or(0, |record| record.text().len())
    }

    /// What the two are as one, the other being the later.
    fn merge(&mut self, later: Waiting) {
        let kind = match (self.kind, later.kind) {
            // Who has not heard that it is there hears it now.
            (EventKind::Added, EventKind::Updated | EventKind::Heartbeat) => EventKind::Added,
            // It was there before, and is there again.
            (EventKind::Removed, EventKind::Added) => EventKind::Updated,
            (EventKind::Updated, EventKind::Heartbeat) => EventKind::Updated,
            (_, later) => later,
        };
        let count = match later.kind {
            // A heartbeat is no change.
            EventKind::Heartbeat => self.count,
            _ if self.kind == EventKind::Heartbeat => later.count,
            _ => self.count + later.count,
        };
        let reason = later.reason.or(self.reason);
        *self = Waiting { kind, count, reason, ..later };
    }
}

impl Backlog {
    pub(crate) fn push(&mut self, waiting: Waiting) -> Result<(), Overflow> {
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
        if self.waiting.len() > CHANGES_MAX.max(2 * self.merged) || self.bytes > BYTES_MAX {
            self.merge();
        }
        if self.bytes > BYTES_MAX { Err(Overflow) } else { Ok(()) }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    /// Leaves one change of each record, in the place of its last.
    fn merge(&mut self) {
        let mut merged: HashMap<Arc<str>, Waiting> = HashMap::new();
        for waiting in self.waiting.drain(..) {
            match merged.get_mut(&waiting.id) {
                Some(earlier) => earlier.merge(waiting),
                None => drop(merged.insert(waiting.id.clone(), waiting)),
            }
        }
        self.waiting.extend(merged.into_values());
        // Those of one revision are the heartbeats at that moment, in any order.
        self.waiting.make_contiguous().sort_by_key(|waiting| waiting.revision);
        self.bytes = self.waiting.iter().map(Waiting::bytes).sum();
        self.merged = self.waiting.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argus_proto::collection::WATCHERS;

    fn waiting(id: &str, revision: u64, kind: EventKind) -> Waiting {
        let text = format!("{{\"id\":\"{id}\"}}");
        let record = Some(Arc::new(Record::read(id, &text, &WATCHERS)));
        let reason = (kind != EventKind::Heartbeat).then_some(Reason::Announced);
        Waiting { id: id.into(), revision, kind, reason, record, count: 1 }
    }

    #[test]
    fn two_changes_of_a_record_become_one() {
        use EventKind::*;
        let rows = [
            (Added, Updated, Added, 2),
            (Added, Removed, Removed, 2),
            (Updated, Updated, Updated, 2),
            (Updated, Removed, Removed, 2),
            (Removed, Added, Updated, 2),
            (Added, Heartbeat, Added, 1),
            (Updated, Heartbeat, Updated, 1),
            (Heartbeat, Heartbeat, Heartbeat, 1),
            (Heartbeat, Updated, Updated, 1),
            (Heartbeat, Removed, Removed, 1),
        ];
        for (earlier, later, kind, count) in rows {
            let mut merged = waiting("a", 1, earlier);
            merged.merge(waiting("a", 2, later));
            assert_eq!(
                (merged.kind, merged.count, merged.revision),
                (kind, count, 2),
                "{earlier:?}"
            );
        }
    }

    #[test]
    fn a_slow_subscriber_is_told_less_often_but_everything() {
        let mut backlog = Backlog::default();
        let changes = 10 * CHANGES_MAX as u64;
        for revision in 1..=changes {
            let id = format!("app-{}", revision % 7);
            backlog.push(waiting(&id, revision, EventKind::Updated)).expect("little");
            assert!(backlog.waiting.len() <= CHANGES_MAX);
        }
        let told: Vec<Waiting> = std::iter::from_fn(|| backlog.pop()).collect();
        assert!(told.is_sorted_by_key(|waiting| waiting.revision));
        assert_eq!(told.last().expect("some").revision, changes);
        assert_eq!(told.iter().map(|waiting| waiting.count).sum::<u64>(), changes);
        assert_eq!(backlog.bytes, 0);
    }

    #[test]
    fn what_cannot_be_merged_has_a_bound() {
        let mut backlog = Backlog::default();
        let overflow = (1..).find(|revision| {
            backlog.push(waiting(&format!("app-{revision}"), *revision, EventKind::Added)).is_err()
        });
        assert!(overflow.expect("in the end") as usize <= BYTES_MAX / CHANGE_BYTES + 1);
    }
}

//! Waiting until nothing more is said about a task. Knows no clock.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Which tasks were said to have changed, and when it was said last.
#[derive(Debug)]
pub(crate) struct Quiet {
    debounce: Duration,
    deadlines: HashMap<String, (Instant, u64)>,
    order: BTreeMap<(Instant, u64), String>,
    /// Tells those apart that have the same deadline.
    next: u64,
    coalesced: u64,
}

impl Quiet {
    pub(crate) fn new(debounce: Duration) -> Self {
        let (deadlines, order) = (HashMap::new(), BTreeMap::new());
        Quiet { debounce, deadlines, order, next: 0, coalesced: 0 }
    }

    /// Something was said about a task.
    pub(crate) fn note(&mut self, task: &str, now: Instant) {
        self.note_after(task, now, self.debounce);
    }

    /// As [`Quiet::note`], with a time of its own.
    pub(crate) fn note_after(&mut self, task: &str, now: Instant, after: Duration) {
        if let Some(place) = self.deadlines.remove(task) {
            self.order.remove(&place);
            self.coalesced += 1;
        }
        let place = (now + after, self.next);
        self.next += 1;
        self.order.insert(place, task.to_owned());
        self.deadlines.insert(task.to_owned(), place);
    }

    /// It is looked at for another reason.
    pub(crate) fn forget(&mut self, task: &str) {
        if let Some(place) = self.deadlines.remove(task) {
            self.order.remove(&place);
        }
    }

    /// Takes the tasks about which nothing was said for long enough.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<String> {
        let mut due = Vec::new();
        while let Some(first) = self.order.first_entry()
            && first.key().0 <= now
        {
            let task = first.remove();
            self.deadlines.remove(&task);
            due.push(task);
        }
        due
    }

    /// When the next one is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    pub(crate) fn contains(&self, task: &str) -> bool {
        self.deadlines.contains_key(task)
    }

    pub(crate) fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// How often something was said about a task that waited already.
    pub(crate) fn coalesced(&self) -> u64 {
        self.coalesced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEBOUNCE: Duration = Duration::from_millis(500);

    #[test]
    fn it_is_quiet_when_nothing_was_said_for_the_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut quiet = Quiet::new(DEBOUNCE);
        for ms in [0, 300, 600] {
            quiet.note("a", at(ms));
        }
        quiet.note("b", at(400));
        assert_eq!(quiet.next_deadline(), Some(at(900)));
        assert!(quiet.due(at(899)).is_empty());
        assert_eq!(quiet.due(at(1000)), ["b"]);
        assert!(quiet.due(at(1099)).is_empty());
        assert_eq!(quiet.due(at(1100)), ["a"]);
        assert_eq!((quiet.next_deadline(), quiet.len(), quiet.coalesced()), (None, 0, 2));
    }

    proptest! {
        #[test]
        fn each_task_is_due_once_after_its_last_note(
            notes in prop::collection::vec((0..5_usize, 0..5_000_u64), 1..50)
        ) {
            let start = Instant::now();
            let mut notes = notes;
            notes.sort_by_key(|(_, ms)| *ms);
            let mut quiet = Quiet::new(DEBOUNCE);
            let mut last: HashMap<String, u64> = HashMap::new();
            for (task, ms) in &notes {
                let now = start + Duration::from_millis(*ms);
                for due in quiet.due(now) {
                    let noted = last.remove(&due).expect("it was noted");
                    prop_assert!(noted + 500 <= *ms);
                }
                quiet.note(&task.to_string(), now);
                last.insert(task.to_string(), *ms);
            }
            let mut rest = quiet.due(start + Duration::from_secs(60));
            let mut expected: Vec<String> = last.into_keys().collect();
            rest.sort();
            expected.sort();
            prop_assert_eq!(rest, expected);
        }
    }
}

//! Which records were removed on purpose of late, so that their watchers do not announce them
//! again.

use std::collections::{HashMap, VecDeque};

use argus_proto::engine::{Change, Reason};

/// How many are remembered. A watcher asks within one heartbeat's time.
const DEPARTED_MAX: usize = 4096;

/// The ids removed on purpose, the oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    removals: HashMap<String, u64>,
    order: VecDeque<(u64, String)>,
    next: u64,
}

impl Departed {
    pub(crate) fn note(&mut self, change: &Change) {
        match (&change.after, change.reason) {
            (None, Reason::Removed) => self.add(&change.id),
            // Announced anew, or gone for another reason.
            _ => drop(self.removals.remove(&*change.id)),
        }
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.removals.contains_key(id)
    }

    fn add(&mut self, id: &str) {
        if self.order.len() == DEPARTED_MAX
            && let Some((number, oldest)) = self.order.pop_front()
            && self.removals.get(&oldest) == Some(&number)
        {
            self.removals.remove(&oldest);
        }
        self.removals.insert(id.to_owned(), self.next);
        self.order.push_back((self.next, id.to_owned()));
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removal(id: &str, reason: Reason) -> Change {
        Change { id: id.into(), reason, before: None, after: None, evidence: None }
    }

    #[test]
    fn only_what_was_removed_on_purpose_is_remembered_and_not_for_ever() {
        let mut departed = Departed::default();
        departed.note(&removal("pruned", Reason::Pruned));
        departed.note(&removal("app", Reason::Removed));
        assert!(departed.contains("app") && !departed.contains("pruned"));

        departed.note(&removal("app", Reason::Announced));
        assert!(!departed.contains("app"));

        departed.note(&removal("app", Reason::Removed));
        for number in 0..DEPARTED_MAX - 1 {
            departed.note(&removal(&number.to_string(), Reason::Removed));
        }
        assert!(departed.contains("app"), "its first removal is forgotten, its second is not");
        departed.note(&removal("one more", Reason::Removed));
        assert!(!departed.contains("app"));
        assert!(departed.removals.len() <= DEPARTED_MAX && departed.order.len() <= DEPARTED_MAX);
    }
}

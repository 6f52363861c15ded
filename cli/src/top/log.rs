//! The last things that happened, the newest last. Pure.

use std::collections::VecDeque;

use argus_client::method::Warning;
use argus_client::{Event, EventKind};
use argus_proto::collection::WATCHERS;

use crate::command::events;
use crate::output::printable;

/// How many are kept.
pub(super) const ENTRIES_MAX: usize = 200;

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When this program was told, in milliseconds since the epoch.
    pub(super) at: u64,
    pub(super) kind: Kind,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Event(EventKind),
    Warning,
}

#[derive(Default)]
pub(super) struct Log(VecDeque<Entry>);

impl Log {
    pub(super) fn event(&mut self, event: &Event, now: u64) {
        if let Some(text) = events::summary(event, &WATCHERS) {
            self.push(Entry { at: now, kind: Kind::Event(event.kind), text });
        }
    }

    pub(super) fn warning(&mut self, warning: &Warning, now: u64) {
        let text = format!("{:<9}  {}", "warning", printable(&warning.message));
        self.push(Entry { at: now, kind: Kind::Warning, text });
    }

    /// The last so many, the newest last.
    pub(super) fn last(&self, number: usize) -> impl Iterator<Item = &Entry> {
        self.0.iter().skip(self.0.len().saturating_sub(number))
    }

    fn push(&mut self, entry: Entry) {
        if self.0.len() == ENTRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }
}

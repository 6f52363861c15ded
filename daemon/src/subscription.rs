//! One subscription: what its subscriber knows, and what is to be sent to it next.
//!
//! It follows what is published in its session's own time, and costs the writer nothing.

use std::collections::HashSet;
use std::time::Duration;

use argus_proto::document::Document;
use argus_proto::engine::refreshed;
use argus_proto::error::Result;
use argus_proto::event::{Event, EventKind};
use argus_proto::method::Listed;
use argus_proto::method::subscribe::{Mode, Subscribe, Subscribed};
use tokio::time::Instant;

use crate::backlog::{BYTES_MAX, Backlog, Overflow, Waiting};
use crate::registry::Registry;
use crate::snapshot::Snapshot;

/// How often a subscriber learns where the collection stands, though nothing concerns it.
const BOOKMARK_EVERY: Duration = Duration::from_secs(15);

/// By how many changes a subscriber may be behind before they are taken over from those that are
/// kept for everyone: half of them.
const LAG_MAX: u64 = 2048;

/// What one subscriber is told.
pub(crate) struct Subscription {
    number: u64,
    registry: Registry,
    ids: Option<HashSet<String>>,
    /// The document whose heartbeats were told; `None` where nobody has asked for them.
    heartbeats: Option<Document>,
    /// The revision up to which everything was told, or is in the backlog.
    seen: u64,
    /// The revision of the last event.
    told: u64,
    backlog: Backlog,
    /// More happened at once than is kept: everything has to be told anew.
    has_gap: bool,
    /// More waits for the subscriber than may.
    is_overfull: bool,
    bookmark_at: Instant,
}

impl Subscription {
    /// Begins one, and answers it.
    pub(crate) fn begin(
        registry: Registry,
        subscribe: &Subscribe,
        number: u64,
    ) -> Result<(Self, Subscribed)> {
        let snapshot = registry.snapshot();
        let (seen, mode) =
            subscribe.begin(&registry.epoch, snapshot.kept_from(), snapshot.revision)?;
        let subscription = Subscription {
            number,
            ids: subscribe.ids.as_ref().map(|ids| ids.iter().cloned().collect()),
            heartbeats: subscribe.heartbeats.then(|| snapshot.document.clone()),
            seen,
            told: seen,
            backlog: Backlog::default(),
            has_gap: false,
            is_overfull: false,
            bookmark_at: Instant::now() + BOOKMARK_EVERY,
            registry,
        };
        let records = (mode != Mode::Deltas).then(|| subscription.records(&snapshot));
        let cursor = subscription.registry.cursor(seen);
        Ok((subscription, Subscribed { subscription: number, cursor, mode, records }))
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Looks at what has been published since. As long as the changes are kept for everyone, they
    /// wait there. `is_stalled`: the subscriber takes nothing.
    pub(crate) fn take_in(&mut self, is_stalled: bool) {
        let snapshot = self.registry.snapshot();
        if self.has_gap || self.is_overfull {
            return;
        }
        if self.seen < snapshot.kept_from() {
            self.backlog = Backlog::default();
            self.has_gap = true;
        } else if is_stalled && self.bytes_behind(&snapshot) > BYTES_MAX {
            self.is_overfull = true;
        } else if snapshot.revision - self.seen > LAG_MAX {
            self.is_overfull = self.take_over(&snapshot).is_err();
        }
    }

    /// The next thing to tell; `None` while there is nothing.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let now = Instant::now();
        let snapshot = self.registry.snapshot();
        self.has_gap |= self.seen < snapshot.kept_from();
        let event = if self.is_overfull || self.registry.has_ended() {
            // Told up to there: that is where it can be resumed.
            self.event(EventKind::Closed, self.told)
        } else if self.has_gap {
            self.has_gap = false;
            self.backlog = Backlog::default();
            self.seen = snapshot.revision;
            if let Some(before) = &mut self.heartbeats {
                *before = snapshot.document.clone();
            }
            let records = Some(self.records(&snapshot));
            Event { records, ..self.event(EventKind::Resync, snapshot.revision) }
        } else if let Some(waiting) = self.next_waiting(&snapshot) {
            Event {
                id: Some(waiting.id.to_string()),
                record: waiting.record.map(|record| record.json()),
                reason: waiting.reason,
                coalesced: (waiting.count > 1).then_some(waiting.count),
                ..self.event(waiting.kind, waiting.revision)
            }
        } else if now >= self.bookmark_at {
            self.event(EventKind::Bookmark, self.seen)
        } else {
            return None;
        };
        self.told = event.revision;
        self.bookmark_at = now + BOOKMARK_EVERY;
        Some(event)
    }

    fn next_waiting(&mut self, snapshot: &Snapshot) -> Option<Waiting> {
        if let Some(waiting) = self.backlog.pop() {
            return Some(waiting);
        }
        let mut changes = snapshot.changes_after(self.seen);
        if let Some(kept) = changes.find(|kept| self.concerns(&kept.change.id)) {
            self.seen = kept.revision;
            return Some(Waiting::change(kept));
        }
        self.seen = snapshot.revision;
        self.note_heartbeats(snapshot);
        self.backlog.pop()
    }

    /// When there will be something to tell, whatever happens.
    pub(crate) fn bookmark_at(&self) -> Instant {
        self.bookmark_at
    }

    /// Whether its last event has been told.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_overfull || self.registry.has_ended()
    }

    pub(crate) fn is_about_heartbeats(&self) -> bool {
        self.heartbeats.is_some()
    }

    /// Takes over what is about to be kept for nobody any more.
    fn take_over(&mut self, snapshot: &Snapshot) -> std::result::Result<(), Overflow> {
        for kept in snapshot.changes_after(self.seen) {
            if self.concerns(&kept.change.id) {
                self.backlog.push(Waiting::change(kept))?;
            }
        }
        self.seen = snapshot.revision;
        Ok(())
    }

    /// How much this subscriber has not been told.
    fn bytes_behind(&self, snapshot: &Snapshot) -> usize {
        let kept = snapshot.changes_after(self.seen);
        let changes = kept.filter(|kept| self.concerns(&kept.change.id)).map(Waiting::change);
        self.backlog.bytes() + changes.map(|waiting| waiting.bytes()).sum::<usize>()
    }

    fn note_heartbeats(&mut self, snapshot: &Snapshot) {
        let Some(before) = &mut self.heartbeats else { return };
        let before = std::mem::replace(before, snapshot.document.clone());
        for (id, record) in refreshed(&before, &snapshot.document) {
            if !self.concerns(&id) {
                continue;
            }
            let heartbeat = Waiting::heartbeat(id, record, snapshot.revision);
            // What does not fit is told at its next heartbeat.
            if self.backlog.bytes() + heartbeat.bytes() > BYTES_MAX {
                return;
            }
            let _ = self.backlog.push(heartbeat);
        }
    }

    fn concerns(&self, id: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(id))
    }

    fn records(&self, snapshot: &Snapshot) -> Vec<Listed> {
        let context = snapshot.context(0);
        let all = snapshot.document.records.iter().filter(|(id, _)| self.concerns(id));
        all.map(|(id, record)| Listed::new(id, record, context)).collect()
    }

    fn event(&self, kind: EventKind, revision: u64) -> Event {
        let name = &self.registry.name;
        let event = Event::new(kind, name, self.registry.cursor(revision), revision);
        Event { subscription: self.number, ..event }
    }
}

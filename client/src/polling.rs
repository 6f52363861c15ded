//! Following the file where no daemon can be had: what others wrote is told, as differences.

use argus_proto::document::Document;
use argus_proto::engine::{Change, Reason, differences, refreshed};
use argus_proto::error::Error;
use argus_proto::event::{Event, EventKind};
use argus_proto::method::{Listed, Subscribe};
use argus_store::RegistryFile;

use crate::direct::Direct;

/// The file, and what of it was told.
pub(crate) struct Polling {
    direct: Direct,
    file: RegistryFile,
    subscribe: Subscribe,
    told: Option<Document>,
    revision: u64,
    /// Kept here, so that nothing is lost where nobody waits for a look to its end.
    found: Vec<Event>,
    /// Why the last look did not see what the file holds.
    problem: Option<Error>,
}

impl Polling {
    pub(crate) fn new(direct: Direct, subscribe: Subscribe) -> Self {
        Polling {
            file: direct.file(),
            direct,
            subscribe,
            told: None,
            revision: 0,
            found: Vec::new(),
            problem: None,
        }
    }

    /// Finds what happened since the last look; all there is at the first. Blocks on the disk.
    pub(crate) fn look(&mut self) {
        let found = self.read();
        self.found.extend(found);
    }

    /// What was found since this was last asked, and why the last look did not see what the file
    /// holds, where it did not.
    pub(crate) fn take_found(&mut self) -> (Vec<Event>, Option<Error>) {
        (std::mem::take(&mut self.found), self.problem.clone())
    }

    fn read(&mut self) -> Vec<Event> {
        if self.told.is_some() && !self.file.has_changed() {
            self.problem = None;
            return Vec::new();
        }
        let document = match self.file.reload() {
            Ok(document) => {
                self.problem = None;
                document
            }
            Err(error) => {
                self.problem = Some(error.into());
                // A file that is damaged now is told about where it is read; here nothing has happened.
                match self.told.is_none().then(|| self.file.read()) {
                    Some(Ok(reading)) => reading.document,
                    Some(Err(_)) | None => return Vec::new(),
                }
            }
        };
        match self.told.replace(document.clone()) {
            None => vec![self.everything(&document)],
            Some(before) => self.since(&before, &document),
        }
    }

    fn everything(&self, document: &Document) -> Event {
        let context = self.direct.context();
        let all = document.records.iter().filter(|(id, _)| self.subscribe.concerns(id));
        let records = all.map(|(id, record)| Listed::new(id, record, context)).collect();
        Event { records: Some(records), ..self.event(EventKind::Resync) }
    }

    fn since(&mut self, before: &Document, now: &Document) -> Vec<Event> {
        let mut events = Vec::new();
        for change in differences(before, now, Reason::External, None) {
            self.revision += 1;
            if self.subscribe.concerns(&change.id) {
                events.push(self.change(&change));
            }
        }
        if self.subscribe.heartbeats {
            for (id, record) in refreshed(before, now) {
                if self.subscribe.concerns(&id) {
                    let event = self.event(EventKind::Heartbeat);
                    let (id, record) = (Some(id.to_string()), Some(record.json()));
                    events.push(Event { id, record, ..event });
                }
            }
        }
        events
    }

    fn change(&self, change: &Change) -> Event {
        let record = change.after.as_ref().or(change.before.as_ref());
        Event {
            id: Some(change.id.to_string()),
            record: record.map(|record| record.json()),
            reason: Some(change.reason),
            ..self.event(EventKind::of(change))
        }
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::new(kind, &self.direct.collection().name, String::new(), self.revision)
    }
}

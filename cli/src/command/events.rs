//! `argus events`: what happens, a line each.

use argus_client::method::{Listed, Subscribe};
use argus_client::{Code, Error, Event, EventKind, Result};
use argus_proto::Record;
use argus_proto::collection::Collection;
use argus_proto::json::JsonText;

use super::Session;
use crate::args::Events;
use crate::output::printable;

pub(crate) async fn run(session: &Session, arguments: Events) -> Result<()> {
    let begins_after_cursor = arguments.since.is_some();
    let mut events = session.client.subscribe(Subscribe {
        since: arguments.since,
        ids: (!arguments.ids.is_empty()).then_some(arguments.ids),
        heartbeats: arguments.heartbeats,
    });
    let mut is_first = true;
    loop {
        let event = events.next().await?;
        if is_first {
            session.output.route_warning(&session.client, true);
        }
        // What is there when it begins is no event, unless somebody had come back for what he has
        // missed and it is not known any more.
        let is_snapshot = is_first && event.kind == EventKind::Resync && !begins_after_cursor;
        is_first = false;
        if is_snapshot && !arguments.snapshot {
            continue;
        }
        if !print(session, &event)? {
            return Ok(());
        }
    }
}

/// Prints an event; tells whether anybody still reads.
pub(crate) fn print(session: &Session, event: &Event) -> Result<bool> {
    if !session.output.json {
        return session.output.lines(&lines(event, &session.client.description()));
    }
    let line = serde_json::to_string(event)
        .map_err(|error| Error::new(Code::Protocol, error.to_string()))?;
    session.output.lines(&[line])
}

fn lines(event: &Event, collection: &Collection) -> Vec<String> {
    let mut lines: Vec<String> = summary(event, collection).into_iter().collect();
    for Listed { id, record, .. } in event.records.iter().flatten() {
        lines.push(line("there", id, record, collection));
    }
    lines
}

/// An event in one line; nothing where nothing happened.
pub(crate) fn summary(event: &Event, collection: &Collection) -> Option<String> {
    if let (EventKind::Resync, Some(records)) = (event.kind, &event.records) {
        return Some(format!("{:<9}  {} there", event.kind.name(), records.len()));
    }
    let (id, record) = (event.id.as_deref()?, event.record.as_ref()?);
    let mut line = line(event.kind.name(), id, record, collection);
    if let Some(reason) = event.reason {
        line.push_str(&format!("  {}", reason.name()));
    }
    if let Some(coalesced) = event.coalesced {
        line.push_str(&format!("  ({coalesced} changes)"));
    }
    Some(line)
}

/// What happened, to whom, and where that one is.
fn line(what: &str, id: &str, record: &JsonText, collection: &Collection) -> String {
    let record = Record::read(id, record.as_str(), collection);
    let place = match record.watcher() {
        Some(watcher) if watcher.port == 0 => format!("pid {}", watcher.pid),
        Some(watcher) => format!("{}  pid {}", watcher.endpoint(), watcher.pid),
        None => record.damage().map(ToString::to_string).unwrap_or_default(),
    };
    format!("{what:<9}  {}  {}", printable(id), printable(&place)).trim_end().to_owned()
}

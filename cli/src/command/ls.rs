//! `argus ls`: who is there.

use argus_client::method::{List, Listed, Listing};
use argus_client::{Result, State};
use argus_presence::clock;
use argus_proto::Record;
use argus_proto::collection::{Collection, TASKS};
use comfy_table::{Cell, Color};

use super::{Session, folder, watch};
use crate::args::Ls;
use crate::output::printable;
use crate::table::{ago, table};

pub(crate) const HEADINGS: [&str; 7] =
    ["ID", "ENDPOINT", "PID", "STATE", "AGE", "HEARTBEAT", "CWD"];
/// Where among them the state stands.
const STATE: usize = 3;

const PLAIN_HEADINGS: [&str; 2] = ["ID", "RECORD"];
const TASK_HEADINGS: [&str; 5] = ["ID", "VERSION", "STATUS", "PATH", "PROBLEM"];

pub(crate) async fn run(session: &Session, arguments: Ls) -> Result<()> {
    let list =
        List { cwd: arguments.cwd.as_deref().map(folder).transpose()?, by_cwd: arguments.by_cwd };
    if arguments.watch {
        return watch::run(session, list).await;
    }
    let is_filtered = list != List::default();
    let listing = session.told(true, session.client.list(list).await)?;
    session.output.warnings(&listing.warnings);
    if listing.records.is_empty() && listing.warnings.is_empty() && !session.output.json {
        let which = if is_filtered { " that fits" } else { "" };
        match session.client.collection_file() {
            Ok(file) => {
                let registry = file.paths().registry().display();
                anstream::eprintln!("nobody{which} is registered in {registry}");
            }
            // Only the daemon knows where it is.
            Err(_) => anstream::eprintln!("nobody{which} is registered there"),
        }
    }
    session.output.data(&listing, |listing: &Listing| {
        if listing.records.is_empty() {
            String::new()
        } else {
            text(listing, &session.client.description(), clock::wall_ms())
        }
    })
}

/// The records as a table.
pub(crate) fn text(listing: &Listing, collection: &Collection, now: u64) -> String {
    let records = listing.records.iter();
    match collection.ttl {
        Some(_) => table(&HEADINGS, records.map(|listed| row(listed, collection, now)).collect()),
        None if collection.name == TASKS.name => {
            table(&TASK_HEADINGS, records.map(task_row).collect())
        }
        None => table(&PLAIN_HEADINGS, records.map(plain_row).collect()),
    }
}

/// Of the collection that argus itself fills.
fn task_row(listed: &Listed) -> Vec<Cell> {
    let task = listed.record.to_value();
    let text = |value: &serde_json::Value| printable(value.as_str().unwrap_or("-"));
    let status = Cell::new(text(&task["status"]));
    let problem = &task["errors"][0]["message"];
    vec![
        Cell::new(printable(&listed.id)),
        Cell::new(text(&task["version"])),
        if problem.is_string() { status.fg(Color::Red) } else { status.fg(Color::Green) },
        Cell::new(text(&task["path"])),
        Cell::new(if problem.is_string() { text(problem) } else { String::new() }),
    ]
}

/// Of a collection that has no more to say of its records than what stands in them.
fn plain_row(listed: &Listed) -> Vec<Cell> {
    vec![Cell::new(printable(&listed.id)), Cell::new(printable(listed.record.as_str()))]
}

fn row(listed: &Listed, collection: &Collection, now: u64) -> Vec<Cell> {
    let record = Record::read(&listed.id, listed.record.as_str(), collection);
    let mut row: Vec<Cell> = cells(&listed.id, listed.state, &record, now).map(Cell::new).into();
    let state = std::mem::replace(&mut row[STATE], Cell::new(""));
    row[STATE] = match listed.state {
        Some(State::Live) => state.fg(Color::Green),
        Some(State::Stale) => state.fg(Color::Yellow),
        Some(State::Dead | State::Invalid) => state.fg(Color::Red),
        None => state,
    };
    row
}

/// One record under the [`HEADINGS`], fit for a terminal.
pub(crate) fn cells(
    id: &str,
    state: Option<State>,
    record: &Record,
    now: u64,
) -> [String; HEADINGS.len()] {
    let none = || "-".to_owned();
    let id = printable(id);
    let state = state.map_or("", State::name).to_owned();
    let Some(watcher) = record.watcher() else {
        let damage = record.damage().map(ToString::to_string).unwrap_or_default();
        return [id, none(), none(), state, none(), none(), printable(&damage)];
    };
    [
        id,
        if watcher.port == 0 { none() } else { printable(&watcher.endpoint()) },
        watcher.pid.to_string(),
        state,
        ago(now, watcher.started_at),
        ago(now, watcher.updated_at),
        watcher.cwd.as_deref().map_or_else(none, printable),
    ]
}

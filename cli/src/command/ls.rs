//! `argus ls`: who is there.

use argus_client::method::{List, Listed, Listing};
use argus_client::{Result, State};
use argus_presence::clock;
use argus_proto::Record;
use argus_proto::collection::WATCHERS;
use comfy_table::{Cell, Color};

use super::{Session, folder, watch};
use crate::args::Ls;
use crate::output::printable;
use crate::table::{ago, table};

const HEADINGS: [&str; 7] = ["ID", "ENDPOINT", "PID", "STATE", "AGE", "HEARTBEAT", "CWD"];

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
        let registry = session.client.paths().registry().display();
        let which = if is_filtered { " that fits" } else { "" };
        anstream::eprintln!("nobody{which} is registered in {registry}");
    }
    session.output.data(&listing, |listing: &Listing| {
        if listing.records.is_empty() { String::new() } else { text(listing, clock::wall_ms()) }
    })
}

/// The records as a table.
pub(crate) fn text(listing: &Listing, now: u64) -> String {
    table(&HEADINGS, listing.records.iter().map(|listed| row(listed, now)).collect())
}

fn row(listed: &Listed, now: u64) -> Vec<Cell> {
    let state = Cell::new(listed.state.map_or("", State::name));
    let state = match listed.state {
        Some(State::Live) => state.fg(Color::Green),
        Some(State::Stale) => state.fg(Color::Yellow),
        Some(State::Dead | State::Invalid) => state.fg(Color::Red),
        None => state,
    };
    let record = Record::read(&listed.id, listed.record.as_str(), &WATCHERS);
    let Some(watcher) = record.watcher() else {
        let damage = record.damage().map(ToString::to_string).unwrap_or_default();
        let none = || Cell::new("-");
        return vec![
            Cell::new(printable(&listed.id)),
            none(),
            none(),
            state,
            none(),
            none(),
            Cell::new(damage),
        ];
    };
    let endpoint = if watcher.port == 0 { "-".to_owned() } else { watcher.endpoint() };
    vec![
        Cell::new(printable(&listed.id)),
        Cell::new(printable(&endpoint)),
        Cell::new(watcher.pid),
        state,
        Cell::new(ago(now, watcher.started_at)),
        Cell::new(ago(now, watcher.updated_at)),
        Cell::new(watcher.cwd.as_deref().map_or_else(|| "-".to_owned(), printable)),
    ]
}

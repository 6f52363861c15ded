//! `argus history`: what became of records, and why.

use argus_client::Result;
use argus_client::method::{Changes, History, Recorded};
use argus_database::local_time;
use argus_presence::clock;
use argus_proto::sentence::cause;
use comfy_table::Cell;

use super::Session;
use crate::args;
use crate::output::printable;
use crate::table::table;

const HEADINGS: [&str; 4] = ["TIME", "CHANGE", "ID", "WHY"];

pub(crate) async fn run(session: &Session, arguments: args::History) -> Result<()> {
    let history = History { id: arguments.id, since: arguments.since, limit: arguments.limit };
    let changes = session.told(true, session.client.history(history).await)?;
    if let Some(behind) = &changes.behind {
        session.output.warning(&format!("the last changes may be missing: {behind}"));
    }
    if !session.output.json {
        if changes.changes.is_empty() {
            anstream::eprintln!("nothing that is recorded fits");
        }
        if changes.truncated {
            anstream::eprintln!("there is more before this: --limit N, or --since 2h");
        }
    }
    session.output.data(&changes, text)
}

fn text(changes: &Changes) -> String {
    if changes.changes.is_empty() {
        return String::new();
    }
    let now = clock::wall_ms();
    table(&HEADINGS, changes.changes.iter().map(|change| row(change, now)).collect())
}

fn row(change: &Recorded, now: u64) -> Vec<Cell> {
    vec![
        Cell::new(local_time(change.at, now)),
        Cell::new(change.kind.name()),
        Cell::new(printable(&change.id)),
        Cell::new(printable(&cause(change))),
    ]
}

//! `argus ls --watch`: a table that keeps itself up to date on a terminal, and lines elsewhere.

use std::time::Duration;

use argus_client::method::{List, Listing, Subscribe};
use argus_client::{Code, Error, Event, Result};
use argus_presence::clock;
use argus_proto::Record;
use argus_proto::collection::Collection;
use tokio::time::sleep;

use super::{Session, events, ls};
use crate::platform::{Ending, Suspending};
use crate::table::terminal_size;

/// How often the table is drawn anew although nothing has changed: it shows ages.
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// Changes that follow each other more closely than this are drawn together.
const TOGETHER: Duration = Duration::from_millis(50);

/// The terminal's other screen, its cursor hidden and long lines cut. What was there before comes back when this is
/// dropped.
struct Screen;

impl Screen {
    fn enter(session: &Session) -> Result<Self> {
        session.output.text("\x1b[?1049h\x1b[?25l\x1b[?7l")?;
        Ok(Screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        anstream::print!("\x1b[?7h\x1b[?25h\x1b[?1049l");
    }
}

pub(crate) async fn run(session: &Session, list: List) -> Result<()> {
    match terminal_size() {
        Some(_) if !session.output.json => in_place(session, list).await,
        _ => in_lines(session, list).await,
    }
}

/// One line an event, first those that are there.
async fn in_lines(session: &Session, list: List) -> Result<()> {
    let mut following = session.client.subscribe(Subscribe::default());
    let collection = &*session.client.description();
    let mut is_first = true;
    loop {
        let mut event = following.next().await?;
        if is_first {
            session.output.route_warning(&session.client, true);
            is_first = false;
        }
        if let Some(records) = &mut event.records {
            records.retain(|listed| {
                list.includes(&Record::read(&listed.id, listed.record.as_str(), collection))
            });
        }
        if concerns(&event, &list, collection) && !events::print(session, &event)? {
            return Ok(());
        }
    }
}

fn concerns(event: &Event, list: &List, collection: &Collection) -> bool {
    match (&event.id, &event.record) {
        (Some(id), Some(record)) => list.includes(&Record::read(id, record.as_str(), collection)),
        _ => true,
    }
}

async fn in_place(session: &Session, list: List) -> Result<()> {
    let mut following = session.client.subscribe(Subscribe::default());
    // One for all rounds: a signal between two of them is not to be missed.
    let no_signals = |error| Error::new(Code::Io, format!("no signals: {error}"));
    let mut ending = Ending::new().map_err(no_signals)?;
    let mut suspending = Suspending::new().map_err(no_signals)?;
    let mut screen = Screen::enter(session)?;
    let code = loop {
        let listing = session.client.list(list.clone()).await?;
        session.output.text(&picture(&listing, &session.client.description()))?;
        tokio::select! {
            event = following.next() => {
                event?;
                sleep(TOGETHER).await;
            }
            () = sleep(REDRAW_EVERY) => {}
            () = suspending.asked() => {
                drop(screen);
                suspending.obey();
                screen = Screen::enter(session)?;
            }
            code = ending.asked() => break code,
        }
    };
    drop(screen);
    // What was seen last stays to be seen.
    let listing = session.client.list(list).await?;
    session
        .output
        .text(&(ls::text(&listing, &session.client.description(), clock::wall_ms()) + "\n"))?;
    std::process::exit(code.into());
}

/// The whole screen, with as many rows as fit.
fn picture(listing: &Listing, collection: &Collection) -> String {
    let height = terminal_size().map_or(24, |(_, height)| usize::from(height));
    let text = match listing.records.is_empty() {
        true => "nobody is registered".to_owned(),
        false => ls::text(listing, collection, clock::wall_ms()),
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut shown: Vec<String> = lines.iter().take(height).map(|line| (*line).to_owned()).collect();
    if lines.len() > height {
        let hidden = lines.len() - height + 1;
        shown[height - 1] = format!("… and {hidden} more");
    }
    // Each line is cleared behind its end, and the rest of the screen behind the last.
    format!("\x1b[H{}\x1b[K\x1b[J", shown.join("\x1b[K\r\n"))
}

//! `argus sources`: the folders of tasks that are followed.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_client::method::{
    AddSource, PauseSource, RemoveSource, ResumeSource, SourceStatus, Sources, SyncSources,
};
use argus_client::{Code, Error, Result};
use argus_config::{path_in_uri, uri_of};
use argus_presence::clock;
use argus_proto::call::Method;
use comfy_table::Cell;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Session;
use crate::args;
use crate::output::printable;
use crate::table::{ago, table};

const HEADINGS: [&str; 6] = ["SOURCE", "WATCHING", "TASKS", "INVALID", "SYNCED", "URI"];
/// How often it is asked how far a look at a whole folder is.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How many of a source's errors are shown.
const ERRORS_SHOWN_MAX: usize = 5;

pub(crate) async fn run(session: &Session, verb: args::Sources) -> Result<()> {
    match verb {
        args::Sources::Ls => {
            let sources = session.told(true, session.client.sources().await)?;
            if sources.sources.is_empty() && !session.output.json {
                anstream::eprintln!(
                    "no folder of tasks is followed; see: argus sources add --help"
                );
            }
            print(session, &sources)
        }
        args::Sources::Add(arguments) => {
            let uri = absolute(&arguments.uri)?;
            let (name, watch) = (arguments.name, arguments.no_watch.then_some(false));
            let sources = change(session, AddSource { uri: uri.clone(), name, watch }).await?;
            let added = sources.sources.iter().find(|status| status.uri == uri);
            let name = added.map(|status| status.name.clone());
            let sources = watch_scan(session, sources, name.as_deref(), 0).await?;
            print_changed(session, &sources)
        }
        args::Sources::Rm { name } => {
            print_changed(session, &change(session, RemoveSource { name }).await?)
        }
        args::Sources::Pause { name } => {
            print_changed(session, &change(session, PauseSource { name }).await?)
        }
        args::Sources::Resume { name } => {
            let sources = change(session, ResumeSource { name: name.clone() }).await?;
            print_changed(session, &watch_scan(session, sources, Some(&name), 0).await?)
        }
        args::Sources::Sync { name } => {
            let begun = clock::wall_ms();
            let sources = change(session, SyncSources { name: name.clone() }).await?;
            print_changed(session, &watch_scan(session, sources, name.as_deref(), begun).await?)
        }
    }
}

async fn change<M: Method<Result = Sources>>(session: &Session, params: M) -> Result<Sources> {
    session.told(false, session.client.call(params).await)
}

/// What may be left out on the command line: the scheme, and where a relative path begins.
fn absolute(given: &str) -> Result<String> {
    let path = match given.split_once("://") {
        None => PathBuf::from(given),
        Some(("file", path)) => path_in_uri(path),
        // The daemon says what it takes.
        Some(_) => return Ok(given.to_owned()),
    };
    let path = std::path::absolute(path)
        .map_err(|error| Error::new(Code::Usage, format!("{given} cannot be a folder: {error}")))?;
    // `.` and `..` are meant as they are typed.
    let real = dunce::canonicalize(&path).ok();
    real.as_deref().and_then(uri_of).or_else(|| uri_of(&path)).ok_or_else(|| {
        let message = format!("{} is no Unicode, and cannot be named in a URI", path.display());
        Error::new(Code::Usage, message)
    })
}

/// Waits until the sources have been looked at as a whole after `begun`, and shows how far that is.
async fn watch_scan(
    session: &Session,
    mut sources: Sources,
    name: Option<&str>,
    begun: u64,
) -> Result<Sources> {
    let is_meant = |status: &&SourceStatus| name.is_none_or(|name| name == status.name);
    let is_followed =
        |status: &&SourceStatus| !matches!(status.watching, argus_client::method::Watching::Paused);
    // What cannot be looked at says so, and is not waited for.
    let is_open = |status: &SourceStatus| {
        let is_behind = status.last_sync.is_none_or(|at| at < begun);
        status.progress.is_some() || is_behind && status.errors.is_empty()
    };
    let mut bars = Bars::new(session);
    loop {
        let open: Vec<&SourceStatus> = sources
            .sources
            .iter()
            .filter(is_meant)
            .filter(is_followed)
            .filter(|status| is_open(status))
            .collect();
        // Whom no daemon follows nobody looks at.
        if open.is_empty() || session.client.route().way == argus_client::Way::Direct {
            return Ok(sources);
        }
        bars.show(&open);
        tokio::time::sleep(ASK_EVERY).await;
        sources = session.client.sources().await?;
    }
}

/// A bar for each source that is looked at, on a terminal.
struct Bars {
    all: Option<MultiProgress>,
    bars: Vec<(String, ProgressBar)>,
}

impl Bars {
    fn new(session: &Session) -> Self {
        let is_shown = !session.output.json && std::io::stderr().is_terminal();
        Bars { all: is_shown.then(MultiProgress::new), bars: Vec::new() }
    }

    fn show(&mut self, open: &[&SourceStatus]) {
        let Some(all) = &self.all else { return };
        self.bars.retain(|(name, bar)| {
            let is_open = open.iter().any(|status| status.name == *name);
            if !is_open {
                bar.finish_and_clear();
            }
            is_open
        });
        for status in open {
            let [done, found] = status.progress.unwrap_or_default();
            let place = self.bars.iter().position(|(name, _)| *name == status.name);
            let place = place.unwrap_or_else(|| {
                let bar = all.add(ProgressBar::new(found).with_style(style()));
                bar.set_prefix(status.name.clone());
                self.bars.push((status.name.clone(), bar));
                self.bars.len() - 1
            });
            let (_, bar) = &self.bars[place];
            bar.set_length(found);
            bar.set_position(done);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:<16} {wide_bar} {pos}/{len} folders")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn print(session: &Session, sources: &Sources) -> Result<()> {
    tell_errors(session, sources);
    session.output.data(sources, text)
}

fn print_changed(session: &Session, sources: &Sources) -> Result<()> {
    tell_errors(session, sources);
    session.output.change(sources, text)
}

fn tell_errors(session: &Session, sources: &Sources) {
    if session.output.json {
        return;
    }
    for source in &sources.sources {
        for error in source.errors.iter().take(ERRORS_SHOWN_MAX) {
            let place = Path::new(&error.path).display();
            session
                .output
                .warning(&format!("{}: {place}: {} ({})", source.name, error.message, error.code));
        }
        let hidden = source.errors.len().saturating_sub(ERRORS_SHOWN_MAX);
        if hidden > 0 {
            session
                .output
                .warning(&format!("{}: {hidden} more; see: argus --json sources ls", source.name));
        }
    }
}

fn text(sources: &Sources) -> String {
    if sources.sources.is_empty() {
        return String::new();
    }
    let now = clock::wall_ms();
    let row = |status: &SourceStatus| {
        vec![
            Cell::new(printable(&status.name)),
            Cell::new(status.watching.name()),
            Cell::new(status.tasks),
            Cell::new(status.invalid),
            Cell::new(status.last_sync.map_or("never".to_owned(), |at| ago(now, at))),
            Cell::new(printable(&status.uri)),
        ]
    };
    table(&HEADINGS, sources.sources.iter().map(row).collect())
}

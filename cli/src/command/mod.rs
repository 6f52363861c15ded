//! The verbs: each calls the client and prints what it answers. One file a verb.

pub(crate) mod announce;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod prune;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod resolve;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod status;
pub(crate) mod top;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod why;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use argus_client::{Client, Code, Error, Mode, Options, Result};
use argus_proto::limits::RECORD_BYTES_MAX;

use crate::args::{Cli, Command, Global};
use crate::gate;
use crate::output::Output;

/// The most that is read from standard input.
const INPUT_BYTES_MAX: u64 = 4 * RECORD_BYTES_MAX as u64;

/// What a verb works with.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Session {
    /// Passes on what the client answered, and says which way it went; also where that was an error.
    pub(crate) fn told<T>(&self, is_read: bool, answer: Result<T>) -> Result<T> {
        self.output.route_warning(&self.client, is_read);
        answer
    }
}

/// Carries out a command line, and tells how to exit.
pub(crate) async fn run(cli: Cli, output: Output) -> Result<ExitCode> {
    match &cli.command {
        Command::Completions(arguments) => return succeed(completions::run(arguments, output)),
        Command::Man(arguments) => return succeed(man::run(arguments, output)),
        Command::Config(verb) => return succeed(config::run(&cli.global, *verb, output)),
        Command::Gate(arguments) => return Ok(gate::wait_at_gate(arguments)),
        _ => {}
    }
    let session = Session { client: Client::new(options(&cli.global)?)?, output };
    let done = match cli.command {
        Command::Run(arguments) => return run::run(&session, arguments).await,
        Command::Top => return top::run(&session).await,
        Command::Doctor(arguments) => return doctor::run(&session, arguments).await,
        Command::Ls(arguments) => ls::run(&session, arguments).await,
        Command::Get(arguments) => get::run(&session, arguments).await,
        Command::Announce(arguments) => announce::run(&session, arguments).await,
        Command::Heartbeat(arguments) => heartbeat::run(&session, arguments).await,
        Command::Rm(arguments) => remove::run(&session, arguments).await,
        Command::Put(arguments) => put::put(&session, arguments).await,
        Command::Patch(arguments) => put::patch(&session, arguments).await,
        Command::Edit(arguments) => edit::run(&session, arguments).await,
        Command::Prune(arguments) => prune::run(&session, arguments).await,
        Command::Resolve(arguments) => resolve::run(&session, arguments).await,
        Command::Status => status::run(&session).await,
        Command::Wait(arguments) => wait::run(&session, arguments).await,
        Command::Events(arguments) => events::run(&session, arguments).await,
        Command::History(arguments) => history::run(&session, arguments).await,
        Command::Why(arguments) => why::run(&session, arguments).await,
        Command::Sources(verb) => sources::run(&session, verb).await,
        Command::Daemon(verb) => daemon::run(&session, verb).await,
        Command::Completions(_) | Command::Man(_) | Command::Gate(_) | Command::Config(_) => Ok(()),
    };
    succeed(done)
}

fn succeed(done: Result<()>) -> Result<ExitCode> {
    done.map(|()| ExitCode::SUCCESS)
}

/// What the command line and the environment ask of the client.
pub(crate) fn options(global: &Global) -> Result<Options> {
    let registry = argus_store::locate_registry(global.registry.as_deref())?;
    let mode = if global.direct {
        Mode::Direct
    } else if global.daemon_only {
        Mode::DaemonOnly
    } else {
        Mode::from_env()?
    };
    Ok(Options {
        mode,
        collection: global.collection.clone(),
        request_timeout: global.request_timeout,
        name: "argus".to_owned(),
        replaces_older: true,
        ..Options::new(registry)
    })
}

/// JSON as it was given on the command line, or there as `-`, on standard input.
fn json_text(name: &str, given: &str) -> Result<String> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    // White space may make it longer than the record that it becomes.
    text_of(name, std::io::stdin(), INPUT_BYTES_MAX)
}

/// All of a text that has at most so many bytes.
fn text_of(name: &str, source: impl Read, bytes_max: u64) -> Result<String> {
    let mut text = String::new();
    source
        .take(bytes_max + 1)
        .read_to_string(&mut text)
        .map_err(|error| Error::new(Code::Invalid, format!("cannot read {name}: {error}")))?;
    if text.len() as u64 > bytes_max {
        let message = format!("{name} has more than {bytes_max} bytes");
        return Err(Error::new(Code::TooLarge, message));
    }
    Ok(text)
}

/// A folder as the watchers note it: absolute, without links where it exists.
fn folder(path: &Path) -> Result<String> {
    let path = dunce::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .map_err(|error| Error::new(Code::Usage, format!("{}: {error}", path.display())))?;
    path.into_os_string().into_string().map_err(|path| {
        Error::new(Code::Invalid, format!("the path {} is not UTF-8 text", path.display()))
    })
}

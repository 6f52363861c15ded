//! The command line as clap reads it. What each verb does stands in `command/`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};

use crate::command::completions::{complete_collections, complete_ids};

/// The local registry that never loses an entry: who runs, on which port, in which folder.
#[derive(Debug, Parser)]
#[command(
    name = "argus",
    bin_name = "argus",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = "Exit codes: 0 done, 1 other, 2 usage, 3 outcome unknown, 4 not found, \
    5 conflict, 6 locked or busy, 7 corrupt or too new, 8 permission, 9 unreachable, 10 timeout, \
    11 doctor found something.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The registry [default: $ARGUS_REGISTRY_PATH, $ARGUS_HOME/registry.json or
    /// ~/.argus/registry.json]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) registry: Option<PathBuf>,
    /// Print one line of JSON, also on failure
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Work on the file, without a daemon
    #[arg(long, global = true, conflicts_with = "daemon_only")]
    pub(crate) direct: bool,
    /// Fail rather than work on the file
    #[arg(long, global = true)]
    pub(crate) daemon_only: bool,
    /// How long the whole call may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, global = true)]
    pub(crate) request_timeout: Duration,
    /// The collection [default: watchers]
    #[arg(short = 'c', long, value_name = "NAME", global = true,
          add = ArgValueCandidates::new(complete_collections))]
    pub(crate) collection: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List who is there
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Print one record, or what stands beside the records
    Get(Get),
    /// Say that a process is there
    Announce(Announce),
    /// Say that a process is still there
    Heartbeat(Heartbeat),
    /// Remove records
    #[command(visible_alias = "remove")]
    Rm(Remove),
    /// Set a record, or add it
    Put(Put),
    /// Change some keys of a record, or of what stands beside the records
    Patch(Patch),
    /// Change a record, or what stands beside the records, in an editor
    Edit(Edit),
    /// Remove what is dead or too old
    Prune(Prune),
    /// Find out which watcher is meant: by id, by folder, or the only one that answers
    Resolve(Resolve),
    /// Run a command that is registered for as long as it runs
    Run(Run),
    /// Wait until a record is there, gone, or answers
    Wait(Wait),
    /// Tell what happens, as it happens
    Events(Events),
    /// Tell why a record is there, stale or gone
    Why(Why),
    /// Tell what became of records, and why
    History(History),
    /// Follow folders of tasks
    #[command(subcommand)]
    Sources(Sources),
    /// Look at everything at once: records, events and the daemon, on the whole terminal
    Top,
    /// Tell how the registry is
    Status,
    /// Find out what is wrong, and what to do about it
    Doctor(Doctor),
    /// Start, stop and look at the daemon
    #[command(subcommand)]
    Daemon(Daemon),
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
    /// Print what a shell needs to complete commands and ids
    Completions(Completions),
    /// Print the manual page, of argus or of one of its verbs
    Man(Man),
    /// The process that `run` starts, until it becomes the command
    #[command(hide = true)]
    Gate(Gate),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only those that work in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Only those whose folder contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) by_cwd: Option<String>,
    /// Go on, and show what changes
    #[arg(short = 'w', long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("subject").required(true))]
pub(crate) struct Get {
    /// Which record
    #[arg(value_name = "ID", group = "subject", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: Option<String>,
    /// The other top-level keys of the file, instead of a record
    #[arg(long, group = "subject")]
    pub(crate) document: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Announce {
    /// The name
    #[arg(long, value_name = "ID")]
    pub(crate) id: String,
    /// Where it listens [default: 127.0.0.1]
    #[arg(long, value_name = "H")]
    pub(crate) host: Option<String>,
    /// The port it listens on
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub(crate) port: Option<u16>,
    /// Its process [default: the one that calls argus]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) pid: Option<u32>,
    /// The folder it works in
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Take ID-2, ID-3 ... where another live process has the name
    #[arg(long, conflicts_with = "replace")]
    pub(crate) unique: bool,
    /// Take the name even from a live process
    #[arg(long)]
    pub(crate) replace: bool,
    /// Further fields of the record, as a JSON object; `-` reads it from standard input
    #[arg(long, value_name = "JSON|-")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Heartbeat {
    /// Which record
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: String,
    /// Only if it belongs to this process
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) pid: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Which records
    #[arg(value_name = "ID", required = true, add = ArgValueCompleter::new(complete_ids))]
    pub(crate) ids: Vec<String>,
    /// Only if they belong to this process
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) pid: Option<u32>,
    /// Only if the content is this one, as `get --json` tells
    #[arg(long, value_name = "ETAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Which record
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: String,
    /// What it shall be, as a JSON object; `-` reads it from standard input
    #[arg(value_name = "JSON|-")]
    pub(crate) value: String,
    /// Only if the content is this one, as `get --json` tells
    #[arg(long, value_name = "ETAG", conflicts_with = "if_absent")]
    pub(crate) if_match: Option<String>,
    /// Only if there is no such record
    #[arg(long)]
    pub(crate) if_absent: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(allow_missing_positional = true)]
#[command(group = ArgGroup::new("subject").required(true))]
pub(crate) struct Patch {
    /// Which record
    #[arg(value_name = "ID", group = "subject", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: Option<String>,
    /// What becomes another, as a JSON object; null removes a key; `-` reads it from standard input
    #[arg(value_name = "JSON|-")]
    pub(crate) patch: String,
    /// The other top-level keys of the file, instead of a record
    #[arg(long, group = "subject")]
    pub(crate) document: bool,
    /// Only if the content is this one, as `get --json` tells
    #[arg(long, value_name = "ETAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The editor is $VISUAL, else $EDITOR, else vi, on Windows notepad. What it leaves is \
    written only if nobody has changed the record meanwhile; heartbeats are no change. What cannot be \
    written is kept in its file."
)]
#[group(skip)]
#[command(group = ArgGroup::new("subject").required(true))]
pub(crate) struct Edit {
    /// Which record
    #[arg(value_name = "ID", group = "subject", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: Option<String>,
    /// The other top-level keys of the file, instead of a record
    #[arg(long, group = "subject")]
    pub(crate) document: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// How long one may not have been heard of [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
    /// Only those whose folder contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) by_cwd: Option<String>,
    /// Only tell what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The one with this id
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: Option<String>,
    /// The one that works in this folder [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "The command finds ARGUS_ID, ARGUS_PORT and ARGUS_REGISTRY_PATH in its \
    environment. argus passes on the signals that it is sent, and exits as the command does: with \
    its exit code, with 128 and the number of the signal that ended it, with 127 where there is \
    no such command and 126 where it cannot be run. Standard output is the command's own, also with \
    --json.")]
pub(crate) struct Run {
    /// The name
    #[arg(long, value_name = "ID")]
    pub(crate) id: String,
    /// Take ID-2, ID-3 ... where another live process has the name
    #[arg(long)]
    pub(crate) unique: bool,
    /// The port that it will listen on; `auto` finds a free one
    #[arg(long, value_name = "N|auto", allow_negative_numbers = true)]
    pub(crate) port: Option<Port>,
    /// Further fields of the record, as a JSON object; `-` reads it from standard input
    #[arg(long, value_name = "JSON|-")]
    pub(crate) data: Option<String>,
    /// What to run, and its arguments
    #[arg(value_name = "COMMAND", required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

/// The port of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Auto,
    Fixed(u16),
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Port::Auto),
            number => number
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .map(Port::Fixed)
                .ok_or_else(|| "a port is a number from 1 to 65535, or `auto`".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Gate {
    /// Over what it is let through, as this system calls it
    pub(crate) connection: String,
    /// Find a free port
    #[arg(long)]
    pub(crate) find_port: bool,
    /// None of these
    #[arg(long)]
    pub(crate) taken: Vec<u16>,
    /// What to become
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Which record
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: String,
    /// For what: that it is there and its process runs, that it is not, or that it answers
    /// `GET /status` with JSON
    #[arg(long = "for", value_name = "WHAT", default_value = "present")]
    pub(crate) wait_for: WaitFor,
    /// How long at most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    Present,
    Gone,
    Reachable,
}

impl WaitFor {
    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            WaitFor::Present => "present",
            WaitFor::Gone => "gone",
            WaitFor::Reachable => "reachable",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Begin after this cursor, as an event or a listing tells it [default: now]
    #[arg(long, value_name = "CURSOR")]
    pub(crate) since: Option<String>,
    /// Only what concerns this record; may be given several times
    #[arg(long = "id", value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) ids: Vec<String>,
    /// Heartbeats too
    #[arg(long)]
    pub(crate) heartbeats: bool,
    /// Begin with what is there
    #[arg(long, conflicts_with = "since")]
    pub(crate) snapshot: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Which record
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Only of this record
    #[arg(value_name = "ID", add = ArgValueCompleter::new(complete_ids))]
    pub(crate) id: Option<String>,
    /// Only what is younger than this, as in 2h; or what came after this cursor
    #[arg(long, value_name = "AGE|CURSOR")]
    pub(crate) since: Option<String>,
    /// At most so many, the last ones [default: 100]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sources {
    /// List them
    Ls,
    /// Follow a folder: every folder in it that has a metadata.json is a task
    Add(AddSource),
    /// Follow one no more, and take its tasks out
    Rm {
        /// Which
        name: String,
    },
    /// Leave its tasks as they are, whatever becomes of the folder
    Pause {
        /// Which
        name: String,
    },
    /// Go on following it, after a look at all of it
    Resume {
        /// Which
        name: String,
    },
    /// Look at all of it now
    Sync {
        /// Which [default: all]
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddSource {
    /// The folder: a path, or file:///srv/tasks
    #[arg(value_name = "URI")]
    pub(crate) uri: String,
    /// What it is called [default: as the folder is]
    #[arg(long, value_name = "N")]
    pub(crate) name: Option<String>,
    /// Look at it every few minutes and when asked, and not at each change
    #[arg(long)]
    pub(crate) no_watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Mend what can be mended without a risk; this may start the daemon
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Daemon {
    /// Start it, if it is not running
    Start,
    /// Let it write what it has, and end
    Stop,
    /// Stop it and start it again
    Restart,
    /// Tell how it is
    Status,
    /// Print its log
    Logs,
    /// Run it in the foreground
    Run,
    /// Let the service manager start it when the first client connects
    Install(Install),
    /// Take that back
    Uninstall(Install),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Config {
    /// Print all settings, defaults included
    Show,
    /// Find out what is wrong with config.yaml
    Check,
    /// Print where config.yaml is, or would be
    Path,
    /// Print the JSON Schema of config.yaml
    Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(crate) struct Install {
    /// Only print what would be written and run
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Of which verb [default: of argus itself]
    #[arg(value_name = "VERB")]
    pub(crate) verb: Option<String>,
}

/// Reads `500ms`, `5s`, `10m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| "a time is a number with its unit: 500ms, 5s, 10m, 2h".to_owned())?;
    if duration > DURATION_MAX {
        return Err("at most 365days are taken".to_owned());
    }
    Ok(duration)
}

/// Beyond this it is a slip of the finger, and no clock could count it.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

//! One client of the great storm, which keeps a diary of what it asked and was answered.
//!
//! Arguments: the registry, its way (`auto`, `daemon` or `direct` with the library; `cli-auto`,
//! `cli-daemon` or `cli-direct` with a process of `argus` a call; `ls` to read only), the diary, its
//! number, a seed, and the beginning and the end of the storm in nanoseconds of CLOCK_MONOTONIC.
//!
//! The records change every few seconds, so that none gets a longer history than can be searched.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use argus_client::method::{Heartbeat, Remove};
use argus_client::{Code, Error, Mode, Options, Way as Route, announcement, blocking};
use argus_tests::history::{Action, Diary, Outcome, Seen, Value, Way, now};
use argus_tests::owner;
use serde_json::Value as Json;

/// How many records there are at a time.
const RECORDS: u64 = 6;
/// How long they are in use.
const EPOCH: u64 = 5_000_000_000;
/// The longest pause between two operations: without pauses two cores see few of seventy
/// processes at work at once.
const PAUSE_MS_MAX: u64 = 60;
/// Values of different clients are different.
const VALUES_MAX: u64 = 100_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [registry, way, diary, number, seed, start, end] = &arguments[..] else {
        panic!("usage: diarist REGISTRY WAY DIARY NUMBER SEED START END");
    };
    let [number, seed, start, end] =
        [number, seed, start, end].map(|text| text.parse::<u64>().expect("a number"));
    let mut diary = Diary::open(Path::new(diary));
    let client = Client::new(registry, way);
    // Who has a daemon asks the next one, or the file, where it does not answer.
    let repeats = !way.ends_with("direct");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut values = number * VALUES_MAX..(number + 1) * VALUES_MAX;
    while now() < end {
        let id = format!("r{}-{}", (now() - start) / EPOCH, random.u64(..RECORDS));
        let action = match random.u8(..20) {
            _ if way == "ls" => Action::Read,
            0..9 => Action::Announce(values.next().expect("a storm is short")),
            9..12 => Action::Remove,
            12..15 => Action::Heartbeat,
            _ => Action::Read,
        };
        diary.begin(&id, action, repeats);
        match client.call(&id, action) {
            Ok((outcome, way)) => diary.end(outcome, way),
            Err(complaint) => diary.complain(&format!("{way} {id} {action:?}: {complaint}")),
        }
        std::thread::sleep(Duration::from_millis(random.u64(..=PAUSE_MS_MAX)));
    }
}

/// What was answered and by whom; or what must never be answered.
type Answer = Result<(Outcome, Way), String>;

enum Client {
    Library(Box<blocking::Client>),
    /// With these arguments in front of the verb.
    Processes(&'static str),
    Listings,
}

impl Client {
    fn new(registry: &str, way: &str) -> Self {
        let mode = match way {
            "auto" => Mode::Auto,
            "daemon" => Mode::DaemonOnly,
            "direct" => Mode::Direct,
            "cli-auto" => return Client::Processes(""),
            "cli-daemon" => return Client::Processes("--daemon-only"),
            "cli-direct" => return Client::Processes("--direct"),
            "ls" => return Client::Listings,
            other => panic!("no way {other}"),
        };
        let options = Options {
            mode,
            daemon_executable: std::env::var_os("STORM_ARGUSD").map(Into::into),
            ..Options::new(registry)
        };
        Client::Library(Box::new(blocking::Client::new(options).expect("it needs nothing")))
    }

    fn call(&self, id: &str, action: Action) -> Answer {
        match self {
            Client::Library(client) => {
                let outcome = match ask(client, id, action) {
                    Ok(seen) => Outcome::Durable(seen),
                    Err(error) => failed(error.code.name(), action)
                        .ok_or_else(|| format!("{}: {error}", error.code))?,
                };
                let way = match client.route().way {
                    Route::Daemon => Way::Daemon,
                    Route::Direct => Way::File,
                };
                Ok((outcome, way))
            }
            Client::Processes(option) => run(id, action, option),
            Client::Listings => list(id),
        }
    }
}

fn ask(client: &blocking::Client, id: &str, action: Action) -> Result<Seen, Error> {
    let id = id.to_owned();
    Ok(match action {
        Action::Announce(value) => {
            let announce = announcement(&id).pid(owner()).field("value", &value.into());
            let announce = announce.replace(true).build();
            Seen::Presence(!client.announce(announce)?.created)
        }
        Action::Remove => {
            let remove = Remove { id, pid: None, if_match: None, flush: false };
            Seen::Presence(client.remove(remove)?.removed)
        }
        Action::Heartbeat => {
            client.heartbeat(Heartbeat { id, pid: None })?;
            Seen::Presence(true)
        }
        Action::Read => {
            let found = client.get(&id)?;
            Seen::Content(value_of(&serde_json::from_str(found.record.as_str()).expect("JSON")))
        }
    })
}

/// What an error says about the record; `None` for one that no storm is a reason for.
fn failed(code: &str, action: Action) -> Option<Outcome> {
    let is = |other: Code| other.name() == code;
    let absent = match action {
        Action::Read => Seen::Content(None),
        _ => Seen::Presence(false),
    };
    if is(Code::NotFound) {
        return Some(Outcome::Durable(absent));
    }
    if is(Code::OutcomeUnknown) {
        return Some(Outcome::Unknown);
    }
    // The lock is another's, or the daemon is dead, stopped, or just ending.
    let excuses = [Code::Locked, Code::Timeout, Code::Unreachable, Code::Busy];
    excuses.into_iter().any(is).then_some(Outcome::NotApplied)
}

fn run(id: &str, action: Action, option: &str) -> Answer {
    let (value, pid);
    let verb = match action {
        Action::Announce(number) => {
            (value, pid) = (format!("{{\"value\":{number}}}"), owner().to_string());
            vec!["announce", "--id", id, "--pid", &pid, "--replace", "--data", &value]
        }
        Action::Remove => vec!["rm", id],
        Action::Heartbeat => vec!["heartbeat", id],
        Action::Read => vec!["get", id],
    };
    let options = [option].into_iter().filter(|option| !option.is_empty());
    let Some(output) = argus(options.chain(verb)) else {
        return Ok((Outcome::Unknown, Way::Either));
    };
    let (answer, warned) = output?;
    let way = match (option, action) {
        ("--direct", _) => Way::File,
        ("--daemon-only", _) => Way::Daemon,
        // Who only reads is not told that there was no daemon.
        (_, Action::Read) => Way::Either,
        _ if warned => Way::File,
        _ => Way::Daemon,
    };
    if answer["ok"] == false {
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        let outcome = failed(code, action).ok_or_else(|| answer.to_string())?;
        return Ok((outcome, way));
    }
    let data = &answer["data"];
    let seen = match action {
        Action::Announce(_) => Seen::Presence(data["created"] == false),
        Action::Remove | Action::Heartbeat => Seen::Presence(true),
        Action::Read => Seen::Content(value_of(&data["record"])),
    };
    Ok((Outcome::Durable(seen), way))
}

fn list(id: &str) -> Answer {
    let Some(output) = argus(["ls"].into_iter()) else {
        return Ok((Outcome::Unknown, Way::Either));
    };
    let (answer, _) = output?;
    let Some(records) = answer["data"]["records"].as_array() else {
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        let outcome = failed(code, Action::Read).ok_or_else(|| answer.to_string())?;
        return Ok((outcome, Way::Either));
    };
    let record = records.iter().find(|record| record["id"] == id);
    let content = record.and_then(|record| value_of(&record["record"]));
    Ok((Outcome::Durable(Seen::Content(content)), Way::Either))
}

/// Runs `argus`: its answer, and whether it warned; `None` where it was killed.
fn argus<'a>(arguments: impl Iterator<Item = &'a str>) -> Option<Result<(Json, bool), String>> {
    let executable = std::env::var_os("STORM_ARGUS").expect("the storm says where argus is");
    let mut command = Command::new(executable);
    command.arg("--json").args(arguments).stdin(Stdio::null());
    let output = command.output().expect("argus can be run");
    output.status.code()?;
    Some(match serde_json::from_slice(&output.stdout) {
        Ok(answer) => Ok((answer, !output.stderr.is_empty())),
        Err(error) => Err(format!("{error}: {output:?}")),
    })
}

fn value_of(record: &Json) -> Option<Value> {
    record["value"].as_u64()
}

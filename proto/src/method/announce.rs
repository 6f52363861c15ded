//! `announce`: a process says that it is there.

use serde::{Deserialize, Serialize};

use crate::engine::{Reason, Step, belongs_to, belongs_to_another};
use crate::error::{Code, Error, Result};
use crate::id;
use crate::json::{JsonText, Object};
use crate::process::{Process, Verdict, believed};
use crate::record::{Damage, PROCESS, Record, UPDATED_AT, check_size};

/// The host of a record that names none.
const DEFAULT_HOST: &str = "127.0.0.1";

/// Adds a record, or updates one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
#[serde(rename_all = "camelCase")]
pub struct Announce {
    /// The record. Only `id` has to be there; what is left out becomes 127.0.0.1, port 0 (none),
    /// the caller's pid, and now.
    pub record: JsonText,
    /// Take `app-2`, `app-3` … where another live process has the name already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// Take the name even from a live process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
    /// Let the daemon take the living process for its heartbeat.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vouch: bool,
    /// Answer only when the JSON file shows the change. Today every commit writes the file, so
    /// it always does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flush: bool,
}

impl Announce {
    /// An announcement of a record that is at least `{"id": …}`.
    pub fn new(record: JsonText) -> Self {
        Announce { record, unique: false, replace: false, vouch: false, flush: false }
    }
}

/// What became of an announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct Announced {
    /// The name that the record got.
    pub id: String,
    /// Whether there was no record of this name before.
    pub created: bool,
    /// The hash of its content.
    pub etag: String,
    /// Where the collection stands after the change; only a daemon can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Announce {
    pub(crate) fn apply(&self, step: &mut Step<'_>) -> Result<Announced> {
        let context = step.context;
        if context.collection.ttl.is_none() {
            return Err(Error::new(
                Code::Usage,
                format!("no process stands behind a record of {}", context.collection.name),
            )
            .hint("use `put`"));
        }
        // Before anything is done with it that costs more the larger it is.
        check_size("the record", self.record.as_str())?;
        let given = Object::parse(self.record.as_str())
            .map_err(|_| Error::new(Code::Invalid, "the record is not a JSON object"))?;
        let wanted = wanted_id(&given)?;
        let pid = wanted_pid(&given, context.caller)?;
        let process = self.identity(step, &given, pid);

        let id = self.choose_id(step, &wanted, pid, process.as_ref())?;
        let existing = step.document.records.get(&id).cloned();
        let own = existing
            .as_deref()
            .and_then(Record::watcher)
            .filter(|watcher| belongs_to(watcher, pid, process.as_ref()));

        let mut object = match (own, &existing) {
            (Some(_), Some(record)) => Object::parse(record.text())
                .map_err(|_| Error::new(Code::Invalid, "the record is not a JSON object"))?,
            _ => Object::default(),
        };
        fill(&mut object, given, &id, pid, context.now);
        match &process {
            Some(process) => {
                let text = serde_json::to_string(process)
                    .map_err(|error| Error::new(Code::Invalid, error.to_string()))?;
                object.set(PROCESS, text);
            }
            None => drop(object.remove(PROCESS)),
        }
        let record = Record::create(&id, &object, context.collection)?;
        let etag = record.etag().to_owned();
        step.insert(&id, record, Reason::Announced)?;
        Ok(Announced { id, created: existing.is_none(), etag, cursor: None })
    }

    /// Who the process is.
    fn identity(&self, step: &Step<'_>, given: &Object, pid: u32) -> Option<Process> {
        let told: Option<Process> =
            given.get(PROCESS).and_then(|text| serde_json::from_str(text).ok());
        let process = believed(told, step.context.machine.identify(pid));
        process.map(|process| Process { vouched: self.vouch.then_some(true), ..process })
    }

    fn choose_id(
        &self,
        step: &Step<'_>,
        wanted: &str,
        pid: u32,
        process: Option<&Process>,
    ) -> Result<String> {
        if self.unique {
            return unique_id(step, wanted, pid, process);
        }
        if !self.replace
            && let Some(record) = step.document.records.get(wanted)
        {
            match record.watcher() {
                Some(watcher) if belongs_to(watcher, pid, process) => {}
                Some(watcher) => {
                    let verdict =
                        step.context.machine.verdict(watcher.pid, watcher.process.as_ref());
                    if verdict == Verdict::Alive {
                        return Err(belongs_to_another(wanted, watcher)
                            .hint("choose another id, or announce with --unique or --replace"));
                    }
                }
                None => {
                    return Err(Error::new(
                        Code::Conflict,
                        format!("there is a damaged record `{wanted}`, which is not overwritten"),
                    )
                    .hint(format!("look at it: argus get {wanted}; drop it: argus rm {wanted}")));
                }
            }
        }
        Ok(wanted.to_owned())
    }
}

/// The name that this process has already, else the first that no other living process has.
fn unique_id(step: &Step<'_>, wanted: &str, pid: u32, process: Option<&Process>) -> Result<String> {
    let records = &step.document.records;
    let own = records.iter().find(|(id, record)| {
        is_numbered(id, wanted)
            && record.watcher().is_some_and(|watcher| belongs_to(watcher, pid, process))
    });
    if let Some((id, _)) = own {
        return Ok(id.to_string());
    }
    // One more name than there are records: one of them is free.
    for number in 1..=records.len() + 1 {
        let id = match number {
            1 => wanted.to_owned(),
            _ => format!("{wanted}-{number}"),
        };
        let free = match records.get(&id) {
            None => true,
            Some(record) => record.watcher().is_some_and(|watcher| {
                let verdict = step.context.machine.verdict(watcher.pid, watcher.process.as_ref());
                verdict == Verdict::Dead
            }),
        };
        if free {
            id::check(&id)?;
            return Ok(id);
        }
    }
    unreachable!("{} records cannot hold {} names", records.len(), records.len() + 1)
}

/// Whether `id` is `wanted`, or `wanted-2`, `wanted-3` …
fn is_numbered(id: &str, wanted: &str) -> bool {
    match id.strip_prefix(wanted) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('-')
            .and_then(|digits| digits.parse::<u64>().ok())
            .is_some_and(|number| number >= 2),
        None => false,
    }
}

fn wanted_id(given: &Object) -> Result<String> {
    let Some(text) = given.get("id") else {
        return Err(Error::new(Code::Usage, "the record has no `id`")
            .details(serde_json::json!({ "path": "id" })));
    };
    let Ok(id) = serde_json::from_str::<String>(text) else {
        return Err(Error::new(Code::Invalid, "the record's `id` must be a string of Unicode")
            .details(serde_json::json!({ "path": "id" })));
    };
    id::check(&id)?;
    Ok(id)
}

fn wanted_pid(given: &Object, caller: u32) -> Result<u32> {
    let Some(text) = given.get("pid") else { return Ok(caller) };
    text.parse::<u32>().ok().filter(|pid| *pid > 0).ok_or_else(|| {
        Damage { path: "pid".into(), problem: "must be a process id above 0".into() }.into()
    })
}

/// Lays what was given over what is there, and completes it.
fn fill(object: &mut Object, given: Object, id: &str, pid: u32, now: u64) {
    let is_new = object.get("id").is_none();
    let updated_at = given.get(UPDATED_AT).map_or_else(|| now.to_string(), str::to_owned);
    let started_at = given.get("startedAt").map(str::to_owned);
    if is_new {
        // The order in which people look for them.
        object.set_string("id", id);
        object.set_string("host", DEFAULT_HOST);
        object.set("port", "0");
        object.set("pid", pid.to_string());
    }
    let mut given = given;
    for key in ["startedAt", UPDATED_AT, PROCESS] {
        given.remove(key);
    }
    object.extend(given);
    object.set_string("id", id);
    object.set("pid", pid.to_string());
    match started_at {
        Some(time) => object.set("startedAt", time),
        None if is_new => object.set("startedAt", now.to_string()),
        None => {}
    }
    object.set(UPDATED_AT, updated_at);
}

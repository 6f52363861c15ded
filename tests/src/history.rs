//! What many processes did to the records of one registry, and when: the material of
//! [`linearizable`](crate::linearizable).
//!
//! Each process keeps a diary: a line when it begins an operation, and one when it has its answer.
//! Times are CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share. Node's
//! `process.hrtime.bigint()` is the same clock.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub use crate::platform::now;

/// What a record holds. Every announcement of a history has a value of its own.
pub type Value = u64;

/// What is asked of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It shall hold this value.
    Announce(Value),
    /// It shall be gone.
    Remove,
    /// It is there, and shall stay as it is.
    Heartbeat,
    /// What does it hold?
    Read,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Carried out, and this is what the answer said about the record as it was before.
    Durable(Seen),
    /// Nothing was changed.
    NotApplied,
    /// Nobody was told. It may have been carried out at any later time, or never.
    Unknown,
}

/// What an answer tells about the record as the operation found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// That it held this value, or, with `None`, was not there.
    Content(Option<Value>),
    /// Whether it was there.
    Presence(bool),
    /// Nothing.
    Nothing,
}

/// Who answered, as far as the client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// The daemon. What it shows of the changes of others may be late.
    Daemon,
    /// The file.
    File,
    /// One of the two.
    Either,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who asked: the name of a diary.
    pub client: usize,
    /// The record.
    pub id: String,
    /// What was asked.
    pub action: Action,
    /// When it was begun.
    pub begun: u64,
    /// When the answer was there; `u64::MAX` where none came.
    pub answered: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Who answered.
    pub way: Way,
    /// Whether the client repeats by itself what it had no answer to, so that the operation may
    /// be carried out more than once before it is answered.
    pub repeats: bool,
}

/// The diary of a client, on its way to a file. A line is one write: who is killed leaves whole
/// lines.
#[derive(Debug)]
pub struct Diary(File);

impl Diary {
    /// Begins, or goes on.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Diary(file.expect("a diary can be written"))
    }

    /// Notes that an operation begins; before it does.
    pub fn begin(&mut self, id: &str, action: Action, repeats: bool) {
        let (action, value) = match action {
            Action::Announce(value) => ("announce", Some(value)),
            Action::Remove => ("remove", None),
            Action::Heartbeat => ("heartbeat", None),
            Action::Read => ("read", None),
        };
        self.write(json!({
            "at": now(), "id": id, "action": action, "value": value, "repeats": repeats,
        }));
    }

    /// Notes its end; after it has ended.
    pub fn end(&mut self, outcome: Outcome, way: Way) {
        let at = now();
        let way = match way {
            Way::Daemon => "daemon",
            Way::File => "file",
            Way::Either => "either",
        };
        self.write(match outcome {
            Outcome::Durable(Seen::Content(value)) => {
                json!({ "at": at, "outcome": "durable", "content": [value], "way": way })
            }
            Outcome::Durable(Seen::Presence(there)) => {
                json!({ "at": at, "outcome": "durable", "there": there, "way": way })
            }
            Outcome::Durable(Seen::Nothing) => {
                json!({ "at": at, "outcome": "durable", "way": way })
            }
            Outcome::NotApplied => json!({ "at": at, "outcome": "not-applied", "way": way }),
            Outcome::Unknown => json!({ "at": at, "outcome": "unknown", "way": way }),
        });
    }

    /// Notes what must not happen.
    pub fn complain(&mut self, complaint: &str) {
        self.write(json!({ "at": now(), "complaint": complaint }));
    }

    fn write(&mut self, line: Json) {
        self.0.write_all(format!("{line}\n").as_bytes()).expect("a diary can be written");
    }
}

/// Reads a diary: the operations in it, the last without an end if its client was killed, and the
/// complaints.
pub fn read_diary(client: usize, text: &str) -> (Vec<Operation>, Vec<String>) {
    let mut operations: Vec<Operation> = Vec::new();
    let mut complaints = Vec::new();
    // A line without an end was never written whole.
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let line: Json = serde_json::from_str(line).expect("a diary is written by the line");
        let at = line["at"].as_u64().expect("a time");
        if let Some(complaint) = line["complaint"].as_str() {
            complaints.push(complaint.to_owned());
        } else if let Some(action) = line["action"].as_str() {
            operations.push(Operation {
                client,
                id: line["id"].as_str().expect("an id").to_owned(),
                action: match action {
                    "announce" => Action::Announce(line["value"].as_u64().expect("a value")),
                    "remove" => Action::Remove,
                    "heartbeat" => Action::Heartbeat,
                    "read" => Action::Read,
                    other => panic!("no action {other}"),
                },
                begun: at,
                answered: u64::MAX,
                outcome: Outcome::Unknown,
                way: Way::Either,
                repeats: line["repeats"].as_bool().expect("a flag"),
            });
        } else {
            let operation = operations.last_mut().expect("an end has a beginning");
            operation.outcome = read_outcome(&line);
            operation.way = match line["way"].as_str() {
                Some("daemon") => Way::Daemon,
                Some("file") => Way::File,
                _ => Way::Either,
            };
            if operation.outcome != Outcome::Unknown {
                operation.answered = at;
            }
        }
    }
    (operations, complaints)
}

fn read_outcome(line: &Json) -> Outcome {
    match line["outcome"].as_str() {
        Some("not-applied") => Outcome::NotApplied,
        Some("unknown") => Outcome::Unknown,
        Some("durable") => Outcome::Durable(match (&line["content"][0], line["there"].as_bool()) {
            (_, Some(there)) => Seen::Presence(there),
            _ if line["content"].is_null() => Seen::Nothing,
            (content, None) => Seen::Content(content.as_u64()),
        }),
        other => panic!("no outcome {other:?}"),
    }
}

/// Keeps a history, to be explained again: a line an operation.
pub fn keep(history: &[Operation], path: &Path) {
    let line =
        |operation| serde_json::to_string(operation).expect("it has no keys but names") + "\n";
    let text: String = history.iter().map(line).collect();
    std::fs::write(path, text).expect("a history can be written");
}

/// Reads what was kept.
pub fn kept(path: &Path) -> Vec<Operation> {
    let text = std::fs::read_to_string(path).expect("a history can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an operation")).collect()
}

/// The operations on each record, by the time at which they began.
pub fn by_record(operations: Vec<Operation>) -> BTreeMap<String, Vec<Operation>> {
    let mut records: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        records.entry(operation.id.clone()).or_default().push(operation);
    }
    for operations in records.values_mut() {
        operations.sort_by_key(|operation| operation.begun);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diary_is_read_as_it_was_written_and_a_killed_clients_last_word_is_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("diary");
        let mut diary = Diary::open(&path);
        let rows = [
            (Action::Announce(7), Outcome::Durable(Seen::Presence(false)), Way::Daemon),
            (Action::Heartbeat, Outcome::Durable(Seen::Nothing), Way::Either),
            (Action::Read, Outcome::Durable(Seen::Content(Some(7))), Way::File),
            (Action::Read, Outcome::Durable(Seen::Content(None)), Way::File),
            (Action::Remove, Outcome::NotApplied, Way::File),
            (Action::Remove, Outcome::Unknown, Way::Daemon),
        ];
        for (action, outcome, way) in rows {
            diary.begin("app", action, true);
            diary.end(outcome, way);
        }
        diary.complain("it rains");
        diary.begin("app", Action::Remove, false);
        diary.0.write_all(b"{\"at\":1,\"outc").expect("own file");

        let text = std::fs::read_to_string(&path).expect("own file");
        let (operations, complaints) = read_diary(3, &text);
        let read: Vec<_> =
            operations.iter().map(|one| (one.action, one.outcome, one.way)).collect();
        assert_eq!(read[..rows.len()], rows);
        assert_eq!(read[rows.len()..], [(Action::Remove, Outcome::Unknown, Way::Either)]);
        assert_eq!(complaints, ["it rains"]);
        for operation in &operations {
            assert_eq!(operation.answered == u64::MAX, operation.outcome == Outcome::Unknown);
            assert!(operation.begun <= operation.answered && operation.client == 3);
        }

        let path = folder.path().join("history");
        keep(&operations, &path);
        assert_eq!(kept(&path), operations);
    }
}

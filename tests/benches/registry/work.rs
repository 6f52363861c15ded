//! What a worker is to do again and again: described here, told over its command line, made there.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_client::{Mode, Options, blocking};
use argus_proto::Request;
use argus_proto::method::{Get, Heartbeat, List};
use serde_json::{Value, json};

use crate::connection::{self, Connection, FrameBytes};
use crate::samples::Operation;
use crate::{echo, seed};

/// A call of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// A change that has to become durable.
    Announce,
    /// A change in memory.
    Heartbeat,
    /// One record.
    Get,
    /// All records, each as a value.
    List,
    /// All records, as the bytes that arrive.
    ListBytes,
}

/// What one worker does, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// How long.
    pub(crate) duration: Duration,
    /// What.
    pub(crate) kind: Kind,
}

/// What one worker does.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Calls the daemon of a registry.
    Call {
        /// Which call.
        call: Call,
        /// The registry's file.
        registry: PathBuf,
        /// The record that this worker is concerned with.
        record: usize,
        /// The process that the record belongs to.
        pid: u32,
    },
    /// Sends bytes and gets bytes.
    RoundTrip {
        /// Where the echo listens.
        socket: PathBuf,
        /// How many.
        frame_bytes: FrameBytes,
    },
}

impl Call {
    const ALL: [Call; 5] =
        [Call::Announce, Call::Heartbeat, Call::Get, Call::List, Call::ListBytes];

    /// As it stands in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Call::Announce => "announce",
            Call::Heartbeat => "heartbeat",
            Call::Get => "get",
            Call::List => "list",
            Call::ListBytes => "list, as bytes",
        }
    }

    /// What the client asks for with it.
    pub(crate) fn request(self, record: usize, pid: u32) -> Request {
        match self {
            Call::Announce => seed::announce(record, pid, 0).into(),
            Call::Heartbeat => heartbeat(record, pid).into(),
            Call::Get => Get { id: seed::id(record) }.into(),
            Call::List | Call::ListBytes => List::default().into(),
        }
    }
}

impl Work {
    /// As an argument of a process.
    pub(crate) fn to_argument(&self) -> String {
        let duration = self.duration.as_millis() as u64;
        match &self.kind {
            Kind::Call { call, registry, record, pid } => json!({
                "duration": duration, "call": call.name(),
                "registry": registry, "record": record, "pid": pid,
            }),
            Kind::RoundTrip { socket, frame_bytes } => json!({
                "duration": duration, "socket": socket,
                "request": frame_bytes.request, "answer": frame_bytes.answer,
            }),
        }
        .to_string()
    }

    /// Reads [`Work::to_argument`].
    pub(crate) fn from_argument(argument: &str) -> Self {
        let value: Value = serde_json::from_str(argument).expect("made by this program");
        let number = |key: &str| value[key].as_u64().expect("made by this program") as usize;
        let path = |key: &str| value[key].as_str().expect("made by this program").into();
        let call = Call::ALL.into_iter().find(|call| value["call"] == call.name());
        let kind = match call {
            Some(call) => Kind::Call {
                call,
                registry: path("registry"),
                record: number("record"),
                pid: number("pid") as u32,
            },
            None => Kind::RoundTrip {
                socket: path("socket"),
                frame_bytes: FrameBytes { request: number("request"), answer: number("answer") },
            },
        };
        Work { duration: Duration::from_millis(number("duration") as u64), kind }
    }

    /// Connects, and gives what is to be repeated.
    pub(crate) fn prepare(&self) -> Operation {
        match &self.kind {
            Kind::Call { call: Call::ListBytes, registry, .. } => list_bytes(registry),
            Kind::Call { call, registry, record, pid } => calls(*call, registry, *record, *pid),
            Kind::RoundTrip { socket, frame_bytes } => round_trip(socket, *frame_bytes),
        }
    }
}

fn calls(call: Call, registry: &Path, record: usize, pid: u32) -> Operation {
    // The daemon only: a call that went to the file would be no measure of it.
    let options = Options { mode: Mode::DaemonOnly, ..Options::new(registry) };
    let client = blocking::Client::new(options).expect("a client needs nothing");
    let id = seed::id(record);
    // Workers that share a record tell different ports.
    let mut turn = std::process::id() as usize;
    Box::new(move || {
        let done = match call {
            Call::Announce => {
                turn += 1;
                client.announce(seed::announce(record, pid, turn)).map(drop)
            }
            Call::Heartbeat => client.heartbeat(heartbeat(record, pid)).map(drop),
            Call::Get => client.get(&id).map(drop),
            Call::List | Call::ListBytes => client.list(List::default()).map(drop),
        };
        done.map_err(|error| format!("{}, {error}", error.code.name()))
    })
}

fn heartbeat(record: usize, pid: u32) -> Heartbeat {
    Heartbeat { id: seed::id(record), pid: Some(pid) }
}

fn list_bytes(registry: &Path) -> Operation {
    let paths = argus_store::Paths::new(registry).expect("a path");
    let mut connection = Connection::open(&paths.socket());
    Box::new(move || {
        let request = connection::request(List::default());
        connection.exchange(&request).map(drop).map_err(|error| error.to_string())
    })
}

fn round_trip(socket: &Path, frame_bytes: FrameBytes) -> Operation {
    let mut stream = echo::connect(socket, frame_bytes);
    let request = vec![b'x'; frame_bytes.request];
    let mut answer = vec![0; frame_bytes.answer];
    Box::new(move || {
        stream
            .write_all(&request)
            .and_then(|()| stream.read_exact(&mut answer))
            .map_err(|error| error.to_string())
    })
}

//! Registries of any size, as argus itself would have written them.
//!
//! Every record belongs to the benchmark's own process, which lives long enough to be none of the
//! dead that a daemon clears away.

use argus_client::announcement;
use argus_presence::{ThisMachine, clock};
use argus_proto::collection::WATCHERS;
use argus_proto::json::Object;
use argus_proto::method::Announce;
use argus_proto::process::Machine;
use argus_proto::{Document, Record};
use argus_tests::TestContext;

/// Writes the registry's file. Returns its size.
pub(crate) fn write(context: &TestContext, records: usize) -> usize {
    let mut document = Document::empty(&WATCHERS);
    for index in 0..records {
        let id = id(index);
        let record = Record::create(&id, &record(index), &WATCHERS).expect("it is sound");
        document.records.insert(&id, record.into());
    }
    document.touch(clock::wall_ms());
    let text = document.render();
    std::fs::write(context.registry(), &text).expect("a home can be written to");
    text.len()
}

/// The name of a record.
pub(crate) fn id(index: usize) -> String {
    format!("app-{index:05}")
}

/// An announcement of a record that is there, by its process `pid`. Each `turn` tells another port,
/// so that something is to be written.
pub(crate) fn announce(index: usize, pid: u32, turn: usize) -> Announce {
    let port = 10_000 + (turn % 50_000) as u16;
    announcement(&id(index)).port(port).pid(pid).cwd(&cwd(index)).build()
}

fn cwd(index: usize) -> String {
    format!("/home/me/projects/app-{index:05}")
}

fn record(index: usize) -> Object {
    let pid = std::process::id();
    let now = clock::wall_ms().to_string();
    let mut record = Object::default();
    record.set_string("id", &id(index));
    record.set_string("host", "127.0.0.1");
    record.set("port", (10_000 + index).to_string());
    record.set("pid", pid.to_string());
    record.set_string("cwd", &cwd(index));
    record.set("startedAt", now.clone());
    record.set("updatedAt", now);
    if let Some(process) = ThisMachine.identify(pid) {
        record.set("process", serde_json::to_string(&process).expect("it is plain data"));
    }
    record
}

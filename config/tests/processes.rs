//! A collection that is given a `ttl` is one that processes can be announced in.

use std::path::Path;

use argus_config::Config;
use argus_proto::Document;
use argus_proto::call::Request;
use argus_proto::engine::{Context, apply};
use argus_proto::json::JsonText;
use argus_proto::method::announce::Announce;
use argus_proto::method::heartbeat::Heartbeat;
use argus_proto::process::{Machine, Process, Verdict};

struct NoMachine;

impl Machine for NoMachine {
    fn identify(&self, _pid: u32) -> Option<Process> {
        None
    }

    fn verdict(&self, _pid: u32, _process: Option<&Process>) -> Verdict {
        Verdict::Unknown
    }
}

#[test]
fn a_collection_with_a_ttl_takes_announcements_and_heartbeats() {
    let yaml = "collections: {agents: {ttl: 30s}}";
    let config = Config::parse(yaml, Path::new("config.yaml"), Path::new("registry.json"));
    let config = config.expect("right");
    let collection = config.collections.named(Some("agents")).expect("agents");
    let context = |now| Context { collection, now, machine: &NoMachine, caller: 7 };

    let announce = Announce::new(JsonText::parse(r#"{"id":"a"}"#).expect("JSON"));
    let empty = Document::empty(collection);
    let announced = apply(&empty, &Request::Announce(announce), context(1)).expect("announced");
    let heartbeat = Request::Heartbeat(Heartbeat { id: "a".into(), pid: None });
    let refreshed = apply(&announced.document, &heartbeat, context(2)).expect("refreshed");

    let text = refreshed.document.render();
    let read = Document::parse(text.as_bytes(), collection).expect("a file of the collection");
    assert_eq!(read.records.get("a").expect("a").updated_at(), Some(2));
}

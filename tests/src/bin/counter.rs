//! One of many that count together, by compare-and-set on one record.
//!
//! Arguments: the registry, `auto`, `daemon` or `direct`, a name, and how often to count. The record holds the sum, and
//! under `by` how often each has counted: so who has no answer finds out whether it was carried out.

use std::time::{Duration, Instant};

use argus_client::method::Patch;
use argus_client::{Code, Error, Options, blocking};
use argus_proto::json::JsonText;
use serde_json::{Value, json};

/// The record.
const ID: &str = "counter";
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [registry, mode, name, times] = &arguments[..] else {
        panic!("usage: counter REGISTRY auto|daemon|direct NAME TIMES");
    };
    let mode = argus_tests::mode(mode);
    let times: u64 = times.parse().expect("a number");
    let options = Options { mode, ..Options::new(registry) };
    let client = blocking::Client::new(options).expect("it needs nothing");
    let until = Instant::now() + PATIENCE;
    while counted(&client, name).expect("the record can be read").0 < times {
        assert!(Instant::now() < until, "{name} was never the first");
        match count(&client, name) {
            Ok(()) => {}
            Err(error)
                if matches!(error.code, Code::Conflict | Code::Locked | Code::OutcomeUnknown) =>
            {
                std::thread::sleep(Duration::from_millis(fastrand::u64(..20)));
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

/// How often this one has counted, and the record.
fn counted(client: &blocking::Client, name: &str) -> Result<(u64, Value, String), Error> {
    let found = client.get(ID)?;
    let record: Value = serde_json::from_str(found.record.as_str()).expect("JSON");
    Ok((record["by"][name].as_u64().unwrap_or(0), record, found.etag))
}

fn count(client: &blocking::Client, name: &str) -> Result<(), Error> {
    let (own, record, etag) = counted(client, name)?;
    let sum = record["sum"].as_u64().expect("a sum") + 1;
    let patch = json!({ "sum": sum, "by": { name: own + 1 } });
    let if_match = Some(etag);
    client.patch(Patch { if_match, ..Patch::new(ID, JsonText::from_value(&patch)) }).map(drop)
}

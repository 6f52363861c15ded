//! Collections whose records have a file each: the same from outside, whoever writes.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use argus_client::method::{List, Put};
use argus_client::{Mode, Options, blocking};
use argus_proto::json::JsonText;
use argus_tests::{TestContext, until};
use serde_json::{Value, json};

fn context() -> TestContext {
    let context = TestContext::new();
    let text = "collections: {jobs: {layout: directory}}\n";
    fs::write(context.home().join("config.yaml"), text).expect("own folder");
    context
}

fn client(context: &TestContext, mode: Mode) -> blocking::Client {
    let collection = Some("jobs".to_owned());
    blocking::Client::new(Options { collection, ..context.options(mode) })
        .expect("it needs nothing")
}

fn put(client: &blocking::Client, id: &str, number: usize, flush: bool) {
    let value = JsonText::from_value(&json!({ "number": number }));
    client.put(Put { flush, ..Put::new(id, value) }).expect("served");
}

/// What programs read that know nothing of argus.
fn whole(context: &TestContext) -> Value {
    let bytes = fs::read(context.home().join("jobs.json")).expect("there");
    serde_json::from_slice(&bytes).expect("it is whole at every moment")
}

fn record_file(context: &TestContext, name: &str) -> Option<Value> {
    let path = context.home().join("jobs.json.d/records").join(name);
    fs::read(path).ok().map(|bytes| serde_json::from_slice(&bytes).expect("it is whole"))
}

#[test]
fn the_whole_file_follows_at_once_where_that_is_asked_for_and_soon_where_not() {
    let context = context();
    context.start_daemon();
    let daemon = client(&context, Mode::DaemonOnly);
    put(&daemon, "a", 1, true);
    assert_eq!(whole(&context)["jobs"]["a"]["number"], 1);
    put(&daemon, "a", 2, false);
    assert_eq!(record_file(&context, "a.json").expect("there")["number"], 2);
    until("the whole file shows it", || {
        (whole(&context)["jobs"]["a"]["number"] == 2).then_some(())
    });

    let direct = client(&context, Mode::Direct);
    put(&direct, "b", 1, false);
    assert_eq!(whole(&context)["jobs"]["b"]["number"], 1);
    until("the daemon knows it", || {
        let listed = daemon.list(List::default()).expect("served").records;
        (listed.len() == 2).then_some(())
    });
    let removed = context.argus(&["-c", "jobs", "rm", "a"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(record_file(&context, "a.json"), None);
    assert!(whole(&context)["jobs"]["a"].is_null());
}

#[test]
fn a_daemon_that_is_ended_leaves_a_whole_file_that_shows_everything() {
    let context = context();
    context.start_daemon();
    let daemon = client(&context, Mode::DaemonOnly);
    for number in 0..20 {
        put(&daemon, &format!("r{number}"), number, false);
    }
    let stopped = context.argus(&["daemon", "stop"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(whole(&context)["jobs"].as_object().expect("a map").len(), 20);
}

/// Old programs change the whole file while daemon and direct writers change records.
#[test]
fn writers_of_every_kind_lose_nothing() {
    const ROUNDS: usize = 40;
    let context = context();
    context.start_daemon();
    put(&client(&context, Mode::DaemonOnly), "start", 0, true);
    let is_over = Arc::new(AtomicBool::new(false));
    let registry = context.home().join("jobs.json");
    std::thread::scope(|scope| {
        let reader = {
            let (registry, is_over) = (registry.clone(), is_over.clone());
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let bytes = fs::read(&registry).expect("there at every moment");
                    let read: Value =
                        serde_json::from_slice(&bytes).expect("whole at every moment");
                    assert_eq!(read["jobs"]["start"]["number"], 0);
                }
            })
        };
        let writers = [Mode::DaemonOnly, Mode::Direct].map(|mode| {
            let client = client(&context, mode);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    put(&client, &format!("{mode:?}{round}"), round, round % 3 == 0);
                }
            })
        });
        // Under the lock that it knows, as the older tools do.
        let lock = context.home().join("jobs.json.lock");
        for round in 0..ROUNDS {
            until("the lock is free", || {
                fs::File::options().write(true).create_new(true).open(&lock).ok()
            });
            let mut document: Value =
                serde_json::from_slice(&fs::read(&registry).expect("there")).expect("whole");
            document["jobs"][format!("theirs{round}")] = json!({ "number": round });
            let new = context.home().join("jobs.json.theirs");
            fs::write(&new, document.to_string()).expect("own folder");
            fs::rename(new, &registry).expect("own folder");
            fs::remove_file(&lock).expect("own lock");
        }
        for writer in writers {
            writer.join().expect("every change was acknowledged");
        }
        is_over.store(true, Ordering::Relaxed);
        reader.join().expect("every reading was whole");
    });
    until("the whole file shows everything", || {
        (whole(&context)["jobs"].as_object().expect("a map").len() == 3 * ROUNDS + 1).then_some(())
    });
    let daemon = client(&context, Mode::DaemonOnly);
    until("the daemon shows everything", || {
        let listed = daemon.list(List::default()).expect("served").records;
        (listed.len() == 3 * ROUNDS + 1).then_some(())
    });
    let direct = client(&context, Mode::Direct).list(List::default()).expect("readable").records;
    assert_eq!(direct.len(), 3 * ROUNDS + 1);
}

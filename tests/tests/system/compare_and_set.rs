//! Compare and set: the same in the daemon, in direct mode, after a restart and after a foreign write.

use std::process::{Child, Command, Stdio};

use argus_client::method::{Patch, Put, Remove};
use argus_client::{Code, Mode};
use argus_proto::json::JsonText;
use argus_tests::{OldProgram, TestContext, at_once, executables, helper};
use serde_json::{Value, json};

const BOTH_WAYS: [Mode; 2] = [Mode::DaemonOnly, Mode::Direct];

fn record(port: u16) -> JsonText {
    JsonText::from_value(&json!({ "host": "127.0.0.1", "port": port, "pid": std::process::id() }))
}

/// Seen to fail with an etag that is looked at before the lock is had.
#[test]
fn processes_that_count_together_lose_no_count() {
    const PROCESSES: usize = at_once(32);
    const TIMES: usize = at_once(100);
    let context = TestContext::in_memory();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let start =
        json!({ "host": "127.0.0.1", "port": 1, "pid": std::process::id(), "sum": 0, "by": {} });
    client.put(Put::new("counter", JsonText::from_value(&start))).expect("served");
    let children: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            let mut command = Command::new(helper("counter"));
            context.prepare(&mut command);
            command.env("ARGUSD", &executables().argusd).stdout(Stdio::null());
            let mode = ["daemon", "direct", "auto"][number % 3];
            command.arg(context.registry()).arg(mode).arg(number.to_string());
            command.arg(TIMES.to_string()).spawn().expect("it can be run")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("own child").success());
    }
    let counter = &context.document()["watchers"]["counter"];
    assert_eq!(counter["sum"], PROCESSES * TIMES);
    assert_eq!(counter["by"].as_object().expect("an object").len(), PROCESSES);
}

#[test]
fn an_etag_means_the_same_to_everyone() {
    let context = TestContext::new();
    let mut etags = Vec::new();
    for mode in BOTH_WAYS {
        let client = context.client(mode);
        let etag = |value| client.put(Put::new("app", value)).expect("served").etag;
        etags.extend([etag(record(1)), etag(record(2)), etag(record(1))]);
        assert_eq!(client.get("app").expect("there").etag, etags[etags.len() - 1]);
    }
    assert_eq!(etags[0], etags[2]);
    assert_ne!(etags[0], etags[1]);
    assert_eq!(etags[..3], etags[3..]);

    // After a restart, and written by another program, its keys in another order.
    assert_eq!(context.argus(&["daemon", "restart"]).code, 0);
    OldProgram::new(&context.registry()).update(|document| {
        let record = document["watchers"]["app"].as_object().expect("a record").clone();
        document["watchers"]["app"] = Value::Object(record.into_iter().rev().collect());
    });
    for mode in BOTH_WAYS {
        assert_eq!(context.client(mode).get("app").expect("there").etag, etags[0]);
    }
}

/// What a change says that it expects, of a record that is there or not, and what it is told.
#[test]
fn a_change_is_made_on_top_of_what_its_caller_has_seen_or_not_at_all() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let client = context.client(mode);
        let put = |value, if_match: Option<&str>, if_absent| {
            let if_match = if_match.map(str::to_owned);
            client.put(Put { if_match, if_absent, ..Put::new("app", value) })
        };
        let code = |result: argus_client::Result<_>| result.map_err(|error| error.code);
        let patch = |patch: Value, if_match: Option<&str>| {
            let if_match = if_match.map(str::to_owned);
            client.patch(Patch { if_match, ..Patch::new("app", JsonText::from_value(&patch)) })
        };

        assert_eq!(code(put(record(1), Some("0"), false)), Err(Code::Conflict), "there is none");
        assert_eq!(code(patch(json!({ "port": 2 }), None)), Err(Code::NotFound));
        let first = put(record(1), None, true).expect("there was none");
        assert!(first.created);
        assert_eq!(code(put(record(2), None, true)), Err(Code::Conflict));
        let second = put(record(2), Some(&first.etag), false).expect("it was that");
        assert!(!second.created);
        let error = put(record(3), Some(&first.etag), false).expect_err("it is another");
        assert_eq!(error.code, Code::Conflict);
        assert_eq!(error.details.expect("details").to_value()["etag"], second.etag);
        assert_eq!(code(patch(json!({ "port": 3 }), Some(&first.etag))), Err(Code::Conflict));

        let third = patch(json!({ "port": 3, "own": { "a": 1 } }), Some(&second.etag));
        let third = third.expect("it was that");
        patch(json!({ "own": { "a": null, "b": [1.0] } }), Some(&third.etag)).expect("it was that");
        let text = std::fs::read_to_string(context.registry()).expect("there");
        let own: String = text
            .split("\"own\":")
            .nth(1)
            .expect("it is written")
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(11)
            .collect();
        assert_eq!(own, "{\"b\":[1.0]}");
        let found: Value = client.get("app").expect("there").record.to_value();
        assert_eq!((&found["port"], &found["host"]), (&json!(3), &json!("127.0.0.1")));

        let remove = |etag: &str| {
            let if_match = Some(etag.to_owned());
            client.remove(Remove { id: "app".to_owned(), pid: None, if_match, flush: false })
        };
        assert_eq!(code(remove(&third.etag).map(|_| first.clone())), Err(Code::Conflict));
        let etag = client.get("app").expect("there").etag;
        assert!(remove(&etag).expect("it is that").removed);
    }
}

#[test]
fn what_cannot_be_such_a_record_is_refused_with_its_place() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let client = context.client(mode);
        let rows = [
            (json!([]), ""),
            (json!({ "id": "other", "host": "h", "port": 1, "pid": std::process::id() }), "id"),
            (json!({ "host": "h", "port": 1 }), "pid"),
            (json!({ "host": "h", "port": 70000, "pid": std::process::id() }), "port"),
        ];
        for (value, path) in rows {
            let put = Put::new("app", JsonText::from_value(&value));
            let error = client.put(put).expect_err("it is no watcher");
            assert_eq!(error.code, Code::Invalid, "{error}");
            assert_eq!(error.details.expect("details").to_value()["path"], path);
        }
        assert!(!context.registry().exists() || context.ids().is_empty());
    }
}

#[test]
fn the_command_line_compares_and_sets() {
    let context = TestContext::new();
    let value = json!({ "host": "127.0.0.1", "port": 1, "pid": std::process::id() }).to_string();
    let put = context.argus(&["--json", "put", "app", &value, "--if-absent"]);
    assert_eq!(put.code, 0, "{put:?}");
    let etag = put.data()["etag"].as_str().expect("a hash").to_owned();
    assert_eq!(put.data()["created"], true);
    assert_eq!(context.argus(&["put", "app", &value, "--if-absent"]).code, 5);

    let patched =
        context.argus_with_input(&["patch", "app", "-", "--if-match", &etag], b"{\"port\":2}");
    assert_eq!((patched.code, &*patched.stdout), (0, "app\n"), "{patched:?}");
    let again = context.argus(&["patch", "app", "{\"port\":3}", "--if-match", &etag]);
    assert_eq!(again.code, 5);
    assert!(again.stderr.contains("help: read it again: argus get app"), "{}", again.stderr);
    assert_eq!(context.document()["watchers"]["app"]["port"], 2);
    assert_eq!(context.argus(&["put", "app", "nonsense"]).code, 2);
    assert_eq!(context.argus(&["patch", "missing", "{}"]).code, 4);
}

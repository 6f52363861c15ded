//! What stands beside the records of a collection: read, patched and fenced, with a daemon and
//! without, while other programs write the same file.

use std::fs;
use std::path::PathBuf;

use argus_client::method::{PatchDocument, Put, Subscribe};
use argus_client::{Code, Mode, Options, blocking};
use argus_proto::json::JsonText;
use argus_tests::{OldProgram, Run, TestContext, own_pid, set_mode, until};
use serde_json::{Value, json};

const BOTH_WAYS: [Mode; 2] = [Mode::DaemonOnly, Mode::Direct];

fn accounts_file(context: &TestContext) -> PathBuf {
    context.home().join("accounts.json")
}

/// A file as authmux writes it, with keys and numbers that argus has never heard of.
fn write_accounts(context: &TestContext) {
    let text = r#"{
    "version": 1,
    "autoSwitch": {
        "enabled": false,
        "big": 9007199254740993
    },
    "owner": 1.0,
    "accounts": {
        "work": {
            "name": "work"
        }
    },
    "activeAccountName": "work"
}
"#;
    fs::write(accounts_file(context), text).expect("own folder");
    set_mode(&accounts_file(context), 0o600);
}

fn client(context: &TestContext, mode: Mode) -> blocking::Client {
    let collection = Some("accounts".to_owned());
    blocking::Client::new(Options { collection, ..context.options(mode) }).expect("a client")
}

fn patch(value: &Value, if_match: Option<&str>) -> PatchDocument {
    let if_match = if_match.map(str::to_owned);
    PatchDocument { if_match, ..PatchDocument::new(JsonText::from_value(value)) }
}

/// `argus` on the accounts, through the daemon or on the file.
fn argus(context: &TestContext, mode: Mode, arguments: &[&str]) -> Run {
    let way = if mode == Mode::Direct { "--direct" } else { "--daemon-only" };
    context.argus(&[&[way, "-c", "accounts"], arguments].concat())
}

#[test]
fn what_stands_beside_the_records_is_read_and_patched_as_it_is() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        write_accounts(&context);
        context.start_daemon();
        let shown = argus(&context, mode, &["get", "--document"]);
        let expected = r#"{
  "version": 1,
  "autoSwitch": {
    "enabled": false,
    "big": 9007199254740993
  },
  "owner": 1.0,
  "activeAccountName": "work"
}
"#;
        assert_eq!((shown.code, &*shown.stdout), (0, expected), "{mode:?} {shown:?}");
        let read = argus(&context, mode, &["--json", "get", "--document"]).data();
        assert_eq!(read["document"]["activeAccountName"], "work");
        assert!(read.get("record").is_none() && read.get("state").is_none(), "{read}");

        let change = r#"{"autoSwitch":{"enabled":true},"activeAccountName":null,"new":2.50}"#;
        let etag = read["etag"].as_str().expect("a hash");
        let arguments = ["--json", "patch", "--document", change, "--if-match", etag];
        let written = argus(&context, mode, &arguments).data();
        assert_eq!(written["created"], false);
        let text = fs::read_to_string(accounts_file(&context)).expect("there");
        let expected = r#"{
    "version": 1,
    "autoSwitch": {
        "enabled": true,
        "big": 9007199254740993
    },
    "owner": 1.0,
    "accounts": {
        "work": {
            "name": "work"
        }
    },
    "new": 2.50
}
"#;
        assert_eq!(text, expected, "{mode:?}");
        let again = argus(&context, mode, &["--json", "get", "--document"]).data();
        assert_eq!(again["etag"], written["etag"]);
        assert_eq!(argus(&context, mode, &arguments).code, 5, "it is another by now");
        let named = argus(&context, mode, &["patch", "--document", r#"{"new":3}"#]);
        assert_eq!((named.code, &*named.stdout), (0, "accounts\n"), "{named:?}");
    }
}

/// Seen to fail with the time of the last change in the etag.
#[test]
fn a_documents_etag_means_the_same_to_everyone() {
    let context = TestContext::new();
    let [daemon, direct] = BOTH_WAYS.map(|mode| client(&context, mode));
    let etag = |client: &blocking::Client| client.get_document().expect("it can be read").etag;
    let before_there_is_a_file = etag(&direct);
    context.start_daemon();
    assert_eq!(etag(&daemon), before_there_is_a_file);
    daemon.put(Put::new("work", JsonText::from_value(&json!({})))).expect("served");
    assert_eq!(etag(&daemon), before_there_is_a_file, "a record is nothing to it");
    assert_eq!(etag(&direct), before_there_is_a_file);

    let switched = daemon.patch_document(patch(&json!({ "activeAccountName": "work" }), None));
    let switched = switched.expect("served").etag;
    assert_ne!(switched, before_there_is_a_file);
    assert_eq!(etag(&direct), switched);
    assert_eq!(context.argus(&["daemon", "restart"]).code, 0);
    assert_eq!(etag(&client(&context, Mode::DaemonOnly)), switched, "after a restart");

    // Another layout, another order, another time: the same.
    let text = fs::read_to_string(accounts_file(&context)).expect("there");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let mut reversed = serde_json::Map::new();
    for (key, value) in document.as_object().expect("an object").iter().rev() {
        reversed.insert(key.clone(), value.clone());
    }
    fs::write(accounts_file(&context), Value::Object(reversed).to_string()).expect("own file");
    assert_eq!(etag(&direct), switched, "after a foreign write");
    let fenced = patch(&json!({ "own": 1 }), Some(&switched));
    let written = client(&context, Mode::DaemonOnly).patch_document(fenced).expect("it is that");
    assert_eq!(etag(&direct), written.etag);

    // The watchers' file has a time of its own, which every change of a record moves.
    let watchers = context.client(Mode::DaemonOnly);
    let first = watchers.get_document().expect("it can be read");
    assert_eq!(context.argus(&["announce", "--id", "app", "--pid", own_pid()]).code, 0);
    let second = watchers.get_document().expect("it can be read");
    assert_ne!(first.document, second.document, "it shows the time");
    assert_eq!(first.etag, second.etag);
}

/// Another program changes the document at the same time, under the lockfile that it knows.
///
/// Seen to fail where nobody looks at the etag.
#[test]
fn another_programs_change_is_neither_lost_nor_overwritten() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        write_accounts(&context);
        context.start_daemon();
        let client = client(&context, mode);
        let seen = client.get_document().expect("it can be read");
        let other = OldProgram::new(&accounts_file(&context));

        // While it holds the lock and has written, a fenced change and an open one wait.
        let (fenced, open) = std::thread::scope(|scope| {
            let lock = other.lock();
            let fenced = scope.spawn(|| {
                let change = json!({ "activeAccountName": "home" });
                client.patch_document(patch(&change, Some(&seen.etag)))
            });
            let open = scope.spawn(|| client.patch_document(patch(&json!({ "mine": true }), None)));
            let text = fs::read_to_string(accounts_file(&context)).expect("there");
            let text = text.replace("\"enabled\": false", "\"enabled\": true");
            fs::write(accounts_file(&context), text).expect("own file");
            drop(lock);
            (fenced.join().expect("no panic"), open.join().expect("no panic"))
        });
        let error = fenced.expect_err("the document is another");
        assert_eq!(error.code, Code::Conflict, "{mode:?} {error}");
        let details = error.details.expect("details").to_value();
        assert_eq!((&details["ifMatch"], details["etag"].is_string()), (&json!(seen.etag), true));
        open.expect("it asked for nothing");

        let document = client.get_document().expect("it can be read").document.to_value();
        assert_eq!(document["autoSwitch"]["enabled"], true, "{mode:?} the other's is kept");
        assert_eq!(
            (&document["mine"], &document["activeAccountName"]),
            (&json!(true), &json!("work"))
        );
        let text = fs::read_to_string(accounts_file(&context)).expect("there");
        assert!(text.contains("9007199254740993") && text.contains("\"owner\": 1.0"), "{text}");

        // And the other way round: a change through argus is there for the other program.
        other.update(|document| {
            assert_eq!(document["mine"], true);
            document["autoSwitch"]["enabled"] = false.into();
        });
        until("a reader sees it within a second", || {
            let now = client.get_document().ok()?.document.to_value();
            (now["autoSwitch"]["enabled"] == false).then_some(())
        });
    }
}

/// Many who change one number, each on top of what it has seen.
#[test]
fn counting_in_the_document_loses_no_count() {
    const THREADS: usize = 4;
    const TIMES: usize = 10;
    let context = TestContext::in_memory();
    write_accounts(&context);
    context.start_daemon();
    let clients: Vec<_> = (0..THREADS).map(|n| client(&context, BOTH_WAYS[n % 2])).collect();
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    until("it was counted", || {
                        let seen = client.get_document().expect("it can be read");
                        let count = seen.document.to_value()["count"].as_u64().unwrap_or(0);
                        let next = patch(&json!({ "count": count + 1 }), Some(&seen.etag));
                        match client.patch_document(next) {
                            Ok(_) => Some(()),
                            Err(error) if error.code == Code::Conflict => None,
                            Err(error) => panic!("{error}"),
                        }
                    });
                }
            });
        }
    });
    let text = fs::read_to_string(accounts_file(&context)).expect("there");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["count"], THREADS * TIMES);
}

#[test]
fn a_change_beside_the_records_is_no_event() {
    let context = TestContext::new();
    write_accounts(&context);
    context.start_daemon();
    let client = client(&context, Mode::DaemonOnly);
    let mut events = client.subscribe(Subscribe::default());
    events.next_event().expect("what is there");
    client.patch_document(patch(&json!({ "own": 1 }), None)).expect("served");
    let other = OldProgram::new(&accounts_file(&context));
    other.update(|document| document["own"] = 2.into());
    client.put(Put::new("home", JsonText::from_value(&json!({})))).expect("served");
    let event = events.next_event().expect("it goes on");
    assert_eq!((event.id.as_deref(), event.revision), (Some("home"), 1));
}

#[test]
fn what_cannot_be_patched_is_named() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        write_accounts(&context);
        context.start_daemon();
        let before = fs::read(accounts_file(&context)).expect("there");
        let large = format!(r#"{{"own":"{}"}}"#, "x".repeat(65536));
        let rows: [(&[&str], i32, &str); 12] = [
            (&["patch", "--document", r#"{"version":2}"#], 2, "`version` of accounts"),
            (&["patch", "--document", r#"{"accounts":{}}"#], 2, "argus -c accounts patch ID JSON"),
            (&["patch", "--document", "[]"], 2, "the patch is not a JSON object"),
            (&["patch", "--document", "{"], 2, "not valid JSON"),
            (&["patch", "--document", &large], 2, "65536"),
            (
                &["patch", "--document", "{}", "--if-match", "0"],
                5,
                "argus get -c accounts --document",
            ),
            (&["patch", "--document", "work", "{}"], 2, "cannot be used with"),
            (&["patch", "--document"], 2, "<JSON|->"),
            (&["patch", "work"], 2, "required"),
            (&["patch"], 2, "required"),
            (&["get"], 2, "<ID|--document>"),
            (&["get", "work", "--document"], 2, "cannot be used with"),
        ];
        for (arguments, code, said) in rows {
            let run = argus(&context, mode, arguments);
            assert_eq!(run.code, code, "{mode:?} {arguments:?} {run:?}");
            assert!(run.stderr.contains(said), "{mode:?} {arguments:?} {run:?}");
        }
        assert_eq!(fs::read(accounts_file(&context)).expect("there"), before);
        let patched = argus(&context, mode, &["patch", "work", r#"{"note":1}"#]);
        assert_eq!((patched.code, &*patched.stdout), (0, "work\n"), "{patched:?}");
    }
    let context = TestContext::new();
    let run = context.argus(&["--direct", "patch", "--document", r#"{"updatedAt":1}"#]);
    assert!(run.code == 2 && run.stderr.contains("`updatedAt` of watchers"), "{run:?}");
}

/// An empty document in the place of one that cannot be read would be taken for the file's.
#[test]
fn a_document_that_cannot_be_read_is_an_error() {
    for (text, code) in [("garbage", 7), (r#"{"version":9,"accounts":{}}"#, 7)] {
        let context = TestContext::new();
        fs::write(accounts_file(&context), text).expect("own folder");
        let run = argus(&context, Mode::Direct, &["get", "--document"]);
        assert_eq!(run.code, code, "{run:?}");
    }
    let context = TestContext::new();
    fs::write(accounts_file(&context), r#"{"version":9,"accounts":{}}"#).expect("own folder");
    context.start_daemon();
    let run = argus(&context, Mode::DaemonOnly, &["get", "--document"]);
    assert_eq!(run.code, 7, "{run:?}");
}

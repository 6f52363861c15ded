//! Several collections beside one registry: one daemon, and files that have nothing to do with each other.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use argus_client::method::{List, Patch, Put, Remove, Subscribe};
use argus_client::{Code, Mode, Options, Reason, blocking};
use argus_proto::json::JsonText;
use argus_tests::{Lines, TestContext, mode_of, own_pid, set_mode, until};
use serde_json::{Value, json};

const BOTH_WAYS: [Mode; 2] = [Mode::DaemonOnly, Mode::Direct];

fn client(context: &TestContext, mode: Mode, collection: &str) -> blocking::Client {
    let collection = Some(collection.to_owned());
    let options = Options { collection, ..context.options(mode) };
    blocking::Client::new(options).expect("it needs nothing")
}

fn file(context: &TestContext, name: &str) -> PathBuf {
    context.home().join(name)
}

fn document(context: &TestContext, name: &str) -> Value {
    serde_json::from_slice(&fs::read(file(context, name)).expect("it is there")).expect("JSON")
}

fn put(client: &blocking::Client, id: &str, value: Value) -> argus_client::Result<()> {
    client.put(Put::new(id, JsonText::from_value(&value))).map(drop)
}

/// Whether it was there.
fn remove(client: &blocking::Client, id: &str) -> argus_client::Result<bool> {
    let remove = Remove { id: id.to_owned(), pid: None, if_match: None, flush: true };
    client.remove(remove).map(|removed| removed.removed)
}

fn ids(client: &blocking::Client) -> Vec<String> {
    let listing = client.list(List::default()).expect("it can be read");
    listing.records.into_iter().map(|listed| listed.id).collect()
}

fn ssh(host: &str) -> Value {
    json!({ "type": "ssh", "host": host, "key_path": "~/.ssh/id", "town_path": "/town" })
}

#[test]
fn the_machine_at_hand_is_always_there_and_stays() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let machines = client(&context, mode, "machines");
        if mode == Mode::DaemonOnly {
            context.start_daemon();
        }
        assert_eq!(ids(&machines), ["local"], "{mode:?}");
        assert!(!file(&context, "machines.json").exists(), "who reads writes nothing");

        put(&machines, "box", ssh("box.lan")).expect("served");
        let written = document(&context, "machines.json");
        assert_eq!(written["version"], 1);
        assert_eq!(written["machines"]["box"]["name"], "box");
        assert_eq!(written["machines"]["local"]["type"], "local");

        let remove = |id| remove(&machines, id);
        assert_eq!(remove("local").expect_err("it is protected").code, Code::Conflict);
        assert_eq!(put(&machines, "local", ssh("x")).expect_err("it is").code, Code::Conflict);
        let patch = JsonText::from_value(&json!({ "town_path": "/here" }));
        machines.patch(Patch::new("local", patch)).expect("it may be told more of");
        assert_eq!(document(&context, "machines.json")["machines"]["local"]["town_path"], "/here");
        assert!(remove("box").expect("served"));

        // A program that knows nothing of that has removed it.
        fs::write(file(&context, "machines.json"), r#"{"version":1,"machines":{}}"#).expect("own");
        until("it is there again", || (ids(&machines) == ["local"]).then_some(()));
    }
}

#[test]
fn what_stands_beside_the_accounts_is_kept() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let accounts = client(&context, mode, "accounts");
        put(&accounts, "work", json!({ "createdAt": "2026-01-01" })).expect("served");
        let mut written = document(&context, "accounts.json");
        assert_eq!(written["autoSwitch"]["enabled"], false);
        assert_eq!(written["accounts"]["work"]["name"], "work");
        written["autoSwitch"]["enabled"] = true.into();
        written["activeAccountName"] = "work".into();
        fs::write(file(&context, "accounts.json"), written.to_string()).expect("own file");

        let path = file(&context, "accounts.json");
        set_mode(&path, 0o644);
        put(&accounts, "home", json!({ "createdAt": "2026-01-02" })).expect("served");
        assert!(matches!(mode_of(&path), None | Some(0o600)), "it is closed to others");
        let written = document(&context, "accounts.json");
        assert_eq!(written["autoSwitch"]["enabled"], true, "not reverted by who changed another");
        assert_eq!(written["activeAccountName"], "work");
        assert_eq!(ids(&accounts), ["work", "home"]);
    }
}

#[test]
fn a_broken_file_does_not_harm_the_others_and_is_kept() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let machines = client(&context, Mode::DaemonOnly, "machines");
    put(&machines, "box", ssh("box.lan")).expect("served");
    fs::write(file(&context, "machines.json"), "garbage").expect("own file");
    assert_eq!(context.argus(&["announce", "--id", "app", "--pid", own_pid()]).code, 0);
    until("it is mended from memory", || {
        let text = fs::read_to_string(file(&context, "machines.json")).ok()?;
        text.contains("box.lan").then_some(())
    });
    let kept = fs::read_dir(file(&context, "machines.json.d").join("quarantine")).expect("kept");
    assert_eq!(kept.count(), 1);
    assert!(!context.paths().folder().join("quarantine").exists());
    assert_eq!(context.daemons(), [daemon], "one for all of them");
    assert_eq!(context.ids(), ["app"]);
}

#[test]
fn each_has_its_events_and_its_own_kind_of_records() {
    let context = TestContext::new();
    context.start_daemon();
    let machines = client(&context, Mode::DaemonOnly, "machines");
    let mut events = machines.subscribe(Subscribe::default());
    let first = events.next_event().expect("what is there").records.expect("a resync");
    assert_eq!(first.len(), 1);
    assert_eq!(context.argus(&["announce", "--id", "app", "--pid", own_pid()]).code, 0);
    put(&client(&context, Mode::Direct, "machines"), "box", ssh("box.lan")).expect("served");
    let event = events.next_event().expect("it goes on");
    assert_eq!((event.id.as_deref(), event.reason), (Some("box"), Some(Reason::External)));
    assert_eq!(event.collection, "machines");

    let listed = context.argus(&["-c", "machines", "ls"]);
    assert!(listed.stdout.starts_with("ID     RECORD"), "{}", listed.stdout);
    let mut command = context.command(&["-c", "machines", "events", "--snapshot"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("argus can be run");
    let lines = Lines::of(child.stdout.take().expect("a pipe")).take(3);
    assert_eq!(
        lines.collect::<Vec<_>>(),
        ["resync     2 there", "there      local", "there      box"]
    );
    child.kill().and_then(|()| child.wait()).expect("own child");
    assert_eq!(context.argus(&["-c", "machines", "top"]).code, 2);
    let announced = context.argus(&["-c", "machines", "announce", "--id", "x"]);
    assert_eq!(announced.code, 2, "{}", announced.stderr);
    assert_eq!(context.argus(&["-c", "nothing", "ls"]).code, 2);
    let state = &context.argus(&["--json", "-c", "machines", "ls"]).data()["records"][0]["state"];
    assert!(state.is_null(), "no process stands behind it");
}

/// The rules are the schema's: named with the place in the record.
#[test]
fn a_machine_has_a_type_and_one_that_is_reached_by_ssh_a_host() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let machines = client(&context, mode, "machines");
        let rows = [
            (json!({}), "type", "/required"),
            (json!({ "type": "tty" }), "type", "/properties/type/enum"),
            (json!({ "type": "ssh" }), "host", "/then/required"),
            (json!({ "type": "local", "name": "other" }), "name", ""),
        ];
        for (value, path, rule) in rows {
            let error = put(&machines, "box", value).expect_err("it is no machine");
            assert_eq!(error.code, Code::Invalid, "{error}");
            let details = error.details.expect("details").to_value();
            assert_eq!(details["path"], path);
            assert_eq!(details["rule"].as_str().unwrap_or_default(), rule);
        }
        put(&machines, "box", ssh("box.lan")).expect("that is one");
        let patch = JsonText::from_value(&json!({ "host": null }));
        let error = machines.patch(Patch::new("box", patch)).expect_err("it needs one");
        assert_eq!(error.code, Code::Invalid, "{mode:?} {error}");
        assert_eq!(document(&context, "machines.json")["machines"]["box"]["host"], "box.lan");
    }
}

/// The Go program knows no `local` and checks nothing: what it has written is shown and kept, and the rules are those
/// of argus all the same.
///
/// Seen to fail with records that are dropped where they break the schema, without the protection of `local`, and
/// without its default.
#[test]
fn what_an_old_program_wrote_is_kept_whatever_it_is_and_the_rules_hold_beside_it() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let mut broken = json!({
            "tty": { "name": "tty", "type": "tty" }, "null": null, "far": { "name": "far", "type": "ssh" },
        });
        let theirs = json!({ "version": 1, "machines": broken });
        fs::write(file(&context, "machines.json"), theirs.to_string()).expect("own file");
        if mode == Mode::DaemonOnly {
            context.start_daemon();
        }
        let machines = client(&context, mode, "machines");
        assert_eq!(ids(&machines), ["tty", "null", "far", "local"], "{mode:?}");
        let far = put(&machines, "far", json!({ "type": "ssh" }));
        assert_eq!(far.expect_err("it has no host").code, Code::Invalid);
        let removed = remove(&machines, "local");
        assert_eq!(removed.expect_err("it is protected").code, Code::Conflict);
        assert_eq!(put(&machines, "local", ssh("x")).expect_err("it is").code, Code::Conflict);
        assert_eq!(document(&context, "machines.json"), theirs, "nothing was changed");

        put(&machines, "box", ssh("box.lan")).expect("served");
        let written = document(&context, "machines.json")["machines"].clone();
        assert_eq!(written["local"]["type"], "local");
        for (id, record) in broken.as_object_mut().expect("a map") {
            assert_eq!(&written[id], record, "{mode:?} {id}");
        }
        assert_eq!(ids(&machines), ["tty", "null", "far", "local", "box"]);
        put(&machines, "far", ssh("far.lan")).expect("it is mended");
        assert!(remove(&machines, "null").expect("served"));
        assert_eq!(ids(&machines), ["tty", "far", "local", "box"]);
    }
}

/// Seen to fail with a style of its own for every collection.
#[test]
fn an_account_that_comes_and_goes_leaves_the_file_as_authmux_had_laid_it_out() {
    for mode in BOTH_WAYS {
        let context = TestContext::new();
        let path = file(&context, "accounts.json");
        let theirs = json!({
            "version": 1, "accounts": { "work": { "createdAt": "2026-01-01", "name": "work" } },
            "activeAccountName": "work", "own": [], "autoSwitch": { "enabled": true }, "api": { "usage": false },
        });
        let theirs = serde_json::to_string_pretty(&theirs).expect("a value is text") + "\n";
        fs::write(&path, &theirs).expect("own file");
        set_mode(&path, 0o600);
        let accounts = client(&context, mode, "accounts");
        if mode == Mode::DaemonOnly {
            context.start_daemon();
        }
        put(&accounts, "home", json!({})).expect("served");
        assert_eq!(ids(&accounts), ["work", "home"]);
        assert!(remove(&accounts, "home").expect("served"));
        assert_eq!(fs::read_to_string(&path).expect("there"), theirs, "{mode:?}");
        assert!(matches!(mode_of(&path), None | Some(0o600)));
    }
}

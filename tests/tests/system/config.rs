//! `config.yaml`: read at the start and whenever it changes, by the daemon and by who works on the file.

use std::fs;
use std::process::Stdio;

use argus_client::method::{List, Put};
use argus_client::{Code, Mode, Options, blocking};
use argus_proto::json::JsonText;
use argus_tests::{Lines, Run, TestContext, until};
use serde_json::{Value, json};

const JOBS: &str = "
collections:
  jobs:
    name_key: name
    schema: job.schema.json
    protected: [nightly]
    defaults:
      nightly: { command: backup }
";

const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["command"],
  "properties": { "command": { "type": "string" }, "every": { "type": "integer", "minimum": 1 } }
}"#;

/// Each way of calling: what stands in front of the verb.
const WAYS: [&[&str]; 2] = [&["--daemon-only"], &["--direct"]];

fn configure(context: &TestContext, text: &str) {
    // As editors do, so that nobody reads a half of it.
    let new = context.home().join("config.yaml.new");
    fs::write(&new, text).expect("own folder");
    fs::rename(new, context.home().join("config.yaml")).expect("own folder");
}

fn with_jobs() -> TestContext {
    let context = TestContext::new();
    fs::write(context.home().join("job.schema.json"), SCHEMA).expect("own folder");
    configure(&context, JOBS);
    context
}

fn argus(context: &TestContext, way: &[&str], arguments: &[&str]) -> Run {
    context.argus(&[way, &["--json"], arguments].concat())
}

fn status(context: &TestContext) -> Value {
    context.argus(&["--json", "--daemon-only", "status"]).data()
}

/// What `status` warns of.
fn warnings(context: &TestContext) -> Vec<String> {
    let warnings = status(context)["warnings"].clone();
    let warnings = warnings.as_array().expect("a list").iter();
    warnings.map(|warning| warning["message"].as_str().expect("text").to_owned()).collect()
}

/// Seen to fail with a client that knows the built-in collections only.
#[test]
fn a_collection_that_is_only_described_works_from_everywhere() {
    for way in WAYS {
        let context = with_jobs();
        context.start_daemon();
        let added =
            argus(&context, way, &["-c", "jobs", "put", "b", r#"{"command":"x","every":5}"#]);
        assert_eq!(added.data()["created"], true);
        let listed = argus(&context, way, &["-c", "jobs", "ls"]).data();
        let ids: Vec<&str> = listed["records"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["id"].as_str().expect("text"))
            .collect();
        assert_eq!(ids, ["nightly", "b"]);
        assert_eq!(listed["records"][1]["record"]["name"], "b");

        // What breaks the schema says where, and which rule.
        let wrong = argus(&context, way, &["-c", "jobs", "patch", "b", r#"{"every":0}"#]).error();
        assert_eq!(wrong["code"], "E_INVALID");
        assert_eq!(wrong["details"]["path"], "every");
        assert_eq!(wrong["details"]["rule"], "/properties/every/minimum");
        let wrong = argus(&context, way, &["-c", "jobs", "rm", "nightly"]).error();
        assert_eq!(wrong["code"], "E_CONFLICT");

        let text = fs::read_to_string(context.home().join("jobs.json")).expect("written");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["jobs"]["b"]["every"], 5);
    }
    let context = with_jobs();
    context.start_daemon();
    let mut rpc = context.rpc();
    let value = json!({ "command": "x" });
    rpc.result("put", json!({ "collection": "jobs", "id": "rpc", "value": value, "flush": true }));
    let got = rpc.result("get", json!({ "collection": "jobs", "id": "rpc" }));
    assert_eq!(got["record"]["name"], "rpc");
    for mode in [Mode::DaemonOnly, Mode::Direct] {
        let collection = Some("jobs".to_owned());
        let client = blocking::Client::new(Options { collection, ..context.options(mode) });
        let client = client.expect("it needs nothing");
        let id = format!("{mode:?}");
        // Without the rules of JSON Schema, which only programs that ask for them have.
        let put = Put::new(&id, JsonText::from_value(&value));
        let created = client.put(put).expect("these tests have them").created;
        assert!(created);
        until("it is listed", || {
            let listed = client.list(List::default()).expect("it can be read").records;
            listed.iter().any(|listed| listed.id == id).then_some(())
        });
    }
}

#[test]
fn a_wrong_file_is_explained_and_the_daemon_goes_on() {
    let context = with_jobs();
    fs::write(context.home().join("none.json"), r#"{"type":"nonsense"}"#).expect("own folder");
    context.start_daemon();
    context.argus(&["-c", "jobs", "put", "a", r#"{"command":"x"}"#]);
    let rows = [
        ("collections: {jobs: {filee: x.json}}\n", "1:22", "filee"),
        ("daemon:\n  idle_timeout: soon\n", "2:17", "idle_timeout"),
        ("collections:\n  a: {file: m.json}\n  b: {file: m.json}\n", "3:", "m.json"),
        ("collections:\n  a:\n    file: ../a.json\n", "3:11", "outside"),
        ("collections:\n  a: {schema: none.json}\n", "2:15", "schema"),
        ("daemon: [\n", "1:", ""),
    ];
    for (text, place, named) in rows {
        configure(&context, text);
        let place = format!("config.yaml:{place}");
        let warning =
            until(text, || warnings(&context).into_iter().find(|warning| warning.contains(&place)));
        assert!(warning.contains(named), "{warning}");
        let check = context.argus(&["config", "check"]);
        assert_eq!(check.code, 2, "{check:?}");
        assert!(check.stderr.contains(&place), "{check:?}");
        let doctor = context.argus(&["--json", "doctor"]);
        assert!(doctor.stdout.contains("config-wrong"), "{doctor:?}");
        assert_eq!(doctor.code, 11);

        // What was right before is what counts, also for a client that does not know it.
        let got = context.argus(&["--json", "-c", "jobs", "get", "a"]).data();
        assert_eq!(got["record"]["command"], "x");
        let listed = context.argus(&["-c", "jobs", "ls"]);
        assert!(listed.stdout.contains('a'), "{listed:?}");
        let direct = context.argus(&["--json", "--direct", "-c", "jobs", "get", "a"]).error();
        assert_eq!(direct["code"], "E_USAGE");
    }
    configure(&context, JOBS);
    until("nothing is wrong any more", || warnings(&context).is_empty().then_some(()));
    assert_eq!(context.argus(&["config", "check"]).code, 0);
    assert_eq!(context.argus(&["--direct", "-c", "jobs", "get", "a"]).code, 0);
}

#[test]
fn a_daemon_that_starts_with_a_wrong_file_runs_on_the_defaults_and_says_so() {
    let context = TestContext::new();
    configure(&context, "nonsense: 1\n");
    context.start_daemon();
    assert!(warnings(&context)[0].contains("config.yaml:1:1"));
    context.argus(&["announce", "--id", "app"]);
    assert_eq!(context.ids(), ["app"]);
    // Who works on the file says it as well, once.
    let direct = context.argus(&["--direct", "announce", "--id", "other"]);
    assert_eq!(direct.code, 0, "{direct:?}");
    assert_eq!(direct.stderr.matches("config.yaml:1:1").count(), 1, "{direct:?}");
    let log = fs::read_to_string(context.paths().log()).expect("a log");
    assert!(log.contains("nonsense"), "{log}");
}

#[test]
fn what_changes_in_the_file_is_followed_while_the_daemon_runs() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let unknown = context.argus(&["--json", "--daemon-only", "-c", "jobs", "ls"]).error();
    assert_eq!(unknown["code"], "E_USAGE");
    configure(&context, "collections: {jobs: {}}\n");
    until("the collection is there", || {
        let put = context.argus(&["--daemon-only", "-c", "jobs", "put", "a", r#"{"x":1}"#]);
        (put.code == 0).then_some(())
    });

    // Another file: what is shown is what that one holds, and who follows is told of the difference.
    let mut events = context.command(&["--json", "-c", "jobs", "events", "--snapshot"]);
    let mut events = events.stdout(Stdio::piped()).spawn().expect("argus can be run");
    let mut told = Lines::of(events.stdout.take().expect("a pipe"));
    told.find(|line: &String| line.contains(r#""id":"a""#)).expect("the snapshot");
    fs::write(context.home().join("other.json"), r#"{"version":1,"jobs":{"b":{}}}"#).expect("own");
    configure(&context, "collections: {jobs: {file: other.json}}\n");
    told.find(|line: &String| line.contains("removed") && line.contains(r#""id":"a""#))
        .expect("what is gone");
    told.find(|line: &String| line.contains("added") && line.contains(r#""id":"b""#))
        .expect("what is new");

    // No such collection any more: who follows it is told that it is over.
    configure(&context, "");
    until("it is unknown", || {
        let listed = context.argus(&["--json", "--daemon-only", "-c", "jobs", "ls"]);
        (listed.code == 2).then_some(())
    });
    until("who follows has ended", || events.try_wait().expect("own child"));
    assert_eq!(context.daemons(), [daemon], "it was never started anew");
}

#[test]
fn watchers_live_as_long_as_the_settings_say() {
    let context = TestContext::new();
    configure(&context, "watchers: {ttl: 1s, auto_prune: false}\n");
    context.start_daemon();
    let (mut rpc, now) = (context.rpc(), argus_presence::clock::wall_ms());
    // One that vouches for nobody, and says nothing any more.
    let bystander = context.bystander();
    let record = json!({ "id": "quiet", "pid": bystander.pid(), "updatedAt": now });
    rpc.result("announce", json!({ "record": record }));
    let state = || context.argus(&["--json", "get", "quiet"]).data()["state"].clone();
    until("it is stale", || (state() == "stale").then_some(()));
    configure(&context, "watchers: {ttl: 1h}\n");
    until("it is live by the new rule", || (state() == "live").then_some(()));
    configure(&context, "watchers: {ttl: 1s}\n");
    until("it is removed by the last", || {
        (context.argus(&["get", "quiet"]).code == 4).then_some(())
    });
}

#[test]
fn the_times_of_locks_are_the_settings() {
    for way in WAYS {
        let context = TestContext::new();
        configure(&context, "lock: {wait: 0s, stale_unnamed: 1h}\n");
        context.start_daemon();
        fs::write(context.paths().lockfile(), "").expect("own folder");
        let refused = argus(&context, way, &["announce", "--id", "a"]).error();
        assert_eq!(refused["code"], "E_LOCKED");
        // Of age enough for the other rule.
        configure(&context, "lock: {wait: 2s, stale_unnamed: 1s}\n");
        until("it is taken over", || {
            (argus(&context, way, &["announce", "--id", "a"]).code == 0).then_some(())
        });
    }
}

#[test]
fn the_daemon_ends_and_logs_as_the_settings_say() {
    let context = TestContext::new();
    configure(&context, "daemon: {idle_timeout: 1h, log_level: error}\n");
    context.start_daemon();
    assert_eq!(fs::read_to_string(context.paths().log()).expect("a log"), "");
    configure(&context, "daemon: {idle_timeout: 1s}\n");
    until("it has nothing to do", || context.daemons().is_empty().then_some(()));
    let log = fs::read_to_string(context.paths().log()).expect("a log");
    assert!(log.contains("idle timeout"), "{log}");
}

#[test]
fn config_shows_checks_and_explains() {
    let context = TestContext::new();
    let path = context.home().join("config.yaml").to_string_lossy().into_owned();
    assert_eq!(context.argus(&["config", "path"]).stdout.trim(), path);
    let checked = context.argus(&["--json", "config", "check"]).data();
    assert_eq!(checked, json!({ "path": path, "exists": false }));
    let shown = context.argus(&["config", "show"]).stdout;
    // What is shown is a file that says the same.
    configure(&context, &shown);
    assert_eq!(context.argus(&["config", "show"]).stdout, shown);
    let shown = context.argus(&["--json", "config", "show"]).data();
    assert_eq!(shown["config"]["watchers"]["ttl"], "1m");
    let schema = context.argus(&["config", "schema"]).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");

    // The variable names another.
    let other = context.home().join("other.yaml");
    fs::write(&other, "watchers: {ttl: 2m}\n").expect("own folder");
    let mut command = context.command(&["--json", "config", "show"]);
    let run: Run = command.env("ARGUS_CONFIG", &other).output().expect("argus can be run").into();
    assert_eq!(run.data()["config"]["watchers"]["ttl"], "2m");
    let missing = Code::Usage;
    assert_eq!(context.argus(&["config"]).code, i32::from(missing.exit_code()));
}

/// Seen to fail with revisions that begin anew.
#[test]
fn a_collection_that_was_gone_for_a_while_leaves_no_gap_in_the_events() {
    let context = TestContext::new();
    configure(&context, "collections: {jobs: {}}\n");
    context.start_daemon();
    let put = |id: String| {
        let run = context.argus(&["--daemon-only", "-c", "jobs", "put", &id, "{}"]);
        (run.code == 0).then_some(())
    };
    (0..3).for_each(|number| put(format!("old{number}")).expect("served"));
    let mut rpc = context.rpc();
    let subscribe = json!({ "collection": "jobs" });
    let cursor = rpc.result("subscribe", subscribe)["cursor"].clone();
    configure(&context, "{}\n");
    let closed = rpc.receive().expect("told");
    assert_eq!(closed["params"]["kind"], "closed");
    configure(&context, "collections: {jobs: {}}\n");
    until("it is there again", || put("new0".into()));
    (1..5).for_each(|number| put(format!("new{number}")).expect("served"));
    let subscribe = json!({ "collection": "jobs", "since": cursor });
    let again = rpc.result("subscribe", subscribe);
    assert_eq!(again["mode"], "resync");
    assert_eq!(again["records"].as_array().expect("a list").len(), 8);
}

/// Seen to fail with a daemon that mends unasked whatever it finds.
#[test]
fn the_file_of_another_program_is_taken_as_it_is_and_left_alone_where_it_cannot_be() {
    let context = TestContext::new();
    configure(
        &context,
        "collections: {tools: {records: tools, ttl: 60s}, odd: {records: name, ttl: 60s}}\n",
    );
    let theirs = "{\n\t\"name\": \"mine\",\n\t\"version\": \"1.0\"\n}\n";
    let odd = r#"{"name":"mine"}"#;
    fs::write(context.home().join("tools.json"), theirs).expect("own folder");
    fs::write(context.home().join("odd.json"), odd).expect("own folder");
    context.start_daemon();
    // That it is none is seen at the first look; it would be mended at the second.
    until("it is told", || {
        warnings(&context).iter().any(|it| it.contains("odd.json")).then_some(())
    });
    for _ in 0..4 {
        context.rpc().result("list", json!({ "collection": "odd" }));
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert_eq!(fs::read_to_string(context.home().join("odd.json")).expect("there"), odd);
    let run = context.argus(&["-c", "tools", "announce", "--id", "a"]);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let text = fs::read_to_string(context.home().join("tools.json")).expect("there");
    assert!(
        text.starts_with("{\n\t\"name\": \"mine\",\n\t\"version\": \"1.0\",\n\t\"tools\": {"),
        "{text}"
    );
}

#[test]
fn a_record_that_is_always_there_cannot_be_removed_and_a_protected_one_can_be_made() {
    for way in WAYS {
        let context = TestContext::new();
        configure(&context, "collections: {jobs: {defaults: {a: {k: 1}}, protected: [ghost]}}\n");
        context.start_daemon();
        assert_eq!(argus(&context, way, &["-c", "jobs", "rm", "a"]).error()["code"], "E_CONFLICT");
        assert_eq!(
            argus(&context, way, &["-c", "jobs", "put", "ghost", "{}"]).data()["created"],
            true
        );
        let again = argus(&context, way, &["-c", "jobs", "put", "ghost", r#"{"x":1}"#]);
        assert_eq!(again.error()["code"], "E_CONFLICT");
    }
}

#[test]
fn settings_that_are_named_relatively_are_the_daemons_too() {
    let context = TestContext::new();
    fs::create_dir(context.home().join("sub")).expect("own folder");
    fs::write(context.home().join("sub/c.yaml"), "collections: {q: {}}\n").expect("own folder");
    let run = |arguments: &[&str]| -> Run {
        let mut command = context.command(arguments);
        command.env("ARGUS_CONFIG", "sub/c.yaml").output().expect("argus can be run").into()
    };
    assert_eq!(run(&["-c", "q", "put", "a", "{}"]).code, 0);
    assert_eq!(run(&["--daemon-only", "-c", "q", "get", "a"]).code, 0);
}

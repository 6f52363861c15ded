//! Folders of tasks: the registry follows the disk, and shows nothing half, old or from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argus_client::Mode;
use argus_tests::{Rpc, TestContext, file_uri, until};
use rusqlite::Connection;
use serde_json::{Value, json};

/// What `main.js` has in most of these tests.
const SCRIPT: &str = "module.exports = function run(input) { return input; };\n";

fn metadata(name: &str) -> String {
    json!({ "name": name, "version": "1.0.0", "description": "a task" }).to_string()
}

/// Writes a task into a folder.
pub(crate) fn write_task(folder: &Path, name: &str) {
    fs::create_dir_all(folder).expect("own folder");
    fs::write(folder.join("main.js"), SCRIPT).expect("own folder");
    fs::write(folder.join("metadata.json"), metadata(name)).expect("own folder");
}

/// A home with a source `local` that is followed.
fn followed() -> (TestContext, PathBuf) {
    let context = TestContext::new();
    let tasks = context.home().join("tasks");
    fs::create_dir(&tasks).expect("own folder");
    add(&context, &tasks, "local");
    (context, tasks)
}

fn add(context: &TestContext, folder: &Path, name: &str) {
    let folder = folder.to_string_lossy();
    let run = context.argus(&["sources", "add", &folder, "--name", name]);
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
}

/// The tasks, by id.
fn tasks(context: &TestContext) -> Vec<(String, Value)> {
    let listing = context.argus(&["--json", "-c", "tasks", "ls"]).data();
    let records = listing["records"].as_array().expect("records").iter();
    let mut tasks: Vec<(String, Value)> = records
        .map(|listed| (listed["id"].as_str().expect("an id").to_owned(), listed["record"].clone()))
        .collect();
    tasks.sort_by(|one, other| one.0.cmp(&other.0));
    tasks
}

fn ids(context: &TestContext) -> Vec<String> {
    tasks(context).into_iter().map(|(id, _)| id).collect()
}

#[track_caller]
pub(crate) fn until_ids(context: &TestContext, expected: &[&str]) {
    until("the tasks are these", || (ids(context) == expected).then_some(()));
}

pub(crate) fn task(context: &TestContext, id: &str) -> Value {
    let run = context.argus(&["--json", "-c", "tasks", "get", id]);
    if run.code == 0 { run.data()["record"].clone() } else { Value::Null }
}

pub(crate) fn source(context: &TestContext, name: &str) -> Value {
    let listed = context.argus(&["--json", "sources", "ls"]).data();
    let sources = listed["sources"].as_array().expect("sources");
    sources.iter().find(|source| source["name"] == name).cloned().unwrap_or_default()
}

/// What is told about the tasks from now on.
struct Events(Rpc);

impl Events {
    fn begin(context: &TestContext) -> Self {
        let mut rpc = context.rpc();
        rpc.call("subscribe", json!({ "collection": "tasks" }));
        Events(rpc)
    }

    /// Those until one of this id.
    fn until(&mut self, id: &str) -> Vec<(String, String)> {
        let mut told = Vec::new();
        loop {
            let event = self.0.receive().expect("an event")["params"].clone();
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            if text("kind") == "bookmark" {
                continue;
            }
            told.push((text("kind"), text("id")));
            if event["id"] == id {
                return told;
            }
        }
    }
}

#[test]
fn twenty_writes_are_one_update_and_a_rename_is_a_removal_and_an_addition() {
    let (context, folder) = followed();
    write_task(&folder.join("a"), "a");
    write_task(&folder.join("old"), "old");
    until_ids(&context, &["local/a", "local/old"]);
    let mut events = Events::begin(&context);
    let begun = Instant::now();
    for number in 0..20 {
        fs::write(folder.join("a/main.js"), format!("{SCRIPT}// {number}\n")).expect("own file");
        while begun.elapsed() < Duration::from_millis(15 * number) {
            std::thread::yield_now();
        }
    }
    until("the last of them is there", || {
        let metrics = source(&context, "local")["metrics"].clone();
        (metrics["coalesced"].as_u64() > Some(15) && metrics["waiting"] == 0).then_some(())
    });
    fs::rename(folder.join("old"), folder.join("new")).expect("own folder");
    fs::write(folder.join("new/metadata.json"), metadata("new")).expect("own file");
    let told = events.until("local/new");
    let told: Vec<(&str, &str)> =
        told.iter().map(|(kind, id)| (kind.as_str(), id.as_str())).collect();
    assert_eq!(told, [("updated", "local/a"), ("removed", "local/old"), ("added", "local/new")]);
}

#[test]
fn a_task_that_is_half_written_for_long_is_never_served_half() {
    let (context, folder) = followed();
    write_task(&folder.join("a"), "a");
    until_ids(&context, &["local/a"]);
    let valid = task(&context, "local/a");
    let script = format!("{SCRIPT}exports.list = [\n{}];\n", "  [1, 2, 3],\n".repeat(100));
    let mut events = Events::begin(&context);
    // Written in pieces, each of which is quiet for long enough to be loaded.
    let pieces = 4;
    for piece in 1..=pieces {
        let written = &script[..script.len() * piece / pieces];
        let reloads = |source: &Value| source["metrics"]["reloads"].as_u64().expect("a number");
        let before = reloads(&source(&context, "local"));
        fs::write(folder.join("a/main.js"), written).expect("own file");
        until("it was loaded", || (reloads(&source(&context, "local")) > before).then_some(()));
        if piece < pieces {
            let shown = until("it is found to be half", || {
                let shown = task(&context, "local/a");
                assert_eq!(shown["checksum"], valid["checksum"], "{shown}");
                (shown["status"] == "invalid").then_some(shown)
            });
            assert_eq!(shown["errors"][0]["code"], "INVALID_SYNTAX", "{shown}");
        }
    }
    until("it is valid again", || (task(&context, "local/a")["status"] == "valid").then_some(()));
    assert_ne!(task(&context, "local/a")["checksum"], valid["checksum"]);
    write_task(&folder.join("end"), "end");
    let told: Vec<(String, String)> = events.until("local/end");
    let of_a = told.iter().filter(|(_, id)| id == "local/a").count();
    // Invalid, perhaps with another message at another line, and once repaired.
    assert!((2..=4).contains(&of_a), "{told:?}");
    let why = context.argus(&["-c", "tasks", "history", "local/a"]).stdout;
    assert!(why.contains("is invalid: `main.js`"), "{why}");
}

#[test]
fn each_fault_of_a_task_has_its_code_and_spoils_no_other() {
    let (context, folder) = followed();
    // The task, what is written into its folder instead, the field and the code of the fault.
    type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);
    let rows: [Row; 12] = [
        ("json", &[("metadata.json", "{")], "metadata", "INVALID_JSON"),
        ("no-name", &[("metadata.json", r#"{"version":"1.0.0"}"#)], "name", "EMPTY_NAME"),
        (
            "odd-name",
            &[("metadata.json", r#"{"name":"a b","version":"1.0.0"}"#)],
            "name",
            "INVALID_NAME_FORMAT",
        ),
        (
            "no-version",
            &[("metadata.json", r#"{"name":"no-version"}"#)],
            "version",
            "EMPTY_VERSION",
        ),
        (
            "version",
            &[("metadata.json", r#"{"name":"version","version":"one"}"#)],
            "version",
            "INVALID_VERSION_FORMAT",
        ),
        ("empty", &[("main.js", "  \n")], "script", "EMPTY_SCRIPT"),
        ("syntax", &[("main.js", "export default function {")], "script", "INVALID_SYNTAX"),
        ("no-function", &[("main.js", "module.exports = 1;")], "script", "NO_FUNCTIONS"),
        ("no-export", &[("main.js", "function run() {}")], "script", "NO_EXPORTS"),
        ("schema", &[("input.schema.json", r#"{"type":7}"#)], "input_schema", "INVALID_SCHEMA"),
        (
            "out-schema",
            &[("output.schema.json", r#"{"type":"odd"}"#)],
            "output_schema",
            "INVALID_SCHEMA",
        ),
        (
            "uuid",
            &[("metadata.json", r#"{"name":"uuid","version":"1.0.0","uuid":"x"}"#)],
            "uuid",
            "",
        ),
    ];
    for (name, files, _, _) in &rows {
        write_task(&folder.join(name), name);
        for (file, content) in *files {
            fs::write(folder.join(name).join(file), content).expect("own folder");
        }
    }
    write_task(&folder.join("sound"), "sound");
    until("all are listed", || (tasks(&context).len() == rows.len() + 1).then_some(()));
    assert_eq!(context.argus(&["sources", "sync"]).code, 0);
    for (name, _, field, code) in rows {
        let listed = tasks(&context);
        let path = folder.join(name);
        let of_it = listed.iter().find(|(_, task)| task["path"] == path.to_string_lossy().as_ref());
        let (_, task) = of_it.unwrap_or_else(|| panic!("{name} is listed: {listed:#?}"));
        assert_eq!(task["status"], "invalid", "{task}");
        let error = &task["errors"][0];
        assert_eq!(error["field"], field, "{task}");
        assert!(code.is_empty() || error["code"] == code, "{task}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{task}");
    }
    assert_eq!(task(&context, "local/sound")["status"], "valid");
    let run = context.argus(&["doctor"]);
    assert!(run.stdout.contains("12 tasks of the source `local` are invalid"), "{run:?}");
    let table = context.argus(&["-c", "tasks", "ls"]).stdout;
    assert!(table.starts_with("ID") && table.contains("PROBLEM"), "{table}");
}

#[test]
fn sources_are_added_paused_resumed_and_removed_and_that_is_kept() {
    let (context, folder) = followed();
    write_task(&folder.join("a"), "a");
    until_ids(&context, &["local/a"]);
    assert_eq!(context.argus(&["sources", "pause", "local"]).code, 0);
    assert_eq!(source(&context, "local")["watching"], "paused");
    assert_eq!(context.argus(&["daemon", "restart"]).code, 0);
    assert_eq!(source(&context, "local")["watching"], "paused", "also after a restart");
    write_task(&folder.join("b"), "b");
    assert_eq!(context.argus(&["sources", "sync", "local"]).code, 5, "paused is paused");
    assert_eq!(ids(&context), ["local/a"]);
    assert_eq!(context.argus(&["sources", "resume", "local"]).code, 0);
    until_ids(&context, &["local/a", "local/b"]);

    let again =
        context.argus(&["--json", "sources", "add", &folder.to_string_lossy(), "--name", "local"]);
    assert_eq!(again.error()["code"], "E_CONFLICT");
    for wrong in ["https://example.com/tasks", "tasks.zip", "no/such/folder"] {
        let run = context.argus(&["sources", "add", wrong]);
        assert!([2, 4].contains(&run.code) && run.stderr.contains("help:"), "{run:?}");
    }
    assert_eq!(context.argus(&["sources", "rm", "nobody"]).code, 4);
    // The collection itself takes nothing that could not be followed.
    for wrong in [r#"{"uri":5}"#, r#"{"uri":"file://./t"}"#, r#"{"watch":"maybe"}"#] {
        let run = context.argus(&["--json", "-c", "sources", "put", "odd", wrong]);
        assert_eq!(run.error()["code"], "E_INVALID", "{wrong} {run:?}");
    }

    assert_eq!(context.argus(&["sources", "rm", "local"]).code, 0);
    until_ids(&context, &[]);
    let why = context.argus(&["-c", "tasks", "why", "local/a"]).stdout;
    assert!(why.contains("removed") && why.contains("the source `local` was removed"), "{why}");
    assert_eq!(source(&context, "local"), Value::Null);
}

#[test]
fn sources_of_the_settings_come_and_go_with_them() {
    let context = TestContext::new();
    let configure = |text: &str| {
        fs::write(context.home().join("config.yaml"), text).expect("own folder");
    };
    write_task(&context.home().join("mine/a"), "a");
    configure("registry: {sources: [{name: mine, uri: 'file://./mine'}]}\n");
    context.start_daemon();
    until_ids(&context, &["mine/a"]);
    let run = context.argus(&["--json", "sources", "rm", "mine"]);
    assert_eq!(run.error()["code"], "E_CONFLICT", "{run:?}");
    // One that was added first gives way to one of the settings, and that is told.
    let other = context.home().join("other");
    write_task(&other.join("b"), "b");
    add(&context, &other, "late");
    until_ids(&context, &["late/b", "mine/a"]);
    configure(
        "registry: {sources: [{name: mine, uri: 'file://./mine'}, {name: late, uri: 'file://./mine'}]}\n",
    );
    until_ids(&context, &["late/a", "mine/a"]);
    let errors = source(&context, "late")["errors"].clone();
    assert_eq!(errors[0]["code"], "DUPLICATE_NAME", "{errors}");
    assert_eq!(errors[0]["path"], file_uri(&other), "{errors}");
    configure("registry: {sources: [{name: mine, uri: 'file://./mine'}]}\n");
    until_ids(&context, &["late/b", "mine/a"]);
    assert_eq!(context.argus(&["sources", "rm", "late"]).code, 0);
    // A file that cannot be used takes nothing away, also where it is wrong from the start.
    configure("registry: {sources: [{name: mine\n");
    assert_eq!(context.argus(&["daemon", "restart"]).code, 0);
    until("the settings are known to be wrong", || {
        let warnings = context.argus(&["--json", "status"]).data()["warnings"].clone();
        (!warnings.as_array().expect("warnings").is_empty()).then_some(())
    });
    assert_eq!(ids(&context), ["mine/a"]);
    configure("registry: {sources: []}\n");
    until_ids(&context, &[]);
}

#[test]
fn without_a_daemon_sources_are_told_and_changed_and_followed_by_the_next() {
    let context = TestContext::new();
    let folder = context.home().join("tasks with ä");
    write_task(&folder.join("a"), "a");
    let path = folder.to_string_lossy().into_owned();
    let add = ["--direct", "sources", "add", &path, "--name", "later"];
    assert_eq!(context.argus(&add).code, 0);
    assert_eq!(source(&context, "later")["watching"], "off");
    assert_eq!(context.daemons(), Vec::<u32>::new(), "nobody was started");
    let run = context.argus(&["--direct", "sources", "sync"]);
    assert_eq!(run.code, 9, "{run:?}");
    context.start_daemon();
    until_ids(&context, &["later/a"]);
    assert_eq!(source(&context, "later")["uri"], file_uri(path.as_ref()));
}

#[test]
fn what_others_make_of_the_tasks_is_written_over() {
    let (context, folder) = followed();
    for name in ["a", "b"] {
        write_task(&folder.join(name), name);
    }
    until_ids(&context, &["local/a", "local/b"]);
    let before = tasks(&context);
    assert_eq!(context.argus(&["-c", "tasks", "rm", "local/a"]).code, 0);
    until("it is there again", || (tasks(&context) == before).then_some(()));
    let put = context.argus(&["-c", "tasks", "put", "local/b", r#"{"id":"local/b"}"#]);
    assert_eq!(put.code, 0, "{put:?}");
    until("it is as the folder is", || (tasks(&context) == before).then_some(()));
    // In the file, by a program that knows nothing of argus.
    let file = context.home().join("tasks.json");
    fs::write(&file, r#"{"version":1,"tasks":{"local/x":{},"odd":{}}}"#).expect("own file");
    until("it is as the folders are", || (tasks(&context) == before).then_some(()));
}

fn rows(context: &TestContext) -> Vec<(String, String, Option<String>, bool)> {
    let database = context.paths().folder().join("argus.db");
    let Ok(connection) = Connection::open(database) else { return Vec::new() };
    let sql = "SELECT source || '/' || name, checksum, script, enabled FROM tasks ORDER BY 1";
    let Ok(mut statement) = connection.prepare(sql) else { return Vec::new() };
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows = statement.query_map([], row).and_then(Iterator::collect);
    rows.unwrap_or_default()
}

#[test]
fn the_database_has_scripts_and_checksums_and_what_is_gone_is_disabled() {
    let (context, folder) = followed();
    for name in ["a", "b"] {
        write_task(&folder.join(name), name);
    }
    until_ids(&context, &["local/a", "local/b"]);
    let checksum = |id: &str| task(&context, id)["checksum"].as_str().expect("one").to_owned();
    let (a, b) = (checksum("local/a"), checksum("local/b"));
    let row = |id: &str, checksum: &str, script: &str, is_enabled: bool| {
        (id.to_owned(), checksum.to_owned(), Some(script.to_owned()), is_enabled)
    };
    let expected = [row("local/a", &a, SCRIPT, true), row("local/b", &b, SCRIPT, true)];
    until("both are in it", || (rows(&context) == expected).then_some(()));
    fs::remove_dir_all(folder.join("b")).expect("own folder");
    // What is invalid keeps its last valid version there too.
    fs::write(folder.join("a/main.js"), "function (").expect("own file");
    until_ids(&context, &["local/a"]);
    let expected = [row("local/a", &a, SCRIPT, true), row("local/b", &b, SCRIPT, false)];
    until("it is disabled", || (rows(&context) == expected).then_some(()));
    // A new one is filled from the registry and the folders; what is not on the disk is not in it.
    write_task(&folder.join("a"), "a");
    until("it is valid again", || (task(&context, "local/a")["status"] == "valid").then_some(()));
    fs::remove_file(context.paths().folder().join("argus.db")).expect("own file");
    let expected = [row("local/a", &a, SCRIPT, true)];
    until("it is filled again", || {
        let rows = rows(&context);
        (rows.iter().filter(|(id, ..)| id == "local/a").eq(&expected)).then_some(())
    });
}

#[test]
fn every_way_gives_the_same_answers_about_sources() {
    let (context, folder) = followed();
    write_task(&folder.join("a"), "a");
    until_ids(&context, &["local/a"]);
    until("the source knows of it", || (source(&context, "local")["tasks"] == 1).then_some(()));
    let mut rpc = context.rpc();
    let stable = |sources: &Value| -> Vec<Value> {
        let sources = sources["sources"].as_array().expect("sources").iter();
        sources
            .map(|source| {
                json!([source["name"], source["uri"], source["tasks"], source["invalid"]])
            })
            .collect()
    };
    let through_rpc = stable(&rpc.call("sources.list", json!({}))["result"]);
    let through_daemon =
        stable(&context.argus(&["--json", "--daemon-only", "sources", "ls"]).data());
    let direct = stable(&context.argus(&["--json", "--direct", "sources", "ls"]).data());
    assert_eq!(through_rpc, through_daemon);
    assert_eq!(through_rpc, direct);
    for (method, params, code) in [
        ("sources.add", json!({ "uri": "file://./x" }), "E_USAGE"),
        ("sources.add", json!({ "uri": file_uri(&context.home().join("none")) }), "E_NOT_FOUND"),
        ("sources.add", json!({}), "E_USAGE"),
        ("sources.remove", json!({ "name": "x" }), "E_NOT_FOUND"),
        ("sources.pause", json!({ "name": "x" }), "E_NOT_FOUND"),
        ("sources.sync", json!({ "name": "x" }), "E_NOT_FOUND"),
    ] {
        let answer = rpc.call(method, params.clone());
        assert_eq!(answer["error"]["data"]["code"], code, "{method} {params}: {answer}");
    }
    let synced = rpc.call("sources.sync", json!({ "name": "local" }))["result"].clone();
    assert_eq!(synced["sources"][0]["tasks"], 1);
    // The library has them too.
    let client = context.client(Mode::DaemonOnly);
    assert_eq!(client.sources().expect("served").sources[0].tasks, 1);
}

//! Right and wrong files as tables: what the parser makes of each, and that the published JSON
//! Schema says the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use argus_config::{Config, JSON_SCHEMA};
use argus_proto::collection::{ACCOUNTS, MACHINES};
use argus_proto::error::{Code, Error};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Whether the JSON Schema can say it too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Both,
    /// What no schema can know: bounds of times, other settings, other files.
    ParserOnly,
}
use By::{Both, ParserOnly};

#[path = "platform/tables.rs"]
mod platform;

/// A folder with a registry, a schema and what is none.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("registry.json", "{}");
        write("job.schema.json", r#"{"type":"object","required":["command"]}"#);
        write("broken.schema.json", r#"{"type":"nonsense"}"#);
        write("text.schema.json", "nonsense");
        Folder { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn parse(&self, text: &str) -> Result<Config, argus_config::ConfigError> {
        Config::parse(text, &self.config(), &self.folder.path().join("registry.json"))
    }
}

/// A problem: line:column, key, and part of the message with its help.
type Expected = (&'static str, &'static str, &'static str);

/// YAML, what is wrong with it, and who knows.
const WRONG: &[(&str, &[Expected], By)] = &[
    // What YAML does not take.
    ("daemon: {idle_timeout: 5s", &[("1:9", "", "unclosed bracket")], Both),
    ("a: b: c", &[("1:5", "", "mapping values are not allowed")], Both),
    ("lock:\n  wait: 1s\n stale: 2s\n", &[("3:2", "", "")], Both),
    ("lock: {wait: 1s}\n---\nlock: {}\n", &[("3:1", "", "multiple YAML documents")], Both),
    (
        "registry: {sources: [{name: a, uri: file:///a, config: {watch_options: {ignore_patterns: [*.tmp]}}}]}",
        &[("1:91", "", "quote what begins with `*`")],
        Both,
    ),
    ("lock: !times {wait: 1s}", &[("1:14", "", "unsupported tag `!times`")], Both),
    // What is no map of settings.
    ("[]", &[("1:1", "", "must be a map of settings, and is a list")], Both),
    ("text", &[("1:1", "", "must be a map of settings, and is \"text\"")], Both),
    ("daemon: 5", &[("1:9", "daemon", "must be a map of settings, and is 5")], Both),
    ("collections: []", &[("1:14", "collections", "must be a map of settings")], Both),
    ("registry: {sources: {}}", &[("1:21", "registry.sources", "must be a list")], Both),
    // Keys.
    (
        "deamon: {}",
        &[(
            "1:1",
            "deamon",
            "is no setting (help: did you mean `daemon`? valid here: daemon, lock, watchers",
        )],
        Both,
    ),
    ("x: 1", &[("1:1", "x", "is no setting (help: valid here: daemon")], Both),
    (
        "lock:\n  wiat: 1s\n  stale: 3s\n",
        &[
            ("2:3", "lock.wiat", "did you mean `wait`?"),
            ("3:3", "lock.stale", "valid here: wait, stale_unnamed, stale_named"),
        ],
        Both,
    ),
    (
        "lock: {wait: 1s}\ndaemon: {}\nlock: {wait: 2s}\n",
        &[("3:1", "lock", "is there twice: first on line 1")],
        Both,
    ),
    ("lock: {wait: 1s, wait: 1s}", &[("1:18", "lock.wait", "is there twice")], Both),
    // Times.
    (
        "lock: {wait: 5}",
        &[("1:14", "lock.wait", "is a number (help: say of what, as in 5s)")],
        Both,
    ),
    ("lock: {wait: soon}", &[("1:14", "lock.wait", "is no time: \"soon\"")], Both),
    ("lock: {wait: 5 years}", &[("1:14", "lock.wait", "is no time")], Both),
    ("lock: {wait: [5s]}", &[("1:14", "lock.wait", "must be a time, as in 500ms")], Both),
    ("lock:\n  wait:\n", &[("2:7", "lock.wait", "is empty (help: leave the key out")], Both),
    (
        "lock: {wait: 2h}",
        &[("1:14", "lock.wait", "must be a time from 0s to 1h, and is 2h")],
        ParserOnly,
    ),
    ("lock: {stale_named: 0s}", &[("1:21", "lock.stale_named", "from 1s to 1h")], ParserOnly),
    (
        "daemon: {idle_timeout: 10ms}",
        &[("1:24", "daemon.idle_timeout", "must be a time from 1s to 365d, and is 10ms")],
        ParserOnly,
    ),
    ("watchers: {ttl: 0s}", &[("1:17", "watchers.ttl", "from 1s to 365d")], ParserOnly),
    // Words, truths, texts.
    (
        "daemon: {log_level: inof}",
        &[(
            "1:21",
            "daemon.log_level",
            "must be one of error, warn, info, debug, trace, and is \"inof\" (help: did you mean `info`?)",
        )],
        Both,
    ),
    ("daemon: {log_level: 1}", &[("1:21", "daemon.log_level", "and is 1")], Both),
    (
        "watchers: {auto_prune: yes}",
        &[("1:24", "watchers.auto_prune", "must be true or false")],
        Both,
    ),
    ("database: {path: ''}", &[("1:18", "database.path", "must not be empty")], Both),
    ("database: {path: ../registry.json}", &[("1:18", "database.path", "ends with `.db`")], Both),
    ("database: {path: /srv/x.db}", &[("1:18", "database.path", "ends with `.db`")], Both),
    ("database: {path: .db}", &[("1:18", "database.path", "ends with `.db`")], Both),
    ("database: {path: argusd.log}", &[("1:18", "database.path", "ends with `.db`")], Both),
    ("database: {path: 7}", &[("1:18", "database.path", "put it in quotes, as in \"7\"")], Both),
    // All at once, in order.
    (
        "database: {enabled: 1}\nlock: {wait: 5}\ndaemon: {log_level: x}\n",
        &[
            ("1:21", "database.enabled", "true or false"),
            ("2:14", "lock.wait", "number"),
            ("3:21", "daemon.log_level", "one of"),
        ],
        Both,
    ),
    // Collections: names.
    (
        "collections: {watchers: {ttl: 5s}}",
        &[("1:15", "collections.watchers", "the section `watchers`")],
        Both,
    ),
    ("collections: {tasks: {}}", &[("1:15", "collections.tasks", "argus' own collection")], Both),
    ("collections: {Jobs: {}}", &[("1:15", "collections.Jobs", "cannot be the name")], Both),
    ("collections: {7: {}}", &[("1:15", "collections.7", "cannot be the name")], Both),
    // Collections: files.
    (
        "collections: {jobs: {file: /etc/jobs.json}}",
        &[("1:28", "collections.jobs.file", "outside the registry's folder")],
        Both,
    ),
    (
        "collections: {jobs: {file: ../jobs.json}}",
        &[("1:28", "collections.jobs.file", "outside the registry's folder")],
        Both,
    ),
    (
        "collections: {jobs: {file: a/jobs.json}}",
        &[("1:28", "collections.jobs.file", "without folders")],
        Both,
    ),
    (
        "collections: {jobs: {file: jobs.json.lock}}",
        &[("1:28", "collections.jobs.file", "files do that argus keeps")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {file: registry.json.d}}",
        &[("1:28", "collections.jobs.file", "files do that argus keeps")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {file: Registry.json}}",
        &[("1:28", "collections.jobs.file", "is the registry itself")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {file: config.yaml}}",
        &[("1:28", "collections.jobs.file", "file of these settings")],
        ParserOnly,
    ),
    (
        "collections:\n  jobs: {file: a.json}\n  runs: {file: A.json}\n",
        &[("3:3", "collections.runs", "as `jobs` is (line 2)")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {file: machines.json}}",
        &[("1:15", "collections.jobs", "as `machines` is (help")],
        ParserOnly,
    ),
    (
        "collections: {machines: {file: accounts.json}}",
        &[("1:15", "collections.machines", "as `accounts` is")],
        ParserOnly,
    ),
    // Collections: keys and modes.
    (
        "collections: {jobs: {records: version}}",
        &[("1:31", "collections.jobs.records", "something else: version")],
        Both,
    ),
    (
        "collections: {accounts: {records: api}}",
        &[("1:35", "collections.accounts.records", "something else: api")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {name_key: ''}}",
        &[("1:32", "collections.jobs.name_key", "must not be empty")],
        Both,
    ),
    (
        "collections: {jobs: {mode: 0600}}",
        &[("1:28", "collections.jobs.mode", "in quotes, as in \"0600\"")],
        Both,
    ),
    (
        "collections: {jobs: {mode: '0800'}}",
        &[("1:28", "collections.jobs.mode", "octal digits")],
        Both,
    ),
    (
        "collections: {jobs: {mode: '1600'}}",
        &[("1:28", "collections.jobs.mode", "octal digits")],
        Both,
    ),
    (
        "collections: {jobs: {mode: '+600'}}",
        &[("1:28", "collections.jobs.mode", "octal digits")],
        Both,
    ),
    (
        "collections: {jobs: {mode: '0400'}}",
        &[("1:28", "collections.jobs.mode", "owner read and write")],
        Both,
    ),
    (
        "collections: {jobs: {layout: folder}}",
        &[("1:30", "collections.jobs.layout", "one of file, directory")],
        Both,
    ),
    (
        "collections: {jobs: {ttl: 5, files: x}}",
        &[
            ("1:27", "collections.jobs.ttl", "as in 5s"),
            ("1:30", "collections.jobs.files", "did you mean `file`?"),
        ],
        Both,
    ),
    // Collections of processes.
    (
        "collections: {jobs: {ttl: 5s, name_key: name}}",
        &[(
            "1:41",
            "collections.jobs.name_key",
            "does not go together: with a `ttl` the `name_key` is `id`, and it is `name`",
        )],
        ParserOnly,
    ),
    (
        "collections: {jobs: {ttl: 5s, protected: [a]}}",
        &[("1:42", "collections.jobs.protected", "does not go together: `protected` and `ttl`")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {ttl: 5s, defaults: {a: {host: h, port: 0, pid: 1, startedAt: 1, updatedAt: 1}}}}",
        &[("1:41", "collections.jobs.defaults", "does not go together: `defaults` and `ttl`")],
        ParserOnly,
    ),
    (
        "collections: {accounts: {ttl: 5s}}",
        &[("1:31", "collections.accounts.ttl", "does not go together")],
        ParserOnly,
    ),
    // Collections: ids and records.
    (
        "collections: {jobs: {protected: a}}",
        &[("1:33", "collections.jobs.protected", "must be a list")],
        Both,
    ),
    (
        "collections: {jobs: {protected: [' a']}}",
        &[("1:34", "collections.jobs.protected[0]", "white space")],
        Both,
    ),
    (
        "collections: {jobs: {defaults: {'a ': {}}}}",
        &[("1:33", "collections.jobs.defaults.a ", "is no id")],
        Both,
    ),
    (
        "collections: {jobs: {defaults: {a: [1]}}}",
        &[("1:36", "collections.jobs.defaults.a", "must be a record")],
        Both,
    ),
    (
        "collections: {jobs: {defaults: {a: {x: {y: 1, y: 2}}}}}",
        &[("1:47", "collections.jobs.defaults.a.x.y", "is there twice")],
        Both,
    ),
    (
        "collections: {jobs: {name_key: name, defaults: {a: {name: b}}}}",
        &[("1:52", "collections.jobs.defaults.a", "`name` must repeat the id, and is \"b\"")],
        ParserOnly,
    ),
    // Collections: schemas.
    (
        "collections: {jobs: {schema: none.json}}",
        &[("1:30", "collections.jobs.schema", "none.json: it is not there")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {schema: text.schema.json}}",
        &[("1:30", "collections.jobs.schema", "not valid JSON")],
        ParserOnly,
    ),
    (
        "collections: {jobs: {schema: .}}",
        &[("1:30", "collections.jobs.schema", "not a file")],
        ParserOnly,
    ),
    // Sources.
    (
        "registry: {sources: [{uri: file:///a}]}",
        &[("1:22", "registry.sources[0]", "needs `name`")],
        Both,
    ),
    (
        "registry: {sources: [x]}",
        &[("1:22", "registry.sources[0]", "must be a map of settings")],
        Both,
    ),
    ("registry: {sources: [~]}", &[("1:22", "registry.sources[0]", "is empty")], Both),
    (
        "registry: {sources: [{name: a/b, uri: file:///a}]}",
        &[("1:29", "registry.sources[0].name", "letters, digits")],
        Both,
    ),
    (
        "registry: {sources: [{name: a, uri: /a}]}",
        &[("1:37", "registry.sources[0].uri", "must be the path of a folder")],
        Both,
    ),
    (
        "registry: {sources: [{name: a, uri: \"file:///a.zip\"}]}",
        &[("1:37", "registry.sources[0].uri", "is a ZIP file")],
        ParserOnly,
    ),
    (
        "registry:\n  sources:\n    - {name: a, uri: file:///a}\n    - {name: a, uri: file:///b}\n",
        &[("4:7", "registry.sources[1]", "another source has already: a")],
        ParserOnly,
    ),
    (
        "registry: {sources: [{name: a, uri: file:///a, config: {watch_options: {debounce_ms: -1, max_concurrent_reloads: 0, retry_delay_ms: 1.5}}}]}",
        &[
            (
                "1:86",
                "registry.sources[0].config.watch_options.debounce_ms",
                "from 0 to 60000, and is -1",
            ),
            (
                "1:114",
                "registry.sources[0].config.watch_options.max_concurrent_reloads",
                "from 1 to 64",
            ),
            ("1:133", "registry.sources[0].config.watch_options.retry_delay_ms", "and is 1.5"),
        ],
        Both,
    ),
];

const RIGHT: &[&str] = &[
    "",
    "# nothing\n",
    "---\n",
    "{}",
    "\u{feff}lock: {wait: 1s}\n",
    "daemon:\nlock:\nwatchers:\ndatabase:\ncollections:\nregistry:\n",
    "daemon: {idle_timeout: 90s, log_level: debug}\nlock: {wait: 0s, stale_unnamed: 1m 30s, stale_named: 1h}\n",
    "watchers: {ttl: 5m, auto_prune: false}\n",
    "database: {enabled: false, path: x.db, on_conflict: prefer_newer}\n",
    "database: {on_conflict: merge}\n",
    "lock: {wait: &t 1s, stale_named: *t}\ndaemon: &d {}\nregistry: *d\n",
    "lock: &l {wait: 3s}\nwatchers:\n  ttl: 5s\n",
    "collections:\n  jobs: &j {mode: '0600', ttl: 5s}\n  runs: {<<: *j, ttl: 6s}\n",
    "collections: {machines: {name_key: title}}\n",
    "collections: {jobs: , runs: {}}\n",
    "collections: {jobs: {file: j.json, records: all, name_key: name, mode: '0640', protected: [a, 'b c'], defaults: {a: {n: 9007199254740993, f: 1.5, t: \"x\\u2028\\x7F: #\", l: [1, ~, true], o: {}}}, layout: directory}}\n",
    "collections: {jobs: {ttl: 30s}}\n",
    "collections: {jobs: {ttl: 30s, name_key: id, protected: [], defaults: {}}}\n",
    "collections: {jobs: {schema: job.schema.json, defaults: {a: {command: ls}}}}\n",
    "collections: {machines: {mode: '0644', file: hosts.json}}\n",
    "collections: {machines: {protected: , defaults: }}\n",
    "collections: {machines: {file: accounts.json}, accounts: {file: a.json}}\n",
    "collections: {'null': {file: 'yes', records: 'true', name_key: '7'}}\n",
    "registry: {sources: }\n",
    "registry: {sources: [{name: Local.1, uri: 'file://./tasks'}, {name: b, uri: 'file:///srv/x', config: }]}\n",
    "registry:\n  sources:\n    - name: local\n      uri: file://../tasks\n      config:\n        watch: false\n        watch_options: {debounce_ms: 0, ignore_patterns: ['*.tmp', '[a-z]*'], max_concurrent_reloads: 64, retry_on_error: false, retry_delay_ms: 10}\n",
];

#[test]
fn what_is_wrong_is_told_with_its_place_its_key_and_what_to_write() {
    let folder = Folder::new();
    let mut failures = Vec::new();
    for (yaml, expected, _) in WRONG {
        let Err(error) = folder.parse(yaml) else {
            failures.push(format!("{yaml}\n  is taken"));
            continue;
        };
        assert_eq!(error.code, Code::Invalid);
        let fits = error.problems.len() == expected.len()
            && error.problems.iter().zip(*expected).all(|(problem, (place, key, text))| {
                format!("{}:{}", problem.line, problem.column) == *place
                    && problem.key == *key
                    && problem.to_string().contains(text)
            });
        if !fits {
            failures.push(format!("{yaml}\n  expected {expected:?}\n  found {error}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn what_is_right_is_taken_and_printed_so_that_it_is_read_as_the_same() {
    let folder = Folder::new();
    for yaml in RIGHT {
        let config = folder.parse(yaml).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
        let printed = config.to_yaml();
        let again = folder.parse(&printed).unwrap_or_else(|error| panic!("{printed}\n{error}"));
        assert_same(&config, &again);
        assert_eq!(printed, again.to_yaml());
        assert_eq!(schema_says(&printed), Ok(()), "{printed}");
    }
}

fn assert_same(one: &Config, other: &Config) {
    assert_eq!((&one.daemon, &one.lock), (&other.daemon, &other.lock));
    assert_eq!((&one.database, &one.sources), (&other.database, &other.sources));
    // A schema knows no other equality.
    assert_eq!(format!("{:?}", one.collections), format!("{:?}", other.collections));
}

#[test]
fn the_json_schema_says_what_the_parser_says() {
    for (yaml, _, by) in WRONG {
        assert_eq!(schema_says(yaml).is_err(), *by == Both, "{yaml}");
    }
    for yaml in RIGHT {
        assert_eq!(schema_says(yaml), Ok(()), "{yaml}");
    }
}

/// As an editor would check the text.
fn schema_says(yaml: &str) -> Result<(), String> {
    let options = serde_saphyr::options! { strict_booleans: true, reject_unsupported_tags: true };
    let value: Value =
        serde_saphyr::from_str_with_options(yaml, options).map_err(|error| error.to_string())?;
    let schema: Value = serde_json::from_str(JSON_SCHEMA).expect("JSON");
    jsonschema::validate(&schema, &value).map_err(|error| error.to_string())
}

#[test]
fn the_json_schema_has_the_keys_and_the_defaults_of_the_parser() {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    let folder = Folder::new();
    let sections = [
        ("", "/properties", ""),
        ("daemon: {KEY}", "/properties/daemon/properties", "daemon."),
        ("lock: {KEY}", "/properties/lock/properties", "lock."),
        ("watchers: {KEY}", "/properties/watchers/properties", "watchers."),
        ("database: {KEY}", "/properties/database/properties", "database."),
        ("registry: {KEY}", "/properties/registry/properties", "registry."),
        ("collections: {jobs: {KEY}}", "/$defs/collection/properties", "collections.jobs."),
        ("registry: {sources: [{KEY}]}", "/$defs/source/properties", "registry.sources[0]."),
        (
            "registry: {sources: [{name: a, uri: file:///a, config: {KEY}}]}",
            "/$defs/source/properties/config/properties",
            "registry.sources[0].config.",
        ),
        (
            "registry: {sources: [{name: a, uri: file:///a, config: {watch_options: {KEY}}}]}",
            "/$defs/source/properties/config/properties/watch_options/properties",
            "registry.sources[0].config.watch_options.",
        ),
    ];
    for (around, pointer, prefix) in sections {
        let wrong =
            if around.is_empty() { "zzz: 1".into() } else { around.replace("KEY", "zzz: 1") };
        let error = folder.parse(&wrong).expect_err("an unknown key");
        let problem = error.problems.iter().find(|problem| problem.key == format!("{prefix}zzz"));
        let help = problem.expect(prefix).help.clone().expect("the valid keys");
        let mut valid: Vec<&str> = help.trim_start_matches("valid here: ").split(", ").collect();
        let keys = schema.pointer(pointer).and_then(Value::as_object).expect(pointer);
        let mut keys: Vec<&str> = keys.keys().map(String::as_str).collect();
        valid.sort();
        keys.sort();
        assert_eq!(valid, keys, "{pointer}");
    }

    // Each default that the schema tells, written out, is the default.
    let mut document = json!({});
    for (section, rules) in schema["properties"].as_object().expect("sections") {
        for (key, rule) in rules["properties"].as_object().into_iter().flatten() {
            document[section][key] = rule["default"].clone();
        }
    }
    let config = folder.parse(&document.to_string()).expect("defaults");
    assert_same(&config, &Config::default());

    let options = &schema["$defs"]["source"]["properties"]["config"]["properties"];
    let mut source =
        json!({"name": "a", "uri": "file:///a", "config": {"watch": options["watch"]["default"]}});
    for (key, rule) in options["watch_options"]["properties"].as_object().expect("options") {
        source["config"]["watch_options"][key] = rule["default"].clone();
    }
    let config = folder.parse(&json!({"registry": {"sources": [source]}}).to_string());
    let bare = folder.parse("registry: {sources: [{name: a, uri: 'file:///a'}]}");
    assert_same(&config.expect("defaults"), &bare.expect("defaults"));
}

#[test]
fn the_defaults_are_those_of_the_documents() {
    let config = Config::default();
    assert_eq!(
        config.to_yaml(),
        "\
daemon:
  idle_timeout: 10m
  log_level: info
lock:
  wait: 2s
  stale_unnamed: 10s
  stale_named: 30s
watchers:
  ttl: 1m
  auto_prune: true
database:
  enabled: true
  path: argus.db
  on_conflict: prefer_registry
collections:
  machines:
    file: machines.json
    records: machines
    name_key: name
    mode: \"0600\"
    protected: [local]
    defaults:
      local: {\"name\":\"local\",\"type\":\"local\",\"host\":\"\",\"key_path\":\"\",\"town_path\":\"\"}
    layout: file
  accounts:
    file: accounts.json
    records: accounts
    name_key: name
    mode: \"0600\"
    protected: []
    defaults: {}
    layout: file
registry:
  sources: []
"
    );
}

#[test]
fn what_is_given_arrives() {
    let folder = Folder::new();
    let config = folder
        .parse(
            "watchers: {ttl: 5m, auto_prune: false}\n\
             collections:\n  \
               machines: {mode: '0640'}\n  \
               jobs: {ttl: 30s}\n  \
               runs: {name_key: name, defaults: {b: {z: 9007199254740993, a: [1.5, ~]}, a: {}}}\n\
             registry: {sources: [{name: a, uri: 'file://./tasks'}]}\n\
             database: {enabled: false}\n",
        )
        .expect("right");
    let names: Vec<&str> = config.collections.names().collect();
    assert_eq!(names, ["watchers", "machines", "accounts", "tasks", "sources", "jobs", "runs"]);
    let named = |name| config.collections.named(Some(name)).expect(name).clone();

    let watchers = named("watchers");
    assert_eq!((watchers.ttl, watchers.auto_prune), (Some(Duration::from_secs(300)), false));
    let machines = named("machines");
    assert_eq!((machines.mode, &machines.defaults), (Some(0o640), &MACHINES.defaults));
    assert!(machines.schema.is_some());
    assert_eq!(named("accounts").top, ACCOUNTS.top);
    let jobs = named("jobs");
    assert_eq!(jobs.name_key.as_deref(), Some("id"));
    assert_eq!(jobs.file.as_deref(), Some("jobs.json"));
    assert_eq!(jobs.records_key, "jobs");
    let defaults =
        [("b", r#"{"z":9007199254740993,"a":[1.5,null],"name":"b"}"#), ("a", r#"{"name":"a"}"#)];
    let defaults = defaults.map(|(id, text)| (id.to_owned(), text.to_owned()));
    assert_eq!(named("runs").defaults, defaults);

    assert_eq!(config.sources[0].folder, folder.folder.path().join("./tasks"));
}

#[cfg(feature = "schema")]
#[test]
fn schemas_are_compiled_and_records_that_are_always_there_fit_them() {
    let folder = Folder::new();
    let rows = [
        ("collections: {jobs: {schema: broken.schema.json}}", "1:30", "it is no JSON Schema"),
        (
            "collections: {jobs: {schema: job.schema.json, defaults: {a: {}}}}",
            "1:61",
            "\"command\" is a required property",
        ),
        (
            "collections: {machines: {schema: job.schema.json}}",
            "1:34",
            "does not fit the record `local`, which is always there",
        ),
        ("collections: {machines: {defaults: {a: {type: ssh}}}}", "1:40", "\"host\""),
    ];
    for (yaml, place, text) in rows {
        let error = folder.parse(yaml).expect_err(yaml);
        let found = error.to_string();
        assert!(found.contains(&format!("{place}: ")) && found.contains(text), "{yaml}\n{found}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_code() {
    let folder = Folder::new();
    let path = folder.config();
    let registry = folder.folder.path().join("registry.json");
    let read = || Config::read(&path, &registry);
    assert!(read().is_ok(), "none is the defaults");

    fs::write(&path, b"lock: {}\n\xff\n").expect("written");
    let error = read().expect_err("not UTF-8");
    assert_eq!(error.code, Code::Invalid);
    assert!(error.to_string().contains("not UTF-8 text, from line 2 on"), "{error}");

    fs::write(&path, "#".repeat(1024 * 1024 + 1)).expect("written");
    assert_eq!(read().expect_err("too large").code, Code::TooLarge);

    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("made");
    assert_eq!(read().expect_err("a folder").code, Code::Io);
}

#[test]
fn what_grows_without_bound_is_refused() {
    let folder = Folder::new();
    let deep = format!("collections: {{jobs: {{defaults: {{a: {}}}}}}}", "{x: ".repeat(5000));
    let mut aliases = "a: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        aliases.push_str(&format!("b{level}: &a{level} [{before}]\n"));
    }
    for text in [&deep, &aliases, &"x: [".repeat(10_000), &format!("x: {}", "[1],".repeat(200_000))]
    {
        let error = folder.parse(text).expect_err("bounded");
        assert!(error.to_string().len() < 10_000);
    }
    let nested = |levels: usize| {
        let (open, close) = ("{x: ".repeat(levels), "}".repeat(levels));
        format!("collections: {{jobs: {{defaults: {{a: {open}1{close}}}}}}}")
    };
    assert!(folder.parse(&nested(24)).is_ok());
    assert!(folder.parse(&nested(40)).is_err());
    // However long it is, and whatever a terminal would make of it.
    let long =
        format!("\"\\e[31m{}\": 1\nlock: {{wait: {}}}", "k".repeat(800), "x".repeat(500_000));
    let error = folder.parse(&long).expect_err("wrong").to_string();
    assert!(
        error.len() < 4000 && error.lines().count() == 2 && !error.contains('\u{1b}'),
        "{error}"
    );
    // However much is wrong.
    let many: String = (0..30_000).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(folder.parse(&many).expect_err("wrong").problems.len(), argus_config::PROBLEMS_MAX);
}

#[test]
fn an_error_says_for_programs_what_it_says_for_people() {
    let folder = Folder::new();
    let error: Error = folder.parse("lock:\n  wait: 5\n").expect_err("wrong").into();
    let path = folder.config().display().to_string();
    assert_eq!(error.code, Code::Invalid);
    assert_eq!(
        error.message,
        format!(
            "{path}:2:9: `lock.wait` must be a time with its unit, and is a number \
             (help: say of what, as in 5s)"
        )
    );
    let problem = json!({
        "line": 2, "column": 9, "key": "lock.wait",
        "message": "must be a time with its unit, and is a number",
        "help": "say of what, as in 5s",
    });
    let details = error.details.expect("details").to_value();
    assert_eq!(details, json!({"path": path, "problems": [problem]}));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = Config::parse(&text, Path::new("config.yaml"), Path::new("registry.json"));
    }

    /// Right files with a few bytes changed; what is still taken can be printed and read again.
    #[test]
    fn mutated_files_are_read_or_refused(
        row in 0..RIGHT.len() + WRONG.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[a-z0-9 :,{}\\[\\]'\"\n*&!|>~-]{0,3}"), 1..4),
    ) {
        let text = RIGHT.get(row).copied().unwrap_or_else(|| WRONG[row - RIGHT.len()].0);
        let mut chars: Vec<char> = text.chars().collect();
        for (at, edit) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + 1).min(chars.len());
            chars.splice(at..end, edit.chars());
        }
        let text: String = chars.into_iter().collect();
        let (path, registry) = (Path::new("config.yaml"), Path::new("registry.json"));
        if let Ok(config) = Config::parse(&text, path, registry) {
            let printed = config.to_yaml();
            let again = Config::parse(&printed, path, registry);
            assert_same(&config, &again.unwrap_or_else(|error| panic!("{printed}\n{error}")));
        }
    }
}

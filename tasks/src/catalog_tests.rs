use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::problem::Problem;

fn valid(name: &str, version: &str) -> Summary {
    Summary {
        name: Some(name.to_owned()),
        version: Some(version.to_owned()),
        has_script: true,
        checksum: Some(format!("sum of {name} {version}")),
        ..Summary::default()
    }
}

fn broken(name: Option<&str>) -> Summary {
    let field = if name.is_some() { "script" } else { "metadata" };
    Summary {
        name: name.map(str::to_owned),
        version: name.map(|_| "9.0.0".to_owned()),
        has_script: true,
        checksum: Some("sum of what is broken".to_owned()),
        problems: vec![Problem::new(field, "INVALID_SYNTAX", "wrong")],
        ..Summary::default()
    }
}

fn catalog() -> Catalog {
    Catalog::new("s", Path::new("/tasks"), Vec::new())
}

fn restarted(changes: &BTreeMap<String, String>) -> Catalog {
    let known = changes.iter().map(|(id, record)| (id.clone(), record.clone())).collect();
    Catalog::new("s", Path::new("/tasks"), known)
}

fn apply(registry: &mut BTreeMap<String, String>, changes: Vec<TaskChange>) -> usize {
    let count = changes.len();
    for change in changes {
        match change {
            TaskChange::Put { id, record, .. } => drop(registry.insert(id, record)),
            TaskChange::Remove { id, .. } => drop(registry.remove(&id)),
        }
    }
    count
}

fn field(record: &str, key: &str) -> String {
    let value: Value = serde_json::from_str(record).expect("JSON");
    value[key].as_str().map_or_else(|| value[key].to_string(), str::to_owned)
}

/// How the path of a folder is told.
fn told(relative: &str) -> String {
    Path::new("/tasks").join(relative).to_string_lossy().into_owned()
}

/// The path of a record below the source, which has one folder only.
fn relative(record: &str) -> String {
    let path = PathBuf::from(field(record, "path"));
    path.strip_prefix("/tasks").expect("below").to_string_lossy().into_owned()
}

#[test]
fn a_record_looks_like_this() {
    let mut catalog = catalog();
    let mut summary = valid("a", "1.0.0");
    summary.description = Some("what it does".to_owned());
    summary.tags = Some(vec!["x".to_owned()]);
    summary.has_input_schema = true;
    catalog.found("deep/folder", summary);
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"argus:task:s/a");
    let path = Path::new("/tasks").join("deep").join("folder");
    let json = |path: &Path| serde_json::to_string(path).expect("text");
    let [folder, script, schema] =
        [json(&path), json(&path.join("main.js")), json(&path.join("input.schema.json"))];
    let expected = format!(
        r#"{{"id":"s/a","source":"s","name":"a","version":"1.0.0","uuid":"{uuid}","description":"what it does","tags":["x"],"path":{folder},"script":{script},"inputSchema":{schema},"checksum":"sum of a 1.0.0","status":"valid","errors":[],"updatedAt":7}}"#
    );
    let put = TaskChange::Put { id: "s/a".to_owned(), path, record: expected };
    assert_eq!(catalog.take_changes(7), [put]);
}

#[test]
fn what_did_not_change_gives_no_change_also_after_a_restart() {
    let mut registry = BTreeMap::new();
    let mut before = catalog();
    before.found("a", valid("a", "1.0.0"));
    before.found("b", broken(Some("b")));
    before.found("c", broken(None));
    assert_eq!(apply(&mut registry, before.take_changes(1)), 3);
    for catalog in [&mut before, &mut restarted(&registry)] {
        catalog.found("a", valid("a", "1.0.0"));
        catalog.found("b", broken(Some("b")));
        catalog.found("c", broken(None));
        assert_eq!(catalog.take_changes(2), []);
    }
}

#[test]
fn a_task_that_breaks_keeps_its_last_valid_version_until_it_is_repaired() {
    let mut registry = BTreeMap::new();
    let mut catalog = catalog();
    catalog.found("a", valid("a", "1.0.0"));
    apply(&mut registry, catalog.take_changes(1));
    for found in [broken(Some("a")), broken(None)] {
        catalog.found("a", found);
        assert_eq!(apply(&mut registry, catalog.take_changes(2)), 1);
        let record = &registry["s/a"];
        assert_eq!(field(record, "version"), "1.0.0");
        assert_eq!(field(record, "checksum"), "sum of a 1.0.0");
        assert_eq!(field(record, "status"), "invalid");
        assert!(field(record, "errors").contains("INVALID_SYNTAX"));
    }
    // Also by who starts now, even where it breaks in another way.
    let mut catalog = restarted(&registry);
    catalog.found("a", broken(Some("a")));
    apply(&mut registry, catalog.take_changes(3));
    assert_eq!(field(&registry["s/a"], "version"), "1.0.0");
    catalog.found("a", valid("a", "1.0.1"));
    assert_eq!(apply(&mut registry, catalog.take_changes(4)), 1);
    assert_eq!(field(&registry["s/a"], "status"), "valid");
    assert_eq!(field(&registry["s/a"], "updatedAt"), "4");
}

#[test]
fn a_task_that_never_was_valid_is_listed_as_it_is() {
    let mut registry = BTreeMap::new();
    let mut catalog = catalog();
    catalog.found("folder", broken(None));
    apply(&mut registry, catalog.take_changes(1));
    assert_eq!(field(&registry["s/folder"], "status"), "invalid");
    catalog.found("folder", broken(Some("a")));
    apply(&mut registry, catalog.take_changes(2));
    assert_eq!(registry.keys().collect::<Vec<_>>(), ["s/a"]);
    assert_eq!(field(&registry["s/a"], "version"), "9.0.0");
}

#[test]
fn a_name_is_the_first_ones_by_path_and_passes_on() {
    let mut registry = BTreeMap::new();
    let mut catalog = catalog();
    catalog.found("a/x", valid("n", "1.0.0"));
    catalog.found("a-b", valid("n", "2.0.0"));
    apply(&mut registry, catalog.take_changes(1));
    // `-` comes before `/`.
    assert_eq!(field(&registry["s/n"], "version"), "2.0.0");
    let duplicates = catalog.duplicates();
    assert_eq!(duplicates["a/x"].code, "DUPLICATE_NAME");
    assert!(duplicates["a/x"].message.contains(&*told("a-b")));
    catalog.gone("a-b");
    assert_eq!(apply(&mut registry, catalog.take_changes(2)), 1);
    assert_eq!(field(&registry["s/n"], "version"), "1.0.0");
    assert!(catalog.duplicates().is_empty());
    catalog.found("a/x", valid("m", "1.0.0"));
    assert_eq!(apply(&mut registry, catalog.take_changes(3)), 2);
    assert_eq!(registry.keys().collect::<Vec<_>>(), ["s/m"]);
}

#[test]
fn what_is_not_found_after_a_restart_is_removed_and_what_is_not_looked_at_stays() {
    let mut registry = BTreeMap::new();
    let mut before = catalog();
    before.found("a", valid("a", "1.0.0"));
    before.found("b", valid("b", "1.0.0"));
    apply(&mut registry, before.take_changes(1));
    let mut catalog = restarted(&registry);
    assert_eq!(catalog.take_changes(2), []);
    catalog.gone("b");
    assert_eq!(apply(&mut registry, catalog.take_changes(3)), 1);
    assert_eq!(registry.keys().collect::<Vec<_>>(), ["s/a"]);
}

#[test]
fn a_record_stays_within_its_bound() {
    let mut catalog = Catalog::new("s", Path::new(&format!("/{}", "\u{1}".repeat(4_000))), vec![]);
    let mut summary = valid("a", "1.0.0");
    summary.description = Some("\u{1}".repeat(2_000));
    summary.tags = Some(vec!["\u{1}".repeat(100); 50]);
    summary.problems =
        (0..1_000).map(|_| Problem::new("script", "X", "\u{1}".repeat(9_999))).collect();
    catalog.found("a", summary);
    let changes = catalog.take_changes(1);
    let [TaskChange::Put { record, .. }] = &changes[..] else { panic!("{changes:?}") };
    assert!(record.len() < argus_proto::limits::RECORD_BYTES_MAX);
}

#[derive(Debug, Clone)]
enum Step {
    Found(usize, usize, bool),
    Gone(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4_usize, 0..3_usize, any::<bool>()).prop_map(|(at, name, ok)| Step::Found(at, name, ok)),
        2 => (0..4_usize).prop_map(Step::Gone),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn whatever_happens_the_records_are_those_of_the_tasks_that_keep_their_names(steps in steps()) {
        let mut catalog = catalog();
        let mut registry = BTreeMap::new();
        let mut disk: BTreeMap<String, Summary> = BTreeMap::new();
        // Those that were valid once, as far as is known.
        let mut was_valid: BTreeSet<String> = BTreeSet::new();
        for (now, step) in steps.into_iter().enumerate() {
            match step {
                Step::Found(at, name, ok) => {
                    let name = ["n", "m", "o"][name];
                    let summary = if ok { valid(name, "1.0.0") } else { broken(Some(name)) };
                    disk.insert(format!("f{at}"), summary.clone());
                    if ok {
                        was_valid.insert(format!("f{at}"));
                    }
                    catalog.found(&format!("f{at}"), summary);
                }
                Step::Gone(at) => {
                    disk.remove(&format!("f{at}"));
                    was_valid.remove(&format!("f{at}"));
                    catalog.gone(&format!("f{at}"));
                }
                Step::Restart => {
                    catalog = restarted(&registry);
                    // Of what has no record nothing is remembered.
                    let paths: BTreeSet<String> = registry
                        .values()
                        .map(|record| relative(record))
                        .collect();
                    was_valid.retain(|relative| {
                        disk[relative].is_valid() || paths.contains(relative)
                    });
                    for (relative, summary) in &disk {
                        catalog.found(relative, summary.clone());
                    }
                }
            }
            apply(&mut registry, catalog.take_changes(now as u64));
            prop_assert_eq!(catalog.take_changes(u64::MAX), []);
            let mut expected = BTreeMap::new();
            let (first, last): (Vec<_>, Vec<_>) =
                disk.iter().partition(|(relative, _)| was_valid.contains(*relative));
            for (relative, summary) in first.into_iter().chain(last) {
                let name = summary.name.clone().expect("named");
                expected.entry(format!("s/{name}")).or_insert((relative.clone(), summary.is_valid()));
            }
            let found: BTreeMap<_, _> = registry.iter().map(|(id, record)| {
                let path = relative(record);
                (id.clone(), (path, field(record, "status") == "valid"))
            }).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

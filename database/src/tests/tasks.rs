//! The mirror of the tasks, and who else writes it.

use argus_config::OnConflict;

use super::{TestContext, flush, memory::Memory};
use crate::database::Database;
use crate::follower::now_ms;
use crate::registry::Contents;

fn test(on_conflict: OnConflict) -> TestContext {
    TestContext { registry: Memory::new(&["tasks"]), on_conflict, ..TestContext::new() }
}

/// A task whose contents are named after its version.
fn put(test: &TestContext, name: &str, version: &str, updated_at: u64) {
    let id = format!("src/{name}");
    test.registry.set_contents(
        &id,
        Some(Contents {
            checksum: format!("sum-{version}"),
            metadata: Some(format!("meta-{version}")),
            script: Some(format!("script-{version}")),
            input_schema: Some(format!("in-{version}")),
            output_schema: None,
        }),
    );
    announce(test, name, version, "valid", updated_at);
}

fn announce(test: &TestContext, name: &str, version: &str, status: &str, updated_at: u64) {
    let text = format!(
        r#"{{"id":"src/{name}","source":"src","name":"{name}","version":"{version}","uuid":"u","checksum":"sum-{version}","status":"{status}","updatedAt":{updated_at}}}"#
    );
    let etag = format!("{version}{status}");
    test.registry.change("tasks", &format!("src/{name}"), Some((&etag, &text)));
}

/// `version script enabled changed_by`
fn row(test: &TestContext, name: &str) -> String {
    let row = test.other().query_row(
        "SELECT version || ' ' || coalesce(script, '-') || ' ' || enabled || ' ' || changed_by
         FROM tasks WHERE source = 'src' AND name = ?1",
        [name],
        |row| row.get(0),
    );
    row.unwrap_or_else(|error| error.to_string())
}

fn alter(test: &TestContext, sql: &str) {
    assert!(test.other().execute(sql, []).expect("writable") > 0, "{sql}");
}

fn start(test: &TestContext) -> Database {
    let database = test.start();
    flush(&database).expect("writable");
    database
}

#[test]
fn the_table_follows_the_collection_and_removed_tasks_are_disabled() {
    let test = test(OnConflict::PreferRegistry);
    put(&test, "early", "1", 1);
    let database = start(&test);
    assert_eq!(row(&test, "early"), "1 script-1 1 argus");
    put(&test, "a", "1", 1);
    flush(&database).expect("writable");
    put(&test, "a", "2", 2);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "2 script-2 1 argus");
    test.registry.remove("tasks", "src/a");
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "2 script-2 0 argus");
    put(&test, "a", "2", 3);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "2 script-2 1 argus");
    let asked = test.registry.contents_asked();
    // Nothing that the row does not have already is read from the disk.
    announce(&test, "a", "2", "invalid", 4);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "2 script-2 1 argus");
    assert_eq!(test.registry.contents_asked(), asked);
    // One that never was valid.
    test.registry.change("tasks", "src/bad", Some(("x", r#"{"id":"src/bad","status":"invalid"}"#)));
    flush(&database).expect("writable");
    assert_eq!(row(&test, "bad"), "Query returned no rows");
    // Removed while nobody looked.
    database.stop();
    test.registry.remove("tasks", "src/early");
    test.registry.restart();
    let _database = start(&test);
    assert_eq!(row(&test, "early"), "1 script-1 0 argus");
}

#[test]
fn what_is_not_what_the_checksum_says_is_not_written() {
    let test = test(OnConflict::PreferRegistry);
    put(&test, "a", "1", 1);
    let database = start(&test);
    announce(&test, "a", "2", "valid", 2);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "1 script-1 1 argus", "the folder has another version");
    test.registry.set_contents("src/a", None);
    announce(&test, "a", "3", "valid", 3);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "1 script-1 1 argus");
    put(&test, "a", "4", 4);
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "4 script-4 1 argus");
}

#[test]
fn what_somebody_else_changes_is_theirs_and_settled_by_the_strategy() {
    use OnConflict::{Merge, PreferDatabase, PreferNewer, PreferRegistry};
    // The registry's task is changed long before, and again long after.
    let (early, late) = (1, now_ms() + 3_600_000);
    #[rustfmt::skip]
    let rows = [
        (PreferRegistry, "1 script-1 1 argus", "2 script-2 1 argus", 0),
        (PreferDatabase, "1 theirs 0 other",   "1 theirs 0 other",   1),
        (PreferNewer,    "1 theirs 0 other",   "2 script-2 1 argus", 0),
        // They alone have disabled it. The script both have changed, the registry later.
        (Merge,          "1 theirs 0 other",   "2 script-2 0 other", 1),
    ];
    for (strategy, settled, after_a_change, kept) in rows {
        let test = test(strategy);
        put(&test, "a", "1", early);
        let database = start(&test);
        alter(&test, "UPDATE tasks SET script = 'theirs', enabled = 0");
        assert_eq!(row(&test, "a"), "1 theirs 0 other");
        // That another program has written is noticed without a change in the registry.
        flush(&database).expect("writable");
        assert_eq!(row(&test, "a"), settled, "{strategy:?}");
        flush(&database).expect("writable");
        assert_eq!(row(&test, "a"), settled, "{strategy:?}, looked at again");
        put(&test, "a", "2", late);
        flush(&database).expect("writable");
        assert_eq!(row(&test, "a"), after_a_change, "{strategy:?}");
        assert_eq!(database.status().kept, kept, "{strategy:?}");
        // It stays so in another life.
        database.stop();
        let database = start(&test);
        assert_eq!(row(&test, "a"), after_a_change, "{strategy:?}, started again");
        assert_eq!(database.status().kept, kept, "{strategy:?}, started again");
    }
}

#[test]
fn who_changed_a_row_says_so_or_is_another() {
    let test = test(OnConflict::PreferDatabase);
    put(&test, "a", "1", 1);
    let database = start(&test);
    let before = now_ms();
    alter(&test, "UPDATE tasks SET enabled = 0, changed_by = 'admin'");
    assert_eq!(row(&test, "a"), "1 script-1 0 admin");
    let at: i64 =
        test.other().query_row("SELECT changed_at FROM tasks", [], |row| row.get(0)).expect("set");
    assert!(at as u64 + 1000 >= before && at as u64 <= now_ms() + 1000, "{at}");
    alter(&test, "INSERT INTO tasks (source, name, version) VALUES ('src', 'theirs', '9')");
    assert_eq!(row(&test, "theirs"), "9 - 1 other");
    // Also where triggers trigger triggers.
    let other = test.other();
    other
        .execute_batch(
            "PRAGMA recursive_triggers = ON; UPDATE tasks SET version = '8' WHERE name = 'theirs'",
        )
        .expect("writable");
    flush(&database).expect("writable");
    assert_eq!(row(&test, "theirs"), "8 - 1 other", "no task of the registry: left alone");
}

#[test]
fn a_task_that_comes_back_is_enabled_whoever_wrote_the_rest_of_its_row() {
    for on_conflict in [OnConflict::PreferDatabase, OnConflict::Merge] {
        let test = test(on_conflict);
        put(&test, "a", "1", 1);
        let database = start(&test);
        alter(&test, "UPDATE tasks SET script = 'theirs', changed_by = 'bob'");
        test.registry.remove("tasks", "src/a");
        flush(&database).expect("writable");
        assert_eq!(row(&test, "a"), "1 theirs 0 bob", "{on_conflict:?}");
        put(&test, "a", "1", 2);
        flush(&database).expect("writable");
        assert_eq!(row(&test, "a"), "1 theirs 1 bob", "{on_conflict:?}");
    }
}

#[test]
fn a_row_without_a_task_is_disabled_where_the_registry_is_right() {
    use OnConflict::{Merge, PreferDatabase, PreferNewer, PreferRegistry};
    let rows = [(PreferRegistry, "0 other"), (PreferDatabase, "1 other")];
    for (on_conflict, expected) in
        rows.into_iter().chain([(PreferNewer, "1 other"), (Merge, "1 other")])
    {
        let test = test(on_conflict);
        let database = start(&test);
        alter(
            &test,
            "INSERT INTO tasks (source, name, version, script, enabled) VALUES ('src', 'x', '1', 's', 1)",
        );
        // Another change makes the mirror look: it sees that somebody has written.
        put(&test, "a", "1", 1);
        flush(&database).expect("writable");
        put(&test, "a", "2", 2);
        flush(&database).expect("writable");
        assert_eq!(row(&test, "x"), format!("1 s {expected}"), "{on_conflict:?}");
    }
}

#[test]
fn a_row_that_somebody_deleted_comes_back() {
    let test = test(OnConflict::PreferDatabase);
    put(&test, "a", "1", 1);
    let database = start(&test);
    alter(&test, "DELETE FROM tasks");
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "1 script-1 1 argus");
}

#[test]
fn values_of_any_kind_that_somebody_wrote_do_no_harm() {
    let test = test(OnConflict::PreferRegistry);
    put(&test, "a", "1", 1);
    let database = start(&test);
    alter(
        &test,
        "UPDATE tasks SET version = x'FF00', script = 7, enabled = 'maybe', metadata = 1.5, changed_at = 'late', synced_at = NULL",
    );
    flush(&database).expect("writable");
    assert_eq!(row(&test, "a"), "1 script-1 1 argus");
    assert!(test.quarantined().is_empty());
}

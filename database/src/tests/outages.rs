//! Whatever becomes of the file: the registry is not held up, and the file catches up.

use std::fs;
use std::io::Write;
use std::time::Duration;

use argus_proto::error::Code;

use super::platform::is_private;
use super::{TestContext, flush, wait_for};
use crate::follower::Follower;
use crate::schema::{APPLICATION_ID, VERSION};
use crate::status::Activity;

fn is_waiting(activity: &Activity) -> bool {
    matches!(activity, Activity::Waiting { .. })
}

#[test]
fn while_another_program_locks_it_changes_wait_and_are_written_afterwards() {
    let test = TestContext::new();
    let database = test.start();
    flush(&database).expect("writable");
    let other = test.other();
    other.execute_batch("BEGIN IMMEDIATE").expect("free");
    // More than the registry keeps: what the database took over in time is lost by nobody.
    test.registry.keep(10);
    for value in 0..40 {
        test.registry.put("watchers", "a", &value.to_string());
        database.wake();
        if value % 5 == 4 {
            wait_for(&database, "taken over", |status| status.queued == value + 1);
        }
    }
    let error = flush(&database).expect_err("locked");
    assert_eq!(error.code, Code::Locked, "{error}");
    let status = wait_for(&database, "waiting", |status| is_waiting(&status.activity));
    assert!(status.failures >= 1 && status.last_error.is_some(), "{status:?}");
    std::thread::sleep(Duration::from_secs(2));
    assert!(database.status().failures < 20, "it waits longer each time");
    assert!(database.status().lag_ms >= 2000);
    other.execute_batch("ROLLBACK").expect("held");
    wait_for(&database, "written", |status| status.queued == 0);
    let told = test.told();
    assert_eq!(told.len(), 40);
    let in_order: Vec<_> = (1..=40).map(|revision| format!("e1:{revision}")).collect();
    assert_eq!(told.into_iter().map(|told| told.cursor).collect::<Vec<_>>(), in_order);
    wait_for(&database, "working", |status| status.activity == Activity::Working);
}

#[test]
fn a_file_that_is_deleted_is_made_anew_with_all_that_is_known() {
    let test = TestContext::new();
    test.registry.put("watchers", "before", "1");
    test.registry.restart();
    let database = test.start();
    test.registry.put("watchers", "a", "1");
    flush(&database).expect("writable");
    fs::remove_file(test.path()).expect("there");
    // Also without a change, and without being asked.
    wait_for(&database, "opened again", |_| test.path().exists() && History::is_filled(&test));
    test.registry.put("watchers", "a", "2");
    flush(&database).expect("writable");
    let expected = ["before added external", "a added put", "a updated put"];
    assert_eq!(test.what(), expected.map(|what| format!("watchers/{what}")));
    assert!(test.quarantined().is_empty());
}

struct History;

impl History {
    fn is_filled(test: &TestContext) -> bool {
        let history = crate::history::History::open(&test.path());
        matches!(history, Ok(Some(history)) if history.last("watchers", "a").is_ok_and(|last| last.is_some()))
    }
}

#[test]
fn a_file_that_is_replaced_by_an_older_one_gets_what_it_misses() {
    let test = TestContext::new();
    let database = test.start();
    test.registry.put("watchers", "a", "1");
    flush(&database).expect("writable");
    let backup = test.home.path().join("backup.db");
    test.other().execute("VACUUM INTO ?1", [backup.to_str().expect("plain")]).expect("copied");
    for value in ["2", "3", "4"] {
        test.registry.put("watchers", "a", value);
    }
    flush(&database).expect("writable");
    // What is in the journal of the one that goes does not come into the other.
    test.other()
        .execute("INSERT INTO tasks (source, name) VALUES ('gone', 'a')", [])
        .expect("free");
    fs::rename(&backup, test.path()).expect("there");
    test.registry.put("watchers", "a", "5");
    flush(&database).expect("writable");
    let cursors: Vec<_> = test.told().into_iter().map(|told| told.cursor).collect();
    assert_eq!(cursors, ["e1:1", "e1:2", "e1:3", "e1:4", "e1:5"]);
    let tasks: i64 =
        test.other().query_row("SELECT count(*) FROM tasks", [], |row| row.get(0)).expect("ours");
    assert_eq!(tasks, 0);
    let found: String =
        test.other().query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("whole");
    assert_eq!(found, "ok");
}

#[test]
fn garbage_is_set_aside_whole_and_a_new_file_is_filled() {
    let test = TestContext::new();
    test.registry.put("watchers", "a", "1");
    let garbage = b"this is no database, and never was one".repeat(100);
    fs::write(test.path(), &garbage).expect("own folder");
    let database = test.start();
    flush(&database).expect("a new one");
    assert_eq!(test.what(), ["watchers/a added put"]);
    let kept = test.quarantined();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(fs::read(&kept[0]).expect("kept"), garbage);
    assert!(is_private(&kept[0]));
    assert_eq!(database.status().set_aside, 1);
    assert_eq!(database.status().last_error.expect("told").code, Code::Corrupt);
}

#[test]
fn damage_while_it_is_in_use_is_set_aside_and_nothing_known_is_lost() {
    let test = TestContext::new();
    let database = test.start();
    for value in 0..200 {
        test.registry.put("watchers", &format!("id{value}"), &"x".repeat(500));
    }
    flush(&database).expect("writable");
    let other = test.other();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("idle");
    drop(other);
    // In place, as a bad disk does it. The page of the schema as well.
    let mut bytes = fs::read(test.path()).expect("there");
    for byte in bytes.iter_mut().skip(100) {
        *byte = 0xA5;
    }
    fs::OpenOptions::new()
        .write(true)
        .open(test.path())
        .and_then(|mut file| file.write_all(&bytes))
        .expect("there");
    test.registry.put("watchers", "after", "1");
    flush(&database).expect("a new one");
    // What was in SQLite's own memory may still be whole; then the next opening finds it.
    database.stop();
    let database = test.start();
    flush(&database).expect("a new one");
    assert!(!test.quarantined().is_empty());
    assert_eq!(test.what().len(), 201);
    assert_eq!(test.what()[200], "watchers/after added put");
}

#[test]
fn a_table_that_somebody_has_dropped_is_damage() {
    let test = TestContext::new();
    test.registry.put("watchers", "a", "1");
    let database = test.start();
    flush(&database).expect("writable");
    test.other().execute_batch("DROP TABLE latest").expect("writable");
    test.registry.put("watchers", "a", "2");
    flush(&database).expect("a new one");
    assert_eq!(test.what(), ["watchers/a added put", "watchers/a updated put"]);
    assert!(!test.quarantined().is_empty());
}

#[test]
fn a_newer_file_and_one_of_another_program_are_left_alone_and_told() {
    let ours = |version| {
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}")
    };
    let rows = [
        (ours(VERSION + 1), Code::UnsupportedVersion),
        (ours(99), Code::UnsupportedVersion),
        ("CREATE TABLE theirs (a)".to_owned(), Code::Corrupt),
        ("PRAGMA application_id = 7; CREATE TABLE t (a)".to_owned(), Code::Corrupt),
    ];
    for (sql, code) in rows {
        let test = TestContext::new();
        test.other().execute_batch(&sql).expect("a new file");
        let before = fs::read(test.path()).expect("there");
        test.registry.put("watchers", "a", "1");
        let database = test.start();
        let error = flush(&database).expect_err("not ours to write");
        assert_eq!(error.code, code, "{sql}: {error}");
        assert!(error.hint.is_some());
        database.stop();
        assert_eq!(fs::read(test.path()).expect("there"), before, "{sql}");
        assert!(test.quarantined().is_empty(), "{sql}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_waited_for() {
    let test = TestContext::new();
    fs::create_dir(test.path()).expect("own folder");
    let database = test.start();
    test.registry.put("watchers", "a", "1");
    let error = flush(&database).expect_err("a folder");
    assert_eq!(error.code, Code::Io, "{error}");
    test.registry.put("watchers", "a", "2");
    wait_for(&database, "waiting", |status| is_waiting(&status.activity) && status.queued == 2);
    fs::remove_dir(test.path()).expect("empty");
    wait_for(&database, "written", |status| status.rows_written == 2);
    assert_eq!(test.what(), ["watchers/a added put", "watchers/a updated put"]);
    assert!(test.quarantined().is_empty());
}

#[test]
fn a_full_disk_loses_no_change() {
    let test = TestContext::new();
    let mut follower = Follower::new(
        test.options(),
        test.registry.clone(),
        Default::default(),
        Default::default(),
    );
    follower.write_all().expect("room");
    let limit = |follower: &mut Follower<_>, pages: i64| {
        let connection = &follower.file.as_ref().expect("open").connection;
        let set = format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&set, [], |_| Ok(())).expect("set");
    };
    limit(&mut follower, 1);
    for value in 0..100 {
        test.registry.put("watchers", &format!("id{value}"), &"x".repeat(1000));
    }
    follower.queue.pull(&test.registry);
    let error = follower.write_all().expect_err("full");
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(error.code(), Code::Io);
    assert!(test.told().is_empty(), "a batch is written as a whole or not at all");
    limit(&mut follower, 100_000);
    follower.write_all().expect("room");
    let expected: Vec<_> = (0..100).map(|id| format!("watchers/id{id} added put")).collect();
    assert_eq!(test.what(), expected);
}

#[test]
fn what_has_to_end_while_the_file_is_locked_ends_soon() {
    let test = TestContext::new();
    let database = test.start();
    flush(&database).expect("writable");
    let other = test.other();
    other.execute_batch("BEGIN IMMEDIATE").expect("free");
    test.registry.put("watchers", "a", "1");
    let began = std::time::Instant::now();
    database.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    other.execute_batch("ROLLBACK").expect("held");
    drop(other);
    test.registry.restart();
    let database = test.start();
    flush(&database).expect("writable");
    assert_eq!(test.what(), ["watchers/a added external"]);
}

#[test]
fn a_file_that_is_replaced_with_its_journal_keeps_that() {
    let test = TestContext::new();
    let database = test.start();
    test.registry.put("watchers", "a", "1");
    flush(&database).expect("writable");
    // As a backup of the running one: with a journal that has not been played into it, and in it what the
    // registry could not fill in again.
    let other = test.other();
    other.execute("INSERT INTO tasks (source, name) VALUES ('only', 'there')", []).expect("free");
    let parts = ["argus.db", "argus.db-wal"].map(|name| test.home.path().join(name));
    let copies: Vec<_> = parts.iter().map(|part| fs::read(part).expect("there")).collect();
    other.execute("DELETE FROM tasks", []).expect("free");
    drop(other);
    for value in ["2", "3"] {
        test.registry.put("watchers", "a", value);
    }
    flush(&database).expect("writable");
    for (part, copy) in parts.iter().zip(&copies).rev() {
        let temporary = part.with_extension("copy");
        fs::write(&temporary, copy).expect("own folder");
        fs::rename(temporary, part).expect("own folder");
    }
    fs::remove_file(test.home.path().join("argus.db-shm")).expect("there");
    flush(&database).expect("writable");
    let cursors: Vec<_> = test.told().into_iter().map(|told| told.cursor).collect();
    assert_eq!(cursors, ["e1:1", "e1:2", "e1:3"]);
    let found: String =
        test.other().query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("whole");
    assert_eq!(found, "ok");
    let names: Vec<String> = {
        let other = test.other();
        let mut statement = other.prepare("SELECT name FROM tasks").expect("ours");
        let rows = statement.query_map([], |row| row.get(0)).expect("ours");
        rows.collect::<Result<_, _>>().expect("texts")
    };
    assert_eq!(names, ["there"]);
    assert!(test.quarantined().is_empty());
}

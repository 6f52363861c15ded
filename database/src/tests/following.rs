//! Every change is there, once, in its order, with its reason.

use super::platform::is_private;
use super::{TestContext, flush, wait_for};
use crate::follower::{Follower, now_ms};
use crate::history::History;
use crate::queue::{QUEUE_CHANGES_MAX, Queue};
use crate::status::Activity;

#[test]
fn changes_are_written_in_their_order_and_told_by_a_wake_alone() {
    let test = TestContext::new();
    let database = test.start();
    flush(&database).expect("writable");
    test.registry.put("watchers", "a", "1");
    test.registry.put("watchers", "b", "1");
    test.registry.put("watchers", "a", "1");
    test.registry.put("watchers", "a", "2");
    test.registry.remove("watchers", "b");
    database.wake();
    let status = wait_for(&database, "written", |status| status.rows_written == 4);
    assert_eq!(status.activity, Activity::Working);
    assert_eq!((status.queued, status.lag_ms, status.failures), (0, 0, 0));
    let expected = ["a added put", "b added put", "a updated put", "b removed removed"];
    assert_eq!(test.what(), expected.map(|what| format!("watchers/{what}")));
    let cursors: Vec<_> = test.told().into_iter().map(|told| told.cursor).collect();
    assert_eq!(cursors, ["e1:1", "e1:2", "e1:3", "e1:4"]);
    assert!(is_private(&test.path()));
    assert!(is_private(&test.home.path().join("argus.db-wal")));
    database.stop();
    assert!(!test.home.path().join("argus.db-wal").exists());
}

#[test]
fn changes_of_several_collections_stand_in_the_order_in_which_they_happened() {
    let mut test = TestContext::new();
    test.registry = super::memory::Memory::new(&["one", "two", "three"]);
    let database = test.start();
    let mut expected = Vec::new();
    for round in 0..20 {
        for collection in ["two", "one", "three"] {
            test.registry.put(collection, "a", &round.to_string());
            let kind = if round == 0 { "added" } else { "updated" };
            expected.push(format!("{collection}/a {kind} put"));
        }
    }
    flush(&database).expect("writable");
    // What had happened before it was first asked, it has in their order too.
    assert_eq!(test.what(), expected);
}

#[test]
fn a_new_life_of_the_daemon_adds_what_changed_unseen_and_nothing_else() {
    let test = TestContext::new();
    for id in ["same", "changed", "gone"] {
        test.registry.put("watchers", id, "1");
    }
    let database = test.start();
    flush(&database).expect("writable");
    database.stop();
    test.registry.put("watchers", "changed", "2");
    test.registry.remove("watchers", "gone");
    test.registry.put("watchers", "new", "1");
    test.registry.restart();
    // What is seen in the new life has its own reason.
    test.registry.put("watchers", "same", "2");
    let database = test.start();
    flush(&database).expect("writable");
    let expected = [
        "changed updated external",
        "gone removed external",
        "new added external",
        "same updated put",
    ];
    assert_eq!(test.what()[3..], expected.map(|what| format!("watchers/{what}")));
    let cursors: Vec<_> = test.told()[3..].iter().map(|told| told.cursor.clone()).collect();
    assert_eq!(cursors, ["e2:0", "e2:0", "e2:0", "e2:1"]);
    let row: (String, String, String) = test
        .other()
        .query_row(
            "SELECT before, after, evidence FROM changes WHERE id = 'changed' ORDER BY seq DESC",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("there");
    assert!(row.0.contains(r#""value":"1""#) && row.1.contains(r#""value":"2""#), "{row:?}");
    assert_eq!(row.2, r#"{"unseen":"no daemon ran"}"#);
}

#[test]
fn what_is_there_before_the_first_life_is_seen_for_the_first_time() {
    let test = TestContext::new();
    test.registry.put("watchers", "old", "1");
    test.registry.restart();
    test.registry.put("watchers", "new", "1");
    let database = test.start();
    flush(&database).expect("writable");
    assert_eq!(test.what(), ["watchers/old added external", "watchers/new added put"]);
    let evidence: String = test
        .other()
        .query_row("SELECT evidence FROM changes WHERE id = 'old'", [], |row| row.get(0))
        .expect("there");
    assert_eq!(evidence, r#"{"firstSeen":true}"#);
}

#[test]
fn more_changes_than_the_registry_keeps_leave_the_last_and_what_the_others_came_to() {
    let test = TestContext::new();
    test.registry.put("watchers", "first", "1");
    let database = test.start();
    flush(&database).expect("writable");
    test.registry.keep(5);
    for value in 0..50 {
        test.registry.put("watchers", &format!("id{}", value % 10), &value.to_string());
    }
    flush(&database).expect("writable");
    let told = test.what();
    // Five were unseen and have no change that is kept, five have one, and were there before.
    assert_eq!(told.len(), 1 + 10 + 5, "{told:?}");
    assert!(told[1..11].iter().all(|what| what.ends_with("added external")), "{told:?}");
    assert!(told[11..].iter().all(|what| what.ends_with("updated put")), "{told:?}");
}

#[test]
fn beyond_what_can_wait_the_oldest_are_dropped_and_what_they_came_to_is_found() {
    let test = TestContext::new();
    let mut queue = Queue::default();
    queue.pull(&test.registry);
    for value in 0..QUEUE_CHANGES_MAX + 10 {
        test.registry.put("watchers", &format!("id{}", value % 3), &value.to_string());
        if value % 4000 == 0 {
            queue.pull(&test.registry);
        }
    }
    queue.pull(&test.registry);
    assert_eq!((queue.len(), queue.dropped()), (QUEUE_CHANGES_MAX, 10));
    let batch = queue.batch(&test.registry);
    let compare = &batch.compares[0];
    assert_eq!(compare.cursor.to_string(), "e1:10");
    let values: std::collections::BTreeMap<_, _> =
        compare.records.iter().map(|(id, version)| (&**id, &*version.etag)).collect();
    assert_eq!(values, [("id0", "9"), ("id1", "7"), ("id2", "8")].into());
    assert_eq!(batch.entries[0].entry.cursor.to_string(), "e1:11");
    let batched = batch.entries.len();
    queue.put_back(batch);
    assert_eq!(queue.len(), QUEUE_CHANGES_MAX, "{batched} were put back");
}

#[test]
fn what_is_too_old_goes_while_it_is_written() {
    let test = TestContext::new();
    test.registry.put("watchers", "a", "0");
    let mut follower = Follower::new(
        test.options(),
        test.registry.clone(),
        Default::default(),
        Default::default(),
    );
    follower.limits.rows = 10;
    for value in 1..50 {
        test.registry.put("watchers", "a", &value.to_string());
    }
    follower.write_all().expect("writable");
    assert_eq!(test.told().len(), 10);
    let history = History::open(&test.path()).expect("ours").expect("there");
    let last = history.last("watchers", "a").expect("ours").expect("kept");
    assert_eq!(last.cursor, "e1:50");
    assert!(last.at <= now_ms() + 1000);
}

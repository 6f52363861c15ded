//! What is answered of the changes, with and without who writes them.

use std::fs;

use argus_proto::error::{Code, Error};
use argus_proto::method::History as Asked;
use argus_proto::method::history::{CHANGES_DEFAULT, CHANGES_MAX};

use super::{TestContext, flush};
use crate::follower::now_ms;
use crate::history::{ANSWER_BYTES_MAX, History};

fn open(test: &TestContext) -> History {
    History::open(&test.path()).expect("ours").expect("there")
}

fn values(history: &History, asked: &Asked) -> Vec<String> {
    let changes = history.changes(Some("watchers"), asked, now_ms()).expect("ours");
    let values = changes.changes.iter().map(|change| {
        let after = change.after.as_ref().map(|after| after.to_value()["value"].clone());
        format!("{} {}", change.id, after.map_or("-".to_owned(), |value| value.to_string()))
    });
    values.collect()
}

fn files(test: &TestContext) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(test.home.path())
        .expect("own folder")
        .map(|entry| entry.expect("readable"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_last_ones_are_answered_in_order_from_where_they_are_asked_for() {
    let test = TestContext::new();
    let database = test.start();
    for value in 1..=5 {
        test.registry.put("watchers", "a", &value.to_string());
    }
    test.registry.put("watchers", "b", "1");
    test.registry.remove("watchers", "a");
    flush(&database).expect("writable");
    let history = open(&test);
    let asked = |id: Option<&str>, since: Option<&str>, limit| Asked {
        id: id.map(str::to_owned),
        since: since.map(str::to_owned),
        limit,
    };
    let rows = [
        (asked(None, None, None), "a 1,a 2,a 3,a 4,a 5,b 1,a -"),
        (asked(None, None, Some(2)), "b 1,a -"),
        (asked(Some("a"), None, Some(2)), "a 5,a -"),
        (asked(Some("b"), None, None), "b 1"),
        (asked(Some("c"), None, None), ""),
        (asked(None, Some("e1:5"), None), "b 1,a -"),
        (asked(None, Some("e1:0"), None), "a 1,a 2,a 3,a 4,a 5,b 1,a -"),
        (asked(None, Some("e1:7"), None), ""),
        (asked(None, Some("1h"), None), "a 1,a 2,a 3,a 4,a 5,b 1,a -"),
    ];
    for (asked, expected) in rows {
        let got = values(&history, &asked).join(",").replace('"', "");
        assert_eq!(got, expected, "{asked:?}");
    }
    let all = history.changes(None, &asked(None, None, Some(2)), now_ms()).expect("ours");
    assert!(all.truncated);
    let first = &history.changes(None, &Asked::default(), now_ms()).expect("ours");
    assert!(!first.truncated && first.changes.len() == 7);
    let later = now_ms() + 3 * 3_600_000;
    let none = history.changes(None, &asked(None, Some("2h"), None), later).expect("ours");
    assert!(none.changes.is_empty());
    let last = history.last("watchers", "a").expect("ours").expect("kept");
    assert_eq!(
        (last.cursor.as_str(), last.kind.name(), last.reason.name()),
        ("e1:7", "removed", "removed")
    );
    assert_eq!(last.evidence.expect("kept").as_str(), r#"{"by":"test"}"#);
    assert_eq!(history.last("watchers", "c").expect("ours"), None);
    let wrong = [
        asked(None, Some("e1:9"), None),
        asked(None, Some("e0:3"), None),
        asked(None, Some("yesterday"), None),
        asked(None, Some(""), None),
        asked(None, None, Some(CHANGES_MAX + 1)),
    ];
    for asked in wrong {
        let error = history.changes(Some("watchers"), &asked, now_ms()).expect_err("wrong");
        let error = Error::from(error);
        assert_eq!(error.code, Code::Usage, "{asked:?}");
        assert!(error.hint.is_some(), "{asked:?}");
    }
}

#[test]
fn an_answer_has_a_bound_in_rows_and_in_bytes() {
    let test = TestContext::new();
    let database = test.start();
    let large = "x".repeat(60 * 1024);
    for value in 0..CHANGES_MAX + 10 {
        let text = format!(r#"{{"id":"a","value":"{large}"}}"#);
        test.registry.change("watchers", "a", Some((&value.to_string(), &text)));
    }
    flush(&database).expect("writable");
    let history = open(&test);
    let few = history.changes(None, &Asked::default(), now_ms()).expect("ours");
    assert_eq!((few.changes.len() as u64, few.truncated), (CHANGES_DEFAULT, true));
    let asked = Asked { limit: Some(CHANGES_MAX), ..Asked::default() };
    let many = history.changes(None, &asked, now_ms()).expect("ours");
    let bytes: usize = many
        .changes
        .iter()
        .flat_map(|change| [&change.before, &change.after])
        .flatten()
        .map(|text| text.as_str().len())
        .sum();
    assert!(bytes <= ANSWER_BYTES_MAX && bytes > ANSWER_BYTES_MAX / 2, "{bytes}");
    assert!(many.truncated);
    assert_eq!(many.changes.last().expect("some").cursor, "e1:410");
}

#[test]
fn reading_makes_and_changes_no_file_whether_somebody_writes_or_not() {
    let test = TestContext::new();
    assert!(History::open(&test.path()).expect("none there").is_none());
    assert!(files(&test).is_empty());
    let database = test.start();
    test.registry.put("watchers", "a", "1");
    flush(&database).expect("writable");
    // As who was killed leaves it: with its journal, which has what is not in the file yet.
    let killed = TestContext::new();
    for (name, bytes) in files(&test) {
        fs::write(killed.home.path().join(name), bytes).expect("own folder");
    }
    let names =
        |test: &TestContext| files(test).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let whole = |test: &TestContext| {
        files(test).into_iter().filter(|(name, _)| !name.ends_with("-shm")).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let before = (names(&killed), whole(&killed));
        assert_eq!(values(&open(&killed), &Asked::default()), ["a \"1\""]);
        assert_eq!((names(&killed), whole(&killed)), before);
    }
    database.stop();
    let before = files(&test);
    assert_eq!(before.len(), 1);
    assert_eq!(values(&open(&test), &Asked::default()), ["a \"1\""]);
    assert_eq!(files(&test), before);
}

#[test]
fn what_cannot_be_read_is_told_with_its_path() {
    let rows: [(&str, &[u8], Code); 2] = [
        ("garbage", b"no database, only a text that is long enough", Code::Corrupt),
        ("folder", b"", Code::Io),
    ];
    for (what, bytes, code) in rows {
        let test = TestContext::new();
        match what {
            "folder" => fs::create_dir(test.path()).expect("own folder"),
            _ => fs::write(test.path(), bytes).expect("own folder"),
        }
        let error = Error::from(History::open(&test.path()).expect_err(what));
        assert_eq!(error.code, code, "{what}: {error}");
        assert!(error.message.contains("argus.db"), "{what}: {error}");
        assert!(error.hint.is_some(), "{what}");
    }
    let test = TestContext::new();
    fs::write(test.path(), b"").expect("own folder");
    let history = open(&test);
    assert_eq!(history.last("watchers", "a").expect("empty"), None);
    assert!(history.changes(None, &Asked::default(), 0).expect("empty").changes.is_empty());
}

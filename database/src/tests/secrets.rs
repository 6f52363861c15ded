//! Of a secret collection nothing but keys and hashes is written.

use std::fs;

use super::{TestContext, flush};

fn holds(test: &TestContext, needle: &[u8]) -> Vec<String> {
    let entries = fs::read_dir(test.home.path()).expect("own folder");
    entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_file())
        .filter(|path| {
            let bytes = fs::read(path).expect("readable");
            bytes.windows(needle.len()).any(|window| window == needle)
        })
        .map(|path| path.display().to_string())
        .collect()
}

#[test]
fn no_value_of_a_secret_collection_is_in_any_byte_of_the_files() {
    let test = TestContext::new();
    test.registry.open_secret("accounts");
    // Seen for the first time, changed, removed, and changed unseen.
    test.registry.put("accounts", "early", "hunter2-early");
    test.registry.restart();
    let database = test.start();
    test.registry.put("accounts", "work", "hunter2-one");
    test.registry.put("accounts", "work", "hunter2-two");
    test.registry.remove("accounts", "early");
    test.registry.put("watchers", "open", "visible");
    flush(&database).expect("writable");
    assert!(holds(&test, b"hunter2").is_empty(), "{:?}", holds(&test, b"hunter2"));
    assert!(!holds(&test, b"visible").is_empty(), "what is looked for is found where it is");
    drop(database);
    test.registry.put("accounts", "work", "hunter2-three");
    test.registry.restart();
    let database = test.start();
    flush(&database).expect("writable");
    assert!(holds(&test, b"hunter2").is_empty(), "{:?}", holds(&test, b"hunter2"));
    database.stop();
    assert!(holds(&test, b"hunter2").is_empty(), "{:?}", holds(&test, b"hunter2"));
    let rows: Vec<(Option<String>, Option<String>)> = {
        let other = test.other();
        let mut statement = other
            .prepare("SELECT before, after FROM changes WHERE id = 'work' ORDER BY seq")
            .expect("ours");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("ours");
        rows.collect::<Result<_, _>>().expect("texts")
    };
    assert_eq!(rows.len(), 3);
    let value = |text: &Option<String>| {
        let text = text.as_deref().expect("there");
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let value = value["value"].as_str().expect("hashed").to_owned();
        assert!(value.starts_with("sha256:") && value.len() == 7 + 32, "{value}");
        value
    };
    // The same value is known again, another is another.
    assert_eq!(value(&rows[0].1), value(&rows[1].0));
    assert_eq!(value(&rows[1].1), value(&rows[2].0));
    assert_ne!(value(&rows[1].1), value(&rows[2].1));
}

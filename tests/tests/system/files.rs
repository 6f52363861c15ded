//! The file is shared with programs that have never heard of argus.

use std::fs;

use argus_client::method::List;
use argus_client::{Mode, announcement};
use argus_proto::json::Object;
use argus_tests::{OldProgram, TestContext};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// As the TypeScript tools write it, with keys that argus does not know.
const FROM_TYPESCRIPT: &str = include_str!("../golden/registry-1.json");

/// The file after `change`, with the times and the identity of the process made equal.
fn text_without_times(context: &TestContext) -> String {
    let text = fs::read_to_string(context.registry()).expect("the file is there");
    text.lines()
        .map(|line| match line.split_once("\"updatedAt\": ") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}\"updatedAt\": 0{rest}")
            }
            None => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_argus_does_not_know_survives_every_change_to_the_byte() {
    for mode in [Mode::Auto, Mode::Direct] {
        let context = TestContext::new();
        fs::write(context.registry(), FROM_TYPESCRIPT).expect("own folder");
        let before = text_without_times(&context);
        let client = context.client(mode);
        let listing = client.list(List::default()).expect("readable");
        assert_eq!(listing.records.len(), 4);
        assert!(listing.warnings.is_empty());

        client.announce(announcement("new").build()).expect("served");
        let remove = argus_client::method::Remove {
            id: "new".into(),
            pid: None,
            if_match: None,
            flush: true,
        };
        client.remove(remove).expect("served");
        assert_eq!(text_without_times(&context), before, "{mode:?}");
        check_as_the_typescript_reader_does(&context);
    }
}

/// Its rules: version 1, `watchers` an object, `updatedAt` a number.
fn check_as_the_typescript_reader_does(context: &TestContext) {
    // Not through serde's values, which have no place for half a surrogate pair.
    let text = fs::read_to_string(context.registry()).expect("the file is there");
    let document = Object::parse(&text).expect("JSON");
    assert_eq!(document.get("version"), Some("1"));
    assert!(document.get("watchers").is_some_and(|watchers| watchers.starts_with('{')));
    assert!(document.get("updatedAt").is_some_and(|time| time.parse::<u64>().is_ok()));
}

/// As a program writes it that indents with `indent` and ends with a newline.
fn laid_out(document: &Value, indent: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = Serializer::with_formatter(&mut bytes, formatter);
    document.serialize(&mut serializer).expect("a value is text");
    String::from_utf8(bytes).expect("a value is text") + "\n"
}

#[test]
fn the_style_of_the_program_that_wrote_last_is_kept() {
    type Style = fn(&Value) -> String;
    let styles: [(&str, Style); 4] = [
        ("four", |document| laid_out(document, "    ")),
        ("tabs", |document| laid_out(document, "\t")),
        ("line", Value::to_string),
        ("windows", |document| laid_out(document, "  ").replace('\n', "\r\n")),
    ];
    for modes in
        [[Mode::DaemonOnly, Mode::DaemonOnly], [Mode::Direct; 2], [Mode::Auto, Mode::Direct]]
    {
        let context = TestContext::new();
        let pid = std::process::id();
        let mut ids = Vec::new();
        for (style, text_of) in styles {
            OldProgram::new(&context.registry()).writing(text_of).announce(style, pid);
            ids.push(style.to_owned());
            for (turn, mode) in modes.into_iter().enumerate() {
                let id = format!("{style}-{turn}");
                context.client(mode).announce(announcement(&id).build()).expect("served");
                ids.push(id);
                let text = fs::read_to_string(context.registry()).expect("the file is there");
                assert_eq!(text, text_of(&context.document()), "{style} {modes:?}");
            }
        }
        ids.sort();
        assert_eq!(context.ids(), ids, "{modes:?}");
        let daemons = if modes == [Mode::Direct; 2] { 0 } else { 1 };
        assert_eq!(context.daemons().len(), daemons, "{modes:?}");
    }
}

#[test]
fn a_record_has_all_fields_in_the_usual_order() {
    let context = TestContext::new();
    let pid = std::process::id().to_string();
    let run = context.argus(&[
        "announce",
        "--id",
        "app",
        "--pid",
        &pid,
        "--cwd",
        "/",
        "--data",
        r#"{"match":{"url":"localhost"},"port":40123,"source":"cdp"}"#,
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let document = context.document();
    let keys: Vec<&String> =
        document["watchers"]["app"].as_object().expect("a record").keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "host",
            "port",
            "pid",
            "match",
            "source",
            "cwd",
            "startedAt",
            "updatedAt",
            "process"
        ]
    );
    assert_eq!(document["watchers"]["app"]["host"], "127.0.0.1");
    assert_eq!(document["watchers"]["app"]["process"]["vouched"], true);
}

//! What cannot be read is set aside and never thrown away, and costs as little as possible.

use std::fs;

use argus_client::method::List;
use argus_client::{Mode, announcement};
use argus_tests::{Stopped, TestContext, own_pid, stamp_of, until};

#[test]
fn a_damaged_record_is_listed_and_kept_and_spoils_nothing() {
    let context = TestContext::new();
    let text = r#"{"version":1,"updatedAt":1,"watchers":{"null":null,"odd":{"id":"other"},"n":7}}"#;
    fs::write(context.registry(), text).expect("own folder");
    for mode in [Mode::Auto, Mode::Direct] {
        let client = context.client(mode);
        client.announce(announcement("app").build()).expect("served");
        let listing = client.list(List::default()).expect("served");
        let states: Vec<_> = listing
            .records
            .iter()
            .map(|listed| (listed.id.as_str(), listed.state.expect("a state").name()))
            .collect();
        assert_eq!(
            states,
            [("null", "invalid"), ("odd", "invalid"), ("n", "invalid"), ("app", "live")]
        );
    }
    let run = context.argus(&["ls"]);
    assert!(run.stdout.contains("must repeat the record's id"), "{run:?}");
    assert_eq!(context.argus(&["announce", "--id", "null"]).code, 5);
    assert_eq!(context.argus(&["prune", "--ttl", "0s"]).code, 0);
    assert_eq!(context.ids(), ["n", "null", "odd"]);
}

/// What the file of a test holds before it is damaged: the record `kept`, in `last-good.json` too.
fn write_twice(context: &TestContext) {
    for id in ["kept", "newer"] {
        assert_eq!(context.argus(&["--direct", "announce", "--id", id]).code, 0);
    }
}

fn quarantined(context: &TestContext) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(context.paths().folder().join("quarantine")) else {
        return Vec::new();
    };
    entries.map(|entry| fs::read(entry.expect("there").path()).expect("readable")).collect()
}

#[test]
fn what_is_no_registry_is_set_aside_and_the_last_good_one_goes_on() {
    let garbage: [&[u8]; 4] = [b"", b"{\"version\":1", b"\xff\xfe", b"[]"];
    for bytes in garbage {
        let context = TestContext::new();
        write_twice(&context);
        fs::write(context.registry(), bytes).expect("own folder");
        let run = context.argus(&["ls"]);
        assert!(run.stdout.contains("kept"), "never silently empty: {run:?}");
        assert!(run.stderr.contains("showing last-good.json"), "{run:?}");
        assert_eq!(fs::read(context.registry()).expect("there"), bytes, "reading changes nothing");

        let run = context.argus(&["--direct", "announce", "--id", "x"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains("its bytes are kept in"), "{run:?}");
        assert_eq!(context.ids(), ["kept", "x"]);
        assert_eq!(quarantined(&context), [bytes]);
        let run = context.argus(&["--direct", "announce", "--id", "y"]);
        assert_eq!(run.stderr, "", "told once");
    }
}

#[test]
fn a_daemon_mends_a_damaged_file_from_its_memory() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "a"]);
    context.argus(&["announce", "--id", "b"]);
    fs::write(context.registry(), b"garbage").expect("own file");
    until("the file is whole again", || {
        let text = fs::read_to_string(context.registry()).expect("there");
        text.contains("\"b\"").then_some(())
    });
    assert_eq!(context.ids(), ["a", "b"]);
    assert_eq!(quarantined(&context), [b"garbage"]);
    let run = context.argus(&["status"]);
    assert!(run.stderr.contains("went on with what was in memory"), "{run:?}");
    assert_eq!(context.argus(&["ls"]).stderr, "", "it is no problem any more");
    let log = fs::read_to_string(context.paths().log()).expect("a log");
    assert!(log.contains("its bytes are kept in"), "{log}");
}

#[test]
fn a_newer_format_is_left_alone_and_told() {
    for way in [&["--direct"][..], &[]] {
        let context = TestContext::new();
        write_twice(&context);
        let newer = b"{\"version\":2,\"watchers\":{}}";
        fs::write(context.registry(), newer).expect("own folder");
        let run = context.argus(&[way, &["--json", "announce", "--id", "x"]].concat());
        assert_eq!((run.error()["code"].as_str(), run.code), (Some("E_UNSUPPORTED_VERSION"), 7));
        let run = context.argus(&[way, &["ls"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stderr.contains("its version is 2"), "{run:?}");
        assert_eq!(fs::read(context.registry()).expect("there"), newer);
        assert!(quarantined(&context).is_empty());
        assert!(!context.paths().lockfile().exists());
    }
}

#[test]
fn a_file_beyond_the_limit_is_set_aside_whole() {
    let context = TestContext::new();
    write_twice(&context);
    let large = vec![b' '; 40 << 20];
    fs::write(context.registry(), &large).expect("own folder");
    // A slow disk takes longer for so much than a call may.
    until("it is mended", || (context.argus(&["announce", "--id", "x"]).code == 0).then_some(()));
    assert_eq!(context.ids(), ["kept", "x"]);
    assert_eq!(quarantined(&context), [large]);
}

/// Seen to fail with a read that sets the file aside.
#[test]
fn a_file_beyond_the_limit_is_left_alone_by_who_reads_and_the_last_good_one_is_shown() {
    let context = TestContext::new();
    write_twice(&context);
    let large = fs::File::create(context.registry()).expect("own file");
    large.set_len(40 << 20).expect("room for a hole");
    drop(large);
    let before = stamp_of(&context.registry());
    for arguments in [&["ls"][..], &["get", "kept"], &["resolve", "kept"]] {
        let run = context.argus(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
        assert!(run.stdout.contains("kept"), "{arguments:?}: {run:?}");
    }
    let run = context.argus(&["ls"]);
    assert!(run.stderr.contains("has 41943040 bytes"), "{run:?}");
    let meta = fs::metadata(context.registry()).expect("it is there");
    assert_eq!((stamp_of(&context.registry()), meta.len()), (before, 40 << 20));
    assert!(quarantined(&context).is_empty());
}

#[test]
fn records_that_cannot_be_read_do_not_cost_the_others() {
    let context = TestContext::new();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let text = format!(
        r#"{{"version":1,"updatedAt":1,"watchers":{{"deep":{{"id":"deep","x":{deep}}},"twice":1,"null":null,"twice":2}}}}"#
    );
    fs::write(context.registry(), &text).expect("own folder");
    for way in [&["--direct"][..], &[]] {
        let run = context.argus(&[way, &["announce", "--id", "x"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let run = context.argus(&[way, &["--json", "ls"]].concat());
        assert_eq!(run.code, 0, "{run:?}");
        for id in ["deep", "twice", "null", "x"] {
            assert!(run.stdout.contains(&format!("\"id\":\"{id}\"")), "{id}");
        }
    }
    assert_eq!(quarantined(&context), [text.as_bytes()], "one of the two is nowhere else");
    let kept = fs::read_to_string(context.registry()).expect("there");
    assert!(kept.contains(&"[".repeat(9_000)), "the deep one is kept as it was");
}

#[test]
fn a_daemon_does_not_pretend_that_it_could_write_a_newer_format() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "known"]);
    fs::write(context.registry(), "{\"version\":2}").expect("own file");
    until("the daemon has noticed", || {
        let run = context.argus(&["--daemon-only", "ls"]);
        run.stderr.contains("its version is 2").then_some(())
    });
    for arguments in [&["heartbeat", "known"][..], &["get", "unknown"], &["resolve", "unknown"]] {
        let run = context.argus(&[&["--json", "--daemon-only"], arguments].concat());
        assert_eq!(run.error()["code"], "E_UNSUPPORTED_VERSION", "{arguments:?}");
    }
    assert_eq!(fs::read(context.registry()).expect("there"), b"{\"version\":2}");
}

/// Seen to fail with the last good copy taken for newer than a file that was removed.
#[test]
fn what_went_with_a_removed_file_does_not_come_back_when_that_is_damaged() {
    let context = TestContext::new();
    context.start_daemon();
    for id in ["a", "b"] {
        assert_eq!(context.argus(&["announce", "--id", id]).code, 0);
    }
    fs::remove_file(context.registry()).expect("own file");
    let listed = || context.argus(&["--json", "--daemon-only", "ls"]).data()["records"].clone();
    until("the daemon sees that it is gone", || (listed() == serde_json::json!([])).then_some(()));
    fs::write(context.registry(), "garbage").expect("own folder");
    until("it is mended", || {
        let text = fs::read_to_string(context.registry()).expect("it is there");
        text.contains("watchers").then_some(())
    });
    assert!(context.ids().is_empty());
    assert_eq!(listed(), serde_json::json!([]));
}

/// Seen to fail with a direct writer that goes on with `last-good.json` beside a daemon that knows more.
#[test]
fn what_a_silent_daemon_has_in_memory_is_not_replaced_by_an_older_copy() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    write_twice(&context);
    context.argus(&["announce", "--id", "last"]);
    fs::write(context.registry(), b"garbage").expect("own file");
    let stopped = Stopped::new(daemon);
    for way in [&["--direct"][..], &[]] {
        let run = context.argus(&[way, &["announce", "--id", "other"]].concat());
        assert_eq!(run.code, 7, "{run:?}");
        assert!(run.stderr.contains(&format!("process {daemon}")), "{run:?}");
    }
    drop(stopped);
    until("the daemon mends it", || {
        let text = fs::read_to_string(context.registry()).expect("there");
        text.contains("\"last\"").then_some(())
    });
    assert_eq!(context.argus(&["--direct", "announce", "--id", "other"]).code, 0);
    assert!(context.ids().contains(&"last".to_owned()), "{:?}", context.ids());
}

/// What a daemon was told, and a damaged file does not show, is in memory only.
#[test]
fn a_daemon_that_ends_beside_a_damaged_file_writes_what_it_knows_first() {
    let context = TestContext::new();
    context.start_daemon();
    for id in ["a", "b"] {
        assert_eq!(context.argus(&["announce", "--id", id, "--pid", own_pid()]).code, 0);
    }
    fs::write(context.registry(), b"garbage").expect("own file");
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    assert_eq!(context.ids(), ["a", "b"]);
    assert_eq!(quarantined(&context), [b"garbage"]);
}

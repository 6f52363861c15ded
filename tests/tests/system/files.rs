//! The file is shared with programs that have never heard of argus, and its folder with nobody.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use argus_client::method::List;
use argus_client::{Mode, announcement};
use argus_proto::json::Object;
use argus_tests::{TestContext, until};

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
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!(run.code, 0, "{run:?}");
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
    let inode = large.metadata().expect("it is open").ino();
    for arguments in [&["ls"][..], &["get", "kept"], &["resolve", "kept"]] {
        let run = context.argus(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {run:?}");
        assert!(run.stdout.contains("kept"), "{arguments:?}: {run:?}");
    }
    let run = context.argus(&["ls"]);
    assert!(run.stderr.contains("has 41943040 bytes"), "{run:?}");
    let meta = fs::metadata(context.registry()).expect("it is there");
    assert_eq!((meta.ino(), meta.len()), (inode, 40 << 20));
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
fn files_and_folders_are_closed_to_others() {
    let context = TestContext::new();
    let registry = context.home().join("deep/er/registry.json");
    let path = registry.to_string_lossy().into_owned();
    let run = context.argus(&["--registry", &path, "announce", "--id", "x"]);
    assert_eq!(run.code, 0, "{run:?}");
    let folder = context.home().join("deep/er/registry.json.d");
    let mode = |path: &std::path::Path| {
        fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
    };
    assert_eq!(mode(&registry), 0o600);
    assert_eq!(mode(&context.home().join("deep")), 0o700);
    assert_eq!(mode(&folder), 0o700);
    for name in ["argusd.sock", "argusd.log", "endpoint.json", "owner.lock", "spawn.lock"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let endpoint: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("endpoint.json")).expect("it is there"))
            .expect("JSON");
    assert_eq!(endpoint["path"], serde_json::json!(folder.join("argusd.sock")));
    assert!(endpoint["pid"].is_u64() && endpoint["startTime"].is_u64());
}

#[test]
fn every_spelling_of_the_path_leads_to_the_same_daemon() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "a"]);
    let link = context.home().join("link.json");
    symlink(context.registry(), &link).expect("a link");
    let link = link.to_string_lossy().into_owned();
    let run = context.argus(&["--registry", &link, "announce", "--id", "b"]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = context.argus(&["--registry", "./registry.json", "announce", "--id", "c"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(context.daemons().len(), 1);
    assert_eq!(context.ids(), ["a", "b", "c"]);
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink(), "the link is kept");
}

#[test]
fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let context = TestContext::new();
    let folder = context.home().join("x".repeat(120));
    fs::create_dir(&folder).expect("own folder");
    let registry = folder.join("registry.json");
    let path = registry.to_string_lossy().into_owned();
    let run = context.argus(&["--registry", &path, "announce", "--id", "x"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let run = context.argus(&["--registry", &path, "--daemon-only", "--json", "ls"]);
    assert_eq!(run.data()["records"].as_array().expect("a list").len(), 1);
    let paths = argus_store::Paths::new(&registry).expect("a path");
    let socket = fs::symlink_metadata(paths.socket()).expect("it is there");
    assert_eq!(socket.uid(), rustix::process::geteuid().as_raw());
    let run = context.argus(&["--registry", &path, "daemon", "stop"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!paths.socket().exists());
}

#[test]
fn a_folder_that_leads_elsewhere_is_refused() {
    let context = TestContext::new();
    fs::create_dir(context.home().join("elsewhere")).expect("own folder");
    symlink(context.home().join("elsewhere"), context.paths().folder()).expect("a link");
    let run = context.argus(&["--json", "announce", "--id", "x"]);
    assert_eq!((run.error()["code"].as_str(), run.code), (Some("E_PERMISSION"), 8));
    assert!(!context.registry().exists());
    assert_eq!(context.argus(&["ls"]).code, 0, "reading needs no folder");
}

#[test]
fn homes_with_spaces_and_other_letters_work() {
    let context = TestContext::new();
    let registry = context.home().join("Meine Geräte 日本/registry.json");
    let path = registry.to_string_lossy().into_owned();
    let run = context.argus(&["--registry", &path, "announce", "--id", "Größe 1"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "Größe 1\n", ""));
    let run = context.argus(&["--registry", &path, "--daemon-only", "rm", "Größe 1"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(context.argus(&["--registry", &path, "daemon", "stop"]).code, 0);
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

#[test]
fn a_path_that_is_no_text_is_a_path_all_the_same() {
    use std::os::unix::ffi::OsStrExt;
    let context = TestContext::new();
    let registry = context.home().join(std::ffi::OsStr::from_bytes(b"\xff.json"));
    let run = |arguments: &[&str]| {
        let mut command = context.command(&["--registry"]);
        let output = command.arg(&registry).args(arguments).output();
        argus_tests::Run::from(output.expect("argus can be run"))
    };
    assert_eq!(run(&["--json", "announce", "--id", "x"]).data()["id"], "x");
    assert_eq!(run(&["--daemon-only", "get", "x"]).code, 0);
    assert_eq!(run(&["daemon", "stop"]).code, 0);
    fs::remove_file(&registry).expect("own file");
    fs::create_dir(&registry).expect("own folder");
    assert_eq!(run(&["--json", "--direct", "announce", "--id", "x"]).error()["code"], "E_IO");
}

/// Seen to fail with a relative path handed to the daemon, which has another working directory.
#[test]
fn a_path_may_have_any_letters_and_begin_anywhere() {
    let context = TestContext::new();
    for folder in ["new\nline \"quoted\"", "Größe 日本", "-dash", "deep/../er"] {
        let relative = format!("./{folder}/registry.json");
        let run = context.argus(&["--registry", &relative, "announce", "--id", "日本 \"x\" é"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{folder}: {run:?}");
        let absolute = context.home().join(&relative).to_string_lossy().into_owned();
        let ways = ["--daemon-only", "--direct"];
        for (way, path) in ways.iter().zip([&absolute, &relative]) {
            let run = context.argus(&["--registry", path, way, "--json", "ls"]);
            assert_eq!(run.data()["records"][0]["id"], "日本 \"x\" é", "{folder}: {run:?}");
        }
        let run = context.argus(&["--registry", &absolute, "daemon", "stop"]);
        assert_eq!(run.code, 0, "{folder}: {run:?}");
    }
    let run = context.argus(&["--json", "announce", "--id", "new\nline"]);
    assert_eq!(run.error()["code"], "E_INVALID");
}

/// Seen to fail with a folder taken for a missing file.
#[test]
fn a_folder_in_the_place_of_the_registry_is_told_and_left_alone() {
    let context = TestContext::new();
    fs::create_dir(context.registry()).expect("own folder");
    fs::write(context.registry().join("theirs"), "").expect("own folder");
    for arguments in [&["ls"][..], &["get", "x"], &["announce", "--id", "x"]] {
        let run = context.argus(&[&["--json", "--direct"], arguments].concat());
        assert_eq!((run.code, run.error()["code"].as_str()), (1, Some("E_IO")), "{arguments:?}");
        let message = run.error()["message"].as_str().expect("text").to_owned();
        assert!(message.contains("registry.json"), "{message}");
    }
    assert!(context.registry().join("theirs").exists());
}

/// Seen to fail with paths that are only made absolute.
#[test]
fn a_registry_behind_a_link_has_its_locks_beside_the_file_itself() {
    let context = TestContext::new();
    let (links, files) = (context.home().join("links"), context.home().join("files"));
    fs::create_dir(&links).and_then(|()| fs::create_dir(&files)).expect("own folder");
    let link = links.join("registry.json");
    symlink("../files/real.json", &link).expect("a link");
    let path = link.to_string_lossy().into_owned();
    // The first makes the file that the link leads to.
    for (way, id) in [("--direct", "a"), ("--daemon-only", "b"), ("--direct", "c")] {
        let run = context.argus(&["--registry", &path, way, "announce", "--id", id]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{way}: {run:?}");
    }
    let names = |folder| {
        let entries = fs::read_dir(folder).expect("own folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&links), ["registry.json"]);
    assert_eq!(names(&files), ["real.json", "real.json.d"]);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    let run = context.argus(&["--registry", &path, "--direct", "--json", "ls"]);
    assert_eq!(run.data()["records"].as_array().expect("a list").len(), 3);
}

/// Seen to fail with a home that is taken from the environment only.
#[test]
fn without_home_in_the_environment_the_users_own_is_meant() {
    let context = TestContext::new();
    let user = rustix::process::geteuid().as_raw().to_string();
    let entry = std::process::Command::new("getent").args(["passwd", &user]).output();
    let entry = String::from_utf8(entry.expect("getent can be run").stdout).expect("text");
    let home = entry.trim_end().split(':').nth(5).expect("a home").to_owned();
    // Asks only: it is the tester's.
    let mut command = context.command(&["--json", "status"]);
    command.env_remove("HOME").env_remove("ARGUS_HOME").env("ARGUS_DAEMON", "0");
    let run = argus_tests::Run::from(command.output().expect("argus can be run"));
    let registry = fs::canonicalize(&home).expect("it is there").join(".argus/registry.json");
    assert_eq!(run.data()["registry"], serde_json::json!(registry));
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

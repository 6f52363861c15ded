//! Where the registry is, however it is spelled and whatever is in its place.

use std::fs;

use argus_tests::{ODD_FOLDERS, Run, TestContext, ended};

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

/// Seen to fail with a relative path handed to the daemon, which has another working directory.
#[test]
fn a_path_may_have_any_letters_and_begin_anywhere() {
    let context = TestContext::new();
    for folder in ODD_FOLDERS {
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

#[test]
fn a_home_and_ids_of_any_letters_are_served_from_start_to_stop() {
    let context = TestContext::new();
    let home = context.home().join("Zoë Müller").join("日本 x");
    let argus = |arguments: &[&str]| {
        let mut command = context.command(arguments);
        Run::from(command.env("ARGUS_HOME", &home).output().expect("argus can be run"))
    };
    let ids = ["Größe 1", "日本 \"x\" é", "a b  c"];
    for way in ["--daemon-only", "--direct"] {
        let started = argus(&["--json", "daemon", "start"]).data();
        let pid = u32::try_from(started["pid"].as_u64().expect("a pid")).expect("a pid");
        assert_eq!(argus(&["--json", "daemon", "status"]).data()["pid"], pid);
        for id in ids {
            let announced = argus(&[way, "announce", "--id", id, "--cwd", &home.to_string_lossy()]);
            assert_eq!((announced.code, announced.stdout.trim_end()), (0, id), "{announced:?}");
            assert_eq!(announced.stderr, "");
            let found = argus(&[way, "--json", "get", id]).data();
            assert_eq!(found["record"]["cwd"], home.to_str().expect("text"), "{way}");
        }
        let listed = argus(&[way, "--json", "ls"]).data();
        let listed = listed["records"].as_array().expect("a list").iter();
        assert_eq!(listed.map(|one| one["id"].clone()).collect::<Vec<_>>(), ids, "{way}");
        let removed = argus(&[&[way, "rm"], &ids[..]].concat());
        assert_eq!(removed.code, 0, "{removed:?}");
        assert_eq!(argus(&["--json", "daemon", "stop"]).data()["stopping"], true);
        assert!(ended(pid), "{way}");
    }
    let text = fs::read_to_string(home.join("registry.json")).expect("it is there");
    assert!(text.contains("\"watchers\": {}"), "{text}");
}

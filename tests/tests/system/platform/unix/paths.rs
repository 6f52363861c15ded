//! Modes, links, sockets with long paths, names that are no text, and the user's own home.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use argus_tests::TestContext;

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

//! Another user: served by nobody, root included.
//!
//! Needs root, to be two users, and `setpriv`. Seen to fail without `is_own_user` in the daemon.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use argus_tests::{DEADLINE, Run, TestContext, executables, until};

/// `nobody` everywhere.
pub(crate) const OTHER: u32 = 65534;

/// A folder of the other user's, and the executables where he can run them.
pub(crate) struct OtherUser<'a> {
    context: &'a TestContext,
    home: PathBuf,
}

impl<'a> OtherUser<'a> {
    pub(crate) fn new(context: &'a TestContext) -> Self {
        assert!(rustix::process::geteuid().is_root(), "run these tests as root");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(context.home(), open).expect("own folder");
        for executable in [&executables().argus, &executables().argusd] {
            let copied = Command::new("cp").arg(executable).arg(context.home()).status();
            assert!(copied.expect("cp can be run").success());
        }
        let home = context.home().join("other");
        fs::create_dir(&home).expect("own folder");
        chown(&home, Some(OTHER), Some(OTHER)).expect("root may");
        OtherUser { context, home }
    }

    pub(crate) fn registry(&self) -> PathBuf {
        self.home.join("registry.json")
    }

    /// `argus` as the other user, on his own registry.
    pub(crate) fn argus(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new("setpriv");
        self.context.prepare(&mut command);
        let ids = [format!("--reuid={OTHER}"), format!("--regid={OTHER}")];
        command.args(ids).arg("--clear-groups").arg(self.context.home().join("argus"));
        command.arg("--registry").arg(self.registry()).args(arguments);
        command.current_dir(&self.home).stdin(Stdio::null());
        command.output().expect("setpriv is installed").into()
    }
}

#[test]
fn root_is_neither_served_by_another_users_daemon_nor_does_it_use_it() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    let run = other.argus(&["announce", "--id", "his", "--pid", "1"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(other.argus(&["--daemon-only", "get", "his"]).code, 0);

    // Whatever root may do to files: the daemon does not talk to it.
    let socket = argus_store::Paths::new(&other.registry()).expect("a path").socket();
    let mut stream = UnixStream::connect(&socket).expect("root may");
    // It may have closed already; and what was sent and not read resets the connection.
    let _ = stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n");
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));

    // And a client of root's changes nothing there.
    let registry = other.registry().to_string_lossy().into_owned();
    let before = fs::read(other.registry()).expect("root may");
    let run = context.argus(&["--registry", &registry, "--json", "announce", "--id", "x"]);
    assert_eq!((run.code, run.error()["code"].as_str()), (8, Some("E_PERMISSION")), "{run:?}");
    assert_eq!(fs::read(other.registry()).expect("root may"), before);

    assert_eq!(other.argus(&["daemon", "stop"]).code, 0);
    until("his daemon has ended", || (!socket.exists()).then_some(()));
}

#[test]
fn a_folder_that_another_user_made_first_is_not_used() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    // In the place of this user's own folder.
    fs::create_dir(context.paths().folder()).expect("own folder");
    chown(context.paths().folder(), Some(OTHER), Some(OTHER)).expect("root may");
    for way in [&["--direct"][..], &[]] {
        let run = context.argus(&[way, &["--json", "announce", "--id", "x"]].concat());
        assert_eq!((run.code, run.error()["code"].as_str()), (8, Some("E_PERMISSION")), "{run:?}");
        assert!(run.error()["message"].as_str().expect("text").contains("belongs to user 65534"));
    }
    assert!(!context.registry().exists());
    drop(other);
}

/// Seen to fail with a folder that is looked for under `/` instead.
#[test]
fn a_user_without_a_home_is_told_what_to_set() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    let argus = |home: Option<&PathBuf>| {
        let mut command = Command::new("setpriv");
        context.prepare(&mut command);
        command.env_remove("HOME").env_remove("ARGUS_HOME");
        // A number that no user has.
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups"]);
        command.envs(home.map(|home| ("ARGUS_HOME", home))).arg(context.home().join("argus"));
        Run::from(command.args(["--json", "ls"]).output().expect("setpriv is installed"))
    };
    let run = argus(None);
    assert_eq!((run.code, run.error()["code"].as_str()), (8, Some("E_PERMISSION")), "{run:?}");
    assert!(run.error()["message"].as_str().expect("text").contains("ARGUS_HOME"), "{run:?}");
    assert_eq!(argus(Some(&other.home)).code, 0);
}

/// What a source's owner may not read is told once for each path, spoils nothing else, and is found as soon as
/// it may be read again. Root may read everything, so that no test of root's can show it.
#[test]
fn what_may_not_be_read_in_a_folder_of_tasks_is_told_once_and_found_when_it_may() {
    let context = TestContext::new();
    let other = OtherUser::new(&context);
    let folder = other.home.join("tasks");
    let write = |name: &str| {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).expect("own folder");
        let metadata = serde_json::json!({ "name": name, "version": "1.0.0" }).to_string();
        fs::write(folder.join("metadata.json"), metadata).expect("own folder");
        fs::write(folder.join("main.js"), "exports.run = () => 1;\n").expect("own folder");
        folder
    };
    write("open");
    // They are root's: the other user can neither read them nor make them readable.
    let closed = [write("closed-1"), write("closed-2")];
    let allow = |mode| {
        for folder in &closed {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("own folder");
        }
    };
    allow(0o700);
    let run = other.argus(&["--json", "sources", "add", &folder.to_string_lossy()]);
    assert_eq!(run.code, 0, "{run:?}");
    let source = || {
        let sources = other.argus(&["--json", "sources", "ls"]).data();
        sources["sources"][0].clone()
    };
    for _ in 0..3 {
        assert_eq!(other.argus(&["sources", "sync"]).code, 0);
        let source = source();
        let errors = source["errors"].as_array().expect("errors");
        let told: Vec<(&str, &str)> = errors
            .iter()
            .map(|error| {
                (error["path"].as_str().unwrap_or(""), error["code"].as_str().unwrap_or(""))
            })
            .collect();
        let paths: Vec<String> =
            closed.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
        assert_eq!(told, [(&*paths[0], "UNREADABLE"), (&*paths[1], "UNREADABLE")], "{source}");
        assert_eq!((&source["tasks"], &source["invalid"]), (&1.into(), &0.into()), "{source}");
    }
    allow(0o755);
    until("they are found", || (source()["tasks"] == 3).then_some(()));
    assert_eq!(source()["errors"], serde_json::json!([]));
    assert_eq!(other.argus(&["daemon", "stop"]).code, 0);
}

//! Programs in another pid namespace, as in a container, that share the home: their pids mean
//! nothing here, and nobody is declared dead, or robbed of a lock, by one.
//!
//! `unshare` makes the namespace and `nsenter` starts programs in it. Seen to fail with pids that
//! are compared across namespaces, and with a lockfile of argus' own that is judged like others.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

use argus_presence::ThisMachine;
use argus_proto::process::Machine;
use argus_tests::{Run, TestContext, ended, executables, until};
use serde_json::{Value, json};

use crate::strace::{Fault, assert_no_debris};

/// How many announcements each side makes at the same time as the other.
const ANNOUNCEMENTS: usize = 15;

/// The first process of a namespace does nothing. It has copies of all mounts, and a disk that
/// loses its power elsewhere is to be gone everywhere.
const FIRST: &str = "grep -o ' /[^ ]*/argus-disk-[^ ]*' /proc/self/mounts \
    | xargs --no-run-if-empty umount --lazy 2>/dev/null; exec cat";

/// A pid namespace with one process in it, whose pid there is 1. It ends when this is dropped.
struct Namespace {
    unshare: Child,
    /// The pid out here of the process in it.
    first: u32,
}

impl Namespace {
    fn new() -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", FIRST]);
        let unshare = unshare.stdin(Stdio::piped()).spawn().expect("unshare is installed");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let first = until("it has its first process", || {
            let first = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            // Before that it is `unshare` or `sh` still.
            let name = fs::read_to_string(format!("/proc/{first}/comm")).ok()?;
            (name == "cat\n").then_some(first)
        });
        Namespace { unshare, first }
    }

    /// What the namespace is called in a record.
    fn number(&self) -> u64 {
        fs::metadata(format!("/proc/{}/ns/pid", self.first)).expect("it runs").ino()
    }

    /// Puts a program into it.
    fn enter(&self, context: &TestContext, program: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        context.prepare(&mut nsenter);
        nsenter.args(["--target", &self.first.to_string(), "--pid", "--mount"]);
        nsenter.arg(format!("--wd={}", context.home().display()));
        nsenter.arg(program.get_program()).args(program.get_args());
        nsenter
    }

    /// Runs `argus` in it to its end.
    fn argus(&self, context: &TestContext, arguments: &[&str]) -> Run {
        let mut nsenter = self.enter(context, &context.command(arguments));
        nsenter.output().expect("nsenter is installed").into()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        until("everyone in it has ended", || ended(self.first).then_some(()));
    }
}

#[test]
fn who_lives_in_another_namespace_is_not_taken_for_dead() {
    let context = TestContext::new();
    let namespace = Namespace::new();
    let process = context.bystander();
    let run = namespace.argus(&context, &["--direct", "announce", "--id", "inside", "--pid", "1"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let pid = process.pid().to_string();
    let run = context.argus(&["--direct", "announce", "--id", "outside", "--pid", &pid]);
    assert_eq!(run.code, 0, "{run:?}");

    let own = fs::metadata("/proc/self/ns/pid").expect("it is there").ino();
    let watchers = context.document()["watchers"].clone();
    assert_eq!(watchers["inside"]["process"]["pidNamespace"], namespace.number());
    assert_eq!(watchers["outside"]["process"]["pidNamespace"], own);
    let assert_unharmed = |run: Run| {
        assert_eq!(run.data()["removedIds"], json!([]));
        assert_eq!(run.data()["keptIds"], json!(["inside", "outside"]));
    };
    assert_unharmed(namespace.argus(&context, &["--direct", "--json", "prune", "--ttl", "1h"]));
    assert_unharmed(context.argus(&["--direct", "--json", "prune", "--ttl", "1h"]));
    // Not even when it is so: from here nobody can tell.
    drop(namespace);
    assert_unharmed(context.argus(&["--direct", "--json", "prune", "--ttl", "1h"]));
    assert_eq!(context.start_daemon(), context.daemons()[0]);
    assert_unharmed(context.argus(&["--daemon-only", "--json", "prune", "--ttl", "1h"]));
}

#[test]
fn a_lockfile_of_another_namespace_is_not_judged_by_its_pid() {
    let context = TestContext::new();
    let namespace = Namespace::new();
    let holder = ThisMachine.identify(namespace.first).expect("it runs");
    let content = json!({
        "pid": 1, "startTime": holder.start_time, "bootId": holder.boot_id,
        "pidNamespace": namespace.number(),
    });
    let content = content.to_string();
    fs::write(context.paths().lockfile(), &content).expect("own folder");
    let arguments = ["--direct", "announce", "--id", "new", "--pid", "1"];
    let assert_held = |run: Run| {
        assert_eq!(run.code, 6, "{run:?}");
        assert_eq!(fs::read_to_string(context.paths().lockfile()).expect("there"), content);
    };
    assert_held(namespace.argus(&context, &arguments));
    assert_held(context.argus(&arguments));
    drop(namespace);
    assert_held(context.argus(&arguments));
}

#[test]
fn a_lockfile_left_behind_in_another_namespace_is_taken_over_at_once() {
    let context = TestContext::new();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
    let namespace = Namespace::new();
    let calls = "rename,renameat,renameat2";
    let killed = Fault { calls, effect: "signal=KILL", when: "1".to_owned() };
    let mut program = killed.command(&context, &executables().argus);
    program.args(["--direct", "announce", "--id", "new", "--pid", "1"]);
    let run = namespace.enter(&context, &program).output().expect("nsenter is installed");
    assert!(!run.status.success(), "{run:?}");
    let content = fs::read(context.paths().lockfile()).expect("it was left behind");
    let content: Value = serde_json::from_slice(&content).expect("it is whole");
    assert_eq!(content["pidNamespace"], namespace.number());
    assert_eq!(content["by"], "argus");

    let run = context.argus(&["--direct", "announce", "--id", "next"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(context.ids(), ["kept", "next"]);
    assert_no_debris(&context);
}

#[test]
fn writers_in_two_namespaces_lose_nothing() {
    let context = TestContext::new();
    let namespace = Namespace::new();
    let announce_all = |side: &str| {
        let argus = executables().argus.display();
        let mut shell = Command::new("sh");
        let script = format!(
            "set -e; for number in $(seq {ANNOUNCEMENTS}); do \
             {argus} --direct announce --id {side}-$number --pid 1 >/dev/null; done"
        );
        shell.args(["-c", &script]);
        shell
    };
    let inside = namespace.enter(&context, &announce_all("inside")).spawn();
    let mut outside = announce_all("outside");
    context.prepare(&mut outside);
    let outside = outside.spawn().expect("sh can be run");
    for mut side in [inside.expect("nsenter is installed"), outside] {
        assert!(side.wait().expect("own child").success());
    }
    assert_eq!(context.ids().len(), 2 * ANNOUNCEMENTS);
    assert_no_debris(&context);
}

#[test]
fn a_daemon_in_another_namespace_costs_no_announcement() {
    for daemon_is_inside in [false, true] {
        let context = TestContext::new();
        let namespace = Namespace::new();
        let process = context.bystander();
        let pid = process.pid().to_string();
        let started = match daemon_is_inside {
            true => namespace.argus(&context, &["daemon", "start"]),
            false => context.argus(&["daemon", "start"]),
        };
        assert_eq!(started.code, 0, "{started:?}");
        let run = namespace.argus(&context, &["announce", "--id", "inside", "--pid", "1"]);
        assert_eq!(run.code, 0, "{run:?}");
        let run = context.argus(&["announce", "--id", "outside", "--pid", &pid]);
        assert_eq!(run.code, 0, "{run:?}");
        let watchers = context.document()["watchers"].clone();
        let outside = ThisMachine.identify(process.pid()).expect("it runs");
        assert_eq!(watchers["inside"]["process"]["pidNamespace"], namespace.number());
        assert_eq!(watchers["outside"]["process"]["startTime"], outside.start_time);
        assert_eq!(context.daemons().len(), 1);
        drop(namespace);
    }
}

/// Seen to fail with parent 0 announced as it is.
#[test]
fn a_caller_outside_the_pid_namespace_is_asked_to_name_a_process() {
    let context = TestContext::new();
    let announce = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        context.prepare(&mut command);
        command.args(["--pid", "--fork", "--mount-proc"]).arg(&executables().argus);
        command.args(["--json", "--direct", "announce", "--id", "x"]).args(arguments);
        Run::from(command.output().expect("unshare is installed"))
    };
    let run = announce(&[]);
    assert_eq!((run.code, run.error()["code"].as_str()), (2, Some("E_USAGE")), "{run:?}");
    assert!(run.error()["hint"].as_str().expect("a hint").contains("--pid"), "{run:?}");
    assert!(!context.registry().exists());

    // Process 1 in there is argus itself.
    assert_eq!(announce(&["--pid", "1"]).data()["id"], "x");
    assert_eq!(context.document()["watchers"]["x"]["pid"], 1);
    let listing = context.argus(&["--direct", "--json", "ls"]).data();
    assert_eq!(listing["records"][0]["state"], "live", "from here its death is not to be proven");
}

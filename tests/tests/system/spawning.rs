//! One daemon is started, whoever else is starting it, and it holds on to nothing of theirs.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use argus_tests::{TestContext, ended, executables, signal_process, until};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;

#[test]
fn fifty_announcements_at_once_start_exactly_one_daemon() {
    for _ in 0..20 {
        let context = TestContext::new();
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let id = format!("app-{number}");
                context
                    .command(&["announce", "--id", &id, "--pid", &std::process::id().to_string()])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("argus can be run")
            })
            .collect();
        for call in calls {
            let output = call.wait_with_output().expect("it was started here");
            assert!(output.status.success(), "{output:?}");
            assert!(output.stderr.is_empty(), "nobody had to do without the daemon: {output:?}");
        }
        assert_eq!(context.daemons().len(), 1);
        assert_eq!(context.ids().len(), 50);
        let log = fs::read_to_string(context.paths().log()).expect("a log");
        assert_eq!(log.matches("serving").count(), 1, "{log}");
    }
}

#[test]
fn a_command_substitution_returns_although_it_starts_the_daemon() {
    let context = TestContext::new();
    let mut shell = Command::new("sh");
    context.prepare(&mut shell);
    let argus = executables().argus.display();
    let output = shell
        .arg("-c")
        .arg(format!("name=$({argus} announce --id x); echo got $name"))
        .output()
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "got x\n");
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn the_daemon_keeps_no_descriptor_of_its_caller_open() {
    let context = TestContext::new();
    let (mut reading, writing) = std::io::pipe().expect("a pipe");
    // As a shell does with `exec 9>pipe`: the caller's children inherit it.
    fcntl_setfd(writing.as_fd(), FdFlags::empty()).expect("an open descriptor");
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(context.daemons().len(), 1);
    drop(writing);
    let mut rest = Vec::new();
    reading.read_to_end(&mut rest).expect("the end comes, since nobody holds the other end");
}

#[test]
fn the_daemon_leaves_its_callers_session_and_folder() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    assert_eq!(session_of(&pid.to_string()), pid.to_string(), "it leads a session of its own");
    assert_ne!(session_of("self"), pid.to_string());
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).expect("it runs");
    assert_eq!(cwd, std::path::Path::new("/"));
}

/// Read as text, because it is 0 for a session that was begun outside this pid namespace, which
/// is no valid pid to the typed calls.
fn session_of(process: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("fields");
    after_name.split_whitespace().nth(3).expect("the session").to_owned()
}

#[test]
fn reading_starts_no_daemon_and_writes_nothing() {
    let context = TestContext::new();
    for arguments in [
        &["ls"][..],
        &["get", "x"],
        &["resolve"],
        &["status"],
        &["doctor"],
        &["daemon", "status"],
        &["daemon", "stop"],
    ] {
        context.argus(arguments);
    }
    assert!(context.daemons().is_empty());
    assert_eq!(fs::read_dir(context.home()).expect("a folder").count(), 0);
}

#[test]
fn the_socket_of_a_killed_daemon_does_not_stand_in_the_way() {
    let context = TestContext::new();
    let first = context.start_daemon();
    signal_process(first, Signal::KILL);
    until("the daemon is dead", || ended(first).then_some(()));
    assert!(context.paths().socket().exists());
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    // While the last thread of the dead one is ending, its lock is still held: one that was started then
    // gives way to the next.
    until("one daemon is left", || {
        let daemons = context.daemons();
        (daemons.len() == 1 && daemons[0] != first).then_some(())
    });
}

/// `argus` without `argusd` beside it, so that `ARGUSD` counts.
fn lonely_argus(context: &TestContext) -> Command {
    let folder = context.home().join("bin");
    let argus = folder.join("argus");
    if !argus.exists() {
        fs::create_dir_all(&folder).expect("own folder");
        // By another process: one that this process has open for writing cannot be run, and a
        // child that another test is just starting has open what this process has.
        let copied = Command::new("cp").arg(&executables().argus).arg(&argus).status();
        assert!(copied.expect("cp can be run").success());
    }
    let mut command = Command::new(argus);
    context.prepare(&mut command);
    command
}

/// A script in the daemon's place, written by another process for the same reason.
fn in_place_of_argusd(context: &TestContext, script: &str) -> PathBuf {
    let (source, script_path) = (context.home().join("source"), context.home().join("script"));
    fs::write(&source, format!("#!/bin/sh\n{script}\n")).expect("own folder");
    let installed = Command::new("install").arg(&source).arg(&script_path).status();
    assert!(installed.expect("install can be run").success());
    script_path
}

/// A process that is killed when the test ends.
struct Killed(u32);

impl Drop for Killed {
    fn drop(&mut self) {
        signal_process(self.0, Signal::KILL);
    }
}

/// Seen to fail with a daemon that is killed when its time to start is over.
#[test]
fn a_daemon_that_hangs_while_it_starts_is_worked_around_and_not_killed() {
    let context = TestContext::new();
    let hanging = in_place_of_argusd(&context, "echo $$ > \"$0.pid\"; exec sleep 600");
    let output = lonely_argus(&context)
        .env("ARGUSD", &hanging)
        .args(["announce", "--id", "x"])
        .output()
        .expect("argus can be run");
    let started = fs::read_to_string(hanging.with_extension("pid")).expect("it was started");
    let started = Killed(started.trim().parse().expect("a pid"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("was not ready after 3s"), "{stderr}");
    assert!(stderr.contains("went to the file instead"), "{stderr}");
    assert_eq!(context.ids(), ["x"]);
    assert!(!ended(started.0), "it may be slow only");
}

#[test]
fn after_three_failed_starts_nobody_tries_for_a_while_and_all_calls_are_served() {
    let context = TestContext::new();
    let tries = context.home().join("tries");
    let broken =
        in_place_of_argusd(&context, &format!("echo try >> '{}'; exit 1", tries.display()));
    for number in 0..5 {
        let output = lonely_argus(&context)
            .env("ARGUSD", &broken)
            .args(["announce", "--id", &format!("app-{number}")])
            .output()
            .expect("argus can be run");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains("went to the file instead"), "{stderr}");
    }
    let tried = fs::read_to_string(&tries).expect("it was tried").lines().count();
    assert_eq!(tried, 3);
    assert_eq!(context.ids().len(), 5);
}

#[test]
fn without_an_executable_the_work_is_done_on_the_file() {
    let context = TestContext::new();
    let output = lonely_argus(&context)
        .env("PATH", context.home())
        .args(["announce", "--id", "x"])
        .output()
        .expect("argus can be run");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("no argusd beside this program"), "{stderr}");
    assert_eq!(context.ids(), ["x"]);
}

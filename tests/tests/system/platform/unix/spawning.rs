//! Starting the daemon from a shell, into a session of its own, and past a dead one's socket.

use std::fs;
use std::process::Command;

use argus_tests::{TestContext, ended, executables, kill, until};

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
fn the_socket_of_a_killed_daemon_does_not_stand_in_the_way() {
    let context = TestContext::new();
    let first = context.start_daemon();
    kill(first);
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

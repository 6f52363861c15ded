//! How a daemon begins and ends.

use std::fs;
use std::process::Stdio;

use argus_client::{Mode, announcement};
use argus_tests::{Rpc, Stopped, TestContext, ended, executables, until};
use serde_json::json;

#[test]
fn stop_waits_for_the_end_and_start_follows_at_once() {
    let context = TestContext::new();
    let first = context.start_daemon();
    let run = context.argus(&["--json", "daemon", "stop"]);
    assert_eq!(run.data()["stopping"], true);
    assert!(ended(first));
    assert_eq!(context.argus(&["--json", "daemon", "stop"]).data()["stopping"], false);
    let second = context.start_daemon();
    assert_eq!(context.start_daemon(), second, "one that runs is left alone");
    let report = context.argus(&["--json", "daemon", "restart"]).data();
    assert_ne!(report["pid"], second);
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn a_second_one_is_refused_and_the_first_unharmed() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut command = std::process::Command::new(&executables().argusd);
    context.prepare(&mut command);
    let output = command.output().expect("argusd can be run");
    assert_eq!(output.status.code(), Some(6));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("another argusd already serves"), "{stderr}");
    assert_eq!(context.daemons(), [pid]);
    context.client(Mode::DaemonOnly).list(Default::default()).expect("served");
}

#[test]
fn it_ends_by_itself_when_nobody_is_connected_and_not_before() {
    let context = TestContext::new();
    let mut command = std::process::Command::new(&executables().argusd);
    context.prepare(&mut command);
    command.args(["--idle-timeout", "300ms"]).stderr(Stdio::piped());
    let mut daemon = command.spawn().expect("argusd can be run");
    until("it listens", || context.is_served().then_some(()));
    let mut connected = context.rpc();
    let served = std::time::Instant::now();
    while served.elapsed() < std::time::Duration::from_secs(1) {
        connected.result("status", json!({}));
    }
    drop(connected);
    until("it ends", || daemon.try_wait().expect("own child"));
    let log = fs::read_to_string(context.paths().log()).expect("a log");
    assert!(log.contains("nobody has been connected"), "{log}");
    assert!(!context.is_served());
}

#[test]
fn it_runs_in_the_foreground_as_well() {
    let context = TestContext::new();
    let mut foreground = context
        .command(&["daemon", "run"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("argus can be run");
    until("it listens", || context.is_served().then_some(()));
    assert_eq!(context.daemons(), [foreground.id()]);
    context.client(Mode::DaemonOnly).announce(announcement("x").build()).expect("served");
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    let output = foreground.wait().expect("it was started here");
    assert!(output.success());
    let run = context.argus(&["daemon", "logs"]);
    assert!(run.stdout.contains("serving") && run.stdout.contains("ending"), "{run:?}");
}

#[test]
fn requests_in_flight_are_answered_before_the_end() {
    let context = TestContext::new();
    context.start_daemon();
    let mut rpc = context.rpc();
    let mut lines = String::new();
    for number in 0..50 {
        let params = json!({ "record": { "id": format!("app-{number}") } });
        lines += &format!(
            "{}\n",
            json!({ "jsonrpc": "2.0", "id": number, "method": "announce", "params": params })
        );
    }
    lines += &format!("{}\n", json!({ "jsonrpc": "2.0", "id": 50, "method": "shutdown" }));
    rpc.send(lines.as_bytes());
    let mut acknowledged = 0;
    while let Some(answer) = rpc.receive() {
        acknowledged += usize::from(answer["result"]["created"] == true);
    }
    assert_eq!(acknowledged, 50);
    assert_eq!(context.ids().len(), 50);
}

/// Fails on Windows where one instance of the pipe is there at a time: a pipe has no queue.
#[test]
fn eight_can_connect_while_the_daemon_is_busy_and_are_served_then() {
    let context = TestContext::new();
    let stopped = Stopped::new(context.start_daemon());
    let mut connections: Vec<Rpc> = (0..8).map(|_| context.rpc()).collect();
    drop(stopped);
    for connection in &mut connections {
        assert_eq!(connection.result("list", json!({}))["records"], json!([]));
    }
}

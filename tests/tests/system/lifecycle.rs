//! How a daemon ends, and what it does when its files vanish.

use std::fs;
use std::process::Stdio;

use argus_client::{Mode, announcement};
use argus_tests::{TestContext, ended, executables, signal_process, until};
use rustix::process::Signal;
use serde_json::json;

#[test]
fn a_signal_ends_it_with_everything_written() {
    for signal in [Signal::TERM, Signal::INT] {
        let context = TestContext::new();
        let pid = context.start_daemon();
        let client = context.client(Mode::DaemonOnly);
        client.announce(announcement("app").build()).expect("served");
        let heartbeat = argus_client::method::Heartbeat { id: "app".into(), pid: None };
        let refreshed = client.heartbeat(heartbeat).expect("served");
        signal_process(pid, signal);
        until("the daemon ends", || ended(pid).then_some(()));
        // The heartbeat was in memory only, and is not lost.
        assert_eq!(context.document()["watchers"]["app"]["updatedAt"], refreshed.updated_at);
        assert!(!context.paths().socket().exists());
        assert!(!context.paths().endpoint().exists());
        assert!(!context.paths().lockfile().exists());
    }
}

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
    until("it listens", || context.paths().socket().exists().then_some(()));
    let mut connected = context.rpc();
    let served = std::time::Instant::now();
    while served.elapsed() < std::time::Duration::from_secs(1) {
        connected.result("status", json!({}));
    }
    drop(connected);
    until("it ends", || daemon.try_wait().expect("own child"));
    let log = fs::read_to_string(context.paths().log()).expect("a log");
    assert!(log.contains("nobody has been connected"), "{log}");
    assert!(!context.paths().socket().exists());
}

#[test]
fn a_socket_that_vanished_is_made_again() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut connected = context.rpc();
    connected.result("status", json!({}));
    fs::remove_file(context.paths().socket()).expect("own socket");
    until("it listens again", || context.paths().socket().exists().then_some(()));
    context.client(Mode::DaemonOnly).list(Default::default()).expect("served");
    connected.result("status", json!({}));
    assert_eq!(context.daemons(), [pid]);
}

#[test]
fn it_ends_when_its_folder_or_its_lock_is_gone() {
    for victim in ["registry.json.d", "registry.json.d/owner.lock"] {
        let context = TestContext::new();
        let pid = context.start_daemon();
        let victim = context.home().join(victim);
        if victim.is_dir() {
            fs::remove_dir_all(&victim).expect("own folder");
        } else {
            fs::remove_file(&victim).expect("own file");
        }
        until("the daemon ends", || ended(pid).then_some(()));
        let run = context.argus(&["announce", "--id", "x"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(context.daemons().len(), 1);
    }
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
    until("it listens", || context.paths().socket().exists().then_some(()));
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

#[test]
fn a_silent_connection_costs_nobody_his_heartbeat_at_the_end() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let _silent = context.rpc();
    let client = context.client(Mode::DaemonOnly);
    client.announce(announcement("app").build()).expect("served");
    let heartbeat = argus_client::method::Heartbeat { id: "app".into(), pid: None };
    let refreshed = client.heartbeat(heartbeat).expect("served");
    signal_process(pid, Signal::TERM);
    until("the daemon ends", || ended(pid).then_some(()));
    assert_eq!(context.document()["watchers"]["app"]["updatedAt"], refreshed.updated_at);
}

#[test]
fn the_endpoint_of_the_next_daemon_is_not_taken_away_by_the_last() {
    let context = TestContext::new();
    let first = context.start_daemon();
    fs::remove_dir_all(context.paths().folder()).expect("own folder");
    assert_eq!(context.argus(&["announce", "--id", "x"]).code, 0);
    until("the first daemon has noticed", || ended(first).then_some(()));
    let endpoint = fs::read(context.paths().endpoint()).expect("it is there");
    let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).expect("JSON");
    assert_eq!(json!([endpoint["pid"]]), json!(context.daemons()));
}

//! A daemon that is sent a signal, and one whose files vanish while it has them open.

use std::fs;

use argus_client::{Mode, announcement};
use argus_tests::{TestContext, ended, signal_process, until};
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

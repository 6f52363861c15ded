//! A daemon that is sent a signal, and one whose files vanish while it has them open.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use argus_client::{Mode, announcement};
use argus_store::kernel_lock::OWNER_LOCK;
use argus_store::{Folder, KernelLock};
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

/// The lock of a daemon that was killed is free only when the last of its threads has come back from the
/// disk; what it listened on is there still. Fails where that is taken for somebody who serves.
#[test]
fn a_daemon_waits_for_the_lock_of_one_that_was_killed() {
    let context = TestContext::new();
    let folder = Folder::create(&context.paths()).expect("own folder");
    let lock = KernelLock::try_acquire(&folder, OWNER_LOCK).expect("own").expect("free");
    drop(UnixListener::bind(context.paths().socket()).expect("own folder"));
    let mut start = context.command(&["daemon", "start"]).spawn().expect("argus can be run");
    until("a daemon waits", || (!context.daemons().is_empty()).then_some(()));
    // It looks for the lock more than once meanwhile.
    std::thread::sleep(Duration::from_millis(300));
    assert!(start.try_wait().expect("own child").is_none(), "it is waited for");
    drop(lock);
    assert!(start.wait().expect("own child").success());
    assert_eq!(context.daemons().len(), 1);
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

//! A record that nobody refreshes goes after its TTL, though its process lives; one that is
//! refreshed stays, and so does one that nobody could refresh. Takes two minutes.

use std::time::{Duration, Instant};

use argus_client::method::{Heartbeat, Subscribe};
use argus_client::{EventKind, Mode, Reason, Watcher, announcement};
use argus_tests::{Stopped, TestContext};

const TTL: Duration = Duration::from_secs(60);
/// Far longer than it may take.
const PATIENCE: Duration = Duration::from_secs(120);
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// Seen to fail with silence counted from the last look, so that it never lasts.
#[test]
fn who_is_silent_for_longer_than_its_ttl_goes_and_who_is_not_stays() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let begun = Instant::now();
    for id in ["silent", "beating"] {
        client.announce(announcement(id).vouch(false).build()).expect("announced");
    }
    assert_eq!(context.argus(&["announce", "--id", "vouched", "--pid", "1"]).code, 0);
    let mut events = client.subscribe(Subscribe::default());
    let removed = loop {
        assert!(begun.elapsed() < PATIENCE, "it stays");
        client.heartbeat(Heartbeat { id: "beating".into(), pid: None }).expect("refreshed");
        match events.next_within(BEAT_EVERY).expect("it goes on") {
            Some(event) if event.kind == EventKind::Removed => break event,
            _ => {}
        }
    };
    assert_eq!(removed.id.as_deref(), Some("silent"));
    assert_eq!(removed.reason, Some(Reason::HeartbeatLost));
    assert!(begun.elapsed() >= TTL, "not before its time: this is a promise, not a speed");
    assert_eq!(context.ids(), ["beating", "vouched"]);
}

/// Nobody could tell it that he lives. Seen to fail with silence that counts on while the daemon
/// does not run.
#[test]
fn a_daemon_that_was_stopped_for_longer_than_a_ttl_removes_nobody_who_lives() {
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let process = context.bystander();
    let client = context.client(Mode::DaemonOnly);
    client.announce(announcement("silent").pid(process.pid()).vouch(false).build()).expect("made");
    let watcher = announcement("watcher").build();
    let watcher = Watcher::start(context.options(Mode::Auto), watcher).expect("announced");

    let stopped = Stopped::new(daemon);
    std::thread::sleep(2 * TTL);
    drop(stopped);
    let mut events = client.subscribe(Subscribe::default());
    assert!(events.next_event().expect("it goes on").records.is_some_and(|all| all.len() == 2));
    let begun = Instant::now();
    // It looks every half second who is to go.
    while begun.elapsed() < 2 * BEAT_EVERY {
        let event = events.next_within(BEAT_EVERY).expect("it goes on");
        assert!(event.is_none_or(|event| event.kind != EventKind::Removed));
    }
    assert_eq!(context.ids(), ["silent", "watcher"]);
    watcher.close().expect("closed");
}

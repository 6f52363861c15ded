//! A record that nobody refreshes goes after its TTL, though its process lives; one that is
//! refreshed stays. Takes a minute.
//!
//! Seen to fail with silence counted from the last look, so that it never lasts.

use std::time::{Duration, Instant};

use argus_client::method::{Heartbeat, Subscribe};
use argus_client::{EventKind, Mode, Reason, announcement};
use argus_tests::TestContext;

const TTL: Duration = Duration::from_secs(60);
/// Far longer than it may take.
const PATIENCE: Duration = Duration::from_secs(120);
const BEAT_EVERY: Duration = Duration::from_secs(5);

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

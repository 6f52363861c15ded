//! Who has finished sending and still listens, as only sockets can.

use argus_tests::{Stopped, TestContext};
use serde_json::json;

use crate::events::{Subscriber, told};

#[test]
fn a_last_line_without_a_line_feed_is_answered() {
    let context = TestContext::new();
    context.start_daemon();
    let mut rpc = context.rpc();
    rpc.send(br#"{"jsonrpc":"2.0","id":1,"method":"list"}"#);
    rpc.finish_sending();
    assert_eq!(rpc.receive().expect("an answer")["id"], 1);
    assert!(rpc.receive().is_none());
}

#[test]
fn a_subscriber_that_has_finished_sending_is_told_all_the_same() {
    let context = TestContext::new();
    context.start_daemon();
    let mut subscriber = Subscriber::new(&context, json!({}));
    subscriber.rpc.finish_sending();
    let pid = std::process::id().to_string();
    assert_eq!(context.argus(&["announce", "--id", "a", "--pid", &pid]).code, 0);
    assert_eq!(subscriber.told(), told("added", "a", "announced", 1));
}

/// It has not gone away, as in `a_change_whose_caller_has_gone_away_is_not_made`.
#[test]
fn one_that_only_finished_sending_is_answered() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut half_closed = context.rpc();
    half_closed.result("status", json!({}));
    let stopped = Stopped::new(pid);
    let params = json!({ "record": { "id": "half-closed" } });
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": "announce", "params": params });
    half_closed.send(format!("{request}\n").as_bytes());
    half_closed.finish_sending();
    drop(stopped);
    let answer = half_closed.receive().expect("an answer");
    assert_eq!(answer["result"]["id"], "half-closed", "{answer}");
    assert!(half_closed.receive().is_none());
    assert_eq!(context.ids(), ["half-closed"]);
}

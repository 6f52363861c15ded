//! A peer that reads nothing: how long it may be written to, and what it costs in memory, only
//! sockets and `/proc` tell.

use std::io::Write;
use std::time::Duration;

use argus_client::Mode;
use argus_client::method::List;
use argus_proto::Call;
use argus_proto::wire::PREAMBLE;
use argus_proto::wire::binary::{self, ClientMessage};
use argus_tests::TestContext;

use crate::limits::{assert_unharmed, connect};

#[test]
fn a_peer_that_reads_no_answers_holds_nobody_up() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    for number in 0..20 {
        let note = serde_json::Value::from("x".repeat(60 * 1024));
        let record = argus_client::announcement(&format!("big-{number}")).field("note", &note);
        client.announce(record.build()).expect("served");
    }
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n";
    let list = Call::new(List::default());
    let frame = binary::frame(
        &binary::encode_request(&ClientMessage { id: 1, call: list }).expect("small"),
    );
    let mut deaf = Vec::new();
    for (opening, message) in [(&b""[..], &line[..]), (&PREAMBLE, &frame)] {
        let mut peer = connect(&context);
        peer.set_write_timeout(Duration::from_millis(500));
        peer.write_all(opening).expect("it reads");
        // Until the daemon reads no more of them: it works on a bounded number at a time.
        while peer.write_all(&message.repeat(1000)).is_ok() {}
        deaf.push(peer);
    }
    assert_unharmed(&context, pid);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let resident: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok())
        .expect("a size");
    assert!(resident < 100 * 1024, "{resident} kB for two peers that do not read");
}

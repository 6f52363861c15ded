//! What a peer may send and how much of it; whatever it does, the daemon and the others are
//! unharmed.

use std::io::{Read, Write};

use argus_client::Mode;
use argus_client::method::List;
use argus_proto::wire::PREAMBLE;
use argus_tests::{Connection, DEADLINE, Rpc, TestContext, raise_descriptor_limit};
use serde_json::json;

pub(crate) fn connect(context: &TestContext) -> Connection {
    Connection::open(&context.paths().socket(), DEADLINE).expect("the daemon listens")
}

/// Whatever was done to the daemon: it runs, and serves others.
pub(crate) fn assert_unharmed(context: &TestContext, pid: u32) {
    context.client(Mode::DaemonOnly).list(List::default()).expect("others are served");
    assert_eq!(context.daemons(), [pid]);
}

#[test]
fn bad_lines_get_their_error_and_the_connection_goes_on() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut rpc = context.rpc();
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"get","params":{{"id":"a","x":{}{}}}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"x":"{}"}}"#, "y".repeat(2 << 20));
    let rows: [(&[u8], i64, &str); 12] = [
        (b"{", -32700, "E_PROTOCOL"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, "E_PROTOCOL"),
        (deep.as_bytes(), -32700, "E_PROTOCOL"),
        (b"[]", -32600, "E_PROTOCOL"),
        (b"{}", -32600, "E_PROTOCOL"),
        (br#"{"jsonrpc":"1.0","id":1,"method":"list"}"#, -32600, "E_PROTOCOL"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"fly"}"#, -32601, "E_PROTOCOL"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"get"}"#, -32602, "E_USAGE"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"get","params":[]}"#, -32602, "E_USAGE"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"get","params":{"id":" "}}"#, -32602, "E_INVALID"),
        (br#"{"jsonrpc":"2.0","id":1,"method":"get","params":{"id":"a"}}"#, -32000, "E_NOT_FOUND"),
        (long.as_bytes(), -32000, "E_TOO_LARGE"),
    ];
    // The first byte of a connection chooses; later lines may begin with anything.
    rpc.result("status", json!({}));
    for (line, number, code) in rows {
        rpc.send(line);
        rpc.send(b"\n");
        let answer = rpc.receive().expect("an answer");
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        assert_eq!(answer["error"]["code"], number, "{shown}: {answer}");
        assert_eq!(answer["error"]["data"]["code"], code, "{shown}: {answer}");
    }
    rpc.result("list", json!({}));
    assert_unharmed(&context, pid);
}

fn exchange(stream: &mut Connection, frame: &[u8]) -> Vec<u8> {
    stream.write_all(frame).expect("it reads");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).expect("the whole of it");
    payload
}

#[test]
fn bad_frames_get_their_error_and_the_connection_goes_on() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut stream = connect(&context);
    stream.write_all(&PREAMBLE).expect("it reads");
    let frame = argus_proto::wire::binary::frame;
    let large = frame(&vec![1; 2 << 20]);
    let rows: [(&[u8], &str); 5] = [
        (&frame(&[1, 0xff, 0xff]), "the frame is no message"),
        (&frame(&[9]), "no known byte"),
        (&frame(&[]), "no known byte"),
        (&large, "at most 1048576 bytes"),
        (&frame(br#"{"jsonrpc":"2.0","id":1,"method":"fly"}"#), "no method `fly`"),
    ];
    for (bytes, expected) in rows {
        let payload = exchange(&mut stream, bytes);
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert!(text.contains(expected), "{text}");
    }
    let status = frame(br#"{"jsonrpc":"2.0","id":2,"method":"status"}"#);
    let payload = exchange(&mut stream, &status);
    assert!(String::from_utf8_lossy(&payload).contains("\"uptimeMs\""));
    assert_unharmed(&context, pid);
}

#[test]
fn who_speaks_neither_protocol_is_told_in_one_line() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    for opening in ["GET / HTTP/1.1\r\n\r\n", "\u{0}ARGUT\u{1}", "[]\n"] {
        let mut stream = connect(&context);
        stream.write_all(opening.as_bytes()).expect("it reads");
        let mut answer = String::new();
        // What was sent and not read resets the connection; the line has arrived before.
        let _ = stream.read_to_string(&mut answer);
        assert!(
            answer.starts_with("argusd: send JSON-RPC 2.0") && answer.ends_with('\n'),
            "{answer}"
        );
    }
    assert_unharmed(&context, pid);
}

#[test]
fn half_a_message_and_a_silent_peer_hold_nobody_up() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut silent = connect(&context);
    let mut half = connect(&context);
    half.write_all(b"{\"jsonrpc\"").expect("it reads");
    let mut half_frame = connect(&context);
    half_frame.write_all(&PREAMBLE).expect("it reads");
    half_frame.write_all(&[0, 0, 1, 0, 1]).expect("it reads");
    assert_unharmed(&context, pid);
    // The silent one is told so after five seconds, and closed.
    let mut told = String::new();
    silent.read_to_string(&mut told).expect("closed");
    assert!(told.contains("E_TIMEOUT") && told.lines().count() == 1, "{told}");
}

/// Takes the thirty seconds that the limit has.
///
/// Seen to fail with a connection that is closed without a word.
#[test]
fn half_a_message_is_told_so_and_closed_and_the_others_are_unharmed() {
    let context = TestContext::new();
    let pid = context.start_daemon();
    let half = [
        b"{\"jsonrpc\":\"2.0\",\"id\":1,".to_vec(),
        [&PREAMBLE[..], &[0, 0, 1, 0, 1]].concat(),
        // Of a message that is too long, and is being passed over.
        [&PREAMBLE[..], &[0xff; 100]].concat(),
    ];
    let halves = half.map(|bytes| {
        let stream = Connection::open(&context.paths().socket(), 2 * DEADLINE);
        let mut stream = stream.expect("the daemon listens");
        stream.write_all(&bytes).expect("it reads");
        stream
    });
    let mut whole = context.rpc();
    whole.result("list", json!({}));
    for mut stream in halves {
        let mut told = Vec::new();
        stream.read_to_end(&mut told).expect("told and closed");
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains("did not arrive within 30s"), "{told}");
    }
    whole.result("list", json!({}));
    assert_unharmed(&context, pid);
}

#[test]
fn beyond_the_most_connections_one_is_told_so_and_the_others_are_served() {
    raise_descriptor_limit();
    let context = TestContext::new();
    let pid = context.start_daemon();
    let mut first = context.rpc();
    first.result("status", json!({}));
    // Who is silent is not waited for until a thousand others have connected.
    let speaking: Vec<Rpc> = (0..1000)
        .map(|_| {
            let mut rpc = context.rpc();
            rpc.result("status", json!({}));
            rpc
        })
        .collect();
    let silent: Vec<Connection> = (0..23).map(|_| connect(&context)).collect();
    let mut refused = connect(&context);
    let mut answer = String::new();
    refused.read_to_string(&mut answer).expect("a line, and the end");
    assert!(answer.contains("E_BUSY") && answer.ends_with('\n'), "{answer}");
    first.result("list", json!({}));
    // A client that finds no place does its work on the file.
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("1024 connections"), "{run:?}");
    drop((speaking, silent));
    argus_tests::until("there is room again", || {
        context.client(Mode::DaemonOnly).list(List::default()).ok()
    });
    assert_eq!(context.daemons(), [pid]);
}

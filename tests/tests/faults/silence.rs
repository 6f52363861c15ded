//! A daemon that ends between the change and its answer.
//!
//! Seen to fail with the next daemon's refusal handed on as it is.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use argus_client::{Code, Mode, announcement};
use argus_proto::json::JsonText;
use argus_proto::limits::REQUEST_BYTES_MAX;
use argus_proto::wire::{Framing, PREAMBLE, Piece, Splitter, binary};
use argus_store::Folder;
use argus_tests::{DEADLINE, TestContext};

/// Serves one client as a daemon would, up to the answer to its first request.
fn serve_without_answer(listener: &UnixListener, registry: &Path) -> UnixStream {
    let (mut stream, _) = listener.accept().expect("a client connects");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
    stream.read_exact(&mut [0; PREAMBLE.len()]).expect("a client of the binary protocol");
    let mut splitter = Splitter::new(Framing::Lengths, REQUEST_BYTES_MAX);
    next_message(&mut stream, &mut splitter);
    let welcome = serde_json::json!({
        "server": "argusd", "version": "0.0.0", "protocol": 1, "instance": "x",
        "pid": std::process::id(), "registry": registry,
    });
    let answer = serde_json::json!({ "jsonrpc": "2.0", "id": 0, "result": welcome });
    let answer = JsonText::from_value(&answer);
    stream.write_all(&binary::frame(answer.as_str().as_bytes())).expect("it listens");
    next_message(&mut stream, &mut splitter);
    stream
}

fn next_message(stream: &mut UnixStream, splitter: &mut Splitter) {
    loop {
        match splitter.next_piece() {
            Some(Piece::Message(_)) => return,
            Some(Piece::TooLarge) => panic!("a request is small"),
            None => {}
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).expect("the client sends");
        assert!(read > 0, "the client has gone");
        splitter.push(&chunk[..read]);
    }
}

#[test]
fn what_the_last_daemon_may_have_done_is_not_denied_because_the_next_one_is_refused() {
    let context = TestContext::new();
    let paths = context.paths();
    Folder::create(&paths).expect("own folder");
    let listener = UnixListener::bind(paths.socket()).expect("nobody else is there");
    let client = context.client(Mode::Auto);
    let announced = std::thread::scope(|scope| {
        let calling = scope.spawn(|| client.announce(announcement("app").build()));
        let stream = serve_without_answer(&listener, paths.registry());
        // It could have been made durable by now. The next daemon, which the client starts, meets a
        // lockfile that somebody holds.
        let holder = format!("{{\"pid\":{}}}", std::process::id());
        std::fs::write(paths.lockfile(), holder).expect("own folder");
        std::fs::remove_file(paths.socket()).expect("own folder");
        drop(listener);
        drop(stream);
        calling.join().expect("a call gives an answer")
    });
    std::fs::remove_file(paths.lockfile()).expect("own file");
    let error = announced.expect_err("the lock was another's");
    assert_eq!(error.code, Code::OutcomeUnknown, "{error}");
    assert_eq!(client.announce(announcement("app").build()).expect("free").id, "app");
}

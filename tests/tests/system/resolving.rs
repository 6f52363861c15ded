//! Which watcher is meant, where only asking them can tell.

use std::io::{Read, Write};
use std::net::TcpListener;

use argus_client::method::{Resolve, ResolvedBy};
use argus_client::{Code, Mode, announcement};
use argus_tests::TestContext;

/// A watcher that answers `GET /status`, for as long as the test runs.
fn answering() -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap_or(0);
            assert!(request[..read].starts_with(b"GET /status "));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"ok\":true}");
        }
    });
    port
}

/// A port at which somebody listens and says nothing.
fn silent() -> (TcpListener, u16) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("bound").port();
    (server, port)
}

#[test]
fn the_only_one_that_answers_is_meant_and_several_are_candidates() {
    for mode in [Mode::DaemonOnly, Mode::Direct] {
        let context = TestContext::new();
        if mode == Mode::DaemonOnly {
            context.start_daemon();
        }
        let client = context.client(mode);
        let announce = |id: &str, port: u16, cwd: &str| {
            client.announce(announcement(id).port(port).cwd(cwd).build()).expect("served");
        };
        let resolve = |cwd: &str| client.resolve(Resolve { id: None, cwd: Some(cwd.into()) });

        let error = resolve("/shop").expect_err("nobody is there");
        assert_eq!(error.code, Code::NotFound);
        let (_server, port) = silent();
        announce("silent", port, "/silent");
        announce("portless", 0, "/portless");
        let error = resolve("/shop").expect_err("nobody answers");
        assert_eq!(error.code, Code::NotFound, "{error}");

        announce("answering", answering(), "/answering");
        let resolved = resolve("/shop").expect("one answers");
        assert_eq!(resolved.by, ResolvedBy::Reachable);
        assert_eq!(resolved.record.to_value()["id"], "answering");
        assert_eq!(resolve("/silent").expect("by its folder").by, ResolvedBy::Cwd);

        announce("another", answering(), "/another");
        let error = resolve("/shop").expect_err("two answer");
        assert_eq!(error.code, Code::Ambiguous);
        let details = error.details.expect("candidates").to_value();
        let ids: Vec<&str> = details["candidates"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|candidate| candidate["id"].as_str())
            .collect();
        assert_eq!(ids, ["answering", "another"]);
    }
}

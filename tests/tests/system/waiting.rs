//! `argus wait`: for a record to come, to answer, and to go.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use argus_tests::{Run, TestContext, until};
use serde_json::json;

#[test]
fn a_script_can_wait_for_a_record_to_come_answer_and_go() {
    let context = TestContext::new();
    context.start_daemon();
    let start = |arguments: &[&str]| {
        let mut command = context.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    };
    let finish = |child: Child| Run::from(child.wait_with_output().expect("own child"));
    let follow = |count: u64| {
        until("it waits", || {
            let status = context.argus(&["--json", "daemon", "status"]).data();
            (status["subscribers"] == count).then_some(())
        });
    };
    let (present, mut reachable) = (
        start(&["wait", "app", "--timeout", "20s"]),
        start(&["--json", "wait", "app", "--for", "reachable", "--timeout", "20s"]),
    );
    follow(2);
    let server = Server::start();
    let (port, mut process) = (server.port.to_string(), context.bystander());
    let pid = process.pid().to_string();
    let announce = ["announce", "--id", "app", "--port", &port, "--pid", &pid];
    assert_eq!(context.argus(&announce).code, 0);
    assert_eq!(finish(present).stdout, "app\n");
    server.answer_until_the_end_of(&mut reachable);
    assert_eq!(finish(reachable).data(), json!({ "id": "app", "for": "reachable" }));

    let gone = start(&["wait", "app", "--for", "gone", "--timeout", "20s"]);
    follow(1);
    process.kill();
    assert_eq!(finish(gone).code, 0);
    // What is so already is not waited for, and what does not come is told.
    assert_eq!(context.argus(&["wait", "app", "--for", "gone"]).code, 0);
    assert_eq!(context.argus(&["wait", "app", "--for", "gone", "--timeout", "0s"]).code, 0);
    let run = context.argus(&["--json", "wait", "app", "--timeout", "50ms"]);
    assert_eq!((run.code, run.error()["code"].as_str()), (10, Some("E_TIMEOUT")));
    let run = context.argus(&["--direct", "wait", "app", "--for", "gone"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "app\n"), "without a daemon too");
}

/// A watcher's own small server.
struct Server {
    listener: TcpListener,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("bound").port();
        Server { listener, port }
    }

    /// Answers everyone with JSON until a program has ended.
    fn answer_until_the_end_of(&self, child: &mut Child) {
        until("it is reached", || {
            if let Ok((mut stream, _)) = self.listener.accept() {
                // Some of those who have asked have given up since.
                let answer = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}";
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer.as_bytes());
            }
            child.try_wait().expect("own child")
        });
    }
}

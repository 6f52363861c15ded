//! Somebody else at the socket: of another version, hung, or not argusd at all. The work is done
//! on the file, nobody is killed, and one line says why.

use std::io::{Read, Write};

use argus_store::Folder;
use argus_tests::{Run, TestContext, own};
use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericFilePath, Listener, ListenerOptions, Stream};

/// Listens in the daemon's place.
pub(crate) fn listener(context: &TestContext) -> Listener {
    Folder::create(&context.paths()).expect("own folder");
    let path = context.paths().socket();
    let name = path.to_fs_name::<GenericFilePath>().expect("a name");
    own(ListenerOptions::new().name(name)).create_sync().expect("nobody listens")
}

/// Listens there, and lets `answer` have the connections.
fn in_the_daemons_place(context: &TestContext, answer: impl Fn(Stream) + Send + 'static) {
    let listener = listener(context);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            answer(stream);
        }
    });
}

fn announce(context: &TestContext) -> Run {
    let run = context.argus(&["announce", "--id", "x"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "x\n"), "{run:?}");
    assert_eq!(context.ids(), ["x"]);
    assert!(context.daemons().is_empty(), "none is started beside it");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    let forbidden = context.argus(&["--daemon-only", "ls"]);
    assert!(matches!(forbidden.code, 9 | 10), "{forbidden:?}");
    run
}

#[test]
fn a_daemon_of_another_protocol_is_worked_around_and_both_versions_are_named() {
    let context = TestContext::new();
    in_the_daemons_place(&context, |mut stream| {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello);
        let answer = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"argus 0.1.0 speaks protocol 1 to 1, argusd 7.0.0 speaks 6 to 7","data":{"code":"E_PROTOCOL","hint":null,"details":null,"later":1}}}"#;
        let _ = stream.write_all(&argus_proto::wire::binary::frame(answer.as_bytes()));
    });
    let run = announce(&context);
    assert!(run.stderr.contains("0.1.0") && run.stderr.contains("7.0.0"), "{run:?}");
}

#[test]
fn one_that_accepts_and_says_nothing_is_worked_around() {
    let context = TestContext::new();
    let held = std::sync::Mutex::new(Vec::new());
    in_the_daemons_place(&context, move |stream| held.lock().expect("one thread").push(stream));
    let run = announce(&context);
    assert!(run.stderr.contains("does not answer"), "{run:?}");
}

#[test]
fn one_that_speaks_something_else_is_worked_around() {
    let context = TestContext::new();
    in_the_daemons_place(&context, |mut stream| {
        let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let run = announce(&context);
    assert!(run.stderr.contains("is not argusd"), "{run:?}");
}

//! Every error code that argus can give is given by somebody.

use std::collections::BTreeSet;
use std::fs;

use argus_client::{Code, Mode, announcement};
use argus_store::Folder;
use argus_tests::{Stopped, TestContext, symlink_folder, until};

#[test]
fn every_code_is_raised_with_its_exit_code() {
    let mut raised = BTreeSet::new();
    let mut expect = |context: &TestContext, code: Code, arguments: &[&str]| {
        let run = context.argus(&[&["--json"], arguments].concat());
        assert_eq!(run.error()["code"], code.name(), "{arguments:?}: {run:?}");
        assert_eq!(run.code, i32::from(code.exit_code()), "{arguments:?}");
        assert!(run.stdout.ends_with("}\n"));
        raised.insert(code.name());
    };

    let mut is_linkless = false;
    let context = TestContext::new();
    let other = context.bystander();
    let pid = other.pid().to_string();
    expect(&context, Code::Unreachable, &["--daemon-only", "ls"]);
    expect(&context, Code::Usage, &["announce"]);
    expect(&context, Code::Usage, &["-c", "nothing", "ls"]);
    expect(&context, Code::NotFound, &["get", "nobody"]);
    expect(&context, Code::Invalid, &["announce", "--id", " x"]);
    expect(&context, Code::Invalid, &["announce", "--id", "x", "--data", "[]"]);
    let large = format!("{{\"note\":\"{}\"}}", "x".repeat(65 * 1024));
    expect(&context, Code::TooLarge, &["announce", "--id", "x", "--data", &large]);
    context.argus(&["announce", "--id", "app", "--pid", &pid, "--cwd", "/"]);
    expect(&context, Code::Conflict, &["announce", "--id", "app"]);
    context.argus(&["announce", "--id", "app-2", "--pid", &pid, "--cwd", "/"]);
    expect(&context, Code::Ambiguous, &["resolve", "--cwd", "/"]);
    let content = format!("{{\"pid\":{pid}}}");
    fs::write(context.paths().lockfile(), content).expect("own folder");
    expect(&context, Code::Locked, &["--direct", "rm", "app"]);

    let stopped = Stopped::new(context.daemons()[0]);
    expect(&context, Code::Timeout, &["--daemon-only", "ls"]);
    drop(stopped);

    let context = TestContext::new();
    fs::write(context.registry(), "no registry").expect("own folder");
    Folder::create(&context.paths()).expect("own folder");
    fs::write(context.paths().folder().join("quarantine"), "in the way").expect("own folder");
    expect(&context, Code::Corrupt, &["announce", "--id", "x"]);
    fs::write(context.registry(), "{\"version\":2}").expect("own folder");
    expect(&context, Code::UnsupportedVersion, &["--direct", "announce", "--id", "x"]);

    let context = TestContext::new();
    if symlink_folder(context.home(), &context.paths().folder()) {
        expect(&context, Code::Permission, &["announce", "--id", "x"]);
    } else {
        is_linkless = true;
    }

    let context = TestContext::new();
    fs::create_dir(context.registry()).expect("own folder");
    expect(&context, Code::Io, &["announce", "--id", "x"]);

    // A change that was sent and not answered, where the file is forbidden.
    let context = TestContext::new();
    let daemon = context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    client.list(Default::default()).expect("served");
    let stopped = Stopped::new(daemon);
    let error = client.announce(announcement("x").build()).expect_err("no answer");
    drop(stopped);
    raised.insert(error.code.name());
    until("the daemon answers again", || client.list(Default::default()).ok());

    // Beyond the client: what only a peer of the daemon can meet.
    let fly = context.rpc().call("fly", serde_json::json!({}));
    raised.insert(known(&fly["error"]["data"]["code"]));
    let mut ending = context.rpc();
    ending.result("status", serde_json::json!({}));
    ending.send(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"shutdown\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"list\"}\n");
    while let Some(answer) = ending.receive() {
        if answer["id"] == 2 {
            raised.insert(known(&answer["error"]["data"]["code"]));
        }
    }
    let mut all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    if is_linkless {
        all.remove(Code::Permission.name());
    }
    assert_eq!(raised, all);
}

fn known(code: &serde_json::Value) -> &'static str {
    let all = Code::ALL.iter().map(|known| known.name());
    all.into_iter().find(|name| code == name).unwrap_or_else(|| panic!("no code: {code}"))
}

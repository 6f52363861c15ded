//! Beside programs that know only the lockfile, and processes that hold a lock for too long.

use std::fs;

use argus_client::{Mode, Options, announcement, blocking};
use argus_store::kernel_lock::WRITE_LOCK;
use argus_store::{Folder, KernelLock};
use argus_tests::TestContext;

/// Waits less than a person would, so that the test does not.
fn impatient(context: &TestContext, mode: Mode) -> blocking::Client {
    let lock_wait = std::time::Duration::from_millis(100);
    blocking::Client::new(Options { lock_wait, ..context.options(mode) }).expect("a client")
}

#[test]
fn a_foreign_lockfile_is_respected_and_its_holder_named() {
    let context = TestContext::new();
    let holder = context.bystander();
    context.argus(&["announce", "--id", "before"]);
    // As the accounts' tool writes it.
    let content = format!("{{\"pid\":{},\"at\":\"2026-01-01T00:00:00Z\"}}", holder.pid());
    fs::write(context.paths().lockfile(), content).expect("own folder");
    for arguments in
        [&["--json", "announce", "--id", "x"][..], &["--json", "--direct", "announce", "--id", "x"]]
    {
        let run = context.argus(arguments);
        assert_eq!((run.code, run.error()["code"].as_str()), (6, Some("E_LOCKED")), "{run:?}");
        let message = run.error()["message"].as_str().expect("a message").to_owned();
        assert!(message.contains(&format!("process {}", holder.pid())), "{message}");
        assert!(message.contains("registry.json.lock"), "{message}");
    }
    assert_eq!(context.ids(), ["before"]);
    // Reading takes no lock, and a heartbeat does not wait for one.
    assert_eq!(context.argus(&["ls"]).code, 0);
    assert_eq!(context.argus(&["--daemon-only", "heartbeat", "before"]).code, 0);
    fs::remove_file(context.paths().lockfile()).expect("own file");
    assert_eq!(context.argus(&["announce", "--id", "x"]).code, 0);
}

#[test]
fn a_lockfile_of_a_dead_program_is_taken_over() {
    let context = TestContext::new();
    let mut dead = context.bystander();
    dead.kill();
    for (content, mode) in [
        (format!("{{\"pid\":{}}}", dead.pid()), Mode::Auto),
        ("{\"by\":\"argus\",\"pid\":1}".to_owned(), Mode::Direct),
    ] {
        fs::write(context.paths().lockfile(), content).expect("own folder");
        context.client(mode).announce(announcement("app").build()).expect("served");
        assert!(!context.paths().lockfile().exists());
    }
}

#[test]
fn a_held_kernel_lock_is_waited_for_and_its_holder_named() {
    let context = TestContext::new();
    let folder = Folder::create(&context.paths()).expect("own folder");
    let held = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
    let client = impatient(&context, Mode::Direct);
    let error = client.announce(announcement("x").build()).expect_err("held");
    assert_eq!(error.code, argus_client::Code::Locked);
    assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
    drop(held);
    client.announce(announcement("x").build()).expect("free again");
}

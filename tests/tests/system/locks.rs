//! Beside programs that know only the lockfile, and processes that hold a lock for too long.

use std::fs;
use std::process::{Child, Stdio};

use argus_client::method::{Heartbeat, List};
use argus_client::{Code, Mode, Options, announcement, blocking};
use argus_store::kernel_lock::WRITE_LOCK;
use argus_store::{Folder, KernelLock};
use argus_tests::{Bystander, Run, TestContext, until};

/// Waits less than a person would, so that the test does not.
fn impatient(context: &TestContext, mode: Mode) -> blocking::Client {
    let lock_wait = Some(std::time::Duration::from_millis(100));
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

/// A lockfile that a living program holds for as long as this lives.
struct ForeignLock<'a> {
    context: &'a TestContext,
    _holder: Bystander,
}

impl<'a> ForeignLock<'a> {
    fn new(context: &'a TestContext) -> Self {
        let holder = context.bystander();
        let content = format!("{{\"pid\":{}}}", holder.pid());
        fs::write(context.paths().lockfile(), content).expect("own folder");
        ForeignLock { context, _holder: holder }
    }
}

impl Drop for ForeignLock<'_> {
    fn drop(&mut self) {
        fs::remove_file(self.context.paths().lockfile()).expect("own file");
    }
}

#[test]
fn everyone_who_waits_for_a_lock_is_told_before_his_own_deadline() {
    let context = TestContext::new();
    context.start_daemon();
    let lock = ForeignLock::new(&context);
    let mut calls = Vec::new();
    for number in 0..4 {
        let id = format!("app-{number}");
        let mut command = context.command(&["--daemon-only", "--json", "announce", "--id", &id]);
        calls.push(command.stdout(Stdio::piped()).spawn().expect("argus can be run"));
        // Spread over the time of one wait, so that each joins those that are waiting already.
        let before = context.client(Mode::DaemonOnly).status().expect("it answers");
        until("some time has passed", || {
            let now = context.client(Mode::DaemonOnly).status().expect("it answers");
            let uptime = |overview: &argus_client::Overview| {
                overview.daemon.as_ref().expect("it answered").uptime_ms
            };
            (uptime(&now) > uptime(&before) + 300).then_some(())
        });
    }
    for call in calls {
        let run = Run::from(call.wait_with_output().expect("it was started here"));
        assert_eq!((run.code, run.error()["code"].as_str()), (6, Some("E_LOCKED")), "{run:?}");
    }
    drop(lock);
    assert_eq!(context.argus(&["--daemon-only", "announce", "--id", "x"]).code, 0);
    assert_eq!(context.ids(), ["x"]);
}

/// A change through the daemon, which waits for its lock.
fn start_to_announce(context: &TestContext) -> Child {
    let mut command = context.command(&["--daemon-only", "announce", "--id", "x"]);
    command.stderr(Stdio::null()).spawn().expect("argus can be run")
}

/// Fails where a look that takes long is taken for one that found nothing: a watcher that had announced itself
/// in direct mode was told by a busy daemon that it is not there.
#[test]
fn what_memory_lacks_is_looked_for_in_the_file_however_long_a_write_before_takes() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "there"]);
    let client = context.client(Mode::DaemonOnly);
    let lock = ForeignLock::new(&context);
    let mut waiting = start_to_announce(&context);
    let mut number = 0;
    while waiting.try_wait().expect("own child").is_none() {
        // What holds the lock writes.
        let id = format!("foreign-{number}");
        let mut document = context.document();
        document["watchers"][&id] = document["watchers"]["there"].clone();
        document["watchers"][&id]["id"] = id.as_str().into();
        fs::write(context.registry(), document.to_string()).expect("own file");
        client.heartbeat(Heartbeat { id: id.clone(), pid: None }).expect("the file has it");
        client.get(&id).expect("it is in memory now");
        number += 1;
    }
    assert!(number > 1, "nothing was asked while the write waited");
    drop(lock);
}

#[test]
fn reading_and_heartbeats_do_not_wait_for_who_waits_for_a_lock() {
    let context = TestContext::new();
    context.argus(&["announce", "--id", "there"]);
    let lock = ForeignLock::new(&context);
    let mut waiting = start_to_announce(&context);
    let client = context.client(Mode::DaemonOnly);
    client.get("there").expect("served");
    client.heartbeat(Heartbeat { id: "there".into(), pid: None }).expect("served");
    assert_eq!(client.get("nobody").expect_err("not there").code, Code::NotFound);
    assert_eq!(client.list(List::default()).expect("served").records.len(), 1);
    assert!(waiting.try_wait().expect("own child").is_none(), "all that was while it waited");
    drop(lock);
    waiting.wait().expect("own child");
}

#[test]
fn who_waits_behind_a_long_wait_is_told_before_his_shorter_deadline() {
    let context = TestContext::new();
    context.start_daemon();
    let lock = ForeignLock::new(&context);
    let patient = context
        .command(&["--daemon-only", "announce", "--id", "patient"])
        .stderr(Stdio::null())
        .spawn()
        .expect("argus can be run");
    let mut rpc = context.rpc();
    rpc.result("status", serde_json::json!({}));
    for _ in 0..3 {
        let deadline = argus_presence::clock::monotonic_ms() + 600;
        let params = serde_json::json!({ "record": { "id": "hasty" }, "deadline": deadline });
        let answer = rpc.call("announce", params);
        assert_eq!(answer["error"]["data"]["code"], "E_LOCKED", "{answer}");
    }
    drop(lock);
    patient.wait_with_output().expect("own child");
}

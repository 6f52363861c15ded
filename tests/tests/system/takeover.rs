//! A newer argus in the place of an older one.
//!
//! Seen to fail with the owner lock let go before the successor has it, with the socket unlinked
//! at a handover, and with a client that replaces daemons whenever it connects.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use argus_client::method::{Heartbeat, List};
use argus_client::{Mode, announcement};
use argus_store::kernel_lock::OWNER_LOCK;
use argus_tests::{Altered, LOCKS_ARE_PASSED_ON, OLDER, TestContext, helper, until};

const CALLERS: usize = 8;
/// How often each caller still calls after the change of daemons.
const CALLS_AFTERWARDS: usize = 20;

fn version(context: &TestContext) -> String {
    let report = context.argus(&["--json", "daemon", "status"]).data();
    report["version"].as_str().expect("a version").to_owned()
}

fn instance(context: &TestContext) -> String {
    let endpoint = std::fs::read(context.paths().endpoint()).expect("a daemon runs");
    let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).expect("JSON");
    endpoint["instance"].as_str().expect("an instance").to_owned()
}

#[test]
fn a_newer_command_takes_over_while_others_keep_calling_and_no_call_fails() {
    let (context, older) = (TestContext::new(), Altered::older());
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    assert_eq!(version(&context), OLDER);

    let has_changed = AtomicBool::new(false);
    let calls = AtomicUsize::new(0);
    let lock_was_free = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CALLERS {
            let (context, has_changed, calls) = (&context, &has_changed, &calls);
            scope.spawn(move || {
                // Without fallback, so that any moment without a daemon would be an error.
                let client = context.client(Mode::DaemonOnly);
                let id = format!("caller-{number}");
                let mut afterwards = 0;
                while afterwards < CALLS_AFTERWARDS {
                    afterwards += usize::from(has_changed.load(Ordering::Acquire));
                    client.announce(announcement(&id).port(1).build()).expect("announced");
                    client.heartbeat(Heartbeat { id: id.clone(), pid: None }).expect("refreshed");
                    client.get(&id).expect("there");
                    client.list(List::default()).expect("listed");
                    calls.fetch_add(1, Ordering::Release);
                }
            });
        }
        scope.spawn(|| {
            let path = context.paths().folder().join(OWNER_LOCK);
            let file = File::options().read(true).write(true).open(path).expect("a daemon runs");
            while !has_changed.load(Ordering::Acquire) {
                if file.try_lock().is_ok() {
                    lock_was_free.store(true, Ordering::Release);
                    let _ = file.unlock();
                }
            }
        });
        until("everyone calls", || (calls.load(Ordering::Acquire) > 5 * CALLERS).then_some(()));
        let run = context.argus(&["announce", "--id", "newer"]);
        has_changed.store(true, Ordering::Release);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    });
    let was_free = lock_was_free.load(Ordering::Acquire);
    assert!(!was_free || !LOCKS_ARE_PASSED_ON, "a third could have taken the owner lock");
    assert_eq!(version(&context), env!("CARGO_PKG_VERSION"));
    assert_eq!(context.daemons().len(), 1);
    assert_eq!(context.ids().len(), CALLERS + 1);
}

#[test]
fn old_and_new_programs_that_go_on_calling_do_not_replace_each_others_daemon() {
    let (context, older) = (TestContext::new(), Altered::older());
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    let first = instance(&context);

    // A program that runs, and connects again and again, is no command of a user's.
    for _ in 0..5 {
        let client = context.client(Mode::DaemonOnly);
        client.announce(announcement("library").port(1).build()).expect("announced");
    }
    // Neither is a command that only reads.
    assert_eq!(context.argus(&["ls"]).code, 0);
    assert_eq!(instance(&context), first);

    assert_eq!(context.argus(&["announce", "--id", "newer"]).code, 0);
    let second = instance(&context);
    assert_ne!(second, first);
    for _ in 0..5 {
        assert_eq!(older.argus(&context, &["announce", "--id", "older"]).code, 0);
        assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
        assert_eq!(context.argus(&["announce", "--id", "newer"]).code, 0);
        assert_eq!(instance(&context), second);
    }
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn a_client_whose_daemon_was_replaced_goes_on_and_replaces_nothing_itself() {
    let (context, older) = (TestContext::new(), Altered::older());
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    let options = argus_client::Options { replaces_older: true, ..context.options(Mode::Auto) };
    let client = argus_client::blocking::Client::new(options).expect("a client needs nothing");
    client.announce(announcement("mine").port(1).build()).expect("announced");
    assert_eq!(version(&context), env!("CARGO_PKG_VERSION"), "its first change replaced it");

    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    client.announce(announcement("mine").port(2).build()).expect("announced");
    assert_eq!(version(&context), OLDER, "it has become a program that runs on");
}

#[test]
fn a_daemon_that_cannot_hand_over_is_waited_for() {
    let context = TestContext::new();
    // It does not understand the word, and just ends.
    let older = Altered::new(&[(env!("CARGO_PKG_VERSION"), OLDER), ("handover", "handsome")]);
    assert_eq!(older.argus(&context, &["announce", "--id", "older"]).code, 0);
    let run = context.argus(&["announce", "--id", "newer"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(version(&context), env!("CARGO_PKG_VERSION"));
    assert_eq!(context.ids(), ["newer", "older"]);
    assert_eq!(context.daemons().len(), 1);
}

#[test]
fn a_successor_that_is_not_newer_or_cannot_start_leaves_the_daemon_as_it_is() {
    let (context, older) = (TestContext::new(), Altered::older());
    assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
    let first = instance(&context);
    for executable in [older.argusd(), helper("idler")] {
        let options = argus_client::Options {
            replaces_older: true,
            daemon_executable: Some(executable),
            request_timeout: Duration::from_secs(5),
            ..context.options(Mode::DaemonOnly)
        };
        let client = argus_client::blocking::Client::new(options).expect("a client needs nothing");
        client.announce(announcement("mine").port(1).build()).expect("the older one serves");
        assert_eq!(instance(&context), first);
    }
}

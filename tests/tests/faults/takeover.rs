//! `kill -9` of either daemon at every call of a takeover.
//!
//! Seen to fail with a successor that, having inherited nothing, serves without the owner lock.

use std::path::Path;
use std::process::{Child, Stdio};

use argus_client::{Mode, announcement};
use argus_tests::{Altered, TestContext, executables, until};

use crate::strace::{Fault, assert_no_debris};

/// What the two daemons say to each other, and what they take over.
const CALLS: [&str; 9] = [
    "connect",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "flock",
    "unlink",
    "renameat2",
    "rename",
];
const CALLS_MAX: usize = 100;

fn at_every_point(mut takeover: impl FnMut(&Fault) -> bool) -> usize {
    let mut points = 0;
    for calls in CALLS {
        let survived = (1..CALLS_MAX).find(|number| {
            takeover(&Fault { calls, effect: "signal=KILL", when: number.to_string() })
        });
        points += survived.expect("the takeover gets through in the end") - 1;
    }
    points
}

fn spawn(fault: &Fault, context: &TestContext, argusd: &Path, arguments: &[&str]) -> Child {
    let mut command = fault.command(context, argusd);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("strace is installed")
}

fn serves(context: &TestContext, version: &str) -> bool {
    std::fs::read_to_string(context.paths().endpoint())
        .is_ok_and(|endpoint| endpoint.contains(&format!("\"version\": \"{version}\"")))
}

/// Waits for `strace`, which ends as what it runs does.
fn ended_well(daemon: &mut Child) -> bool {
    until("the daemon ends", || daemon.try_wait().expect("own child")).success()
}

fn assert_recovers(context: &TestContext, fault: &Fault) {
    let run = context.argus(&["announce", "--id", "next"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{fault:?}: {run:?}");
    assert_eq!(context.daemons().len(), 1, "{fault:?}");
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0, "{fault:?}");
    assert_eq!(context.ids(), ["during", "kept", "next"], "{fault:?}");
    assert_no_debris(context);
}

#[test]
fn a_successor_killed_at_any_call_loses_nothing_and_fails_no_call() {
    let older = Altered::older();
    let points = at_every_point(|fault| {
        let context = TestContext::new();
        assert_eq!(older.argus(&context, &["daemon", "start"]).code, 0);
        let client = context.client(Mode::Auto);
        client.announce(announcement("kept").build()).expect("acknowledged");
        let mut successor = spawn(fault, &context, &executables().argusd, &["--replace"]);
        let mut has_ended = || successor.try_wait().expect("own child").is_some();
        until("the successor serves, or is dead", || {
            (serves(&context, env!("CARGO_PKG_VERSION")) || has_ended()).then_some(())
        });
        let announced = client.announce(announcement("during").build());
        assert!(announced.is_ok(), "{fault:?}: {announced:?}");
        assert_eq!(context.argus(&["daemon", "stop"]).code, 0, "{fault:?}");
        let survived = ended_well(&mut successor);
        assert_recovers(&context, fault);
        survived
    });
    assert!(points >= CALLS.len(), "only {points} points");
}

#[test]
fn an_older_daemon_killed_at_any_call_of_its_handover_loses_nothing_and_fails_no_call() {
    let older = Altered::older();
    let argusd = older.folder().join("argusd");
    let points = at_every_point(|fault| {
        let context = TestContext::new();
        let mut predecessor = spawn(fault, &context, &argusd, &[]);
        let mut has_ended = || predecessor.try_wait().expect("own child").is_some();
        until("the daemon listens, or is dead", || {
            (context.paths().endpoint().exists() || has_ended()).then_some(())
        });
        let client = context.client(Mode::Auto);
        client.announce(announcement("kept").build()).expect("acknowledged");
        let run = context.argus(&["announce", "--id", "during"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{fault:?}: {run:?}");
        let survived = ended_well(&mut predecessor);
        assert_recovers(&context, fault);
        survived
    });
    assert!(points >= CALLS.len(), "only {points} points");
}

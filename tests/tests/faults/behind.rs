//! A daemon that is killed between the records' own files and the whole file, while programs write that
//! which know nothing else.

use std::fs;

use argus_tests::{TestContext, ended, until};
use serde_json::{Value, json};

use crate::kept::{Change, DIRECTORY, replace_as_others};
use crate::strace::{Fault, assert_no_debris, the_thread};

/// The program writes the whole file as it last saw it, with changes of its own.
fn write_in_place(context: &TestContext, change: impl FnOnce(&mut Value)) {
    let path = context.home().join("jobs.json");
    let text = fs::read_to_string(&path).expect("it is there");
    let mut document = serde_json::from_str(&text).expect("it is whole");
    change(&mut document);
    fs::write(path, document.to_string()).expect("own file");
}

/// Seen to fail with what others have written into the whole file ignored, with an empty document as what
/// both sides went on from, and with the last good copy replaced before the whole file.
#[test]
fn what_others_write_while_the_whole_file_is_behind_a_killed_daemon_is_merged() {
    for change in DIRECTORY.changes {
        // The whole file is not even prepared, or it only lacks its name.
        for (calls, when) in [("fchmod", "1"), ("renameat2", "1")] {
            for is_in_place in [false, true] {
                for is_direct_next in [false, true] {
                    let fault = Fault { calls, effect: "signal=KILL", when: when.to_owned() };
                    check(change, &fault, is_in_place, is_direct_next);
                }
            }
        }
    }
}

/// Lets a daemon be killed after the change was acknowledged; then others write, in place or not; then
/// comes the next of ours, direct or through a new daemon.
fn check(change: &Change, fault: &Fault, is_in_place: bool, is_direct_next: bool) {
    let context = TestContext::in_memory();
    DIRECTORY.fill(&context);
    let pid = context.start_daemon();
    let mut rpc = context.rpc();
    let shown = DIRECTORY.shown(&context);
    // The thread of this collection runs from its first use on.
    rpc.result("list", json!({ "collection": "jobs" }));
    let commits = the_thread(pid, "commit-jobs");
    let killing = fault.attach(commits);
    rpc.result(change.method, (change.params)());
    until("the daemon is killed", || ended(pid).then_some(()));
    drop(killing);
    assert_eq!(DIRECTORY.shown(&context), shown, "the whole file is behind");

    let add = |document: &mut Value| {
        document["jobs"]["theirs"] = json!({ "n": 1 });
        document["jobs"]["first"] = json!({ "n": 2 });
    };
    match is_in_place {
        true => write_in_place(&context, add),
        false => replace_as_others(&context, |document| {
            add(document);
            document["jobs"].as_object_mut().expect("a map").remove("kept");
        }),
    }
    let way: &[&str] = if is_direct_next { &["--direct"] } else { &[] };
    let run = context.argus(&DIRECTORY.arguments(way, DIRECTORY.next()));
    assert_eq!(run.code, 0, "{run:?}");
    let found = DIRECTORY.found(&context, "--direct");
    let cause = format!("{fault:?}, in place: {is_in_place}, direct: {is_direct_next}: {found:?}");
    assert_eq!(found, DIRECTORY.shown(&context), "{cause}");
    assert!(found.contains_key("next") && found.contains_key("theirs"), "{cause}");
    assert!((change.is_seen)(&found), "{cause}");
    assert_eq!(found["first"]["n"], 2, "{cause}");
    assert_eq!(found.contains_key("kept"), is_in_place, "{cause}");
    context.argus(&["daemon", "stop"]);
    assert_no_debris(&context);
}

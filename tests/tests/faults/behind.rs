//! A daemon that is killed between the records' own files and the whole file, while programs write that
//! which know nothing else.

use std::fs;

use argus_tests::{TestContext, ended, until};
use serde_json::{Value, json};

use crate::kept::{DIRECTORY, Records, replace_as_others};
use crate::strace::{Fault, assert_no_debris, threads};

/// The program writes the whole file as it last saw it, with changes of its own.
fn write_in_place(context: &TestContext, change: impl FnOnce(&mut Value)) {
    let path = context.home().join("jobs.json");
    let text = fs::read_to_string(&path).expect("it is there");
    let mut document = serde_json::from_str(&text).expect("it is whole");
    change(&mut document);
    fs::write(path, document.to_string()).expect("own file");
}

/// Seen to fail with what others have written into the whole file ignored, and with an empty document as
/// what both sides went on from.
#[test]
fn what_others_write_while_the_whole_file_is_behind_a_killed_daemon_is_merged() {
    for is_in_place in [false, true] {
        for is_direct_next in [false, true] {
            let context = TestContext::in_memory();
            DIRECTORY.fill(&context);
            let pid = context.start_daemon();
            let mut rpc = context.rpc();
            let shown = DIRECTORY.shown(&context);
            // The commit thread of this collection runs from its first use on.
            rpc.result("list", json!({ "collection": "jobs" }));
            let commits = until("the threads that commit run", || {
                Some(threads(pid, "commit")).filter(|threads| threads.len() == 2)
            });
            // The records' own files get their names, and the whole file does not.
            let fault = Fault { calls: "fchmod", effect: "signal=KILL", when: "1".to_owned() };
            let killing: Vec<_> = commits.iter().map(|thread| fault.attach(*thread)).collect();
            for change in DIRECTORY.changes {
                let answer = rpc.call(change.method, (change.params)());
                assert!(answer["error"].is_null(), "{answer}");
            }
            until("the daemon is killed", || ended(pid).then_some(()));
            drop(killing);
            assert_eq!(DIRECTORY.shown(&context), shown, "the whole file is behind");

            let change = |document: &mut Value| {
                document["jobs"]["theirs"] = json!({ "n": 1 });
                document["jobs"]["first"] = json!({ "n": 2 });
            };
            match is_in_place {
                true => write_in_place(&context, change),
                false => replace_as_others(&context, |document| {
                    change(document);
                    document["jobs"].as_object_mut().expect("a map").remove("kept");
                }),
            }
            if is_direct_next {
                assert_eq!(DIRECTORY.direct(&context, DIRECTORY.next()).code, 0);
            } else {
                let run = context.argus(&DIRECTORY.arguments(&[], DIRECTORY.next()));
                assert_eq!(run.code, 0, "{run:?}");
            }
            let found = DIRECTORY.found(&context, "--direct");
            assert_eq!(found, DIRECTORY.shown(&context));
            let number =
                |found: &Records, id: &str| found.get(id).map(|record| record["n"].clone());
            let cause = format!("in place: {is_in_place}, direct: {is_direct_next}: {found:?}");
            assert_eq!(number(&found, "theirs"), Some(json!(1)), "{cause}");
            assert_eq!(number(&found, "changed"), Some(json!(2)), "{cause}");
            assert_eq!(number(&found, "New"), Some(json!(1)), "{cause}");
            if !is_in_place {
                // Who writes in place leaves nothing of what the file was; then no side's removal is
                // one, and no side's change is newer.
                assert_eq!(number(&found, "first"), Some(json!(2)), "{cause}");
                assert!(!found.contains_key("old") && !found.contains_key("kept"), "{cause}");
            }
            context.argus(&["daemon", "stop"]);
            assert_no_debris(&context);
        }
    }
}

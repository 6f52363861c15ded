//! A system call that fails, once or for good: the answer is true, and it recovers with the disk.
//!
//! That nothing can be written at all is in `full_disk.rs`.
//!
//! Seen to fail with the error of the file's fsync ignored, and with that of the folder's. With a file a
//! record: with nothing noted of a whole file that others have written and that cannot be replaced.

use std::collections::BTreeSet;

use argus_tests::TestContext;

use crate::kept;
use crate::strace::{Fault, calls_made};

/// The calls of a change that a disk can fail, and how it does.
const FAULTS: [(&str, &str); 10] = [
    ("fsync,syncfs", "error=EIO"),
    ("fsync,syncfs", "error=ENOSPC"),
    ("rename,renameat,renameat2", "error=EIO"),
    ("rename,renameat,renameat2", "error=ENOSPC"),
    ("link,linkat", "error=EIO"),
    ("link,linkat", "error=EPERM"),
    ("fchmod", "error=EIO"),
    ("flock", "error=ENOLCK"),
    ("unlink,unlinkat", "error=EIO"),
    ("mkdir", "error=ENOSPC"),
];

#[test]
fn a_failing_disk_gets_a_true_answer_and_nothing_is_lost() {
    let mut struck = BTreeSet::new();
    for kept in kept::ALL {
        for (number, change) in kept.struck().iter().enumerate() {
            let arguments = kept.arguments(&["--direct", "--json"], change.arguments);
            let home = || {
                let context = TestContext::in_memory();
                kept.fill(&context);
                for before in &kept.changes[..number] {
                    assert_eq!(kept.direct(&context, before.arguments).code, 0);
                }
                context
            };
            for (calls, effect) in FAULTS {
                let once = 1..=calls_made(&home(), calls, &arguments);
                let for_good = once.clone().filter(|_| number == 0).map(|when| format!("{when}+"));
                for when in once.map(|when| when.to_string()).chain(for_good) {
                    let fault = Fault { calls, effect, when };
                    let context = home();
                    let before = kept.found(&context, "--direct");
                    let run = fault.argus(&context, &arguments);
                    let after = kept.found(&context, "--direct");
                    match run.code {
                        0 => assert!((change.is_seen)(&after), "{fault:?}: {after:?}"),
                        // Unknown may be either; that is what it says.
                        3 => assert_eq!(run.error()["code"], "E_OUTCOME_UNKNOWN", "{fault:?}"),
                        _ => assert_eq!(after, before, "{fault:?}: {run:?}"),
                    }
                    struck.extend((run.code != 0).then_some((calls, effect)));
                    kept.assert_recovers(&context, number + usize::from(run.code == 0), &fault);
                }
            }
        }
    }
    for (calls, effect) in FAULTS {
        let is_harmless = calls.starts_with("unlink") || effect == "error=EPERM";
        assert!(is_harmless || struck.contains(&(calls, effect)), "{calls} {effect} never struck");
    }
}

#[test]
fn a_failed_fsync_of_the_folder_is_of_unknown_outcome_and_of_the_file_is_not() {
    let outcome = |number: usize| {
        let context = TestContext::new();
        assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
        let fault = Fault { calls: "fsync", effect: "error=EIO", when: number.to_string() };
        fault.argus(&context, &["--direct", "--json", "announce", "--id", "new"])
    };
    // The first is the file's, the second the folder's, and there are no more.
    assert_eq!(outcome(1).error()["code"], "E_IO");
    assert_eq!(outcome(2).error()["code"], "E_OUTCOME_UNKNOWN");
    assert_eq!(outcome(3).code, 0);
}

#[test]
fn a_change_repeated_after_an_unknown_outcome_is_synced_before_it_is_acknowledged() {
    let context = TestContext::new();
    let pid = std::process::id().to_string();
    let arguments = ["--direct", "--json", "announce", "--id", "new", "--pid", &pid, "--data"];
    let arguments = [&arguments[..], &[r#"{"startedAt":1,"updatedAt":1}"#]].concat();
    let fault = Fault { calls: "fsync", effect: "error=EIO", when: "2".to_owned() };
    assert_eq!(fault.argus(&context, &arguments).error()["code"], "E_OUTCOME_UNKNOWN");
    // It is there already, so nothing would have to be written. Its fsync must not be left out.
    let fault = Fault { calls: "fsync", effect: "error=EIO", when: "1".to_owned() };
    assert_eq!(fault.argus(&context, &arguments).error()["code"], "E_IO");
    assert_eq!(context.argus(&arguments).code, 0);
}

//! A system call that fails, once or for good: the answer is true, and it recovers with the disk.
//!
//! Seen to fail with the error of the file's fsync ignored, and with that of the folder's.

use argus_tests::TestContext;

use crate::strace::{Fault, assert_no_debris};

/// The calls of a change that a disk can fail, and how it does.
const FAULTS: [(&str, &str); 9] = [
    ("fsync", "error=EIO"),
    ("fsync", "error=ENOSPC"),
    ("rename,renameat,renameat2", "error=EIO"),
    ("rename,renameat,renameat2", "error=ENOSPC"),
    ("link,linkat", "error=EIO"),
    ("link,linkat", "error=EPERM"),
    ("fchmod", "error=EIO"),
    ("flock", "error=ENOLCK"),
    ("unlink,unlinkat", "error=EIO"),
];
const CALLS_MAX: usize = 20;

#[test]
fn a_failing_disk_gets_a_true_answer_and_nothing_is_lost() {
    for (calls, effect) in FAULTS {
        for for_good in [false, true] {
            let mut struck = 0;
            for number in 1..=CALLS_MAX {
                let when = if for_good { format!("{number}+") } else { number.to_string() };
                let fault = Fault { calls, effect, when };
                let context = TestContext::new();
                assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
                let before = std::fs::read(context.registry()).expect("it is there");
                let arguments = ["--direct", "--json", "announce", "--id", "new"];
                let run = fault.argus(&context, &arguments);
                let after = std::fs::read(context.registry()).expect("it is there");
                let ids = context.ids();
                match run.code {
                    0 => assert_eq!(ids, ["kept", "new"], "{fault:?}"),
                    // Unknown may be either; that is what it says.
                    3 => assert_eq!(run.error()["code"], "E_OUTCOME_UNKNOWN", "{fault:?}"),
                    _ => assert_eq!(after, before, "{fault:?}: {run:?}"),
                }
                struck += usize::from(run.code != 0);
                let run = context.argus(&["--direct", "announce", "--id", "next"]);
                assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{fault:?}: {run:?}");
                assert!(context.ids().contains(&"kept".to_owned()), "{fault:?}");
                assert_no_debris(&context);
            }
            let harmless = calls.starts_with("unlink") || calls.starts_with("link");
            assert!(struck > 0 || harmless, "{calls} {effect} never struck");
        }
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

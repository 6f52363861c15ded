//! A caller from outside the pid namespace, as one that enters a container is.
//!
//! Needs root and `unshare`. Seen to fail with parent 0 announced as it is.

use std::process::Command;

use argus_tests::{Run, TestContext, executables};

#[test]
fn a_caller_outside_the_pid_namespace_is_asked_to_name_a_process() {
    let context = TestContext::new();
    let announce = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        context.prepare(&mut command);
        command.args(["--pid", "--fork", "--mount-proc"]).arg(&executables().argus);
        command.args(["--json", "--direct", "announce", "--id", "x"]).args(arguments);
        Run::from(command.output().expect("unshare is installed"))
    };
    let run = announce(&[]);
    assert_eq!((run.code, run.error()["code"].as_str()), (2, Some("E_USAGE")), "{run:?}");
    assert!(run.error()["hint"].as_str().expect("a hint").contains("--pid"), "{run:?}");
    assert!(!context.registry().exists());

    // Process 1 in there is argus itself.
    assert_eq!(announce(&["--pid", "1"]).data()["id"], "x");
    assert_eq!(context.document()["watchers"]["x"]["pid"], 1);
    let listing = context.argus(&["--direct", "--json", "ls"]).data();
    assert_eq!(listing["records"][0]["state"], "live", "from here its death is not to be proven");
}

//! `kill -9` before every system call by which a change touches the disk.
//!
//! Seen to fail without the clearing away of debris in `store::atomic`, and with the second name
//! that a crash left to `last-good.json`; and with `last-good.json` linked to the file that is still in
//! place. With a file a record: with their folder removed file by file when the layout changes.

use std::process::Stdio;

use argus_tests::{TestContext, executables, until};

use crate::kept::{self, Kept};
use crate::strace::at_every_point;

/// At so many points at least a change can be killed.
const POINTS_MIN: usize = 12;

/// A home with what is to be changed in it, in memory: here the disk does not matter.
fn home_with(kept: &Kept) -> TestContext {
    let context = TestContext::in_memory();
    kept.fill(&context);
    context
}

#[test]
fn a_direct_writer_killed_at_any_call_loses_nothing_and_blocks_nobody() {
    for kept in kept::ALL {
        for (number, change) in kept.struck().iter().enumerate() {
            let points = at_every_point(|fault| {
                let context = home_with(&kept);
                for before in &kept.changes[..number] {
                    assert_eq!(kept.direct(&context, before.arguments).code, 0);
                }
                let way = ["--direct", "--json"];
                let run = fault.argus(&context, &kept.arguments(&way, change.arguments));
                let acknowledged = run.stdout.starts_with(r#"{"ok":true"#);
                kept.assert_recovers(&context, number + usize::from(acknowledged), fault);
                run.code == 0
            });
            assert!(points >= POINTS_MIN, "only {points} points");
        }
    }
}

#[test]
fn a_daemon_killed_at_any_call_loses_nothing_and_fails_no_call() {
    for kept in kept::ALL {
        let points = at_every_point(|fault| {
            let context = home_with(&kept);
            let mut daemon = fault
                .command(&context, &executables().argusd)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("strace is installed");
            let mut has_ended = || daemon.try_wait().expect("own child").is_some();
            until("the daemon listens, or is dead", || {
                (context.paths().endpoint().exists() || has_ended()).then_some(())
            });
            for change in kept.changes {
                let run = context.argus(&kept.arguments(&[], change.arguments));
                // A removal that is repeated because its answer was lost finds nothing to remove.
                let is_done = run.code == 0 || change.method == "remove" && run.code == 4;
                assert!(is_done, "{fault:?}: {run:?}");
            }
            let stopped = context.argus(&["daemon", "stop"]);
            assert!(matches!(stopped.code, 0 | 9), "{fault:?}: {stopped:?}");
            // strace ends as what it runs does.
            let survived = daemon.wait().expect("own child").success();
            kept.assert_recovers(&context, kept.changes.len(), fault);
            survived
        });
        assert!(points >= POINTS_MIN, "only {points} points");
    }
}

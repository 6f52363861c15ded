//! `kill -9` before every system call by which a change touches the disk.
//!
//! Seen to fail without the clearing away of debris in `store::atomic`, and with the second name
//! that a crash left to `last-good.json`; and with `last-good.json` linked to the file that is still in
//! place.

use std::process::Stdio;

use argus_client::Mode;
use argus_tests::{TestContext, executables, until};

use crate::strace::{Fault, assert_no_debris, at_every_point};

/// At so many points at least a change can be killed.
const POINTS_MIN: usize = 12;

/// A home in which `kept` was acknowledged, and which has a last good copy.
fn home_with_a_record() -> TestContext {
    let context = TestContext::new();
    for id in ["first", "kept"] {
        assert_eq!(context.argus(&["--direct", "announce", "--id", id]).code, 0);
    }
    context
}

/// After the crash: what was promised is there, and nothing stands in the way of the next.
fn assert_recovers(context: &TestContext, acknowledged: bool, fault: &Fault) {
    let ids = context.ids();
    assert!(ids.contains(&"kept".to_owned()), "{fault:?}: {ids:?}");
    if acknowledged {
        assert!(ids.contains(&"new".to_owned()), "{fault:?}: {ids:?}");
    }
    // Damage in place, right after the crash, costs no more than the last change.
    let whole = std::fs::read(context.registry()).expect("it is there");
    std::fs::write(context.registry(), "garbage").expect("own file");
    let run = context.argus(&["--direct", "ls"]);
    assert!(run.stdout.contains("first"), "{fault:?}: {run:?}");
    std::fs::write(context.registry(), whole).expect("own file");

    let run = context.argus(&["--direct", "announce", "--id", "next"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{fault:?}: {run:?}");
    assert_no_debris(context);
}

#[test]
fn a_direct_writer_killed_at_any_call_loses_nothing_and_blocks_nobody() {
    let points = at_every_point(|fault| {
        let context = home_with_a_record();
        let run = fault.argus(&context, &["--direct", "announce", "--id", "new"]);
        let acknowledged = run.stdout == "new\n";
        assert_recovers(&context, acknowledged, fault);
        run.code == 0
    });
    assert!(points >= POINTS_MIN, "only {points} points");
}

#[test]
fn a_daemon_killed_at_any_call_loses_nothing_and_fails_no_call() {
    let points = at_every_point(|fault| {
        let context = home_with_a_record();
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
        let client = context.client(Mode::Auto);
        let announced = client.announce(argus_client::announcement("new").build());
        assert!(announced.is_ok(), "{fault:?}: {announced:?}");
        let stopped = context.argus(&["daemon", "stop"]);
        assert!(matches!(stopped.code, 0 | 9), "{fault:?}: {stopped:?}");
        // strace ends as what it runs does.
        let survived = daemon.wait().expect("own child").success();
        assert_recovers(&context, true, fault);
        survived
    });
    assert!(points >= POINTS_MIN, "only {points} points");
}

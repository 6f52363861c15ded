//! Who is really there: the end of a process ends its record, whoever wrote it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use argus_client::method::Subscribe;
use argus_client::{Code, EventKind, Mode, Reason, announcement};
use argus_tests::{Bystander, OldProgram, TestContext, at_once, until};
use serde_json::{Value, json};

/// What was removed, and why, until nothing comes for a moment.
fn removals(
    events: &mut argus_client::blocking::Subscription<'_>,
    count: usize,
) -> Vec<(String, Reason)> {
    let mut removed = Vec::new();
    until("the records go", || {
        let event = events.next_within(Duration::from_millis(50)).expect("it goes on");
        if let Some(event) = event
            && event.kind == EventKind::Removed
        {
            removed.push((event.id.expect("an id"), event.reason.expect("a reason")));
        }
        (removed.len() == count).then_some(())
    });
    removed.sort_by(|one, other| one.0.cmp(&other.0));
    removed
}

/// Seen to fail without the descriptors of processes and without the looking in their place.
#[test]
fn the_record_of_a_killed_process_goes_whoever_has_announced_it() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut events = client.subscribe(Subscribe::default());
    let mut watchers: Vec<Bystander> = (0..4).map(|_| context.bystander()).collect();
    let pids: Vec<u32> = watchers.iter().map(Bystander::pid).collect();

    client.announce(announcement("by-client").pid(pids[0]).build()).expect("announced");
    let pid = pids[1].to_string();
    assert_eq!(context.argus(&["announce", "--id", "by-cli", "--pid", &pid]).code, 0);
    let pid = pids[2].to_string();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "by-file", "--pid", &pid]).code, 0);
    OldProgram::new(&context.registry()).announce("by-old-program", pids[3]);
    until("the daemon has seen them all", || {
        let listing = context.argus(&["--json", "--daemon-only", "ls"]).data();
        (listing["records"].as_array().map(Vec::len) == Some(4)).then_some(())
    });
    watchers.iter_mut().for_each(Bystander::kill);
    let removed = removals(&mut events, 4);
    let ids: Vec<&str> = removed.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["by-cli", "by-client", "by-file", "by-old-program"]);
    assert!(removed.iter().all(|(_, reason)| *reason == Reason::ProcessExited), "{removed:?}");
    assert!(context.ids().is_empty());
}

/// Seen to fail with each end written for itself.
#[test]
fn ten_that_die_together_are_one_commit() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut events = client.subscribe(Subscribe::default());
    let mut watchers: Vec<Bystander> = (0..10).map(|_| context.bystander()).collect();
    for watcher in &watchers {
        let id = format!("app-{}", watcher.pid());
        client.announce(announcement(&id).pid(watcher.pid()).build()).expect("announced");
    }
    let commits = || context.argus(&["--json", "daemon", "status"]).data()["commits"].clone();
    let before = commits().as_u64().expect("a number");
    watchers.iter_mut().for_each(Bystander::kill);
    removals(&mut events, 10);
    assert_eq!(commits(), before + 1);
}

#[test]
fn what_died_while_no_daemon_ran_goes_when_one_starts() {
    let context = TestContext::new();
    let mut dead = context.bystander();
    for (id, pid) in [("dead", dead.pid()), ("alive", std::process::id())] {
        let pid = pid.to_string();
        assert_eq!(context.argus(&["--direct", "announce", "--id", id, "--pid", &pid]).code, 0);
    }
    // Of another day, which a start forgives.
    let mut document = context.document();
    document["watchers"]["alive"]["updatedAt"] = json!(1);
    document["watchers"]["alive"]["process"]["vouched"] = Value::Null;
    fs::write(context.registry(), document.to_string()).expect("own file");
    dead.kill();
    context.start_daemon();
    until("the dead one goes", || (context.ids() == ["alive"]).then_some(()));
}

/// Seen to fail where neither the watch nor the judgement looks at whose record it is by then.
#[test]
fn a_name_that_was_taken_over_is_not_removed_with_its_former_owner() {
    let context = TestContext::new();
    context.start_daemon();
    let client = context.client(Mode::DaemonOnly);
    let mut former = context.bystander();
    client.announce(announcement("app").pid(former.pid()).build()).expect("announced");
    client.announce(announcement("witness").pid(former.pid()).build()).expect("announced");
    former.kill();
    let own = std::process::id();
    client.announce(announcement("app").pid(own).build()).expect("the name of a dead one is free");
    until("the witness goes", || (context.ids() == ["app"]).then_some(()));
    assert_eq!(context.document()["watchers"]["app"]["pid"], own);
}

#[test]
fn who_cannot_send_heartbeats_is_kept_fresh_while_its_process_lives() {
    let context = TestContext::new();
    context.start_daemon();
    let pid = std::process::id().to_string();
    assert_eq!(context.argus(&["announce", "--id", "script", "--pid", &pid]).code, 0);
    let updated_at = || context.document()["watchers"]["script"]["updatedAt"].as_u64();
    let first = updated_at();
    until("the daemon says that it is there, in the file too", || {
        (updated_at() > first).then_some(())
    });
}

/// Half through the daemon, half on the file. Seen to fail with a name that is chosen before the lock is had.
#[test]
fn sixty_four_processes_that_claim_one_name_get_sixty_four() {
    const CLAIMS: usize = at_once(64);
    let context = TestContext::new();
    context.start_daemon();
    let mut processes: Vec<Bystander> = (0..CLAIMS).map(|_| context.bystander()).collect();
    let pids: Vec<u32> = processes.iter().map(Bystander::pid).collect();
    let claim = |at: usize| -> String {
        let way = if at.is_multiple_of(2) { "--daemon-only" } else { "--direct" };
        let pid = pids[at].to_string();
        let arguments = [way, "announce", "--id", "app", "--unique", "--pid", &pid];
        // Where so many want the lock, some have to ask again.
        let run = until("the claim gets through", || {
            let run = context.argus(&arguments);
            (run.code != i32::from(Code::Locked.exit_code())).then_some(run)
        });
        assert_eq!(run.code, 0, "{run:?}");
        run.stdout.trim().to_owned()
    };
    let names: Vec<String> = std::thread::scope(|scope| {
        let claims: Vec<_> = {
            let claim = &claim;
            (0..CLAIMS).map(|at| scope.spawn(move || claim(at))).collect()
        };
        claims.into_iter().map(|claim| claim.join().expect("a name")).collect()
    });
    let all: BTreeSet<&String> = names.iter().collect();
    let expected: BTreeSet<String> = std::iter::once("app".to_owned())
        .chain((2..=CLAIMS).map(|at| format!("app-{at}")))
        .collect();
    assert_eq!(all, expected.iter().collect(), "each has one of its own, and none is left out");
    for at in [0, 1, CLAIMS - 1] {
        assert_eq!(claim(at), names[at], "who asks again gets the same name");
    }

    let (closed, killed) = (&names[0], &names[1]);
    let own = processes[0].pid().to_string();
    assert_eq!(context.argus(&["rm", killed, "--pid", &own]).code, 5, "it is another's");
    assert_eq!(context.argus(&["rm", closed, "--pid", &own]).code, 0);
    processes[1].kill();
    until("it goes with its process", || (context.ids().len() == CLAIMS - 2).then_some(()));
    let left: BTreeSet<String> = context.ids().into_iter().collect();
    assert_eq!(left, expected.into_iter().filter(|id| id != closed && id != killed).collect());
}

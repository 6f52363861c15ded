//! The accounts' registry as the TypeScript tool kept it: its faults, looked for in the file of the
//! watchers, which goes the same way.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use argus_client::method::{Heartbeat, Remove};
use argus_client::{Mode, announcement};
use argus_tests::{OldProgram, TestContext, helper};
use serde_json::{Value, json};

use super::watchers::quarantined;

const PROCESSES: usize = 15;
/// Of four changes in three rounds each: an announcement, a heartbeat, and two removals of three.
const ROUNDS: usize = 150;
const OLD_UPDATES: u64 = 400;

/// "A contender takes the still empty lockfile for garbage and reaps it": 8 updates of 6 400 lost
/// at 16 processes. Fifteen of the sixteen are argus on the file; one is a program that reaps like
/// that, and whose own lockfile is empty all the time.
///
/// Seen to fail with a lockfile that is created first and written then, and with an empty one that
/// counts as left behind at once.
#[test]
fn an_empty_lockfile_is_no_garbage_in_6400_updates_by_16_processes() {
    let context = TestContext::in_memory();
    let mut clients: Vec<Child> = (0..PROCESSES)
        .map(|number| {
            let mut command = Command::new(helper("storm"));
            context.prepare(&mut command);
            command.arg(context.registry());
            command.args(["direct", &format!("client-{number}"), &ROUNDS.to_string()]);
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            piped.spawn().expect("a client can be started")
        })
        .collect();
    for client in &mut clients {
        client.stdin.take().expect("piped").write_all(b"!").expect("it waits for this");
    }
    let old = OldProgram::new(&context.registry()).reaping_garbage();
    for _ in 0..OLD_UPDATES {
        old.update(|document| {
            document["counted"] = (document["counted"].as_u64().unwrap_or_default() + 1).into();
        });
    }
    let mut present: Vec<String> = Vec::new();
    let mut changes = OLD_UPDATES as usize;
    for client in clients {
        let output = client.wait_with_output().expect("it was started here");
        assert!(output.status.success(), "{output:?}");
        let tally: Value = serde_json::from_slice(&output.stdout).expect("a tally");
        assert_eq!((&tally["errors"], &tally["unknown"]), (&json!([]), &json!(0)));
        let ids = |key: &str| -> Vec<String> {
            serde_json::from_value(tally[key].clone()).expect("a list of ids")
        };
        changes += 2 * ids("present").len() + 3 * ids("absent").len();
        present.extend(ids("present"));
    }
    present.sort();
    assert_eq!(changes, 6400);
    assert_eq!(context.ids(), present);
    assert_eq!(context.document()["counted"], OLD_UPDATES);
    assert_eq!(old.reaped(), 0, "no lockfile of argus is ever empty");
    assert!(!context.paths().lockfile().exists());
}

/// "The union revives removed rows": what one side removed, the other has in memory still.
///
/// Seen to fail with a merge that keeps what either side has.
#[test]
fn what_was_removed_is_revived_by_no_merge() {
    let context = TestContext::in_memory();
    let old = OldProgram::new(&context.registry());
    let (daemon, direct) = (context.client(Mode::Auto), context.client(Mode::Direct));
    for round in 0..20 {
        for id in ["theirs", "ours", "stays"] {
            daemon.announce(announcement(id).port(round).build()).expect("served");
        }
        direct.list(Default::default()).expect("served");
        // Ahead of the file in memory, which is no reason to keep it.
        daemon.heartbeat(Heartbeat { id: "theirs".into(), pid: None }).expect("served");
        old.update(|document| {
            document["watchers"].as_object_mut().expect("a map").remove("theirs");
        });
        let remove = Remove { id: "ours".into(), pid: None, if_match: None, flush: false };
        daemon.remove(remove).expect("served");
        assert_eq!(context.ids(), ["stays"]);
        // Each of the others saves something that has nothing to do with them.
        old.update(|document| document["note"] = round.into());
        direct.announce(announcement("stays").port(round + 100).build()).expect("served");
        daemon.announce(announcement("stays").port(round + 200).build()).expect("served");
        assert_eq!(context.ids(), ["stays"], "round {round}");
    }
}

/// "An unrelated save reverts `autoSwitch`": a program changes what stands at the top of the file,
/// while argus, which has read it before, writes records.
///
/// Seen to fail with top-level keys that are taken from memory.
#[test]
fn an_unrelated_save_reverts_no_key_at_the_top() {
    let context = TestContext::in_memory();
    let old = OldProgram::new(&context.registry());
    let clients = [context.client(Mode::Auto), context.client(Mode::Direct)];
    std::thread::scope(|scope| {
        for (number, client) in clients.iter().enumerate() {
            scope.spawn(move || {
                for port in 0..100 {
                    let record = announcement(&format!("app-{number}")).port(port);
                    client.announce(record.build()).expect("served");
                }
            });
        }
        for number in 1..=100 {
            old.update(|document| {
                let before = document["autoSwitch"]["threshold"].as_u64();
                assert_eq!(before.unwrap_or_default(), number - 1, "it was reverted");
                document["autoSwitch"] = json!({ "enabled": true, "threshold": number });
            });
        }
    });
    for client in &clients {
        client.announce(announcement("last").build()).expect("served");
        assert_eq!(context.document()["autoSwitch"], json!({ "enabled": true, "threshold": 100 }));
    }
}

/// "Corrupt becomes defaults without a copy." Here there is nothing else to go on with either.
///
/// Seen to fail with a file that cannot be read taken for a missing one.
#[test]
fn what_is_corrupt_never_becomes_an_empty_registry_without_a_copy() {
    for way in ["--direct", "--daemon-only"] {
        let context = TestContext::new();
        let corrupt = br#"{"version":1,"updatedAt":1,"watchers":{"app":{"id":"app""#;
        fs::write(context.registry(), corrupt).expect("own folder");
        let run = context.argus(&[way, "announce", "--id", "new"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(context.ids(), ["new"]);
        assert_eq!(quarantined(&context), [corrupt], "{way}");
        let run = context.argus(&["status"]);
        let told = run.stderr.contains("went on with an empty registry");
        assert!(told || way == "--direct", "never silently: {run:?}");
    }
}

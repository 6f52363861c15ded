//! A daemon whose disk fails, once and for good: its answers are true, it goes on serving, and
//! what it shows is what the file holds.
//!
//! Only the thread that commits is made to fail: sockets and the waking of threads are no disk.
//!
//! Seen to fail with changes counted that were not written, with a heartbeat forgotten by a failed
//! write, with the error of the file's fsync ignored, and with a warning that is never taken back.

use std::fs;

use argus_tests::{Rpc, TestContext, until};
use serde_json::{Value, json};

use crate::strace::{Fault, assert_no_debris, threads};

/// The calls of a commit that a disk can fail, and how it does.
const FAULTS: [(&str, &str); 10] = [
    ("fsync", "error=EIO"),
    ("fsync", "error=ENOSPC"),
    ("rename,renameat,renameat2", "error=EIO"),
    ("rename,renameat,renameat2", "error=ENOSPC"),
    ("openat", "error=EIO"),
    ("openat", "error=ENOSPC"),
    ("link,linkat", "error=EIO"),
    ("fchmod", "error=EIO"),
    ("flock", "error=ENOLCK"),
    ("unlink,unlinkat", "error=EIO"),
];
/// More of one call than a commit makes.
const CALLS_MAX: usize = 6;

/// A running daemon, and the thread of it that waits for the disk.
struct Daemon {
    context: TestContext,
    rpc: Rpc,
    pid: u32,
    commit_thread: u32,
}

impl Daemon {
    fn start() -> Self {
        let context = TestContext::new();
        let pid = context.start_daemon();
        // It names itself when it first runs.
        let commit_thread = until("the thread that commits runs", || threads(pid, "commit").pop());
        Daemon { rpc: context.rpc(), context, pid, commit_thread }
    }

    fn announce(&mut self, id: &str) -> Value {
        let record = json!({ "id": id, "pid": std::process::id() });
        self.rpc.call("announce", json!({ "record": record }))
    }

    /// What the daemon shows.
    fn records(&mut self) -> Vec<(String, Value)> {
        let listing = self.rpc.result("list", json!({}));
        let records = listing["records"].as_array().expect("a list").iter();
        let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
        records.map(|listed| (id(listed), listed["record"].clone())).collect()
    }

    /// What the file holds.
    fn records_in_file(&self) -> Vec<(String, Value)> {
        let document = self.context.document();
        let records = document["watchers"].as_object().expect("a map").iter();
        records.map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.context.registry()).expect("it is there")
    }
}

/// How many changes the cursor of an answer stands for.
fn revision(answer: &Value) -> usize {
    let cursor = answer["result"]["cursor"].as_str().expect("a cursor");
    cursor.rsplit(':').next().and_then(|revision| revision.parse().ok()).expect("a revision")
}

#[test]
fn a_failing_disk_gets_true_answers_and_the_daemon_goes_on() {
    for (calls, effect) in FAULTS {
        let mut daemon = Daemon::start();
        let mut revision_before = revision(&daemon.announce("kept"));
        let mut struck = 0;
        for (for_good, number) in
            [false, true].iter().flat_map(|good| (1..=CALLS_MAX).map(move |n| (*good, n)))
        {
            let when = if for_good { format!("{number}+") } else { number.to_string() };
            let fault = Fault { calls, effect, when };
            let records_before = daemon.records();
            let before = daemon.bytes();

            let failing = fault.attach(daemon.commit_thread);
            let id = format!("new-{for_good}-{number}");
            let answer = daemon.announce(&id);
            // Reading goes on meanwhile.
            let shown = daemon.records();
            let run = daemon.context.argus(&["--daemon-only", "get", "kept"]);
            assert_eq!(run.code, 0, "{fault:?}: {run:?}");
            drop(failing);

            match answer["error"]["data"]["code"].as_str() {
                None => {
                    assert_eq!(shown, daemon.records_in_file(), "{fault:?}");
                    assert_eq!(shown.last().expect("records").0, id, "{fault:?}");
                }
                Some("E_OUTCOME_UNKNOWN") => {
                    until("the daemon shows what the file holds", || {
                        (daemon.records() == daemon.records_in_file()).then_some(())
                    });
                }
                Some(_) => {
                    assert_eq!(daemon.bytes(), before, "{fault:?}: {answer}");
                    assert_eq!(shown, records_before, "{fault:?}: {answer}");
                }
            }
            struck += usize::from(answer["error"].is_object());

            let records = daemon.records().len();
            let answer = daemon.announce(&format!("{id}-next"));
            assert!(answer["error"].is_null(), "{fault:?}: {answer}");
            assert_eq!(daemon.records(), daemon.records_in_file(), "{fault:?}");
            let changes = records + 1 - records_before.len();
            assert_eq!(revision(&answer), revision_before + changes, "{fault:?}");
            revision_before = revision(&answer);
            assert_no_debris(&daemon.context);
        }
        let harmless = calls.starts_with("unlink");
        assert!(struck > 0 || harmless, "{calls} {effect} never struck");
        assert_eq!(daemon.context.daemons(), [daemon.pid]);
        let status = daemon.rpc.result("status", json!({}));
        assert_eq!(status["warnings"], json!([]), "{calls} {effect}");
    }
}

#[test]
fn a_heartbeat_is_kept_until_the_disk_takes_it() {
    let mut daemon = Daemon::start();
    daemon.announce("kept");
    let before = daemon.bytes();
    let fault = Fault { calls: "fsync", effect: "error=EIO", when: "1+".to_owned() };
    let failing = fault.attach(daemon.commit_thread);
    let refreshed = daemon.rpc.result("heartbeat", json!({ "id": "kept" }))["updatedAt"].clone();
    for id in ["one", "two"] {
        assert_eq!(daemon.announce(id)["error"]["data"]["code"], "E_IO");
        assert_eq!(daemon.bytes(), before);
        assert_eq!(daemon.records()[0].1["updatedAt"], refreshed);
    }
    let warnings = |daemon: &mut Daemon| daemon.rpc.result("status", json!({}))["warnings"].clone();
    assert_eq!(warnings(&mut daemon)[0]["code"], "E_IO", "it is told also to who only reads");
    drop(failing);
    until("the heartbeat is in the file", || {
        (daemon.records_in_file()[0].1["updatedAt"] == refreshed).then_some(())
    });
    until("the warning goes", || (warnings(&mut daemon) == json!([])).then_some(()));
    assert_eq!(daemon.records(), daemon.records_in_file());
}

#[test]
fn a_file_that_cannot_be_read_is_told_for_as_long_as_it_is_so() {
    let mut daemon = Daemon::start();
    daemon.announce("kept");
    let warnings = |daemon: &mut Daemon| daemon.rpc.result("status", json!({}))["warnings"].clone();
    let fault = Fault { calls: "openat", effect: "error=EIO", when: "1+".to_owned() };
    let failing = fault.attach(daemon.commit_thread);
    // Somebody else's disk works, and now there is something to be read.
    assert_eq!(daemon.context.argus(&["--direct", "announce", "--id", "other"]).code, 0);
    let told = until("the daemon says that it cannot read", || {
        warnings(&mut daemon).as_array().expect("a list").first().cloned()
    });
    assert_eq!(told["code"], "E_IO");
    let message = told["message"].as_str().expect("text");
    assert!(message.contains(&*daemon.context.registry().to_string_lossy()), "{message}");
    assert_eq!(daemon.records().len(), 1);
    drop(failing);
    until("it has read", || (daemon.records() == daemon.records_in_file()).then_some(()));
    assert_eq!(warnings(&mut daemon), json!([]));
    assert_eq!(daemon.records().len(), 2);
}

/// Seen to fail, by a commit that is begun for ever, where what was applied once counted as applied
/// again.
#[test]
fn a_change_whose_time_runs_out_on_a_slow_disk_is_left_out_and_the_others_are_written() {
    let mut daemon = Daemon::start();
    daemon.announce("kept");
    let slow = Fault { calls: "fsync", effect: "delay_enter=2000000", when: "1".to_owned() };
    let slowing = slow.attach(daemon.commit_thread);
    // Written with the change, and worth a write without it.
    let refreshed = daemon.rpc.result("heartbeat", json!({ "id": "kept" }))["updatedAt"].clone();
    let deadline = argus_presence::clock::monotonic_ms() + 700;
    let late = json!({ "record": { "id": "late" }, "deadline": deadline });
    let answer = daemon.rpc.call("announce", late);
    assert_eq!(answer["error"]["data"]["code"], "E_TIMEOUT", "{answer}");
    drop(slowing);
    assert!(daemon.announce("next")["error"].is_null());
    let records = daemon.records_in_file();
    let ids: Vec<&str> = records.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["kept", "next"]);
    assert_eq!(records[0].1["updatedAt"], refreshed);
}

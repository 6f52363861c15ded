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

use crate::kept::{DIRECTORY, Kept, Records, WATCHERS};
use crate::strace::{Fault, debris, the_thread};

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
/// More of one call than a commit makes, which is more where each record has a file.
const CALLS_MAX: [(Kept, usize); 2] = [(WATCHERS, 6), (DIRECTORY, 14)];

/// A running daemon, and the thread of it that waits for the disk.
struct Daemon {
    context: TestContext,
    rpc: Rpc,
    pid: u32,
    kept: Kept,
    commit_thread: u32,
}

impl Daemon {
    /// One with `kept` in it.
    fn start(kept: Kept) -> Self {
        let context = TestContext::new();
        kept.configure(&context);
        let pid = context.start_daemon();
        let mut daemon = Daemon { rpc: context.rpc(), context, pid, kept, commit_thread: 0 };
        assert!(daemon.add("kept")["error"].is_null());
        let name = format!("commit-{}", daemon.kept.name);
        daemon.commit_thread = the_thread(pid, &name);
        daemon
    }

    fn add(&mut self, id: &str) -> Value {
        if self.kept.name == "jobs" {
            return self.rpc.call("put", json!({ "collection": "jobs", "id": id, "value": {} }));
        }
        let record = json!({ "id": id, "pid": std::process::id() });
        self.rpc.call("announce", json!({ "record": record }))
    }

    fn listing(&mut self) -> Value {
        self.rpc.result("list", json!({ "collection": self.kept.name }))
    }

    /// What the daemon shows.
    fn records(&mut self) -> Records {
        let listing = self.listing();
        let records = listing["records"].as_array().expect("a list").iter();
        let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
        records.map(|listed| (id(listed), listed["record"].clone())).collect()
    }

    /// How many changes it has counted.
    fn revision(&mut self) -> usize {
        let listing = self.listing();
        let cursor = listing["cursor"].as_str().expect("a cursor");
        cursor.rsplit(':').next().and_then(|number| number.parse().ok()).expect("a revision")
    }

    /// What the disk holds.
    fn records_on_disk(&self) -> Records {
        self.kept.found(&self.context, "--direct")
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.kept.path(&self.context)).expect("it is there")
    }
}

#[test]
fn a_failing_disk_gets_true_answers_and_the_daemon_goes_on() {
    for (kept, calls_max) in CALLS_MAX {
        for (calls, effect) in FAULTS {
            let mut daemon = Daemon::start(kept);
            let mut revision_before = daemon.revision();
            let mut struck = 0;
            for (for_good, number) in
                [false, true].iter().flat_map(|good| (1..=calls_max).map(move |n| (*good, n)))
            {
                let when = if for_good { format!("{number}+") } else { number.to_string() };
                let fault = Fault { calls, effect, when };
                let records_before = daemon.records();

                let failing = fault.attach(daemon.commit_thread);
                let id = format!("new-{for_good}-{number}");
                let answer = daemon.add(&id);
                // Reading goes on meanwhile.
                let shown = daemon.records();
                let arguments = daemon.kept.arguments(&["--daemon-only"], &["get", "kept"]);
                let run = daemon.context.argus(&arguments);
                assert_eq!(run.code, 0, "{fault:?}: {run:?}");
                drop(failing);

                match answer["error"]["data"]["code"].as_str() {
                    None => {
                        assert_eq!(shown, daemon.records_on_disk(), "{fault:?}");
                        assert!(shown.contains_key(&id), "{fault:?}");
                    }
                    Some("E_OUTCOME_UNKNOWN") => {
                        until("the daemon shows what the disk holds", || {
                            (daemon.records() == daemon.records_on_disk()).then_some(())
                        });
                    }
                    Some(_) => {
                        assert_eq!(daemon.records_on_disk(), records_before, "{fault:?}: {answer}");
                        assert_eq!(shown, records_before, "{fault:?}: {answer}");
                    }
                }
                struck += usize::from(answer["error"].is_object());

                let records = daemon.records().len();
                let answer = daemon.add(&format!("{id}-next"));
                assert!(answer["error"].is_null(), "{fault:?}: {answer}");
                assert_eq!(daemon.records(), daemon.records_on_disk(), "{fault:?}");
                let changes = records + 1 - records_before.len();
                assert_eq!(daemon.revision(), revision_before + changes, "{fault:?}");
                revision_before = daemon.revision();
                until("the whole file shows what the disk holds", || {
                    let is_shown = daemon.kept.shown(&daemon.context) == daemon.records();
                    (is_shown && debris(&daemon.context).is_empty()).then_some(())
                });
            }
            // Only a file that is written whole gets its mode, or is linked, before the answer.
            let is_only_whole = daemon.kept.name == "jobs" && calls == "fchmod";
            let harmless = calls.starts_with("unlink") || is_only_whole;
            assert!(struck > 0 || harmless, "{calls} {effect} never struck");
            assert_eq!(daemon.context.daemons(), [daemon.pid]);
            until("nothing is left to warn of", || {
                let status = daemon.rpc.result("status", json!({}));
                (status["warnings"] == json!([])).then_some(())
            });
        }
    }
}

#[test]
fn a_heartbeat_is_kept_until_the_disk_takes_it() {
    let mut daemon = Daemon::start(WATCHERS);
    let before = daemon.bytes();
    let fault = Fault { calls: "fsync", effect: "error=EIO", when: "1+".to_owned() };
    let failing = fault.attach(daemon.commit_thread);
    let refreshed = daemon.rpc.result("heartbeat", json!({ "id": "kept" }))["updatedAt"].clone();
    for id in ["one", "two"] {
        assert_eq!(daemon.add(id)["error"]["data"]["code"], "E_IO");
        assert_eq!(daemon.bytes(), before);
        assert_eq!(daemon.records()["kept"]["updatedAt"], refreshed);
    }
    let warnings = |daemon: &mut Daemon| daemon.rpc.result("status", json!({}))["warnings"].clone();
    assert_eq!(warnings(&mut daemon)[0]["code"], "E_IO", "it is told also to who only reads");
    drop(failing);
    until("the heartbeat is in the file", || {
        (daemon.records_on_disk()["kept"]["updatedAt"] == refreshed).then_some(())
    });
    until("the warning goes", || (warnings(&mut daemon) == json!([])).then_some(()));
    assert_eq!(daemon.records(), daemon.records_on_disk());
}

#[test]
fn a_file_that_cannot_be_read_is_told_for_as_long_as_it_is_so() {
    let mut daemon = Daemon::start(WATCHERS);
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
    until("it has read", || (daemon.records() == daemon.records_on_disk()).then_some(()));
    assert_eq!(warnings(&mut daemon), json!([]));
    assert_eq!(daemon.records().len(), 2);
}

/// Seen to fail, by a commit that is begun for ever, where what was applied once counted as applied
/// again.
#[test]
fn a_change_whose_time_runs_out_on_a_slow_disk_is_left_out_and_the_others_are_written() {
    let mut daemon = Daemon::start(WATCHERS);
    let slow = Fault { calls: "fsync", effect: "delay_enter=2000000", when: "1".to_owned() };
    let slowing = slow.attach(daemon.commit_thread);
    // Written with the change, and worth a write without it.
    let refreshed = daemon.rpc.result("heartbeat", json!({ "id": "kept" }))["updatedAt"].clone();
    let deadline = argus_presence::clock::monotonic_ms() + 700;
    let late = json!({ "record": { "id": "late" }, "deadline": deadline });
    let answer = daemon.rpc.call("announce", late);
    assert_eq!(answer["error"]["data"]["code"], "E_TIMEOUT", "{answer}");
    drop(slowing);
    assert!(daemon.add("next")["error"].is_null());
    let records = daemon.records_on_disk();
    let ids: Vec<&String> = records.keys().collect();
    assert_eq!(ids, ["kept", "next"]);
    assert_eq!(records["kept"]["updatedAt"], refreshed);
}

//! A full disk: nothing is changed and nothing is lost, and it goes on as soon as there is room.
//!
//! Seen to fail with the error of writing the temporary file ignored, with a folder of records' files left
//! behind that was not put in place, and with a daemon that gives a heartbeat up after one failed write.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use argus_tests::{Run, TestContext, until};
use serde_json::json;

use crate::kept;
use crate::mounts::SmallDisk;
use crate::strace::assert_no_debris;

const KILOBYTES: usize = 512;
/// What the disk is divided into.
const BLOCK_BYTES: u64 = 4096;
/// More blocks than a change takes, over all its files.
const BLOCKS_MAX: u64 = 12;

/// Takes all the room there is but some blocks, until it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn new(disk: &SmallDisk, free_blocks: u64) -> Self {
        let path = disk.path().join("filler");
        let mut file = File::create(&path).expect("own file");
        let block = [1; BLOCK_BYTES as usize];
        while file.write_all(&block).is_ok() {}
        let length = file.metadata().expect("own file").len();
        file.set_len(length - free_blocks * BLOCK_BYTES).expect("own file");
        Filler(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The error says what could not be done, with which file, and what helps.
fn assert_says_that_it_is_full(run: &Run, context: &TestContext) {
    let error = run.error();
    assert_eq!(error["code"], "E_IO", "{run:?}");
    let message = error["message"].as_str().expect("text");
    assert!(message.contains(&*context.home().to_string_lossy()), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    assert!(error["hint"].as_str().expect("text").starts_with("make room: df -h /"), "{run:?}");
}

#[test]
fn a_direct_writer_changes_nothing_on_a_full_disk_and_says_so() {
    let disk = SmallDisk::new(KILOBYTES);
    for kept in kept::ALL {
        for (number, change) in kept.struck().iter().enumerate() {
            let mut failures = 0;
            for free_blocks in 0..=BLOCKS_MAX {
                let context = TestContext::within(&disk.path());
                kept.fill(&context);
                for before in &kept.changes[..number] {
                    assert_eq!(kept.direct(&context, before.arguments).code, 0);
                }
                let before = kept.found(&context, "--direct");
                let filler = Filler::new(&disk, free_blocks);
                let way = ["--direct", "--json"];
                let run = context.argus(&kept.arguments(&way, change.arguments));
                let after = kept.found(&context, "--direct");
                if run.code == 0 {
                    assert!((change.is_seen)(&after), "{after:?}");
                } else if run.error()["code"] == "E_OUTCOME_UNKNOWN" {
                    // The records' own files have it, and that could not be noted.
                    failures += 1;
                } else {
                    failures += 1;
                    assert_says_that_it_is_full(&run, &context);
                    assert_eq!(after, before);
                }
                assert_no_debris(&context);
                drop(filler);
                let acknowledged = number + usize::from(run.code == 0);
                kept.assert_recovers(&context, acknowledged, &free_blocks);
            }
            // The lockfile, and then the new file, found no room.
            assert!((1..BLOCKS_MAX).contains(&failures), "{failures} failures");
        }
    }
}

#[test]
fn a_daemon_serves_on_a_full_disk_and_writes_when_there_is_room() {
    let disk = SmallDisk::new(KILOBYTES);
    let context = TestContext::within(&disk.path());
    let pid = context.start_daemon();
    for id in ["first", "kept"] {
        assert_eq!(context.argus(&["--daemon-only", "announce", "--id", id]).code, 0);
    }
    let time_in_file = || context.document()["watchers"]["kept"]["updatedAt"].as_u64();
    let mut rpc = context.rpc();
    for _ in 0..2 {
        let before = fs::read(context.registry()).expect("it is there");
        let filler = Filler::new(&disk, 0);
        let refreshed = rpc.result("heartbeat", json!({ "id": "kept" }))["updatedAt"].as_u64();
        assert!(refreshed > time_in_file());
        let shown = rpc.result("get", json!({ "id": "kept" }));
        assert_eq!(shown["record"]["updatedAt"].as_u64(), refreshed);

        // The heartbeat shares their fate, and is tried again.
        let run = context.argus(&["--json", "announce", "--id", "new"]);
        assert_says_that_it_is_full(&run, &context);
        let run = context.argus(&["--json", "rm", "first"]);
        assert_says_that_it_is_full(&run, &context);
        assert_eq!(fs::read(context.registry()).expect("it is there"), before);
        let run = context.argus(&["--daemon-only", "ls"]);
        assert!(run.stdout.contains("first") && !run.stdout.contains("new"), "{run:?}");

        drop(filler);
        until("the heartbeat is in the file", || (time_in_file() == refreshed).then_some(()));
    }
    assert_eq!(context.argus(&["--daemon-only", "announce", "--id", "new"]).code, 0);
    assert_eq!(context.ids(), ["first", "kept", "new"]);
    assert_eq!(context.daemons(), [pid]);
    assert_no_debris(&context);
}

#[test]
fn who_finds_no_daemon_and_a_full_disk_is_told_so() {
    let disk = SmallDisk::new(KILOBYTES);
    let context = TestContext::within(&disk.path());
    let filler = Filler::new(&disk, 0);
    assert_says_that_it_is_full(&context.argus(&["--json", "announce", "--id", "new"]), &context);
    let run = context.argus(&["ls"]);
    assert_eq!(run.code, 0, "{run:?}");
    drop(filler);
    let run = context.argus(&["announce", "--id", "new"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(context.ids(), ["new"]);
}

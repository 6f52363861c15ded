//! The watchers' registry as the TypeScript tools kept it.
//!
//! Others of its stories are told elsewhere: updates that time out among 64 processes in `storm.rs`,
//! a bad row that breaks its readers in `files.rs`, a paused holder in `tests/faults/old_faults.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Barrier;
use std::time::Duration;

use argus_client::method::{Heartbeat, Remove};
use argus_client::{Code, Mode, Options, Standing, Watcher, announcement, blocking};
use argus_store::kernel_lock::WRITE_LOCK;
use argus_store::{Folder, KernelLock};
use argus_tests::{Bystander, FileStamp, OldProgram, Run, TestContext, stamp_of, until};
use serde_json::Value;

const WAYS: [&[&str]; 2] = [&["--direct"], &["--daemon-only"]];

fn heartbeat(id: &str) -> Heartbeat {
    Heartbeat { id: id.into(), pid: None }
}

fn remove(id: &str) -> Remove {
    Remove { id: id.into(), pid: None, if_match: None, flush: false }
}

/// "A truncated or v2 file is replaced by the next heartbeat."
///
/// Seen to fail with a file that cannot be read taken for a missing one.
#[test]
fn a_heartbeat_replaces_neither_a_truncated_file_nor_one_of_a_newer_version() {
    let newer = &b"{\"version\":2,\"watchers\":{\"app\":{}}}"[..];
    for way in WAYS {
        for is_newer in [false, true] {
            let context = TestContext::new();
            for id in ["app", "other"] {
                assert_eq!(context.argus(&[way, &["announce", "--id", id]].concat()).code, 0);
            }
            let mut bytes = fs::read(context.registry()).expect("it is there");
            bytes.truncate(bytes.len() / 2);
            let bytes = if is_newer { newer.to_vec() } else { bytes };
            fs::write(context.registry(), &bytes).expect("own file");
            if is_newer {
                until("the heartbeat is refused", || {
                    let run = context.argus(&[way, &["heartbeat", "app"]].concat());
                    (run.code == 7).then_some(())
                });
                assert_eq!(fs::read(context.registry()).expect("it is there"), bytes);
                continue;
            }
            assert_eq!(context.argus(&[way, &["heartbeat", "app"]].concat()).code, 0);
            until("the file is whole again", || {
                let text = fs::read(context.registry()).expect("it is there");
                serde_json::from_slice::<Value>(&text).ok()
            });
            assert!(context.ids().contains(&"app".to_owned()), "{way:?}: {:?}", context.ids());
            assert_eq!(quarantined(&context), [bytes], "{way:?}");
        }
    }
}

/// What was set aside, in no order.
pub(super) fn quarantined(context: &TestContext) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(context.paths().folder().join("quarantine")).expect("it is there");
    entries.map(|entry| fs::read(entry.expect("there").path()).expect("readable")).collect()
}

/// "Eight starts of `app` all become `app` with one row, and closing one removes the row of the
/// rest."
///
/// Seen to fail with every record taken for one's own.
#[test]
fn eight_starts_of_app_are_eight_rows_and_closing_one_removes_no_other() {
    for way in WAYS {
        let context = TestContext::new();
        let processes: Vec<Bystander> = (0..8).map(|_| context.bystander()).collect();
        let pids: Vec<String> = processes.iter().map(|one| one.pid().to_string()).collect();
        let starts: Vec<_> = pids
            .iter()
            .map(|pid| {
                let verb = ["announce", "--id", "app", "--unique", "--pid", pid];
                let mut command = context.command(&[way, &verb].concat());
                let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
                piped.spawn().expect("argus can be run")
            })
            .collect();
        let mut names: Vec<String> = starts
            .into_iter()
            .map(|start| {
                let run = Run::from(start.wait_with_output().expect("it was started here"));
                assert_eq!(run.code, 0, "{run:?}");
                run.stdout.trim_end().to_owned()
            })
            .collect();
        let (first, pid) = (names[0].clone(), &pids[0]);

        // One that believes to be `app` closes: what is not its own stays.
        let other = names[1].clone();
        let run = context.argus(&[way, &["rm", &other, "--pid", pid]].concat());
        assert_eq!(run.code, 5, "{run:?}");
        names.sort();
        let expected = (2..=8).map(|number| format!("app-{number}"));
        assert_eq!(names, ["app".to_owned()].into_iter().chain(expected).collect::<Vec<_>>());
        assert_eq!(context.ids(), names);

        assert_eq!(context.argus(&[way, &["rm", &first, "--pid", pid]].concat()).code, 0);
        names.retain(|name| *name != first);
        assert_eq!(context.ids(), names);
    }
}

/// "A lock timeout in a heartbeat ends the watcher."
///
/// Seen to fail with a watcher that gives up at `E_LOCKED`.
#[test]
fn a_heartbeat_that_gets_no_lock_does_not_end_the_watcher() {
    let context = TestContext::new();
    let options = Options {
        heartbeat_interval: Duration::from_millis(20),
        lock_wait: Some(Duration::from_millis(50)),
        ..context.options(Mode::Direct)
    };
    let watcher = Watcher::start(options, announcement("app").build()).expect("announced");
    let lock = OldProgram::new(&context.registry()).lock();
    until("a heartbeat has got no lock", || match watcher.standing() {
        Standing::Failing(error) => (error.code == Code::Locked).then_some(()),
        _ => None,
    });
    let before = context.document()["watchers"]["app"]["updatedAt"].clone();
    drop(lock);
    until("the next one gets it", || (watcher.standing() == Standing::Announced).then_some(()));
    assert_ne!(context.document()["watchers"]["app"]["updatedAt"], before);
    watcher.close().expect("it goes on to its own end");
    assert!(context.ids().is_empty());
}

/// Who removes a record.
#[derive(Debug, Clone, Copy)]
enum Remover {
    Argus(Mode),
    Old,
}

/// "A heartbeat in flight revives a removed row", of 200 rows 22.
///
/// Seen to fail with a heartbeat that makes the record that it does not find, and with a daemon
/// whose heartbeats count more than what others have removed.
#[test]
fn a_heartbeat_in_flight_revives_no_removed_row() {
    const ROUNDS: usize = 34;
    let context = TestContext::in_memory();
    let old = OldProgram::new(&context.registry());
    let daemon = context.client(Mode::Auto);
    let pairs = [
        (Mode::DaemonOnly, Remover::Argus(Mode::DaemonOnly)),
        (Mode::DaemonOnly, Remover::Argus(Mode::Direct)),
        (Mode::DaemonOnly, Remover::Old),
        (Mode::Direct, Remover::Argus(Mode::DaemonOnly)),
        (Mode::Direct, Remover::Argus(Mode::Direct)),
        (Mode::Direct, Remover::Old),
    ];
    for (beats, removes) in pairs {
        let beating = context.client(beats);
        let removing: Option<blocking::Client> = match removes {
            Remover::Argus(mode) => Some(context.client(mode)),
            Remover::Old => None,
        };
        for round in 0..ROUNDS {
            daemon.announce(announcement("app").build()).expect("served");
            let start = Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    let beat = beating.heartbeat(heartbeat("app"));
                    let code = beat.err().map(|error| error.code);
                    assert!(matches!(code, None | Some(Code::NotFound)), "{code:?}");
                });
                start.wait();
                match &removing {
                    Some(client) => drop(client.remove(remove("app")).expect("served")),
                    None => old.update(|document| {
                        document["watchers"].as_object_mut().expect("a map").remove("app");
                    }),
                }
            });
            // A commit takes along whatever is in memory only.
            daemon.announce(announcement("other").port(round as u16).build()).expect("served");
            assert_eq!(context.ids(), ["other"], "{beats:?}, {removes:?}, round {round}");
            assert_eq!(daemon.get("app").expect_err("it is gone").code, Code::NotFound);
        }
    }
}

/// "A clock step of 61 s prunes everyone": seen from the file, whose times are suddenly old, or
/// still to come.
///
/// Seen to fail with a time in the future taken for an age, and with a heartbeat that sets a time
/// back.
#[test]
fn a_clock_that_jumps_costs_no_record_and_sets_no_time_back() {
    for way in WAYS {
        for step_ms in [-61_000_i64, 61_000, 3_600_000] {
            let context = TestContext::new();
            let process = context.bystander();
            let pid = process.pid().to_string();
            context.argus(&["announce", "--id", "vouched", "--pid", &pid]);
            // As the older tools announce: no more than times to go by.
            context.client(Mode::Auto).announce(announcement("app").build()).expect("served");
            OldProgram::new(&context.registry()).update(|document| {
                for id in ["vouched", "app"] {
                    let time = &mut document["watchers"][id]["updatedAt"];
                    *time = (time.as_i64().expect("a time") + step_ms).into();
                }
            });
            let stepped = context.document()["watchers"].clone();
            let listing = || -> BTreeMap<String, (String, i64)> {
                let listing = context.argus(&[way, &["--json", "ls"]].concat()).data();
                let records = listing["records"].as_array().expect("a list").iter();
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                let time = |one: &Value| one["record"]["updatedAt"].as_i64().expect("a time");
                records.map(|one| (text(&one["id"]), (text(&one["state"]), time(one)))).collect()
            };
            let seen = until("the step is seen", || {
                let listing = listing();
                let time = |id: &str| stepped[id]["updatedAt"].as_i64().expect("a time");
                listing.iter().all(|(id, (_, seen))| *seen == time(id)).then_some(listing)
            });
            let state = |id: &str| seen[id].0.as_str();
            let old = if step_ms < 0 { "stale" } else { "live" };
            assert_eq!((state("app"), state("vouched")), (old, "live"), "{way:?} {step_ms}");
            assert_eq!(context.ids(), ["app", "vouched"], "seeing it removes nobody");

            for (id, (_, before)) in &seen {
                let run = context.argus(&[way, &["--json", "heartbeat", id]].concat());
                let time = run.data()["updatedAt"].as_i64().expect("a time");
                assert!(time >= *before, "{way:?} {step_ms}: {time} is before {before}");
            }
            assert!(listing().values().all(|(state, _)| state == "live"), "{way:?} {step_ms}");
            let run = context.argus(&[way, &["--json", "prune"]].concat());
            assert_eq!(run.data()["removedIds"], serde_json::json!([]), "{way:?} {step_ms}");
            assert_eq!(context.ids(), ["app", "vouched"]);
        }
    }
}

/// "Every `list` is a locked write."
///
/// Seen to fail with a direct `list` that goes through `RegistryFile::update`.
#[test]
fn listing_waits_for_no_lock_and_writes_nothing() {
    let context = TestContext::new();
    let cwd = context.home().to_string_lossy();
    context.argus(&["announce", "--id", "app", "--cwd", &cwd]);
    let folder = Folder::open(context.paths().folder()).expect("own folder");
    let _turn = KernelLock::try_acquire(&folder, WRITE_LOCK).expect("own").expect("free");
    let _lock = OldProgram::new(&context.registry()).lock();
    let before = files(context.home());
    for way in WAYS {
        for verb in [&["ls"][..], &["ls", "--by-cwd", &cwd], &["get", "app"], &["resolve", "app"]] {
            let run = context.argus(&[way, verb].concat());
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{way:?} {verb:?}: {run:?}");
        }
    }
    assert_eq!(files(context.home()), before);
}

/// Every file below, with what changes when it is written or replaced.
fn files(folder: &Path) -> BTreeMap<String, FileStamp> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("own folder") {
        let path = entry.expect("readable").path();
        if fs::symlink_metadata(&path).expect("it is there").is_dir() {
            found.extend(files(&path));
        }
        // The daemon's log tells who came, and its database follows in its own time.
        let is_followed = path.to_string_lossy().contains("argus.db");
        if !path.ends_with("argusd.log") && !is_followed {
            found.insert(path.display().to_string(), stamp_of(&path));
        }
    }
    found
}

//! Faults of the older tools that show only when a writer is held or killed at one system call:
//! one story a test. The others are in `tests/system/old_faults/`.

use std::fs;
use std::process::{Child, Stdio};

use argus_tests::{OldProgram, Run, TestContext, ended, executables, signal_process, until};
use rustix::process::Signal;

use crate::strace::{Fault, assert_no_debris};

/// A direct writer that stands still with both locks in its hands and everything but the rename
/// done.
struct Paused {
    strace: Option<Child>,
    writer: u32,
}

impl Paused {
    fn new(context: &TestContext, id: &str) -> Self {
        let fault = Fault { calls: "fsync", effect: "signal=STOP", when: "1".to_owned() };
        let mut command = fault.command(context, &executables().argus);
        command.args(["--direct", "--json", "announce", "--id", id]);
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let strace = Some(piped.spawn().expect("strace is installed"));
        let writer = until("the writer stands still", || {
            let lockfile = fs::read_to_string(context.paths().lockfile()).ok()?;
            let holder: serde_json::Value = serde_json::from_str(&lockfile).ok()?;
            let pid = u32::try_from(holder["pid"].as_u64()?).ok()?;
            is_stopped(pid).then_some(pid)
        });
        Paused { strace, writer }
    }

    /// Lets it go on to its end.
    fn wake(mut self) -> Run {
        signal_process(self.writer, Signal::CONT);
        let strace = self.strace.take().expect("it is woken once");
        Run::from(strace.wait_with_output().expect("own child"))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        if let Some(mut strace) = self.strace.take() {
            signal_process(self.writer, Signal::KILL);
            let _ = strace.wait();
        }
    }
}

fn is_stopped(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    // `strace` shows a stop as its own.
    let state = status.lines().find_map(|line| line.strip_prefix("State:\t"));
    state.is_some_and(|state| state.starts_with(['T', 't']))
}

/// The lockfile looks as old as one that everybody takes for left behind.
fn make_old(context: &TestContext) {
    let file = fs::File::options().write(true).open(context.paths().lockfile()).expect("held");
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    file.set_modified(hour_ago).expect("own file");
}

/// "A paused holder's lock is stolen, and on waking it unlinks the thief's lock, so two hold it."
///
/// Seen to fail without the look at the lockfile before the rename, and with a lockfile that is
/// unlinked at the end whoever it belongs to.
#[test]
fn a_paused_holder_that_wakes_neither_writes_nor_unlinks_the_lock_of_the_thief() {
    let context = TestContext::new();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
    let paused = Paused::new(&context, "paused");
    make_old(&context);
    // As the older tools do with a lock that is over 10 s old.
    fs::remove_file(context.paths().lockfile()).expect("it is there");
    let thief = OldProgram::new(&context.registry()).lock();
    let before = fs::read(context.registry()).expect("it is there");

    let run = paused.wake();
    assert_eq!((run.code, run.error()["code"].as_str()), (6, Some("E_LOCKED")), "{run:?}");
    assert_eq!(fs::read(context.registry()).expect("it is there"), before);
    assert!(context.paths().lockfile().exists(), "the thief holds it still");
    let run = context.argus(&["--direct", "--json", "announce", "--id", "second"]);
    assert_eq!(run.error()["code"], "E_LOCKED", "there are never two: {run:?}");
    drop(thief);
    assert_eq!(context.argus(&["--direct", "announce", "--id", "second"]).code, 0);
    assert_eq!(context.ids(), ["kept", "second"]);
    assert_no_debris(&context);
}

/// Among argus processes the kernel lock decides, which no age makes stale.
///
/// Seen to fail without the kernel lock.
#[test]
fn a_paused_holder_loses_its_lock_to_no_other_argus_however_old_it_looks() {
    let context = TestContext::new();
    let paused = Paused::new(&context, "paused");
    make_old(&context);
    let run = context.argus(&["--direct", "--json", "announce", "--id", "second"]);
    assert_eq!((run.code, run.error()["code"].as_str()), (6, Some("E_LOCKED")), "{run:?}");
    let message = run.error()["message"].as_str().expect("text").to_owned();
    assert!(message.contains(&format!("process {}", paused.writer)), "{message}");
    let run = paused.wake();
    assert_eq!(run.data()["id"], "paused", "{run:?}");
    assert_eq!(context.argus(&["--direct", "announce", "--id", "second"]).code, 0);
    assert_eq!(context.ids(), ["paused", "second"]);
    assert_no_debris(&context);
}

/// "Its kill test mocks the rename and deletes the temp file itself." Here the writer is really
/// killed, what it leaves is really there, and the next writer finds it.
///
/// Seen to fail without the clearing away of debris.
#[test]
fn a_writer_killed_before_its_rename_leaves_a_file_that_the_next_one_clears_away() {
    let context = TestContext::new();
    assert_eq!(context.argus(&["--direct", "announce", "--id", "kept"]).code, 0);
    let before = fs::read(context.registry()).expect("it is there");
    let paused = Paused::new(&context, "new");
    let writer = paused.writer;
    drop(paused);
    assert!(ended(writer));
    let temporary = || -> Vec<String> {
        fs::read_dir(context.home())
            .expect("own folder")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with('.'))
            .collect()
    };
    assert_eq!(temporary().len(), 1, "written, and not renamed");
    assert!(context.paths().lockfile().exists());
    assert_eq!(fs::read(context.registry()).expect("it is there"), before);

    assert_eq!(context.argus(&["--direct", "announce", "--id", "next"]).code, 0);
    assert_eq!(context.ids(), ["kept", "next"]);
    assert_no_debris(&context);
}

/// "The code in use writes in place": into the file that the daemon has just put there, while that still syncs the
/// folder. It is no more to be taken for the daemon's own than any other change of the file.
///
/// Seen to fail with a file that is known as it is after the folder was synced.
#[test]
fn what_is_written_into_the_new_file_before_that_is_durable_is_not_written_over() {
    let context = TestContext::new();
    let slow = Fault { calls: "fsync", effect: "delay_enter=300000", when: "1+".to_owned() };
    let mut daemon = slow.command(&context, &executables().argusd);
    let quiet = daemon.stdout(Stdio::null()).stderr(Stdio::null());
    let mut daemon = quiet.spawn().expect("strace is installed");
    until("the daemon listens", || context.paths().endpoint().exists().then_some(()));
    let announce =
        |id| context.argus(&["--daemon-only", "announce", "--id", id, "--pid", "1"]).code;
    assert_eq!(announce("first"), 0);
    std::thread::scope(|scope| {
        let announced = scope.spawn(|| announce("ours"));
        let mut document = until("the new file is there", || {
            Some(context.document()).filter(|document| document["watchers"]["ours"].is_object())
        });
        document["watchers"]["theirs"] = document["watchers"]["first"].clone();
        document["watchers"]["theirs"]["id"] = "theirs".into();
        fs::write(context.registry(), document.to_string()).expect("own folder");
        assert_eq!(announced.join().expect("whole"), 0);
    });
    assert_eq!(announce("last"), 0);
    assert_eq!(context.ids(), ["first", "last", "ours", "theirs"]);
    assert_eq!(context.argus(&["daemon", "stop"]).code, 0);
    assert!(daemon.wait().expect("own child").success());
}

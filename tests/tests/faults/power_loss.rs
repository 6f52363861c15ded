//! The power goes at any point of a change: what was acknowledged is on the disk.
//!
//! A killed program leaves to the kernel what it has written; here that is lost too, but for what
//! was synced. Seen to fail without the fsync of the file, and without that of the folder, in
//! `store::atomic`; without the fsync in `store::quarantine`, and with its debris left there. With a file a
//! record: without the fsync of their files, one by one or all at once, and without that of their folder.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use argus_presence::clock;
use argus_tests::{DEADLINE, TestContext, executables, signal_process, until};
use rustix::process::Signal;
use serde_json::json;

use crate::kept::{self, DIRECTORY, Kept, WATCHERS};
use crate::mounts::Disk;
use crate::strace::{Fault, at_every_point};

/// At so many points at least a change can be cut off.
const POINTS_MIN: usize = 12;

/// A home on the disk with what is to be changed in it.
fn home_on(disk: &Disk, kept: &Kept) -> TestContext {
    let context = TestContext::within(&disk.path());
    // The home itself is none of argus' business, and neither is its configuration.
    kept.fill(&context);
    for path in [context.home().join("config.yaml"), context.home().to_owned()] {
        File::open(path).and_then(|file| file.sync_all()).expect("own folder");
    }
    context
}

/// The power is back, and so is everything as after a boot. This machine has not had one: a
/// lockfile is made to be from before the boot that it has had.
fn start_again(disk: &Disk, context: &TestContext) {
    disk.start_again();
    for file in ["registry.json.lock", "jobs.json.lock"] {
        let lockfile = File::options().write(true).open(context.home().join(file));
        let Ok(lockfile) = lockfile else { continue };
        let up = clock::since_boot().expect("this machine tells");
        let before = SystemTime::now() - up - Duration::from_secs(5);
        lockfile.set_modified(before).expect("own file");
    }
}

/// They end with the power.
fn kill_daemons(context: &TestContext) {
    for pid in context.daemons() {
        signal_process(pid, Signal::KILL);
    }
}

#[test]
fn a_change_lasts_when_the_power_goes_right_after_its_answer() {
    let disk = Disk::new();
    for kept in kept::ALL {
        for way in ["--direct", "--daemon-only"] {
            for number in 1..=kept.struck().len() {
                let context = home_on(&disk, &kept);
                for change in &kept.changes[..number] {
                    let run = context.argus(&kept.arguments(&[way], change.arguments));
                    assert_eq!(run.code, 0, "{run:?}");
                }
                disk.lose_power();
                kill_daemons(&context);
                start_again(&disk, &context);
                kept.assert_recovers(&context, number, &way);
            }
        }
    }
}

#[test]
fn the_first_announcement_of_all_lasts() {
    let disk = Disk::new();
    for way in ["--direct", "--daemon-only"] {
        let context = TestContext::within(&disk.path());
        assert_eq!(context.argus(&[way, "announce", "--id", "first"]).code, 0);
        disk.lose_power();
        kill_daemons(&context);
        start_again(&disk, &context);
        assert_eq!(context.ids(), ["first"], "{way}");
    }
}

#[test]
fn a_direct_writer_cut_off_at_any_call_has_lost_nothing_it_acknowledged() {
    let disk = Disk::new();
    for kept in kept::ALL {
        for (number, change) in kept.struck().iter().enumerate() {
            let points = at_every_point(|fault| {
                let context = home_on(&disk, &kept);
                for before in &kept.changes[..number] {
                    assert_eq!(kept.direct(&context, before.arguments).code, 0);
                }
                let way = ["--direct", "--json"];
                let run = fault.argus(&context, &kept.arguments(&way, change.arguments));
                disk.lose_power();
                start_again(&disk, &context);
                let acknowledged = run.stdout.starts_with(r#"{"ok":true"#);
                kept.assert_recovers(&context, number + usize::from(acknowledged), fault);
                run.code == 0
            });
            assert!(points >= POINTS_MIN, "only {points} points");
        }
    }
}

#[test]
fn a_daemon_cut_off_at_any_call_has_lost_nothing_it_acknowledged() {
    let disk = Disk::new();
    for kept in [WATCHERS, DIRECTORY] {
        let points = at_every_point(|fault| {
            let context = home_on(&disk, &kept);
            let mut daemon = Daemon::start(fault, &context);
            let acknowledged = daemon.make_changes(&kept);
            disk.lose_power();
            let survived = acknowledged == kept.changes.len() && !daemon.has_ended();
            drop(daemon);
            start_again(&disk, &context);
            kept.assert_recovers(&context, acknowledged, fault);
            survived
        });
        assert!(points >= POINTS_MIN, "only {points} points");
    }
}

#[test]
fn what_is_damaged_is_kept_before_it_is_replaced_whenever_the_power_goes() {
    const DAMAGE: &[u8] = b"garbage";
    let disk = Disk::new();
    let points = at_every_point(|fault| {
        let context = home_on(&disk, &WATCHERS);
        let mut file = File::create(context.registry()).expect("own file");
        file.write_all(DAMAGE).and_then(|()| file.sync_all()).expect("own file");
        drop(file);
        let cut_off = fault.argus(&context, &["--direct", "announce", "--id", "new"]);
        disk.lose_power();
        start_again(&disk, &context);
        let is_in_place = || std::fs::read(context.registry()).expect("it is there") == DAMAGE;
        let is_kept = || quarantined(&context).iter().any(|bytes| bytes == DAMAGE);
        assert!(is_in_place() || is_kept(), "{fault:?}");
        assert!(cut_off.stdout.is_empty() || !is_in_place(), "{fault:?}: it was acknowledged");

        let run = context.argus(&["--direct", "announce", "--id", "next"]);
        assert_eq!(run.code, 0, "{fault:?}: {run:?}");
        assert!(context.ids().contains(&"kept".to_owned()), "{fault:?}");
        assert_eq!(quarantined(&context), [DAMAGE], "{fault:?}");
        cut_off.code == 0
    });
    assert!(points >= POINTS_MIN, "only {points} points");
}

/// What was set aside.
fn quarantined(context: &TestContext) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(context.paths().folder().join("quarantine")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.map(|path| std::fs::read(path).expect("readable")).collect()
}

/// A daemon with a fault, in the foreground. It is killed when dropped.
struct Daemon<'a> {
    strace: Child,
    context: &'a TestContext,
}

impl<'a> Daemon<'a> {
    /// Returns when it listens, or has ended.
    fn start(fault: &Fault, context: &'a TestContext) -> Self {
        let mut command = fault.command(context, &executables().argusd);
        command.arg("--registry").arg(context.registry());
        let strace = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut daemon = Daemon { strace: strace.expect("strace is installed"), context };
        until("the daemon listens, or is dead", || {
            (context.paths().endpoint().exists() || daemon.has_ended()).then_some(())
        });
        daemon
    }

    fn has_ended(&mut self) -> bool {
        self.strace.try_wait().expect("own child").is_some()
    }

    /// Makes the changes one after the other, until one is not answered; so many were.
    fn make_changes(&self, kept: &Kept) -> usize {
        let Ok(stream) = UnixStream::connect(self.context.paths().socket()) else { return 0 };
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        let mut answers = BufReader::new(&stream);
        let unanswered = kept.changes.iter().position(|change| {
            let (method, params) = (change.method, (change.params)());
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            // Whoever is killed neither reads nor answers.
            let _ = writeln!(&stream, "{request}");
            let mut line = String::new();
            let _ = answers.read_line(&mut line);
            assert!(!line.contains("error"), "{line}");
            !line.ends_with('\n')
        });
        unanswered.unwrap_or(kept.changes.len())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        kill_daemons(self.context);
        // It ends with what it runs.
        let _ = self.strace.wait();
    }
}

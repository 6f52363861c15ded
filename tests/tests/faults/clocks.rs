//! The clock is set while programs run: forward, and back by an hour.
//!
//! `faketime` does it, for the daemon and the command line, which are linked to the C library. The
//! monotonic clock, which nobody sets, is left as it is. Seen to fail with a heartbeat that takes
//! the time as it is, with a document whose time goes back, with a process that is not vouched
//! for, and with a lockfile whose distance from now counts as its age.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use argus_client::method::Subscribe;
use argus_client::{EventKind, Mode};
use argus_tests::{Bystander, OldProgram, Run, TestContext, until};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOUR: i64 = 3600;
/// Just more than a record may be old.
const BEYOND_TTL: i64 = 61;
/// The daemon looks every half second who is to go.
const SEVERAL_LOOKS: Duration = Duration::from_secs(6);
/// How long a lockfile that names nobody is respected.
const STALE_UNNAMED: Duration = Duration::from_secs(10);

/// A home in which the time is another one.
struct Clock {
    context: TestContext,
    folder: TempDir,
    /// As the loader reads it, with `$LIB` in it.
    library: String,
}

impl Clock {
    fn new() -> Self {
        let library =
            Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let library = String::from_utf8(library.expect("faketime is installed").stdout);
        let clock = Clock {
            context: TestContext::new(),
            folder: tempfile::tempdir().expect("a folder can be made"),
            library: library.expect("UTF-8").trim_end().to_owned(),
        };
        assert!(clock.library.ends_with(".so.1"), "{:?}", clock.library);
        clock.set(0);
        clock
    }

    /// From now on it is so many seconds later, or earlier.
    fn set(&self, seconds: i64) {
        let (next, file) = (self.folder.path().join("next"), self.file());
        fs::write(&next, format!("{seconds:+}\n")).expect("own file");
        // At once: it is read all the time.
        fs::rename(next, file).expect("own file");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }

    fn argus(&self, arguments: &[&str]) -> Run {
        let mut argus = self.context.command(arguments);
        argus.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file());
        argus.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DISABLE_SHM", "1");
        argus.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        argus.output().expect("argus can be run").into()
    }

    fn succeed(&self, arguments: &[&str]) -> Value {
        let run = self.argus(&[&["--json"], arguments].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        run.data()
    }

    /// Announces a process through the daemon, or not.
    fn announce(&self, way: &str, id: &str, process: &Bystander) {
        self.succeed(&[way, "announce", "--id", id, "--pid", &process.pid().to_string()]);
    }

    fn time_of(&self, way: &str, id: &str) -> i64 {
        let found = self.succeed(&[way, "get", id]);
        found["record"]["updatedAt"].as_i64().expect("a time")
    }
}

/// Both ways to change a registry; the daemon runs on while the clock is set.
const WAYS: [&str; 2] = ["--direct", "--daemon-only"];

#[test]
fn a_clock_that_is_set_fails_no_call_and_takes_no_time_back() {
    for way in WAYS {
        let clock = Clock::new();
        let process = clock.context.bystander();
        clock.announce(way, "kept", &process);
        let first = clock.time_of(way, "kept");

        clock.set(BEYOND_TTL);
        clock.succeed(&[way, "heartbeat", "kept"]);
        let ahead = clock.time_of(way, "kept");
        assert!(ahead >= first + BEYOND_TTL * 1000, "{way}: the clock was not set");
        clock.announce(way, "ahead", &process);
        let document_ahead = clock.context.document()["updatedAt"].as_i64();

        clock.set(-HOUR);
        assert_eq!(clock.succeed(&[way, "heartbeat", "kept"])["updatedAt"], ahead);
        assert_eq!(clock.time_of(way, "kept"), ahead);
        clock.announce(way, "behind", &process);
        assert!(clock.time_of(way, "behind") < first - BEYOND_TTL * 1000, "{way}: it was not set");
        assert!(clock.context.document()["updatedAt"].as_i64() >= document_ahead, "{way}");
        assert_eq!(clock.context.ids(), ["ahead", "behind", "kept"]);
    }
}

#[test]
fn who_is_vouched_for_outlives_every_clock_and_who_is_dead_does_not() {
    for way in WAYS {
        for seconds in [BEYOND_TTL, HOUR, -HOUR] {
            let clock = Clock::new();
            let process = clock.context.bystander();
            let mut dead = clock.context.bystander();
            clock.announce(way, "kept", &process);
            clock.announce(way, "dead", &dead);
            dead.kill();
            clock.set(seconds);
            let pruned = clock.succeed(&[way, "prune"]);
            assert_eq!(pruned["removedIds"], json!(["dead"]), "{way} {seconds}");
            assert_eq!(clock.succeed(&[way, "get", "kept"])["state"], "live", "{way} {seconds}");
        }
    }
}

/// Seen to fail with silence measured by the clock that was set.
#[test]
fn nobody_alive_is_removed_when_the_clock_is_set() {
    for seconds in [HOUR, -HOUR] {
        let clock = Clock::new();
        let process = clock.context.bystander();
        let mut dead = clock.context.bystander();
        clock.announce("--daemon-only", "vouched", &process);
        clock.announce("--daemon-only", "dead", &dead);
        OldProgram::new(&clock.context.registry()).announce("old", process.pid());
        let client = clock.context.client(Mode::DaemonOnly);
        let mut events = client.subscribe(Subscribe::default());
        events.next_event().expect("what is there");

        clock.set(seconds);
        let begun = Instant::now();
        while begun.elapsed() < SEVERAL_LOOKS {
            let event = events.next_within(SEVERAL_LOOKS).expect("it goes on");
            assert!(event.is_none_or(|event| event.kind != EventKind::Removed), "{seconds}");
        }
        // It does look.
        dead.kill();
        let removed = until("the dead one goes", || {
            events.next_event().ok().filter(|event| event.kind == EventKind::Removed)
        });
        assert_eq!(removed.id.as_deref(), Some("dead"));
        assert_eq!(clock.context.ids(), ["old", "vouched"], "{seconds}");
    }
}

#[test]
fn a_damaged_file_is_mended_with_the_last_change_also_after_the_clock_went_back() {
    let clock = Clock::new();
    let process = clock.context.bystander();
    clock.announce("--daemon-only", "before", &process);
    clock.set(-HOUR);
    clock.announce("--daemon-only", "after", &process);
    fs::write(clock.context.registry(), "garbage").expect("own file");
    until("the file is mended", || {
        let text = fs::read_to_string(clock.context.registry()).ok()?;
        (text != "garbage").then_some(())
    });
    assert_eq!(clock.context.ids(), ["after", "before"]);
}

#[test]
fn a_lockfile_from_the_future_is_held_until_it_was_watched_long_enough() {
    let clock = Clock::new();
    let process = clock.context.bystander();
    clock.announce("--daemon-only", "kept", &process);
    clock.set(-HOUR);
    let made = Instant::now();
    fs::write(clock.context.paths().lockfile(), "").expect("own file");
    let announce = |way| {
        let pid = process.pid().to_string();
        clock.argus(&[way, "announce", "--id", "new", "--pid", &pid])
    };
    // One that has just come has not watched it.
    assert_eq!(announce("--direct").code, 6);
    until("the daemon has watched it", || match announce("--daemon-only").code {
        0 => Some(()),
        code => {
            assert_eq!(code, 6);
            None
        }
    });
    assert!(made.elapsed() > STALE_UNNAMED, "stolen after {:?}", made.elapsed());
    assert_eq!(clock.context.ids(), ["kept", "new"]);
}

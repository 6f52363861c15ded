//! Many at once, through the daemon, on the file, and mixed: adding, reading, removing, and what is
//! left behind afterwards. `storm.rs` has the long runs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use argus_client::method::{List, Remove};
use argus_client::{Mode, announcement, blocking};
use argus_tests::{Run, TestContext, helper, open_as_others_do, stamp_of, until};

/// The ways that the clients of one test go; each of them takes the next.
const WAYS: [&[Mode]; 3] = [&[Mode::Auto], &[Mode::Direct], &[Mode::Auto, Mode::Direct]];
const THREADS: usize = 8;
/// For how long another program has the file open.
const HELD: Duration = Duration::from_millis(500);

/// A home whose daemon waits for locks as long as its clients do.
fn with_patient_daemon(context: TestContext) -> TestContext {
    fs::write(context.home().join("config.yaml"), "lock: {wait: 30s}\n").expect("own folder");
    context
}

/// Runs a thread for each number, all beginning at once, each with a client of its own.
fn at_once(context: &TestContext, ways: &[Mode], work: impl Fn(usize, &blocking::Client) + Sync) {
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                let client = blocking::Client::new(context.patient(ways[number % ways.len()]))
                    .expect("a client");
                start.wait();
                work(number, &client);
            });
        }
    });
}

fn count(client: &blocking::Client) -> usize {
    client.list(List::default()).expect("served").records.len()
}

/// Seen to fail with a file that is not read again once it is known.
#[test]
fn concurrent_add_keeps_every_record() {
    for ways in WAYS {
        let context = with_patient_daemon(TestContext::new());
        at_once(&context, ways, |number, client| {
            for round in 0..8 {
                let id = format!("app-{number}-{round}");
                assert!(client.announce(announcement(&id).build()).expect("served").created);
            }
        });
        assert_eq!(context.ids().len(), 8 * THREADS, "{ways:?}");
    }
}

/// Ends the readers, also when a writer has failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Seen to fail with a snapshot that is not published with the answers.
#[test]
fn concurrent_read_write_shows_every_writer_his_own_and_no_reader_less_than_before() {
    for ways in WAYS {
        let context = with_patient_daemon(TestContext::in_memory());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for mode in [Mode::Auto, Mode::Direct] {
                let (context, done) = (&context, &done);
                scope.spawn(move || {
                    let reader = context.client(mode);
                    // The daemon may show what was written a moment ago a moment later than the file.
                    let mut seen = BTreeMap::new();
                    while !done.load(Ordering::Relaxed) {
                        let now = count(&reader);
                        let way = format!("{:?}", reader.route().way);
                        let before = seen.insert(way, now).unwrap_or(0);
                        assert!(now >= before, "{mode:?}: {now} after {before}");
                    }
                });
            }
            let _end = Ends(&done);
            at_once(&context, ways, |number, client| {
                for round in 0..8 {
                    let id = format!("app-{number}-{round}");
                    client.announce(announcement(&id).build()).expect("served");
                    client.get(&id).expect("who was answered finds it");
                }
            });
        });
        assert_eq!(context.ids().len(), 8 * THREADS, "{ways:?}");
    }
}

/// Seen to fail with a removal that is answered `removed` whatever was there.
#[test]
fn concurrent_remove_gives_each_record_to_exactly_one() {
    for ways in WAYS {
        let context = with_patient_daemon(TestContext::new());
        let first = context.client(ways[0]);
        let ids: Vec<String> = (0..12).map(|number| format!("app-{number}")).collect();
        for id in &ids {
            first.announce(announcement(id).build()).expect("served");
        }
        let removed = std::sync::Mutex::new(Vec::new());
        at_once(&context, ways, |_, client| {
            for id in &ids {
                let remove = Remove { id: id.clone(), pid: None, if_match: None, flush: false };
                if client.remove(remove).expect("served").removed {
                    removed.lock().expect("nobody panicked").push(id.clone());
                }
            }
        });
        let mut removed = removed.into_inner().expect("nobody panicked");
        removed.sort();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(removed, expected, "{ways:?}");
        assert!(context.ids().is_empty());
    }
}

/// Seen to fail with `RegistryFile::update` without its locks.
#[test]
fn multi_process_changes_are_all_there() {
    let context = TestContext::new();
    let pid = std::process::id().to_string();
    let calls: Vec<_> = (0..24)
        .map(|number| {
            let way = [&["--direct"][..], &[]][number % 2];
            let id = format!("app-{number}");
            let verb = ["announce", "--id", &id, "--pid", &pid];
            let mut command = context.command(&[way, &verb].concat());
            let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            piped.spawn().expect("argus can be run")
        })
        .collect();
    for call in calls {
        let run = Run::from(call.wait_with_output().expect("it was started here"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    }
    assert_eq!(context.ids().len(), 24);
}

/// Each one has read the file before the other wrote it, and keeps what it knows in memory.
///
/// Seen to fail with a file that is not read again once it is known.
#[test]
fn the_last_to_write_is_not_the_only_one_to_have_written() {
    let context = TestContext::new();
    let clients: Vec<_> =
        [Mode::Auto, Mode::Direct, Mode::Direct].map(|mode| context.client(mode)).into();
    for round in 0..5 {
        clients.iter().for_each(|client| drop(client.list(List::default()).expect("served")));
        for (number, client) in clients.iter().enumerate() {
            let id = format!("app-{round}-{number}");
            client.announce(announcement(&id).build()).expect("served");
        }
        assert_eq!(context.ids().len(), (round + 1) * clients.len());
    }
}

/// Seen to fail with a file that is written in place.
#[test]
fn atomic_write_leaves_the_old_file_whole_to_who_is_reading_it() {
    for mode in [Mode::Auto, Mode::Direct] {
        let context = TestContext::new();
        let client = context.client(mode);
        client.announce(announcement("first").build()).expect("served");
        // Another program's leftovers, under a name that is the same for everyone.
        let fixed = context.home().join("registry.json.tmp");
        fs::create_dir(&fixed).expect("own folder");
        let mut open = File::open(context.registry()).expect("it is there");
        let first = stamp_of(&context.registry()).identity;
        let mut read = || {
            let mut text = String::new();
            open.rewind().and_then(|()| open.read_to_string(&mut text)).expect("readable");
            text
        };
        let before = read();
        for number in 0..10 {
            client.announce(announcement(&format!("app-{number}")).build()).expect("served");
            assert_eq!(read(), before, "{mode:?}");
        }
        assert_ne!(stamp_of(&context.registry()).identity, first);
        let mut names: Vec<String> = fs::read_dir(context.home())
            .expect("own folder")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["registry.json", "registry.json.d", "registry.json.tmp"]);
    }
}

/// As an editor, a backup or a virus scanner has it, on Windows without leave to put another file into
/// its place. A commit waits for that, and does not fail.
#[test]
fn a_registry_that_another_program_has_open_for_a_while_fails_no_commit() {
    for mode in [Mode::Auto, Mode::Direct] {
        let context = TestContext::new();
        let client = context.client(mode);
        client.announce(announcement("first").build()).expect("served");
        for number in 0..3 {
            let held = open_as_others_do(&context.registry());
            std::thread::scope(|scope| {
                let announce = announcement(&format!("held-{number}")).build();
                let commit = scope.spawn(|| client.announce(announce));
                let released = Instant::now() + HELD;
                while !commit.is_finished() && Instant::now() < released {
                    std::thread::sleep(Duration::from_millis(5));
                }
                drop(held);
                let announced = commit.join().expect("no panic");
                assert!(announced.expect("it was waited for").created, "{mode:?} {number}");
            });
        }
        // And again and again, for as long as it takes to read it.
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut text = String::new();
                    let mut open = open_as_others_do(&context.registry());
                    open.read_to_string(&mut text).expect("readable");
                    assert!(text.ends_with('}'), "it is whole: {text}");
                }
            });
            let _end = Ends(&done);
            for number in 0..20 {
                let id = format!("read-{number}");
                client.announce(announcement(&id).build()).expect("it was waited for");
            }
        });
        assert_eq!(context.ids().len(), 1 + 3 + 20, "{mode:?}");
        let left = fs::read_dir(context.home()).expect("own folder").count();
        assert_eq!(left, 2, "{mode:?}: the file and its folder");
    }
}

/// Seen to fail with a lockfile that is not removed at the end.
#[test]
fn lock_cleanup_is_done_by_who_ends_and_after_who_was_killed() {
    let context = TestContext::new();
    for round in 0..5 {
        let mut writers: Vec<_> = (0..4)
            .map(|number| {
                let mut command = Command::new(helper("storm"));
                context.prepare(&mut command);
                command.arg(context.registry());
                command.args(["direct", &format!("writer-{round}-{number}"), "100000"]);
                let piped = command.stdin(Stdio::piped()).stdout(Stdio::null());
                piped.spawn().expect("a client can be started")
            })
            .collect();
        for writer in &mut writers {
            writer.stdin.take().expect("piped").write_all(b"!").expect("it waits for this");
        }
        until("one of them holds the lock", || context.paths().lockfile().exists().then_some(()));
        for writer in &mut writers {
            writer.kill().expect("own child");
            writer.wait().expect("own child");
        }
        // Whatever they left behind, nobody waits for it.
        let run = context.argus(&["--direct", "announce", "--id", "next"]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
        assert!(!context.paths().lockfile().exists());
    }
    let left = fs::read_dir(context.home()).expect("own folder").count();
    assert_eq!(left, 2, "the file and its folder");
}

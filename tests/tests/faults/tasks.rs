//! Folders of tasks in quantity, with the daemon killed in the middle, without watches to be had, and with
//! a database that is full or locked for long.
//!
//! `TASKS` says how many folders, `LOCKED_SECONDS` for how long the database is locked.
//!
//! Seen to fail with a follower that does not look at everything when it starts, and with a database that
//! takes what it could not write for written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use argus_tests::{TestContext, ended, executables, signal_process, until};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::mounts::SmallDisk;
use crate::strace::threads;

const TASKS: usize = 10_000;
/// As many share a folder.
const GROUP: usize = 100;
/// How many tasks may be loaded at a time, as the settings have it.
const RELOADS_MAX: usize = 5;
/// What a daemon may take that follows all of them: they take less than a kilobyte each in the registry, which
/// is held, rendered and sent as a whole.
const RESIDENT_KB_MAX: u64 = 400 * 1024;
const LOCKED_SECONDS: u64 = 12;
/// The disk of a database: room for all that happens while it is locked for minutes.
const DISK_KB: usize = 8 * 1024;
/// A look at all of them takes longer than what else is waited for.
const DEADLINE: Duration = Duration::from_secs(240);

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// What a task is to be: the version in its metadata.
type Expected = BTreeMap<String, String>;

struct Folders {
    root: PathBuf,
    /// By id: the folder, and the version.
    tasks: BTreeMap<String, (PathBuf, String)>,
}

impl Folders {
    fn place(&self, number: usize) -> PathBuf {
        self.root.join(format!("group-{}/task-{number}", number / GROUP))
    }

    fn write(&mut self, folder: PathBuf, name: &str, version: &str) {
        fs::create_dir_all(&folder).expect("own folder");
        let metadata = json!({ "name": name, "version": version }).to_string();
        fs::write(folder.join("metadata.json"), metadata).expect("own folder");
        let script = format!("exports.run = (input) => [input, '{name}', '{version}'];\n");
        fs::write(folder.join("main.js"), script).expect("own folder");
        self.tasks.insert(format!("many/{name}"), (folder, version.to_owned()));
    }

    fn create(&mut self, count: usize) {
        for number in 0..count {
            self.write(self.place(number), &format!("task-{number}"), "1.0.0");
        }
    }

    /// A third is changed, a tenth removed, and some are renamed, folder and name; in the middle `between`
    /// happens.
    fn stir(&mut self, count: usize, between: impl FnOnce()) {
        let mut between = Some(between);
        for number in 0..count {
            if number == count / 2
                && let Some(between) = between.take()
            {
                between();
            }
            let (folder, name) = (self.place(number), format!("task-{number}"));
            match number % 30 {
                0..10 => self.write(folder, &name, "2.0.0"),
                10..13 => {
                    fs::remove_dir_all(folder).expect("own folder");
                    self.tasks.remove(&format!("many/{name}"));
                }
                13 => {
                    let renamed = format!("renamed-{number}");
                    let to = folder.with_file_name(&renamed);
                    fs::rename(folder, &to).expect("own folder");
                    self.tasks.remove(&format!("many/{name}"));
                    self.write(to, &renamed, "1.0.0");
                }
                _ => {}
            }
        }
    }

    fn expected(&self) -> Expected {
        self.tasks.iter().map(|(id, (_, version))| (id.clone(), version.clone())).collect()
    }
}

/// Every task that is valid, and its version.
fn versions(records: impl IntoIterator<Item = (String, Value)>) -> Expected {
    let valid = records.into_iter().filter(|(_, record)| record["status"] == "valid");
    valid
        .map(|(id, record)| (id, record["version"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn in_the_file(context: &TestContext) -> Expected {
    let Ok(text) = fs::read(context.home().join("tasks.json")) else { return Expected::new() };
    let mut document: Value = serde_json::from_slice(&text).expect("whole at every moment");
    let records = document["tasks"].as_object_mut().map(std::mem::take).unwrap_or_default();
    versions(records)
}

fn in_the_registry(context: &TestContext) -> Expected {
    let listing = context.argus(&["--json", "-c", "tasks", "ls"]).data();
    let records = listing["records"].as_array().expect("records").iter();
    versions(records.map(|it| (it["id"].as_str().expect("an id").to_owned(), it["record"].clone())))
}

/// The tasks that the database has enabled, each with the version that its script tells too.
fn in_the_database(path: &Path) -> Expected {
    let read = || -> rusqlite::Result<Expected> {
        let connection = Connection::open(path)?;
        let sql = "SELECT source || '/' || name, version, script FROM tasks WHERE enabled";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (id, version, script): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            assert!(script.contains(&format!("'{version}'")), "{id} {version} {script}");
            Ok((id, version))
        })?;
        rows.collect()
    };
    read().unwrap_or_default()
}

fn until_equal(what: &str, expected: &Expected, now: impl Fn() -> Expected) {
    let begun = Instant::now();
    loop {
        let found = now();
        if found == *expected {
            return;
        }
        if begun.elapsed() > DEADLINE {
            let missing = expected.iter().filter(|(id, version)| found.get(*id) != Some(version));
            let extra = found.keys().filter(|id| !expected.contains_key(*id));
            panic!(
                "{what} has {} of {}; missing {:?}, extra {:?}",
                found.len(),
                expected.len(),
                missing.take(5).collect::<Vec<_>>(),
                extra.take(5).collect::<Vec<_>>()
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Looks, again and again, how many threads of the daemon load tasks, and how much memory it takes.
struct Observer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(usize, u64)>,
}

impl Observer {
    fn start(daemon: Arc<AtomicUsize>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut loads, mut resident) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                let pid = daemon.load(Ordering::Relaxed);
                // A thread that a load starts for its script is called as the load is until it first runs.
                let mut threads = loading_threads(pid);
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(15));
                    let again = loading_threads(pid);
                    threads.retain(|thread| again.contains(thread));
                }
                loads = loads.max(threads.len());
                resident = resident.max(resident_kb(pid));
                std::thread::sleep(Duration::from_millis(2));
            }
            (loads, resident)
        });
        Observer { stop, thread }
    }

    fn stop(self) -> (usize, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only looks")
    }
}

fn loading_threads(pid: usize) -> BTreeSet<u32> {
    let Ok(pid) = u32::try_from(pid) else { return BTreeSet::new() };
    threads(pid, "argus-load").into_iter().collect()
}

fn resident_kb(pid: usize) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn ten_thousand_folders_with_the_daemon_killed_in_the_middle_and_all_agree_in_the_end() {
    let count = usize::try_from(number("TASKS", TASKS as u64)).expect("some");
    let context = TestContext::new();
    let mut folders = Folders { root: context.home().join("many"), tasks: BTreeMap::new() };
    fs::create_dir(&folders.root).expect("own folder");
    let pid = context.start_daemon();
    let daemon = Arc::new(AtomicUsize::new(pid as usize));
    let observer = Observer::start(daemon.clone());
    let add = ["--json", "sources", "add", &folders.root.to_string_lossy()];
    assert_eq!(context.argus(&add).code, 0);
    let restart = || {
        let pid = u32::try_from(daemon.load(Ordering::Relaxed)).expect("a pid");
        signal_process(pid, Signal::KILL);
        until("it has ended", || ended(pid).then_some(()));
        daemon.store(context.start_daemon() as usize, Ordering::Relaxed);
    };
    folders.create(count);
    // Whatever it has got to by then.
    restart();
    folders.stir(count, restart);

    let expected = folders.expected();
    until_equal("the registry", &expected, || in_the_registry(&context));
    until_equal("the file", &expected, || in_the_file(&context));
    let database = context.paths().folder().join("argus.db");
    until_equal("the database", &expected, || in_the_database(&database));
    assert_eq!(in_the_registry(&context), expected, "and it stays so");
    let (loads, resident) = observer.stop();
    println!("{count} folders; at most {loads} loads at a time, {resident} kB resident");
    assert!((1..=RELOADS_MAX).contains(&loads), "{loads} loads at a time");
    assert!(resident < RESIDENT_KB_MAX, "{resident} kB resident");
    // Changes nobody made are told of nobody: another look finds nothing.
    let history = || context.argus(&["--json", "-c", "tasks", "history", "--limit", "1"]).data();
    let last = history();
    assert_eq!(context.argus(&["sources", "sync"]).code, 0);
    assert_eq!(history(), last);
}

/// A daemon that may have so few watches.
struct Limited(Child);

impl Limited {
    fn start(context: &TestContext, watches: usize) -> Self {
        let mut unshare = Command::new("unshare");
        context.prepare(&mut unshare);
        let script = format!(
            "echo {watches} > /proc/sys/user/max_inotify_watches && exec \"$0\" --registry \"$1\""
        );
        unshare.args(["--user", "--map-root-user", "sh", "-c", &script]);
        unshare.arg(&executables().argusd).arg(context.registry());
        let log = fs::File::create(context.home().join("daemon.log")).expect("own folder");
        let child = unshare.stdout(Stdio::null()).stderr(log).spawn().expect("it is installed");
        until("it serves", || context.serving_daemon());
        Limited(child)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn where_there_are_too_few_watches_the_folder_is_polled_and_that_is_told() {
    let context = TestContext::new();
    let mut folders = Folders { root: context.home().join("many"), tasks: BTreeMap::new() };
    folders.create(40);
    let _daemon = Limited::start(&context, 8);
    let run = context.argus(&["--json", "sources", "add", &folders.root.to_string_lossy()]);
    let source = &run.data()["sources"][0];
    assert_eq!(source["watching"], "polling", "{source}");
    assert!(source["whyPolling"].as_str().is_some_and(|why| !why.is_empty()), "{source}");
    until_equal("the registry", &folders.expected(), || in_the_registry(&context));
    let doctor = context.argus(&["doctor"]);
    assert_eq!(doctor.code, 11, "{doctor:?}");
    assert!(doctor.stdout.contains("(source-polled)"), "{doctor:?}");
    assert!(doctor.stdout.contains("max_user_watches"), "{doctor:?}");
    // What changes is found all the same.
    folders.stir(40, || {});
    until_equal("the registry", &folders.expected(), || in_the_registry(&context));
}

#[test]
fn a_database_on_a_full_disk_and_one_that_is_locked_for_long_catch_up() {
    let (context, disk) = (TestContext::new(), SmallDisk::new(DISK_KB));
    // The file itself is on the small disk.
    let database = disk.path().join("argus.db");
    let folder = context.paths().folder();
    fs::create_dir(&folder).expect("own folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("own folder");
    std::os::unix::fs::symlink(&database, folder.join("argus.db")).expect("own folder");
    let mut folders = Folders { root: context.home().join("many"), tasks: BTreeMap::new() };
    folders.create(30);
    context.start_daemon();
    assert_eq!(context.argus(&["sources", "add", &folders.root.to_string_lossy()]).code, 0);
    until_equal("the database", &folders.expected(), || in_the_database(&database));

    let filler = disk.path().join("filler");
    let mut length = DISK_KB * 1024;
    while fs::write(&filler, vec![1; length]).is_err() {
        length -= 4096;
    }
    let problem = || {
        let status = context.argus(&["--json", "status"]).data();
        status["daemon"]["database"]["problem"].as_str().map(str::to_owned)
    };
    let mut announced = 0;
    let mut announce = || {
        announced += 1;
        let id = format!("app-{announced}");
        let data = json!({ "note": "x".repeat(20_000) }).to_string();
        let run = context.argus(&["announce", "--id", &id, "--pid", "1", "--data", &data]);
        assert_eq!(run.code, 0, "the registry goes on: {run:?}");
    };
    until("it is full", || {
        announce();
        problem()
    });
    announce();
    assert_eq!(context.argus(&["doctor"]).code, 11);
    fs::remove_file(&filler).expect("own file");
    until("it is written again", || problem().is_none().then_some(()));

    let locked = Connection::open(&database).expect("a database");
    locked.execute_batch("BEGIN EXCLUSIVE").expect("nobody else is writing");
    let until_then = Instant::now() + Duration::from_secs(number("LOCKED_SECONDS", LOCKED_SECONDS));
    while Instant::now() < until_then {
        announce();
        std::thread::sleep(Duration::from_millis(500));
    }
    folders.stir(30, || {});
    until_equal("the registry", &folders.expected(), || in_the_registry(&context));
    assert!(problem().is_some_and(|problem| problem.contains("locked")), "{:?}", problem());
    locked.execute_batch("ROLLBACK").expect("own transaction");
    drop(locked);
    until_equal("the database", &folders.expected(), || in_the_database(&database));
    let history = context.argus(&["--json", "history", "--limit", "400"]).data();
    let ids = history["changes"].as_array().expect("changes").iter();
    let ids: Vec<String> =
        ids.map(|change| change["id"].as_str().expect("an id").to_owned()).collect();
    let expected: Vec<String> = (1..=announced).map(|number| format!("app-{number}")).collect();
    assert_eq!(ids, expected, "each once, in order");
}

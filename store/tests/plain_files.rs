//! Any file at all, read, changed and replaced under its locks, by real processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use argus_proto::Code;
use argus_proto::limits::FILE_BYTES_MAX;
use argus_store::atomic::{self, Mode};
use argus_store::{Committed, Lock, LockOptions, StoreError, StoreResult, update};

#[path = "platform/plain_files.rs"]
mod platform;

/// What a process of a test is to do, and on which file.
const TASK: &str = "ARGUS_TEST_TASK";
const FILE: &str = "ARGUS_TEST_FILE";

const PROCESSES: usize = 8;
const TIMES: usize = 100;
/// The two contents between which a process is killed.
const CONTENT_BYTES: usize = 256 * 1024;
const KILLS: u64 = 40;

/// Not a test by itself: this is what the processes that the tests start are told to run.
#[test]
fn as_another_process() {
    let (Ok(task), Some(file)) = (std::env::var(TASK), std::env::var_os(FILE)) else { return };
    let file = Path::new(&file);
    match task.as_str() {
        "count" => (0..TIMES).for_each(|_| count(file)),
        "hang" => {
            let _ = update(file, Mode::Kept, |_| {
                println!("holding");
                loop {
                    std::thread::park();
                }
            });
        }
        "write" => loop {
            for byte in [b'a', b'b'] {
                let content = vec![byte; CONTENT_BYTES];
                update(file, Mode::Kept, |_| Some(content)).expect("nobody holds it for long");
            }
        },
        other => panic!("no task {other}"),
    }
}

fn process(task: &str, file: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own path"));
    command.args(["--exact", "as_another_process", "--nocapture"]).env(TASK, task).env(FILE, file);
    command.stdout(Stdio::piped()).spawn().expect("it can be run")
}

/// As patient as it takes: the disk may be slow, and there are many.
fn count(file: &Path) {
    let count = |old: Option<&[u8]>| {
        let count: usize = String::from_utf8_lossy(old.unwrap_or(b"0")).parse().expect("a number");
        Some((count + 1).to_string().into_bytes())
    };
    loop {
        match update(file, Mode::Kept, count) {
            Ok(counted) => return assert_eq!(counted, Committed::Written),
            Err(StoreError::Locked { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn try_lock(file: &Path) -> StoreResult<Lock> {
    Lock::acquire(file, LockOptions { wait: Duration::ZERO, ..LockOptions::default() })
}

fn names_in(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let names = fs::read_dir(folder).expect("there").map(name);
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Seen to fail with an `update` that reads before it has the lock.
#[test]
fn processes_that_count_together_lose_no_count() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("count");
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| process("count", &file)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..TIMES).for_each(|_| count(&file)));
        }
    });
    for child in &mut children {
        assert!(child.wait().expect("own child").success());
    }
    let counted = fs::read_to_string(&file).expect("written");
    assert_eq!(counted, ((PROCESSES + 2) * TIMES).to_string());
    assert_eq!(names_in(home.path()), ["count", "count.d"], "nothing is left behind");
}

#[test]
fn a_process_killed_in_the_middle_of_a_change_leaves_what_was_and_no_lock() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    fs::write(&file, "old").expect("own folder");
    let mut child = process("hang", &file);
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("holding")));

    let error = try_lock(&file).expect_err("it is held");
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    child.kill().and_then(|()| child.wait()).expect("own child");
    assert!(file.with_extension("lock").exists(), "it had no time to remove it");

    let seen = update(&file, Mode::Kept, |old| {
        assert_eq!(old, Some(&b"old"[..]));
        None
    });
    assert_eq!(seen.expect("what the dead left is nobody's"), Committed::Unchanged);
    assert_eq!(names_in(home.path()), ["file", "file.d"]);
}

/// Wherever it is hit: between the lock, the temporary file, the rename and the release.
#[test]
fn a_process_killed_at_any_time_leaves_a_whole_file_and_no_debris() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..KILLS {
        let mut child = process("write", &file);
        std::thread::sleep(Duration::from_millis(random.u64(5..60)));
        child.kill().and_then(|()| child.wait()).expect("own child");
        if let Some(content) = atomic::read(&file).expect("readable") {
            assert_eq!(content.len(), CONTENT_BYTES);
            assert!(content.iter().all(|byte| *byte == content[0]), "a mixture of two");
        }
        drop(Lock::acquire(&file, LockOptions::default()).expect("nobody holds it"));
        assert!(names_in(home.path()).iter().all(|name| name == "file" || name == "file.d"));
    }
}

#[test]
fn a_lock_that_was_taken_from_us_changes_nothing_and_stays_the_thiefs() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    let lock = Lock::acquire(&file, LockOptions::default()).expect("free");
    fs::remove_file(file.with_extension("lock")).expect("stolen");
    fs::write(file.with_extension("lock"), "").expect("by a thief");
    let error = lock.replace(b"new", Mode::Kept).expect_err("it is not ours any more");
    assert_eq!(error.code(), Code::Locked);
    drop(lock);
    assert_eq!(names_in(home.path()), ["file.d", "file.lock"]);
}

#[test]
fn what_is_too_large_or_no_file_is_refused_and_stays() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("file");
    assert_eq!(atomic::read(&file).expect("that is no error"), None);
    fs::write(&file, "old").expect("own folder");
    let large = vec![b' '; FILE_BYTES_MAX + 1];
    let error = atomic::replace(&file, &large, Mode::Kept).expect_err("too large");
    assert_eq!(error.code(), Code::TooLarge);
    assert_eq!(fs::read(&file).expect("there"), b"old");
    fs::File::options()
        .write(true)
        .open(&file)
        .and_then(|f| f.set_len(large.len() as u64))
        .expect("own");
    let error = update(&file, Mode::Kept, |_| Some(Vec::new())).expect_err("too large to read");
    assert_eq!(error.code(), Code::Corrupt);
    assert_eq!(fs::metadata(&file).expect("there").len(), large.len() as u64);
    assert!(matches!(atomic::read(home.path()), Err(StoreError::Io { .. })));
    assert_eq!(names_in(home.path()), ["file", "file.d"]);
}

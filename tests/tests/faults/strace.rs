//! Running a program with a fault at its n-th system call.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use argus_tests::{Run, TestContext, executables, signal_process, until};
use rustix::process::Signal;

/// What a commit does to the disk. `strace` counts each of them by itself, in each thread.
const COMMIT_CALLS: [&str; 12] = [
    "write",
    "fsync",
    "flock",
    "fchmod",
    "linkat",
    "mkdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "utimensat",
];
/// More of one call than a change can need: the loops end when no fault strikes any more.
const CALLS_MAX: usize = 100;

/// What belongs in a home, and in each folder of locks.
const BELONGING: [&str; 5] =
    ["config.yaml", "jobs.json", "jobs.json.d", "registry.json", "registry.json.d"];
pub(crate) const KNOWN: [&str; 15] = [
    "aggregate.json",
    "argus.db",
    "argus.db-journal",
    "argus.db-shm",
    "argus.db-wal",
    "argusd.log",
    "argusd.sock",
    "endpoint.json",
    "last-good.json",
    // The lockfile's own file, kept for the next time.
    "lockfile.new",
    "owner.lock",
    "records",
    "records.new",
    "spawn.lock",
    "write.lock",
];

/// A fault, and at which of the calls of `calls` it strikes.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// As `strace -e inject=` names them, separated by commas.
    pub(crate) calls: &'static str,
    /// What happens: `signal=KILL`, `error=EIO`.
    pub(crate) effect: &'static str,
    /// At which of them, each counted by itself and in each thread: `3`, or `3+` for that one and
    /// all that follow.
    pub(crate) when: String,
}

impl Fault {
    /// The program with this fault in front of it.
    pub(crate) fn command(&self, context: &TestContext, program: &Path) -> Command {
        let mut strace = Command::new("strace");
        context.prepare(&mut strace);
        strace.args(["-f", "-qq"]).args(self.arguments()).arg(program);
        strace
    }

    fn arguments(&self) -> [String; 6] {
        let Fault { calls, effect, when } = self;
        let inject = format!("inject={calls}:{effect}:when={when}");
        ["-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &inject].map(str::to_owned)
    }

    /// Lets the calls of one thread of a running program fail, from now on until the result is
    /// dropped.
    pub(crate) fn attach(&self, thread: u32) -> Attached {
        let mut strace = Command::new("strace");
        strace.args(self.arguments()).arg("-p").arg(thread.to_string());
        let mut strace = strace.stderr(Stdio::piped()).spawn().expect("strace is installed");
        let mut says = BufReader::new(strace.stderr.take().expect("piped"));
        let mut line = String::new();
        says.read_line(&mut line).expect("its standard error");
        assert!(line.ends_with("attached\n"), "{line}");
        Attached { strace, _says: says }
    }

    /// `argus` with this fault, run to its end.
    pub(crate) fn argus(&self, context: &TestContext, arguments: &[&str]) -> Run {
        let mut command = self.command(context, &executables().argus);
        Run::from(command.args(arguments).output().expect("strace is installed"))
    }
}

/// A thread with a fault.
#[derive(Debug)]
pub(crate) struct Attached {
    strace: Child,
    _says: BufReader<ChildStderr>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It lets go of the thread, which goes on.
        signal_process(self.strace.id(), Signal::TERM);
        let _ = self.strace.wait();
    }
}

/// The one thread of a process that calls itself so. Another that it has just started has its name as well, until
/// it first runs.
pub(crate) fn the_thread(pid: u32, name: &str) -> u32 {
    until("one thread has the name", || match threads(pid, name)[..] {
        [thread] => Some(thread),
        _ => None,
    })
}

/// The threads of a process that call themselves so.
pub(crate) fn threads(pid: u32, name: &str) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let paths = tasks.filter_map(|task| Some(task.ok()?.path()));
    let named = paths.filter(|task| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    named.filter_map(|task| task.file_name()?.to_str()?.parse().ok()).collect()
}

/// How often a program makes each of some calls until it ends, those that are counted together
/// taken together.
pub(crate) fn calls_made(context: &TestContext, calls: &str, arguments: &[&str]) -> usize {
    let log = tempfile::NamedTempFile::new().expect("a file can be made");
    let mut strace = Command::new("strace");
    context.prepare(&mut strace);
    strace.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-e", "signal=none", "-o"]);
    strace.arg(log.path()).arg(&executables().argus).args(arguments);
    let run = Run::from(strace.output().expect("strace is installed"));
    assert_eq!(run.code, 0, "{run:?}");
    let log = std::fs::read_to_string(log.path()).expect("own file");
    log.lines().filter(|line| !line.contains("resumed>")).count()
}

/// Lets `change`, which tells whether it got through, be killed at every point until none is left.
/// Counts the points.
pub(crate) fn at_every_point(mut change: impl FnMut(&Fault) -> bool) -> usize {
    let mut points = 0;
    for calls in COMMIT_CALLS {
        let survived = (1..CALLS_MAX).find(|number| change(&killed_at(calls, *number)));
        points += survived.expect("the change gets through in the end") - 1;
    }
    points
}

fn killed_at(calls: &'static str, number: usize) -> Fault {
    Fault { calls, effect: "signal=KILL", when: number.to_string() }
}

/// What may be in a home once every writer is done: nothing that would mislead anyone.
pub(crate) fn assert_no_debris(context: &TestContext) {
    assert_eq!(debris(context), Vec::<String>::new());
}

/// What is in a home beside what belongs there.
pub(crate) fn debris(context: &TestContext) -> Vec<String> {
    let home = strays(context.home(), &[]);
    let folders: Vec<_> = home.iter().filter(|name| name.ends_with(".d")).cloned().collect();
    assert!(!folders.is_empty(), "{home:?}");
    let mut debris: Vec<String> =
        home.into_iter().filter(|name| !BELONGING.contains(&&**name)).collect();
    for folder in folders {
        let folder = context.home().join(folder);
        debris.extend(strays(&folder, &KNOWN));
        // The files of records are made in the one, and are in the other.
        let (unfinished, records) = (folder.join("records.new"), folder.join("records"));
        debris.extend(unfinished.exists().then(|| strays(&unfinished, &[])).into_iter().flatten());
        let records = records.exists().then(|| strays(&records, &[])).into_iter().flatten();
        debris.extend(records.filter(|name| !name.ends_with(".json")));
    }
    debris
}

/// What is in a folder beside what is known.
pub(crate) fn strays(folder: &Path, known: &[&str]) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| !known.contains(&&**name))
        .collect();
    names.sort();
    names
}

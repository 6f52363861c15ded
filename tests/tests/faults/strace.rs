//! Running a program with a fault at its n-th system call.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use argus_tests::{Run, TestContext, executables, signal_process};
use rustix::process::Signal;

/// What a commit does to the disk. `strace` counts each of them by itself, in each thread.
const COMMIT_CALLS: [&str; 10] = [
    "write",
    "fsync",
    "flock",
    "fchmod",
    "linkat",
    "unlink",
    "rename",
    "renameat",
    "renameat2",
    "utimensat",
];
/// More of one call than a change can need: the loops end when no fault strikes any more.
const CALLS_MAX: usize = 100;

/// What belongs in a home.
const BELONGING: [&str; 2] = ["registry.json", "registry.json.d"];
/// What belongs in a folder of locks.
pub(crate) const KNOWN: [&str; 8] = [
    "argusd.log",
    "argusd.sock",
    "endpoint.json",
    "last-good.json",
    // The lockfile's own file, kept for the next time.
    "lockfile.new",
    "owner.lock",
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
    assert!(BELONGING.iter().all(|name| context.home().join(name).exists()), "{BELONGING:?}");
    let in_folder = strays(&context.paths().folder(), &KNOWN);
    strays(context.home(), &BELONGING).into_iter().chain(in_folder).collect()
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

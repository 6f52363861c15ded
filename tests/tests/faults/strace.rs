//! Running a program with a fault at its n-th system call.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use argus_tests::{Run, TestContext, executables};

/// What belongs in a home, and in its folder of locks.
const BELONGING: [&str; 2] = ["registry.json", "registry.json.d"];
const KNOWN: [&str; 7] = [
    "argusd.log",
    "argusd.sock",
    "endpoint.json",
    "last-good.json",
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
        let Fault { calls, effect, when } = self;
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        strace.args(["-e", &format!("inject={calls}:{effect}:when={when}")]).arg(program);
        strace
    }

    /// `argus` with this fault, run to its end.
    pub(crate) fn argus(&self, context: &TestContext, arguments: &[&str]) -> Run {
        let mut command = self.command(context, &executables().argus);
        Run::from(command.args(arguments).output().expect("strace is installed"))
    }
}

/// What may be in a home once every writer is done: nothing that would mislead anyone.
pub(crate) fn assert_no_debris(context: &TestContext) {
    assert_eq!(debris(context), Vec::<String>::new());
}

/// What is in a home beside what belongs there.
pub(crate) fn debris(context: &TestContext) -> Vec<String> {
    let names = |path: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(path).expect("it is there");
        entries
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect()
    };
    let home = names(context.home());
    assert!(BELONGING.iter().all(|name| home.contains(*name)), "{home:?}");
    let folder = names(&context.paths().folder());
    let in_home = home.into_iter().filter(|name| !BELONGING.contains(&&**name));
    let in_folder = folder.into_iter().filter(|name| !KNOWN.contains(&&**name));
    in_home.chain(in_folder).collect()
}
